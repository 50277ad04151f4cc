//! A scripted loudspeaker that remembers what was heard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::format::StreamFormat;
use crate::port::{OpenError, Pacing, PlaybackPort, Played, PollEntry, PortOpener, PortParams};
use crate::units::{Frames, Millis};

/// A scripted loudspeaker. Clones are the same one.
#[derive(Clone)]
pub struct FakeSpeaker(Arc<Mutex<State>>);

struct State {
    clock: Arc<dyn Clock>,
    params: PortParams,
    /// All that was written, heard or not.
    written: Vec<u8>,
    /// Frames written since it started anew, and when that was; `None` until half its buffer is
    /// full.
    started: Option<Duration>,
    since_start: Frames,
    gone: Option<i32>,
    refuse: u32,
    opens: u64,
}

impl FakeSpeaker {
    /// A loudspeaker that is there.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        format: StreamFormat,
        period: Millis,
        buffer: Millis,
    ) -> Self {
        let params = PortParams {
            format,
            period: format.rate.frames_in(period),
            buffer: format.rate.frames_in(buffer),
            pacing: Pacing::Device,
        };
        Self(Arc::new(Mutex::new(State {
            clock,
            params,
            written: Vec::new(),
            started: None,
            since_start: Frames::ZERO,
            gone: None,
            refuse: 0,
            opens: 0,
        })))
    }

    /// The same one, free-running like alsa-lib's `null`: it takes whatever it is given.
    #[must_use]
    pub fn free_running(self) -> Self {
        self.lock().params.pacing = Pacing::Clock;
        self
    }

    /// Opens it.
    #[must_use]
    pub fn opener(&self) -> Box<dyn PortOpener<dyn PlaybackPort>> {
        Box::new(self.clone())
    }

    /// Takes it away; so many attempts to open it fail before it is back.
    pub fn unplug(&self, errno: i32, refuse: u32) {
        let mut state = self.lock();
        state.gone = Some(errno);
        state.refuse = refuse;
    }

    /// All that was written to it so far.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        self.lock().written.clone()
    }

    /// Times it was opened.
    #[must_use]
    pub fn opens(&self) -> u64 {
        self.lock().opens
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn heard(&self) -> Frames {
        let Some(started) = self.started else {
            return Frames::ZERO;
        };
        let micros = self.clock.monotonic().saturating_sub(started).as_micros();
        let frames = micros * u128::from(self.params.format.rate.hertz()) / 1_000_000;
        Frames(u64::try_from(frames).unwrap_or(u64::MAX))
    }

    fn queued(&self) -> Frames {
        self.since_start.saturating_sub(self.heard())
    }

    fn stop(&mut self) {
        self.started = None;
        self.since_start = Frames::ZERO;
    }

    fn write(&mut self, sound: &[u8]) -> Played {
        let PortParams {
            format,
            buffer,
            pacing,
            ..
        } = self.params;
        if let Some(errno) = self.gone {
            return Played::Gone(errno);
        }
        let frames = format.frames_in(sound.len() as u64);
        let take = match pacing {
            Pacing::Clock => frames,
            Pacing::Device => {
                if self.started.is_some() && self.heard() > self.since_start {
                    self.stop();
                    return Played::Underrun;
                }
                frames.min(buffer.saturating_sub(self.queued()))
            }
        };
        if take == Frames::ZERO {
            return Played::Full;
        }
        let bytes = usize::try_from(format.bytes_of(take)).unwrap_or(sound.len());
        self.written.extend_from_slice(&sound[..bytes]);
        self.since_start += take;
        if self.started.is_none() && self.since_start.0 * 2 >= buffer.0 {
            self.started = Some(self.clock.monotonic());
        }
        Played::Frames(take)
    }
}

impl PortOpener<dyn PlaybackPort> for FakeSpeaker {
    fn open(&mut self) -> Result<Box<dyn PlaybackPort>, OpenError> {
        let mut state = self.lock();
        if state.refuse > 0 {
            state.refuse -= 1;
            let errno = state.gone.unwrap_or(libc::ENODEV);
            return Err(OpenError::Device {
                device: "fake".into(),
                errno,
                said: String::new(),
            });
        }
        state.gone = None;
        state.stop();
        state.opens += 1;
        drop(state);
        Ok(Box::new(FakePlayback(self.clone())))
    }
}

struct FakePlayback(FakeSpeaker);

impl PlaybackPort for FakePlayback {
    fn params(&self) -> PortParams {
        self.0.lock().params
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn write(&mut self, buffer: &[u8]) -> Played {
        self.0.lock().write(buffer)
    }

    fn delay(&mut self) -> Frames {
        self.0.lock().queued()
    }

    fn discard(&mut self) -> Result<(), i32> {
        self.0.lock().stop();
        Ok(())
    }
}
