//! What travels over the control socket, as typed JSON. The daemon writes these and the command
//! line reads them; `--json` prints them as they are. Numbers with a unit end in that unit.

use serde::{Deserialize, Serialize};
use storage::ids::{CallSid, ExternalId, LineName, Number, TenantName};
use storage::record::Family;
use uuid::Uuid;

/// What every path begins with.
pub const PREFIX: &str = "/control/v1";

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// Why.
    pub error: ErrorBody,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub message: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request cannot be understood.
    BadRequest,
    /// This user may not use the socket.
    Denied,
    /// No such path, or what was named does not exist.
    NotFound,
    /// The path knows other methods.
    MethodNotAllowed,
    /// Not possible as things stand.
    Conflict,
    /// The body is too long.
    TooLarge,
    /// The file or configuration that was named cannot be used.
    Unusable,
    /// Not at the moment: the disk refuses writes, or the daemon is stopping.
    Unavailable,
    /// The daemon failed; its journal says more.
    Internal,
}

/// `GET /status`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// Since when, in seconds.
    pub uptime_s: u64,
    /// Whether capture, recorder and index make progress.
    pub progressing: bool,
    /// Whether the disk refuses writes.
    pub degraded: bool,
    /// Where everything is stored.
    pub data_dir: String,
    /// `uring` or `blocking`.
    pub io_backend: String,
    /// Free space of the file system, in bytes.
    pub free_bytes: u64,
    /// The index's size, in bytes.
    pub index_bytes: u64,
    /// Configured plain and TLS addresses.
    pub listen: Vec<String>,
    /// How many lines are in which state.
    pub lines: LineCounts,
    /// Calls in progress.
    pub calls: usize,
    /// Recordings since the start.
    pub totals: Totals,
}

/// How many lines are in which state.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct LineCounts {
    /// All of them.
    pub total: usize,
    /// With a running device.
    pub running: usize,
    /// Without a device.
    pub lost: usize,
}

/// Recordings since the daemon's start.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Begun.
    pub started: u64,
    /// Ended and kept.
    pub stored: u64,
    /// Ended too short to keep.
    pub absent: u64,
    /// Could not be written.
    pub failed: u64,
    /// Gaps in them.
    pub gaps: u64,
}

/// A list of things, `{"items": […]}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Items<T> {
    /// The things.
    pub items: Vec<T>,
}

/// A line, of `GET /lines`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Whose recordings it makes.
    pub tenant: String,
    /// `always`, `vox` or `api`.
    pub trigger: String,
    /// Rate, encoding, channels.
    pub format: Format,
    /// `opening`, `running` or `lost`.
    pub state: String,
    /// Why a device is not running.
    pub error: Option<String>,
    /// The PCMs; the caller's first.
    pub capture: Vec<String>,
    /// Frames delivered.
    pub frames: u64,
    /// Frames lost.
    pub lost_frames: u64,
    /// Overruns.
    pub overruns: u64,
    /// Silent stalls.
    pub stalls: u64,
    /// Times a device was opened.
    pub opens: u64,
    /// Frames dropped because a ring was full.
    pub ring_full_frames: u64,
    /// The most blocks that ever waited in a ring.
    pub ring_depth_max: u32,
    /// Frames that arrived while the disk refused to take them.
    pub unrecorded_frames: u64,
    /// Frames dropped because one leg's clock runs faster.
    pub slipped_frames: u64,
    /// RMS in dBFS, caller's leg first.
    pub rms_dbfs: Vec<f64>,
    /// Peak in dBFS, caller's leg first.
    pub peak_dbfs: Vec<f64>,
    /// Whether there is voice.
    pub voice: bool,
    /// The recording in progress.
    pub recid: Option<String>,
}

/// Rate, encoding and channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Frames a second.
    pub rate_hz: u32,
    /// `pcm16`, `mulaw` or `alaw`.
    pub encoding: String,
    /// 1 or 2.
    pub channels: usize,
}

/// A call in progress, of `GET /calls`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The line.
    pub line: String,
    /// When its first frame was captured, RFC 3339.
    pub started_at: String,
    /// Recorded so far.
    pub duration_ms: u64,
    /// Its recording.
    pub recording: Recording,
}

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
    /// Rate, encoding, channels.
    pub format: Format,
    /// `wav`, `mp3`, `m4a`, `webm`, `ogg` or `flac`.
    pub container: String,
    /// What is known since it ended.
    pub outcome: Option<Outcome>,
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

/// A tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// When it was added, RFC 3339.
    pub created_at: String,
    /// How many recordings it has.
    pub recordings: u64,
}

/// `POST /tenants`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddTenant {
    /// Its name.
    pub name: TenantName,
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Its public id, as text.
    pub key_id: String,
    /// Whose it is.
    pub tenant: String,
    /// What it opens.
    pub family: Family,
    /// A note.
    pub label: String,
    /// When it was issued, RFC 3339.
    pub created_at: String,
    /// When it was revoked, RFC 3339.
    pub revoked_at: Option<String>,
}

/// `POST /keys`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueKey {
    /// Whose it will be.
    pub tenant: TenantName,
    /// What it opens.
    pub family: Family,
    /// A note, at most 256 bytes.
    #[serde(default)]
    pub label: String,
}

/// A freshly issued key. The secret is shown here and nowhere else, ever.
#[derive(Clone, Serialize, Deserialize)]
pub struct IssuedKey {
    /// The key.
    pub key: Key,
    /// Its secret.
    pub secret: String,
    /// Where the daemon serves it, as a base URL, when it listens.
    pub base_url: Option<String>,
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

/// `POST /reload`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Sections that changed and are in force now.
    pub applied: Vec<String>,
    /// Sections that changed and need a restart.
    pub needs_restart: Vec<String>,
}

/// One line of a long answer (NDJSON): progress, then exactly one end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<T> {
    /// How far it is.
    Progress(Progress),
    /// Finished, with this result.
    Done(T),
    /// Failed.
    Error(ErrorBody),
}

/// How far a long job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub stage: String,
    /// Done so far.
    pub done: u64,
    /// Of this many; 0 when that is not known.
    pub total: u64,
}

/// `POST /check`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Whether every file is read and compared with its hash.
    pub hashes: bool,
}

/// The report of `POST /check`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whether nothing is wrong that cannot be made again.
    pub clean: bool,
    /// Recordings that were looked at.
    pub recordings: u64,
    /// Bytes of files that were looked at, or read when hashes were asked for.
    pub bytes: u64,
    /// How much was found.
    pub findings_total: u64,
    /// What was found; the first ten thousand.
    pub findings: Vec<Finding>,
}

/// Something a check found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The recording.
    pub recid: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// Whether it can be made again from the recording.
    pub rebuildable: bool,
}

/// The report of `callreel reindex`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReindexReport {
    /// Recordings in the new index.
    pub recordings: u64,
    /// Tenants in it.
    pub tenants: u64,
    /// Keys carried over.
    pub keys: u64,
    /// The old index could not be read: its keys are gone and must be issued anew.
    pub old_unreadable: bool,
    /// Files that could not be taken in.
    pub skipped: Vec<Skipped>,
    /// Where the old index is kept.
    pub backup: Option<String>,
}

/// A file that could not be taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Skipped {
    /// The file.
    pub path: String,
    /// Why.
    pub problem: String,
}
