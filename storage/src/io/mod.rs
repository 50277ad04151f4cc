//! How the recorder writes: a local (`!Send`) asynchronous seam with io_uring behind it, or
//! pwrite on a few threads where the kernel refuses io_uring. No policy and no formats here.

pub(crate) mod blocking;
pub(crate) mod buffer;
#[cfg(test)]
pub(crate) mod crash;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod uring;

use std::fs::File;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

pub(crate) use buffer::Buffer;

/// A running operation; it owns all it needs.
pub(crate) type Op<T> = Pin<Box<dyn Future<Output = T>>>;

/// An open file and where it lies.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// Writes go past the page cache and must be aligned to [`buffer::ALIGNMENT`].
    pub(crate) direct: bool,
}

/// The operations the recorder needs. Each failure is final: nobody tries it again.
pub(crate) trait SegmentIo {
    /// For logs and metrics.
    fn name(&self) -> &'static str;

    /// Creates a file that must not exist, for reading and writing.
    fn create(&self, path: &Path) -> Op<io::Result<Arc<SegmentFile>>>;

    /// Opens or creates a file, if `direct` past the page cache where the file system can.
    fn open_journal(&self, path: &Path, direct: bool) -> Op<io::Result<Arc<SegmentFile>>>;

    /// Writes the whole buffer and gives it back.
    fn write_at(
        &self,
        file: &Arc<SegmentFile>,
        offset: u64,
        buffer: Buffer,
    ) -> Op<(io::Result<()>, Buffer)>;

    /// Sets space aside without changing the file's length.
    fn preallocate(&self, file: &Arc<SegmentFile>, offset: u64, len: u64) -> Op<io::Result<()>>;

    /// Makes the file's data, and what is needed to find it, durable (`fdatasync`).
    fn sync_data(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>>;

    /// Makes everything on the file's file system durable (`syncfs`).
    fn sync_fs(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>>;

    /// Makes a folder's entries durable.
    fn sync_dir(&self, path: &Path) -> Op<io::Result<()>>;

    /// Sets the file's length, which also frees what was set aside behind it.
    fn truncate(&self, file: &Arc<SegmentFile>, len: u64) -> Op<io::Result<()>>;

    /// Removes a file; one that is gone already is no error.
    fn unlink(&self, path: &Path) -> Op<io::Result<()>>;

    /// Creates a folder below `root` with its parents, durably.
    fn create_dirs(&self, root: &Path, path: &Path) -> Op<io::Result<()>>;
}
