//! Moves sound from one port into one ring, and puts a gap wherever frames are missing.
//!
//! ```text
//!            attach                 frames                    Lost, stall
//!  Absent ────────────▶ Running ◀──────────── Resuming ◀──────────────────┐
//!    ▲  gaps by the       │   └─────────────────────────────────────────────┘
//!    │  clock             │ gone, or it stalls on
//!    └────────────────────┘
//! ```
//! While resuming, the first frames that arrive say where the stream goes on: what is missing
//! before them, by the clock and the stream's own progress, is the gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::backlog::Backlog;
use super::{CaptureStats, DeviceState};
use crate::block::{BLOCK_BYTES, Block, GapCause};
use crate::drive::{Pump, Turn};
use crate::format::StreamFormat;
use crate::limits::{
    ABSENT_GAP_EVERY, FIRST_FRAMES_GRACE, READS_PER_TURN_MAX, STALL_MIN, STALL_PERIODS,
};
use crate::port::{CapturePort, Captured, Pacing, PollEntry, PortParams};
use crate::ring::BlockProducer;
use crate::timeline::Timeline;
use crate::units::{Frames, SampleRate};

/// One stream's side of the real-time loop. It owns no port and no clock: both are given to it.
pub struct StreamPump {
    format: StreamFormat,
    ring: BlockProducer,
    stats: Arc<CaptureStats>,
    /// Where the next frame belongs.
    position: Frames,
    backlog: Backlog,
    /// Frames that the next sound repeats of what was given up as a gap already.
    skip: Frames,
    /// Unknown until there was a first frame, or a first failure.
    timeline: Option<Timeline>,
    /// Why frames are missing before the next ones, if they are.
    resuming: Option<GapCause>,
    present: Option<Present>,
    created: Duration,
    due: Duration,
}

/// What is known of the port while there is one.
struct Present {
    pacing: Pacing,
    /// Whether its descriptors wake the loop.
    polled: bool,
    period: Duration,
    /// How long without frames is a stall.
    patience: Duration,
    last_frames: Duration,
    /// How often it was restarted since its last frames.
    restarts: u32,
}

impl StreamPump {
    /// A stream that begins when its device delivers the first frame, or fails to be there.
    #[must_use]
    pub const fn new(
        format: StreamFormat,
        ring: BlockProducer,
        stats: Arc<CaptureStats>,
        now: Duration,
    ) -> Self {
        Self {
            format,
            ring,
            stats,
            position: Frames::ZERO,
            backlog: Backlog::new(),
            skip: Frames::ZERO,
            timeline: None,
            resuming: None,
            present: None,
            created: now,
            due: now,
        }
    }

    /// Where the next frame belongs.
    #[must_use]
    pub const fn position(&self) -> Frames {
        self.position
    }

    /// When it needs a turn even if no descriptor asks for one, in monotonic time.
    #[must_use]
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// Takes a port that was just opened and started. `polled` says whether the loop watches its
    /// descriptors; ports that are not watched are read by the clock, once a period.
    pub fn attach(&mut self, params: PortParams, polled: bool, now: Duration) {
        let period = duration(params.period, self.format.rate);
        self.present = Some(Present {
            pacing: params.pacing,
            polled,
            period,
            patience: STALL_MIN.max(period * STALL_PERIODS),
            last_frames: now + FIRST_FRAMES_GRACE,
            restarts: 0,
        });
        bump(&self.stats.opens, 1);
        store(&self.stats.period_frames, params.period);
        store(&self.stats.buffer_frames, params.buffer);
        self.set_state(DeviceState::Running);
        if self.timeline.is_some() {
            self.resuming = Some(GapCause::DeviceLost);
        }
        if params.pacing == Pacing::Clock {
            self.align(Frames::ZERO, now);
        }
        self.due = now;
    }

    /// Reads what the port has, at most [`READS_PER_TURN_MAX`] times the scratch buffer, and
    /// watches for a stall. After [`Turn::Gone`] the port must be closed.
    pub fn turn(&mut self, port: &mut dyn CapturePort, scratch: &mut [u8], now: Duration) -> Turn {
        self.backlog.flush(&mut self.ring);
        let mut turn = Turn::Idle;
        for _ in 0..READS_PER_TURN_MAX {
            let want = self.wanted(scratch.len(), now);
            if want == 0 {
                break;
            }
            match port.read(&mut scratch[..want]) {
                Captured::Frames(frames) if frames > Frames::ZERO => {
                    let bytes = usize::try_from(self.format.bytes_of(frames)).unwrap_or(want);
                    self.sound(&scratch[..bytes.min(want)], now);
                    turn = Turn::Busy;
                    if bytes < want {
                        break;
                    }
                }
                Captured::Frames(_) | Captured::Idle => break,
                Captured::Lost(cause) => {
                    self.lost(cause, now);
                    break;
                }
                Captured::Gone(errno) => return self.gone(errno, now),
            }
        }
        if let Err(errno) = self.watch(port, now) {
            return self.gone(errno, now);
        }
        self.catch_up(now);
        self.plan(now);
        turn
    }

