//! One call as the exchange holds it: the session, what belongs to it outside of it, and how it is
//! shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use audio_io::player::SoundFile;
use audio_io::units::{Millis, WallMillis};
use storage::ids::{LineName, Number, RecordingId, TenantId};
use storage::outbox::AppKey;
use uuid::Uuid;

use super::ledger::Ledger;
use super::link::LineNumber;
use super::{CallView, PlayingView, RecordingView};
use crate::engine::line::Parties;
use crate::engine::session::Session;
use crate::engine::session::command::{CommandUid, HangupCause};
use crate::engine::session::digits::Part;
use crate::engine::session::event::Event;
use crate::engine::session::signal::{JobId, TakeId};

/// A call.
pub(super) struct Call {
    pub(super) session: Session,
    pub(super) line: LineNumber,
    pub(super) line_name: LineName,
    pub(super) owner: TenantId,
    /// The application that the tenant had when the call began.
    pub(super) app: Option<AppKey>,
    /// Whether the line knows that the call is over, and whether it was counted as over.
    pub(super) is_detached: bool,
    pub(super) is_kept: bool,
    pub(super) jobs: HashMap<JobId, Job>,
    started_at: WallMillis,
    /// On the monotonic clock, by which its length is told.
    began: Duration,
    ended: Option<Duration>,
    answered_at: Option<WallMillis>,
    ended_at: Option<WallMillis>,
    cause: Option<HangupCause>,
    takes: Vec<TakeRow>,
}

/// Files of a command.
#[derive(Default)]
pub(super) struct Job {
    pub(super) files: HashMap<Part, Vec<Arc<dyn SoundFile>>>,
    /// Dropped, they are fetched no more.
    pub(super) fetching: Vec<super::files::CallOff>,
}

struct TakeRow {
    take: TakeId,
    uid: CommandUid,
    id: Option<RecordingId>,
    state: &'static str,
}

impl Call {
    pub(super) fn new(
        session: Session,
        (line, line_name): (LineNumber, LineName),
        app: Option<AppKey>,
        (started_at, began): (WallMillis, Duration),
    ) -> Self {
        Self {
            owner: session.facts().owner,
            session,
            line,
            line_name,
            app,
            is_detached: false,
            is_kept: false,
            jobs: HashMap::new(),
            started_at,
            began,
            ended: None,
            answered_at: None,
            ended_at: None,
            cause: None,
            takes: Vec::new(),
        }
    }

    pub(super) fn uuid(&self) -> Uuid {
        self.session.facts().uuid
    }

    /// Notes a recording that was asked for or has begun by itself.
    pub(super) fn note_take(&mut self, take: TakeId, id: Option<RecordingId>) {
        if let Some(row) = self.takes.iter_mut().find(|row| row.take == take) {
            row.id = id.or(row.id);
            return;
        }
        let owed = self.session.takes().find(|owed| owed.take == take);
        if let Some(owed) = owed {
            self.takes.push(TakeRow {
                take,
                uid: owed.command_uid,
                id,
                state: "recording",
            });
        }
    }

    pub(super) fn note_take_ends(&mut self, take: TakeId) {
        let rows = self.takes.iter_mut();
        for row in rows.filter(|row| row.take == take && row.state == "recording") {
            row.state = "ending";
        }
    }

    /// Keeps what an event says for whoever looks.
    pub(super) fn note_event(&mut self, event: &Event, (wall, now): (WallMillis, Duration)) {
        match event {
            Event::CallAnswered {} => self.answered_at = Some(wall),
            Event::CallHangup { cause, .. } => {
                self.ended_at = Some(wall);
                self.ended = Some(now);
                self.cause = Some(cause.clone());
            }
            Event::RecordingCompleted { command_uid, .. } => self.settle(command_uid, "completed"),
            Event::RecordingAbsent { command_uid } => self.settle(command_uid, "absent"),
            Event::RecordingFailed { command_uid, .. } => self.settle(command_uid, "failed"),
            _ => {}
        }
    }

    fn settle(&mut self, uid: &CommandUid, state: &'static str) {
        let is_open = |row: &&mut TakeRow| matches!(row.state, "recording" | "ending");
        let mut rows = self.takes.iter_mut().filter(is_open);
        if let Some(row) = rows.find(|row| row.uid == *uid) {
            row.state = state;
        }
    }

    /// What is owed to its application now.
    pub(super) fn ledger(&self) -> Ledger {
        let id_of = |take| {
            let row = self.takes.iter().find(|row| row.take == take);
            row.and_then(|row| row.id)
        };
        Ledger::of(self.session.owed(), id_of)
    }

    /// How it stands now. `heard` is where its sound is heard.
    pub(super) fn view(&self, heard: Option<Millis>, now: Duration) -> CallView {
        let lasted = self.ended.unwrap_or(now).saturating_sub(self.began);
        let facts = self.session.facts();
        let playing = self.session.playing().map(|uid| PlayingView {
            command_uid: uid.clone(),
            offset_ms: heard.unwrap_or_default(),
        });
        let recordings = self.takes.iter().map(|row| RecordingView {
            command_uid: row.uid.clone(),
            id: row.id,
            state: row.state,
        });
        CallView {
            uuid: facts.uuid,
            owner: facts.owner,
            line: self.line_name.clone(),
            caller_id: facts.caller_id.clone(),
            did: facts.did.clone(),
            snapshot: self.session.snapshot(),
            started_at: self.started_at,
            answered_at: self.answered_at,
            ended_at: self.ended_at,
            lasted: Millis(u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX)),
            hangup_cause: self.cause.clone(),
            playing,
            recordings: recordings.collect(),
        }
    }

    pub(super) const fn started_at(&self) -> WallMillis {
        self.started_at
    }
}

/// Numbers as recordings bear them; what is no number of theirs is left out there.
pub(super) fn parties(caller_id: Option<&str>, did: Option<&str>) -> Parties {
    let number = |text: Option<&str>| text.and_then(|text| Number::new(text).ok());
    Parties {
        from: number(caller_id),
        to: number(did),
    }
}
