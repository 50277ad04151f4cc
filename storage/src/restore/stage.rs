//! Puts together in `restore-staging` what a restore will put in place, makes it durable, and
//! renames it to `restore-pending`: from then on it counts.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::units::WallMillis;
use serde::{Deserialize, Serialize};

use super::kept::{hand_over, new_private, only_for_owner, visit};
use super::{PLAN, Plan, RestoreError, alone, io_error, place};
use crate::backup::unpack::{Take, unpack};
use crate::backup::{Head, Place};
use crate::check::OFFLINE_CACHE;
use crate::index::Index;
use crate::index::backend::FileOpener;
use crate::index::whole::{AnyTable, Row};
use crate::paths::{Layout, create_dirs, sync_dir};
use crate::reserve::{Reserve, free_bytes, free_wanted};

/// Commits without a sync of their own before one with.
const UNSYNCED_MAX: u32 = 64;

/// What of a backup is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The index.
    pub index: bool,
    /// `data_dir/keys`.
    pub keys: bool,
    /// Files, with where each goes.
    pub files: Vec<(Place, PathBuf)>,
    /// Files that go, as the backup has none of their name.
    pub gone: Vec<PathBuf>,
}

/// A file that waits to be put in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the backup.
    pub(crate) member: String,
    /// Its name below `placed`.
    pub(crate) name: String,
    /// Where it goes.
    pub(crate) to: PathBuf,
}

/// Reads a backup, which has `bytes`, and leaves what is wanted of it for the next start.
/// `progress` is told rows read and rows in all.
///
/// # Errors
/// [`RestoreError`]; everything is as it was then.
pub fn stage(
    data_dir: &Path,
    from: impl Read,
    bytes: u64,
    wanted: &Wanted,
    wall: WallMillis,
    progress: crate::backup::Progress<'_>,
) -> Result<Head, RestoreError> {
    let layout = Layout::new(data_dir);
    create_dirs(layout.root(), layout.root()).map_err(io_error("creating", data_dir))?;
    let _alone = alone(&layout)?;
    if layout.pending().exists() {
        return Err(RestoreError::Pending(layout.pending()));
    }
    let staging = layout.staging();
    remove(&staging)?;
    room(&layout, bytes)?;
    let staged = put_together(&layout, from, wanted, wall, progress);
    match staged {
        Ok(head) => {
            std::fs::rename(&staging, layout.pending())
                .and_then(|()| sync_dir(layout.root()))
                .map_err(io_error("renaming", &staging))?;
            Ok(head)
        }
        Err(error) => {
            // What cannot be removed now is removed before the next one.
            let _ = std::fs::remove_dir_all(&staging);
            Err(error)
        }
    }
}

fn room(layout: &Layout, bytes: u64) -> Result<(), RestoreError> {
    let folder = layout.root().to_owned();
    // The tables of an index take up to twice what their rows do.
    let needed = bytes.saturating_mul(2).saturating_add(free_wanted(&folder));
    let free = free_bytes(&folder);
    if free < needed {
        return Err(RestoreError::NoRoom {
            folder,
            needed,
            free,
        });
    }
    Ok(())
}

fn put_together(
    layout: &Layout,
    from: impl Read,
    wanted: &Wanted,
    wall: WallMillis,
    progress: crate::backup::Progress<'_>,
) -> Result<Head, RestoreError> {
    let staging = layout.staging();
    std::fs::create_dir(&staging)
        .and_then(|()| only_for_owner(&staging))
        .map_err(io_error("creating", &staging))?;
    let index = if wanted.index {
        let reserve = Arc::new(Reserve::new(staging.join("no-reserve")));
        let path = staging.join("index.redb");
        let index = Index::open(Arc::new(FileOpener { reserve }), path, OFFLINE_CACHE)?;
        Some(index)
    } else {
        None
    };
    let mut staging_work = Staging {
        folder: staging.clone(),
        wanted,
        index,
        unsynced: 0,
        keys: false,
        targets: Vec::new(),
    };
    let (head, ..) = unpack(from, &mut staging_work, progress)?;
    staging_work.settle()?;
    let plan = Plan {
        made_at_ms: head.made_at_ms,
        staged_at_ms: wall.0,
        version: head.version.clone(),
        index: wanted.index,
        keys: staging_work.keys,
        files: std::mem::take(&mut staging_work.targets),
        gone: wanted.gone.clone(),
    };
    drop(staging_work);
    // Plain structs with text keys always serialise.
    let text = serde_json::to_vec(&plan).unwrap_or_default();
    write(&staging.join(PLAN), &text)?;
    hand_over(layout.root(), &staging)
        .map_err(io_error("giving to the store's owner", &staging))?;
    sync_all(&staging).map_err(io_error("syncing", &staging))?;
    Ok(head)
}

struct Staging<'w> {
    folder: PathBuf,
    wanted: &'w Wanted,
    index: Option<Index>,
    unsynced: u32,
    keys: bool,
    targets: Vec<Target>,
}

impl Staging<'_> {
    fn subfolder(&self, name: &str) -> Result<PathBuf, RestoreError> {
        let folder = self.folder.join(name);
        match std::fs::create_dir(&folder).and_then(|()| only_for_owner(&folder)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(io_error("creating", &folder)(error))
            }
            _ => Ok(folder),
        }
    }

    /// Makes all rows durable.
    fn settle(&self) -> Result<(), RestoreError> {
        if let Some(index) = &self.index {
            index.begin_write()?.commit().map_err(redb::Error::from)?;
        }
        Ok(())
    }
}

impl Take for Staging<'_> {
    fn head(&mut self, _: &Head) -> Result<(), RestoreError> {
        Ok(())
    }

    fn file(&mut self, place: Place, bytes: Vec<u8>) -> Result<(), RestoreError> {
        if let Place::Made(file) = place {
            if self.wanted.keys {
                let folder = self.subfolder("keys")?;
                write(&folder.join(file.file_name()), &bytes)?;
                self.keys = true;
            }
            return Ok(());
        }
        let wanted = self.wanted.files.iter().find(|(one, _)| *one == place);
        if let Some((_, to)) = wanted {
            let name = self.targets.len().to_string();
            let folder = self.subfolder(place::FOLDER)?;
            write(&folder.join(&name), &bytes)?;
            self.targets.push(Target {
                member: place.member(),
                name,
                to: to.clone(),
            });
        }
        Ok(())
    }

    fn rows(&mut self, table: &dyn AnyTable, rows: &[Row<'_>]) -> Result<(), RestoreError> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let mut transaction = index.begin_write()?;
        self.unsynced += 1;
        if self.unsynced < UNSYNCED_MAX {
            transaction
                .set_durability(redb::Durability::None)
                .map_err(redb::Error::from)?;
        } else {
            self.unsynced = 0;
        }
        table.put(&transaction, rows)?;
        transaction.commit().map_err(redb::Error::from)?;
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RestoreError> {
    new_private(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(io_error("writing", path))
}

fn sync_all(folder: &Path) -> io::Result<()> {
    visit(folder, &mut |path| File::open(path)?.sync_all())
}

/// Removes a folder that may not be there.
pub(super) fn remove(folder: &Path) -> Result<(), RestoreError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("removing", folder)(error))
        }
        _ => Ok(()),
    }
}
