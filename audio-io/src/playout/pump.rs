//! Moves sound from one ring to one port, and silence where there is none.
//!
//! Sound is given as soon as the device has room. Silence is given only as far as the device needs
//! it to keep running (half its buffer), so that sound which comes later is heard soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::PlayoutStats;
use crate::alsa::start_threshold;
use crate::block::{BLOCK_BYTES, BlockKind};
use crate::capture::{DeviceState, Turn, duration, next_multiple};
use crate::drive::Pump;
use crate::format::StreamFormat;
use crate::limits::{ABSENT_GAP_EVERY, UNDERRUNS_PER_TURN_MAX};
use crate::port::{Pacing, PlaybackPort, Played, PollEntry, PortParams};
use crate::ring::BlockConsumer;
use crate::timeline::Timeline;
use crate::units::Frames;

/// One stream's side of the real-time loop. It owns no port and no clock: both are given to it.
pub struct PlayoutPump {
    format: StreamFormat,
    ring: BlockConsumer,
    stats: Arc<PlayoutStats>,
    /// The block on its way to the device: what of it is still to be taken.
    piece: [u8; BLOCK_BYTES],
    from: usize,
    to: usize,
    /// Frames of silence on their way, from a gap.
    hush: Frames,
    silence: [u8; BLOCK_BYTES],
    /// Whether the last frames given were from the ring.
    playing: bool,
    present: Option<PortParams>,
    /// Of a free-running device, and while there is none: what has been given or dropped.
    pace: Timeline,
    paced: Frames,
    due: Duration,
}

/// Where frames that are written come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Piece,
    Hush,
    Padding,
}

impl PlayoutPump {
    /// A stream that plays silence until its ring has sound.
    #[must_use]
    pub fn new(
        format: StreamFormat,
        ring: BlockConsumer,
        stats: Arc<PlayoutStats>,
        now: Duration,
    ) -> Self {
        Self {
            format,
            ring,
            stats,
            piece: [0; BLOCK_BYTES],
            from: 0,
            to: 0,
            hush: Frames::ZERO,
            silence: [format.encoding.silence_byte(); BLOCK_BYTES],
            playing: false,
            present: None,
            pace: Timeline::new(format.rate, now, Frames::ZERO),
            paced: Frames::ZERO,
            due: now,
        }
    }

    /// When it needs a turn, in monotonic time.
    #[must_use]
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// Takes a port that was just opened.
    pub fn attach(&mut self, params: PortParams, now: Duration) {
        self.present = Some(params);
        self.restart_pace(now);
        bump(&self.stats.opens, 1);
        store(&self.stats.period_frames, params.period);
        store(&self.stats.buffer_frames, params.buffer);
        self.stats
            .state
            .store(DeviceState::Running as u32, Ordering::Relaxed);
        self.due = now;
    }

    /// Gives the port what it has room for. After [`Turn::Gone`] it must be closed.
    pub fn turn(&mut self, port: &mut dyn PlaybackPort, now: Duration) -> Turn {
        let Some(params) = self.present else {
            return Turn::Idle;
        };
        let low = start_threshold(params.buffer);
        let mut turn = Turn::Idle;
        let mut underruns = 0;
        loop {
            // How much more the device should get, of sound and of silence.
            let (room, padding) = match params.pacing {
                Pacing::Device => {
                    let queued = port.queued();
                    (
                        params.buffer.saturating_sub(queued),
                        low.saturating_sub(queued),
                    )
                }
                Pacing::Clock => {
                    let due = (self.pace.expected(now) + low).saturating_sub(self.paced);
                    (due, due)
                }
            };
            let (source, frames) = self.next(room, padding);
            if frames == Frames::ZERO {
                break;
            }
            match self.write(port, source, frames) {
                Played::Frames(taken) if taken > Frames::ZERO => {
                    self.took(source, taken);
                    turn = Turn::Busy;
                }
                Played::Frames(_) | Played::Full => break,
                Played::Underrun => {
                    bump(&self.stats.underruns, 1);
                    underruns += 1;
                    if underruns > UNDERRUNS_PER_TURN_MAX {
                        break;
                    }
                }
                Played::Gone(errno) => return self.gone(errno, now),
            }
        }
        store(&self.stats.delay_frames, port.delay());
        self.due = next_multiple(now, duration(params.period, self.format.rate));
        turn
    }

    /// Lets time pass while there is no port: what should have been heard meanwhile is dropped.
    pub fn absent(&mut self, now: Duration) {
        loop {
            let room = self.pace.expected(now).saturating_sub(self.paced);
            let (source, frames) = self.next(room, Frames::ZERO);
            if frames == Frames::ZERO {
                break;
            }
            bump(&self.stats.dropped_frames, frames.0);
            self.advance(source, frames);
        }
        // What was not there to be dropped is not owed later.
        self.restart_pace(now);
        self.due = next_multiple(now, ABSENT_GAP_EVERY);
    }

