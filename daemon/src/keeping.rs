//! The thread that keeps recordings as long as they must be kept, and no longer: it looks at the
//! clocks, and makes passes of retention.

mod policies;
mod start;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use nix::sys::statvfs::statvfs;
use storage::handle::StorageHandle;
use storage::ledger::entry::{Act, Actor, Kind as ActKind};
use storage::retention::{
    DiskLevel, DiskLevels, PassError, PassReport, PassRequest, Policy, Retired, Rules, Standing,
    Watermarks,
};

use crate::alarms::figures::KeepingFigures;
use crate::alarms::{Alarms, Kind, State};
use crate::clock_watch::Step;
use crate::config::policies::watermarks;
use crate::config::schema::Config;
use crate::http::metrics::HttpMetrics;
use crate::notify::Repeated;

pub(crate) use policies::resolved;
pub use policies::{PoliciesError, Shrink, apply_policies};
pub use start::surroundings;
pub(crate) use start::{keep_by_policies, reload_policies, start_all};

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often the clocks are, and what changes slowly.
const TICK_EVERY: Duration = Duration::from_secs(10);

/// How long after a pass on a low disk, which found nothing more to delete, the next one is made.
const AGAIN_EVERY: Duration = Duration::from_secs(30);

/// What the thread needs.
pub(crate) struct Parts {
    pub(crate) storage: StorageHandle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Arc<ArcSwap<Config>>,
    pub(crate) metrics: Arc<HttpMetrics>,
    pub(crate) alarms: Option<Alarms>,
}

/// Looks and makes passes until it is dropped; a pass under way ends after its batch.
pub(crate) struct Keeping {
    stop: Arc<AtomicBool>,
    _thread: Repeated,
}

impl Keeping {
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(parts: Parts) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        // Recordings may be a file system of their own.
        let folder = parts.storage.data_dir().join("recordings");
        let mut round = Round {
            parts,
            folder,
            stop: Arc::clone(&stop),
            levels: DiskLevels::default(),
            marks: Watermarks::default(),
            ticked_at: None,
            passed_at: None,
            fruitless: false,
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
    parts: Parts,
    /// Of whose file system the free space counts.
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    levels: DiskLevels,
    marks: Watermarks,
    ticked_at: Option<Duration>,
    /// When the last pass ended, in monotonic time; `None` when there is one to make now.
    passed_at: Option<Duration>,
    /// The last pass on a low disk left it low.
    fruitless: bool,
}

impl Round {
    fn run(&mut self) {
        self.disk();
        let now = self.parts.clock.monotonic();
        let since = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
        if since(self.ticked_at).is_none_or(|past| past >= TICK_EVERY) {
            self.ticked_at = Some(now);
            self.tick();
        }
        let every = match self.levels.level() {
            DiskLevel::Normal => self.every(),
            // Nothing goes without a policy, be the disk full.
            _ if self.parts.storage.retention_rules().policies().is_empty() => self.every(),
            _ if self.fruitless => AGAIN_EVERY.min(self.every()),
            _ => Duration::ZERO,
        };
        if since(self.passed_at).is_none_or(|past| past >= every) {
            self.pass();
        }
    }

    fn every(&self) -> Duration {
        Duration::from_secs(self.parts.config.load().retention.pass_every_s)
    }

    fn figures(&self) -> &KeepingFigures {
        &self.parts.metrics.keeping
    }

    fn set(&self, kind: Kind, trouble: Option<&dyn std::fmt::Display>) {
        if let Some(alarms) = &self.parts.alarms {
            alarms.set(kind, trouble);
        }
    }

    /// Looks how full the disk is, and whether it takes anything.
    fn disk(&mut self) {
        if let Ok((free, all)) = disk_space(&self.folder) {
            self.marks = watermarks(&self.parts.config.load().retention, all);
            self.levels.set_marks(self.marks);
            let change = self.levels.see(free);
            let level = self.levels.level();
            self.figures()
                .disk_level
                .store(level as u64, Ordering::Relaxed);
            if let Some((before, now)) = change {
                self.fruitless = false;
                self.tell_level(before, now, free);
            }
        }
        let degraded = self.parts.storage.metrics().degraded;
        let trouble = "the disk refuses writes: nothing is recorded until it takes them again; \
                       what is recorded can be read";
        self.set(
            Kind::Recording,
            degraded.then_some(&trouble as &dyn std::fmt::Display),
        );
    }

