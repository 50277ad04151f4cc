//! What goes to a connection, paced by the clock: 20 ms each 20 ms, whether anybody is there to
//! hear it or not.

use std::time::Duration;

use super::connection::{Connection, Sent};
use super::converter::Queue;
use crate::capture::next_multiple;
use crate::codec::g711;
use crate::format::StreamFormat;
use crate::player::BUFFER;
use crate::units::Frames;

/// What a frame holds.
pub(super) const FRAME: Duration = Duration::from_millis(20);

/// How far behind the clock it may be. Beyond that the frames between are not sent any more.
const BEHIND_MAX: Duration = Duration::from_millis(100);

/// Frames without a fault after which a peer counts as one that reads: a second.
const RECOVERED: u32 = 50;

/// One line's side of what goes.
pub(super) struct Outlet {
    format: StreamFormat,
    queue: Queue,
    /// When the next frame goes.
    next: Duration,
    /// Samples of a frame.
    frame: usize,
    /// Frames that must get through until dropping one is told again: a peer that hardly reads
    /// lets one through now and then.
    late: u32,
    /// Frames could not be made in time.
    dry: bool,
}

/// What there is to tell of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// The peer has stopped reading, and sound is lost.
    Late,
    /// The connection broke.
    Broken,
}

impl Outlet {
    pub(super) fn new(format: StreamFormat, now: Duration) -> Self {
        let samples = |frames: Frames| usize::try_from(frames.0).unwrap_or_default();
        Self {
            format,
            queue: Queue::new(samples(format.rate.frames_in(BUFFER))),
            next: next_multiple(now, FRAME),
            frame: format.rate.hertz() as usize / 50,
            late: 0,
            dry: false,
        }
    }

    /// Frames that wait.
    pub(super) fn queued(&self) -> Frames {
        Frames(self.queue.len() as u64)
    }

    /// Takes what there is room for.
    pub(super) fn write(&mut self, sound: &[u8]) -> Frames {
        let width = self.format.frame_bytes();
        let count = (sound.len() / width).min(self.queue.room());
        for frame in sound.chunks_exact(width).take(count) {
            self.queue.push(g711::sample(frame, self.format.encoding));
        }
        Frames(count as u64)
    }

    /// Whether frames could not be made in time, since this was asked last.
    pub(super) fn ran_dry(&mut self) -> bool {
        std::mem::take(&mut self.dry)
    }

    /// Sends the frames whose time has come.
    pub(super) fn pace(&mut self, peer: &mut Option<Box<Connection>>, now: Duration) -> Told {
        if now > self.next + BEHIND_MAX {
            self.next = now;
            self.dry = true;
        }
        let mut told = Told::Nothing;
        while now >= self.next && self.queue.len() >= self.frame {
            self.next += FRAME;
            let frame = self.queue.take(self.frame);
            let Some(peer) = peer else {
                drop(frame);
                self.late = 0;
                continue;
            };
            match peer.send(frame) {
                Sent::Gone => self.late = self.late.saturating_sub(1),
                Sent::NotYet => {}
                Sent::Late => {
                    if std::mem::replace(&mut self.late, RECOVERED) == 0 {
                        told = Told::Late;
                    }
                }
                Sent::Broken => return Told::Broken,
            }
        }
        told
    }
}
