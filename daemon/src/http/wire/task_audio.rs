//! JSON of family `task_audio` (seed 004; API.md section 5 for what the seed leaves open).
//! `openapi/task_audio.json` describes the same.

use serde::{Deserialize, Serialize};
use storage::handle::Cursor;
use storage::ids::RecordingId;
use storage::record::{Recording, RecordingState, WallMillis};
use uuid::Uuid;

use super::time::rfc3339;

/// One recording.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Task {
    task_id: Uuid,
    /// `active`, `completed`, `absent` or `failed`.
    status: &'static str,
    /// When its first frame was captured.
    started_at: Option<String>,
    /// When it was sealed; null while active.
    completed_at: Option<String>,
    /// Null while active.
    duration_ms: Option<u64>,
    /// Length of its file; null while active.
    size_bytes: Option<u64>,
    content_type: &'static str,
    sample_rate_hz: u32,
    channels: usize,
    line: Option<String>,
    from: Option<String>,
    to: Option<String>,
    end_cause: Option<storage::record::EndCause>,
    /// Sound that the device lost; the recording holds silence there.
    lost_ms: Option<u64>,
    /// Where it is played from; null if there is nothing to play.
    audio_url: Option<String>,
}

impl Task {
    /// A row as the wire tells it.
    pub(in crate::http) fn of(row: &Recording) -> Self {
        let facts = &row.facts;
        let outcome = row.outcome.as_ref();
        let rate = facts.format.rate;
        let lost = |outcome: &storage::record::RecordingOutcome| {
            let frames = outcome.gaps.iter().map(|gap| gap.frames.0).sum();
            rate.duration_of(audio_io::units::Frames(frames)).0
        };
        let size_bytes = outcome.map(|outcome| outcome.size_bytes);
        let playable = match row.state {
            RecordingState::Live | RecordingState::Stored => true,
            RecordingState::Failed => size_bytes.is_some_and(|size| size > 0),
            RecordingState::Absent => false,
        };
        let task_id = facts.names.task_id;
        Self {
            task_id,
            status: match row.state {
                RecordingState::Live => "active",
                RecordingState::Stored => "completed",
                RecordingState::Absent => "absent",
                RecordingState::Failed => "failed",
            },
            started_at: rfc3339(facts.started_at),
            completed_at: outcome.and_then(|outcome| rfc3339(outcome.sealed_at)),
            duration_ms: row.duration().map(|duration| duration.0),
            size_bytes,
            content_type: facts.container.media_type(),
            sample_rate_hz: rate.hertz(),
            channels: facts.format.channels.count(),
            line: facts.line.as_ref().map(ToString::to_string),
            from: facts.from.as_ref().map(ToString::to_string),
            to: facts.to.as_ref().map(ToString::to_string),
            end_cause: outcome.map(|outcome| outcome.end_cause),
            lost_ms: outcome.map(lost),
            audio_url: playable.then(|| format!("/api/v1/sse/audio/{task_id}")),
        }
    }
}

/// A page of recordings, newest first.
#[derive(Debug, Serialize)]
pub(in crate::http) struct TaskPage {
    /// The recordings.
    pub(in crate::http) tasks: Vec<Task>,
    /// What to send as `cursor` for the next page; null after the last.
    pub(in crate::http) next_cursor: Option<String>,
}

/// Which recordings are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Status {
    /// Stored ones: the default.
    Completed,
    /// Live ones.
    Active,
    /// All, whatever became of them.
    All,
}

impl Status {
    /// Reads the parameter.
    pub(in crate::http) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "completed" => Self::Completed,
            "active" => Self::Active,
            "all" => Self::All,
            _ => return None,
        })
    }

    /// The states it stands for; none means all.
    pub(in crate::http) fn states(self) -> Vec<RecordingState> {
        match self {
            Self::Completed => vec![RecordingState::Stored],
            Self::Active => vec![RecordingState::Live],
            Self::All => Vec::new(),
        }
    }
}

/// A cursor as opaque text: start time and number of the last row, 32 hex digits.
pub(in crate::http) fn cursor_text(cursor: Cursor) -> String {
    format!("{:016x}{:016x}", cursor.started_at.0, cursor.id.0)
}

/// The cursor of such a text.
pub(in crate::http) fn cursor_of(text: &str) -> Option<Cursor> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (at, id) = text.split_at_checked(16)?;
    Some(Cursor {
        started_at: WallMillis(u64::from_str_radix(at, 16).ok()?),
        id: RecordingId(u64::from_str_radix(id, 16).ok()?),
    })
}

/// Body of `POST /api/v1/auth/ticket`; may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TicketRequest {
    /// Only this recording; else the first one it is used for.
    #[serde(default)]
    pub(in crate::http) task_id: Option<Uuid>,
}

/// Its answer.
#[derive(Debug, Serialize)]
pub(in crate::http) struct TicketIssued {
    /// For `?ticket=`.
    pub(in crate::http) ticket: String,
    /// Time left for the first use.
    pub(in crate::http) expires_in_s: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_wire_and_nothing_else_passes() {
        let cursor = Cursor {
            started_at: WallMillis(1_700_000_000_123),
            id: RecordingId(u64::MAX),
        };
        let text = cursor_text(cursor);
        let back = cursor_of(&text).unwrap();
        assert_eq!((back.started_at, back.id), (cursor.started_at, cursor.id));
        for bad in [
            "",
            "0",
            "+000000000000000000000000000000f",
            &text.replace('f', "g"),
            "é",
        ] {
            assert!(cursor_of(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn ticket_requests_are_strict() {
        assert!(serde_json::from_str::<TicketRequest>("{}").is_ok());
        assert!(serde_json::from_str::<TicketRequest>("{\"task\":1}").is_err());
        assert!(serde_json::from_str::<TicketRequest>("{\"task_id\":\"x\"}").is_err());
    }
}
