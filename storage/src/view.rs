//! A recording as one byte space: an optional made-up header, then mapped file bytes. What HTTP
//! serves is cut out of it. Nothing here knows about ranges of HTTP.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::ViewError;
use crate::record::{Container, Recording, RecordingFacts, RecordingOutcome, WallMillis};
use crate::segment::header::{self, SOUND_AT};
pub use crate::segment::mapping::Mapping;

/// A recording as one byte space. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RecordingView {
    header: Bytes,
    mapped: Bytes,
    mapping: Arc<Mapping>,
    /// Where in the file the mapped part begins.
    mapped_at: u64,
    etag: Arc<str>,
    last_modified: WallMillis,
    container: Container,
    live: bool,
}

/// The bytes of a range: first the made-up header's part, then the mapped part.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// From memory; safe to read.
    pub header: Bytes,
    /// From the mapping; only the kernel may read it.
    pub mapped: Bytes,
}

impl RecordingView {
    /// A sealed file as it is.
    pub(crate) fn stored(
        row: &Recording,
        outcome: &RecordingOutcome,
        file: std::fs::File,
    ) -> Result<Self, ViewError> {
        let id = row.facts.id;
        let found = file
            .metadata()
            .map_err(|error| ViewError::Io(id, error))?
            .len();
        if found != outcome.size_bytes {
            return Err(ViewError::Length {
                id,
                expected: outcome.size_bytes,
                found,
            });
        }
        let etag = hex(&outcome.content_hash);
        Self::file(file, found, &etag, outcome.sealed_at, row.facts.container)
            .map_err(|error| ViewError::Io(id, error))
    }

    /// Any file that never changes any more, as it is: its first `length` bytes. The entity tag
    /// is given without quotes.
    pub(crate) fn file(
        file: std::fs::File,
        length: u64,
        etag: &str,
        last_modified: WallMillis,
        container: Container,
    ) -> std::io::Result<Self> {
        let mapping = Arc::new(Mapping::new(file, length)?);
        Ok(Self {
            header: Bytes::new(),
            mapped: Bytes::from_owner(Shared(Arc::clone(&mapping))),
            mapping,
            mapped_at: 0,
            etag: etag.into(),
            last_modified,
            container,
            live: false,
        })
    }

    /// A file that never changes any more and is no recording, such as a finished export. Its
    /// format counts for nothing. The entity tag is given without quotes.
    ///
    /// # Errors
    /// The file system's.
    pub fn whole_file(
        file: std::fs::File,
        etag: &str,
        last_modified: WallMillis,
    ) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        Self::file(file, length, etag, last_modified, Container::Wav)
    }

    /// The first `sound` bytes of an open recording's file, cut to whole frames and an even
    /// length, under a header of its own.
    pub(crate) fn live(
        facts: &RecordingFacts,
        sound: u64,
        file: std::fs::File,
        now: WallMillis,
    ) -> Result<Self, ViewError> {
        let error = |error| ViewError::Io(facts.id, error);
        let frame = facts.format.frame_bytes() as u64;
        let sound = sound - sound % frame.max(2);
        let mapping = Arc::new(Mapping::new(file, SOUND_AT + sound).map_err(error)?);
        let whole = Bytes::from_owner(Shared(Arc::clone(&mapping)));
        Ok(Self {
            header: Bytes::copy_from_slice(&header::sealed(facts, sound, 0)),
            mapped: whole.slice(audio_io::codec::wav::HEADER_BYTES..),
            mapping,
            mapped_at: SOUND_AT,
            etag: format!("live-{:x}-{sound:x}", facts.id.0).into(),
            last_modified: now,
            container: facts.container,
            live: true,
        })
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.header.len() as u64 + self.mapped.len() as u64
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Strong entity tag without quotes: hex of the content hash; for a live snapshot derived
    /// from id and length.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// When the recording was sealed; for a live snapshot, when it was taken.
    #[must_use]
    pub fn last_modified(&self) -> WallMillis {
        self.last_modified
    }

    /// The file's format.
    #[must_use]
    pub fn container(&self) -> Container {
        self.container
    }

    /// Whether this is a snapshot of a recording that still grows.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The bytes of a range of the byte space, in at most two pieces. What lies past the end is
    /// left out. Mapped pieces are for the kernel: user space must not read them unless they
    /// came from [`Mapping::read_at`], since a file that someone truncates raises SIGBUS.
    #[must_use]
    pub fn slices(&self, range: Range<u64>) -> Pieces {
        let within = |from: u64, bytes: &Bytes| {
            let clamp = |at: u64| {
                let at = at.saturating_sub(from).min(bytes.len() as u64);
                usize::try_from(at).unwrap_or(bytes.len())
            };
            let (start, end) = (clamp(range.start), clamp(range.end));
            bytes.slice(start..end.max(start))
        };
        Pieces {
            header: within(0, &self.header),
            mapped: within(self.header.len() as u64, &self.mapped),
        }
    }

    /// The mapped file, for pread, sendfile and prefaulting.
    #[must_use]
    pub fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// Length of the made-up header in front of the mapped bytes (0 for stored recordings), and
    /// the offset in the file where the mapped part of the byte space begins.
    #[must_use]
    pub fn layout(&self) -> (u64, u64) {
        (self.header.len() as u64, self.mapped_at)
    }
}

/// A hash as an entity tag, without quotes.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    for byte in hash {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Lets `Bytes` hold the mapping.
struct Shared(Arc<Mapping>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}
