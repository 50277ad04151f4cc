//! Notices when the wall clock is set to another time: by NTP, by a person, or by a battery that
//! was dead at the start. Nothing is measured by the wall clock; but what it says goes into
//! recordings, so each tells whether it had been set since the daemon's start.
//!
//! ```text
//!  once a second ─┐                ┌─▶ more than a second apart: told to the journal and /metrics
//!                 ├─▶ Steps::look ─┤
//!  a recording ───┘                └─▶ `Kept::stepped` of the recording that begins
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audio_io::clock::{Clock, Kept, SystemClock};
use audio_io::units::WallMillis;

use crate::catalog;
use crate::http::metrics::HttpMetrics;
use crate::keeping::StepBook;
use crate::logging::rfc3339;
use crate::notify::Repeated;

/// What the wall clock may move against the monotonic one without having been set: more than a
/// second is a step.
const STEP_MS: i64 = 1_000;

/// How fast a clock may be led to the right time without a step: a tenth of the time that passes.
/// The fastest that is in use (chrony) is a twelfth.
const SLEW: i64 = 10;

/// Readings of the two clocks further apart than this are no pair; it is read again.
const PAIR_WITHIN: Duration = Duration::from_millis(50);

/// How often the clock is looked at when no recording begins.
const EVERY: Duration = Duration::from_secs(1);

/// The wall clock was set to another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// By how much, in milliseconds; back if it is negative.
    pub by_ms: i64,
    /// What it shows since then.
    pub to: WallMillis,
}

/// Finds steps in pairs of wall and monotonic time.
#[derive(Debug, Default)]
pub struct Steps {
    /// Wall less monotonic time in milliseconds as it is held to be right, and when it was looked.
    held: Option<(i64, Duration)>,
    stepped: bool,
}

impl Steps {
    /// Takes a pair that was read at one moment.
    pub fn look(&mut self, wall: WallMillis, monotonic: Duration) -> Option<Step> {
        let now_ms = signed(u64::try_from(monotonic.as_millis()).unwrap_or(u64::MAX));
        let seen = signed(wall.0).saturating_sub(now_ms);
        let (held, looked) = self.held.replace((seen, monotonic))?;
        let by_ms = seen.saturating_sub(held);
        let passed = monotonic.saturating_sub(looked).as_millis();
        let slewed = signed(u64::try_from(passed).unwrap_or(u64::MAX)) / SLEW;
        if by_ms.abs() <= STEP_MS {
            // Small steps in a row must add up: only what a slew explains is forgotten.
            self.held = Some((held.saturating_add(by_ms.clamp(-slewed, slewed)), monotonic));
            return None;
        }
        self.stepped = true;
        Some(Step { by_ms, to: wall })
    }

