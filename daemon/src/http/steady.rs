//! A wall clock that never goes back, for what expires by wall time: setting the machine's clock
//! back gives nothing a longer life.

use std::sync::atomic::{AtomicI64, Ordering};

use audio_io::clock::Clock;
use audio_io::units::WallMillis;

/// The furthest that the wall clock was ever seen ahead of the monotonic one. It runs on at the
/// monotonic clock's pace while the wall clock catches up.
pub(super) struct Steady {
    ahead_ms: AtomicI64,
}

impl Steady {
    /// Nothing seen yet.
    pub(super) const fn new() -> Self {
        Self {
            ahead_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// Now: at least what the wall clock shows, never less than it said before.
    pub(super) fn now(&self, clock: &dyn Clock) -> WallMillis {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let monotonic = u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        let monotonic = signed(monotonic);
        let ahead = signed(clock.wall().0).saturating_sub(monotonic);
        let ahead = self.ahead_ms.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        WallMillis(monotonic.saturating_add(ahead).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use audio_io::clock::ManualClock;

    use super::*;

    #[test]
    fn it_goes_on_when_the_wall_clock_is_set_back() {
        let clock = ManualClock::at(WallMillis(1_000_000));
        let steady = Steady::new();
        assert_eq!(steady.now(&clock), WallMillis(1_000_000));
        clock.advance(Duration::from_secs(5));
        assert_eq!(steady.now(&clock), WallMillis(1_005_000));
        clock.step_wall(WallMillis(3_000));
        assert_eq!(steady.now(&clock), WallMillis(1_005_000));
        clock.advance(Duration::from_secs(60));
        assert_eq!(steady.now(&clock), WallMillis(1_065_000));
        clock.step_wall(WallMillis(2_000_000));
        assert_eq!(steady.now(&clock), WallMillis(2_000_000));
    }
}
