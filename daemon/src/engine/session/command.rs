//! Commands of seed 001 as values that cannot be wrong: each is checked when it is made. How they
//! look in JSON is `http/wire/session_commands.rs`.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use super::limits;
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
    RecordStart,
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
            Self::RecordStart => CommandKind::RecordStart,
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

/// A key of a telephone (ITU-T Q.23): `0` to `9`, `*`, `#`, `A` to `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Digit(char);

impl Digit {
    /// A key by its character; `None` if there is no such key.
    #[must_use]
    pub const fn new(key: char) -> Option<Self> {
        match key {
            '0'..='9' | '*' | '#' | 'A'..='D' => Some(Self(key)),
            _ => None,
        }
    }

    /// Its character.
    #[must_use]
    pub const fn key(self) -> char {
        self.0
    }
}

/// Which digits are an answer, and how long a caller has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitPlan {
    min_digits: u32,
    max_digits: u32,
    max_tries: u32,
    timeout_ms: u32,
    terminators: Terminators,
}

/// The keys that end an input: none, `#`, `*` or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminators {
    hash: bool,
    star: bool,
}

impl Terminators {
    /// Reads at most 16 characters, each `#` or `*`; `None` for anything else. An empty text is no
    /// terminator at all.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = text.len() <= limits::TERMINATORS;
        (fits && text.bytes().all(|byte| b"#*".contains(&byte))).then(|| Self {
            hash: text.contains('#'),
            star: text.contains('*'),
        })
    }

    const fn contains(self, digit: Digit) -> bool {
        match digit.key() {
            '#' => self.hash,
            '*' => self.star,
            _ => false,
        }
    }
}

impl Default for Terminators {
    /// `#`
    fn default() -> Self {
        Self {
            hash: true,
            star: false,
        }
    }
}

/// Numbers that make no [`DigitPlan`], by the field of seed 001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `min_digits` outside 0 to 128.
    #[error("min_digits is {0}")]
    MinDigits(u32),
    /// `max_digits` outside 1 to 128.
    #[error("max_digits is {0}")]
    MaxDigits(u32),
    /// `min_digits` above `max_digits`.
    #[error("min_digits is {min}, max_digits {max}")]
    MinAboveMax {
        /// `min_digits`
        min: u32,
        /// `max_digits`
        max: u32,
    },
    /// `max_tries` outside 1 to 10.
    #[error("max_tries is {0}")]
    MaxTries(u32),
    /// `timeout` outside 1000 to 300000.
    #[error("timeout is {0}")]
    Timeout(u32),
    /// `timeout * max_tries` above 120000.
    #[error("timeout * max_tries is {0} ms")]
    Whole(u32),
}

/// The numbers of a [`DigitPlan`] before they are checked, under their names in seed 001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanNumbers {
    /// Fewest digits of an answer, 0 to 128.
    pub min_digits: u32,
    /// Most digits of an answer, 1 to 128.
    pub max_digits: u32,
    /// How often a caller is asked at most, 1 to 10.
    pub max_tries: u32,
    /// For one try, from the prompt's end, 1000 to 300000.
    pub timeout_ms: u32,
}

impl Default for PlanNumbers {
    fn default() -> Self {
        Self {
            min_digits: limits::DIGITS_MIN_DEFAULT,
            max_digits: limits::DIGITS_MAX_DEFAULT,
            max_tries: limits::TRIES_DEFAULT,
            timeout_ms: limits::TRY_DEFAULT_MS,
        }
    }
}

impl DigitPlan {
    /// Checks numbers.
    ///
    /// # Errors
    /// [`PlanError`] names the first field that is out of its range.
    pub fn new(numbers: PlanNumbers, terminators: Terminators) -> Result<Self, PlanError> {
        let PlanNumbers {
            min_digits: min,
            max_digits: max,
            max_tries,
            timeout_ms,
        } = numbers;
        if min > limits::DIGITS {
            return Err(PlanError::MinDigits(min));
        }
        if !(1..=limits::DIGITS).contains(&max) {
            return Err(PlanError::MaxDigits(max));
        }
        if min > max {
            return Err(PlanError::MinAboveMax { min, max });
        }
        if !(1..=limits::TRIES).contains(&max_tries) {
            return Err(PlanError::MaxTries(max_tries));
        }
        if !(limits::TRY_MIN_MS..=limits::TRY_MAX_MS).contains(&timeout_ms) {
            return Err(PlanError::Timeout(timeout_ms));
        }
        let whole = timeout_ms * max_tries;
        if whole > limits::TRIES_WHOLE_MS {
            return Err(PlanError::Whole(whole));
        }
        Ok(Self {
            min_digits: min,
            max_digits: max,
            max_tries,
            timeout_ms,
            terminators,
        })
    }

    /// Whether so many digits are an answer.
    #[must_use]
    pub const fn is_enough(&self, digits: usize) -> bool {
        digits >= self.min_digits as usize
    }

    /// Whether no further digit belongs to the answer.
    #[must_use]
    pub const fn is_full(&self, digits: usize) -> bool {
        digits >= self.max_digits as usize
    }

    /// How often a caller is asked at most.
    #[must_use]
    pub const fn max_tries(&self) -> u32 {
        self.max_tries
    }

    /// How long one try lasts after its prompt.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms as u64)
    }

    /// Whether a key ends the input.
    #[must_use]
    pub const fn is_terminator(&self, digit: Digit) -> bool {
        self.terminators.contains(digit)
    }
}