    fn tell_level(&self, before: DiskLevel, now: DiskLevel, free: u64) {
        let Some(alarms) = &self.parts.alarms else {
            return;
        };
        let mib = free >> 20;
        let folder = self.folder.display();
        let level = now.name();
        let what = match now {
            DiskLevel::Normal => "enough is free again",
            DiskLevel::Low => {
                "the oldest recordings past their minimum are deleted, if any policy is set"
            }
            DiskLevel::Critical => "make room, or shorten what is kept",
            DiskLevel::Full => "recording is about to stop: make room now",
        };
        let state = match now {
            DiskLevel::Normal => State::Over,
            DiskLevel::Low => State::Warning,
            DiskLevel::Critical | DiskLevel::Full => State::Error,
        };
        let before = before.name();
        let text = format!(
            "the disk of {folder} is at level '{level}' (before: '{before}'), {mib} MiB free: \
             {what}"
        );
        alarms.tell(Kind::Disk, state, text);
    }

    /// Looks at what changes slowly.
    fn tick(&self) {
        let storage = &self.parts.storage;
        match storage.clock_tick() {
            Ok(report) => {
                let trusted = report.standing == Standing::Trusted;
                self.figures()
                    .clock_trusted
                    .store(u64::from(trusted), Ordering::Relaxed);
                let trouble = standing_text(report.standing);
                self.set(Kind::Clock, trouble.as_ref().map(|text| text as _));
            }
            Err(error) => log::warn!("how late it is cannot be noted: {error}"),
        }
        if let Ok(status) = storage.ledger_status() {
            let failing = status
                .failing
                .map(|why| format!("checkpoints cannot be written: {why}"));
            self.set(Kind::Checkpoints, failing.as_ref().map(|text| text as _));
        }
        self.look_at_policies();
    }

    /// Whether those that are configured are in force; somebody may have confirmed them meanwhile,
    /// or added the tenant that was missing.
    fn look_at_policies(&self) {
        let storage = &self.parts.storage;
        let config = self.parts.config.load();
        let policies = &config.retention.policies;
        let wanted = match resolved(storage, policies) {
            Ok(wanted) => wanted,
            Err(error) => return self.set(Kind::Shrink, Some(&error)),
        };
        let keeps_all = |wanted: Vec<Policy>| {
            let wanted = Rules::new(wanted);
            wanted.is_ok_and(|wanted| wanted.keeps_all_of(&storage.retention_rules()).is_ok())
        };
        if storage.retention_rules().policies() != wanted
            && keeps_all(wanted.clone())
            && apply_policies(&start::by_files(storage), policies, Shrink::Refused).is_ok()
        {
            log::info!("the configured retention policies are in force now");
        }
        let in_force = storage.retention_rules();
        let differs = in_force.policies() != wanted;
        let refused = self.figures().reload_shrinks.load(Ordering::Relaxed) > 0;
        let figure = &self.figures().shrink_refused;
        figure.store(u64::from(differs || refused), Ordering::Relaxed);
        let why = if differs {
            Some(
                match Rules::new(wanted).map(|wanted| wanted.keeps_all_of(&in_force)) {
                    Ok(Err(error)) => {
                        format!("{error}; 'callreel retention accept-shrink --yes' confirms it")
                    }
                    Ok(Ok(())) => "the configured retention policies are not in force".to_owned(),
                    Err(error) => error.to_string(),
                },
            )
        } else {
            refused.then(|| {
                "a reload was refused, for it would shorten how long recordings must be kept; \
                 'callreel retention accept-shrink --yes' confirms it"
                    .to_owned()
            })
        };
        self.set(Kind::Shrink, why.as_ref().map(|text| text as _));
    }

