//! Family `supervisor`: what Callreel's own page, and programs that do the same, work with. One
//! door: whoever asks has a session, its role allows what is asked, and what is asked about lies
//! within its scope (`scope.rs`); only then does an endpoint begin. What is not within the scope
//! answers as what does not exist.

mod admin;
mod admin_keys;
mod audio;
mod audit;
mod body;
mod change;
mod export_job;
mod exports;
mod health;
mod line_state;
mod lines;
mod listen;
mod notes;
mod peaks;
mod recordings;
mod route;
mod scope;
mod search;
mod session;
mod state;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body;
use storage::ids::RecordingId;
use storage::ledger::acts::Warrant;
use storage::ledger::entry::{Act, Actor, ActorKind, Kind};

use self::scope::{Can, Scope};
use crate::http::auth::supervisor::{self as auth, Person};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::ratelimit::{self, Credential};
use crate::http::service::Call;

pub(in crate::http) use self::route::Endpoint;
pub(in crate::http) use self::state::Supervisors;

/// A request of somebody who may make it.
struct Asked<'a> {
    call: &'a Call<'a>,
    person: Person,
    can: Can,
    scope: Scope,
}

impl Asked<'_> {
    /// Who does what is done.
    fn actor(&self) -> Actor {
        let user = &self.person.user;
        Actor::new(
            ActorKind::User,
            Some(user.user_id),
            Some(user.name.as_str()),
        )
    }

    /// By whose authority something is changed, and why.
    fn warrant(&self, why: Option<String>) -> Warrant {
        Warrant {
            who: Some(self.actor()),
            from: Some(self.call.connection.peer.ip().to_canonical().to_string()),
            why,
        }
    }

    /// An act of whoever asks, for the ledger.
    fn act(&self, kind: Kind) -> Act {
        Act::new(kind)
            .by(self.actor())
            .from(self.call.connection.peer.ip().to_canonical())
            .of(self.scope.tenant)
    }

    /// Runs something that may wait for the disk.
    ///
    /// # Errors
    /// 500 where it died.
    async fn off_loop<T: Send + 'static>(
        &self,
        work: impl FnOnce(&storage::handle::StorageHandle) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let recordings = &self.call.worker.recordings;
        recordings.off_loop(work).await.map_err(Problem::internal)
    }
}

/// Answers a request of the family.
///
/// # Errors
/// In the family's envelope; see `openapi/supervisor.json`.
pub(in crate::http) async fn answer<B>(
    call: &Call<'_>,
    endpoint: Endpoint<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let method = &call.parts.method;
    if endpoint == Endpoint::Session && *method == Method::POST {
        return session::sign_in(call, body).await;
    }
    let person = auth::admit(call)?;
    auth::check_forgery(call, &person)?;
    ratelimit::charge_credential(call, Credential::User(person.user.user_id))?;
    let (can, scope) = rights(call, &person);
    if let Err(refused) = can.must(endpoint.right(method)) {
        crate::http::auth::not_allowed(call, person.principal());
        return Err(refused);
    }
    let asked = Asked {
        call,
        person,
        can,
        scope,
    };
    match endpoint {
        Endpoint::Session if *method == Method::DELETE => session::sign_out(&asked).await,
        Endpoint::Session => session::show(&asked),
        Endpoint::Lines => lines::list(&asked),
        Endpoint::LineEvents => lines::events(&asked),
        Endpoint::LineListen(name) => listen::answer(&asked, name).await,
        Endpoint::Recordings => search::list(&asked).await,
        Endpoint::Recording(id) if *method == Method::DELETE => {
            change::delete(&asked, id, body).await
        }
        Endpoint::Recording(id) => recordings::show(&asked, id).await,
        Endpoint::Audio(id) => audio::answer(&asked, id).await,
        Endpoint::Peaks(id) => peaks::answer(&asked, id).await,
        Endpoint::Tags(id) => change::tags(&asked, id, body).await,
        Endpoint::Notes(id) => notes::write(&asked, id, body).await,
        Endpoint::Note(id, note) => notes::change(&asked, id, note, body).await,
        Endpoint::Holds(id) => change::hold(&asked, id, body).await,
        Endpoint::LiftHold(id, hold) => change::lift(&asked, id, hold, body).await,
        Endpoint::KeepUntil(id) => change::keep_until(&asked, id, body).await,
        Endpoint::Exports if *method == Method::POST => exports::begin(&asked, body).await,
        Endpoint::Exports => exports::list(&asked),
        Endpoint::Export(id) if *method == Method::DELETE => exports::remove(&asked, id),
        Endpoint::Export(id) => exports::show(&asked, id),
        Endpoint::ExportEvents(id) => exports::events(&asked, id),
        Endpoint::ExportFile(id) => exports::file(&asked, id).await,
        Endpoint::Audit => audit::list(&asked).await,
        Endpoint::AuditKey => audit::key(&asked),
        Endpoint::Users
        | Endpoint::User(_)
        | Endpoint::Tenants
        | Endpoint::Tenant(_)
        | Endpoint::Groups => admin::answer(&asked, endpoint, body).await,
        Endpoint::Keys | Endpoint::RotateKey(_) | Endpoint::RevokeKey(_) => {
            admin_keys::answer(&asked, endpoint, body).await
        }
        Endpoint::Health => health::show(&asked).await,
    }
}

