//! Putting a backup back. It is read twice: once to know that it is whole, once to put together
//! what takes the present state's place; one rename makes that count, and the next start takes it
//! over before the index is opened. Whatever is replaced is kept aside.
//!
//! ```text
//!  archive ─▶ restore-staging/ ─ rename ─▶ restore-pending/ ─ next start ─▶ index.redb, keys/
//!             index.redb keys/ placed/      (it counts now)    merged with what was recorded since
//! ```
//!
//! A crash before the rename leaves the old state, one after it the new one.

pub(crate) mod adopt;
pub(crate) mod kept;
mod merge;
mod place;
mod stage;
mod take_over;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::clock::Clock;
use audio_io::units::WallMillis;
use serde::{Deserialize, Serialize};

use crate::backup::ArchiveError;
use crate::backup::unpack::KeyBrief;
use crate::check::OFFLINE_CACHE;
use crate::error::{OpenError, ReadError};
use crate::handle::{IoChoice, StorageHandle, StoreOptions, Surroundings};
use crate::index::Index;
use crate::index::backend::FileOpener;
use crate::index::migrate::{self, SCHEMA, State};
use crate::ledger::open::LedgerOptions;
use crate::open::lock;
use crate::paths::{Layout, sync_dir};
use crate::reserve::Reserve;

pub use place::{Placed, place};
pub use stage::{Target, Wanted, stage};
pub(crate) use take_over::take_over;

/// What says, in `restore-pending`, what is there.
pub(crate) const PLAN: &str = "restore.json";

/// Why a backup was not put back. Nothing was changed, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The archive.
    #[error("the backup cannot be used: {0}")]
    Archive(#[from] ArchiveError),
    /// A file or folder.
    #[error("{what} '{}': {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The index that is put together.
    #[error("index: {0}")]
    Index(#[from] redb::Error),
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A restore waits already.
    #[error(
        "a restore waits in '{}' for the next start: restart the daemon to take it over, or give \
         it up with 'callreel restore --cancel'",
        .0.display()
    )]
    Pending(PathBuf),
    /// No restore waits.
    #[error("no restore waits in '{}'", .0.display())]
    NonePending(PathBuf),
    /// Another restore is at work.
    #[error("another restore is at work in '{}'; wait for it to end", .0.display())]
    Busy(PathBuf),
    /// No room.
    #[error(
        "restoring needs {needed} bytes in '{}', where {free} are free: free some, or mount a \
         larger disk there",
        folder.display()
    )]
    NoRoom {
        /// Where.
        folder: PathBuf,
        /// How much must be free.
        needed: u64,
        /// How much is.
        free: u64,
    },
    /// A file would be written outside of where files of this kind may be.
    #[error(
        "'{}' lies outside of '{}'; nothing is written there",
        path.display(),
        folder.display()
    )]
    Outside {
        /// Which.
        path: PathBuf,
        /// Where it would have to be.
        folder: PathBuf,
    },
    /// What waits was not written by this program.
    #[error("'{}' is damaged: {source}; give the restore up with 'callreel restore --cancel'",
            path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A file that is no index, or none that an earlier version could read.
    #[error("'{}' is no copy of an index that callreel made before an upgrade: {source}",
            path.display())]
    NoCopy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<OpenError>,
    },
    /// The journal holds sound that only a newer version can read.
    #[error(
        "'{}' holds sound that only the newer version can put into its recordings: start that \
         version once, stop it, then go back",
        .0.display()
    )]
    Journal(PathBuf),
}

impl From<ReadError> for RestoreError {
    fn from(error: ReadError) -> Self {
        Self::Open(crate::open::open_error(error))
    }
}

pub(crate) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::Io { what, path, source }
}

/// What `restore-pending` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// When the backup was made.
    pub(crate) made_at_ms: u64,
    /// When it was put there.
    pub(crate) staged_at_ms: u64,
    /// Who made the backup.
    pub(crate) version: String,
    /// Whether an index is there.
    pub(crate) index: bool,
    /// Whether keys of the first start are there.
    pub(crate) keys: bool,
    /// Files for places of their own.
    pub(crate) files: Vec<Target>,
    /// Files that go, as the backup has none of their name.
    pub(crate) gone: Vec<PathBuf>,
}

impl Plan {
    /// Reads what waits in a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, RestoreError> {
        let path = folder.join(PLAN);
        let bytes = std::fs::read(&path).map_err(io_error("reading", &path))?;
        serde_json::from_slice(&bytes).map_err(|source| RestoreError::Plan { path, source })
    }
}