    /// Keeps time while there is no port: a gap about every [`ABSENT_GAP_EVERY`].
    pub fn absent(&mut self, now: Duration) {
        self.backlog.flush(&mut self.ring);
        if self.state() == DeviceState::Lost as u32 {
            self.begin_without_sound();
        }
        self.gap_until(now, GapCause::DeviceLost);
        self.due = next_multiple(now, ABSENT_GAP_EVERY);
    }

    /// Bytes to ask the port for: all there is, or what the clock says is due.
    fn wanted(&self, room: usize, now: Duration) -> usize {
        match (&self.present, &self.timeline) {
            (
                Some(Present {
                    pacing: Pacing::Clock,
                    ..
                }),
                Some(timeline),
            ) => {
                let due = timeline.expected(now).saturating_sub(self.position);
                usize::try_from(self.format.bytes_of(due))
                    .unwrap_or(room)
                    .min(room)
            }
            (Some(_), _) => room,
            (None, _) => 0,
        }
    }

    fn sound(&mut self, sound: &[u8], now: Duration) {
        let frames = self.format.frames_in(sound.len() as u64);
        if self.resuming.is_some() || self.timeline.is_none() {
            self.align(frames, now);
        }
        let skipped = self.skip.min(frames);
        self.skip = self.skip - skipped;
        let sound = &sound[usize::try_from(self.format.bytes_of(skipped)).unwrap_or_default()..];
        for piece in sound.chunks(BLOCK_BYTES) {
            self.push(piece);
        }
        let depth = u32::try_from(self.ring.len()).unwrap_or(u32::MAX);
        if depth > self.stats.ring_depth_max.load(Ordering::Relaxed) {
            self.stats.ring_depth_max.store(depth, Ordering::Relaxed);
        }
        let Some(present) = &mut self.present else {
            return;
        };
        present.last_frames = now;
        present.restarts = 0;
        if present.pacing == Pacing::Device
            && let Some(timeline) = &mut self.timeline
        {
            timeline.arrived(now, self.position.saturating_sub(self.skip));
        }
    }

    /// Finds where frames that arrive now belong: after the gap that the clock shows.
    fn align(&mut self, arrived: Frames, now: Duration) {
        let cause = self.resuming.take().unwrap_or(GapCause::DeviceLost);
        let Some(timeline) = &self.timeline else {
            let reached = self.position + arrived;
            self.timeline = Some(Timeline::new(self.format.rate, now, reached));
            return;
        };
        let start = timeline.expected(now).saturating_sub(arrived);
        // The device may have buffered sound that was given up as a gap already. Less than a
        // period of that is within what the clock can tell, and is kept.
        let repeated = self.position.saturating_sub(start);
        let period = self
            .present
            .as_ref()
            .map_or(Duration::ZERO, |present| present.period);
        self.skip = if duration(repeated, self.format.rate) > period {
            repeated
        } else {
            Frames(0)
        };
        self.gap(start.saturating_sub(self.position), cause);
    }

    fn push(&mut self, piece: &[u8]) {
        let frames = self.format.frames_in(piece.len() as u64);
        let room = self.backlog.is_empty() || self.backlog.flush(&mut self.ring);
        if room && self.ring.push(Block::audio(self.position, piece)).is_ok() {
            bump(&self.stats.frames, frames.0);
        } else {
            bump(&self.stats.ring_full_frames, frames.0);
            bump(&self.stats.lost_frames, frames.0);
            self.backlog.add(self.position, frames, GapCause::RingFull);
        }
        self.position += frames;
    }

    fn gap(&mut self, frames: Frames, cause: GapCause) {
        if frames == Frames::ZERO {
            return;
        }
        bump(&self.stats.lost_frames, frames.0);
        self.backlog.add(self.position, frames, cause);
        self.position += frames;
        self.backlog.flush(&mut self.ring);
    }

    fn gap_until(&mut self, time: Duration, cause: GapCause) {
        let Some(timeline) = &self.timeline else {
            return;
        };
        let missing = timeline.expected(time).saturating_sub(self.position);
        self.gap(missing, cause);
    }

