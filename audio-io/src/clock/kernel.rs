//! What the kernel tells of its clock: adjtimex(2), which without a mode changes nothing and asks
//! for no privilege.
#![allow(unsafe_code, reason = "adjtimex is a system call")]

use super::Kept;
use crate::units::Millis;

/// Asks the kernel.
pub(super) fn kept() -> Kept {
    // SAFETY: an all-zero timex is valid, and asks for nothing to be changed (`modes` is 0).
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure lives through the call.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    if answer < 0 {
        return Kept::default();
    }
    let synchronised = answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0;
    // Nobody sets the errors of a clock that nobody keeps: they would say nothing.
    let worst = state.maxerror.max(state.esterror);
    let worst = u64::try_from(worst).ok().filter(|_| synchronised);
    Kept {
        synchronised: Some(synchronised),
        max_error: worst.map(|microseconds| Millis(microseconds.div_ceil(1_000))),
        stepped: false,
    }
}
