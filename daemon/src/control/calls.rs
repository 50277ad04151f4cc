//! Calls under control: listing and showing sessions, opening calls, and giving commands, whose
//! outcome is waited for. The stream of events is `events.rs`.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use storage::ids::TenantName;
use storage::record::Tenant;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::answer::{Answer, Refusal, ok};
use super::limits::OUTCOME_WITHIN;
use super::route::Query;
use super::serve::Desk;
use super::wire::{self, CallSession, CommandTold, ErrorCode, OpenCall};
use super::{convert, tenants};
use crate::engine::calls::{CallError, CallView, CommandError, NewCall, OpenCallError, Told};
use crate::engine::session::command::CommandKind;
use crate::engine::session::{CallState, Refused};
use crate::http::wire::session_commands::body;
use crate::http::wire::session_commands::fault::BodyFault;
use crate::logging::rfc3339;

pub(super) async fn list(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::parse(query, &["tenant", "ended"])?;
    let ended = query.get("ended", str::parse::<bool>)?.unwrap_or(false);
    let wanted = query.get("tenant", |text| TenantName::new(text))?;
    let tenants = tenants::all(desk).await?;
    let owner = match &wanted {
        Some(name) => Some(tenants::by_name(&tenants, name)?.id),
        None => None,
    };
    let recorded = desk.app.engine.calls().into_iter();
    let recorded = recorded.filter(|call| owner.is_none_or(|id| id == call.recording.tenant));
    let items = recorded.map(|call| {
        let tenant = convert::tenant_name(call.recording.tenant, &tenants);
        convert::call(call, &tenant)
    });
    let sessions = desk.app.calls.list(owner).await.into_iter();
    let sessions = sessions.filter(|view| ended || view.snapshot.state != CallState::HungUp);
    ok(&wire::Calls {
        items: items.collect(),
        sessions: sessions.map(|view| session(&view, &tenants)).collect(),
    })
}

pub(super) async fn show(desk: &Desk, uuid: Uuid) -> Result<Answer, Refusal> {
    let view = desk.app.calls.look(None, uuid).await?;
    let tenants = tenants::all(desk).await?;
    ok(&session(&view, &tenants))
}

pub(super) async fn open(desk: &Desk, wish: OpenCall) -> Result<Answer, Refusal> {
    let lines = desk.app.engine.lines();
    let line = lines.iter().find(|line| line.name == wish.line);
    let owner = line.map(|line| line.tenant_id);
    let owner = owner.ok_or_else(|| OpenCallError::NoLine(wish.line.clone()))?;
    let call = NewCall {
        line: wish.line,
        caller_id: wish.caller_id.map(String::from),
        did: wish.did.map(String::from),
    };
    let view = desk.app.calls.open(owner, call).await?;
    log::info!(
        call = view.uuid.to_string().as_str(), line = view.line.as_str();
        "call opened by command"
    );
    let tenants = tenants::all(desk).await?;
    ok(&session(&view, &tenants))
}

/// Gives a session a command and waits for its outcome.
pub(super) async fn command(
    desk: &Desk,
    session: Uuid,
    kind: CommandKind,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request = body::read(kind, &body, Uuid::new_v4())?;
    // From before the command on, so that an outcome that is told at once is not missed.
    let told = desk.app.calls.watch();
    let accepted = desk.app.calls.command(None, session, request).await?;
    let operation = accepted.operation;
    log::info!(
        call = session.to_string().as_str(), command = kind.as_str(),
        repeated = accepted.repeated;
        "command given to a session by an operator"
    );
    let result = if accepted.repeated {
        None
    } else {
        let outcome = outcome(told, session, operation);
        let waited = tokio::time::timeout(OUTCOME_WITHIN, outcome).await;
        waited.ok().flatten()
    };
    ok(&CommandTold {
        session_uuid: session,
        command: kind.as_str().into(),
        operation_id: operation,
        repeated: accepted.repeated,
        result,
    })
}

