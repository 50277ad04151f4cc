//! Whether the engine lives: the recorder thread's ticks, the real-time threads' wake-ups, the
//! turns of the thread that writes the index and of the one that owns calls must go on. The
//! watchdog and `/readyz` ask here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audio_io::clock::Clock;

use super::limits::PROGRESS_WITHIN;

/// Watches counters that must grow.
pub(crate) struct Heartbeat {
    clock: Arc<dyn Clock>,
    ticks: Arc<AtomicU64>,
    pulses: Mutex<Vec<Pulse>>,
}

/// Reads a counter.
type Count = Box<dyn Fn() -> u64 + Send>;

struct Pulse {
    /// Whose it is, for people.
    whose: &'static str,
    /// It has to grow at least this often.
    within: Duration,
    count: Count,
    seen: u64,
    since: Duration,
}

impl Heartbeat {
    pub(crate) fn new(clock: Arc<dyn Clock>, captures: Vec<Arc<AtomicU64>>) -> Self {
        let ticks = Arc::new(AtomicU64::new(0));
        let heartbeat = Self {
            clock,
            ticks: ticks.clone(),
            pulses: Mutex::default(),
        };
        let grow = |counter: Arc<AtomicU64>| move || counter.load(Ordering::Relaxed);
        heartbeat.watch("recorder", PROGRESS_WITHIN, grow(ticks));
        for wakeups in captures {
            heartbeat.watch("capture", PROGRESS_WITHIN, grow(wakeups));
        }
        heartbeat
    }

    /// Watches one more counter, which must grow at least once in `within`.
    pub(crate) fn watch(
        &self,
        whose: &'static str,
        within: Duration,
        count: impl Fn() -> u64 + Send + 'static,
    ) {
        let pulse = Pulse {
            whose,
            within,
            seen: count(),
            since: self.clock.monotonic(),
            count: Box::new(count),
        };
        self.locked().push(pulse);
    }

    /// The recorder thread has been round once more.
    pub(crate) fn beat(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn is_beating(&self) -> bool {
        self.stuck().is_empty()
    }

    /// Who makes no progress; each once.
    pub(crate) fn stuck(&self) -> Vec<&'static str> {
        let now = self.clock.monotonic();
        let mut stuck = Vec::new();
        for pulse in self.locked().iter_mut() {
            let count = (pulse.count)();
            if count != pulse.seen {
                (pulse.seen, pulse.since) = (count, now);
            } else if now.saturating_sub(pulse.since) > pulse.within
                && !stuck.contains(&pulse.whose)
            {
                stuck.push(pulse.whose);
            }
        }
        stuck
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Pulse>> {
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn whoever_is_stuck_is_named_within_its_own_time() {
        let clock = Arc::new(ManualClock::default());
        let wakeups = Arc::new(AtomicU64::new(0));
        let heartbeat = Heartbeat::new(clock.clone(), vec![wakeups.clone(), wakeups.clone()]);
        let turns = Arc::new(AtomicU64::new(7));
        let count = turns.clone();
        heartbeat.watch("index", 3 * PROGRESS_WITHIN, move || {
            count.load(Ordering::Relaxed)
        });
        clock.advance(2 * PROGRESS_WITHIN);
        heartbeat.beat();
        assert_eq!(
            heartbeat.stuck(),
            ["capture"],
            "each once; the index may take longer"
        );
        wakeups.fetch_add(1, Ordering::Relaxed);
        clock.advance(PROGRESS_WITHIN + Duration::from_millis(1));
        heartbeat.beat();
        assert_eq!(heartbeat.stuck(), ["index"]);
        turns.fetch_add(1, Ordering::Relaxed);
        assert!(heartbeat.is_beating());
    }
}
