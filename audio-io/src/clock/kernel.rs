//! What the kernel tells of its clock: adjtimex(2), which without a mode changes nothing and asks
//! for no privilege.
#![allow(unsafe_code, reason = "adjtimex is a system call")]

use super::Kept;
use crate::units::{Millis, WallMillis};

/// What the kernel's clock and the one that is shown to this process may differ by and still be
/// the same, in seconds.
const SAME_WITHIN_S: u64 = 2;

/// Asks the kernel about the clock that shows this wall time: a process may be shown another than
/// the kernel's, for which nobody vouches.
pub(super) fn kept(wall: WallMillis) -> Kept {
    // SAFETY: an all-zero timex is valid, and asks for nothing to be changed (`modes` is 0).
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure lives through the call.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    if answer < 0 {
        return Kept::default();
    }
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_fallible_conversions,
        reason = "time_t is narrower on some targets"
    )]
    let seconds = u64::try_from(state.time.tv_sec).unwrap_or(0);
    let is_shown = seconds.abs_diff(wall.0 / 1_000) <= SAME_WITHIN_S;
    let is_kept = answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0;
    let synchronised = is_kept && is_shown;
    // Nobody sets the errors of a clock that nobody keeps: they would say nothing.
    let worst = state.maxerror.max(state.esterror);
    let worst = u64::try_from(worst).ok().filter(|_| synchronised);
    Kept {
        synchronised: Some(synchronised),
        max_error: worst.map(|microseconds| Millis(microseconds.div_ceil(1_000))),
        stepped: false,
    }
}
