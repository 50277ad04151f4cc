//! The thread that keeps recordings as long as they must be kept, and no longer: it looks at the
//! clocks, and makes passes of retention.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audio_io::clock::Clock;
use storage::handle::StorageHandle;
use storage::ledger::entry::{Act, Actor, Kind};
use storage::retention::{PassReport, PassRequest, Retired, Standing, Watermarks};

use crate::clock_watch::Step;
use crate::notify::Repeated;

/// How often the clocks are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long after a pass the next one is made, where there is nothing left to delete.
const PASS_EVERY: Duration = Duration::from_secs(15 * 60);

/// Looks and makes passes until it is dropped; a pass under way ends after its batch.
pub(crate) struct Keeping {
    stop: Arc<AtomicBool>,
    _thread: Repeated,
}

impl Keeping {
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(storage: StorageHandle, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut round = Round {
            storage,
            clock,
            stop: Arc::clone(&stop),
            passed_at: None,
        };
        let thread = Repeated::start("keeping", LOOK_EVERY, move || round.run())?;
        Ok(Self {
            stop,
            _thread: thread,
        })
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Round {
    storage: StorageHandle,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    /// When the last pass ended, in monotonic time; `None` when there is one to make now.
    passed_at: Option<Duration>,
}

impl Round {
    fn run(&mut self) {
        match self.storage.clock_tick() {
            Ok(report) if report.changed_from.is_some() => tell_standing(report.standing),
            Ok(_) => {}
            Err(error) => log::warn!("how late it is cannot be noted: {error}"),
        }
        let now = self.clock.monotonic();
        let is_due = |at: Duration| now.saturating_sub(at) >= PASS_EVERY;
        if self.passed_at.is_none_or(is_due) {
            self.pass();
        }
    }

    fn pass(&mut self) {
        let request = PassRequest {
            watermarks: Watermarks::default(),
            free_bytes: None,
            stop: &|| self.stop.load(Ordering::Relaxed),
        };
        let passed = self.storage.retention_pass(&request, &mut tell_deleted);
        let again = match passed {
            Ok(report) => {
                tell_pass(&report);
                report.more && !report.stopped
            }
            Err(error) => {
                log::error!("retention: {error}");
                false
            }
        };
        self.passed_at = (!again).then(|| self.clock.monotonic());
    }
}

fn tell_standing(standing: Standing) {
    match standing {
        Standing::Trusted => log::info!("the clock is trusted: retention goes by it"),
        Standing::Ahead(by) => log::warn!(
            "the clock is {by} ms ahead of what is proven; recordings are deleted later, until \
             it is confirmed"
        ),
        Standing::Behind(by) => log::error!(
            "the clock is {by} ms behind what is proven; nothing is deleted until it is \
             confirmed"
        ),
        Standing::Unknown => log::error!("the clock was never set; nothing is deleted"),
    }
}

fn tell_deleted(batch: &[Retired]) {
    for one in batch {
        let facts = &one.row.facts;
        log::info!(
            recording = facts.id.0, tenant = facts.tenant.0;
            "recording deleted: {}", one.reason
        );
    }
}

fn tell_pass(report: &PassReport) {
    if report.short > 0 {
        log::error!(
            "{} bytes are short, and everything that may be deleted is: something must be done",
            report.short
        );
    }
    if report.deleted > 0 {
        let (deleted, bytes) = (report.deleted, report.bytes);
        log::info!(deleted, bytes; "a retention pass ended");
    }
}

/// The way from the clock's watcher to the ledger. The clock is there before the store is, and the
/// store holds the clock: so it is closed again before the store goes.
#[derive(Clone, Default)]
pub(crate) struct StepBook(Arc<Mutex<Option<StorageHandle>>>);

impl StepBook {
    /// Steps are told from now on, until what this answers is dropped.
    #[must_use]
    pub(crate) fn open(&self, storage: StorageHandle) -> OpenBook {
        self.put(Some(storage));
        OpenBook(self.clone())
    }

    /// Tells the ledger of a step.
    pub(crate) fn tell(&self, step: Step) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(storage) = &*held {
            let act = Act::new(Kind::ClockStep).by(Actor::system("clock"));
            storage.record_act(act.with("by_ms", step.by_ms).with("to", step.to.0));
        }
    }

    fn put(&self, storage: Option<StorageHandle>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = storage;
    }
}

/// While it is there, steps are told.
pub(crate) struct OpenBook(StepBook);

impl Drop for OpenBook {
    fn drop(&mut self) {
        self.0.put(None);
    }
}
