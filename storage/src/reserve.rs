//! Space that is set aside so that a full disk can still be told about: the index can commit and
//! open recordings can be sealed after the reserve is given up.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::fcntl::FallocateFlags;

use crate::limits::{FREE_BYTES_MIN, RESERVE_BYTES};

/// The reserve file.
pub(crate) struct Reserve {
    path: PathBuf,
    held: Mutex<bool>,
}

impl Reserve {
    /// A reserve at this path; nothing is written yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, held: Mutex::new(false) }
    }

    /// Makes the reserve if it is not there and the disk has room. True when it is held.
    pub(crate) fn hold(&self) -> bool {
        let mut held = self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *held {
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
        let mut held = self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let had = *held && std::fs::remove_file(&self.path).is_ok();
        *held = false;
        if had {
            log::warn!("the disk is full: {RESERVE_BYTES} bytes of reserve have been released");
        }
        had
    }
}

fn allocate(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    let free = path.parent().map_or(0, free_bytes);
    if file.metadata()?.len() < RESERVE_BYTES && free < RESERVE_BYTES + FREE_BYTES_MIN {
        return Err(io::Error::from(io::ErrorKind::StorageFull));
    }
    let len = i64::try_from(RESERVE_BYTES).unwrap_or(i64::MAX);
    Ok(nix::fcntl::fallocate(&file, FallocateFlags::empty(), 0, len)?)
}

/// Bytes that an ordinary user may still write on the file system of `path`; 0 when unknown.
#[allow(clippy::useless_conversion, reason = "the types are narrower on 32-bit targets")]
pub(crate) fn free_bytes(path: &Path) -> u64 {
    nix::sys::statvfs::statvfs(path).map_or(0, |stat| {
        u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size()))
    })
}

/// Whether an error says that there is no room left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
