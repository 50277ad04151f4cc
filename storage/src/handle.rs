//! The only door to the store: opening it, reads, writes, and the bytes of a recording. What
//! each does inside lies in the files it calls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::clock::Clock;
use tokio::sync::mpsc;

pub use crate::accounts::IssuedKey;
use crate::error::{DeleteError, ImportError, OpenError, ReadError, ViewError, WriteError};
use crate::ids::{
    AgentName, CallSid, ExternalId, LineName, Names, Number, RecordingId, RecordingName, TenantId,
};
use crate::index::apply::{Applied, Change};
use crate::index::commit::Job;
use crate::ledger::acts::Warrant;
use crate::ledger::open::{LedgerOptions, LedgerReport};
use crate::metrics::{BOUNDS, Histogram};
use crate::record::{
    CallDirection, Container, Recording, RecordingFacts, RecordingState, WallMillis,
};
use crate::recorder::ViewRequest;
use crate::retention::Place;
use crate::shared::Shared;
use crate::view::RecordingView;

/// The only door to the store. Cheap to clone, `Send + Sync`.
#[derive(Clone)]
pub struct StorageHandle {
    pub(crate) shared: Arc<Shared>,
    /// By whose authority recordings and what keeps them are changed through it.
    pub(crate) warrant: Option<Arc<Warrant>>,
}

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The folder of everything; created when missing.
    pub data_dir: PathBuf,
    /// Memory of the index's page cache, in bytes.
    pub index_cache_bytes: usize,
    /// How recordings are written; [`crate::recorder::run`] is told again.
    pub io: IoChoice,
}

/// What of a store is outside its data folder, or bounds where that may be.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Where the data folder must lie.
    pub place: Place,
    /// Where checkpoints go and what signs them.
    pub ledger: LedgerOptions,
}

/// Which way recordings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoChoice {
    /// io_uring where the kernel allows it, else pwrite.
    Auto,
    /// io_uring or nothing.
    Uring,
    /// pwrite.
    Blocking,
}

/// The part of the store that the recorder thread takes with it (`Send`).
pub struct RecorderSeed {
    pub(crate) shared: Arc<Shared>,
    pub(crate) views: mpsc::Receiver<ViewRequest>,
    /// The first journal generation to write.
    pub(crate) generation: u64,
}

/// What start-up repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Recordings that were open and are sealed now.
    pub sealed: Vec<RecordingId>,
    /// Recordings that were open and had no sound worth keeping.
    pub absent: Vec<RecordingId>,
    /// Recordings that were open and could not be repaired whole.
    pub failed: Vec<RecordingId>,
    /// Deletions that a crash had interrupted.
    pub deletions_finished: u64,
    /// Bytes of journal that were read.
    pub journal_bytes: u64,
    /// What became of the ledger.
    pub ledger: LedgerReport,
}

/// Which recordings to list; newest first.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Wanted states; empty means all.
    pub states: Vec<RecordingState>,
    /// Only those of this line.
    pub line: Option<LineName>,
    /// Only those that started at or after this.
    pub since: Option<WallMillis>,
    /// Only those that started at or before this.
    pub until: Option<WallMillis>,
}

/// Where a page ended; opaque text on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The start of the page's last recording.
    pub started_at: WallMillis,
    /// Its number.
    pub id: RecordingId,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Newest first.
    pub recordings: Vec<Recording>,
    /// Where the next page begins; `None` after the last. A page may be empty and still have
    /// one, when a filter passed over very many rows.
    pub next: Option<Cursor>,
}

/// A file to bring in. Type and duration are probed by the caller (audio-io::codec::probe).
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// Whose it becomes.
    pub tenant: TenantId,
    /// The file; it is copied and stays as it is.
    pub source: PathBuf,
    /// The file's format.
    pub container: Container,
    /// The sound's format.
    pub format: audio_io::format::StreamFormat,
    /// Its length.
    pub frames: audio_io::units::Frames,
    /// Names it brings.
    pub names: ImportNames,
    /// The line it is filed under.
    pub line: Option<LineName>,
    /// The caller's number.
    pub from: Option<Number>,
    /// The called number.
    pub to: Option<Number>,
    /// When it started; now, if unknown.
    pub started_at: Option<WallMillis>,
    /// Who took or made the call.
    pub agent: Option<AgentName>,
    /// Which way it went.
    pub direction: Option<CallDirection>,
}

