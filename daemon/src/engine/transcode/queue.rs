//! The conversion threads and what waits for them. More urgent work always goes first: a thread
//! takes it before anything else, and work that takes long lets it in between (`Turn::give_way`),
//! so that a piece somebody listens to never waits for an hour being converted, even when there
//! is one thread.
//!
//! ```text
//!  Piece ─┐
//!  Ahead ─┤ bounded, first come    ┌─ convert-0 (nice 19)
//!  Whole ─┤ ───────────────────────┤
//!  Keep  ─┘ first served           └─ convert-n
//! ```
//!
//! What is not here: what the work is, and who shares it (`flight`).

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use storage::segment::lower_priority;

use crate::engine::limits::{
    CONVERSIONS_WAITING_MAX, CONVERT_WORKERS_MAX, KEEPING_WAITING_MAX, PIECES_AHEAD_MAX,
    PIECES_WAITING_MAX,
};

/// How urgent work is; what stands first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Somebody waits for these bytes.
    Piece,
    /// Somebody will want these bytes next.
    Ahead,
    /// Somebody waits for a whole file.
    Whole,
    /// Nobody waits: a tenant's stored format.
    Keep,
}

/// Levels, and how many pieces of work may wait at each.
const WAITING_MAX: [usize; 4] = [
    PIECES_WAITING_MAX,
    PIECES_AHEAD_MAX,
    CONVERSIONS_WAITING_MAX,
    KEEPING_WAITING_MAX,
];

/// Why work was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// As much as may wait at this level waits.
    Full,
    /// The threads end.
    Stopping,
}

type Job = Box<dyn FnOnce(&Turn<'_>) + Send>;

/// What waits for the conversion threads.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<[VecDeque<Job>; 4]>,
    wake: Condvar,
    stopping: AtomicBool,
}

/// A thread's stretch of work.
pub(super) struct Turn<'a> {
    queue: &'a Queue,
    level: Level,
}

impl Turn<'_> {
    /// Does what is more urgent than this work and has come meanwhile. No lock may be held.
    /// `Break` when the work should end, since the threads do.
    pub(super) fn give_way(&self) -> ControlFlow<()> {
        while !self.queue.is_stopping() {
            match self.queue.take_above(self.level as usize) {
                Some((level, job)) => self.queue.run(level, job),
                None => return ControlFlow::Continue(()),
            }
        }
        ControlFlow::Break(())
    }
}

