//! A wall clock that never goes back: what has expired stays expired when somebody sets the
//! machine's clock back, and goes on ageing while it is behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use audio_io::clock::Clock;
use audio_io::units::WallMillis;

/// The highest wall time that was ever seen in this run, carried on by the monotonic clock.
pub(crate) struct SteadyClock {
    clock: Arc<dyn Clock>,
    /// Wall minus monotonic time in milliseconds, the largest there was.
    ahead: AtomicI64,
}

/// One moment, by both reckonings, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Never less than it was before.
    pub(crate) steady: u64,
    /// What the machine's clock shows; what people are told and what goes to disk.
    pub(crate) wall: u64,
}

impl Now {
    pub(crate) const fn wall(self) -> WallMillis {
        WallMillis(self.wall)
    }

    /// When something that a person put at a wall time is due.
    pub(crate) const fn due(self, at: WallMillis) -> u64 {
        at.0.saturating_add(self.steady.saturating_sub(self.wall))
    }

    /// What the machine's clock shows at a moment of the steady one.
    pub(crate) const fn shown(self, steady: u64) -> WallMillis {
        WallMillis(steady.saturating_sub(self.steady.saturating_sub(self.wall)))
    }
}

impl SteadyClock {
    /// Begins at the wall clock, but not before what an earlier run has seen, unless the wall
    /// clock is kept right: where it lost its battery, nothing that has expired comes back.
    pub(crate) fn new(clock: Arc<dyn Clock>, seen: WallMillis) -> Self {
        let steady = Self {
            ahead: AtomicI64::new(i64::MIN),
            clock,
        };
        if steady.clock.kept().synchronised != Some(true) {
            let seen = i64::try_from(seen.0).unwrap_or(i64::MAX);
            let ahead = seen.saturating_sub(steady.monotonic());
            steady.ahead.store(ahead, Ordering::Relaxed);
        }
        steady.now();
        steady
    }

    /// Now for what was stored by earlier runs: their times were those of a clock that showed more
    /// than this one does where it lost its battery.
    pub(crate) fn opening(&self) -> Now {
        let Now { steady, .. } = self.now();
        Now {
            steady,
            wall: steady,
        }
    }

    fn monotonic(&self) -> i64 {
        i64::try_from(self.clock.monotonic().as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn now(&self) -> Now {
        let wall = self.clock.wall().0;
        let monotonic = self.monotonic();
        let signed = i64::try_from(wall).unwrap_or(i64::MAX);
        let seen = signed.saturating_sub(monotonic);
        let ahead = self.ahead.fetch_max(seen, Ordering::Relaxed).max(seen);
        let steady = u64::try_from(ahead.saturating_add(monotonic)).unwrap_or(wall);
        Now {
            steady: steady.max(wall),
            wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use audio_io::clock::ManualClock;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_clock_set_back_goes_on_from_where_it_was() {
        let clock = Arc::new(ManualClock::at(WallMillis(1_000_000)));
        let steady = SteadyClock::new(Arc::clone(&clock) as _, WallMillis(0));
        clock.step_wall(WallMillis(400_000));
        clock.advance(Duration::from_millis(50));
        let now = steady.now();
        assert_eq!((now.steady, now.wall), (1_000_050, 400_050));
        assert_eq!(now.due(WallMillis(400_060)), 1_000_060);
        assert_eq!(now.shown(1_000_060), WallMillis(400_060));
        clock.step_wall(WallMillis(2_000_000));
        assert_eq!(steady.now().steady, 2_000_000);
    }

    #[test]
    fn a_clock_that_lost_its_battery_begins_where_it_was() {
        let dead = Arc::new(ManualClock::at(WallMillis(5_000)));
        dead.advance(Duration::from_secs(7));
        let seen = WallMillis(1_800_000_000_000);
        let steady = SteadyClock::new(Arc::clone(&dead) as _, seen);
        let now = steady.now();
        assert_eq!((now.steady, now.wall), (seen.0, 12_000));
        assert_eq!(steady.opening().wall, seen.0);
        dead.advance(Duration::from_secs(1));
        assert_eq!(steady.now().steady, seen.0 + 1_000);
        let kept = audio_io::clock::Kept {
            synchronised: Some(true),
            ..Default::default()
        };
        dead.keep(kept);
        let believed = SteadyClock::new(Arc::clone(&dead) as _, seen);
        assert_eq!(believed.now().steady, 13_000, "what was seen was wrong");
    }

    proptest! {
        #[test]
        fn it_never_goes_back(moves in prop::collection::vec((any::<bool>(), 0u64..1 << 50), 40)) {
            let clock = Arc::new(ManualClock::at(WallMillis(1 << 40)));
            let steady = SteadyClock::new(Arc::clone(&clock) as _, WallMillis(0));
            let mut before = steady.now().steady;
            for (step, by) in moves {
                if step {
                    clock.step_wall(WallMillis(by));
                } else {
                    clock.advance(Duration::from_millis(by % 100_000));
                }
                let now = steady.now();
                prop_assert!(now.steady >= before && now.steady >= now.wall);
                prop_assert_eq!(now.shown(now.due(WallMillis(now.wall + 5))).0, now.wall + 5);
                before = now.steady;
            }
        }
    }
}