/// Keeps two restores, and a restore and a start, apart: a lock on the data folder itself.
pub(crate) fn alone(layout: &Layout) -> Result<File, RestoreError> {
    let root = layout.root();
    let folder = File::open(root).map_err(io_error("opening the folder", root))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(std::fs::TryLockError::WouldBlock) => Err(RestoreError::Busy(root.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(io_error("locking", root)(error)),
    }
}

/// Whether a restore waits for the next start, and the time of its backup.
#[must_use]
pub fn pending(data_dir: &Path) -> Option<WallMillis> {
    let folder = Layout::new(data_dir).pending();
    let plan = Plan::read(&folder).ok()?;
    Some(WallMillis(plan.made_at_ms))
}

/// Whether files of configuration wait to be put in their places.
#[must_use]
pub fn files_wait(data_dir: &Path) -> bool {
    Layout::new(data_dir).pending().join(place::FOLDER).is_dir()
}

/// Gives up a restore that waits for the next start.
///
/// # Errors
/// [`RestoreError::NonePending`], [`RestoreError::Busy`], or the file system's.
pub fn cancel(data_dir: &Path) -> Result<(), RestoreError> {
    let layout = Layout::new(data_dir);
    let _alone = alone(&layout)?;
    let (pending, staging) = (layout.pending(), layout.staging());
    if !pending.is_dir() {
        return Err(RestoreError::NonePending(data_dir.to_owned()));
    }
    stage::remove(&staging)?;
    std::fs::rename(&pending, &staging).map_err(io_error("giving up", &pending))?;
    sync_dir(layout.root()).map_err(io_error("syncing", layout.root()))?;
    stage::remove(&staging)
}

/// The keys in the index of a store that no daemon has open.
///
/// # Errors
/// [`RestoreError::Open`]
pub fn keys_offline(data_dir: &Path) -> Result<Vec<KeyBrief>, RestoreError> {
    let layout = Layout::new(data_dir);
    if !layout.index().exists() {
        return Ok(Vec::new());
    }
    let _lock = lock(&layout)?;
    let opener = Arc::new(FileOpener {
        reserve: Arc::new(Reserve::new(layout.reserve())),
    });
    let index = Index::open(opener, layout.index(), OFFLINE_CACHE)?;
    if !matches!(migrate::state(&index)?, State::Current(_) | State::Older(_)) {
        return Ok(Vec::new());
    }
    let rows = index
        .key_rows()?
        .into_iter()
        .filter_map(|(_, row)| row.ok());
    let brief = |row: crate::record::KeyRow| KeyBrief {
        key_id: row.key_id,
        created_at_ms: row.created_at.0,
        revoked: row.revoked_at.is_some(),
    };
    Ok(rows.map(brief).collect())
}

/// What going back to an earlier index came to.
#[derive(Clone, Debug)]
pub struct WentBack {
    /// The schema of the index that is in place now.
    pub schema: u32,
    /// Where the replaced one is kept.
    pub kept: Option<PathBuf>,
}

/// Puts a copy from before a migration back, for the version that wrote it. What the journal holds
/// is put into the recordings first, so that the earlier version finds everything in files; its
/// `callreel reindex` then adopts what was recorded since.
///
/// # Errors
/// [`RestoreError`]; the index is as it was then.
pub fn put_back_index(
    data_dir: &Path,
    copy: &Path,
    clock: Arc<dyn Clock>,
) -> Result<WentBack, RestoreError> {
    let layout = Layout::new(data_dir);
    let schema = schema_of_copy(copy)?;
    settle(&layout, Arc::clone(&clock))?;
    let _lock = lock(&layout)?;
    let fresh = layout.root().join("index.redb.new");
    kept::copy_file(copy, &fresh).map_err(io_error("copying to", &fresh))?;
    kept::hand_over(layout.root(), &fresh).map_err(io_error("giving away", &fresh))?;
    let kept = take_over::swap_index(&layout, &fresh, clock.wall())?;
    Ok(WentBack { schema, kept })
}

/// The schema of a copy; it is opened as a copy of its own, so that not a byte of it changes.
fn schema_of_copy(copy: &Path) -> Result<u32, RestoreError> {
    let folder = copy.parent().unwrap_or(Path::new("."));
    let trial = folder.join(format!(".trial-{}.redb", std::process::id()));
    let found = (|| {
        kept::copy_file(copy, &trial).map_err(io_error("copying", copy))?;
        let no_copy = |source| RestoreError::NoCopy {
            path: copy.to_owned(),
            source: Box::new(source),
        };
        let opener = Arc::new(FileOpener {
            reserve: Arc::new(Reserve::new(folder.join("no-reserve"))),
        });
        let index = Index::open(opener, trial.clone(), OFFLINE_CACHE)
            .map_err(|error| no_copy(error.into()))?;
        match migrate::state(&index).map_err(no_copy)? {
            State::Older(schema) => Ok(schema),
            State::Current(_) => Ok(SCHEMA),
            State::Empty => Err(no_copy(OpenError::Meta("schema"))),
        }
    })();
    let _ = std::fs::remove_file(&trial);
    found
}

/// Puts what the journal holds into the recordings' files.
fn settle(layout: &Layout, clock: Arc<dyn Clock>) -> Result<(), RestoreError> {
    let options = StoreOptions {
        data_dir: layout.root().to_owned(),
        index_cache_bytes: OFFLINE_CACHE,
        io: IoChoice::Blocking,
    };
    let surroundings = Surroundings {
        ledger: LedgerOptions {
            unsigned: true,
            ..LedgerOptions::default()
        },
        ..Surroundings::default()
    };
    match StorageHandle::open_with(options, &surroundings, clock) {
        Ok((store, ..)) => {
            drop(store);
            // What it made there is the daemon's.
            for made in [layout.ledger(), layout.checkpoints(), layout.keys()] {
                if made.exists() {
                    kept::hand_over(layout.root(), &made)
                        .map_err(io_error("giving away", &made))?;
                }
            }
            Ok(())
        }
        Err(OpenError::NewerSchema { .. }) => {
            let journal = layout.journal();
            let left = std::fs::read_dir(&journal).is_ok_and(|mut left| left.next().is_some());
            if left {
                Err(RestoreError::Journal(journal))
            } else {
                Ok(())
            }
        }
        Err(error @ (OpenError::Index(_) | OpenError::Meta(_))) => {
            // That index is about to be replaced; the next start reads the journal.
            log::warn!("the present index cannot be read: {error}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