impl Queue {
    /// Hands work in. It is dropped undone when the threads end before its turn.
    pub(super) fn offer(
        &self,
        level: Level,
        work: impl FnOnce(&Turn<'_>) + Send + 'static,
    ) -> Result<(), Refused> {
        {
            let mut waiting = self.lock();
            if self.is_stopping() {
                return Err(Refused::Stopping);
            }
            let line = &mut waiting[level as usize];
            if line.len() >= WAITING_MAX[level as usize] {
                return Err(Refused::Full);
            }
            line.push_back(Box::new(work));
        }
        self.wake.notify_one();
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Tells the threads to end, and forgets what waits.
    fn stop(&self) {
        let undone = {
            let mut waiting = self.lock();
            self.stopping.store(true, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        self.wake.notify_all();
        // Outside of the lock: what is dropped may be anything.
        drop(undone);
    }

    /// The most urgent work above a level.
    fn take_above(&self, level: usize) -> Option<(Level, Job)> {
        take(&mut self.lock(), level)
    }

    /// The most urgent work; waits for some. `None` when the threads end.
    fn next(&self) -> Option<(Level, Job)> {
        let mut waiting = self.lock();
        loop {
            if self.is_stopping() {
                return None;
            }
            if let Some(found) = take(&mut waiting, LEVELS.len()) {
                return Some(found);
            }
            waiting = self
                .wake
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, level: Level, job: Job) {
        let turn = Turn { queue: self, level };
        // A codec that panics on somebody's file must not take the thread with it; whoever waits
        // is told by what the work drops.
        if catch_unwind(AssertUnwindSafe(|| job(&turn))).is_err() {
            log::error!("a conversion ended in a panic; its file is skipped");
        }
    }

    fn lock(&self) -> MutexGuard<'_, [VecDeque<Job>; 4]> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LEVELS: [Level; 4] = [Level::Piece, Level::Ahead, Level::Whole, Level::Keep];

fn take(waiting: &mut [VecDeque<Job>; 4], below: usize) -> Option<(Level, Job)> {
    let mut lines = LEVELS.into_iter().zip(waiting).take(below);
    lines.find_map(|(level, line)| Some((level, line.pop_front()?)))
}

/// The conversion threads. They end when this is dropped.
pub(super) struct Workers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts threads for a queue.
    pub(super) fn start(queue: &Arc<Queue>, count: usize) -> std::io::Result<Self> {
        let mut workers = Self {
            queue: Arc::clone(queue),
            threads: Vec::with_capacity(count),
        };
        for number in 0..count {
            let queue = Arc::clone(queue);
            let thread = std::thread::Builder::new().name(format!("convert-{number}"));
            // Those that run already end with `workers` when this one cannot be made.
            workers.threads.push(thread.spawn(move || {
                lower_priority();
                while let Some((level, job)) = queue.next() {
                    queue.run(level, job);
                }
            })?);
        }
        Ok(workers)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so.
            let _ = thread.join();
        }
    }
}

/// How many threads a configuration asks for: 0 is one less than there are cores.
pub(super) fn count(configured: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = match configured {
        0 => cores() - 1,
        count => count,
    };
    wanted.clamp(1, CONVERT_WORKERS_MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn urgent_work_overtakes_and_interrupts() {
        let queue = Arc::new(Queue::default());
        let (tell, told) = sync_channel(8);
        let offer = |level, name: &'static str| {
            let tell = tell.clone();
            let work = move |turn: &Turn<'_>| {
                tell.send((name, "begins")).unwrap();
                assert!(turn.give_way().is_continue());
                tell.send((name, "ends")).unwrap();
            };
            queue.offer(level, work).unwrap();
        };
        offer(Level::Keep, "keep");
        let late = Arc::clone(&queue);
        let tell_late = tell.clone();
        let whole = move |turn: &Turn<'_>| {
            let piece = move |_: &Turn<'_>| tell_late.send(("piece", "")).unwrap();
            late.offer(Level::Piece, piece).unwrap();
            assert!(turn.give_way().is_continue());
        };
        queue.offer(Level::Whole, whole).unwrap();
        offer(Level::Ahead, "ahead");
        let workers = Workers::start(&queue, 1).unwrap();
        let said: Vec<_> = told.iter().take(5).collect();
        let wanted = [
            ("ahead", "begins"),
            ("ahead", "ends"),
            ("piece", ""),
            ("keep", "begins"),
            ("keep", "ends"),
        ];
        assert_eq!(said, wanted);
        drop(workers);
        assert_eq!(queue.offer(Level::Piece, |_| ()), Err(Refused::Stopping));
    }

    #[test]
    fn a_full_line_refuses_and_the_others_do_not() {
        let queue = Queue::default();
        for _ in 0..CONVERSIONS_WAITING_MAX {
            queue.offer(Level::Whole, |_| ()).unwrap();
        }
        assert_eq!(queue.offer(Level::Whole, |_| ()), Err(Refused::Full));
        assert_eq!(queue.offer(Level::Piece, |_| ()), Ok(()));
    }

    #[test]
    fn a_panic_ends_the_work_and_not_the_thread() {
        let queue = Arc::new(Queue::default());
        let workers = Workers::start(&queue, 1).unwrap();
        let (tell, told) = sync_channel(1);
        queue.offer(Level::Piece, |_| panic!("on purpose")).unwrap();
        queue
            .offer(Level::Whole, move |_| tell.send(1).unwrap())
            .unwrap();
        assert_eq!(told.recv(), Ok(1));
        drop(workers);
    }

    #[test]
    fn there_is_always_a_thread() {
        assert!(count(0) >= 1);
        assert_eq!(count(3), 3);
        assert_eq!(count(1 << 20), CONVERT_WORKERS_MAX);
    }
}
