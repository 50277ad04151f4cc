//! How the daemon and its lines are doing.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::calls::CallCounts;
use super::recordings::Recording;
use super::telephony::Channel;
use super::webhooks::WebhookTotals;

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
    /// Calls being recorded.
    pub calls: usize,
    /// Calls under control.
    #[serde(default)]
    pub sessions: CallCounts,
    /// Their webhooks.
    #[serde(default)]
    pub webhooks: WebhookTotals,
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
    /// With an alarm, of their channel or of what they are watched for.
    #[serde(default)]
    pub alarms: usize,
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

/// A line, of `GET /lines`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Whose recordings it makes.
    pub tenant: String,
    /// `always`, `vox`, `api` or `hook`.
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
    /// The PCM it plays to.
    #[serde(default)]
    pub playback: Option<String>,
    /// The session on it.
    #[serde(default)]
    pub session_uuid: Option<Uuid>,
    /// Its telephone channel or AudioSocket; none of a sound card.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// What `[line.watch]` found: `silent`, `active`.
    #[serde(default)]
    pub alarms: Vec<String>,
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

/// A call being recorded, of `GET /calls`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The line.
    pub line: String,
    /// When its first frame was captured, RFC 3339.
    pub started_at: String,
    /// Recorded so far.
    pub duration_ms: u64,
    /// Its recording, which names its session.
    pub recording: Recording,
}

/// `POST /reload`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Sections that changed and are in force now.
    pub applied: Vec<String>,
    /// Sections that changed and need a restart.
    pub needs_restart: Vec<String>,
}
