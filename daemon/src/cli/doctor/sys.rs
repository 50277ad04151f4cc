//! Two questions to the kernel that need its own structures.
#![allow(
    unsafe_code,
    reason = "adjtimex and sched_setscheduler are system calls"
)]

/// Whether the kernel's clock is kept right by somebody (adjtimex(2)); `None` where it does not
/// tell.
pub(super) fn clock_is_synchronised() -> Option<bool> {
    // SAFETY: an all-zero timex is valid, and asks for nothing to be changed (`modes` is 0).
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure lives through the call.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    (answer >= 0).then_some(answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0)
}

/// Whether a thread of this process may run under SCHED_FIFO; tried on one that ends at once.
pub(super) fn may_be_realtime(priority: u8) -> Option<bool> {
    let thread = std::thread::Builder::new().spawn(move || {
        // SAFETY: an all-zero sched_param is valid.
        let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
        parameters.sched_priority = priority.clamp(1, 99).into();
        let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
        // SAFETY: thread 0 is the calling one and the parameters live through the call.
        unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
    });
    thread.ok()?.join().ok()
}
