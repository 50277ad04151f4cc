//! Exports under way and ready: each is made on a thread of its own, one after the other, into a
//! file that goes with the export. What is exported is in the ledger before the first byte of it
//! is written.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use storage::export::{self, ExportError, OfStore};
use storage::handle::StorageHandle;
use storage::ids::TenantId;
use storage::ledger::acts::Warrant;
use storage::ledger::chain::Hash;
use storage::ledger::entry::{Act, Kind};
use storage::ledger::key::SigningKey;
use storage::record::{Recording, WallMillis};
use storage::scratch::Scratch;

use crate::http::limits;

/// All exports.
pub(in crate::http) struct Exports {
    jobs: Mutex<HashMap<String, Arc<Job>>>,
    /// Held by the one that is made.
    turn: Arc<Mutex<()>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// An export.
pub(super) struct Job {
    pub(super) id: String,
    /// Whose it is: a user's number.
    pub(super) owner: u64,
    pub(super) tenant: TenantId,
    pub(super) made_at: WallMillis,
    /// When it was asked for, in monotonic time.
    began: Duration,
    stops: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
    phase: Mutex<Phase>,
}

enum Phase {
    Running,
    Done(Arc<Ready>),
    Failed(String),
    Cancelled,
}

/// An archive that can be fetched. Its file goes when nobody has it any more.
pub(super) struct Ready {
    pub(super) file: Scratch,
    bytes: u64,
    /// Hex of the hash that stands for all of it.
    pub(super) etag: String,
}

/// How an export is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    id: String,
    state: &'static str,
    done: u64,
    total: u64,
    bytes: Option<u64>,
    message: Option<String>,
    made_at: u64,
}

impl Shown {
    /// Whether nothing about it changes any more.
    pub(super) fn is_final(&self) -> bool {
        self.state != "running"
    }
}

/// What is to be exported, and by whose authority.
pub(super) struct Order {
    pub(super) storage: StorageHandle,
    pub(super) warrant: Warrant,
    /// Finds the recordings: it may read the index.
    pub(super) rows: Box<dyn FnOnce(&StorageHandle) -> Result<Vec<Recording>, String> + Send>,
}

/// Why no export is begun.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The user has [`limits::EXPORTS_A_USER`].
    #[error("you have {} exports; delete one first", limits::EXPORTS_A_USER)]
    TooMany,
    /// There are [`limits::EXPORTS`].
    #[error("there are too many exports; try again later")]
    Full,
    /// No thread.
    #[error("no thread for an export: {0}")]
    Thread(#[from] std::io::Error),
}

impl Exports {
    pub(super) fn new() -> Self {
        Self {
            jobs: Mutex::default(),
            turn: Arc::default(),
            threads: Mutex::default(),
        }
    }

    /// Begins an export.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn begin(
        &self,
        (id, owner, tenant): (String, u64, TenantId),
        (made_at, now): (WallMillis, Duration),
        order: Order,
    ) -> Result<Arc<Job>, Refused> {
        let mut jobs = self.fresh(now);
        if jobs.values().filter(|job| job.owner == owner).count() >= limits::EXPORTS_A_USER {
            return Err(Refused::TooMany);
        }
        if jobs.len() >= limits::EXPORTS {
            return Err(Refused::Full);
        }
        let job = Arc::new(Job {
            id: id.clone(),
            owner,
            tenant,
            made_at,
            began: now,
            stops: AtomicBool::new(false),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            phase: Mutex::new(Phase::Running),
        });
        let (turn, working) = (Arc::clone(&self.turn), Arc::clone(&job));
        let thread = std::thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                working.run(order);
            })?;
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        jobs.insert(id, Arc::clone(&job));
        Ok(job)
    }

    /// A user's exports, the newest first.
    pub(super) fn of(&self, owner: u64, now: Duration) -> Vec<Arc<Job>> {
        let jobs = self.fresh(now);
        let mut own: Vec<_> = jobs
            .values()
            .filter(|job| job.owner == owner)
            .cloned()
            .collect();
        own.sort_by_key(|job| std::cmp::Reverse((job.began, job.made_at)));
        own
    }

    /// A user's export.
    pub(super) fn find(&self, id: &str, owner: u64, now: Duration) -> Option<Arc<Job>> {
        let jobs = self.fresh(now);
        jobs.get(id).filter(|job| job.owner == owner).cloned()
    }

    /// Stops a user's export and forgets it; whether there was one.
    pub(super) fn remove(&self, id: &str, owner: u64, now: Duration) -> bool {
        let mut jobs = self.fresh(now);
        if jobs.get(id).is_none_or(|job| job.owner != owner) {
            return false;
        }
        if let Some(job) = jobs.remove(id) {
            job.stop();
        }
        true
    }

    /// The exports whose time is not over.
    fn fresh(&self, now: Duration) -> MutexGuard<'_, HashMap<String, Arc<Job>>> {
        let mut jobs = lock(&self.jobs);
        jobs.retain(|_, job| {
            let is_over = now.saturating_sub(job.began) >= limits::EXPORT_LIFE;
            if is_over {
                job.stop();
            }
            !is_over
        });
        jobs
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        for job in lock(&self.jobs).values() {
            job.stop();
        }
        for thread in lock(&self.threads).drain(..) {
            if thread.join().is_err() {
                log::error!("a thread that made an export panicked");
            }
        }
    }
}

