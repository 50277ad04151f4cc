//! The outbox's time: the wall clock once, when the store is opened, and the monotonic clock from
//! then on. Steps of the wall clock neither bring all retries at once nor hold them back.

use std::sync::Arc;
use std::time::Duration;

use audio_io::clock::Clock;

use super::OutboxTime;
use crate::record::WallMillis;

/// Tells the time.
pub(super) struct Timeline {
    clock: Arc<dyn Clock>,
    start: OutboxTime,
    began: Duration,
}

impl Timeline {
    /// Begins at the wall clock, but not before what an earlier run has written: where the wall
    /// clock was set back or lost its battery, time goes on from there.
    pub(super) fn begin(clock: Arc<dyn Clock>, written: OutboxTime) -> Self {
        let start = OutboxTime(clock.wall().0).max(written);
        let began = clock.monotonic();
        Self {
            clock,
            start,
            began,
        }
    }

    pub(super) fn now(&self) -> OutboxTime {
        let since = self.clock.monotonic().saturating_sub(self.began);
        self.start.plus(since)
    }

    pub(super) fn wall(&self) -> WallMillis {
        self.clock.wall()
    }
}

#[cfg(test)]
mod tests {
    use audio_io::clock::ManualClock;

    use super::*;

    #[test]
    fn steps_of_the_wall_clock_do_not_show() {
        let clock = Arc::new(ManualClock::at(WallMillis(1_000_000)));
        let time = Timeline::begin(Arc::clone(&clock) as _, OutboxTime(0));
        assert_eq!(time.now(), OutboxTime(1_000_000));
        clock.step_wall(WallMillis(900_000_000_000));
        assert_eq!(time.now(), OutboxTime(1_000_000));
        clock.advance(Duration::from_secs(2));
        for wall in [0, 1, 2_147_483_648_000, 4_294_967_296_000, u64::MAX, 0] {
            clock.step_wall(WallMillis(wall));
            assert_eq!(time.now(), OutboxTime(1_002_000), "{wall}");
        }
        let again = Timeline::begin(clock, OutboxTime(1_002_000));
        assert_eq!(again.now(), OutboxTime(1_002_000), "not before what was");
    }
}
