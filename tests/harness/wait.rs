//! The one place where the suite waits: for a condition, looked at again and again, never for a
//! while. A condition that does not come true in generous time fails the test by its name.

#![allow(clippy::disallowed_methods, reason = "the suite's only polling loop")]

use std::time::{Duration, Instant};

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// What anything that happens on the daemon's own initiative may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something.
///
/// # Panics
/// With `what`, when [`PATIENCE`] is exhausted.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(what, PATIENCE, look)
}

/// Waits until `look` finds something, for at most `longest`.
///
/// # Panics
/// With `what`, when `longest` is over.
pub fn until_within<T>(what: &str, longest: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < longest,
            "waited {longest:?} in vain for: {what}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}

/// How long `work` took, for bounds that are part of the product's promise.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
