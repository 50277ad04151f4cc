//! A double that refuses what it is told to refuse and does the rest for real.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::blocking::Blocking;
use super::{Buffer, Op, SegmentFile, SegmentIo};

/// The error numbers that operations fail with; 0 lets them through.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) write: Cell<i32>,
    pub(crate) sync: Cell<i32>,
    pub(crate) create: Cell<i32>,
    pub(crate) preallocate: Cell<i32>,
}

impl Faults {
    /// Everything that writes fails.
    pub(crate) fn all(&self, errno: i32) {
        for fault in [&self.write, &self.sync, &self.create, &self.preallocate] {
            fault.set(errno);
        }
    }
}

/// The double.
#[derive(Debug)]
pub(crate) struct Faulty(pub(crate) Rc<Faults>);

fn fail<T: 'static>(fault: &Cell<i32>) -> Option<Op<io::Result<T>>> {
    let errno = fault.get();
    (errno != 0).then(|| -> Op<io::Result<T>> {
        Box::pin(async move { Err(io::Error::from_raw_os_error(errno)) })
    })
}

impl SegmentIo for Faulty {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn create(&self, path: &Path) -> Op<io::Result<Arc<SegmentFile>>> {
        fail(&self.0.create).unwrap_or_else(|| Blocking.create(path))
    }

    fn open_journal(&self, path: &Path, direct: bool) -> Op<io::Result<Arc<SegmentFile>>> {
        fail(&self.0.create).unwrap_or_else(|| Blocking.open_journal(path, direct))
    }

    fn write_at(
        &self,
        file: &Arc<SegmentFile>,
        offset: u64,
        buffer: Buffer,
    ) -> Op<(io::Result<()>, Buffer)> {
        let errno = self.0.write.get();
        if errno != 0 {
            return Box::pin(async move { (Err(io::Error::from_raw_os_error(errno)), buffer) });
        }
        Blocking.write_at(file, offset, buffer)
    }

    fn preallocate(&self, file: &Arc<SegmentFile>, offset: u64, len: u64) -> Op<io::Result<()>> {
        fail(&self.0.preallocate).unwrap_or_else(|| Blocking.preallocate(file, offset, len))
    }

    fn sync_data(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        fail(&self.0.sync).unwrap_or_else(|| Blocking.sync_data(file))
    }

    fn sync_fs(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        fail(&self.0.sync).unwrap_or_else(|| Blocking.sync_fs(file))
    }

    fn sync_dir(&self, path: &Path) -> Op<io::Result<()>> {
        fail(&self.0.sync).unwrap_or_else(|| Blocking.sync_dir(path))
    }

    fn truncate(&self, file: &Arc<SegmentFile>, len: u64) -> Op<io::Result<()>> {
        fail(&self.0.write).unwrap_or_else(|| Blocking.truncate(file, len))
    }

    fn unlink(&self, path: &Path) -> Op<io::Result<()>> {
        Blocking.unlink(path)
    }

    fn create_dirs(&self, root: &Path, path: &Path) -> Op<io::Result<()>> {
        fail(&self.0.create).unwrap_or_else(|| Blocking.create_dirs(root, path))
    }
}
