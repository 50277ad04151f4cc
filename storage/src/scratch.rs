//! Files on the store's disk that live as long as whoever made them: what is being uploaded,
//! fetched or spoken, before the store takes it over. `scratch/` is emptied when the store opens.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::handle::StorageHandle;
use crate::limits::SCRATCH_FREE_MIN;
use crate::paths::{Layout, create_dirs};
use crate::reserve::{free_bytes, free_wanted, share_of};

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading and writing, from its start.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(&self) -> io::Result<File> {
        File::options().read(true).write(true).open(&self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = crate::paths::unlink_if_there(&self.path) {
            log::warn!("'{}' is left behind: {error}", self.path.display());
        }
    }
}

impl StorageHandle {
    /// An empty file that nobody else has, named with this extension. Blocks on the disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] when recordings need the space that is left; the file
    /// system's.
    pub fn scratch(&self, extension: &str) -> io::Result<Scratch> {
        let layout = &self.shared.layout;
        let folder = layout.scratch();
        create_dirs(layout.root(), &folder)?;
        let wanted = free_wanted(&folder) + share_of(&folder, SCRATCH_FREE_MIN);
        if free_bytes(&folder) < wanted {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{number}.{extension}"));
        File::create_new(&path)?;
        Ok(Scratch { path })
    }
}

impl StorageHandle {
    /// Whether so many bytes more fit beside what recordings need.
    #[must_use]
    pub fn has_room(&self, bytes: u64) -> bool {
        let folder = self.shared.layout.root();
        let wanted = free_wanted(folder) + share_of(folder, SCRATCH_FREE_MIN);
        free_bytes(folder) >= wanted.saturating_add(bytes)
    }
}

/// Removes what an earlier run left behind. Whatever cannot be removed is told and stays.
pub(crate) fn sweep(layout: &Layout) {
    let folder = layout.scratch();
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return;
    };
    for entry in entries.flatten() {
        if let Err(error) = std::fs::remove_file(entry.path()) {
            log::warn!("'{}' is left behind: {error}", entry.path().display());
        }
    }
}

/// Numbers of one process; over processes the store's lock and [`sweep`] keep names apart.
static MADE: AtomicU64 = AtomicU64::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        sweep(&layout);
        std::fs::create_dir(layout.scratch()).unwrap();
        std::fs::write(layout.scratch().join("7.wav"), b"x").unwrap();
        sweep(&layout);
        assert_eq!(std::fs::read_dir(layout.scratch()).unwrap().count(), 0);
    }
}
