//! What waits in the driver to be heard. The driver does not say; but it sends a sample whenever
//! it receives one, so what waits is what was written less what was read since.
//!
//! ```text
//!  read block ─▶ write, write ─▶ read block ─▶ write ─▶ …      queued: 0, 2 b, b, 2 b, b …
//! ```
//! The first block is written right after one was read, where both ways are known to stand at the
//! edge of a block: from there on the delay is the same to the sample.

use crate::units::Frames;

/// The account of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lockstep {
    /// Frames that wait in the driver.
    queued: u64,
    /// Whether sound is being sent.
    running: bool,
    /// Whether the driver ran dry since that was asked.
    dry: bool,
    /// Whether a block was read in this turn.
    fresh: bool,
}

impl Lockstep {
    /// So many frames were read: as many have been sent.
    pub(super) const fn read(&mut self, frames: Frames) {
        self.fresh = true;
        if !self.running {
            return;
        }
        match self.queued.checked_sub(frames.0) {
            Some(left) => self.queued = left,
            None => {
                *self = Self {
                    dry: true,
                    fresh: true,
                    ..Self::STOPPED
                };
            }
        }
    }

    /// So many frames were written.
    pub(super) const fn wrote(&mut self, frames: Frames) {
        self.queued += frames.0;
        self.running = true;
    }

    /// Whether a block may be written now.
    pub(super) const fn may_write(&self) -> bool {
        self.running || self.fresh
    }

    /// Whether sound is being sent.
    pub(super) const fn is_running(&self) -> bool {
        self.running
    }

    /// Whether the driver ran dry since this was asked.
    pub(super) const fn take_dry(&mut self) -> bool {
        std::mem::replace(&mut self.dry, false)
    }

    /// Nothing waits any more, and nothing is sent until a block was read.
    pub(super) const fn stop(&mut self) {
        *self = Self::STOPPED;
    }

    /// What is written from now on is no longer right after a block.
    pub(super) const fn turn_over(&mut self) {
        self.fresh = false;
    }

    /// Frames that wait in the driver.
    pub(super) const fn queued(&self) -> Frames {
        Frames(self.queued)
    }

    const STOPPED: Self = Self {
        queued: 0,
        running: false,
        dry: false,
        fresh: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_starts_behind_a_block_and_keeps_its_distance() {
        let mut lockstep = Lockstep::default();
        assert!(!lockstep.may_write());
        lockstep.read(Frames(160));
        assert!(lockstep.may_write());
        lockstep.wrote(Frames(160));
        lockstep.wrote(Frames(160));
        lockstep.turn_over();
        for _ in 0..1_000 {
            assert_eq!(lockstep.queued(), Frames(320));
            lockstep.read(Frames(160));
            assert!(lockstep.may_write());
            lockstep.wrote(Frames(160));
            lockstep.turn_over();
        }
        assert!(!lockstep.take_dry());
    }

    #[test]
    fn a_late_reader_finds_the_driver_dry_once() {
        let mut lockstep = Lockstep::default();
        lockstep.read(Frames(160));
        lockstep.wrote(Frames(320));
        lockstep.turn_over();
        lockstep.read(Frames(320));
        assert!(!lockstep.take_dry(), "just in time");
        lockstep.read(Frames(160));
        assert!(lockstep.take_dry());
        assert!(!lockstep.take_dry());
        assert_eq!(lockstep.queued(), Frames(0));
        assert!(lockstep.may_write(), "a block was just read");
        lockstep.turn_over();
        assert!(!lockstep.may_write());
    }
}
