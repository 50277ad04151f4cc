//! An exchange without devices: real sessions, whose sounds and recordings begin and end when the
//! test says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use audio_io::clock::{Clock, ManualClock};
use audio_io::units::{Millis, WallMillis};
use storage::ids::TenantId;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::engine::calls::{
    Ask, CallError, CallView, Calls, NewCall, OpenCallError, PlayingView, Published, RecordingView,
};
use crate::engine::session::command::CommandUid;
use crate::engine::session::signal::{Action, Signal};
use crate::engine::session::{CallState, Facts, Output, Session};
use crate::engine::webhook::event;
use crate::http::tests::rig::Rig;

/// The double; it ends with the site.
pub(super) struct Exchange {
    desk: Arc<Mutex<Sessions>>,
    clock: Arc<ManualClock>,
    _thread: JoinHandle<()>,
}

struct Sessions {
    calls: Calls,
    /// By the order in which they began.
    all: BTreeMap<u64, Line>,
}

struct Line {
    owner: TenantId,
    session: Session,
    view: CallView,
}

impl Exchange {
    pub(super) fn start(rig: &mut Rig) -> Self {
        let asked = rig.asked.take().unwrap();
        let desk = Arc::new(Mutex::new(Sessions {
            calls: rig.site.calls.clone(),
            all: BTreeMap::new(),
        }));
        let clock = Arc::clone(&rig.clock);
        let thread = {
            let (desk, clock) = (Arc::clone(&desk), Arc::clone(&clock));
            std::thread::spawn(move || serve(&desk, &clock, asked))
        };
        Self {
            desk,
            clock,
            _thread: thread,
        }
    }

    /// Gives the session at a path a signal.
    pub(super) fn signal(&self, path: &str, signal: Signal) {
        let uuid = path.rsplit('/').next().unwrap().parse().unwrap();
        let mut desk = self.desk.lock().unwrap();
        desk.step(uuid, |session| {
            let output = session.signal(self.clock.monotonic(), signal);
            ((), output)
        })
        .unwrap();
    }

    /// Changes what is shown of the session at a path.
    pub(super) fn show(&self, path: &str, change: impl FnOnce(&mut CallView)) {
        let uuid: Uuid = path.rsplit('/').next().unwrap().parse().unwrap();
        let mut desk = self.desk.lock().unwrap();
        let line = desk.all.values_mut().find(|line| line.view.uuid == uuid);
        change(&mut line.unwrap().view);
    }

    /// Tells an event of a session that is not there.
    pub(super) fn tell(&self, owner: TenantId, session: Uuid, bytes: usize) {
        let desk = self.desk.lock().unwrap();
        let body = format!("{{\"event\":\"dtmf\",\"pad\":\"{}\"}}", "x".repeat(bytes));
        desk.calls.hub().publish(Published {
            id: Uuid::new_v4(),
            owner,
            session,
            event: "dtmf",
            body: body.into(),
        });
    }
}

fn serve(desk: &Mutex<Sessions>, clock: &ManualClock, mut asked: mpsc::Receiver<Ask>) {
    while let Some(ask) = asked.blocking_recv() {
        let mut desk = desk.lock().unwrap();
        match ask {
            Ask::Open { owner, call, reply } => {
                let _ = reply.send(desk.open(owner, call, clock));
            }
            Ask::Look {
                owner,
                session,
                reply,
            } => {
                let found = desk.find(owner, session);
                let _ = reply.send(found.map(|line| line.view()));
            }
            Ask::Pause {
                owner,
                session,
                kind,
                reply,
            } => {
                let found = desk.find(owner, session);
                let check = |line: &Line| line.session.check_cooldown(kind, clock.monotonic());
                let _ = reply.send(found.map(|line| check(line).err()));
            }
            Ask::List { owner, reply } => {
                let mine = |line: &&Line| owner.is_none_or(|owner| owner == line.owner);
                let all = desk.all.values().rev().filter(mine);
                let _ = reply.send(all.map(Line::view).collect());
            }
            Ask::Command {
                owner,
                session,
                request,
                reply,
            } => {
                let found = desk.find(owner, session).map(|_| ());
                let answer = found
                    .and_then(|()| desk.step(session, |it| it.command(clock.monotonic(), request)));
                let _ = reply.send(match answer {
                    Ok(answer) => answer.map_err(Into::into),
                    Err(error) => Err(error.into()),
                });
            }
        }
    }
}

