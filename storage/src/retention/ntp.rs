//! Asks the kernel whether its clock is kept right (`adjtimex`, reading only).
#![allow(unsafe_code, reason = "adjtimex has no safe wrapper here")]

use audio_io::clock::Clock;

use super::time::ClockFacts;

/// `TIME_ERROR` of adjtimex(2): the clock is not synchronised.
const TIME_ERROR: libc::c_int = 5;

/// What the clocks show now.
pub(super) fn facts(clock: &dyn Clock) -> ClockFacts {
    let wall = clock.wall().0;
    ClockFacts {
        wall,
        monotonic: clock.monotonic(),
        synchronised: is_synchronised(wall),
    }
}

/// Whether the kernel's clock is synchronised and is the one that shows this wall time: a process
/// may be shown another.
fn is_synchronised(wall: u64) -> bool {
    // SAFETY: `timex` is plain integers, for which zeros are valid; with `modes` 0 the call only
    // fills it in.
    let (state, seconds) = unsafe {
        let mut told: libc::timex = std::mem::zeroed();
        let state = libc::adjtimex(&raw mut told);
        (state, told.time.tv_sec)
    };
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_fallible_conversions,
        reason = "time_t is narrower on some targets"
    )]
    let seconds = u64::try_from(seconds).unwrap_or(0);
    (0..TIME_ERROR).contains(&state) && seconds.abs_diff(wall / 1_000) <= 2
}

#[cfg(test)]
mod tests {
    use audio_io::clock::ManualClock;
    use audio_io::units::WallMillis;

    use super::*;

    #[test]
    fn a_clock_that_is_not_the_kernels_is_not_vouched_for() {
        let clock = ManualClock::at(WallMillis(4_000_000_000_000));
        assert!(!facts(&clock).synchronised);
        assert_eq!(facts(&clock).wall, 4_000_000_000_000);
    }
}
