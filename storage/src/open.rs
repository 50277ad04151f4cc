//! Opens a store: lock, index, repair, threads, in this order.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use audio_io::clock::Clock;
use tokio::sync::mpsc;

use crate::accounts::Accounts;
use crate::changes::Changes;
use crate::derived::Derived;
use crate::error::{OpenError, ReadError};
use crate::handle::{RecorderSeed, RecoveryReport, StorageHandle, StoreOptions, Surroundings};
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::backend::{FileOpener, Opener};
use crate::index::commit::{Committer, Parts};
use crate::index::migrate;
use crate::ledger::open::Opened;
use crate::library::Library;
use crate::limits::{ID_RANGE, VIEW_QUEUE_MAX};
use crate::metrics::Metrics;
use crate::naming::NameMaker;
use crate::outbox::OutboxState;
use crate::paths::{Layout, create_dirs, sync_dir};
use crate::reserve::Reserve;
use crate::retention::{Guard, Keeper};
use crate::search::thread::Search;
use crate::shared::{LedgerParts, Shared, syncfs_reports};
use crate::work::Worker;

/// Opens a store, wherever it lies, whose ledger has its key and checkpoints in the data folder.
pub(crate) fn open(
    options: &StoreOptions,
    clock: Arc<dyn Clock>,
    opener: Option<Arc<dyn Opener>>,
) -> Result<(StorageHandle, RecorderSeed, RecoveryReport), OpenError> {
    open_with(options, &Surroundings::default(), clock, opener)
}

/// Opens a store; `opener` replaces the way the index file is opened in tests.
pub(crate) fn open_with(
    options: &StoreOptions,
    wanted: &Surroundings,
    clock: Arc<dyn Clock>,
    opener: Option<Arc<dyn Opener>>,
) -> Result<(StorageHandle, RecorderSeed, RecoveryReport), OpenError> {
    let Prepared {
        layout,
        lock,
        reserve,
        index,
        hash_secret,
        ledger,
        keeper,
        high,
        generation,
        report,
    } = prepare(options, wanted, &clock, opener)?;
    let accounts = Accounts::load(&index, hash_secret, Arc::clone(&clock))?;
    let outbox = OutboxState::load(&index, Arc::clone(&clock))?;
    let metrics = Arc::new(Metrics::default());
    let changes = Arc::new(Changes::default());
    let committer = Committer::spawn(Parts {
        index: Arc::clone(&index),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        changes: Arc::clone(&changes),
        reserve: Arc::clone(&reserve),
        acts: Arc::clone(&ledger.acts),
    })?;
    let search = Search::spawn(&layout, &index, &clock, committer.sender(), &hash_secret)?;
    let derived = Derived::open(&layout, &index, &clock);
    derived.yield_to(&reserve);
    let (views, requests) = mpsc::channel(VIEW_QUEUE_MAX);
    let time_seen = index.time_high().map_err(open_error)?;
    let shared = Arc::new(Shared {
        layout,
        clock,
        index,
        search,
        committer,
        ledger: LedgerParts {
            acts: ledger.acts,
            checkpoints: ledger.checkpoints,
            key_file: ledger.key_file,
        },
        worker: Worker::spawn()?,
        names: NameMaker::new(high, high + ID_RANGE)?,
        changes,
        metrics,
        reserve,
        accounts,
        library: Library::default(),
        outbox,
        derived,
        keeper,
        views,
        time_seen: time_seen.0.into(),
        syncfs_reports: syncfs_reports(),
        _lock: lock,
    });
    let seed = RecorderSeed {
        shared: Arc::clone(&shared),
        views: requests,
        generation,
    };
    let handle = StorageHandle {
        shared,
        warrant: None,
    };
    Ok((handle, seed, report))
}

/// A store that is whole, before anything of it runs.
struct Prepared {
    layout: Layout,
    lock: File,
    reserve: Arc<Reserve>,
    index: Arc<Index>,
    hash_secret: [u8; 32],
    ledger: Opened,
    keeper: Keeper,
    /// The first number that the next recording may get.
    high: u64,
    generation: u64,
    report: RecoveryReport,
}

/// Looks where the store lies, opens index and ledger, and repairs what a crash left.
fn prepare(
    options: &StoreOptions,
    wanted: &Surroundings,
    clock: &Arc<dyn Clock>,
    opener: Option<Arc<dyn Opener>>,
) -> Result<Prepared, OpenError> {
    wanted.place.check(&options.data_dir)?;
    let layout = Layout::new(&options.data_dir);
    let lock = lock(&layout)?;
    crate::scratch::sweep(&layout);
    let reserve = Arc::new(Reserve::new(layout.reserve()));
    let opener: Arc<dyn Opener> = opener.unwrap_or_else(|| {
        let reserve = Arc::clone(&reserve);
        Arc::new(FileOpener { reserve })
    });
    crate::restore::take_over(&layout, &opener, clock.wall())?;
    let (index, hash_secret) =
        migrate::open(&opener, &layout, options.index_cache_bytes, clock.wall())?;
    let index = Arc::new(index);
    sync_dir(layout.root())
        .map_err(|source| failed("syncing the folder", layout.root(), source))?;
    let guard = Guard::settle(&wanted.place, &layout, &index)?;
    crate::index::search::prepare(&index)?;
    let ledger = &wanted.ledger;
    let mut ledger = crate::ledger::open::open(&layout, &index, ledger, clock, opener.watch())?;
    let (mut report, generation) = crate::recover::recover(&layout, &index, &reserve, &**clock)?;
    report.ledger = std::mem::take(&mut ledger.report);
    let high = index.id_high().map_err(open_error)?.max(1);
    index.commit(&[Change::ReserveIds {
        below: high + ID_RANGE,
    }])?;
    if !reserve.hold() {
        log::warn!("there is no room for a reserve: a full disk will stop the index too");
    }
    let keeper = Keeper::load(&index, guard, &**clock, high)?;
    Ok(Prepared {
        layout,
        lock,
        reserve,
        index,
        hash_secret,
        ledger,
        keeper,
        high,
        generation,
        report,
    })
}

/// Creates the folders and makes sure that nobody else has the store open.
pub(crate) fn lock(layout: &Layout) -> Result<File, OpenError> {
    for folder in [
        layout.root().to_owned(),
        layout.journal(),
        layout.recordings(),
    ] {
        create_dirs(layout.root(), &folder)
            .map_err(|source| failed("creating the folder", &folder, source))?;
    }
    let path = layout.lock();
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| failed("opening the lock file", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Locked(layout.root().to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(failed("locking", &path, source)),
    }
}

pub(crate) fn failed(what: &'static str, path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn open_error(error: ReadError) -> OpenError {
    match error {
        ReadError::Index(error) => OpenError::Index(error),
        ReadError::Row(_) => OpenError::Meta("recordings"),
        ReadError::TenantRow(_) => OpenError::Meta("tenants"),
        ReadError::PromptRow(_) => OpenError::Meta("prompts"),
        ReadError::Ledger(_) => OpenError::Meta("ledger_at"),
    }
}
