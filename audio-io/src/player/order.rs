//! What the mixer is given: programs, orders, and pieces of decoded sound.

use std::sync::Arc;

use super::event::{EndReason, PlayError};
use super::place::{Place, Take};
use super::{PIECE_FRAMES, PlaybackId};
use crate::units::Frames;

/// A playback that is ready to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its number.
    pub id: PlaybackId,
    /// What there is to hear.
    pub sound: Sounding,
    /// Where it begins; past the end it ends at once.
    pub from: Frames,
    /// How long all of it is. [`Place::LAST`] is endless.
    pub length: Frames,
}

/// What a playback plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sounding {
    /// What the decoder brings.
    Files,
    /// Silence; nobody needs to bring it.
    Silence,
}

/// What the mixer is told. Those that name a playback do nothing when it is not the active one.
#[derive(Clone, Debug)]
pub enum Order {
    /// Plays this, after what is active has ended.
    Begin(Program),
    /// Ends all playbacks with lower numbers, those that are still to begin included.
    Cancel(PlaybackId, EndReason),
    /// Stands still. Twice is once.
    Pause(PlaybackId),
    /// Goes on. Twice is once.
    Resume(PlaybackId),
    /// Goes to another place; paused or not stays as it is.
    Seek(PlaybackId, Move),
    /// The decoder can bring no more than it has.
    Broken(Broken),
}

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To this frame. Past the end ends the playback.
    To(Frames),
    /// So many frames forward or back. Before the start is the start.
    By(i64),
}

/// The place at which a take ends before its sound does.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The first frame that is missing.
    pub place: Place,
    /// The file's number.
    pub file: usize,
    /// Why.
    pub error: Arc<PlayError>,
}

/// Decoded sound on its way through the mixer.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its first frame.
    pub place: Place,
    /// Samples in use.
    pub len: usize,
    /// The samples.
    pub samples: [i16; PIECE_FRAMES],
}

impl Piece {
    pub(super) const EMPTY: Self = Self {
        place: Place {
            take: Take::new(PlaybackId(0), 0),
            at: Frames::ZERO,
        },
        len: 0,
        samples: [0; PIECE_FRAMES],
    };

    pub(super) fn sample(&self, place: Place) -> Option<i16> {
        let behind = place.at.0.checked_sub(self.place.at.0)?;
        let index = usize::try_from(behind).ok()?;
        (self.place.take == place.take && index < self.len).then(|| self.samples[index])
    }
}

/// Where the mixer's sound comes from.
pub trait Feed {
    /// Gives the piece that has this frame; false where it is not there yet.
    fn piece(&mut self, place: Place, out: &mut Piece) -> bool;

    /// Says which takes are of use: the one that sounds and the one that comes next. All others
    /// may be forgotten.
    fn keep(&mut self, _now: Take, _next: Take) {}
}
