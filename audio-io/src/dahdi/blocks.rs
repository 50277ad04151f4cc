//! The blocks that the driver moves between itself and a port: how many, of how many samples.

use super::abi;
use crate::units::{Frames, Millis, SampleRate};

/// Samples the driver moves at once.
const CHUNK: u64 = 8;

/// Blocks a channel has at least, so that one can be written while another is sent.
const BLOCKS_MIN: u64 = 4;

/// The blocks of a channel: how many, of how many samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) count: u32,
    pub(super) frames: u32,
}

impl Blocks {
    /// Blocks of about a period, as many as fill about a buffer, within the driver's limits.
    pub(super) fn new(period: Millis, buffer: Millis) -> Self {
        let rate = SampleRate::TELEPHONE;
        let space = u64::from(abi::MAX_BUF_SPACE.cast_unsigned());
        let longest = space / BLOCKS_MIN / CHUNK * CHUNK;
        let frames = rate.frames_in(period).0.div_ceil(CHUNK) * CHUNK;
        let frames = frames.clamp(2 * CHUNK, longest);
        let most = (space / frames).min(u64::from(abi::MAX_NUM_BUFS.cast_unsigned()));
        let count = rate.frames_in(buffer).0.div_ceil(frames);
        let plain = |number: u64| u32::try_from(number).unwrap_or_default();
        Self {
            count: plain(count.clamp(BLOCKS_MIN, most)),
            frames: plain(frames),
        }
    }

    /// Samples of a block.
    pub(super) fn block(self) -> Frames {
        Frames(self.frames.into())
    }

    /// Samples of all of them.
    pub(super) fn all(self) -> Frames {
        Frames(u64::from(self.frames) * u64::from(self.count))
    }

    /// What the player may be told of the buffer: it keeps half of that filled, which are the two
    /// blocks that a turn may come late by.
    pub(super) fn to_play(self) -> Frames {
        Frames(u64::from(self.frames) * BLOCKS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_the_wishes_within_the_drivers_limits() {
        let blocks = |period, buffer| Blocks::new(Millis(period), Millis(buffer));
        let usual = blocks(20, 200);
        assert_eq!((usual.count, usual.frames), (10, 160));
        let short = blocks(0, 0);
        assert_eq!((short.count, short.frames), (4, 16));
        for (period, buffer) in [
            (1, 10_000),
            (3, 50),
            (60, 100_000),
            (10_000, 10_000),
            (13, 1),
        ] {
            let made = blocks(period, buffer);
            assert!((16..=8_192).contains(&made.frames), "{made:?}");
            assert!((4..=32).contains(&made.count), "{made:?}");
            assert!(made.all().0 <= 32_768, "{made:?}");
            assert_eq!(made.frames % 8, 0);
        }
    }
}
