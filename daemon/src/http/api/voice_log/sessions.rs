//! Login, logout and what lies between (API.md section 4). A session's token is shown once, in
//! the answer to `userLogin`.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;
use serde::de::DeserializeOwned;
use storage::account::{Role, UserRow};
use storage::ledger::entry::{Actor, ActorKind, Kind};

use super::{INVALID_INPUT, denied, expected, invalid, not_found};
use crate::http::auth::password::{self, Outcome};
use crate::http::auth::session;
use crate::http::auth::{self, Principal};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::{self, json};
use crate::http::limits;
use crate::http::service::Call;
use crate::http::trail;
use crate::http::wire::voice_log::{
    Done, Flag, LoginAnswer, LoginRequest, TerminateRequest, UserSessionInfo,
};

/// `POST /ameyorestapi/session/userLogin`: a session for a name and a password.
///
/// # Errors
/// 400, 408, 413, 415 for the body; 401 alike for every reason not to let somebody in; 429 while
/// the address or the name is locked out; 503 while too many log in; 500.
pub(in crate::http) async fn login<B>(
    call: &Call<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request: LoginRequest = read(call, body).await?;
    let filled = |value: Option<String>, name| {
        let value = value.filter(|value| !value.is_empty());
        value.ok_or_else(|| expected(name))
    };
    let name = filled(request.user_id, "userId")?;
    let password = filled(request.token, "token")?;
    let force = request
        .force_login
        .as_ref()
        .map_or(Some(false), Flag::value);
    let force = force.ok_or_else(|| invalid("forceLogin", "true or false"))?;
    let user = match password::check(call, &name, &password).await? {
        Outcome::Valid(user) => user,
        Outcome::Locked(lock) => {
            return Err(session::locked(&lock, call.worker.site.clock.wall()));
        }
        // Whoever tries is not told which.
        Outcome::Wrong | Outcome::Inactive | Outcome::Address => return Err(wrong()),
    };
    open(call, *user, force).await
}

async fn open(call: &Call<'_>, user: UserRow, force: bool) -> Result<Response<Payload>, Problem> {
    let limits = call.worker.site.config.load().access.session_limits();
    let from = call.connection.peer.ip();
    let opened = call
        .worker
        .recordings
        .off_loop(move |storage| storage.open_session(&user, from, limits, force))
        .await
        .map_err(Problem::internal)?;
    let (row, token) = opened.map_err(Problem::internal)?;
    log::info!(
        user = row.user.as_str(), session = row.session_id, from = from.to_string().as_str();
        "session opened"
    );
    let who = Actor::new(ActorKind::User, Some(row.user_id), Some(row.user.as_str()));
    let act = trail::act(call, Kind::Login).by(who).of(row.tenant);
    let storage = &call.worker.site.storage;
    storage.record_act(act.with("session", row.session_id));
    json(&LoginAnswer {
        session_id: token.clone(),
        user_session_info: UserSessionInfo {
            session_id: token,
            user_id: row.user.to_string(),
        },
    })
}

/// `POST /ameyorestapi/session/userLogout`: ends the session that asks.
///
/// # Errors
/// 500.
pub(in crate::http) async fn logout(
    call: &Call<'_>,
    principal: Principal,
) -> Result<Response<Payload>, Problem> {
    // Whoever has a principal here has shown a token.
    let token = session::token(call.parts).unwrap_or_default().to_owned();
    call.worker
        .recordings
        .off_loop(move |storage| storage.close_session(&token))
        .await
        .map_err(Problem::internal)?
        .map_err(Problem::internal)?;
    log::info!(user_id = principal.user_id.unwrap_or_default(); "session closed by its user");
    let site = &call.worker.site;
    let act = trail::act(call, Kind::Logout).of(principal.tenant);
    site.storage
        .record_act(trail::signed(site, &principal, act));
    json(&Done::new(None))
}

/// `GET|POST /ameyorestapi/session/keepAliveWithPingPush`: the session was used, which is what
/// keeps it; its absolute end stays.
///
/// # Errors
/// 500.
pub(in crate::http) async fn keep_alive(
    _call: &Call<'_>,
    _principal: Principal,
) -> Result<Response<Payload>, Problem> {
    json(&Done::new(None))
}

