//! `POST /api/v1/sessions/{uuid}/commands/…`: a command, from its body to 202.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body;
use storage::ledger::entry::{Act, Kind};
use storage::outbox::Application;
use uuid::Uuid;

use super::{body_of, call_problem, index_problem};
use crate::engine::calls::{CallView, CommandError};
use crate::engine::session::Refused;
use crate::engine::session::command::{Command, CommandKind, PauseMode};
use crate::engine::session::cooldown::Group;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::service::Call;
use crate::http::trail;
use crate::http::wire::session_commands::access::AccessFault;
use crate::http::wire::session_commands::{COMMAND_BODY_BYTES, CommandAccepted, body};

/// Gives a session a command. A `command_uid` that is known is answered with its first operation
/// whatever pause there is, so the body is read before the pause is looked at; a body that is wrong
/// is told so only where there is no pause.
///
/// # Errors
/// 429, 400, 408, 413, 415, 409, 404, 503.
pub(super) async fn give<B>(
    call: &Call<'_>,
    app: &Application,
    view: &CallView,
    kind: CommandKind,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let calls = &call.worker.site.calls;
    let (owner, session) = (Some(view.owner), view.uuid);
    let read = body_of(call, body, COMMAND_BODY_BYTES).await;
    let request = read.and_then(|bytes| Ok(body::read(kind, &bytes, Uuid::new_v4())?));
    let request = match request {
        Ok(request) => request,
        Err(problem) => {
            let pause = calls.pause_of(owner, session, kind).await;
            return Err(match (pause.map_err(call_problem)?, Group::of(kind)) {
                (Some(wait), Some(group)) => cooldown(group, wait),
                _ => problem,
            });
        }
    };
    let act = told(call, app, view, &request.command);
    let accepted = calls.command(owner, session, request).await;
    let accepted = accepted.map_err(command_problem)?;
    if let Some(act) = act.filter(|_| !accepted.repeated) {
        call.worker.site.storage.record_act(act);
    }
    let mut response = json(&CommandAccepted::new(accepted.operation))?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// What the ledger is told of a command, if it changes the call or what is recorded of it. What is
/// played to the caller is none: the recording has it.
fn told(call: &Call<'_>, app: &Application, view: &CallView, command: &Command) -> Option<Act> {
    let kind = command.kind();
    if kind.is_about_sound() {
        return None;
    }
    let act = trail::act(call, Kind::Commanded).by(trail::application(app));
    let act = act.with("command", kind.as_str());
    let act = act.with("session", view.uuid.to_string());
    let act = match command {
        Command::Hangup { cause } => act.with("cause", cause.as_str()),
        Command::RecordStart {
            mask_digits: Some(masked),
        } => act.with("mask_digits", *masked),
        Command::RecordPause { mode } => act.with(
            "mode",
            match mode {
                PauseMode::Silence => "silence",
                PauseMode::Skip => "skip",
            },
        ),
        _ => act,
    };
    let going_on = view
        .recordings
        .last()
        .filter(|last| last.state == "recording");
    Some(match going_on.and_then(|last| last.id) {
        Some(id) => act.on(view.owner, id),
        None => act.of(view.owner),
    })
}

fn command_problem(error: CommandError) -> Problem {
    match error {
        CommandError::Call(error) => call_problem(error),
        CommandError::Refused(Refused::Ended) => AccessFault::Ended.into(),
        CommandError::Refused(Refused::Cooldown { group, wait }) => cooldown(group, wait),
        CommandError::Index => index_problem(),
    }
}

/// 429 of a session's group. `Retry-After` counts whole seconds, which is long for a pause of 100
/// ms, so `Retry-After-Ms` tells the rest of it exactly, rounded up.
fn cooldown(group: Group, wait: Duration) -> Problem {
    let wait_ms = wait.as_nanos().div_ceil(1_000_000);
    let problem = Problem::from(AccessFault::Cooldown(group)).retry_after(wait);
    match HeaderValue::from_str(&wait_ms.to_string()) {
        Ok(value) => problem.header(RETRY_AFTER_MS, value),
        Err(_) => problem,
    }
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
