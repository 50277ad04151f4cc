//! Signing in and out, and who one is. What signing in comes to is told alike to whoever is not let
//! in, whatever the reason.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Response, StatusCode};
use http_body::Body;
use serde::{Deserialize, Serialize};
use storage::account::{Role, UserRow};
use storage::ledger::entry::Kind;

use super::scope::{Can, Scope};
use super::{Asked, body, invalid, rights};
use crate::http::auth::password::{self, Outcome};
use crate::http::auth::session as other_session;
use crate::http::auth::supervisor::{self as auth, Person};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::ratelimit::{self, Credential};
use crate::http::service::Call;

/// `POST session`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    name: String,
    password: String,
}

/// Who one is and what one may do.
#[derive(Serialize)]
struct Shown<'a> {
    user: User<'a>,
    /// For the header `X-Callreel-CSRF`.
    csrf: String,
    /// Until the session ends if nothing is asked.
    expires_in_ms: u64,
    /// Until it ends whatever is asked.
    ends_in_ms: u64,
    can: Can,
}

#[derive(Serialize)]
struct User<'a> {
    id: String,
    name: &'a str,
    role: Role,
    tenant: String,
    groups: Vec<&'a str>,
    line: Option<&'a str>,
}

/// Opens a session for a name and a password.
///
/// # Errors
/// 400, 408, 413, 415 for the body; 401 alike for every reason not to let somebody in; 403 from
/// another site; 429 while the address or the name is locked out; 503.
pub(super) async fn sign_in<B>(call: &Call<'_>, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Nobody shall be signed in as somebody else by a page that they look at.
    auth::check_origin(call)?;
    let wish: SignIn = body::read(call, body).await?;
    for (field, text) in [("name", &wish.name), ("password", &wish.password)] {
        if text.is_empty() {
            return Err(invalid(field, "is empty"));
        }
    }
    let site = &call.worker.site;
    let user = match password::check(call, &wish.name, &wish.password).await? {
        Outcome::Valid(user) => *user,
        Outcome::Locked(lock) => {
            return Err(other_session::locked(&lock, site.clock.wall()));
        }
        Outcome::Wrong | Outcome::Inactive | Outcome::Address => {
            return Err(auth::unauthorized(
                "The name or the password is wrong, or may not be used from here.",
            ));
        }
    };
    ratelimit::charge_credential(call, Credential::User(user.user_id))?;
    open(call, user).await
}

async fn open(call: &Call<'_>, user: UserRow) -> Result<Response<Payload>, Problem> {
    let site = &call.worker.site;
    let limits = site.config.load().access.session_limits();
    let from = call.connection.peer.ip();
    let recordings = &call.worker.recordings;
    let opened = recordings
        .off_loop(move |storage| storage.open_session(&user, from, limits, false))
        .await
        .map_err(Problem::internal)?;
    let (row, token) = opened.map_err(Problem::internal)?;
    log::info!(
        user = row.user.as_str(), session = row.session_id, from = from.to_string().as_str();
        "session opened"
    );
    let person = auth::person(call, token).ok_or_else(|| {
        // Switched off, or its tenant, in this very moment.
        auth::unauthorized("The user was changed meanwhile; sign in again.")
    })?;
    let (can, scope) = rights(call, &person);
    let asked = Asked {
        call,
        person,
        can,
        scope,
    };
    let act = asked.act(Kind::Login).with("session", row.session_id);
    site.storage.record_act(act.with("family", "supervisor"));
    let mut answer = show(&asked)?;
    if let Some(cookie) = auth::give(call, &asked.person.token) {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// Who one is.
pub(super) fn show(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let Person {
        user,
        session,
        token,
        ..
    } = &asked.person;
    let site = &asked.call.worker.site;
    let limits = site.config.load().access.session_limits();
    let end = session.created_at.0.saturating_add(limits.absolute_ms);
    let ends_in_ms = end.saturating_sub(site.storage.steady_now().0);
    let tenant = site.storage.tenant(user.tenant);
    json(&Shown {
        user: User {
            id: user.user_id.to_string(),
            name: user.name.as_str(),
            role: user.role,
            tenant: tenant.map_or_else(String::new, |tenant| tenant.name.to_string()),
            groups: user.groups.iter().map(|group| group.as_str()).collect(),
            line: user.line.as_ref().map(|line| line.as_str()),
        },
        csrf: auth::csrf(token),
        expires_in_ms: limits.idle_ms.min(ends_in_ms),
        ends_in_ms,
        can: asked.can,
    })
}

/// Ends the session that asks.
pub(super) async fn sign_out(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let token = asked.person.token.clone();
    let closed = asked.off_loop(move |storage| storage.close_session(&token));
    closed.await?.map_err(Problem::internal)?;
    let session = &asked.person.session;
    log::info!(
        user = session.user.as_str(), session = session.session_id;
        "session closed by its user"
    );
    let act = asked.act(Kind::Logout).with("session", session.session_id);
    asked.call.worker.site.storage.record_act(act);
    let mut answer = Response::new(Payload::Empty);
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if let Some(cookie) = auth::take(asked.call) {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// What a session's user sees now, or nothing when it has ended; that counts as use.
pub(super) fn still(watcher: &Watcher) -> Option<(Can, Scope)> {
    let (user, _) = auth::in_force(&watcher.site, &watcher.token, watcher.from)?;
    let config = watcher.site.config.load();
    let tenant = watcher.site.storage.tenant(user.tenant);
    let overseer = super::scope::oversees(&config, tenant.as_ref());
    Some((Can::of(user.role, overseer), Scope::of(&user, &config)))
}

/// Somebody who goes on watching after the request was answered.
pub(super) struct Watcher {
    pub(super) site: std::sync::Arc<crate::http::site::Site>,
    token: String,
    from: std::net::IpAddr,
}

impl Watcher {
    /// Whoever asks.
    pub(super) fn of(asked: &Asked<'_>) -> Self {
        Self {
            site: std::sync::Arc::clone(&asked.call.worker.site),
            token: asked.person.token.clone(),
            from: asked.call.connection.peer.ip(),
        }
    }
}
