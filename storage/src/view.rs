//! SKELETON
#![allow(
    missing_docs,
    clippy::todo,
    unused_variables,
    dead_code,
    reason = "skeleton"
)]
use crate::record::{Container, WallMillis};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// A recording as one byte space: an optional made-up header, then mapped file bytes.
#[derive(Clone)]
pub struct RecordingView {
    _private: (),
}

impl RecordingView {
    #[must_use]
    pub fn len(&self) -> u64 {
        todo!()
    }
    #[must_use]
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Strong entity tag without quotes: hex of the content hash; for a live snapshot derived from id and length.
    #[must_use]
    pub fn etag(&self) -> &str {
        todo!()
    }
    #[must_use]
    pub fn last_modified(&self) -> WallMillis {
        todo!()
    }
    #[must_use]
    pub fn container(&self) -> Container {
        todo!()
    }
    #[must_use]
    pub fn is_live(&self) -> bool {
        todo!()
    }
    /// The bytes of a range of the byte space, in at most two pieces (header, mapped). Mapped pieces are
    /// `Bytes::from_owner`-backed slices; user space must not read them unless prefaulted (SIGBUS): hand them to the kernel.
    #[must_use]
    pub fn slices(&self, range: Range<u64>) -> Pieces {
        todo!()
    }
    /// Where a range lies in the file, for pread, sendfile and prefaulting.
    #[must_use]
    pub fn mapping(&self) -> &Arc<Mapping> {
        todo!()
    }
    /// Length of the made-up header in front of the mapped bytes (0 for stored recordings), and the
    /// offset in the file where the mapped part of the byte space begins.
    #[must_use]
    pub fn layout(&self) -> (u64, u64) {
        todo!()
    }
}
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    pub header: Bytes,
    pub mapped: Bytes,
}

/// One mapped file (or a window of it on 32-bit). Alive while any slice of it is.
pub struct Mapping {
    _private: (),
}
impl Mapping {
    /// Address range of the mapping, so that an IO type can recognise slices of it.
    #[must_use]
    pub fn address_range(&self) -> Range<usize> {
        todo!()
    }
    #[must_use]
    pub fn file(&self) -> &std::fs::File {
        todo!()
    }
    /// File offset of the first mapped byte.
    #[must_use]
    pub fn file_offset(&self) -> u64 {
        todo!()
    }
    /// Whether every page of this part is in the page cache (mincore). Never blocks.
    #[must_use]
    pub fn is_resident(&self, range: Range<u64>) -> bool {
        todo!()
    }
    /// Faults pages in (MADV_POPULATE_READ); blocks. `EFAULT` when the file was truncated under us.
    pub fn populate(&self, range: Range<u64>) -> std::io::Result<()> {
        todo!()
    }
    /// Reads with pread: never a SIGBUS. Short when the file was truncated.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        todo!()
    }
}
