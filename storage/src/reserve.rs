//! Space that is set aside so that a full disk can still be told about: the index can commit and
//! open recordings can be sealed after the reserve is given up.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use rustix::fs::FallocateFlags;

use crate::limits::{FREE_BYTES_MIN, RESERVE_BYTES, RESERVE_SHARE};

/// The reserve file.
pub(crate) struct Reserve {
    path: PathBuf,
    held: Mutex<bool>,
    /// Told when the reserve is given up.
    released: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Reserve {
    /// A reserve at this path, held if an earlier run left it there.
    pub(crate) fn new(path: PathBuf) -> Self {
        let held = Mutex::new(path.exists());
        Self {
            path,
            held,
            released: OnceLock::new(),
        }
    }

    /// Calls this whenever the reserve is given up, on the thread that needs the space: it must
    /// not wait. The first one told stays.
    pub(crate) fn when_released(&self, told: Box<dyn Fn() + Send + Sync>) {
        let _ = self.released.set(told);
    }

    /// Makes the reserve if it is not there and the disk has room. True when it is held.
    pub(crate) fn hold(&self) -> bool {
        let mut held = self
            .held
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if *held && self.path.exists() {
            return true;
        }
        *held = allocate(&self.path).is_ok();
        if !*held {
            let _ = std::fs::remove_file(&self.path);
        }
        *held
    }

    /// Gives the space back. False when there was none.
    pub(crate) fn release(&self) -> bool {
        let mut held = self
            .held
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let had = *held && std::fs::remove_file(&self.path).is_ok();
        *held = false;
        if had {
            log::warn!("the disk is full: the reserve has been released");
            if let Some(told) = self.released.get() {
                told();
            }
        }
        had
    }
}

fn allocate(path: &Path) -> io::Result<()> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let folder = path.parent().unwrap_or(path);
    let len = share_of(folder, RESERVE_BYTES);
    if file.metadata()?.len() < len && free_bytes(folder) < len + free_wanted(folder) {
        return Err(io::Error::from(io::ErrorKind::StorageFull));
    }
    Ok(rustix::fs::fallocate(
        &file,
        FallocateFlags::empty(),
        0,
        len,
    )?)
}

/// Free bytes that a disk which was full must have before it is used again.
pub(crate) fn free_wanted(path: &Path) -> u64 {
    share_of(path, FREE_BYTES_MIN)
}

/// `wanted`, or a fixed share of a small file system.
pub(crate) fn share_of(path: &Path, wanted: u64) -> u64 {
    wanted.min(size_of_fs(path).unwrap_or(u64::MAX) / RESERVE_SHARE)
}

/// Bytes of the file system of `path`; `None` when unknown.
pub(crate) fn size_of_fs(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_blocks.saturating_mul(stat.f_frsize))
}

/// Bytes that an ordinary user may still write on the file system of `path`; 0 when unknown.
pub(crate) fn free_bytes(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether an error says that there is no room left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
