//! The one thread that writes the index: it gathers changes, makes them in one transaction,
//! commits, and tells everyone who asked. A failed commit loses nothing that must not be lost:
//! changes marked `keep` are tried again until they are in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use audio_io::clock::Clock;

use super::Index;
use super::apply::{Applied, Change};
use crate::changes::Changes;
use crate::error::{OpenError, WriteError};
use crate::ledger::acts::ActQueue;
use crate::limits::{
    ACTS_MAX, ACTS_STEP, COMMIT_GROUP_MAX, COMMIT_QUEUE_MAX, COMMIT_RETRY, COMMIT_WINDOW,
    INDEX_PULSE,
};
use crate::metrics::Metrics;
use crate::reserve::{Reserve, is_full};

/// Told once, on the writer thread, when the change is durable or refused or has failed.
pub(crate) type Reply = Box<dyn FnOnce(Result<Applied, WriteError>) + Send>;

/// A change on its way to the writer thread.
pub(crate) struct Job {
    pub(crate) change: Change,
    /// Somebody waits: commit without delay.
    pub(crate) urgent: bool,
    /// Tried again after a failed commit instead of being answered with the failure.
    pub(crate) keep: bool,
    pub(crate) reply: Option<Reply>,
}

/// The queue to the writer thread, and the thread itself.
pub(crate) struct Committer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer thread works with.
pub(crate) struct Parts {
    pub(crate) index: Arc<Index>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) reserve: Arc<Reserve>,
    pub(crate) acts: Arc<ActQueue>,
}