/// Names an imported recording brings; missing ones are made.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields are those of `Names`")]
pub struct ImportNames {
    pub recid: Option<RecordingId>,
    pub call_sid: Option<CallSid>,
    pub crt_object_id: Option<ExternalId>,
    pub campaign_id: Option<u32>,
    pub call_id: Option<ExternalId>,
    pub task_id: Option<uuid::Uuid>,
    pub session_uuid: Option<uuid::Uuid>,
}

impl StorageHandle {
    /// Opens (creates) the store, repairs what a crash left, starts index writer and work thread.
    ///
    /// # Errors
    /// [`OpenError`]: nothing runs then.
    pub fn open(
        options: StoreOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, RecorderSeed, RecoveryReport), OpenError> {
        crate::open::open(&options, clock, None)
    }

    /// The same, where it must lie at a certain place (nothing is opened, and nothing written, when
    /// that is not mounted or not this store's), or with the ledger's checkpoints or their key
    /// elsewhere.
    ///
    /// # Errors
    /// [`OpenError`]: nothing runs then; [`OpenError::Place`] says what is missing.
    pub fn open_with(
        options: StoreOptions,
        wanted: &Surroundings,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, RecorderSeed, RecoveryReport), OpenError> {
        crate::open::open_with(&options, wanted, clock, None)
    }

    /// The recording of a name, if the tenant has one. Synchronous: a read of the index.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn find(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<Recording>, ReadError> {
        self.shared.index.find(tenant, name)
    }

    /// A page of a tenant's recordings, newest first, at most `limit` (1 to
    /// [`crate::limits::PAGE_MAX`]). What starts meanwhile never shifts later pages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn list(
        &self,
        tenant: TenantId,
        filter: &ListFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        self.shared.index.list(tenant, filter, after, limit)
    }

    /// How many recordings a tenant has, in any state.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn count(&self, tenant: TenantId) -> Result<u64, ReadError> {
        self.count_in(tenant, &ALL_STATES)
    }

    /// How many recordings a tenant has in these states.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn count_in(&self, tenant: TenantId, states: &[RecordingState]) -> Result<u64, ReadError> {
        self.shared.index.count(tenant, states)
    }

    /// Grows with every commit; caches compare it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.changes.generation()
    }

    /// The recordings that commits after `generation` touched; `None` when that is too long ago
    /// to tell, so that everything cached must go.
    #[must_use]
    pub fn changes_since(&self, generation: u64) -> Option<Vec<RecordingId>> {
        self.shared.changes.since(generation)
    }

    /// The bytes of a recording: mapped file when stored, snapshot of what is committed when
    /// live. A recording that ended since its row was read is answered as it is now.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn view(&self, recording: &Recording) -> Result<RecordingView, ViewError> {
        crate::viewing::view(&self.shared, recording).await
    }

    /// Copies a file into the store; durable when it returns. `progress` is told bytes copied
    /// and bytes in all.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is left behind then.
    pub fn import(
        &self,
        request: ImportRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Recording, ImportError> {
        crate::import::import(&self.shared, request, self.warrant.as_ref(), progress)
    }

    /// Deletes a recording, its row and its files; durable when it returns.
    ///
    /// # Errors
    /// [`DeleteError`]; only its `Io` leaves something: a file that the next start removes.
    pub fn delete(&self, tenant: TenantId, id: RecordingId) -> Result<(), DeleteError> {
        crate::delete::delete(&self.shared, tenant, id, self.warrant.as_ref())
    }

    /// The same door for somebody: the ledger tells by whose authority recordings are brought in
    /// and deleted through it, and what keeps them is changed; and who does the acts it is told of.
    #[must_use]
    pub fn acting(&self, warrant: Warrant) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            warrant: Some(Arc::new(warrant)),
        }
    }

    /// Makes a change with that authority.
    pub(crate) fn commit(&self, change: Change) -> Result<Applied, WriteError> {
        self.shared
            .committer
            .commit(change.with(self.warrant.as_ref()))
    }

    /// A fresh recording id (never reused) and all its names, without touching the disk.
    #[must_use]
    pub fn new_names(&self, _tenant: TenantId) -> (RecordingId, Names) {
        self.shared.top_up_ids();
        (self.shared.names.id(), self.shared.names.names())
    }

    /// The highest wall time that was ever seen, carried on by the monotonic clock: by it links
    /// expire, and nothing that has expired comes back when the wall clock is set back.
    #[must_use]
    pub fn steady_now(&self) -> WallMillis {
        self.shared.accounts.steady_now()
    }

    /// The newest time that was shown by a clock to be trusted when a recording began; zero where
    /// there was none. What an untrusted clock shows and is less cannot be right.
    #[must_use]
    pub fn time_seen(&self) -> WallMillis {
        WallMillis(
            self.shared
                .time_seen
                .load(std::sync::atomic::Ordering::Relaxed),
        )
    }

    /// Where a recording's file is, or would be.
    #[must_use]
    pub fn path_of(&self, recording: &Recording) -> PathBuf {
        self.path_of_facts(&recording.facts)
    }

    /// Where the file of a recording with these facts is, or would be.
    #[must_use]
    pub fn path_of_facts(&self, facts: &RecordingFacts) -> PathBuf {
        self.shared.layout.recording(facts)
    }

    /// The store's folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.shared.layout.root()
    }

    /// Waits until every index change handed in before is committed.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn flush_index(&self) -> Result<(), WriteError> {
        self.shared
            .committer
            .commit(Change::ReserveIds { below: 0 })
            .map(drop)
    }

    /// Puts rows of recordings whose files are known to be in place into the index, in the largest
    /// groups there are, and returns when all of them are durable: how an index is filled in bulk.
    ///
    /// # Errors
    /// [`WriteError`]; rows before the failure may be in.
    pub fn load_rows(&self, rows: impl IntoIterator<Item = Recording>) -> Result<(), WriteError> {
        for row in rows {
            let change = Change::Put(Box::new(row));
            let job = Job {
                change,
                urgent: false,
                keep: false,
                reply: None,
            };
            if let Err(job) = self.shared.committer.offer(job) {
                // The queue is full: waiting for this one makes room.
                self.shared.committer.commit(job.change)?;
            }
        }
        self.flush_index()
    }

    /// How often the thread that writes the index has come round: it grows by one a second at
    /// least, as long as that thread is not stuck in the disk.
    #[must_use]
    pub fn index_turns(&self) -> u64 {
        let turns = &self.shared.metrics.index_turns;
        turns.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Commit and sync latency histograms, sizes, counters for /metrics.
    #[must_use]
    pub fn metrics(&self) -> StorageMetrics {
        let metrics = &self.shared.metrics;
        let [_, stored, absent, failed] = self.shared.index.count_all().unwrap_or_default();
        StorageMetrics {
            io_backend: metrics.backend(),
            recordings_stored: stored,
            recordings_absent: absent,
            recordings_failed: failed,
            bytes_written: metrics
                .bytes_written
                .load(std::sync::atomic::Ordering::Relaxed),
            journal_sync: (&metrics.journal_sync).into(),
            index_commit: (&metrics.index_commit).into(),
            seal: (&metrics.seal).into(),
            index_bytes: self.shared.index.size_bytes(),
            free_bytes: crate::reserve::free_bytes(self.shared.layout.root()),
            degraded: metrics.degraded(),
        }
    }
}

