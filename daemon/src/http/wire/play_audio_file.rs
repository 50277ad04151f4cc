//! JSON of family `play_audio_file` (API.md section 1): one envelope for all, every value a text.
//! `openapi/play_audio_file.json` describes the same.

use audio_io::units::Millis;
use serde::Serialize;
use storage::prompt::{PromptOrigin, PromptRow};
use storage::record::{Recording, RecordingState, WallMillis};

use super::time::rfc3339;

/// An answer that tells something.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Success<T> {
    #[serde(rename = "return")]
    returned: Returned<T>,
}

#[derive(Debug, Serialize)]
struct Returned<T> {
    status: &'static str,
    status_code: &'static str,
    #[serde(flatten)]
    told: T,
}

impl<T> Success<T> {
    /// `"OK"`, `"0"`, and what is told.
    pub(in crate::http) fn of(told: T) -> Self {
        Self {
            returned: Returned {
                status: "OK",
                status_code: "0",
                told,
            },
        }
    }
}

/// An answer that tells what is wrong.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Failure<'a> {
    status: &'a str,
    status_code: &'a str,
    cd_id: &'static str,
}

impl<'a> Failure<'a> {
    /// The envelope of a text and a code.
    pub(in crate::http) fn of(status: &'a str, status_code: &'a str) -> serde_json::Value {
        let returned = Self {
            status,
            status_code,
            cd_id: "0",
        };
        serde_json::json!({ "return": returned })
    }
}

/// `GetUserID.php`
#[derive(Debug, Serialize)]
pub(in crate::http) struct User {
    pub(in crate::http) user_id: String,
    /// The token; shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) tsid: Option<String>,
    /// Seconds that the token lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) expires_in: Option<String>,
}

/// `GetAudiosList.php`
#[derive(Debug, Serialize)]
pub(in crate::http) struct Audios {
    /// Newest first.
    pub(in crate::http) audios: Vec<Audio>,
}

/// A prompt.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Audio {
    cdw_id: String,
    cdw_file: String,
    cdw_name: String,
    /// Length in seconds; `0` until it was first made.
    cdw_sec: String,
    cdw_date: String,
    /// Empty if it never does.
    cdw_expires: String,
    /// `tts`, `upload` or `rec`.
    cdw_type: &'static str,
}

impl Audio {
    /// A row as the wire tells it.
    pub(in crate::http) fn of(row: &PromptRow) -> Self {
        let length = row.sound.as_ref().map(|sound| {
            let rate = sound.format.rate;
            rate.duration_of(sound.frames).0
        });
        Self {
            cdw_id: row.id.to_string(),
            cdw_file: file_name(row),
            cdw_name: row.name.clone(),
            cdw_sec: seconds(length.unwrap_or_default()),
            cdw_date: time(Some(row.created_at)),
            cdw_expires: time(row.expires_at),
            cdw_type: kind(&row.origin),
        }
    }
}

/// A prompt's `cdw_type`.
pub(in crate::http) const fn kind(origin: &PromptOrigin) -> &'static str {
    match origin {
        PromptOrigin::Speech(_) => "tts",
        PromptOrigin::Upload | PromptOrigin::Url(_) => "upload",
        PromptOrigin::Recording(_) => "rec",
    }
}

/// `CreateAudioFile.php`
#[derive(Debug, Serialize)]
pub(in crate::http) struct Created {
    cd_id: String,
    cdw_id: String,
    cdw_file: String,
}

impl Created {
    /// What was made of a wish.
    pub(in crate::http) fn of(row: &PromptRow) -> Self {
        Self {
            cd_id: row.id.to_string(),
            cdw_id: row.id.to_string(),
            cdw_file: file_name(row),
        }
    }
}

/// A prompt's file; what has none yet will most likely be an MP3 (seed 000).
fn file_name(row: &PromptRow) -> String {
    let sound = row.sound.as_ref();
    let extension = sound.map_or("mp3", |sound| sound.container.extension());
    format!("{}.{extension}", row.id)
}

/// `GetCallStatus.php`
#[derive(Debug, Serialize)]
pub(in crate::http) struct CallStatus {
    /// The call's id, which is its recording's `recid`.
    cd_id: String,
    /// Where it is played from; empty if there is nothing to play.
    cdr_url: String,
    /// Length in seconds; so far, while it goes on.
    cdr_sec: String,
    /// `live`, `stored`, `absent` or `failed`.
    cdr_state: &'static str,
    /// When its first frame was captured.
    cdr_date: String,
    /// When it was sealed; empty while it goes on.
    cdr_end: String,
    cdr_from: String,
    cdr_to: String,
}

impl CallStatus {
    /// A row as the wire tells it; `recorded` is how much of it there is while it goes on.
    pub(in crate::http) fn of(row: &Recording, recorded: Millis) -> Self {
        let facts = &row.facts;
        let outcome = row.outcome.as_ref();
        let length = match row.state {
            RecordingState::Live => recorded.0,
            _ => row.duration().map_or(0, |length| length.0),
        };
        let playable = match row.state {
            RecordingState::Live | RecordingState::Stored => true,
            RecordingState::Failed => outcome.is_some_and(|outcome| outcome.size_bytes > 0),
            RecordingState::Absent => false,
        };
        let url = || format!("/api/v2/PlayAudioFile.php?recid={}", facts.id);
        let number = |number: &Option<storage::ids::Number>| {
            number.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        Self {
            cd_id: facts.id.to_string(),
            cdr_url: playable.then(url).unwrap_or_default(),
            cdr_sec: seconds(length),
            cdr_state: match row.state {
                RecordingState::Live => "live",
                RecordingState::Stored => "stored",
                RecordingState::Absent => "absent",
                RecordingState::Failed => "failed",
            },
            cdr_date: time(Some(facts.started_at)),
            cdr_end: time(outcome.map(|outcome| outcome.sealed_at)),
            cdr_from: number(&facts.from),
            cdr_to: number(&facts.to),
        }
    }
}

/// Whole seconds, rounded.
fn seconds(millis: u64) -> String {
    (millis.saturating_add(500) / 1_000).to_string()
}

fn time(at: Option<WallMillis>) -> String {
    at.and_then(rfc3339).unwrap_or_default()
}