    /// The device failed before its first frame: the stream began when it was made.
    fn begin_without_sound(&mut self) {
        let beginning = || Timeline::new(self.format.rate, self.created, Frames::ZERO);
        self.timeline.get_or_insert_with(beginning);
    }

    fn lost(&mut self, cause: GapCause, now: Duration) {
        if cause == GapCause::Overrun {
            bump(&self.stats.overruns, 1);
        }
        self.resuming.get_or_insert(cause);
        self.begin_without_sound();
        if matches!(&self.present, Some(present) if present.pacing == Pacing::Clock) {
            self.align(Frames::ZERO, now);
        }
    }

    /// Restarts a device that went silent; says with an error number that this did not help.
    fn watch(&mut self, port: &mut dyn CapturePort, now: Duration) -> Result<(), i32> {
        let Some(present) = &mut self.present else {
            return Ok(());
        };
        if now.saturating_sub(present.last_frames) < present.patience {
            return Ok(());
        }
        let before = present.restarts;
        present.restarts += 1;
        present.last_frames = now;
        bump(&self.stats.stalls, u64::from(before == 0));
        let outcome = if before >= port.restarts() {
            Err(libc::ETIMEDOUT)
        } else {
            port.restart()
        };
        self.lost(GapCause::Stall, now);
        if outcome.is_err() {
            self.gap_until(now, GapCause::Stall);
        }
        outcome
    }

    /// While frames are awaited after a loss, time goes on all the same.
    fn catch_up(&mut self, now: Duration) {
        let (Some(cause), Some(present), Some(timeline)) =
            (self.resuming, &self.present, &self.timeline)
        else {
            return;
        };
        // Up to a period before now, so that what arrives next is not given up before it came.
        let until = now.saturating_sub(present.period);
        let missing = timeline.expected(until).saturating_sub(self.position);
        if duration(missing, self.format.rate) >= ABSENT_GAP_EVERY {
            self.gap(missing, cause);
        }
    }

    /// Goes on without its port.
    pub(crate) fn gone(&mut self, errno: i32, now: Duration) -> Turn {
        self.present = None;
        self.resuming = None;
        self.skip = Frames::ZERO;
        self.begin_without_sound();
        self.stats
            .last_errno
            .store(errno.unsigned_abs(), Ordering::Relaxed);
        store(&self.stats.period_frames, Frames::ZERO);
        store(&self.stats.buffer_frames, Frames::ZERO);
        self.set_state(DeviceState::Lost);
        self.due = next_multiple(now, ABSENT_GAP_EVERY);
        Turn::Gone
    }

    /// When the next turn is needed. Streams that the clock paces share one grid, so that many of
    /// them need one wake-up a period.
    fn plan(&mut self, now: Duration) {
        let more = self.wanted(1, now) > 0;
        let Some(present) = &self.present else { return };
        self.due = if present.pacing == Pacing::Clock && more {
            now
        } else if !present.polled || !self.backlog.is_empty() {
            next_multiple(now, present.period)
        } else if self.resuming.is_some() {
            next_multiple(now, ABSENT_GAP_EVERY)
        } else {
            present.last_frames + present.patience
        };
    }

    fn state(&self) -> u32 {
        self.stats.state.load(Ordering::Relaxed)
    }

    fn set_state(&self, state: DeviceState) {
        self.stats.state.store(state as u32, Ordering::Relaxed);
    }
}

impl Pump for StreamPump {
    type Port = dyn CapturePort;

    fn attach(&mut self, port: &mut (dyn CapturePort + 'static), polled: bool, now: Duration) {
        let params = port.params();
        self.attach(params, polled, now);
    }

    fn turn(
        &mut self,
        port: &mut (dyn CapturePort + 'static),
        _events: i16,
        scratch: &mut [u8],
        now: Duration,
    ) -> Turn {
        self.turn(port, scratch, now)
    }

    fn absent(&mut self, now: Duration) {
        self.absent(now);
    }

    fn due(&self) -> Duration {
        self.due
    }

    fn poll_entries(port: &dyn CapturePort, out: &mut Vec<PollEntry>) {
        port.poll_entries(out);
    }

    fn ready(port: &mut (dyn CapturePort + 'static), revents: &[i16]) -> i16 {
        port.ready(revents)
    }
}

/// How long frames sound, to the nanosecond.
pub(crate) fn duration(frames: Frames, rate: SampleRate) -> Duration {
    let nanos = u128::from(frames.0) * 1_000_000_000 / u128::from(rate.hertz());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The next point of a grid of time, after now.
pub(crate) fn next_multiple(now: Duration, step: Duration) -> Duration {
    let step = step.as_nanos().max(1_000_000);
    let next = (now.as_nanos() / step + 1) * step;
    Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
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
