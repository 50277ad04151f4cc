//! SKELETON
//! Conversions: which file answers for a recording in a wanted format. Made once, shared by all
//! who ask at the same time, kept in the store's bounded cache; MP3 is made in pieces as they are
//! asked for.
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use audio_io::codec::target::Target;
use audio_io::units::WallMillis;
use bytes::Bytes;
use storage::handle::StorageHandle;
use storage::record::Recording;
use storage::view::RecordingView;

use crate::config::schema::Convert;

/// Sound whose bytes are known by number before they are made.
pub trait Made: Send + Sync {
    /// Length of the whole in bytes, exact.
    fn size_bytes(&self) -> u64;
    /// Strong entity tag without quotes.
    fn etag(&self) -> &str;
    /// When its source was sealed.
    fn last_modified(&self) -> WallMillis;
    /// The next bytes of a range: at least one, at most what is convenient (64 KiB or so), from
    /// its start. Work happens on the conversion threads.
    fn read(&self, range: Range<u64>) -> Reading;
}

/// A piece on its way.
pub type Reading = Pin<Box<dyn Future<Output = Result<Bytes, ConvertError>> + Send>>;

/// What answers for a recording in a format.
pub enum Converted {
    /// The recording as it is stored: it has the format already.
    Stored,
    /// A finished file.
    File(RecordingView),
    /// Made as it is read.
    Made(Arc<dyn Made>),
}

/// Why a recording cannot be had in a format.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It has no file, or goes on.
    #[error("the recording has no finished sound to convert")]
    NoSound,
    /// Too many conversions wait; try again after this many seconds.
    #[error("too many conversions are waiting")]
    Busy,
    /// The disk is nearly full.
    #[error("there is no space for conversions")]
    NoSpace,
    /// The recording was deleted meanwhile.
    #[error("the recording was deleted or changed meanwhile")]
    Gone,
    /// Reading, decoding, encoding or writing failed; whoever waits for the same is told the same.
    #[error("the conversion failed: {0}")]
    Failed(Arc<dyn std::error::Error + Send + Sync>),
}

/// The only door to conversions. Cheap to clone; its threads end with the last clone.
#[derive(Clone)]
pub struct Transcoder {
    _storage: StorageHandle,
}

impl Transcoder {
    /// Starts the conversion threads (lowest priority) and the one that converts what tenants
    /// keep in another format after sealing.
    ///
    /// # Errors
    /// A thread cannot be made.
    pub fn start(storage: StorageHandle, convert: &Convert) -> std::io::Result<Self> {
        let _ = convert;
        Ok(Self { _storage: storage })
    }

    /// What answers for a sealed recording in a format; returns when its first byte can be read.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub async fn convert(
        &self,
        recording: &Recording,
        target: Target,
    ) -> Result<Converted, ConvertError> {
        let _ = (recording, target);
        todo!()
    }

    /// Figures for `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> TranscodeMetrics {
        TranscodeMetrics::default()
    }
}

/// Figures for `/metrics`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TranscodeMetrics {
    /// Conversions that were made whole.
    pub made: u64,
    /// Conversions that failed.
    pub failed: u64,
    /// Requests that an earlier conversion answered.
    pub cache_hits: u64,
    /// MP3 pieces made.
    pub pieces: u64,
    /// Conversions waiting or under way.
    pub waiting: u64,
    /// Recordings converted to their tenant's stored format.
    pub replaced: u64,
}
