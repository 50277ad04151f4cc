//! A scripted line to capture from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Signal;
use crate::block::GapCause;
use crate::clock::Clock;
use crate::format::StreamFormat;
use crate::port::{CapturePort, Captured, OpenError, Pacing, PollEntry, PortOpener, PortParams};
use crate::timeline::Timeline;
use crate::units::{Frames, Millis};

/// What a scripted line does next. After the last act it delivers sound for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Delivers sound for this long.
    Run(Millis),
    /// Loses sound for this long, then says so. Being restarted ends it, too.
    Lose(Millis, GapCause),
    /// Delivers nothing, without an error, until it is restarted.
    Stall,
    /// Delivers nothing, and restarting does not help; opening it anew does.
    Hang,
    /// Is gone, with this error number.
    Unplug(i32),
    /// Refuses to be opened so many times, with this error number.
    Refuse(u32, i32),
}

/// A scripted line. Clones are the same line.
#[derive(Clone)]
pub struct FakeLine(Arc<Mutex<State>>);

struct State {
    clock: Arc<dyn Clock>,
    params: PortParams,
    signal: Signal,
    script: VecDeque<Act>,
    /// Which frames the line has had, by the clock.
    timeline: Timeline,
    /// The next frame to deliver.
    cursor: Frames,
    /// Where it was started; periods are counted from there.
    base: Frames,
    /// Where the act on stage ends; unknown before it began.
    until: Option<Frames>,
    opens: u64,
    restarts: u64,
}

impl FakeLine {
    /// A line whose frame zero is now. Sound comes in whole periods; a reader that stays away for
    /// longer than the buffer finds an overrun.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        format: StreamFormat,
        period: Millis,
        buffer: Millis,
        signal: Signal,
        script: impl IntoIterator<Item = Act>,
    ) -> Self {
        let params = PortParams {
            format,
            period: format.rate.frames_in(period),
            buffer: format.rate.frames_in(buffer),
            pacing: Pacing::Device,
        };
        let timeline = Timeline::new(format.rate, clock.monotonic(), Frames::ZERO);
        Self(Arc::new(Mutex::new(State {
            clock,
            params,
            signal,
            script: script.into_iter().collect(),
            timeline,
            cursor: Frames::ZERO,
            base: Frames::ZERO,
            until: None,
            opens: 0,
            restarts: 0,
        })))
    }

    /// The same line, free-running like alsa-lib's `null`: it delivers whatever is asked for, at
    /// once.
    #[must_use]
    pub fn free_running(self) -> Self {
        self.lock().params.pacing = Pacing::Clock;
        self
    }

    /// Throws its script away, and acts by this one from now on.
    pub fn act(&self, script: impl IntoIterator<Item = Act>) {
        let mut state = self.lock();
        state.script = script.into_iter().collect();
        state.until = None;
    }

    /// Opens the line.
    #[must_use]
    pub fn opener(&self) -> Box<dyn PortOpener<dyn CapturePort>> {
        Box::new(self.clone())
    }

    /// Times it was opened.
    #[must_use]
    pub fn opens(&self) -> u64 {
        self.lock().opens
    }

    /// Times it was restarted.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.lock().restarts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The frames that the line has had.
    fn live(&self) -> Frames {
        match self.params.pacing {
            Pacing::Device => self.timeline.expected(self.clock.monotonic()),
            Pacing::Clock => Frames(u64::MAX / 4),
        }
    }

    fn next_act(&mut self) {
        self.script.pop_front();
        self.until = None;
    }

    /// Where an act that lasts this long ends.
    fn end_of(&mut self, length: Millis) -> Frames {
        let frames = self.params.format.rate.frames_in(length);
        *self.until.get_or_insert(self.cursor + frames)
    }

    /// Goes on with what is heard from now on.
    fn rejoin(&mut self) {
        if self.params.pacing == Pacing::Device {
            self.cursor = self.live();
            self.base = self.cursor;
        }
        self.until = None;
    }

    fn read(&mut self, buffer: &mut [u8]) -> Captured {
        loop {
            match self.script.front().copied() {
                None => return self.deliver(Frames(u64::MAX), buffer),
                Some(Act::Run(length)) => {
                    let until = self.end_of(length);
                    if self.cursor >= until {
                        self.next_act();
                        // The next act begins where this one ended.
                        continue;
                    }
                    return self.deliver(until, buffer);
                }
                Some(Act::Lose(length, cause)) => {
                    let until = self.end_of(length);
                    if self.live() < until {
                        return Captured::Idle;
                    }
                    self.cursor = until;
                    self.next_act();
                    self.rejoin();
                    return Captured::Lost(cause);
                }
                Some(Act::Stall | Act::Hang) => return Captured::Idle,
                Some(Act::Unplug(errno)) => {
                    self.next_act();
                    return Captured::Gone(errno);
                }
                Some(Act::Refuse(_, errno)) => return Captured::Gone(errno),
            }
        }
    }

    fn deliver(&mut self, until: Frames, buffer: &mut [u8]) -> Captured {
        let PortParams {
            format,
            period,
            buffer: most,
            pacing,
        } = self.params;
        let live = self.live();
        if pacing == Pacing::Device && live.saturating_sub(self.cursor) > most {
            self.rejoin();
            return Captured::Lost(GapCause::Overrun);
        }
        // Whole periods, but for the last piece of an act.
        let ripe = live.0 - live.saturating_sub(self.base).0 % period.0.max(1);
        let end = if live < until { Frames(ripe) } else { until };
        let there = end.saturating_sub(self.cursor);
        let frames = there.min(format.frames_in(buffer.len() as u64));
        if frames == Frames::ZERO {
            return Captured::Idle;
        }
        let bytes = usize::try_from(format.bytes_of(frames)).unwrap_or(buffer.len());
        self.signal.fill(self.cursor, format, &mut buffer[..bytes]);
        self.cursor += frames;
        Captured::Frames(frames)
    }
}

impl PortOpener<dyn CapturePort> for FakeLine {
    fn open(&mut self) -> Result<Box<dyn CapturePort>, OpenError> {
        let mut state = self.lock();
        match state.script.front_mut() {
            Some(Act::Refuse(times, errno)) if *times > 0 => {
                *times -= 1;
                let errno = *errno;
                return Err(OpenError::Device {
                    device: "fake".into(),
                    errno,
                    said: String::new(),
                });
            }
            Some(Act::Refuse(..) | Act::Hang) => state.next_act(),
            _ => {}
        }
        state.rejoin();
        state.opens += 1;
        drop(state);
        Ok(Box::new(FakeCapture(self.clone())))
    }
}

struct FakeCapture(FakeLine);

impl CapturePort for FakeCapture {
    fn params(&self) -> PortParams {
        self.0.lock().params
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn read(&mut self, buffer: &mut [u8]) -> Captured {
        self.0.lock().read(buffer)
    }

    fn restart(&mut self) -> Result<(), i32> {
        let mut state = self.0.lock();
        state.restarts += 1;
        if matches!(state.script.front(), Some(Act::Stall | Act::Lose(..))) {
            state.next_act();
        }
        state.rejoin();
        Ok(())
    }
}
