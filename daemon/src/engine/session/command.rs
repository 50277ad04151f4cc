//! Commands of seed 001 as values that cannot be wrong: each is checked when it is made. How they
//! look in JSON is `http/wire/session_commands.rs`.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

use super::limits;
use super::plan::DigitPlan;
use crate::engine::fetch;

/// Which command; also the end of its path under `/api/v1/sessions/{uuid}/commands/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// `answer`
    Answer,
    /// `hangup`
    Hangup,
    /// `playback/start`
    PlaybackStart,
    /// `playback/stop`
    PlaybackStop,
    /// `playback/pause`
    PlaybackPause,
    /// `playback/resume`
    PlaybackResume,
    /// `playback/seek`
    PlaybackSeek,
    /// `playback/restart`
    PlaybackRestart,
    /// `playback/silence`
    PlaybackSilence,
    /// `play_and_get_digits`
    PlayAndGetDigits,
    /// `record/start`
    RecordStart,
    /// `record/stop`
    RecordStop,
    /// `record/pause`
    RecordPause,
    /// `record/resume`
    RecordResume,
}

impl CommandKind {
    /// Every command.
    pub const ALL: [Self; 14] = [
        Self::Answer,
        Self::Hangup,
        Self::PlaybackStart,
        Self::PlaybackStop,
        Self::PlaybackPause,
        Self::PlaybackResume,
        Self::PlaybackSeek,
        Self::PlaybackRestart,
        Self::PlaybackSilence,
        Self::PlayAndGetDigits,
        Self::RecordStart,
        Self::RecordStop,
        Self::RecordPause,
        Self::RecordResume,
    ];

    /// The end of its path, and its name in `command.result`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Hangup => "hangup",
            Self::PlaybackStart => "playback/start",
            Self::PlaybackStop => "playback/stop",
            Self::PlaybackPause => "playback/pause",
            Self::PlaybackResume => "playback/resume",
            Self::PlaybackSeek => "playback/seek",
            Self::PlaybackRestart => "playback/restart",
            Self::PlaybackSilence => "playback/silence",
            Self::PlayAndGetDigits => "play_and_get_digits",
            Self::RecordStart => "record/start",
            Self::RecordStop => "record/stop",
            Self::RecordPause => "record/pause",
            Self::RecordResume => "record/resume",
        }
    }

    /// The command at the end of a path.
    #[must_use]
    pub fn from_path(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl CommandKind {
    /// Whether it is about what is played, and needs a device to play to.
    #[must_use]
    pub const fn is_about_sound(self) -> bool {
        match self {
            Self::PlaybackStart
            | Self::PlaybackStop
            | Self::PlaybackPause
            | Self::PlaybackResume
            | Self::PlaybackSeek
            | Self::PlaybackRestart
            | Self::PlaybackSilence
            | Self::PlayAndGetDigits => true,
            Self::Answer
            | Self::Hangup
            | Self::RecordStart
            | Self::RecordStop
            | Self::RecordPause
            | Self::RecordResume => false,
        }
    }
}

impl Serialize for CommandKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take the call.
    Answer,
    /// End the call.
    Hangup {
        /// Why; told in `call.hangup`.
        cause: HangupCause,
    },
    /// Play files one after the other, instead of what plays.
    PlaybackStart {
        /// The files.
        urls: Urls,
        /// Where in the only file to begin, 0 to 86400.
        offset_sec: u32,
    },
    /// End what plays.
    PlaybackStop,
    /// Hold what plays.
    PlaybackPause,
    /// Go on with what is held.
    PlaybackResume,
    /// Move what plays, in milliseconds from where it is; never 0. Before the start is the start,
    /// past the end is the end.
    PlaybackSeek {
        /// Forward if positive.
        by_ms: i64,
    },
    /// Begin again with what plays.
    PlaybackRestart,
    /// Play silence, instead of what plays, until something else is asked for or the call ends.
    PlaybackSilence,
    /// Play a prompt and collect digits.
    PlayAndGetDigits(Box<Collecting>),
    /// Record the call.
    RecordStart {
        /// Whether the caller's digits are silenced in it; as the line is configured if `None`.
        mask_digits: Option<bool>,
    },
    /// End the recording.
    RecordStop,
    /// Leave what follows out of the recording.
    RecordPause {
        /// What becomes of its time.
        mode: PauseMode,
    },
    /// Record again.
    RecordResume,
}

