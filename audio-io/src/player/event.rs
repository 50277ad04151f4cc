//! What a player tells: the beginning and the end of each playback, as they were heard.

use std::sync::Arc;

use super::PlaybackId;
use crate::codec::pcm::DecodeError;
use crate::units::Millis;

/// Something that happened on a line.
#[derive(Clone, Debug)]
pub struct PlayerEvent {
    /// The line's number, as it was given with its [`super::PlayerLine`].
    pub line: u32,
    /// Which playback.
    pub playback: PlaybackId,
    /// What happened.
    pub what: Happened,
}

/// What happened. Every playback ends in exactly one of all but the first.
#[derive(Clone, Debug)]
pub enum Happened {
    /// All its files are open, and the device begins to play it.
    Started,
    /// It is over, and its last frame has been heard.
    Stopped(Stopped),
    /// It never began: one of its files cannot be read or is no sound we know.
    FileNotFound {
        /// The file's number in the list, from 0.
        file: usize,
        /// Why.
        error: Arc<PlayError>,
    },
    /// It broke off: a file could not be read to its end.
    Failed {
        /// How far it came.
        stopped: Stopped,
        /// The file's number in the list, from 0.
        file: usize,
        /// Why.
        error: Arc<PlayError>,
    },
}

/// How a playback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Why.
    pub reason: EndReason,
    /// Where in the sound (of all files in a row) it ended.
    pub offset: Millis,
    /// How much of the sound the device took, without pauses and waiting; what was played twice
    /// counts twice.
    pub played: Millis,
    /// Times the decoder did not keep up. Each is heard as silence.
    pub underruns: u64,
}

impl Stopped {
    /// The end of a playback that nobody heard.
    pub(super) const fn never_began(reason: EndReason) -> Self {
        Self {
            reason,
            offset: Millis::ZERO,
            played: Millis::ZERO,
            underruns: 0,
        }
    }
}

/// Why a playback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It was played to its end.
    Finished,
    /// A seek went past its end.
    SeekPastEnd,
    /// It was stopped by command.
    Stopped,
    /// Another playback, or silence, took its place.
    Replaced,
    /// The call ended.
    HungUp,
    /// A file could not be read to its end.
    Failed,
    /// The player was shut down.
    Closed,
}

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// It cannot be read or decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It has less sound than it says.
    #[error("the file ends before its sound does")]
    Short,
    /// Its decoder panicked.
    #[error("the file's decoder panicked; the journal has its last words")]
    Panicked,
    /// All files together are longer than [`super::Place::LAST`].
    #[error("the files are more than {} frames long", super::Place::LAST.0)]
    TooLong,
}