impl Job {
    /// How it is.
    pub(super) fn shown(&self) -> Shown {
        let (state, bytes, message) = match &*lock(&self.phase) {
            Phase::Running => ("running", None, None),
            Phase::Done(ready) => ("done", Some(ready.bytes), None),
            Phase::Failed(why) => ("failed", None, Some(why.clone())),
            Phase::Cancelled => ("cancelled", None, None),
        };
        Shown {
            id: self.id.clone(),
            state,
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            bytes,
            message,
            made_at: self.made_at.0,
        }
    }

    /// Its archive, once it is whole.
    pub(super) fn ready(&self) -> Option<Arc<Ready>> {
        match &*lock(&self.phase) {
            Phase::Done(ready) => Some(Arc::clone(ready)),
            _ => None,
        }
    }

    fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
        let mut phase = lock(&self.phase);
        if matches!(*phase, Phase::Running) {
            *phase = Phase::Cancelled;
        }
    }

    fn run(&self, order: Order) {
        let made = self.make(order);
        let mut phase = lock(&self.phase);
        // One that was stopped stays so, and its file goes with what was made.
        if matches!(*phase, Phase::Running) {
            *phase = match made {
                Ok(ready) => Phase::Done(Arc::new(ready)),
                Err(Failure::Stopped) => Phase::Cancelled,
                Err(failure) => {
                    log::error!("export {} was not made: {failure}", self.id);
                    Phase::Failed(failure.to_string())
                }
            };
        }
    }

    fn make(&self, order: Order) -> Result<Ready, Failure> {
        if self.stops.load(Ordering::Relaxed) {
            return Err(Failure::Stopped);
        }
        let storage = order.storage.acting(order.warrant);
        let rows = (order.rows)(&storage).map_err(Failure::Rows)?;
        let items = rows.into_iter().map(|row| storage.export_item(row));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        let sizes = items.iter().filter_map(|item| item.row.outcome.as_ref());
        let total: u64 = sizes.map(|outcome| outcome.size_bytes).sum();
        self.total.store(total, Ordering::Relaxed);
        if !storage.has_room(total) {
            return Err(Failure::NoRoom);
        }
        let path = storage.ledger_key_file();
        let key = SigningKey::read(path).map_err(|error| Failure::Key(error.to_string()))?;
        let file = storage.scratch("tar").map_err(Failure::File)?;
        let act = |item: &export::Item| {
            let facts = &item.row.facts;
            Act::new(Kind::Export)
                .on(facts.tenant, facts.id)
                .with("of", items.len())
                .with("export", self.id.as_str())
        };
        storage.record_acts_durably(items.iter().map(act).collect::<Vec<_>>())?;
        let wanted = export::Export {
            made_by: concat!("callreel ", env!("CARGO_PKG_VERSION")).to_owned(),
            host: crate::backup::host(),
            made_at: self.made_at,
            note: None,
            items: &items,
            unproved: true,
            key: &key,
            checkpoint_keys: &storage.export_keys(),
            proofs: &mut OfStore(storage.clone()),
        };
        let opened = file.open().map_err(Failure::File)?;
        let mut outlet = std::io::BufWriter::with_capacity(WRITE_BYTES, opened);
        let (mut looked, mut has_room) = (0, true);
        let written = export::write(wanted, &mut outlet, &mut |done, _| {
            self.done.store(done, Ordering::Relaxed);
            if done.saturating_sub(looked) >= LOOK_BYTES {
                looked = done;
                has_room = storage.has_room(0);
            }
            has_room && !self.stops.load(Ordering::Relaxed)
        });
        let written = match written {
            Err(ExportError::Stopped) if !has_room => return Err(Failure::NoRoom),
            Err(ExportError::Stopped) => return Err(Failure::Stopped),
            written => written?,
        };
        outlet.flush().map_err(Failure::File)?;
        let manifest = Hash(written.manifest_blake3).to_string();
        let act = Act::new(Kind::Export).of(self.tenant);
        let act = act.with("recordings", written.recordings);
        let act = act.with("manifest_blake3", manifest.as_str());
        storage.record_act(act.with("export", self.id.as_str()));
        log::info!(recordings = written.recordings, bytes = written.bytes; "an export was made");
        self.done.store(total, Ordering::Relaxed);
        Ok(Ready {
            file,
            bytes: written.bytes,
            etag: manifest,
        })
    }
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it was stopped")]
    Stopped,
    #[error("{0}")]
    Rows(String),
    #[error("the disk has no room for it beside what recordings need")]
    NoRoom,
    #[error("the key that signs exports cannot be used: {0}")]
    Key(String),
    #[error("its file: {0}")]
    File(std::io::Error),
    #[error(transparent)]
    Read(#[from] storage::error::ReadError),
    #[error(transparent)]
    Write(#[from] storage::error::WriteError),
    #[error(transparent)]
    Export(#[from] ExportError),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 * 1_024;
/// Bytes of sound after which it is looked whether the disk has room still.
const LOOK_BYTES: u64 = 64 * 1_024 * 1_024;