impl Command {
    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::Answer => CommandKind::Answer,
            Self::Hangup { .. } => CommandKind::Hangup,
            Self::PlaybackStart { .. } => CommandKind::PlaybackStart,
            Self::PlaybackStop => CommandKind::PlaybackStop,
            Self::PlaybackPause => CommandKind::PlaybackPause,
            Self::PlaybackResume => CommandKind::PlaybackResume,
            Self::PlaybackSeek { .. } => CommandKind::PlaybackSeek,
            Self::PlaybackRestart => CommandKind::PlaybackRestart,
            Self::PlaybackSilence => CommandKind::PlaybackSilence,
            Self::PlayAndGetDigits(_) => CommandKind::PlayAndGetDigits,
            Self::RecordStart { .. } => CommandKind::RecordStart,
            Self::RecordStop => CommandKind::RecordStop,
            Self::RecordPause { .. } => CommandKind::RecordPause,
            Self::RecordResume => CommandKind::RecordResume,
        }
    }
}

/// A command with its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// The client's name for it; [`Request::operation`] stands in where there is none.
    pub command_uid: Option<CommandUid>,
    /// The daemon's name for it: a fresh UUID.
    pub operation: Uuid,
}

/// What a caller is asked, and with which sounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collecting {
    /// The question.
    pub prompt: Urls,
    /// What is played on invalid input; 250 ms of silence where there is none.
    pub invalid: Option<Urls>,
    /// Which digits are an answer.
    pub plan: DigitPlan,
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $longest:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks and keeps a text; `None` if it has another form.
            #[must_use]
            pub fn new(text: &str) -> Option<Self> {
                let allowed: fn(u8) -> bool = $allowed;
                let fits = (1..=$longest).contains(&text.len());
                (fits && text.bytes().all(allowed)).then(|| Self(text.into()))
            }

            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// A client's name for a command: `^[a-zA-Z0-9._-]{1,128}$`.
    CommandUid,
    limits::COMMAND_UID_CHARS,
    |byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}
checked_text! {
    /// Why a call ended: `^[A-Z_]{1,64}$`.
    HangupCause,
    limits::CAUSE_CHARS,
    |byte| byte.is_ascii_uppercase() || byte == b'_'
}

impl From<Uuid> for CommandUid {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.to_string().into())
    }
}

impl HangupCause {
    /// `DEVICE_LOST`: the line's device went away.
    #[must_use]
    pub fn device_lost() -> Self {
        Self("DEVICE_LOST".into())
    }

    /// `SHUTDOWN`: the daemon was stopped.
    #[must_use]
    pub fn shutdown() -> Self {
        Self("SHUTDOWN".into())
    }

    /// `CRASH`: the daemon died; told at its next start.
    #[must_use]
    pub fn crash() -> Self {
        Self("CRASH".into())
    }
}

impl Default for HangupCause {
    /// `NORMAL_CLEARING`
    fn default() -> Self {
        Self("NORMAL_CLEARING".into())
    }
}

/// 1 to 128 URLs that could be fetched as far as their form goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls(std::sync::Arc<[Box<str>]>);

impl Serialize for Urls {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Why texts are no list of URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlsError {
    /// There is none.
    #[error("no URL")]
    Empty,
    /// More than [`limits::URLS`].
    #[error("{0} URLs")]
    TooMany(usize),
    /// Longer than [`limits::URL_CHARS`].
    #[error("URL {index} has {chars} characters")]
    TooLong {
        /// Which, from 0.
        index: usize,
        /// How long it is.
        chars: usize,
    },
    /// Neither `http://` nor `https://`.
    #[error("URL {0} is of another scheme")]
    Scheme(usize),
    /// Not an absolute URL, or with a user in it.
    #[error("URL {0} is not valid")]
    Form(usize),
}

impl Urls {
    /// Checks and keeps URLs.
    ///
    /// # Errors
    /// [`UrlsError`] says which one and why.
    pub fn new(texts: &[&str]) -> Result<Self, UrlsError> {
        if texts.is_empty() {
            return Err(UrlsError::Empty);
        }
        if texts.len() > limits::URLS {
            return Err(UrlsError::TooMany(texts.len()));
        }
        for (index, text) in texts.iter().enumerate() {
            let chars = text.chars().count();
            if chars > limits::URL_CHARS {
                return Err(UrlsError::TooLong { index, chars });
            }
            let begins = |scheme: &str| {
                text.split_at_checked(scheme.len())
                    .is_some_and(|(start, _)| start.eq_ignore_ascii_case(scheme))
            };
            if !begins("http://") && !begins("https://") {
                return Err(UrlsError::Scheme(index));
            }
            if !fetch::is_url(text) {
                return Err(UrlsError::Form(index));
            }
        }
        Ok(Self(texts.iter().map(|text| (*text).into()).collect()))
    }

    /// The URLs in the order they are played in.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|url| &**url)
    }
}

/// What becomes of the time of a paused recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseMode {
    /// It is silence: positions after it stay true.
    #[default]
    Silence,
    /// It is left out.
    Skip,
}