/// What a person may do and sees, by the configuration and the user's row of now.
fn rights(call: &Call<'_>, person: &Person) -> (Can, Scope) {
    let site = &call.worker.site;
    let config = site.config.load();
    let tenant = site.storage.tenant(person.user.tenant);
    let overseer = scope::oversees(&config, tenant.as_ref());
    let can = Can::of(person.user.role, overseer);
    (can, Scope::of(&person.user, &config))
}

/// `{"error":{"code","message","request_id",…}}`, for every status alike.
pub(in crate::http) fn envelope(problem: &Problem, request_id: &str) -> serde_json::Value {
    let mut error = serde_json::json!({
        "code": code(problem),
        "message": problem.message,
        "request_id": request_id,
    });
    for (name, value) in &problem.facts {
        error[*name] = value.clone();
    }
    serde_json::json!({ "error": error })
}

/// What the daemon says in general, in the family's words.
fn code(problem: &Problem) -> &'static str {
    match (problem.status, problem.code) {
        (StatusCode::TOO_MANY_REQUESTS, _) => "rate_limited",
        (StatusCode::PAYLOAD_TOO_LARGE, _) => "too_large",
        (StatusCode::SERVICE_UNAVAILABLE, _) => "unavailable",
        (StatusCode::BAD_REQUEST, _) => "invalid",
        (_, code) => code,
    }
}

/// 404 for what is not there, or not for whoever asks.
fn no_such(what: &str) -> Problem {
    let message = format!("There is no such {what}.");
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}

/// 400 that names the field.
fn invalid(field: &'static str, wanted: impl std::fmt::Display) -> Problem {
    let message = format!("{field}: {wanted}");
    Problem::new(StatusCode::BAD_REQUEST, "invalid", message).fact("field", field)
}

/// 409 for what cannot be done as things are.
fn conflict(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, "conflict", message)
}

/// 503 for what will be possible later.
fn unavailable(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
}

/// A recording's number in a path.
fn recording_id(raw: &str) -> Result<RecordingId, Problem> {
    number(raw)
        .map(RecordingId)
        .ok_or_else(|| no_such("recording"))
}

/// A number in its one spelling.
fn number(raw: &str) -> Option<u64> {
    let plain = raw.bytes().all(|byte| byte.is_ascii_digit()) && !raw.starts_with('0');
    (plain || raw == "0").then(|| raw.parse().ok())?
}
