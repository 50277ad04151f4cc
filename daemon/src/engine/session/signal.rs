//! What comes into a session besides commands, and what it asks of the line, the fetcher, the
//! player and the recorder. Whoever drives a session carries out its actions in their order.

use audio_io::units::Millis;

use super::command::{HangupCause, PauseMode, Urls};
use super::digits::Part;
use super::plan::Digit;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

number! {
    /// The files of one command, in one session; never used again.
    JobId
}
number! {
    /// One thing that the player plays, in one session; never used again.
    SoundId
}
number! {
    /// One recording, in one session; never used again.
    TakeId
}

/// Something that happened. Those that come too late, twice, or for an unknown id are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The line rings.
    Ring,
    /// The call is answered.
    Answered,
    /// The call ended on the line's side.
    HungUp {
        /// Why.
        cause: HangupCause,
    },
    /// The line's device went away; the call is over.
    DeviceLost,
    /// All files that [`Action::Prepare`] named are there.
    Prepared {
        /// Whose.
        job: JobId,
        /// Which of its lists.
        part: Part,
        /// The files as the daemon names them.
        file_path: String,
    },
    /// A file that [`Action::Prepare`] named cannot be had.
    NotFound {
        /// Whose.
        job: JobId,
        /// Which file.
        url: String,
        /// Why, in words.
        error: String,
    },
    /// The player has begun.
    SoundStarted {
        /// With what.
        sound: SoundId,
    },
    /// The player has ended, by itself or because it was asked to.
    SoundEnded {
        /// With what.
        sound: SoundId,
        /// How.
        end: SoundEnd,
    },
    /// The caller pressed a key.
    Digit {
        /// Which.
        digit: Digit,
        /// For how long.
        duration_ms: Millis,
    },
    /// The recorder has begun.
    RecordingStarted {
        /// Which recording.
        take: TakeId,
    },
    /// The recorder has ended, by itself or because it was asked to.
    RecordingEnded {
        /// Which recording.
        take: TakeId,
        /// With what.
        outcome: TakeOutcome,
    },
    /// [`super::Session::next_due`] has come.
    TimerDue,
}

/// How a sound ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundEnd {
    /// Where in the files.
    pub offset_ms: Millis,
    /// How long it was heard.
    pub duration_ms: Millis,
    /// Whether the player could not go on.
    pub failed: bool,
}

/// What became of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeOutcome {
    /// It is stored.
    Completed {
        /// Where it can be fetched.
        recording_url: String,
        /// Its length.
        duration_ms: Millis,
    },
    /// Too short or silent.
    Absent,
    /// It could not be kept.
    Failed {
        /// Why, in words.
        error: String,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take the call; [`Signal::Answered`] says when that is done.
    Answer,
    /// Release the line.
    HangUp,
    /// Fetch and decode files, all at once; [`Signal::Prepared`] or [`Signal::NotFound`] follows.
    Prepare {
        /// For whom.
        job: JobId,
        /// As which of its lists.
        part: Part,
        /// The files.
        urls: Urls,
    },
    /// Forget the files of a job, and fetch no more for it. Comes once for every job.
    Release {
        /// Whose.
        job: JobId,
    },
    /// Play; [`Signal::SoundStarted`] and [`Signal::SoundEnded`] follow.
    Play {
        /// By this name.
        sound: SoundId,
        /// This.
        what: Sound,
    },
    /// End a sound; [`Signal::SoundEnded`] follows.
    Stop {
        /// Which.
        sound: SoundId,
    },
    /// Hold a sound.
    Pause {
        /// Which.
        sound: SoundId,
    },
    /// Go on with a sound.
    Resume {
        /// Which.
        sound: SoundId,
    },
    /// Move a sound, from where it is. Before its start is its start; past its end it ends.
    Seek {
        /// Which.
        sound: SoundId,
        /// Forward if positive.
        by_ms: i64,
    },
    /// Begin a sound again, at the start of its first file; one that is held stays held.
    Restart {
        /// Which.
        sound: SoundId,
    },
    /// Record; [`Signal::RecordingStarted`] and [`Signal::RecordingEnded`] follow.
    Record {
        /// By this name.
        take: TakeId,
        /// Whether the caller's digits are silenced in it; as the line is configured if `None`.
        mask_digits: Option<bool>,
    },
    /// End a recording; [`Signal::RecordingEnded`] follows.
    EndRecording {
        /// Which.
        take: TakeId,
    },
    /// Leave what follows out of a recording.
    PauseRecording {
        /// Which.
        take: TakeId,
        /// What becomes of the time.
        mode: PauseMode,
    },
    /// Record again.
    ResumeRecording {
        /// Which.
        take: TakeId,
    },
}

/// What is to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A job's files, one after the other.
    Files {
        /// Whose.
        job: JobId,
        /// Which of its lists.
        part: Part,
        /// Where in the first file to begin, in seconds; past its end, the sound ends at once.
        offset_sec: u32,
    },
    /// Silence for a while, or without end.
    Silence {
        /// How long.
        length: Option<Millis>,
    },
}