/// Waits until a command's outcome is told.
async fn outcome(
    mut told: Receiver<std::sync::Arc<Told>>,
    session: Uuid,
    operation: Uuid,
) -> Option<wire::CommandResult> {
    #[derive(Deserialize)]
    struct Body {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        operation_id: Uuid,
        #[serde(flatten)]
        result: wire::CommandResult,
    }
    loop {
        let event = match told.recv().await {
            Ok(event) => event,
            // It may have been among those; if not, it is still to come.
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return None,
        };
        if event.session != session || event.event != "command.result" {
            continue;
        }
        match serde_json::from_slice::<Body>(&event.body) {
            Ok(body) if body.data.operation_id == operation => return Some(body.data.result),
            Ok(_) => {}
            Err(error) => log::error!("a command.result is not understood: {error}"),
        }
    }
}

/// A session in the words of the wire.
fn session(view: &CallView, tenants: &[Tenant]) -> CallSession {
    let paused = view.snapshot.recording_paused;
    let recording = |recording: &crate::engine::calls::RecordingView| wire::CallRecording {
        command_uid: recording.command_uid.to_string(),
        recid: recording.id.map(|id| id.to_string()),
        state: match recording.state {
            "recording" if paused => "paused",
            state => state,
        }
        .into(),
    };
    CallSession {
        session_uuid: view.uuid,
        tenant: convert::tenant_name(view.owner, tenants),
        line: view.line.to_string(),
        state: convert::word(&view.snapshot.state),
        caller_id: view.caller_id.clone(),
        did: view.did.clone(),
        started_at: rfc3339(view.started_at),
        answered_at: view.answered_at.map(rfc3339),
        ended_at: view.ended_at.map(rfc3339),
        hangup_cause: view.hangup_cause.as_ref().map(ToString::to_string),
        duration_ms: view.lasted.0,
        playing: view.playing.as_ref().map(|playing| wire::CallPlaying {
            command_uid: playing.command_uid.to_string(),
            offset_ms: playing.offset_ms.0,
            paused: view.snapshot.paused,
        }),
        fetching: view.snapshot.fetching,
        collecting: view.snapshot.collecting,
        recordings: view.recordings.iter().map(recording).collect(),
        sequence: view.snapshot.sequence,
    }
}

/// Figures of calls under control.
pub(super) fn counts(desk: &Desk) -> wire::CallCounts {
    let figures = desk.app.calls.figures();
    wire::CallCounts {
        active: figures.active,
        started: figures.started,
        commands: figures.commands,
        events: figures.events,
        digits: figures.digits,
        playbacks: figures.playbacks,
        underruns: figures.underruns,
        files_not_found: figures.files_not_found,
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        let (code, hint) = match error {
            CallError::NotFound => (
                ErrorCode::NotFound,
                "; 'callreel calls list --ended' shows those there are",
            ),
            CallError::NotYours => (ErrorCode::NotFound, ""),
            CallError::Stopping => (ErrorCode::Unavailable, ""),
        };
        Self::new(code, format!("{error}{hint}"))
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Call(error) => error.into(),
            CommandError::Refused(Refused::Cooldown { wait, .. }) => {
                let message = format!("{error}; try again in {} ms", millis_up(wait));
                Self::new(ErrorCode::Conflict, message)
            }
            CommandError::Refused(Refused::Ended) => {
                Self::new(ErrorCode::Conflict, error.to_string())
            }
            CommandError::Index => Self::new(ErrorCode::Unavailable, error.to_string()),
        }
    }
}

impl From<OpenCallError> for Refusal {
    fn from(error: OpenCallError) -> Self {
        let (code, hint) = match error {
            OpenCallError::NoLine(_) => (ErrorCode::NotFound, "; 'callreel lines' lists them"),
            OpenCallError::NotApi(_) | OpenCallError::InwardOnly(_) => (ErrorCode::Conflict, ""),
            OpenCallError::Busy { .. } => {
                (ErrorCode::Conflict, "; 'callreel calls hangup' ends it")
            }
            OpenCallError::NoDevice(_) | OpenCallError::Index | OpenCallError::Stopping => {
                (ErrorCode::Unavailable, "")
            }
        };
        Self::new(code, format!("{error}{hint}"))
    }
}

impl From<BodyFault> for Refusal {
    fn from(fault: BodyFault) -> Self {
        Self::new(
            ErrorCode::BadRequest,
            format!("{fault}; {}", fault.detail()),
        )
    }
}

/// Whole milliseconds, so many that the time has passed then.
fn millis_up(wait: Duration) -> u128 {
    wait.as_nanos().div_ceil(1_000_000)
}
