//! Sessions and applications as documents.

use audio_io::block::GapCause;
use audio_io::units::{Frames, SampleRate};
use serde::Serialize;
use storage::outbox::Application;
use storage::record::{Mark, MarkKind, Recording, RecordingState};
use uuid::Uuid;

use crate::engine::calls::{CallView, RecordingView};
use crate::engine::session::CallState;
use crate::http::wire::time::rfc3339;

/// A session as it stands.
#[derive(Debug, Serialize)]
pub(in crate::http) struct SessionDocument {
    session_uuid: Uuid,
    line: String,
    caller_id: Option<String>,
    did: Option<String>,
    /// `new`, `ringing`, `answered` or `hung_up`.
    state: CallState,
    created_at: Option<String>,
    answered_at: Option<String>,
    ended_at: Option<String>,
    hangup_cause: Option<String>,
    /// What plays; null if nothing does.
    playback: Option<PlaybackDocument>,
    collecting: bool,
    /// Oldest first.
    recordings: Vec<RecordingDocument>,
    /// Of the latest event.
    sequence: u64,
}

#[derive(Debug, Serialize)]
struct PlaybackDocument {
    command_uid: String,
    offset_ms: u64,
    paused: bool,
}

/// A recording of a session.
#[derive(Debug, Serialize)]
pub(in crate::http) struct RecordingDocument {
    command_uid: String,
    /// Null before it began.
    recid: Option<String>,
    call_sid: Option<String>,
    task_id: Option<Uuid>,
    /// `recording`, `ending`, `completed`, `absent` or `failed`.
    state: &'static str,
    started_at: Option<String>,
    /// Null until it has ended.
    duration_ms: Option<u64>,
    /// What the device lost.
    gaps: Vec<GapDocument>,
    /// Digits and what was left out.
    marks: Vec<MarkDocument>,
    /// Null where there is nothing to fetch.
    recording_url: Option<String>,
}

#[derive(Debug, Serialize)]
struct GapDocument {
    at_ms: u64,
    duration_ms: u64,
    cause: GapCause,
}

#[derive(Debug, Serialize)]
struct MarkDocument {
    /// `digit`, `masked`, `paused` or `skipped`.
    kind: &'static str,
    at_ms: u64,
    duration_ms: u64,
    /// Of a digit that is not masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    digit: Option<char>,
}

/// A page of sessions, newest first.
#[derive(Debug, Serialize)]
pub(in crate::http) struct SessionPage {
    pub(in crate::http) sessions: Vec<SessionDocument>,
    /// What to send as `cursor` for the next page; null after the last.
    pub(in crate::http) next_cursor: Option<String>,
}

/// An application as an administrator sees it.
#[derive(Debug, Serialize)]
pub(in crate::http) struct ApplicationDocument {
    app_id: String,
    webhook_url: Option<String>,
    rate_limit: u32,
    /// All when empty.
    events: Vec<String>,
    created_at: Option<String>,
    /// When its receiver answered 410.
    stopped_at: Option<String>,
    /// Shown once: where it was made by this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<String>,
}

impl SessionDocument {
    /// A session with its recordings.
    pub(in crate::http) fn new(view: &CallView, recordings: Vec<RecordingDocument>) -> Self {
        let snapshot = &view.snapshot;
        let playback = view.playing.as_ref().map(|playing| PlaybackDocument {
            command_uid: playing.command_uid.to_string(),
            offset_ms: playing.offset_ms.0,
            paused: snapshot.paused,
        });
        Self {
            session_uuid: view.uuid,
            line: view.line.to_string(),
            caller_id: view.caller_id.clone(),
            did: view.did.clone(),
            state: snapshot.state,
            created_at: rfc3339(view.started_at),
            answered_at: view.answered_at.and_then(rfc3339),
            ended_at: view.ended_at.and_then(rfc3339),
            hangup_cause: view.hangup_cause.as_ref().map(ToString::to_string),
            playback,
            collecting: snapshot.collecting,
            recordings,
            sequence: snapshot.sequence,
        }
    }
}

impl RecordingDocument {
    /// A recording, with its row where it has one, and a link to it.
    pub(in crate::http) fn new(
        view: &RecordingView,
        row: Option<&Recording>,
        recording_url: Option<String>,
    ) -> Self {
        let names = row.map(|row| &row.facts.names);
        let outcome = row.and_then(|row| Some((row.facts.format.rate, row.outcome.as_ref()?)));
        let gaps = outcome.map(|(rate, outcome)| {
            let gaps = outcome.gaps.iter();
            gaps.map(|gap| GapDocument {
                at_ms: ms(rate, gap.at),
                duration_ms: ms(rate, gap.frames),
                cause: gap.cause,
            })
            .collect()
        });
        let marks = row.map(|row| {
            let rate = row.facts.format.rate;
            let marks = row.outcome.iter().flat_map(|outcome| &outcome.marks);
            marks.map(|mark| MarkDocument::new(rate, mark)).collect()
        });
        Self {
            command_uid: view.command_uid.to_string(),
            recid: view.id.map(|id| id.to_string()),
            call_sid: names.map(|names| names.call_sid.to_string()),
            task_id: names.map(|names| names.task_id),
            state: view.state,
            started_at: row.and_then(|row| rfc3339(row.facts.started_at)),
            duration_ms: row.and_then(Recording::duration).map(|length| length.0),
            gaps: gaps.unwrap_or_default(),
            marks: marks.unwrap_or_default(),
            recording_url,
        }
    }

    /// Whether a link to this recording would lead to anything.
    pub(in crate::http) fn has_sound(row: &Recording) -> bool {
        let size = row.outcome.as_ref().map_or(0, |outcome| outcome.size_bytes);
        match row.state {
            RecordingState::Stored => true,
            RecordingState::Failed => size > 0,
            RecordingState::Live | RecordingState::Absent => false,
        }
    }
}

impl MarkDocument {
    fn new(rate: SampleRate, mark: &Mark) -> Self {
        let (kind, digit) = match mark.kind {
            MarkKind::Digit(digit) => ("digit", digit),
            MarkKind::Masked => ("masked", None),
            MarkKind::Paused => ("paused", None),
            MarkKind::Skipped => ("skipped", None),
        };
        Self {
            kind,
            at_ms: ms(rate, mark.at),
            duration_ms: ms(rate, mark.frames),
            digit,
        }
    }
}

impl ApplicationDocument {
    /// An application, with its secret where that was made just now.
    pub(in crate::http) fn new(row: &Application, webhook_secret: Option<String>) -> Self {
        Self {
            app_id: row.app_id.to_string(),
            webhook_url: row.webhook_url.clone(),
            rate_limit: row.rate_limit,
            events: row.events.clone(),
            created_at: rfc3339(row.created_at),
            stopped_at: row.stopped_at.and_then(rfc3339),
            webhook_secret,
        }
    }
}

fn ms(rate: SampleRate, frames: Frames) -> u64 {
    rate.duration_of(frames).0
}
