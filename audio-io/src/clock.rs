//! Time as a seam. Wall time may step; monotonic time never does and is what durations and
//! timeouts are measured with. Only this module reads the system's clocks.

mod kernel;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::units::{Millis, WallMillis};

/// No clock that was ever set shows less: 2026-01-01, before this program was.
pub const EARLIEST: WallMillis = WallMillis(1_767_225_600_000);

/// How well the wall clock is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether somebody (NTP, PTP, a radio clock) keeps it right; `None` where the system does not
    /// tell.
    pub synchronised: Option<bool>,
    /// How far it may be wrong at most; known only where it is synchronised.
    pub max_error: Option<Millis>,
    /// It was set to another time since it is watched. The system itself does not tell: see the
    /// daemon's watched clock.
    pub stepped: bool,
}

/// Wall and monotonic time.
pub trait Clock: Send + Sync {
    /// The wall clock, which people and NTP may set.
    fn wall(&self) -> WallMillis;

    /// Time since an arbitrary start, never stepping (`CLOCK_MONOTONIC`).
    fn monotonic(&self) -> Duration;

    /// How well the wall clock is kept.
    fn kept(&self) -> Kept;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "fits for 584 million years"
    )]
    fn wall(&self) -> WallMillis {
        #[allow(clippy::disallowed_methods, reason = "this is the Clock seam")]
        let now = std::time::SystemTime::now();
        let since = now
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        WallMillis(since.as_millis() as u64)
    }

    fn monotonic(&self) -> Duration {
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
            .map_or(Duration::ZERO, Duration::from)
    }

    fn kept(&self) -> Kept {
        kernel::kept(self.wall())
    }
}

/// The scripted double: stands still until told to move.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    monotonic_ns: AtomicU64,
    kept: Mutex<Kept>,
}

impl ManualClock {
    /// A clock that shows this wall time and zero monotonic time.
    #[must_use]
    pub const fn at(wall: WallMillis) -> Self {
        Self {
            wall_ms: AtomicU64::new(wall.0),
            monotonic_ns: AtomicU64::new(0),
            kept: Mutex::new(Kept {
                synchronised: None,
                max_error: None,
                stepped: false,
            }),
        }
    }

    /// Moves both clocks forward.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "tests move by hours at most"
    )]
    pub fn advance(&self, by: Duration) {
        self.wall_ms
            .fetch_add(by.as_millis() as u64, Ordering::SeqCst);
        self.monotonic_ns
            .fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }

    /// Steps the wall clock alone, as NTP or a person would.
    pub fn step_wall(&self, to: WallMillis) {
        self.wall_ms.store(to.0, Ordering::SeqCst);
    }

    /// What is answered from now on when somebody asks how well the wall clock is kept.
    pub fn keep(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> WallMillis {
        WallMillis(self.wall_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::SeqCst))
    }

    fn kept(&self) -> Kept {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked_and_an_error_is_told_of_a_kept_clock_only() {
        let kept = SystemClock.kept();
        let is_kept = kept.synchronised == Some(true);
        assert!(is_kept || kept.max_error.is_none(), "{kept:?}");
        assert!(!kept.stepped);
    }

    #[test]
    fn the_double_answers_what_it_was_told() {
        let clock = ManualClock::at(EARLIEST);
        assert_eq!(clock.kept(), Kept::default());
        let kept = Kept {
            synchronised: Some(true),
            max_error: Some(Millis(12)),
            stepped: true,
        };
        clock.keep(kept);
        assert_eq!(clock.kept(), kept);
    }
}
