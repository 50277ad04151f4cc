//! One MP3 file that is made piece by piece, in any order, as its readers come to them. Each piece
//! is made once and written to its place in a sparse draft; when none is missing, the draft is
//! kept as a finished conversion. Every piece has the same bytes whatever was made before, so a
//! finished file is the one that its first readers heard.
//!
//! ```text
//!            asked for           next, made ahead
//!               ▼                     ▼
//!   ┌─────┬───────────┬───────────┬───────────┬ ─ ─ ─ ─ ┐
//!   │Info │  made     │  made     │ under way   missing     draft, kept when whole
//!   └─────┴───────────┴───────────┴───────────┴ ─ ─ ─ ─ ┘
//! ```
//!
//! What is not here: the lay-out and the bytes (`codec::mp3`), which files are open (`pieces`).

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audio_io::codec::decode;
use audio_io::codec::mp3::Mp3Layout;
use audio_io::codec::pcm::PcmSource;
use audio_io::codec::target::Target;
use audio_io::units::{Frames, WallMillis};
use bytes::Bytes;
use storage::derived::DerivedDraft;
use storage::ids::RecordingName;
use storage::record::{Container, Recording};

use super::flight::{Flight, Flights};
use super::queue::{Level, Turn};
use super::whole::open_source;
use super::{ConvertError, Made, Name, Reading, Shared, Trouble, sealed};
use crate::engine::limits::{MP3_PIECES_IN_MEMORY, MP3_READ_MAX, MP3_SOURCES_IDLE_MAX};

/// An open MP3 file.
pub(super) struct Mp3File {
    shared: Arc<Shared>,
    recording: Recording,
    name: Name,
    layout: Mp3Layout,
    last_modified: WallMillis,
    /// The recording's file, open as long as this is: it stays readable when the recording's
    /// stored format changes.
    source: File,
    /// The draft's file; `None` where there is no space for one, and everything that memory
    /// forgets is made again.
    pages: Option<File>,
    state: Mutex<State>,
    flights: Arc<Flights<u64, Bytes>>,
    /// The store's generation at which the recording was last known to be there.
    seen: AtomicU64,
    gone: AtomicBool,
}

struct State {
    /// Which pieces are in the draft.
    written: Vec<bool>,
    missing: u64,
    draft: Option<DerivedDraft>,
    /// The latest pieces, oldest first.
    memory: VecDeque<(u64, Bytes)>,
    /// Decoders nobody uses just now.
    idle: Vec<Box<dyn PcmSource>>,
}

impl Mp3File {
    /// Opens the source and begins a draft; makes no sound yet. For conversion threads.
    pub(super) fn open(
        shared: &Arc<Shared>,
        recording: &Recording,
        name: Name,
    ) -> Result<Self, ConvertError> {
        let seen = shared.storage.generation();
        let last_modified = sealed(recording)?.sealed_at;
        let source = open_source(&shared.storage, recording)?;
        let sound = decode::open(source.try_clone().map_err(ConvertError::failed)?)
            .map_err(ConvertError::failed)?;
        if sound.frames() == Frames::ZERO {
            return Err(ConvertError::NoSound);
        }
        let layout = Mp3Layout::new(sound.format(), sound.frames());
        let mut draft = match shared.storage.draft_derived(recording) {
            Ok(draft) => Some(draft),
            Err(error) => {
                log::debug!("recording {}: not kept as mp3: {error}", name.id);
                None
            }
        };
        let pages = draft
            .as_mut()
            .map(|draft| draft.file().try_clone())
            .transpose()
            .map_err(ConvertError::failed)?;
        let pieces = usize::try_from(layout.chunks()).map_err(ConvertError::failed)?;
        Ok(Self {
            shared: Arc::clone(shared),
            recording: recording.clone(),
            name,
            last_modified,
            source,
            pages,
            state: Mutex::new(State {
                written: vec![false; pieces],
                missing: layout.chunks(),
                draft,
                memory: VecDeque::new(),
                idle: vec![sound],
            }),
            layout,
            flights: Arc::default(),
            seen: AtomicU64::new(seen),
            gone: AtomicBool::new(false),
        })
    }

    /// What it is a conversion of, and its tag.
    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    /// Whether its recording is still there; looks only when the store has changed.
    pub(super) fn is_current(&self) -> Result<bool, ConvertError> {
        match self.is_current_as_known() {
            Some(known) => Ok(known),
            None => self.look(),
        }
    }

