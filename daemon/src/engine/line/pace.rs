//! How fast a line that plays takes its device's sound: no faster than time passes. Some sound
//! servers hand out seconds of it before they have passed, and what is played beside those
//! seconds is not known yet. After a stillness of the device, sound makes up for it at once.

use std::time::Duration;

use audio_io::units::{Frames, SampleRate};

use crate::engine::limits::{CAPTURE_MAKES_UP, CAPTURE_START};

/// Frames that may be taken now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    rate: SampleRate,
    /// When time was last counted.
    since: Option<Duration>,
    due: Frames,
}

impl Pace {
    pub(super) const fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            since: None,
            due: Frames::ZERO,
        }
    }

    /// Lets time pass, a little faster than it does: devices' clocks may be fast.
    pub(super) fn pass(&mut self, now: Duration) {
        let Some(since) = self.since.replace(now) else {
            self.due = self.rate.frames_in(CAPTURE_START);
            return;
        };
        let passed = now.saturating_sub(since);
        let passed = passed + passed / FAST;
        let frames = passed.as_micros() * u128::from(self.rate.hertz()) / 1_000_000;
        let frames = u64::try_from(frames).unwrap_or(u64::MAX);
        let most = self.rate.frames_in(CAPTURE_MAKES_UP).0;
        self.due = Frames(self.due.0.saturating_add(frames).min(most));
    }

    /// Frames that may be taken now.
    pub(super) const fn due(&self) -> Frames {
        self.due
    }

    /// Frames were taken.
    pub(super) fn take(&mut self, frames: Frames) {
        self.due = self.due.saturating_sub(frames);
    }
}

/// The part of itself by which time passes faster here.
const FAST: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::TELEPHONE;

    fn at(pace: &mut Pace, ms: u64) -> u64 {
        pace.pass(Duration::from_millis(ms));
        pace.due().0
    }

    #[test]
    fn sound_from_the_future_waits_for_its_time() {
        let mut pace = Pace::new(RATE);
        assert_eq!(at(&mut pace, 5_000), 320, "40 ms at the start");
        pace.take(Frames(320));
        assert_eq!(at(&mut pace, 5_020), 163, "20 ms and a little");
        pace.take(Frames(160));
        assert_eq!(at(&mut pace, 5_020), 3);
    }

    #[test]
    fn a_device_that_stood_still_makes_up_for_it_at_once() {
        let mut pace = Pace::new(RATE);
        at(&mut pace, 0);
        assert!(at(&mut pace, 2_000) >= 16_000);
        assert_eq!(at(&mut pace, 9_000), 20_000, "and no more than that");
    }

    #[test]
    fn a_fast_clock_is_never_held_back() {
        let mut pace = Pace::new(RATE);
        for turn in 0..60_000_u64 {
            let due = at(&mut pace, turn * 20);
            assert!(due >= 161, "{turn}");
            pace.take(Frames(161));
        }
    }
}
