//! Family `session_commands`: seed 001 and API.md section 2. What a session does is the business of
//! `engine/session`, reached through `engine/calls`; here are authentication, limits and words.
//!
//! ```text
//!  authentication ─▶ session: is it there, whose is it ─▶ rate ─▶ body ─▶ the exchange
//!  application.rs    look                                 429     400     commands.rs sessions.rs
//! ```

mod apps;
mod commands;
mod events;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body;
use storage::outbox::Application;
use uuid::Uuid;

use crate::engine::calls::{CallError, CallView};
use crate::http::auth::application;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::route::Route;
use crate::http::service::Call;
use crate::http::wire::session_commands::ErrorAnswer;
use crate::http::wire::session_commands::access::{self, AccessFault};
use crate::http::wire::session_commands::fault::BodyFault;
use crate::http::{incoming, ratelimit, request};

/// Answers a request to the family.
///
/// # Errors
/// As the functions in this folder have them.
pub(in crate::http) async fn answer<B>(
    call: &Call<'_>,
    route: Route<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let is_post = call.parts.method == Method::POST;
    if let Route::AdminApp(app_id) = route {
        return if is_post {
            apps::set(call, app_id, body).await
        } else {
            apps::show(call, app_id)
        };
    }
    let app = application::admit(call)?;
    match route {
        Route::Session(segment) => {
            let (view, ()) = session(call, &app, segment).await?;
            sessions::show(call, &app, view).await
        }
        Route::SessionEvents(segment) => {
            let (view, ()) = session(call, &app, segment).await?;
            events::of_session(call, app, &view)
        }
        Route::SessionCommand(segment, kind) => {
            let (view, ()) = session(call, &app, segment).await?;
            commands::give(call, &app, &view, kind, body).await
        }
        _ => {
            ratelimit::charge_application(&call.worker.site, &app)?;
            match route {
                Route::ApplicationEvents => events::of_application(call, app),
                _ if is_post => sessions::open(call, &app, body).await,
                _ => sessions::list(call, &app).await,
            }
        }
    }
}

/// `{"success":false,"error":…,"detail"?}`, for every status alike.
pub(in crate::http) fn envelope(problem: &Problem) -> serde_json::Value {
    let answer = ErrorAnswer::new(&problem.message, problem.detail.as_deref());
    serde_json::json!(answer)
}

/// The session that a path names, and the request counted: one for a session that is not there is
/// counted too, but told what is wrong with it first.
async fn session(
    call: &Call<'_>,
    app: &Arc<Application>,
    segment: &str,
) -> Result<(CallView, ()), Problem> {
    let site = &call.worker.site;
    let charged = ratelimit::charge_application(site, app);
    let uuid = uuid(segment)?;
    let view = site.calls.look(Some(app.key.tenant), uuid).await;
    Ok((view.map_err(call_problem)?, charged?))
}

fn uuid(segment: &str) -> Result<Uuid, AccessFault> {
    let segment = request::segment(segment).ok_or(AccessFault::NotFound)?;
    access::session_uuid(&segment)
}

/// Reads a JSON body of at most `most` bytes. Without `Content-Type` it is taken for JSON.
async fn body_of<B>(call: &Call<'_>, body: B, most: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let bytes = incoming::read(call, body, most).await?;
    let media_type = incoming::media_type(call.parts);
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    if !bytes.is_empty() && !media_type.is_empty() && !is_json {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body is not application/json",
        )
        .detail("Send Content-Type: application/json, or no body"));
    }
    Ok(bytes)
}

fn call_problem(error: CallError) -> Problem {
    match error {
        CallError::NotFound => AccessFault::NotFound.into(),
        CallError::NotYours => AccessFault::NotYours.into(),
        CallError::Stopping => stopping(),
    }
}

fn stopping() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "stopping",
        "The daemon is stopping",
    )
    .detail("Try again when it has been started")
    .retry_after(AGAIN)
}

fn index_problem() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "index_unwritable",
        "The index cannot be written",
    )
    .detail("'callreel status' on the machine says why")
    .retry_after(AGAIN)
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", fault.to_string()).detail(fault.detail())
    }
}

/// When it may be worth asking again for what this side cannot do at the moment.
const AGAIN: Duration = Duration::from_secs(5);
