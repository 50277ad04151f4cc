//! Brings parts of mapped recordings into memory without holding the event loop up: through the
//! thread's io_uring where it has one (the kernel's own workers then wait for the disk), else on
//! the blocking pool.

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use io_uring::{cqueue, opcode};
use storage::view::Mapping;
use tokio::task::JoinHandle;
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot};

thread_local! {
    static RING: Cell<bool> = const { Cell::new(false) };
}

/// Says whether this thread runs inside a tokio-uring runtime. Before that is said, it does not.
pub(super) fn thread_has_ring(has: bool) {
    RING.set(has);
}

/// A part of a file on its way into memory.
pub(super) struct Prefault {
    mapping: Arc<Mapping>,
    part: Range<u64>,
    way: Way,
}

enum Way {
    Ring(InFlightOneshot<Arc<Mapping>, Advised>),
    Pool(JoinHandle<io::Result<()>>),
}

impl Prefault {
    /// Starts reading `part` of the mapping, counted from its start.
    pub(super) fn start(mapping: &Arc<Mapping>, part: Range<u64>) -> Self {
        let ring = RING.get().then(|| Self::on_ring(mapping, &part)).flatten();
        let way = ring.unwrap_or_else(|| Self::on_pool(mapping, &part));
        Self {
            mapping: Arc::clone(mapping),
            part,
            way,
        }
    }

    fn on_ring(mapping: &Arc<Mapping>, part: &Range<u64>) -> Option<Way> {
        let addresses = mapping.address_range();
        let into = |at: u64| addresses.start.checked_add(usize::try_from(at).ok()?);
        // madvise wants whole pages; every page is a multiple of the smallest.
        let start = into(part.start)? & !(SMALLEST_PAGE - 1);
        let end = into(part.end)?.min(addresses.end);
        let length = libc::off_t::try_from(end.checked_sub(start)?).ok()?;
        let advise = opcode::Madvise::new(
            std::ptr::without_provenance::<libc::c_void>(start),
            length,
            libc::MADV_POPULATE_READ,
        )
        .build();
        let operation = UnsubmittedOneshot::new(Arc::clone(mapping), Advised, advise);
        Some(Way::Ring(operation.submit()))
    }

    fn on_pool(mapping: &Arc<Mapping>, part: &Range<u64>) -> Way {
        let (mapping, part) = (Arc::clone(mapping), part.clone());
        Way::Pool(tokio::task::spawn_blocking(move || mapping.populate(part)))
    }

    /// Ready when the part is in memory.
    ///
    /// # Errors
    /// `EFAULT` when the file no longer has that part or the disk cannot read it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.way {
                Way::Ring(operation) => match ready!(Pin::new(operation).poll(cx)) {
                    // Kernels before 5.14 do not know the advice: the pool knows another way.
                    Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                        RING.set(false);
                        self.way = Self::on_pool(&self.mapping, &self.part);
                    }
                    done => return Poll::Ready(done),
                },
                Way::Pool(work) => {
                    let done = ready!(Pin::new(work).poll(cx));
                    return Poll::Ready(done.unwrap_or_else(|gone| Err(io::Error::other(gone))));
                }
            }
        }
    }
}

/// Turns a completion into a result; keeps the mapping alive until then.
struct Advised;

impl OneshotOutputTransform for Advised {
    type Output = io::Result<()>;
    type StoredData = Arc<Mapping>;

    fn transform_oneshot_output(self, _data: Arc<Mapping>, done: cqueue::Entry) -> io::Result<()> {
        match done.result() {
            result if result < 0 => Err(io::Error::from_raw_os_error(-result)),
            _ => Ok(()),
        }
    }
}

/// Mappings begin on a page, and no page of the supported machines is smaller.
const SMALLEST_PAGE: usize = 4_096;
