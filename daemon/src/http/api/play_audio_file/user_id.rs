//! `GetUserID.php`: HTTP Basic in, a token out (API.md section 1). A password is taken from
//! nowhere else: queries end up in the logs of whatever stands in between.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use http_body::Body;
use storage::account::{KeyWish, UserRow};
use storage::handle::IssuedKey;
use storage::ledger::entry::Kind;
use storage::record::{Family, WallMillis};

use super::{body, credentials};
use crate::http::auth::password::{self, Outcome};
use crate::http::auth::play_token::{Code, locked, refused};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::ratelimit::{self, Credential};
use crate::http::service::Call;
use crate::http::trail;
use crate::http::wire::play_audio_file::{Success, User};

/// Answers `GetUserID.php`: the user's id and, with `tsid=1`, which need not be said, a token that
/// lives as long as a session at most.
///
/// # Errors
/// 130, 140, 131, 132, 142, 199, 110; 400 for another `tsid` and for what cannot be read.
pub(super) async fn answer<B>(call: &Call<'_>, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let site = &call.worker.site;
    let user = authenticate(call, call.connection.peer.ip()).await?;
    ratelimit::charge_credential(call, Credential::User(user.user_id))?;
    let received = body::receive(call, body, None).await?;
    if let Some(problem) = received.problem {
        return Err(problem);
    }
    if received
        .parameters
        .get("tsid")
        .is_some_and(|tsid| tsid != "1")
    {
        let message = "Parameter 'tsid' is 1: a token is wanted.";
        return Err(Problem::parameter(message));
    }
    let user_id = user.user_id.to_string();
    let mut told = User {
        user_id,
        tsid: None,
        expires_in: None,
    };
    let login = trail::act(call, Kind::Login).by(trail::user(&user));
    let mut login = login.of(user.tenant);
    // HEAD changes nothing, and nobody would see the token.
    if call.parts.method != Method::HEAD {
        let life_s = site.config.load().access.session_absolute_s;
        let issued = issue(call, *user, life_s).await?;
        login = login.with("key", issued.row.key_id);
        told.tsid = Some(issued.secret);
        told.expires_in = Some(life_s.to_string());
    }
    site.storage.record_act(login);
    json(&Success::of(told))
}

async fn authenticate(call: &Call<'_>, peer: IpAddr) -> Result<Box<UserRow>, Problem> {
    let site = &call.worker.site;
    let Some((name, password)) = basic(call.parts) else {
        // Whoever is locked out is told so whatever it sends.
        return Err(match site.storage.locked(peer, None) {
            Some(lock) => locked(&lock, site.clock.wall()),
            None => refused(Code::Missing),
        });
    };
    match password::check(call, &name, &password).await? {
        Outcome::Valid(user) => Ok(user),
        Outcome::Wrong => Err(refused(Code::Wrong)),
        Outcome::Inactive => Err(refused(Code::Inactive)),
        Outcome::Address => Err(refused(Code::Address)),
        Outcome::Locked(lock) => Err(locked(&lock, site.clock.wall())),
    }
}

/// Name and password of RFC 7617; `None` if there are none, or one of them is empty.
fn basic(parts: &Parts) -> Option<(String, String)> {
    let encoded = credentials(parts, "basic")?;
    let decoded = STANDARD.decode(encoded).ok();
    let decoded = decoded.or_else(|| STANDARD_NO_PAD.decode(encoded).ok())?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, password) = text.split_once(':')?;
    let is_there = !name.is_empty() && !password.is_empty();
    is_there.then(|| (name.to_owned(), password.to_owned()))
}

async fn issue(call: &Call<'_>, user: UserRow, life_s: u64) -> Result<IssuedKey, Problem> {
    let now = call.worker.site.clock.wall();
    let wish = KeyWish {
        tenant: user.tenant,
        family: Family::PlayAudioFile,
        label: format!("GetUserID.php for {}", user.name),
        allow: user.allow,
        expires_at: Some(WallMillis(
            now.0.saturating_add(life_s.saturating_mul(1_000)),
        )),
        user_id: Some(user.user_id),
    };
    let issued = call
        .worker
        .recordings
        .off_loop(move |storage| storage.issue_key_as(wish));
    let issued = issued.await.map_err(Problem::internal)?;
    issued.map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn basic_credentials_are_whole_or_none() {
        for (header, expected) in [
            ("Basic YTpi", Some(("a", "b"))),
            ("basic  YTpiOmM=", Some(("a", "b:c"))),
            ("Basic YTpiOmM", Some(("a", "b:c"))),
            ("Basic w6k6w6k=", Some(("é", "é"))),
            ("Basic YQ==", None),
            ("Basic YTo=", None),
            ("Basic OmI=", None),
            ("Basic /w==", None),
            ("Basic ?", None),
            ("Basic", None),
            ("Bearer YTpi", None),
        ] {
            let request = http::Request::builder().header(AUTHORIZATION, header);
            let parts = request.body(()).unwrap().into_parts().0;
            let found = basic(&parts);
            let found = found.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            assert_eq!(found, expected, "{header}");
        }
    }
}
