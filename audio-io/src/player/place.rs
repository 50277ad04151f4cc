//! What the mixer wants of the decoder, and what a decoded block is, in one word that two threads
//! hand over at once: whose sound, since which jump, from which frame on.
//!
//! ```text
//!  63        52 51        40 39                       0
//!  | playback  |   jump     |   frame of the sound    |
//! ```
//! The first two are counted modulo 4096: far more than ever lie in one ring.

use super::PlaybackId;
use crate::units::Frames;

const FRAME_BITS: u32 = 40;
const COUNT_BITS: u32 = 12;
const FRAME_MASK: u64 = (1 << FRAME_BITS) - 1;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// A stretch of sound that is read without a jump: a playback's, after so many jumps in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Take(u64);

impl Take {
    /// A playback's sound after so many jumps of the mixer.
    #[must_use]
    pub const fn new(playback: PlaybackId, jumps: u64) -> Self {
        Self((playback.0 & COUNT_MASK) << COUNT_BITS | jumps & COUNT_MASK)
    }

    /// Whether it is this playback's.
    #[must_use]
    pub const fn is_of(self, playback: PlaybackId) -> bool {
        self.0 >> COUNT_BITS == playback.0 & COUNT_MASK
    }
}

/// A frame of a take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Of which take.
    pub take: Take,
    /// Frames since the sound's beginning; 2^40 - 1 at most.
    pub at: Frames,
}

impl Place {
    /// The farthest place that there is: 265 days at 48 kHz.
    pub const LAST: Frames = Frames(FRAME_MASK);

    /// All of it in one word.
    #[must_use]
    pub fn pack(self) -> u64 {
        self.take.0 << FRAME_BITS | self.at.min(Self::LAST).0
    }

    /// What was packed.
    #[must_use]
    pub const fn unpack(word: u64) -> Self {
        Self {
            take: Take(word >> FRAME_BITS),
            at: Frames(word & FRAME_MASK),
        }
    }
}

const _: () = assert!(FRAME_BITS + 2 * COUNT_BITS == u64::BITS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_being_packed() {
        for (playback, jumps, at) in [
            (0, 0, 0),
            (1, 0, 7),
            (4_095, 4_095, FRAME_MASK),
            (5_000, 9_999, 123_456_789),
        ] {
            let take = Take::new(PlaybackId(playback), jumps);
            let place = Place {
                take,
                at: Frames(at),
            };
            assert_eq!(Place::unpack(place.pack()), place);
            assert!(place.take.is_of(PlaybackId(playback)));
            assert!(!place.take.is_of(PlaybackId(playback + 1)));
            assert_ne!(take, Take::new(PlaybackId(playback), jumps + 1));
        }
        let beyond = Place {
            take: Take::default(),
            at: Frames(u64::MAX),
        };
        assert_eq!(Place::unpack(beyond.pack()).at, Place::LAST);
    }
}
