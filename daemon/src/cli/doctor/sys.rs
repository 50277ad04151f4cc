//! A question to the kernel that needs its own structures.
#![allow(unsafe_code, reason = "sched_setscheduler is a system call")]

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