impl Committer {
    pub(crate) fn spawn(parts: Parts) -> Result<Self, OpenError> {
        let (queue, jobs) = sync_channel(COMMIT_QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("index".into())
            .spawn(move || {
                Writer {
                    parts,
                    kept: Vec::new(),
                }
                .run(&jobs)
            })
            .map_err(|error| OpenError::Thread("index", error))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Makes a change and waits until it is durable.
    pub(crate) fn commit(&self, change: Change) -> Result<Applied, WriteError> {
        let (answer, answered) = sync_channel(1);
        let reply: Reply = Box::new(move |result| {
            let _ = answer.send(result);
        });
        let job = Job {
            change,
            urgent: true,
            keep: false,
            reply: Some(reply),
        };
        let queue = self.queue.as_ref().ok_or(WriteError::Closing)?;
        queue.send(job).map_err(|_| WriteError::Closing)?;
        answered.recv().map_err(|_| WriteError::Closing)?
    }

    /// The queue itself, for threads that end before this.
    pub(crate) fn sender(&self) -> Option<SyncSender<Job>> {
        self.queue.clone()
    }

    /// Hands a change over without waiting; gives it back when the queue is full.
    pub(crate) fn offer(&self, job: Job) -> Result<(), Job> {
        match &self.queue {
            None => Err(job),
            Some(queue) => queue.try_send(job).map_err(|error| match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            }),
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    parts: Parts,
    kept: Vec<Job>,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            self.parts
                .metrics
                .index_turns
                .fetch_add(1, Ordering::Relaxed);
            let mut group = std::mem::take(&mut self.kept);
            let open = if group.is_empty() {
                gather(jobs, &mut group, &*self.parts.clock)
            } else {
                wait_for_retry(jobs, &mut group)
            };
            if !self.parts.acts.is_empty() {
                // First: they came before what somebody waits for now.
                group.insert(0, self.acts());
            }
            if !group.is_empty() {
                self.commit(group);
            }
            if !open {
                for _ in 0..=ACTS_MAX / ACTS_STEP {
                    if !self.parts.acts.is_empty() {
                        let acts = self.acts();
                        self.commit(vec![acts]);
                    }
                }
                // What is still kept now failed again while closing; recovery redoes it.
                return;
            }
        }
    }

    fn commit(&mut self, group: Vec<Job>) {
        let started = self.parts.clock.monotonic();
        match self.try_commit(&group) {
            Ok(outcomes) => {
                let took = self.parts.clock.monotonic().saturating_sub(started);
                self.parts.metrics.index_commit.record(took);
                self.parts
                    .metrics
                    .index_refuses
                    .store(false, Ordering::Relaxed);
                let touched = group.iter().flat_map(|job| job.change.recordings());
                self.parts.changes.committed(touched);
                for (job, outcome) in group.into_iter().zip(outcomes) {
                    job.change.committed();
                    if let Some(reply) = job.reply {
                        reply(Ok(outcome));
                    }
                }
            }
            Err(error) => self.failed(group, &error),
        }
    }

    /// What nobody waits for goes with whatever is committed.
    fn acts(&self) -> Job {
        Job {
            change: Change::Acts(Arc::clone(&self.parts.acts)),
            urgent: false,
            keep: false,
            reply: None,
        }
    }

    fn try_commit(&self, group: &[Job]) -> Result<Vec<Applied>, redb::Error> {
        self.parts.index.write(group.iter().map(|job| &job.change))
    }

    fn failed(&mut self, group: Vec<Job>, error: &redb::Error) {
        if !self
            .parts
            .metrics
            .index_refuses
            .swap(true, Ordering::Relaxed)
        {
            log::error!("the index cannot be written: {error}; trying again every second");
        }
        if matches!(error, redb::Error::Io(cause) if is_full(cause)) {
            self.parts.reserve.release();
        }
        if let Err(error) = self.parts.index.reopen() {
            log::warn!("the index cannot be opened again: {error}");
        }
        for job in group {
            if job.keep {
                let held = self
                    .kept
                    .iter()
                    .any(|kept| job.change.is_asked_by(&kept.change));
                if !held {
                    self.kept.push(job);
                }
            } else if let Some(reply) = job.reply {
                reply(Err(WriteError::Index(describe(error))));
            }
        }
    }
}

/// Waits for a first change, not for long, and for its company, which a steady trickle does not
/// draw out. False when no more will come.
fn gather(jobs: &Receiver<Job>, group: &mut Vec<Job>, clock: &dyn Clock) -> bool {
    let first = match jobs.recv_timeout(INDEX_PULSE) {
        Ok(first) => first,
        Err(RecvTimeoutError::Timeout) => return true,
        Err(RecvTimeoutError::Disconnected) => return false,
    };
    let end = clock.monotonic() + 2 * COMMIT_WINDOW;
    let mut urgent = first.urgent;
    group.push(first);
    while group.len() < COMMIT_GROUP_MAX {
        let next = if urgent {
            jobs.try_recv().map_err(|_| RecvTimeoutError::Timeout)
        } else {
            let left = end.saturating_sub(clock.monotonic());
            jobs.recv_timeout(COMMIT_WINDOW.min(left))
        };
        match next {
            Ok(job) => {
                urgent |= job.urgent || group.len() > COMMIT_GROUP_MAX / 4;
                group.push(job);
            }
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// After a failure: lets time pass, and takes what comes in meanwhile up to the group's maximum,
/// so that a full queue means back-pressure and not growth.
fn wait_for_retry(jobs: &Receiver<Job>, group: &mut Vec<Job>) -> bool {
    match jobs.recv_timeout(COMMIT_RETRY) {
        Ok(job) => {
            group.push(job);
            while group.len() < COMMIT_QUEUE_MAX {
                match jobs.try_recv() {
                    Ok(job) => group.push(job),
                    Err(_) => break,
                }
            }
            true
        }
        Err(RecvTimeoutError::Timeout) => true,
        Err(RecvTimeoutError::Disconnected) => false,
    }
}

/// The same failure for each of several askers; redb's errors cannot be cloned.
fn describe(error: &redb::Error) -> redb::Error {
    match error {
        redb::Error::Io(cause) => redb::Error::Io(match cause.raw_os_error() {
            Some(number) => std::io::Error::from_raw_os_error(number),
            None => std::io::Error::from(cause.kind()),
        }),
        redb::Error::PreviousIo => redb::Error::PreviousIo,
        other => redb::Error::Corrupted(other.to_string()),
    }
}
