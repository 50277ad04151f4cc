//! Time as a seam. Wall time may step; monotonic time never does and is what durations and
//! timeouts are measured with. This is the only file that reads the system's clocks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::units::WallMillis;

/// Wall and monotonic time.
pub trait Clock: Send + Sync {
    /// The wall clock, which people and NTP may set.
    fn wall(&self) -> WallMillis;

    /// Time since an arbitrary start, never stepping (`CLOCK_MONOTONIC`).
    fn monotonic(&self) -> Duration;
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
}

/// The scripted double: stands still until told to move.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    monotonic_ns: AtomicU64,
}

impl ManualClock {
    /// A clock that shows this wall time and zero monotonic time.
    #[must_use]
    pub const fn at(wall: WallMillis) -> Self {
        Self {
            wall_ms: AtomicU64::new(wall.0),
            monotonic_ns: AtomicU64::new(0),
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
}

impl Clock for ManualClock {
    fn wall(&self) -> WallMillis {
        WallMillis(self.wall_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::SeqCst))
    }
}
