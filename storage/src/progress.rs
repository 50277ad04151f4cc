//! Whether long work goes on: repairing, checking a big index, sealing at the end. Whoever waits
//! for it (the service manager, at start and stop) is told by the growth of one number.

use std::sync::atomic::{AtomicU64, Ordering};

static STEPS: AtomicU64 = AtomicU64::new(0);

/// The process's stores have done one more piece of long work.
pub(crate) fn step() {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// Pieces of long work that the process's stores have done.
#[must_use]
pub fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}