    fn pass(&mut self) {
        let stop = Arc::clone(&self.stop);
        let request = PassRequest {
            watermarks: self.marks,
            free_bytes: None,
            stop: &|| stop.load(Ordering::Relaxed),
        };
        let metrics = Arc::clone(&self.parts.metrics);
        let mut told = |batch: &[Retired]| tell_deleted(batch, &metrics.keeping);
        let passed = self.parts.storage.retention_pass(&request, &mut told);
        let again = match passed {
            Ok(report) => {
                self.passed(&report);
                report.more && !report.stopped
            }
            Err(PassError::RulesChanged) => true,
            Err(error) => {
                self.figures().passes_failed.fetch_add(1, Ordering::Relaxed);
                self.fruitless = true;
                self.set(Kind::Deletions, Some(&format!("retention: {error}")));
                false
            }
        };
        self.passed_at = (!again).then(|| self.parts.clock.monotonic());
    }

    fn passed(&mut self, report: &PassReport) {
        let figures = self.figures();
        figures.passes.fetch_add(1, Ordering::Relaxed);
        let wall = self.parts.clock.wall().0;
        figures.passed_at_ms.store(wall, Ordering::Relaxed);
        figures.held.store(report.survey.held, Ordering::Relaxed);
        figures.young.store(report.survey.young, Ordering::Relaxed);
        figures.short_bytes.store(report.short, Ordering::Relaxed);
        if !report.stopped {
            let suspended = self.parts.storage.deletions_suspended().unwrap_or(false);
            let suspended = suspended.then_some(PassError::Suspended);
            self.set(Kind::Deletions, suspended.as_ref().map(|error| error as _));
            let short = (report.short > 0).then(|| {
                format!(
                    "{} bytes are short, and everything that may be deleted is: something must be \
                     done",
                    report.short
                )
            });
            self.set(Kind::Short, short.as_ref().map(|text| text as _));
        }
        self.fruitless = !report.more;
        if report.deleted > 0 {
            let (deleted, bytes) = (report.deleted, report.bytes);
            log::info!(deleted, bytes; "a retention pass ended");
        }
    }
}

/// Free bytes and all bytes of the file system of a folder.
pub(crate) fn disk_space(folder: &Path) -> io::Result<(u64, u64)> {
    let space = statvfs(folder)?;
    // Their types differ between machines.
    let (unit, free, all) = (
        space.fragment_size(),
        space.blocks_available(),
        space.blocks(),
    );
    #[allow(clippy::useless_conversion, reason = "not useless on 32 bits")]
    let (unit, free, all) = (u64::from(unit), u64::from(free), u64::from(all));
    Ok((free.saturating_mul(unit), all.saturating_mul(unit)))
}

/// What is wrong with the clock, if anything.
fn standing_text(standing: Standing) -> Option<String> {
    match standing {
        Standing::Trusted => None,
        Standing::Ahead(by) => Some(format!(
            "the clock is {by} ms ahead of what is proven; recordings are deleted later, until \
             it is confirmed"
        )),
        Standing::Behind(by) => Some(format!(
            "the clock is {by} ms behind what is proven; nothing is deleted until it is confirmed"
        )),
        Standing::Unknown => Some("the clock was never set; nothing is deleted".to_owned()),
    }
}

fn tell_deleted(batch: &[Retired], figures: &KeepingFigures) {
    for one in batch {
        let facts = &one.row.facts;
        log::info!(
            recording = facts.id.0, tenant = facts.tenant.0;
            "recording deleted: {}", one.reason
        );
        let bytes = one
            .row
            .outcome
            .as_ref()
            .map_or(0, |outcome| outcome.size_bytes);
        figures.deleted.fetch_add(1, Ordering::Relaxed);
        figures.deleted_bytes.fetch_add(bytes, Ordering::Relaxed);
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
            let act = Act::new(ActKind::ClockStep).by(Actor::system("clock"));
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