    /// The same without asking the disk; `None` when only the index can tell.
    fn is_current_as_known(&self) -> Option<bool> {
        if self.gone.load(Ordering::Acquire) {
            return Some(false);
        }
        let storage = &self.shared.storage;
        let (seen, now) = (self.seen.load(Ordering::Acquire), storage.generation());
        if seen == now {
            return Some(true);
        }
        let changed = storage.changes_since(seen)?;
        if changed.contains(&self.name.id) {
            return None;
        }
        self.seen.fetch_max(now, Ordering::AcqRel);
        Some(true)
    }

    fn look(&self) -> Result<bool, ConvertError> {
        let storage = &self.shared.storage;
        let now = storage.generation();
        let tenant = self.recording.facts.tenant;
        let found = storage.find(tenant, &RecordingName::Recid(self.name.id));
        if found.map_err(ConvertError::failed)?.is_some() {
            self.seen.fetch_max(now, Ordering::AcqRel);
            return Ok(true);
        }
        self.gone.store(true, Ordering::Release);
        Ok(false)
    }

    async fn must_be_current(self: &Arc<Self>) -> Result<(), ConvertError> {
        let current = match self.is_current_as_known() {
            Some(known) => known,
            None => {
                let file = Arc::clone(self);
                off_the_loop(move || file.look()).await?
            }
        };
        if current {
            return Ok(());
        }
        self.shared.open.forget(&self.name);
        Err(ConvertError::Gone)
    }

