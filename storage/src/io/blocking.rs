//! The seam by ordinary system calls on the runtime's few blocking threads.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::{Buffer, Op, SegmentFile, SegmentIo};

/// Threads that wait for the disk at the same time.
pub(crate) const THREADS: usize = 4;

/// pwrite and its kin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Blocking;

impl SegmentIo for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn create(&self, path: &Path) -> Op<io::Result<Arc<SegmentFile>>> {
        let path = path.to_owned();
        run(move || {
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)?;
            Ok(Arc::new(SegmentFile {
                file,
                path,
                direct: false,
            }))
        })
    }

    fn open_journal(&self, path: &Path, wanted: bool) -> Op<io::Result<Arc<SegmentFile>>> {
        let path = path.to_owned();
        run(move || {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            let flags = if wanted { libc::O_DIRECT } else { 0 };
            let (file, direct) = match options.clone().custom_flags(flags).open(&path) {
                Ok(file) => (file, wanted),
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    (options.open(&path)?, false)
                }
                Err(error) => return Err(error),
            };
            Ok(Arc::new(SegmentFile { file, path, direct }))
        })
    }

    fn write_at(
        &self,
        file: &Arc<SegmentFile>,
        offset: u64,
        buffer: Buffer,
    ) -> Op<(io::Result<()>, Buffer)> {
        let file = Arc::clone(file);
        let task = tokio::task::spawn_blocking(move || {
            (file.file.write_all_at(buffer.as_slice(), offset), buffer)
        });
        Box::pin(async move {
            match task.await {
                Ok(done) => done,
                Err(_) => (Err(stopped()), Buffer::with_capacity(0)),
            }
        })
    }

    fn preallocate(&self, file: &Arc<SegmentFile>, offset: u64, len: u64) -> Op<io::Result<()>> {
        let file = Arc::clone(file);
        run(move || {
            match rustix::fs::fallocate(&file.file, FallocateFlags::KEEP_SIZE, offset, len) {
                Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        })
    }

    fn sync_data(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        let file = Arc::clone(file);
        run(move || file.file.sync_data())
    }

    fn sync_fs(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        let file = Arc::clone(file);
        run(move || Ok(nix::unistd::syncfs(&file.file)?))
    }

    fn sync_dir(&self, path: &Path) -> Op<io::Result<()>> {
        let path = path.to_owned();
        run(move || crate::paths::sync_dir(&path))
    }

    fn truncate(&self, file: &Arc<SegmentFile>, len: u64) -> Op<io::Result<()>> {
        let file = Arc::clone(file);
        run(move || file.file.set_len(len))
    }

    fn unlink(&self, path: &Path) -> Op<io::Result<()>> {
        let path = path.to_owned();
        run(move || crate::paths::unlink_if_there(&path))
    }

    fn create_dirs(&self, root: &Path, path: &Path) -> Op<io::Result<()>> {
        let (root, path) = (root.to_owned(), path.to_owned());
        run(move || crate::paths::create_dirs(&root, &path))
    }
}

fn run<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Op<io::Result<T>> {
    let task = tokio::task::spawn_blocking(call);
    Box::pin(async move { task.await.unwrap_or_else(|_| Err(stopped())) })
}

/// The runtime went away under the call.
fn stopped() -> io::Error {
    io::Error::from(io::ErrorKind::Interrupted)
}
