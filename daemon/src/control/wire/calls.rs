//! Calls under control: sessions as they stand, commands to them, and what is told of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::ids::{LineName, Number};
use uuid::Uuid;

use super::status::Call;

/// `GET /calls`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Calls {
    /// What is being recorded.
    pub items: Vec<Call>,
    /// Sessions, newest first.
    #[serde(default)]
    pub sessions: Vec<CallSession>,
}

/// A session: one call under control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallSession {
    /// Its name.
    pub session_uuid: Uuid,
    /// Whose it is.
    pub tenant: String,
    /// The line it is on.
    pub line: String,
    /// `new`, `ringing`, `answered` or `hung_up`.
    pub state: String,
    /// Who calls.
    pub caller_id: Option<String>,
    /// Who is called.
    pub did: Option<String>,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it was answered, RFC 3339.
    pub answered_at: Option<String>,
    /// When it ended, RFC 3339.
    pub ended_at: Option<String>,
    /// Why it ended: `NORMAL_CLEARING`.
    pub hangup_cause: Option<String>,
    /// From its begin to now, or to its end.
    pub duration_ms: u64,
    /// What plays.
    pub playing: Option<CallPlaying>,
    /// Whether files are being fetched for it.
    pub fetching: bool,
    /// Whether digits are being collected.
    pub collecting: bool,
    /// Its recordings, oldest first.
    pub recordings: Vec<CallRecording>,
    /// How many events were told.
    pub sequence: u64,
}

/// What a session plays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallPlaying {
    /// Of the command that began it.
    pub command_uid: String,
    /// Where in its files.
    pub offset_ms: u64,
    /// Whether it is held.
    pub paused: bool,
}

/// A recording of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallRecording {
    /// Of the `record/start`.
    pub command_uid: String,
    /// Its number, as text; null before it began.
    pub recid: Option<String>,
    /// `recording`, `paused`, `ending`, `completed`, `absent` or `failed`.
    pub state: String,
}

/// `POST /calls`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCall {
    /// The line, whose trigger is `api`.
    pub line: LineName,
    /// Who calls.
    #[serde(default)]
    pub caller_id: Option<Number>,
    /// Who is called.
    #[serde(default)]
    pub did: Option<Number>,
}

/// `POST /calls/{uuid}/{command}`, whose body is that of seed 001's command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommandTold {
    /// The session.
    pub session_uuid: Uuid,
    /// `playback/start`
    pub command: String,
    /// The daemon's name for it.
    pub operation_id: Uuid,
    /// The `command_uid` was known: this is the first one's operation, nothing was done now.
    pub repeated: bool,
    /// How it came out; null where that was not told in time.
    pub result: Option<CommandResult>,
}

/// The outcome of a command, as `command.result` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// Whether it was done.
    pub success: bool,
    /// Why not.
    pub error: Option<String>,
}

/// A line of `GET /calls/events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallsLine {
    /// An event.
    Told(CallTold),
    /// The reader was too slow: so many events, of any session, were left out here.
    Missed(u64),
    /// The daemon is being stopped; nothing follows.
    Stopping,
}

/// An event of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallTold {
    /// When the daemon passed it on, RFC 3339.
    pub at: String,
    /// Counts all events since the daemon was started.
    pub number: u64,
    /// Its id, which its webhook bears too.
    pub id: Uuid,
    /// Whose session it is of.
    pub tenant: String,
    /// `{event, session_uuid, sequence, data, …}`, as webhooks are sent it.
    pub body: Value,
}

/// Calls under control since the daemon was started.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CallCounts {
    /// Sessions that are on now.
    pub active: u64,
    /// Sessions begun.
    pub started: u64,
    /// Commands taken on.
    pub commands: u64,
    /// Events told.
    pub events: u64,
    /// Digits heard.
    pub digits: u64,
    /// Playbacks begun.
    pub playbacks: u64,
    /// Times a decoder did not keep up with a line.
    pub underruns: u64,
    /// Files that could not be had.
    pub files_not_found: u64,
}
