//! Reads whole blocks of a channel into buffers of any size and any encoding.

use super::abi;
use super::device::Channel;
use crate::codec::g711::convert;
use crate::format::Encoding;
use crate::units::Frames;

/// What one look at the driver gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Frames that were put to the start of the buffer.
    pub(super) frames: Frames,
    /// Why there were no more.
    pub(super) then: Then,
}

/// Why a reader stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The driver has no more.
    Empty,
    /// The buffer is full; there may be more.
    Full,
    /// An event stands in the way.
    Event,
    /// The channel cannot be read.
    Failed(i32),
}

/// The reading side of a channel: mono, one encoding on the wire, one wanted.
pub(super) struct Reader {
    wire: Encoding,
    wanted: Encoding,
    /// One block as the driver gives it, and what of it has not been handed on.
    block: Box<[u8]>,
    from: usize,
    to: usize,
}

impl Reader {
    /// For blocks of so many frames.
    pub(super) fn new(wire: Encoding, wanted: Encoding, block: Frames) -> Self {
        let frames = usize::try_from(block.0).unwrap_or_default().max(1);
        Self {
            wire,
            wanted,
            block: vec![0; frames * wire.sample_bytes()].into_boxed_slice(),
            from: 0,
            to: 0,
        }
    }

    /// Reads until the driver has no more, or the buffer has no room.
    pub(super) fn read(&mut self, channel: &Channel, buffer: &mut [u8]) -> Look {
        let width = self.wanted.sample_bytes();
        let mut done = self.hand_on(buffer);
        let then = loop {
            let room = &mut buffer[done..];
            if room.len() < width || self.from < self.to {
                break Then::Full;
            }
            let direct = self.wire == self.wanted && room.len() >= self.block.len();
            let target = if direct {
                &mut room[..self.block.len()]
            } else {
                &mut self.block[..]
            };
            match channel.read(target) {
                Ok(0) => break Then::Empty,
                Ok(bytes) if direct => done += bytes - bytes % width,
                Ok(bytes) => {
                    (self.from, self.to) = (0, bytes - bytes % self.wire.sample_bytes());
                    done += self.hand_on(&mut buffer[done..]);
                }
                Err(libc::EAGAIN | libc::EINTR) => break Then::Empty,
                Err(abi::ELAST) => break Then::Event,
                Err(errno) => break Then::Failed(errno),
            }
        };
        let frames = Frames((done / width) as u64);
        Look { frames, then }
    }

    /// Forgets what was read and not handed on.
    pub(super) const fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
    }

    /// Hands on what is left of the block, as much as fits, and says how many bytes that made.
    fn hand_on(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.block[self.from..self.to];
        let made = convert(left, self.wire, buffer, self.wanted);
        self.from += made / self.wanted.sample_bytes() * self.wire.sample_bytes();
        made
    }
}