    /// Whether there was a step.
    #[must_use]
    pub const fn stepped(&self) -> bool {
        self.stepped
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The machine's clock, watched: steps are told to the journal and to the ledger, and counted for
/// `/metrics`.
#[must_use]
pub(crate) fn system(metrics: Arc<HttpMetrics>, book: StepBook) -> Arc<WatchedClock> {
    let told = move |step: Step| {
        let (counter, way) = if step.by_ms < 0 {
            (&metrics.clock_steps_back, "back")
        } else {
            (&metrics.clock_steps_forward, "forward")
        };
        counter.fetch_add(1, Ordering::Relaxed);
        book.tell(step);
        let to = rfc3339(step.to);
        log::warn!(
            message_id = catalog::CLOCK_STEPPED, by_ms = step.by_ms;
            "the clock was set {way} by {} ms: it is {to} now", step.by_ms.unsigned_abs()
        );
    };
    Arc::new(WatchedClock::new(Arc::new(SystemClock), told))
}

/// Looks once a second until it is dropped.
pub(crate) fn start(watched: Arc<WatchedClock>) -> Option<Repeated> {
    let look = move || {
        watched.look();
    };
    Repeated::start("clock", EVERY, look)
        .inspect_err(|error| log::error!("the clock is looked at by recordings only: {error}"))
        .ok()
}

/// Told of every step, once.
type Told = Box<dyn Fn(Step) + Send + Sync>;

/// A clock that knows whether it was set since it is watched.
pub struct WatchedClock {
    clock: Arc<dyn Clock>,
    steps: Mutex<Steps>,
    told: Told,
}

impl WatchedClock {
    /// Watches a clock from now on; `told` hears of each step.
    pub fn new(clock: Arc<dyn Clock>, told: impl Fn(Step) + Send + Sync + 'static) -> Self {
        let watched = Self {
            clock,
            steps: Mutex::default(),
            told: Box::new(told),
        };
        watched.look();
        watched
    }

    /// Looks whether it was set, and answers whether it ever was; call it once a second.
    pub fn look(&self) -> bool {
        // Read under the lock: pairs must come in the order in which they were read.
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let step = self
            .pair()
            .and_then(|(wall, monotonic)| steps.look(wall, monotonic));
        let stepped = steps.stepped();
        drop(steps);
        if let Some(step) = step {
            (self.told)(step);
        }
        stepped
    }

    /// Both clocks at one moment; `None` where this thread was put off in between, again and again.
    fn pair(&self) -> Option<(WallMillis, Duration)> {
        (0..5).find_map(|_| {
            let before = self.clock.monotonic();
            let wall = self.clock.wall();
            let after = self.clock.monotonic();
            (after.saturating_sub(before) <= PAIR_WITHIN).then_some((wall, after))
        })
    }
}

impl Clock for WatchedClock {
    fn wall(&self) -> WallMillis {
        self.clock.wall()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn kept(&self) -> Kept {
        let kept = self.clock.kept();
        Kept {
            stepped: kept.stepped || self.look(),
            ..kept
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use audio_io::clock::ManualClock;
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_000_000_000;
    const YEAR_MS: i64 = 365 * 24 * 3_600 * 1_000;

    /// What is noticed when the wall clock moves so much against the other in a second.
    fn moved(steps: &mut Steps, at: &mut (u64, Duration), by_ms: i64) -> Option<i64> {
        at.1 += Duration::from_secs(1);
        at.0 = at.0.saturating_add_signed(1_000 + by_ms);
        let step = steps.look(WallMillis(at.0), at.1);
        step.map(|step| step.by_ms)
    }

    #[test]
    fn steps_are_told_once_and_slews_are_not() {
        let mut steps = Steps::default();
        let mut at = (NOW, Duration::from_secs(5));
        assert_eq!(steps.look(WallMillis(at.0), at.1), None);
        for _ in 0..100_000 {
            assert_eq!(moved(&mut steps, &mut at, 83), None, "chrony's fastest");
        }
        assert!(!steps.stepped());
        for by_ms in [-3_600_000, 10 * YEAR_MS, -20 * YEAR_MS, 1_001, -1_001] {
            assert_eq!(moved(&mut steps, &mut at, by_ms), Some(by_ms));
            assert_eq!(moved(&mut steps, &mut at, 0), None, "once");
        }
        assert!(steps.stepped());
    }

    #[test]
    fn small_steps_in_a_row_add_up() {
        let mut steps = Steps::default();
        let mut at = (NOW, Duration::ZERO);
        steps.look(WallMillis(at.0), at.1);
        let noticed = (0..10).filter(|_| moved(&mut steps, &mut at, 600).is_some());
        assert!(noticed.count() >= 3);
    }

    #[test]
    fn any_time_is_a_time() {
        let mut steps = Steps::default();
        let past_2038 = 2_147_483_648_000;
        let past_32_bits = 4_294_967_296_000;
        let ends = [0, past_2038, past_32_bits, u64::MAX, 0];
        for (n, wall) in ends.into_iter().enumerate() {
            let step = steps.look(WallMillis(wall), Duration::from_secs(60));
            assert_eq!(step.is_some(), n > 0, "{wall}");
        }
        // Crossing them is no step.
        for end in [past_2038, past_32_bits] {
            let mut steps = Steps::default();
            let mut at = (end - 2_000, Duration::ZERO);
            for _ in 0..5 {
                assert_eq!(moved(&mut steps, &mut at, 0), None, "{end}");
            }
        }
    }

    #[test]
    fn the_clock_tells_of_itself_whoever_looks() {
        let clock = Arc::new(ManualClock::at(WallMillis(0)));
        let sum = Arc::new(AtomicI64::new(0));
        let told = sum.clone();
        let watched = WatchedClock::new(clock.clone(), move |step| {
            told.fetch_add(step.by_ms, Ordering::SeqCst);
        });
        assert!(!watched.kept().stepped && !watched.look());
        clock.step_wall(WallMillis(NOW));
        assert!(watched.kept().stepped, "before the second is over");
        assert!(watched.look() && watched.kept().stepped, "from then on");
        assert_eq!(sum.load(Ordering::SeqCst), 1_795_000_000_000, "told once");
        let kept = Kept {
            synchronised: Some(true),
            ..Kept::default()
        };
        clock.keep(kept);
        assert_eq!(watched.kept().synchronised, Some(true));
    }

    proptest! {
        /// Whatever is done to the clock: what was told adds up to what was done, within what
        /// slews explain.
        #[test]
        fn no_step_is_lost(moves in prop::collection::vec(-10_000_i64..10_000, 1..60)) {
            let mut steps = Steps::default();
            let mut at = (NOW, Duration::ZERO);
            steps.look(WallMillis(at.0), at.1);
            let (mut done, mut told) = (0, 0);
            for by_ms in moves {
                done += by_ms;
                told += moved(&mut steps, &mut at, by_ms).unwrap_or_default();
                let slewed = i64::try_from(at.1.as_millis()).unwrap() / SLEW;
                prop_assert!((done - told).abs() <= STEP_MS + slewed, "{done} {told}");
            }
        }
    }
}
