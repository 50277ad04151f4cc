//! Removes the files of deleted recordings, many at a time: all unlinked, then each folder synced
//! once, then everything forgotten in one commit. What fails is remembered and tried again.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::WriteError;
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::Change;
use crate::paths::{converted_facts_of, facts_of, peaks_of, sync_dir, unlink_if_there};
use crate::record::Recording;
use crate::shared::Shared;

/// What has just happened; tests look at the store there.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "only tests look at the paths")]
pub(crate) enum Swept<'p> {
    /// This file is gone, if it was there.
    Unlinked(&'p Path),
    /// And durably so, with all of this folder.
    Synced(&'p Path),
}

/// Removes files of recordings whose rows are garbage.
pub(crate) struct Sweeper<'s> {
    pub(crate) shared: &'s Shared,
    pub(crate) told: &'s mut dyn FnMut(Swept<'_>),
}

impl Sweeper<'_> {
    /// Removes files and forgets rows. Answers the first failure of the file system: its rows stay
    /// garbage, and the next pass or start tries them again.
    pub(crate) fn sweep(&mut self, rows: &[&Recording]) -> Result<Option<io::Error>, WriteError> {
        let (mut failed, mut folders) = (None, BTreeSet::new());
        let mut gone: Vec<(PathBuf, (TenantId, RecordingId))> = Vec::with_capacity(rows.len());
        for row in rows {
            let path = self.shared.layout.recording(&row.facts);
            let key = (row.facts.tenant, row.facts.id);
            match self.unlink(&path) {
                Ok(()) => {
                    let folder = path.parent().unwrap_or(&path).to_owned();
                    folders.insert(folder.clone());
                    gone.push((folder, key));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let mut unsynced = BTreeSet::new();
        for folder in folders {
            match sync_if_there(&folder) {
                Ok(()) => (self.told)(Swept::Synced(&folder)),
                Err(error) => {
                    failed = failed.or(Some(error));
                    unsynced.insert(folder);
                }
            }
        }
        let mut done = Vec::with_capacity(gone.len());
        for (folder, (tenant, id)) in gone {
            if unsynced.contains(&folder) {
                continue;
            }
            match self.shared.derived.forget(tenant, id) {
                Ok(()) => done.push(Change::DropGarbage(tenant, id)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if !done.is_empty() {
            self.shared.committer.commit(Change::All(done))?;
        }
        Ok(failed)
    }

    fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let beside = [peaks_of(path), facts_of(path), converted_facts_of(path)];
        for file in std::iter::once(path).chain(beside.iter().map(PathBuf::as_path)) {
            unlink_if_there(file)?;
            (self.told)(Swept::Unlinked(file));
        }
        Ok(())
    }
}

fn sync_if_there(folder: &Path) -> io::Result<()> {
    match sync_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}
