//! The unit that travels through the rings: a few milliseconds of sound, or a gap, at a position
//! of the stream. Blocks are plain values of one size, so that a ring never allocates.

use serde::{Deserialize, Serialize};

use crate::units::Frames;

/// Sound bytes in one block: 20 ms of 8 kHz 16-bit mono. A multiple of every frame size.
pub const BLOCK_BYTES: usize = 320;

/// Why frames are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The device overran its buffer (`EPIPE`).
    Overrun,
    /// The system was suspended (`ESTRPIPE`).
    Suspend,
    /// The device was unplugged, or could not be opened.
    DeviceLost,
    /// The device stopped delivering frames without an error.
    Stall,
    /// The ring to the recorder was full.
    RingFull,
    /// The disk could not keep up and the recorder's memory bound was reached.
    StorageBehind,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Sound.
    Audio,
    /// This many frames are missing here, for this reason.
    Gap(Frames, GapCause),
}

/// Some frames of a stream, or a gap in it, at a position.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Where the block begins, in frames of the device's clock since the stream started. Gaps
    /// count: position only grows, by exactly the frames of each block.
    pub position: Frames,
    /// Sound or a gap.
    pub kind: BlockKind,
    len: u16,
    bytes: [u8; BLOCK_BYTES],
}

impl Block {
    /// A block of sound. Bytes beyond [`BLOCK_BYTES`] are a bug of the caller and are cut off.
    #[inline]
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "at most BLOCK_BYTES, which fits u16"
    )]
    pub fn audio(position: Frames, sound: &[u8]) -> Self {
        debug_assert!(
            sound.len() <= BLOCK_BYTES,
            "a block holds at most BLOCK_BYTES"
        );
        let len = sound.len().min(BLOCK_BYTES);
        // Most blocks are full: those are copied without being zeroed first.
        let bytes = sound.try_into().unwrap_or_else(|_| {
            let mut bytes = [0; BLOCK_BYTES];
            bytes[..len].copy_from_slice(&sound[..len]);
            bytes
        });
        Self {
            position,
            kind: BlockKind::Audio,
            len: len as u16,
            bytes,
        }
    }

    /// A gap.
    #[must_use]
    pub const fn gap(position: Frames, frames: Frames, cause: GapCause) -> Self {
        Self {
            position,
            kind: BlockKind::Gap(frames, cause),
            len: 0,
            bytes: [0; BLOCK_BYTES],
        }
    }

    /// The sound; empty for a gap.
    #[inline]
    #[must_use]
    pub fn sound(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}