    /// The first bytes of a range.
    async fn bytes(self: Arc<Self>, range: Range<u64>) -> Result<Bytes, ConvertError> {
        let end = range.end.min(self.layout.size_bytes());
        if range.start >= end {
            return Ok(Bytes::new());
        }
        self.must_be_current().await?;
        let piece = self.layout.chunk_at(range.start);
        let place = self.layout.bytes_of(piece);
        let bytes = self.piece(piece).await?;
        if end > place.end {
            self.make_ahead(piece + 1);
        }
        let from = range.start - place.start;
        let to = (end.min(place.end) - place.start).min(from + MP3_READ_MAX);
        let cut = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(cut(from)..cut(to)))
    }

    /// A piece from memory, from the draft, or made now.
    async fn piece(self: &Arc<Self>, piece: u64) -> Result<Bytes, ConvertError> {
        if let Some(bytes) = self.state().remembered(piece) {
            return Ok(bytes);
        }
        if self.state().is_written(piece) {
            let file = Arc::clone(self);
            return off_the_loop(move || file.read_back(piece)).await;
        }
        self.begin(Level::Piece, piece)?.end().await
    }

    /// Has a piece made that a reader will come to. Nothing is lost when it is not.
    fn make_ahead(self: &Arc<Self>, piece: u64) {
        let known = {
            let state = self.state();
            state.is_written(piece) || state.remembered(piece).is_some()
        };
        if !known && piece < self.layout.chunks() {
            let _ = self.begin(Level::Ahead, piece);
        }
    }

    fn begin(self: &Arc<Self>, level: Level, piece: u64) -> Result<Flight<Bytes>, ConvertError> {
        let file = Arc::clone(self);
        let work = move |_: &Turn<'_>| {
            let made = file.make(piece);
            if let Err(error) = &made {
                file.shared.note_failure(file.name.id, Target::Mp3, error);
            }
            made
        };
        self.flights.join(&self.shared.queue, level, piece, work)
    }

    /// On a conversion thread: makes a piece, unless somebody else just did.
    fn make(self: &Arc<Self>, piece: u64) -> Result<Bytes, ConvertError> {
        if let Some(bytes) = self.state().remembered(piece) {
            return Ok(bytes);
        }
        if self.state().is_written(piece) {
            return self.read_back(piece);
        }
        let bytes = self.encode(piece)?;
        self.shared.counters.pieces.fetch_add(1, Ordering::Relaxed);
        let written = self.write(piece, &bytes);
        let whole = {
            let mut state = self.state();
            state.remember(piece, &bytes);
            written && state.note_written(piece)
        };
        if whole {
            self.keep();
        }
        Ok(bytes)
    }

    fn encode(&self, piece: u64) -> Result<Bytes, ConvertError> {
        let idle = self.state().idle.pop();
        let mut sound = match idle {
            Some(sound) => sound,
            None => {
                let file = self.source.try_clone().map_err(ConvertError::failed)?;
                decode::open(file).map_err(ConvertError::failed)?
            }
        };
        // After a failure the decoder is not used again: who knows where it stands.
        let made = self
            .layout
            .encode_chunk(&mut *sound, piece)
            .map_err(ConvertError::failed)?;
        let place = self.layout.bytes_of(piece);
        if made.len() as u64 != place.end - place.start {
            let (made, wanted) = (made.len() as u64, place.end - place.start);
            return Err(Trouble::Length { made, wanted }.into());
        }
        let mut state = self.state();
        if state.idle.len() < MP3_SOURCES_IDLE_MAX {
            state.idle.push(sound);
        }
        Ok(made.into())
    }

    /// Writes a piece to its place. Without a draft, or when that fails, it is not kept.
    fn write(&self, piece: u64, bytes: &[u8]) -> bool {
        let Some(pages) = &self.pages else {
            return false;
        };
        match pages.write_all_at(bytes, self.layout.bytes_of(piece).start) {
            Ok(()) => true,
            Err(error) => {
                log::debug!(
                    "recording {}: a piece of mp3 is not kept: {error}",
                    self.name.id
                );
                false
            }
        }
    }

    fn read_back(&self, piece: u64) -> Result<Bytes, ConvertError> {
        let place = self.layout.bytes_of(piece);
        let length = usize::try_from(place.end - place.start).map_err(ConvertError::failed)?;
        let mut bytes = vec![0; length];
        let Some(pages) = &self.pages else {
            return Err(ConvertError::failed(io::Error::from(
                io::ErrorKind::NotFound,
            )));
        };
        pages
            .read_exact_at(&mut bytes, place.start)
            .map_err(ConvertError::failed)?;
        let bytes = Bytes::from(bytes);
        self.state().remember(piece, &bytes);
        Ok(bytes)
    }

    /// Hands the whole draft to the store, behind what is urgent: it waits for the disk, and
    /// whoever asked for the last piece does not have to.
    fn keep(self: &Arc<Self>) {
        let file = Arc::clone(self);
        let work = move |_: &Turn<'_>| file.keep_now();
        if self.shared.queue.offer(Level::Ahead, work).is_err() {
            self.keep_now();
        }
    }

    fn keep_now(&self) {
        let Some(draft) = self.state().draft.take() else {
            return;
        };
        let (storage, name) = (&self.shared.storage, &self.name);
        match storage.keep_derived(&self.recording, Container::Mp3, &name.tag, draft) {
            Ok(_) => {
                self.shared.counters.made.fetch_add(1, Ordering::Relaxed);
                log::debug!("recording {} is whole as mp3", name.id);
            }
            Err(error) => log::debug!("recording {}: not kept as mp3: {error}", name.id),
        }
        // From here on it is found like every other file, or begun anew; its readers go on.
        self.shared.open.forget(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remembered(&self, piece: u64) -> Option<Bytes> {
        let mut memory = self.memory.iter();
        memory
            .find(|(number, _)| *number == piece)
            .map(|(_, bytes)| bytes.clone())
    }

    fn remember(&mut self, piece: u64, bytes: &Bytes) {
        self.memory.retain(|(number, _)| *number != piece);
        if self.memory.len() == MP3_PIECES_IN_MEMORY {
            self.memory.pop_front();
        }
        self.memory.push_back((piece, bytes.clone()));
    }

    fn is_written(&self, piece: u64) -> bool {
        usize::try_from(piece)
            .ok()
            .and_then(|piece| self.written.get(piece))
            .is_some_and(|written| *written)
    }

    /// True when this was the last that was missing.
    fn note_written(&mut self, piece: u64) -> bool {
        let slot = usize::try_from(piece)
            .ok()
            .and_then(|piece| self.written.get_mut(piece));
        match slot {
            Some(written) if !*written => {
                *written = true;
                self.missing -= 1;
                self.missing == 0
            }
            _ => false,
        }
    }
}

/// An open file as its readers see it.
pub(super) struct Reader(pub(super) Arc<Mp3File>);

impl Made for Reader {
    fn size_bytes(&self) -> u64 {
        self.0.layout.size_bytes()
    }

    fn etag(&self) -> &str {
        &self.0.name.tag
    }

    fn last_modified(&self) -> WallMillis {
        self.0.last_modified
    }

    fn read(&self, range: Range<u64>) -> Reading {
        Box::pin(Arc::clone(&self.0).bytes(range))
    }
}

/// What may wait for the disk is not for a thread that serves others.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ConvertError> + Send + 'static,
) -> Result<T, ConvertError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Trouble::Stopping.into()))
}