/// Figures for `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct StorageMetrics {
    /// `io_uring`, `blocking`, or `none` before the recorder runs.
    pub io_backend: &'static str,
    /// Recordings in state Stored, over all tenants.
    pub recordings_stored: u64,
    /// Recordings in state Absent.
    pub recordings_absent: u64,
    /// Recordings in state Failed.
    pub recordings_failed: u64,
    /// Bytes written to the journal and to recordings since the store was opened.
    pub bytes_written: u64,
    /// A journal batch's write and sync.
    pub journal_sync: Latency,
    /// An index commit.
    pub index_commit: Latency,
    /// From a recording's end to its event.
    pub seal: Latency,
    /// The index file's length.
    pub index_bytes: u64,
    /// Space that is left on the store's file system.
    pub free_bytes: u64,
    /// True while writes fail (EIO, ENOSPC): readiness and alarms look at it.
    pub degraded: bool,
}

/// A fixed-bucket latency histogram (bounds in seconds in [`Latency::BOUNDS`]).
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Their sum.
    pub sum_seconds: f64,
    /// How many fell into each bucket, not cumulative; what is longer is only in `count`.
    pub buckets: [u64; 12],
}

impl Latency {
    /// Upper bounds of the buckets, in seconds.
    pub const BOUNDS: [f64; 12] = BOUNDS;
}

impl From<&Histogram> for Latency {
    fn from(histogram: &Histogram) -> Self {
        let (count, sum_seconds, buckets) = histogram.snapshot();
        Self {
            count,
            sum_seconds,
            buckets,
        }
    }
}

/// Every state.
const ALL_STATES: [RecordingState; 4] = [
    RecordingState::Live,
    RecordingState::Stored,
    RecordingState::Absent,
    RecordingState::Failed,
];