/// `POST /ameyorestapi/session/terminateAllSessionsForUser`: ends all sessions of whoever asks, or,
/// for administrators, of another user of their tenant.
///
/// # Errors
/// 400, 408, 413, 415 for the body; 403 for others than administrators; 404 for a user that the
/// tenant does not have; 500.
pub(in crate::http) async fn terminate_all<B>(
    call: &Call<'_>,
    principal: Principal,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request: TerminateRequest = read(call, body).await?;
    let own = principal.user_id.unwrap_or_default();
    let named = request.user_id.filter(|name| !name.is_empty());
    let site = &call.worker.site;
    let storage = &site.storage;
    let user_id = match named {
        None => own,
        Some(name) => {
            let is_named = |user: &UserRow| {
                user.tenant == principal.tenant && user.name.as_str().eq_ignore_ascii_case(&name)
            };
            let found = storage.users().into_iter().find(is_named);
            let found = found.map(|user| user.user_id);
            if found != Some(own) && principal.role != Role::Admin {
                auth::not_allowed(call, principal);
                return Err(denied("Only administrators end other users' sessions."));
            }
            found.ok_or_else(|| not_found("There is no such user."))?
        }
    };
    let ended = call
        .worker
        .recordings
        .off_loop(move |storage| storage.close_sessions_of(user_id))
        .await
        .map_err(Problem::internal)?
        .map_err(Problem::internal)?;
    log::info!(user_id, by_user_id = own, sessions = ended; "all sessions of a user closed");
    let act = trail::signed(site, &principal, trail::act(call, Kind::Logout));
    let act = act.of(principal.tenant).with("sessions", ended);
    // Of whom, where it is not who asks.
    let other = storage.user(user_id).filter(|_| user_id != own);
    storage.record_act(match other {
        Some(other) => act.with("user", other.name.as_str()),
        None => act,
    });
    json(&Done::new(Some(ended)))
}

/// 401 for whatever keeps somebody from logging in: it does not tell what.
fn wrong() -> Problem {
    session::unauthorized("The userId or the token is not valid, or may not be used from here.")
}

/// Reads a body in JSON or as a form; none at all is one without keys.
async fn read<B, T>(call: &Call<'_>, body: B) -> Result<T, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T: DeserializeOwned,
{
    let body = incoming::read(call, body, limits::FORM_BODY_BYTES).await?;
    match incoming::media_type(call.parts).as_str() {
        _ if body.is_empty() => from_json(b"{}"),
        "application/json" => from_json(&body),
        "application/x-www-form-urlencoded" => from_form(&body),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as application/json or as application/x-www-form-urlencoded.",
        )),
    }
}

/// The parser's own words can hold what was sent, a password perhaps; only its place is told.
fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        unreadable(&format!(
            "The body is not the JSON object that is expected, from line {} column {} on.",
            error.line(),
            error.column()
        ))
    })
}

fn from_form<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut fields = serde_json::Map::new();
    for (count, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if count >= limits::PARAMETERS {
            let most = limits::PARAMETERS;
            return Err(unreadable(&format!(
                "The form has more than {most} fields."
            )));
        }
        // What is not UTF-8 has become U+FFFD, and is no name of anybody.
        let value = serde_json::Value::String(value.into_owned());
        if fields.insert(name.clone().into_owned(), value).is_some() && is_read(&name) {
            return Err(unreadable(&format!("The form has the field {name} twice.")));
        }
    }
    serde_json::from_value(fields.into())
        .map_err(|_| unreadable("The form's fields are not those that are expected."))
}

fn is_read(name: &str) -> bool {
    matches!(name, "userId" | "token" | "forceLogin")
}

fn unreadable(message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, INVALID_INPUT, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_and_their_faults_tell_no_secret() {
        let json = from_json::<LoginRequest>(b"{\"userId\":\"a\",\"token\":\"b\",\"x\":1}");
        assert_eq!(json.unwrap().user_id.as_deref(), Some("a"));
        let form = from_form::<LoginRequest>(b"userId=a%40b&token=c+d&forceLogin=true&x=1&x=2");
        let form = form.unwrap();
        assert_eq!(form.user_id.as_deref(), Some("a@b"));
        assert_eq!(form.token.as_deref(), Some("c d"));
        assert_eq!(form.force_login.and_then(|flag| flag.value()), Some(true));
        let twice = from_form::<LoginRequest>(b"userId=a&userId=b");
        assert_eq!(twice.err().map(|problem| problem.code), Some(INVALID_INPUT));
        for bad in [
            "{\"userId\":\"a\",\"userId\":\"hunter2\"}",
            "{\"token\":[\"hunter2\"]}",
            "\"hunter2\"",
            "{\"forceLogin\":{\"hunter2\":1}}",
            "{\"userId\":\"a\",\"token\":\"hunter2",
        ] {
            let problem = from_json::<LoginRequest>(bad.as_bytes()).err().expect(bad);
            assert_eq!(problem.code, INVALID_INPUT);
            assert!(!problem.message.contains("hunter2"), "{}", problem.message);
        }
    }
}
