//! Conversions: which file answers for a recording in a wanted format. Made once, shared by all
//! who ask at the same time, kept in the store's bounded cache; MP3 is made in pieces as they are
//! asked for.
//!
//! ```text
//!  convert ──▶ stored so already? ──▶ kept from earlier? ──┬─ MP3 ──▶ pieces ─┐
//!                                                          └─ else ─▶ whole ──┤
//!  sealed recordings of tenants with another stored format ──▶ keep ──────────┤
//!                                                                             ▼
//!                                              queue, conversion threads, `codec`
//! ```
//!
//! What is not here: codecs (`audio_io::codec`), where conversions are kept (`storage::derived`).

mod flight;
mod keep;
mod mp3_file;
mod pieces;
mod queue;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod whole;

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audio_io::clock::SystemClock;
use audio_io::codec::encode;
use audio_io::codec::target::Target;
use audio_io::units::WallMillis;
use bytes::Bytes;
use storage::error::DerivedError;
use storage::handle::StorageHandle;
use storage::ids::RecordingId;
use storage::record::{Container, Recording, RecordingOutcome, RecordingState};
use storage::view::RecordingView;

use self::flight::Flights;
use self::keep::KeepThread;
use self::mp3_file::Mp3File;
use self::pieces::OpenFiles;
use self::queue::{Queue, Workers};
use crate::config::schema::Convert;

/// Seconds after which whoever was told [`ConvertError::Busy`] should ask again.
pub const BUSY_RETRY_S: u64 = 5;

/// Sound whose bytes are known by number before they are made.
pub trait Made: Send + Sync {
    /// Length of the whole in bytes, exact.
    fn size_bytes(&self) -> u64;
    /// Strong entity tag without quotes.
    fn etag(&self) -> &str;
    /// When its source was sealed.
    fn last_modified(&self) -> WallMillis;
    /// The next bytes of a range: at least one, at most what is convenient (64 KiB or so), from
    /// its start; none past the end. Work happens on the conversion threads.
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
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConvertError {
    /// It has no file, or goes on.
    #[error("the recording has no finished sound to convert")]
    NoSound,
    /// Too many conversions wait; try again after [`BUSY_RETRY_S`] seconds.
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

/// Failures of the machinery itself.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Trouble {
    #[error("the daemon is stopping")]
    Stopping,
    #[error("the codec panicked; the journal has its last words")]
    Panicked,
    #[error("the codec made {made} bytes where there must be {wanted}")]
    Length { made: u64, wanted: u64 },
}

impl From<Trouble> for ConvertError {
    fn from(trouble: Trouble) -> Self {
        Self::failed(trouble)
    }
}

impl From<DerivedError> for ConvertError {
    fn from(error: DerivedError) -> Self {
        match error {
            DerivedError::Gone => Self::Gone,
            DerivedError::NoSpace => Self::NoSpace,
            other => Self::failed(other),
        }
    }
}

impl ConvertError {
    fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// The only door to conversions. Cheap to clone; its threads end with the last clone.
#[derive(Clone)]
pub struct Transcoder {
    inner: Arc<Running>,
}

/// They end in this order: the keeper waits for its work, which the workers drop.
struct Running {
    _workers: Workers,
    _keeper: KeepThread,
    held: Held,
}

/// Open files hold what is shared, which holds them, until this is dropped.
struct Held(Arc<Shared>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open.clear();
    }
}

/// What callers and conversion threads have in common.
struct Shared {
    storage: StorageHandle,
    queue: Arc<Queue>,
    whole: Arc<Flights<Name, RecordingView>>,
    opening: Arc<Flights<Name, Arc<Mp3File>>>,
    open: OpenFiles,
    counters: Counters,
}

/// What names a conversion: its source, and the entity tag of what it makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    id: RecordingId,
    tag: Arc<str>,
}

#[derive(Default)]
struct Counters {
    made: AtomicU64,
    failed: AtomicU64,
    cache_hits: AtomicU64,
    pieces: AtomicU64,
    replaced: AtomicU64,
}