impl Sessions {
    fn open(
        &mut self,
        owner: TenantId,
        call: NewCall,
        clock: &ManualClock,
    ) -> Result<CallView, OpenCallError> {
        let line = call.line;
        match line.as_str() {
            "desk" => {}
            "vox" => return Err(OpenCallError::NotApi(line)),
            "away" => return Err(OpenCallError::NoDevice(line)),
            _ => return Err(OpenCallError::NoLine(line)),
        }
        let is_on = |it: &&Line| it.session.snapshot().state != CallState::HungUp;
        let busy = self.all.values().filter(is_on);
        if let Some(busy) = busy.into_iter().find(|it| it.owner == owner) {
            let session = busy.view.uuid;
            return Err(OpenCallError::Busy { line, session });
        }
        let uuid = Uuid::new_v4();
        let facts = Facts {
            uuid,
            owner,
            line: line.to_string(),
            caller_id: call.caller_id.clone(),
            did: call.did.clone(),
            plays: true,
        };
        let (session, output) = Session::open(facts, clock.monotonic());
        let started_at = WallMillis(clock.wall().0 + self.all.len() as u64);
        let view = CallView {
            uuid,
            owner,
            line,
            caller_id: call.caller_id,
            did: call.did,
            snapshot: session.snapshot(),
            started_at,
            answered_at: None,
            ended_at: None,
            lasted: Millis::ZERO,
            hangup_cause: None,
            playing: None,
            recordings: Vec::new(),
        };
        let line = Line {
            owner,
            session,
            view,
        };
        self.all.insert(self.all.len() as u64, line);
        self.tell(uuid, owner, &output);
        Ok(self.find(Some(owner), uuid).unwrap().view())
    }

    fn find(&self, owner: Option<TenantId>, uuid: Uuid) -> Result<&Line, CallError> {
        let line = self.all.values().find(|line| line.view.uuid == uuid);
        let line = line.ok_or(CallError::NotFound)?;
        if owner.is_some_and(|owner| owner != line.owner) {
            return Err(CallError::NotYours);
        }
        Ok(line)
    }

    /// Gives a session an input; a call that is to be answered is answered at once.
    fn step<T>(
        &mut self,
        uuid: Uuid,
        input: impl FnOnce(&mut Session) -> (T, Output),
    ) -> Result<T, CallError> {
        let line = self.all.values_mut().find(|line| line.view.uuid == uuid);
        let line = line.ok_or(CallError::NotFound)?;
        let (answer, output) = input(&mut line.session);
        let mut outputs = vec![output];
        if outputs[0].actions.contains(&Action::Answer) {
            outputs.push(line.session.signal(Duration::ZERO, Signal::Answered));
        }
        let owner = line.owner;
        outputs.iter().for_each(|output| line.note(output));
        for output in &outputs {
            self.tell(uuid, owner, output);
        }
        Ok(answer)
    }

    fn tell(&mut self, session: Uuid, owner: TenantId, output: &Output) {
        for told in &output.events {
            let name = told.event.name();
            let data = serde_json::to_string(&told.event).unwrap();
            self.calls.hub().publish(Published {
                id: Uuid::new_v4(),
                owner,
                session,
                event: name,
                body: event::body(name, session, told.sequence, &data).unwrap(),
            });
        }
    }
}

impl Line {
    fn view(&self) -> CallView {
        let mut view = self.view.clone();
        view.snapshot = self.session.snapshot();
        view
    }

    fn note(&mut self, output: &Output) {
        for told in &output.events {
            match told.event.name() {
                "call.answered" => self.view.answered_at = Some(self.view.started_at),
                "call.hangup" => self.view.ended_at = Some(self.view.started_at),
                _ => {}
            }
        }
    }
}

/// What plays, for [`Exchange::show`].
pub(super) fn playing(uid: &str, offset_ms: u64) -> PlayingView {
    PlayingView {
        command_uid: CommandUid::new(uid).unwrap(),
        offset_ms: Millis(offset_ms),
    }
}

/// A recording, for [`Exchange::show`].
pub(super) fn recording(
    uid: &str,
    id: Option<storage::ids::RecordingId>,
    state: &'static str,
) -> RecordingView {
    RecordingView {
        command_uid: CommandUid::new(uid).unwrap(),
        id,
        state,
    }
}
