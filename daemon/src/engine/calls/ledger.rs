//! The note that is kept of a call in the same commit as its events: what would still have to be
//! told if the daemon died now, in the very words. A start after a crash tells it, so that every
//! started thing ends in exactly one event.
//!
//! ```text
//!  {"version": 1,
//!   "pending": [event…]   told already, of an input with too many events for one commit
//!   "events":  [event…]   ends of what is open: results, sounds, collections, the call
//!   "takes":   [{command_uid, recording}…]}   their ends follow, as the index knows them
//!  event: {id?, event, data}
//! ```

use serde::{Deserialize, Serialize};
use storage::ids::RecordingId;
use storage::limits::SESSION_NOTE_MAX;
use storage::outbox::{NewEvent, SessionNote};
use storage::record::{Recording, RecordingState};
use uuid::Uuid;

use crate::engine::session::Owed;
use crate::engine::session::command::CommandUid;
use crate::engine::session::event::Event;
use crate::engine::session::signal::TakeId;

/// What is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ledger {
    version: u32,
    #[serde(default)]
    pending: Vec<KeptEvent>,
    events: Vec<KeptEvent>,
    takes: Vec<KeptTake>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptEvent {
    /// Its id, where it has been made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    event: String,
    data: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptTake {
    command_uid: String,
    /// Its number, once the recorder has told it.
    recording: Option<u64>,
}

/// A note that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    /// It is damaged.
    #[error("it is damaged: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("it is of version {0}")]
    Version(u32),
}

impl Ledger {
    /// What a session owes. `recording` is the number of a take, if it is known.
    pub(super) fn of(owed: Owed, recording: impl Fn(TakeId) -> Option<RecordingId>) -> Self {
        let takes = owed.takes.into_iter().map(|owed| KeptTake {
            command_uid: owed.command_uid.as_str().to_owned(),
            recording: recording(owed.take).map(|id| id.0),
        });
        Self {
            version: VERSION,
            pending: Vec::new(),
            events: owed.events.into_iter().map(kept).collect(),
            takes: takes.collect(),
        }
    }

    /// Nothing is owed.
    pub(super) const fn settled() -> Self {
        Self {
            version: VERSION,
            pending: Vec::new(),
            events: Vec::new(),
            takes: Vec::new(),
        }
    }

    /// Whether nothing is owed.
    pub(super) const fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.events.is_empty() && self.takes.is_empty()
    }

    /// The note that says this, and that some events are on their way.
    pub(super) fn note(&self, pending: &[NewEvent]) -> SessionNote {
        if pending.is_empty() && self.is_settled() {
            return SessionNote::Drop;
        }
        let mut whole = self.clone();
        whole.pending = pending.iter().map(KeptEvent::of).collect();
        let bytes = serde_json::to_vec(&whole).unwrap_or_default();
        if bytes.len() <= SESSION_NOTE_MAX {
            return SessionNote::Keep(bytes);
        }
        // Lists of URLs, many times over. What names the playback is kept.
        whole.events.iter_mut().for_each(KeptEvent::without_urls);
        SessionNote::Keep(serde_json::to_vec(&whole).unwrap_or_default())
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(super) fn read(note: &[u8]) -> Result<Self, LedgerError> {
        let ledger: Self = serde_json::from_slice(note)?;
        match ledger.version {
            VERSION => Ok(ledger),
            other => Err(LedgerError::Version(other)),
        }
    }

    /// The events that are missing, in their order. `look` finds a recording's row, or the row of
    /// the call's newest one: a take whose number was not told any more is that one, unless it is
    /// another take's.
    pub(super) fn missing(
        self,
        session: Uuid,
        look: impl Fn(Option<RecordingId>) -> Option<Recording>,
        url: impl Fn(&Recording) -> String,
    ) -> Vec<NewEvent> {
        let told = self.pending.into_iter().chain(self.events);
        let known: Vec<u64> = self
            .takes
            .iter()
            .filter_map(|take| take.recording)
            .collect();
        let ends = self.takes.into_iter().filter_map(|take| {
            let row = look(take.recording.map(RecordingId));
            let is_its =
                |row: &Recording| take.recording.is_some() || !known.contains(&row.facts.id.0);
            let row = row.filter(is_its);
            let uid = CommandUid::new(&take.command_uid)?;
            Some(kept(end_of(uid, row.as_ref(), &url)))
        });
        told.chain(ends)
            .map(|kept| kept.new_event(session))
            .collect()
    }
}

impl KeptEvent {
    fn of(new: &NewEvent) -> Self {
        Self {
            id: Some(new.id),
            event: new.event.clone(),
            data: new.data.clone(),
        }
    }

    fn without_urls(&mut self) {
        if let Ok(serde_json::Value::Object(mut data)) = serde_json::from_str(&self.data)
            && let Some(urls) = data.get_mut("urls")
        {
            *urls = serde_json::Value::Null;
            self.data = serde_json::Value::Object(data).to_string();
        }
    }

    fn new_event(self, session: Uuid) -> NewEvent {
        NewEvent {
            id: self.id.unwrap_or_else(Uuid::new_v4),
            session,
            event: self.event,
            data: self.data,
        }
    }
}

fn kept(event: Event) -> KeptEvent {
    KeptEvent {
        id: None,
        event: event.name().into(),
        data: data_of(&event),
    }
}

/// An event's data as JSON.
pub(super) fn data_of(event: &Event) -> String {
    // Maps of these types have text for keys, and their numbers are whole: JSON has all of it.
    serde_json::to_string(event).unwrap_or_else(|_| "{}".into())
}

fn end_of(uid: CommandUid, row: Option<&Recording>, url: impl Fn(&Recording) -> String) -> Event {
    match row {
        Some(row) if row.state == RecordingState::Stored => completed(uid, row, url(row)),
        Some(row) if row.state == RecordingState::Absent => {
            Event::RecordingAbsent { command_uid: uid }
        }
        Some(row) => Event::RecordingFailed {
            command_uid: uid,
            error: format!("recording {} could not be repaired whole", row.facts.id),
        },
        None => Event::RecordingFailed {
            command_uid: uid,
            error: "the daemon was restarted before the recording was written".into(),
        },
    }
}

fn completed(command_uid: CommandUid, row: &Recording, recording_url: String) -> Event {
    let duration_ms = row.duration().unwrap_or_default();
    Event::RecordingCompleted {
        command_uid,
        recording_url,
        duration: duration_ms.0.saturating_add(500) / 1_000,
        duration_ms,
    }
}

const VERSION: u32 = 1;
