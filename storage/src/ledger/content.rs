//! What the ledger tells of recordings' files.

use audio_io::units::WallMillis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain::Hash;
use super::entry::Details;
use crate::record::{Container, EndCause, MarkKind, Recording, RecordingState, TimeQuality};

/// What an entry says of a recording's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `stored`, or `failed` for what could be saved of a recording.
    pub state: RecordingState,
    /// The file's format.
    pub container: Container,
    /// When the recording's first frame was captured.
    pub started_at: WallMillis,
    /// Its length.
    pub duration_ms: u64,
    /// The file's length.
    pub size_bytes: u64,
    /// BLAKE3 of the whole file.
    pub blake3: Hash,
    /// Why it ended.
    pub end_cause: EndCause,
    /// How many gaps it has.
    pub gaps: u64,
    /// How many spans of it are masked.
    pub masked: u64,
    /// How far `started_at` can be believed, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeQuality>,
    /// It was there before the ledger was, and is taken in as it is now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

impl Content {
    /// Of a row that has ended with a file; numbers of callers are not in it, as nothing can be
    /// taken out of a ledger again.
    #[must_use]
    pub fn of(row: &Recording) -> Option<Self> {
        let outcome = row.outcome.as_ref()?;
        if !matches!(row.state, RecordingState::Stored | RecordingState::Failed) {
            return None;
        }
        let masked = outcome.marks.iter();
        let masked = masked.filter(|mark| mark.kind == MarkKind::Masked);
        Some(Self {
            state: row.state,
            container: row.facts.container,
            started_at: row.facts.started_at,
            duration_ms: row.duration().map_or(0, |length| length.0),
            size_bytes: outcome.size_bytes,
            blake3: Hash(outcome.content_hash),
            end_cause: outcome.end_cause,
            gaps: outcome.gaps.len() as u64,
            masked: masked.count() as u64,
            time: row.facts.time,
            adopted: false,
        })
    }

    /// As an entry's details.
    #[must_use]
    pub fn to_details(&self) -> Details {
        match serde_json::to_value(self) {
            Ok(Value::Object(details)) => details,
            _ => Details::new(),
        }
    }
}