    /// What to write next, and how much of it.
    fn next(&mut self, room: Frames, padding: Frames) -> (Source, Frames) {
        if self.from == self.to && self.hush == Frames::ZERO && room > Frames::ZERO {
            self.pull();
        }
        let block = self.format.frames_in(BLOCK_BYTES as u64);
        if self.from < self.to {
            let left = self.format.frames_in((self.to - self.from) as u64);
            (Source::Piece, left.min(room))
        } else if self.hush > Frames::ZERO {
            (Source::Hush, self.hush.min(room).min(block))
        } else {
            (Source::Padding, padding.min(block))
        }
    }

    /// Takes the next block from the ring, if there is one.
    fn pull(&mut self) {
        let (piece, hush) = (&mut self.piece, &mut self.hush);
        let length = self.ring.pop_with(|block| match block.kind {
            BlockKind::Audio => {
                piece[..block.sound().len()].copy_from_slice(block.sound());
                block.sound().len()
            }
            BlockKind::Gap(frames, _) => {
                *hush = frames;
                0
            }
        });
        let length = length.unwrap_or_default();
        self.from = 0;
        self.to = length - length % self.format.frame_bytes();
    }

    fn write(&self, port: &mut dyn PlaybackPort, source: Source, frames: Frames) -> Played {
        let bytes = usize::try_from(self.format.bytes_of(frames)).unwrap_or(BLOCK_BYTES);
        port.write(match source {
            Source::Piece => &self.piece[self.from..self.from + bytes],
            Source::Hush | Source::Padding => &self.silence[..bytes],
        })
    }

    fn took(&mut self, source: Source, frames: Frames) {
        if source == Source::Padding {
            bump(&self.stats.silence_frames, frames.0);
            if self.playing {
                bump(&self.stats.ran_dry, 1);
            }
        } else {
            bump(&self.stats.frames, frames.0);
        }
        self.playing = source != Source::Padding;
        self.advance(source, frames);
    }

    fn advance(&mut self, source: Source, frames: Frames) {
        match source {
            Source::Piece => {
                let bytes = usize::try_from(self.format.bytes_of(frames)).unwrap_or(BLOCK_BYTES);
                self.from = (self.from + bytes).min(self.to);
            }
            Source::Hush => self.hush = self.hush.saturating_sub(frames),
            Source::Padding => {}
        }
        self.paced += frames;
    }

    fn restart_pace(&mut self, now: Duration) {
        self.pace = Timeline::new(self.format.rate, now, Frames::ZERO);
        self.paced = Frames::ZERO;
    }

    fn gone(&mut self, errno: i32, now: Duration) -> Turn {
        self.present = None;
        self.playing = false;
        self.restart_pace(now);
        self.stats
            .last_errno
            .store(errno.unsigned_abs(), Ordering::Relaxed);
        store(&self.stats.period_frames, Frames::ZERO);
        store(&self.stats.buffer_frames, Frames::ZERO);
        store(&self.stats.delay_frames, Frames::ZERO);
        self.stats
            .state
            .store(DeviceState::Lost as u32, Ordering::Relaxed);
        self.due = next_multiple(now, ABSENT_GAP_EVERY);
        Turn::Gone
    }
}

impl Pump for PlayoutPump {
    type Port = dyn PlaybackPort;

    fn attach(&mut self, port: &mut (dyn PlaybackPort + 'static), _polled: bool, now: Duration) {
        let params = port.params();
        self.attach(params, now);
    }

    fn turn(
        &mut self,
        port: &mut (dyn PlaybackPort + 'static),
        _events: i16,
        _scratch: &mut [u8],
        now: Duration,
    ) -> Turn {
        self.turn(port, now)
    }

    fn absent(&mut self, now: Duration) {
        self.absent(now);
    }

    fn due(&self) -> Duration {
        self.due
    }

    /// None: a device that is kept half full always has room, so its descriptors would wake the
    /// loop without end. The clock wakes it once a period instead.
    fn poll_entries(_port: &dyn PlaybackPort, _out: &mut Vec<PollEntry>) {}

    fn ready(_port: &mut (dyn PlaybackPort + 'static), _revents: &[i16]) -> i16 {
        0
    }
}

/// Adds to a counter that only this thread writes.
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

fn store(counter: &AtomicU32, frames: Frames) {
    counter.store(
        u32::try_from(frames.0).unwrap_or(u32::MAX),
        Ordering::Relaxed,
    );
}
