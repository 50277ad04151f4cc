//! What a session tells its application: the events of API.md section 2. How they are delivered is
//! the outbox's business, how they are wrapped is `http/wire/session_commands.rs`.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use audio_io::units::Millis;

use super::command::{CommandKind, CommandUid, HangupCause, PauseMode, Urls};
use super::digits::CollectStatus;
use super::plan::Digit;

/// An event with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionEvent {
    /// From 1, growing by one, without gaps within a session.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
}

/// What happened. Serialized it is the event's `data`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// `call.new`: always the first.
    CallNew {
        /// The line's name.
        line: String,
        /// Who calls, if known.
        caller_id: Option<String>,
        /// Who is called, if known.
        did: Option<String>,
    },
    /// `call.answered`
    CallAnswered {},
    /// `call.hangup`: after the ends of sounds and collections, before those of recordings.
    CallHangup {
        /// Why.
        cause: HangupCause,
        /// Who ended it.
        by: HangupBy,
        /// From `call.new` to the end.
        duration_ms: Millis,
        /// From `call.answered` to the end; 0 if it was never answered.
        answered_ms: Millis,
    },
    /// `playback.started`: every file is there and the first one plays.
    PlaybackStarted(Playback),
    /// `playback.stopped`: the one end of a playback that was not `playback.file_not_found`.
    PlaybackStopped {
        /// Which.
        #[serde(flatten)]
        playback: Playback,
        /// Where in the files it ended.
        offset_ms: Millis,
        /// How long it was heard.
        duration_ms: Millis,
        /// Why it ended.
        reason: StopReason,
    },
    /// `playback.file_not_found`: a file of a playback or a collection could not be had; nothing
    /// of it is played.
    FileNotFound {
        /// Whose file.
        command_uid: CommandUid,
        /// Which file.
        url: String,
        /// Why, in words.
        error: String,
    },
    /// `digits.collected`: the one end of a collection.
    DigitsCollected {
        /// Which.
        command_uid: CommandUid,
        /// The last try's digits.
        digits: String,
        /// The key that ended it.
        terminator: Option<Digit>,
        /// How it ended.
        status: CollectStatus,
    },
    /// `dtmf`: a key was pressed.
    Dtmf {
        /// Which.
        digit: Digit,
        /// For how long.
        duration_ms: Millis,
    },
    /// `recording.started`
    RecordingStarted {
        /// Of the `record/start`.
        command_uid: CommandUid,
    },
    /// `recording.paused`
    RecordingPaused {
        /// Of the `record/start`.
        command_uid: CommandUid,
        /// What becomes of the time.
        mode: PauseMode,
    },
    /// `recording.completed`: it is stored and can be fetched.
    RecordingCompleted {
        /// Of the `record/start`.
        command_uid: CommandUid,
        /// Where it is.
        recording_url: String,
        /// Its length in seconds, rounded to the nearest.
        duration: u64,
        /// Its length.
        duration_ms: Millis,
    },
    /// `recording.absent`: too short or silent, nothing was kept.
    RecordingAbsent {
        /// Of the `record/start`.
        command_uid: CommandUid,
    },
    /// `recording.failed`
    RecordingFailed {
        /// Of the `record/start`.
        command_uid: CommandUid,
        /// Why, in words.
        error: String,
    },
    /// `command.result`: the one outcome of an accepted command.
    CommandResult {
        /// Which command.
        command: CommandKind,
        /// The client's name for it.
        command_uid: CommandUid,
        /// The daemon's name for it.
        operation_id: Uuid,
        /// Whether it did what was asked.
        success: bool,
        /// Why not.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<CommandFailure>,
    },
}

impl Event {
    /// Every name that there is.
    pub const NAMES: [&str; 14] = [
        "call.new",
        "call.answered",
        "call.hangup",
        "playback.started",
        "playback.stopped",
        "playback.file_not_found",
        "digits.collected",
        "dtmf",
        "recording.started",
        "recording.paused",
        "recording.completed",
        "recording.absent",
        "recording.failed",
        "command.result",
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CallNew { .. } => "call.new",
            Self::CallAnswered {} => "call.answered",
            Self::CallHangup { .. } => "call.hangup",
            Self::PlaybackStarted(_) => "playback.started",
            Self::PlaybackStopped { .. } => "playback.stopped",
            Self::FileNotFound { .. } => "playback.file_not_found",
            Self::DigitsCollected { .. } => "digits.collected",
            Self::Dtmf { .. } => "dtmf",
            Self::RecordingStarted { .. } => "recording.started",
            Self::RecordingPaused { .. } => "recording.paused",
            Self::RecordingCompleted { .. } => "recording.completed",
            Self::RecordingAbsent { .. } => "recording.absent",
            Self::RecordingFailed { .. } => "recording.failed",
            Self::CommandResult { .. } => "command.result",
        }
    }
}

/// What is, was or would have been heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Playback {
    /// Of the command that began it.
    pub command_uid: CommandUid,
    /// Its files; none for silence.
    pub urls: Option<Urls>,
    /// The files as the daemon names them; none for silence and before they are there.
    pub file_path: Option<String>,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupBy {
    /// The application.
    Command,
    /// The other side, or the line itself.
    Line,
    /// The device went away.
    Device,
}

/// Why a playback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was heard to its end, or a seek went past it.
    Completed,
    /// `playback/stop`.
    Stopped,
    /// A later command plays something else.
    Replaced,
    /// The call ended.
    Hangup,
    /// The player could not go on.
    Error,
}

/// Why a command did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandFailure {
    /// Not done within [`super::limits::COMMAND_WITHIN`]; what it began goes on.
    #[error("timeout")]
    Timeout,
    /// The call ended first.
    #[error("the call has ended")]
    Ended,
    /// The call is not answered.
    #[error("the call is not answered; send answer first")]
    NotAnswered,
    /// A later command came between.
    #[error("replaced by a later command")]
    Replaced,
    /// `playback/stop` came between.
    #[error("stopped by playback/stop")]
    Stopped,
    /// Nothing plays.
    #[error("no playback is active")]
    NoPlayback,
    /// Silence has no positions.
    #[error("silence plays; it cannot be paused, sought or restarted")]
    OnlySilence,
    /// A file could not be had.
    #[error("a file was not found; playback.file_not_found says which")]
    FileNotFound,
    /// The player could not begin.
    #[error("the player failed")]
    Player,
    /// There is nothing to play to.
    #[error("the line has no playback device; set playback in its [[line]] table")]
    NoDevice,
    /// The daemon ended before the command did.
    #[error("the daemon was restarted before it was done")]
    Restarted,
    /// Nothing is recorded.
    #[error("no recording is in progress")]
    NoRecording,
    /// One at a time.
    #[error("a recording is in progress; send record/stop first")]
    Recording,
    /// Too many recordings wait for the disk.
    #[error("earlier recordings are still being finished")]
    RecordingsEnding,
    /// The recording ended before it began.
    #[error("the recording did not begin")]
    NotRecorded,
    /// Too many commands wait.
    #[error("too many commands of this session wait for their result")]
    TooMany,
}

impl Serialize for CommandFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
