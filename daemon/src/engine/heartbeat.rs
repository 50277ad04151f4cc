//! Whether the engine lives: the recorder thread's ticks and the capture threads' wake-ups must
//! go on. The watchdog and `/readyz` ask here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audio_io::clock::Clock;

use super::limits::PROGRESS_WITHIN;

/// Watches counters that must grow.
pub(crate) struct Heartbeat {
    clock: Arc<dyn Clock>,
    ticks: AtomicU64,
    captures: Vec<Arc<AtomicU64>>,
    seen: Mutex<Vec<Seen>>,
}

#[derive(Clone, Copy)]
struct Seen {
    count: u64,
    since: Duration,
}

impl Heartbeat {
    pub(crate) fn new(clock: Arc<dyn Clock>, captures: Vec<Arc<AtomicU64>>) -> Self {
        let start = Seen {
            count: 0,
            since: clock.monotonic(),
        };
        let seen = Mutex::new(vec![start; captures.len() + 1]);
        Self {
            clock,
            ticks: AtomicU64::new(0),
            captures,
            seen,
        }
    }

    /// The recorder thread has been round once more.
    pub(crate) fn beat(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn is_beating(&self) -> bool {
        let now = self.clock.monotonic();
        let ticks = std::iter::once(self.ticks.load(Ordering::Relaxed));
        let counts = ticks.chain(
            self.captures
                .iter()
                .map(|wakeups| wakeups.load(Ordering::Relaxed)),
        );
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut beating = true;
        for (count, seen) in counts.zip(seen.iter_mut()) {
            if count != seen.count {
                *seen = Seen { count, since: now };
            }
            beating &= now.saturating_sub(seen.since) <= PROGRESS_WITHIN;
        }
        beating
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_io::clock::ManualClock;

    #[test]
    fn a_recorder_that_stops_is_noticed_and_forgiven_when_it_goes_on() {
        let clock = Arc::new(ManualClock::default());
        let heartbeat = Heartbeat::new(clock.clone(), Vec::new());
        heartbeat.beat();
        assert!(heartbeat.is_beating());
        clock.advance(PROGRESS_WITHIN + Duration::from_millis(1));
        assert!(!heartbeat.is_beating(), "nothing was done for too long");
        heartbeat.beat();
        assert!(heartbeat.is_beating());
    }
}
