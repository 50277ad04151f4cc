//! The seam on io_uring: the frequent operations go through the ring of the running tokio-uring
//! runtime; the rare ones, for which old rings have no opcode, take the blocking way.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;

use io_uring::{cqueue, opcode, squeue, types};
use tokio_uring::{OneshotOutputTransform, UnsubmittedOneshot};

use super::blocking::Blocking;
use super::{Buffer, Op, SegmentFile, SegmentIo};

/// Operations through the ring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uring;

impl SegmentIo for Uring {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn create(&self, path: &Path) -> Op<io::Result<Arc<SegmentFile>>> {
        Blocking.create(path)
    }

    fn open_journal(&self, path: &Path, direct: bool) -> Op<io::Result<Arc<SegmentFile>>> {
        Blocking.open_journal(path, direct)
    }

    fn write_at(
        &self,
        file: &Arc<SegmentFile>,
        offset: u64,
        buffer: Buffer,
    ) -> Op<(io::Result<()>, Buffer)> {
        let file = Arc::clone(file);
        Box::pin(async move {
            let mut held = (file, buffer);
            let mut done = 0;
            while done < held.1.len() {
                let rest = &held.1.as_slice()[done..];
                let len = u32::try_from(rest.len())
                    .unwrap_or(LARGEST_WRITE)
                    .min(LARGEST_WRITE);
                let fd = types::Fd(held.0.file.as_raw_fd());
                let entry = opcode::Write::new(fd, rest.as_ptr(), len)
                    .offset(offset + done as u64)
                    .build();
                let (result, back) = submit(entry, held).await;
                held = back;
                match result {
                    Ok(0) => return (Err(io::Error::from(io::ErrorKind::WriteZero)), held.1),
                    Ok(written) => done += written as usize,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (Err(error), held.1),
                }
            }
            (Ok(()), held.1)
        })
    }

    fn preallocate(&self, file: &Arc<SegmentFile>, offset: u64, len: u64) -> Op<io::Result<()>> {
        let file = Arc::clone(file);
        Box::pin(async move {
            let entry = opcode::Fallocate::new(types::Fd(file.file.as_raw_fd()), len)
                .offset(offset)
                .mode(libc::FALLOC_FL_KEEP_SIZE)
                .build();
            match submit(entry, file).await.0 {
                Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
                other => other.map(drop),
            }
        })
    }

    fn sync_data(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        let file = Arc::clone(file);
        Box::pin(async move {
            let entry = opcode::Fsync::new(types::Fd(file.file.as_raw_fd()))
                .flags(types::FsyncFlags::DATASYNC)
                .build();
            submit(entry, file).await.0.map(drop)
        })
    }

    fn sync_fs(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        Blocking.sync_fs(file)
    }

    fn sync_dir(&self, path: &Path) -> Op<io::Result<()>> {
        Blocking.sync_dir(path)
    }

    fn truncate(&self, file: &Arc<SegmentFile>, len: u64) -> Op<io::Result<()>> {
        Blocking.truncate(file, len)
    }

    fn unlink(&self, path: &Path) -> Op<io::Result<()>> {
        Blocking.unlink(path)
    }

    fn create_dirs(&self, root: &Path, path: &Path) -> Op<io::Result<()>> {
        Blocking.create_dirs(root, path)
    }
}

/// The longest single write; the rest follows in another.
const LARGEST_WRITE: u32 = 1 << 30;

/// Hands one operation to the ring. `held` keeps alive whatever the kernel works on, even when
/// the waiting task is dropped meanwhile.
async fn submit<H: Unpin + 'static>(entry: squeue::Entry, held: H) -> (io::Result<u32>, H) {
    UnsubmittedOneshot::new(held, Plain(std::marker::PhantomData), entry)
        .submit()
        .await
}

struct Plain<H>(std::marker::PhantomData<H>);

impl<H> Unpin for Plain<H> {}

impl<H: 'static> OneshotOutputTransform for Plain<H> {
    type Output = (io::Result<u32>, H);
    type StoredData = H;

    fn transform_oneshot_output(self, held: H, entry: cqueue::Entry) -> Self::Output {
        let result = u32::try_from(entry.result())
            .map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        (result, held)
    }
}
