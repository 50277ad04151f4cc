//! Recordings: listing, making, importing, deleting.

use serde::{Deserialize, Serialize};
use storage::ids::{CallSid, ExternalId, LineName, Number, TenantName};
use uuid::Uuid;

use super::keeping::Retained;
use super::status::Format;

/// A recording. While it is live, the fields about its end are absent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recording {
    /// Its number, as text: it may exceed what JSON numbers hold exactly.
    pub recid: String,
    /// Whose it is.
    pub tenant: String,
    /// `live`, `stored`, `absent` or `failed`.
    pub state: String,
    /// Its other names.
    pub names: Names,
    /// The line it came from.
    pub line: Option<String>,
    /// The caller's number.
    pub from: Option<String>,
    /// The called number.
    pub to: Option<String>,
    /// When its first frame was captured, RFC 3339.
    pub started_at: String,
    /// How far that can be trusted; missing where it is not known, as in imports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_quality: Option<TimeQuality>,
    /// Rate, encoding, channels.
    pub format: Format,
    /// `wav`, `mp3`, `m4a`, `webm`, `ogg` or `flac`.
    pub container: String,
    /// What is known since it ended.
    pub outcome: Option<Outcome>,
    /// What keeps it, and when it would be deleted; only where one recording is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained: Option<Retained>,
}

/// How far the clock could be trusted when a recording began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeQuality {
    /// Whether somebody (NTP) kept it right; null where the system did not tell.
    pub synchronised: Option<bool>,
    /// How far it could be wrong at most; null where nobody kept it.
    pub max_error_ms: Option<u64>,
    /// It had been set to another time since the daemon's start.
    pub stepped: bool,
    /// It cannot have been right: nobody kept it, and it showed a time before the program was
    /// made or before one that the store had seen.
    pub implausible: bool,
}

/// The names of a recording besides `recid`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Names {
    /// `call_…`
    pub call_sid: String,
    /// `crtObjectId`
    pub crt_object_id: String,
    /// Its campaign.
    pub campaign_id: u32,
    /// Its call.
    pub call_id: String,
    /// `taskId`
    pub task_id: Uuid,
    /// The call's session.
    pub session_uuid: Uuid,
}

/// What is known of a recording since it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Why it ended.
    pub end_cause: String,
    /// Its length.
    pub duration_ms: u64,
    /// Its file's length.
    pub size_bytes: u64,
    /// BLAKE3 of the file, in hexadecimal.
    pub blake3: String,
    /// When it was sealed, RFC 3339.
    pub sealed_at: String,
    /// Lost frames, as milliseconds of the recording.
    pub gaps: Vec<Gap>,
    /// Digits, and spans that were masked or paused, in order.
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// Caller's level first.
    pub levels: Vec<Level>,
}

/// Missing frames of a recording.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gap {
    /// Where the gap begins.
    pub at_ms: u64,
    /// How long it is.
    pub duration_ms: u64,
    /// How long it is, in frames.
    pub frames: u64,
    /// Why.
    pub cause: String,
}

/// A stretch of a recording, and what its sound does not tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where it begins.
    pub at_ms: u64,
    /// How long it is; of what was skipped, how long that was.
    pub duration_ms: u64,
    /// `digit`; `masked` and `paused`: silence in its place; `skipped`: not in the recording.
    pub kind: String,
    /// Which digit; null where digits are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digit: Option<char>,
}

/// The level of one leg.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Level {
    /// Root mean square.
    pub rms_dbfs: f64,
    /// Highest sample.
    pub peak_dbfs: f64,
}

/// A page of `GET /recordings`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Recording>,
    /// Give it as `cursor` to get the next page.
    pub next: Option<String>,
}

/// `POST /record/start`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRecording {
    /// The line, whose trigger is `api`.
    pub line: LineName,
    /// The caller's number.
    pub from: Option<Number>,
    /// The called number.
    pub to: Option<Number>,
}

/// `POST /record/stop`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRecording {
    /// Any name of the recording.
    pub name: String,
}

/// `POST /recordings/import`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The file, absolute, as the daemon sees it.
    pub path: String,
    /// Whose it will be.
    pub tenant: TenantName,
    /// `recid`, decimal.
    pub recid: Option<String>,
    /// `call_…`
    pub call_sid: Option<CallSid>,
    /// `crtObjectId`
    pub crt_object_id: Option<ExternalId>,
    /// Its campaign.
    pub campaign_id: Option<u32>,
    /// Its call.
    pub call_id: Option<ExternalId>,
    /// `taskId`
    pub task_id: Option<Uuid>,
    /// The line it came from.
    pub line: Option<LineName>,
    /// The caller's number.
    pub from: Option<Number>,
    /// The called number.
    pub to: Option<Number>,
    /// When it was recorded, RFC 3339; by default the file's own time of last change.
    pub started_at: Option<String>,
}

/// `DELETE /recordings/{name}`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deleted {
    /// What was deleted.
    pub recid: String,
}
