//! Who plays the exchange in these tests: sessions that are opened on any line, take every
//! command and tell its outcome.

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::engine::calls::{
    Ask, CallError, CallView, Calls, CommandError, OpenCallError, Published,
};
use crate::engine::session::command::{Command, CommandKind, Request};
use crate::engine::session::{Accepted, CallState, Refused, Snapshot};

/// The first session that is opened; the next ones follow it.
pub(super) const FIRST: Uuid = Uuid::from_u128(0x1f0c_2d3e << 96);

/// Begins to play, for as long as the handle is held.
pub(super) fn play() -> Calls {
    let (calls, mut asked) = Calls::pair();
    let mut stage = Stage {
        calls: calls.clone(),
        sessions: Vec::new(),
    };
    std::thread::spawn(move || {
        while let Some(ask) = asked.blocking_recv() {
            stage.answer(ask);
        }
    });
    calls
}

struct Stage {
    calls: Calls,
    sessions: Vec<CallView>,
}

impl Stage {
    // Whoever asked may have gone; that is nobody's fault here.
    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Open { owner, call, reply } => {
                let busy = self.sessions.iter().find(|view| {
                    view.line == call.line && view.snapshot.state != CallState::HungUp
                });
                let opened = match busy {
                    Some(view) => Err(OpenCallError::Busy {
                        line: call.line,
                        session: view.uuid,
                    }),
                    None => {
                        let number = self.sessions.len() as u128;
                        let mut view = view(Uuid::from_u128(FIRST.as_u128() + number), call);
                        view.owner = owner;
                        self.sessions.push(view.clone());
                        Ok(view)
                    }
                };
                let _ = reply.send(opened);
            }
            Ask::Look { session, reply, .. } => {
                let found = self.sessions.iter().find(|view| view.uuid == session);
                let _ = reply.send(found.cloned().ok_or(CallError::NotFound));
            }
            Ask::Pause { reply, .. } => {
                let _ = reply.send(Ok(None));
            }
            Ask::List { owner, reply } => {
                let owned = |view: &&CallView| owner.is_none_or(|owner| owner == view.owner);
                let _ = reply.send(self.sessions.iter().filter(owned).cloned().collect());
            }
            Ask::Command {
                session,
                request,
                reply,
                ..
            } => {
                let _ = reply.send(self.command(session, &request));
            }
        }
    }

    fn command(&mut self, session: Uuid, request: &Request) -> Result<Accepted, CommandError> {
        let view = self.sessions.iter_mut().find(|view| view.uuid == session);
        let view = view.ok_or(CallError::NotFound)?;
        if view.snapshot.state == CallState::HungUp {
            return Err(Refused::Ended.into());
        }
        let owner = view.owner;
        if let Command::Hangup { cause } = &request.command {
            view.snapshot.state = CallState::HungUp;
            view.ended_at = Some(view.started_at);
            view.hangup_cause = Some(cause.clone());
        }
        let kind = request.command.kind();
        let mut data = json!({
            "command": kind.as_str(), "command_uid": "u", "operation_id": request.operation,
            "success": kind != CommandKind::PlaybackStop,
        });
        if kind == CommandKind::PlaybackStop {
            data["error"] = "no playback is active".into();
        }
        // Before the answer: it must not be missed for being early.
        self.calls.hub().publish(Published {
            owner,
            ..told(session, "command.result", &data)
        });
        Ok(Accepted {
            operation: request.operation,
            repeated: false,
        })
    }
}

/// An event of the first tenant.
pub(super) fn told(session: Uuid, event: &'static str, data: &Value) -> Published {
    let body = json!({
        "event": event, "session_uuid": session, "sequence": 1, "data": data,
    });
    Published {
        id: Uuid::new_v4(),
        owner: storage::ids::TenantId(1),
        session,
        event,
        body: Bytes::from(body.to_string()),
    }
}

fn view(uuid: Uuid, call: crate::engine::calls::NewCall) -> CallView {
    CallView {
        uuid,
        owner: storage::ids::TenantId(1),
        line: call.line,
        caller_id: call.caller_id,
        did: call.did,
        snapshot: Snapshot {
            state: CallState::New,
            playing: false,
            paused: false,
            fetching: false,
            collecting: false,
            recording: false,
            recording_paused: false,
            sequence: 1,
        },
        started_at: audio_io::units::WallMillis(1_795_241_649_123),
        answered_at: None,
        ended_at: None,
        lasted: audio_io::units::Millis::ZERO,
        hangup_cause: None,
        playing: None,
        recordings: Vec::new(),
    }
}
