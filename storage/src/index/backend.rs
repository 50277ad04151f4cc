//! The file under redb. Space is allocated before it is used, so that a full disk shows when the
//! file grows and never in the middle of a commit; the reserve is given up for it.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::ledger::writer::Watch;
use crate::reserve::Reserve;

/// Opens the index file; the crash double has its own.
pub(crate) trait Opener: Send + Sync {
    /// Opens or creates the file.
    fn open(&self, path: &Path) -> io::Result<IndexFile>;

    /// What sees every change of the ledger's files.
    fn watch(&self) -> Option<Arc<dyn Watch>> {
        None
    }
}

/// What sees every change of the index file, in order; only the crash double listens.
pub(crate) trait Witness: Send + Sync {
    fn wrote(&self, offset: u64, data: &[u8]);
    fn resized(&self, len: u64);
    fn synced(&self);
}

/// The plain file. It holds the secrets that sign links and key hashes: nobody but its owner
/// reads it.
pub(crate) struct FileOpener {
    pub(crate) reserve: Arc<Reserve>,
}

impl Opener for FileOpener {
    fn open(&self, path: &Path) -> io::Result<IndexFile> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(mode & 0o700))?;
        }
        Ok(IndexFile::new(file, Arc::clone(&self.reserve), None))
    }
}

/// One opening of the index file.
pub(crate) struct IndexFile {
    file: File,
    reserve: Arc<Reserve>,
    witness: Option<Arc<dyn Witness>>,
    read_only: AtomicBool,
}

impl IndexFile {
    pub(crate) fn new(
        file: File,
        reserve: Arc<Reserve>,
        witness: Option<Arc<dyn Witness>>,
    ) -> Self {
        Self {
            file,
            reserve,
            witness,
            read_only: AtomicBool::new(false),
        }
    }

    /// From now on every write fails.
    pub(crate) fn forbid_writes(&self) {
        self.read_only.store(true, Ordering::SeqCst);
    }

    fn writable(&self) -> io::Result<()> {
        if self.read_only.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem));
        }
        Ok(())
    }

    fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), from, to - from) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP) => self.file.set_len(to),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl std::fmt::Debug for IndexFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexFile")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// An [`IndexFile`] as redb takes it.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Arc<IndexFile>);

impl redb::StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let this = &*self.0;
        this.writable()?;
        let now = this.file.metadata()?.len();
        if len <= now {
            this.file.set_len(len)?;
        } else if let Err(error) = this.grow(now, len) {
            if !(crate::reserve::is_full(&error) && this.reserve.release()) {
                return Err(error);
            }
            this.grow(now, len)?;
        }
        if let Some(witness) = &this.witness {
            witness.resized(len);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.writable()?;
        self.0.file.sync_data()?;
        if let Some(witness) = &self.0.witness {
            witness.synced();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.writable()?;
        self.0.file.write_all_at(data, offset)?;
        if let Some(witness) = &self.0.witness {
            witness.wrote(offset, data);
        }
        Ok(())
    }
}