impl Transcoder {
    /// Starts the conversion threads (lowest priority) and the one that converts what tenants
    /// keep in another format after sealing.
    ///
    /// # Errors
    /// A thread cannot be made.
    pub fn start(storage: StorageHandle, convert: &Convert) -> std::io::Result<Self> {
        storage.set_derived_limit(convert.cache_mib.saturating_mul(1 << 20));
        let shared = Shared::new(storage);
        let threads = queue::count(convert.workers);
        let workers = Workers::start(&shared.queue, threads)?;
        let keeper = KeepThread::start(&shared, threads, Arc::new(SystemClock))?;
        let inner = Running {
            _workers: workers,
            _keeper: keeper,
            held: Held(shared),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
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
        let outcome = sealed(recording)?;
        if recording.facts.container == container_of(target) {
            return Ok(Converted::Stored);
        }
        let name = Name {
            id: recording.facts.id,
            tag: tag(outcome, target).into(),
        };
        let shared = &self.inner.held.0;
        if target == Target::Mp3 {
            pieces::convert(shared, recording, name).await
        } else {
            whole::convert(shared, recording, target, name)
                .await
                .map(Converted::File)
        }
    }

    /// Figures for `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> TranscodeMetrics {
        let shared = &self.inner.held.0;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TranscodeMetrics {
            made: read(&shared.counters.made),
            failed: read(&shared.counters.failed),
            cache_hits: read(&shared.counters.cache_hits),
            pieces: read(&shared.counters.pieces),
            waiting: (shared.whole.len() + shared.opening.len()) as u64,
            replaced: read(&shared.counters.replaced),
        }
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

impl Shared {
    fn new(storage: StorageHandle) -> Arc<Self> {
        Arc::new(Self {
            storage,
            queue: Arc::default(),
            whole: Arc::default(),
            opening: Arc::default(),
            open: OpenFiles::default(),
            counters: Counters::default(),
        })
    }

    /// A conversion that was kept earlier. Asks the disk, so not on this thread.
    async fn kept(
        self: &Arc<Self>,
        recording: &Recording,
        target: Target,
        name: &Name,
    ) -> Result<Option<RecordingView>, ConvertError> {
        let (shared, recording, name) = (Arc::clone(self), recording.clone(), name.clone());
        let look = move || {
            let storage = &shared.storage;
            storage.derived(&recording, container_of(target), &name.tag)
        };
        let found = tokio::task::spawn_blocking(look)
            .await
            .map_err(|_| ConvertError::from(Trouble::Stopping))??;
        if found.is_some() {
            self.counters.cache_hits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(found)
    }

    /// Counts and tells of a conversion that failed; those who wait are told by their answer.
    fn note_failure(&self, id: RecordingId, target: Target, error: &ConvertError) {
        if let ConvertError::Failed(cause) = error {
            self.counters.failed.fetch_add(1, Ordering::Relaxed);
            log::warn!(
                recording = id.0;
                "recording {id} could not be converted to {target}: {cause}"
            );
        }
    }
}

/// What is known of a recording that can be converted: sealed or failed, with a file.
fn sealed(recording: &Recording) -> Result<&RecordingOutcome, ConvertError> {
    let outcome = match recording.state {
        RecordingState::Stored | RecordingState::Failed => recording.outcome.as_ref(),
        RecordingState::Live | RecordingState::Absent => None,
    };
    outcome
        .filter(|outcome| outcome.size_bytes > 0)
        .ok_or(ConvertError::NoSound)
}

/// Names what a conversion makes, whoever makes it and when: the source's bytes, the format, and
/// the encoder with its settings. Hex BLAKE3; the entity tag, too.
fn tag(source: &RecordingOutcome, target: Target) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"callreel conversion\0");
    hasher.update(&source.content_hash);
    hasher.update(target.extension().as_bytes());
    hasher.update(b"\0");
    hasher.update(encode::encoder_id(target).as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// What a file of a target is stored as.
#[must_use]
pub const fn container_of(target: Target) -> Container {
    match target {
        Target::Wav => Container::Wav,
        Target::Mp3 => Container::Mp3,
        Target::M4a => Container::M4a,
        Target::Flac => Container::Flac,
        Target::Ogg => Container::Ogg,
        Target::WebM => Container::WebM,
    }
}

/// What makes a file of a container.
#[must_use]
pub const fn target_of(container: Container) -> Target {
    match container {
        Container::Wav => Target::Wav,
        Container::Mp3 => Target::Mp3,
        Container::M4a => Target::M4a,
        Container::Flac => Target::Flac,
        Container::Ogg => Target::Ogg,
        Container::WebM => Target::WebM,
    }
}
