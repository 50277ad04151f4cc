//! Where a stream stands at a moment, learned from how it has progressed so far.
//!
//! Frames arrive in lumps, a period at a time and sometimes late, never early. The earliest arrival
//! there was (in frames against the clock) is therefore the best estimate of when the stream really
//! began, and the clock then tells how many frames must have passed. The device's own clock is not
//! ours: the estimate gives way slowly, so that a device that runs slower is followed too.

use std::time::Duration;

use crate::units::{Frames, SampleRate};

/// How fast the estimate gives way, in parts of the time that passes: faster than any sound
/// clock is off, slow enough to be nothing over one period.
const GIVE_WAY: i128 = 1_000_000 / 2_000;

/// The most time that one lump may make it give way for, in nanoseconds.
const GIVE_WAY_OVER_MAX: i128 = 100_000_000;

const SECOND: i128 = 1_000_000_000;

/// The relation of a stream's frames to monotonic time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    rate: i128,
    /// When frame zero was, in nanoseconds of the monotonic clock; may be negative.
    start: i128,
    /// When frames last arrived.
    last: i128,
}

impl Timeline {
    /// A stream that stands at this position now.
    pub(crate) fn new(rate: SampleRate, now: Duration, position: Frames) -> Self {
        let rate = i128::from(rate.hertz());
        let last = nanos(now);
        Self {
            rate,
            start: last - span(position, rate),
            last,
        }
    }

    /// Learns that all frames up to this position had arrived by now.
    pub(crate) fn arrived(&mut self, now: Duration, position: Frames) {
        let now = nanos(now);
        let passed = (now - self.last).clamp(0, GIVE_WAY_OVER_MAX);
        self.last = now;
        let seen = now - span(position, self.rate);
        self.start = (self.start + passed * GIVE_WAY / 1_000_000).min(seen);
    }

    /// The position that the stream must have reached by now.
    pub(crate) fn expected(&self, now: Duration) -> Frames {
        let frames = (nanos(now) - self.start) * self.rate / SECOND;
        Frames(u64::try_from(frames.max(0)).unwrap_or(u64::MAX))
    }
}

/// How long frames last, rounded up to a nanosecond, so that they have passed by then.
fn span(frames: Frames, rate: i128) -> i128 {
    (i128::from(frames.0) * SECOND + rate - 1) / rate
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::TELEPHONE;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn late_lumps_do_not_move_the_estimate() {
        let mut line = Timeline::new(RATE, ms(1_000), Frames::ZERO);
        for n in 1..500 {
            let late = [0, 3, 17, 0, 9][(n % 5) as usize];
            line.arrived(ms(1_000 + 20 * n + late), Frames(160 * n));
        }
        let off = line.expected(ms(11_000)).0.abs_diff(80_000);
        assert!(off <= 1, "{off} frames off");
    }

    #[test]
    fn a_slow_and_a_fast_device_are_followed() {
        // 300 parts in a million off, for two hours.
        for rate in [7_997.6, 8_002.4] {
            let mut line = Timeline::new(RATE, ms(0), Frames::ZERO);
            let mut position = Frames::ZERO;
            for n in 1..360_000_u32 {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "test"
                )]
                let arrived = (f64::from(n) * 0.020 * rate) as u64;
                position = Frames(arrived);
                line.arrived(ms(u64::from(n) * 20), position);
            }
            let off = line.expected(ms(359_999 * 20)).0.abs_diff(position.0);
            assert!(off <= 8, "{off} frames off after two hours at {rate} Hz");
        }
    }

    #[test]
    fn a_timeline_may_begin_in_the_middle() {
        let rate = SampleRate::new(44_100).unwrap_or(RATE);
        let line = Timeline::new(rate, ms(777), Frames(12_345));
        assert_eq!(line.expected(ms(777)), Frames(12_345));
        assert_eq!(line.expected(ms(1_777)), Frames(12_345 + 44_100));
        assert_eq!(line.expected(ms(0)), Frames::ZERO);
    }
}
