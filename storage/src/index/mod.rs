//! The index: which recordings exist, under which names, in which order of time. Keys and rows
//! are bytes with documented layouts (FORMAT.md); redb keeps them; one thread writes.
//!
//! ```text
//!  recorder, handle ──▶ Change ──▶ queue ──▶ writer thread ──▶ one redb commit a group
//!  readers ◀────────────────────────────── redb read transactions (snapshots)
//! ```

pub(crate) mod apply;
pub(crate) mod backend;
pub(crate) mod commit;
pub(crate) mod keeping;
pub mod keys;
pub(crate) mod ledger;
pub(crate) mod migrate;
mod names;
pub(crate) mod notes;
pub(crate) mod old_rows;
mod old_users;
pub(crate) mod outbox;
pub mod peek;
pub(crate) mod prompts;
pub(crate) mod purged;
pub(crate) mod read;
pub(crate) mod replaced;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod tables;
pub mod values;
pub(crate) mod whole;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use redb::{Database, ReadTransaction, ReadableDatabase as _};

use crate::error::ReadError;
use apply::{Applied, Change};
use backend::{IndexFile, Opener};

/// The open database, replaced whole when redb refuses to go on after an I/O error.
pub(crate) struct Index {
    opener: Arc<dyn Opener>,
    path: PathBuf,
    cache_bytes: usize,
    current: ArcSwap<Open>,
    /// What commits are told to; nothing while the store opens, and by tools.
    attached: Mutex<Option<ledger::Attached>>,
}

struct Open {
    database: Database,
    file: Arc<IndexFile>,
}

impl Index {
    /// Opens or creates the file. Nothing is read beyond what redb needs.
    pub(crate) fn open(
        opener: Arc<dyn Opener>,
        path: PathBuf,
        cache_bytes: usize,
    ) -> Result<Self, redb::Error> {
        let current = ArcSwap::from_pointee(open(&*opener, &path, cache_bytes)?);
        Ok(Self {
            opener,
            path,
            cache_bytes,
            current,
            attached: Mutex::new(None),
        })
    }

    pub(crate) fn begin_read(&self) -> Result<ReadTransaction, ReadError> {
        Ok(self.current.load().database.begin_read()?)
    }

    pub(crate) fn begin_write(&self) -> Result<redb::WriteTransaction, redb::Error> {
        let mut transaction = self.current.load().database.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// Makes changes in one commit of their own; durable when it returns.
    pub(crate) fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, redb::Error> {
        self.write(changes.iter())
    }

    /// Opens the file anew after an I/O error. The old instance can still read what it has, but
    /// never write again; so nothing it does when it is dropped can harm the new one.
    pub(crate) fn reopen(&self) -> Result<(), redb::Error> {
        self.current.load().file.forbid_writes();
        let fresh = open(&*self.opener, &self.path, self.cache_bytes)?;
        self.current.store(Arc::new(fresh));
        Ok(())
    }

    /// The next commit fails, as on a disk that fails once.
    #[cfg(test)]
    pub(crate) fn fail_once(&self) {
        self.current.load().file.forbid_writes();
    }

    /// The index file's length in bytes, 0 when it cannot be told.
    pub(crate) fn size_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }
}

fn open(
    opener: &dyn Opener,
    path: &std::path::Path,
    cache_bytes: usize,
) -> Result<Open, redb::Error> {
    let file = Arc::new(opener.open(path).map_err(redb::Error::Io)?);
    let database = Database::builder()
        .set_cache_size(cache_bytes)
        .set_repair_callback(|_| crate::progress::step())
        .create_with_backend(backend::Shared(Arc::clone(&file)))?;
    Ok(Open { database, file })
}
