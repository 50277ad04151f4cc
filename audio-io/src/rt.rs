//! What a thread needs to keep time: a real-time priority and locked memory where the system
//! grants them, and one wait for many descriptors and a point in time.
#![allow(
    unsafe_code,
    reason = "scheduling, memory locks and ppoll are system calls"
)]

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::port::PollEntry;

/// Stack that is touched before the loop starts, so that no page fault meets it later.
const STACK_BYTES: usize = 64 * 1_024;

/// How a real-time thread behaves.
#[derive(Clone, Debug)]
pub struct RealtimeOptions {
    /// Wanted SCHED_FIFO priority, 1 to 99; refused quietly (and reported) where not allowed.
    pub priority: Option<u8>,
    /// Whether the process's memory is locked against swapping.
    pub lock_memory: bool,
    /// Ring capacity per stream in milliseconds of sound.
    pub ring_ms: u64,
}

/// What the scheduler granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealtimeGrant {
    /// The thread runs under SCHED_FIFO with the wanted priority.
    pub fifo: bool,
    /// What the process has mapped so far stays in memory once it was touched.
    pub memory_locked: bool,
}

/// Asks for what the options want, for the calling thread. Refusals are reported, never errors.
pub(crate) fn become_realtime(options: &RealtimeOptions) -> RealtimeGrant {
    let fifo = options.priority.is_some_and(set_fifo);
    let memory_locked = options.lock_memory && lock_memory();
    let mut stack = [0_u8; STACK_BYTES];
    std::hint::black_box(&mut stack);
    RealtimeGrant {
        fifo,
        memory_locked,
    }
}

fn set_fifo(priority: u8) -> bool {
    // SAFETY: an all-zero sched_param is valid, on every libc whatever else it holds.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority.clamp(1, 99).into();
    // Children of this thread, should a library start one, do not inherit the priority.
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: thread 0 is the calling one and the parameters live through the call.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}

/// Locks what is mapped now, page by page as it is touched. Not what will be mapped: recordings
/// that are being played are mapped later, and locking those would fill the memory with them.
/// Nor at once: that would bring in every page of every thread's stack.
fn lock_memory() -> bool {
    // SAFETY: no pointers are involved.
    unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_ONFAULT) == 0 }
}

/// Wakes a thread that waits in [`PollSet::wait`].
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<EventFd>);

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_value_and_flags(0, flags)?)))
    }

    pub(crate) fn wake(&self) {
        // It fails only when it is already signalled 2^64 times: then the thread wakes anyway.
        let _signalled = self.0.write(1);
    }

    fn clear(&self) {
        let _count = self.0.read();
    }
}

/// The descriptors one thread waits for. The first is its waker's.
pub(crate) struct PollSet {
    waker: Waker,
    polled: Vec<libc::pollfd>,
}

impl PollSet {
    pub(crate) fn new(waker: Waker, room: usize) -> Self {
        let mut set = Self {
            waker,
            polled: Vec::with_capacity(room + 1),
        };
        set.clear();
        set
    }

    /// Forgets all descriptors but the waker's.
    pub(crate) fn clear(&mut self) {
        self.polled.clear();
        let fd = self.waker.0.as_raw_fd();
        self.polled.push(libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
    }

    /// Adds descriptors and says where they stand.
    pub(crate) fn add(&mut self, entries: &[PollEntry]) -> std::ops::Range<usize> {
        let start = self.polled.len();
        self.polled.extend(entries.iter().map(|entry| libc::pollfd {
            fd: entry.fd,
            events: entry.events,
            revents: 0,
        }));
        start..self.polled.len()
    }

    /// Ignores the descriptors in a place, or minds them again. A waker minds its own.
    pub(crate) fn mute(&mut self, place: std::ops::Range<usize>, muted: bool) {
        for one in &mut self.polled[place] {
            if (one.fd < 0) != muted {
                // poll(2) ignores negative descriptors; the complement of 0 is negative too.
                one.fd = !one.fd as RawFd;
            }
            one.revents = 0;
        }
    }

    /// What happened at a place since the last wait, in the order the descriptors were added.
    /// Returns how many of `out` were filled.
    pub(crate) fn revents(&self, place: std::ops::Range<usize>, out: &mut [i16]) -> usize {
        let mut count = 0;
        for (event, one) in out.iter_mut().zip(&self.polled[place]) {
            *event = one.revents;
            count += 1;
        }
        count
    }

    /// Whether anything happened at a place.
    pub(crate) fn any(&self, place: std::ops::Range<usize>) -> bool {
        self.polled[place].iter().any(|one| one.revents != 0)
    }

    /// Waits until something happens, or this long. Zero looks without waiting.
    pub(crate) fn wait(&mut self, timeout: Duration) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            reason = "below 1e9"
        )]
        let tv_nsec = timeout.subsec_nanos() as libc::c_long;
        let tv_sec = timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX);
        let timeout = libc::timespec { tv_sec, tv_nsec };
        let count = libc::nfds_t::try_from(self.polled.len()).unwrap_or(libc::nfds_t::MAX);
        // SAFETY: the pointer and the count are those of one live vector; the timeout lives
        // through the call; no signal mask is given.
        let happened = unsafe {
            libc::ppoll(
                self.polled.as_mut_ptr(),
                count,
                &raw const timeout,
                std::ptr::null(),
            )
        };
        if happened < 0 {
            // Interrupted: what the events say now is not of this wait.
            for one in &mut self.polled {
                one.revents = 0;
            }
        }
        if self.polled[0].revents != 0 {
            self.waker.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_reported_not_errors() {
        let options = RealtimeOptions {
            priority: None,
            lock_memory: false,
            ring_ms: 500,
        };
        let nothing = RealtimeGrant {
            fifo: false,
            memory_locked: false,
        };
        assert_eq!(become_realtime(&options), nothing);
        // Whether it is granted depends on who runs the tests; asking for it never fails.
        let wishes = RealtimeOptions {
            priority: Some(1),
            ..options
        };
        let granted = std::thread::spawn(move || become_realtime(&wishes)).join();
        assert!(granted.is_ok_and(|granted| !granted.memory_locked));
    }

    #[test]
    fn a_waker_ends_a_wait_and_muted_descriptors_do_not() -> io::Result<()> {
        let (waker, other) = (Waker::new()?, Waker::new()?);
        let mut set = PollSet::new(waker.clone(), 1);
        let place = set.add(&[PollEntry {
            fd: other.0.as_raw_fd(),
            events: libc::POLLIN,
        }]);
        other.wake();
        set.wait(Duration::from_secs(60));
        let mut revents = [0; 2];
        assert_eq!(set.revents(place.clone(), &mut revents), 1);
        assert_eq!(revents[0], libc::POLLIN);
        set.mute(place.clone(), true);
        set.wait(Duration::ZERO);
        assert!(!set.any(place.clone()));
        waker.wake();
        set.wait(Duration::from_secs(60));
        assert!(!set.any(place.clone()));
        set.mute(place.clone(), false);
        set.wait(Duration::from_secs(60));
        assert!(set.any(place));
        Ok(())
    }
}
