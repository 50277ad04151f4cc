//! What goes between a line on the recorder thread and the exchange, which drives the sessions.
//!
//! ```text
//!  exchange ── LineOrder ──▶ recorder thread: line ── sound, digits, recording
//!     ▲                            │
//!     └────────── LineNews ────────┘
//! ```
//! Orders take effect in the order they are given. News of one line arrive in their order. Neither
//! side waits for the other.

use audio_io::player::{PlayerControl, PlayerEvent};
use audio_io::units::Millis;
use storage::ids::RecordingId;
use storage::record::Recording;
use uuid::Uuid;

use crate::engine::line::Parties;
use crate::engine::session::command::{HangupCause, PauseMode};
use crate::engine::session::plan::Digit;
use crate::engine::session::signal::TakeId;

/// A line by its place in the configuration, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineNumber(pub u32);

/// The players of all lines, and what they tell.
pub(crate) struct Players {
    /// In the order of lines; `None` for a line without `playback`.
    pub(crate) controls: Vec<Option<PlayerControl>>,
    /// What they tell. A [`PlayerEvent::line`] is the number of a line.
    pub(crate) events: std::sync::mpsc::Receiver<PlayerEvent>,
}

/// What the exchange asks of a line. What names a session that is not the line's is ignored.
#[derive(Clone, Debug)]
pub(crate) enum LineOrder {
    /// From now on there is this call on the line: digits are told, recordings bear its name.
    Attach {
        /// The call.
        session: Uuid,
        /// Who talks to whom.
        parties: Parties,
    },
    /// The call is over. A recording of it ends with it.
    Detach {
        /// The call.
        session: Uuid,
    },
    /// Go off hook: take the call. [`LineNews::Answered`] or [`LineNews::CallEnded`] follows. Only
    /// for lines that signal.
    Answer {
        /// The call.
        session: Uuid,
    },
    /// Begin a call outwards, which [`LineOrder::Attach`] has named: ring the telephone, or seize
    /// the line and dial. [`LineNews::Answered`] or [`LineNews::CallEnded`] follows. Only for lines
    /// that signal.
    Place {
        /// The call.
        session: Uuid,
        /// What to dial.
        number: Option<String>,
    },
    /// Record from now on, without look-back.
    Record {
        /// The call.
        session: Uuid,
        /// The recording's name in the call.
        take: TakeId,
        /// Whether digits are silenced in it; as the line is configured if `None`.
        mask_digits: Option<bool>,
    },
    /// End the recording. On a line that records by itself nothing is recorded then until the
    /// next call, or [`LineOrder::Record`].
    EndRecording {
        /// The call.
        session: Uuid,
        /// Which.
        take: TakeId,
    },
    /// Leave what follows out of the recording.
    PauseRecording {
        /// The call.
        session: Uuid,
        /// Which.
        take: TakeId,
        /// What becomes of the time.
        mode: PauseMode,
    },
    /// Record again.
    ResumeRecording {
        /// The call.
        session: Uuid,
        /// Which.
        take: TakeId,
    },
}

/// Something that happened on a line.
#[derive(Debug)]
pub(crate) struct News {
    /// Which line.
    pub(crate) line: LineNumber,
    /// The call it belongs to.
    pub(crate) session: Uuid,
    /// What.
    pub(crate) what: LineNews,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum LineNews {
    /// A call has begun by itself (voice on a `vox` line, a ring, a telephone off hook); the line,
    /// or whoever connected, made its UUID.
    CallBegan {
        /// Who calls whom: what the line heard, or is configured with.
        parties: Parties,
        /// Whether it has still to be answered.
        ringing: bool,
    },
    /// The call is answered.
    Answered,
    /// The call is over on the line's side (silence, on-hook, a tone, an alarm).
    CallEnded {
        /// Why.
        cause: HangupCause,
    },
    /// The line's device has been away for too long; the call is over.
    DeviceLost,
    /// The caller's key is over.
    Digit {
        /// Which.
        digit: Digit,
        /// For how long.
        duration_ms: Millis,
    },
    /// A recording has begun: one that was asked for, or one of the line's own trigger, whose
    /// `take` is then [`own_take`].
    RecordingBegan {
        /// Its name in the call.
        take: TakeId,
        /// Its number.
        id: RecordingId,
    },
    /// A recording has ended, or could not begin.
    RecordingEnded {
        /// Its name in the call.
        take: TakeId,
        /// What became of it.
        end: TakeEnd,
    },
}

/// What became of a recording.
#[derive(Debug)]
pub(crate) enum TakeEnd {
    /// Stored.
    Stored(Box<Recording>),
    /// Too short or silent.
    Absent,
    /// It could not begin, or be kept; why, in words.
    Failed(String),
}

/// The name in its call of a recording that the line's trigger began.
pub(crate) const fn own_take(id: RecordingId) -> TakeId {
    TakeId(OWN | id.0)
}

/// Whether a recording was begun by the line's trigger.
pub(crate) const fn is_own(take: TakeId) -> bool {
    take.0 & OWN != 0
}

/// Set in the names of recordings that a session has not named.
const OWN: u64 = 1 << 63;
