//! The recorder thread's side of the store: takes sound, journals it, writes files, seals them.
//! What is recorded, and why it ends, is the engine's business.
//!
//! ```text
//!  begin append gap end ──▶ Slot ──▶ journal batch ──▶ write + sync   (tick)
//!                             └────▶ pieces ──▶ writer task ──▶ file
//!  end ──▶ seal task: rest, trailer, header, sync ──▶ work thread: hash ──▶ index ──▶ event
//! ```

mod checkpoint;
mod core;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod fault_tests;
mod files;
mod live;
mod log_writer;
mod seal;
mod slot;
#[cfg(test)]
mod tests;
mod trouble;

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::units::Frames;

use crate::handle::{IoChoice, RecorderSeed};
use crate::ids::RecordingId;
use crate::io::{SegmentIo, blocking, uring};
use crate::limits::{FINISH_WITHIN, OPEN_RECORDINGS_MAX};
use crate::record::{EndCause, Mark, Recording, RecordingFacts};

use self::core::Core;
pub(crate) use live::ViewRequest;
pub(crate) use slot::push_gap;

/// The recorder thread's side of the store. `!Send`; every method but [`Recorder::finish`]
/// returns at once.
pub struct Recorder {
    core: Rc<Core>,
}

/// What became of a recording, and of the disk.
#[derive(Debug)]
pub enum RecorderEvent {
    /// Sealed, indexed, durable.
    Stored(Recording),
    /// Not to be kept, or without a single frame: no file.
    Absent(Recording),
    /// Could not be written; what reached the disk is kept.
    Failed(Recording, std::io::Error),
    /// Writes fail from now on; open recordings have been ended with `DiskFull` or `DiskError`.
    DiskRefuses(std::io::Error),
    /// Writes work again: `begin` may be called.
    DiskAccepts,
}

/// Why a recording cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// Writes fail; [`RecorderEvent::DiskAccepts`] will tell when they work again.
    #[error("the disk refuses writes")]
    DiskRefuses,
    /// [`OPEN_RECORDINGS_MAX`] is reached.
    #[error("{0} recordings are open, the most there can be")]
    TooMany(usize),
}

/// The memory bound is reached: the disk is behind. The sound was not taken.
#[derive(Debug, thiserror::Error)]
#[error("the disk is behind")]
pub struct Behind;

/// Builds the runtime the recorder needs (tokio-uring, or tokio's current-thread one), makes the
/// recorder inside it and runs `f` to its end. Logs the choice once.
///
/// # Errors
/// When no runtime can be built; with [`IoChoice::Uring`] also when the kernel refuses io_uring.
pub fn run<F, Fut, T>(seed: RecorderSeed, choice: IoChoice, f: F) -> std::io::Result<T>
where
    F: FnOnce(Recorder) -> Fut,
    Fut: Future<Output = T>,
{
    if choice != IoChoice::Blocking {
        match tokio_uring::Runtime::new(&tokio_uring::builder()) {
            Ok(runtime) => {
                log::info!("recordings are written through io_uring");
                return Ok(
                    runtime.block_on(async { f(Recorder::new(seed, Rc::new(uring::Uring))).await })
                );
            }
            Err(error) if choice == IoChoice::Uring => return Err(error),
            Err(error) => log::warn!(
                "io_uring is not available ({error}); recordings are written with pwrite"
            ),
        }
    } else {
        log::info!("recordings are written with pwrite, as configured");
    }
    run_blocking(seed, Rc::new(blocking::Blocking), f)
}

/// Runs `f` with a recorder on tokio's own runtime.
pub(crate) fn run_blocking<F, Fut, T>(
    seed: RecorderSeed,
    io: Rc<dyn SegmentIo>,
    f: F,
) -> std::io::Result<T>
where
    F: FnOnce(Recorder) -> Fut,
    Fut: Future<Output = T>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(blocking::THREADS)
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    Ok(local.block_on(&runtime, async { f(Recorder::new(seed, io)).await }))
}

impl Recorder {
    /// A recorder inside a running local runtime.
    pub(crate) fn new(seed: RecorderSeed, io: Rc<dyn SegmentIo>) -> Self {
        seed.shared.metrics.set_backend(io.name());
        let core = Core::new(Arc::clone(&seed.shared), io, seed.generation);
        tokio::task::spawn_local(live::serve(Rc::downgrade(&core), seed.views));
        Self { core }
    }

    /// Begins a recording whose facts came from `StorageHandle::new_names`.
    ///
    /// # Errors
    /// [`BeginError`]: nothing was begun.
    pub fn begin(&mut self, facts: RecordingFacts) -> Result<(), BeginError> {
        let mut state = self.core.state.borrow_mut();
        if !state.accepts() {
            return Err(BeginError::DiskRefuses);
        }
        if state.slots.len() >= OPEN_RECORDINGS_MAX {
            return Err(BeginError::TooMany(state.slots.len()));
        }
        self.core.begin(&mut state, facts);
        Ok(())
    }

    /// Adds whole frames in the recording's stored format. Sound for a recording that has ended
    /// or failed is ignored.
    ///
    /// # Errors
    /// [`Behind`]: the sound was not taken.
    pub fn append(&mut self, id: RecordingId, sound: &[u8]) -> Result<(), Behind> {
        self.core.append(id, sound)
    }

    /// Adds silence in place of lost frames, and remembers the gap.
    pub fn gap(&mut self, id: RecordingId, frames: Frames, cause: GapCause) {
        self.core.gap(id, frames, cause);
    }

    /// Remembers that the next `frames` of sound, which are about to be appended, hold silence in
    /// place of lost frames on one of their legs.
    pub fn mark_gap(&mut self, id: RecordingId, frames: Frames, cause: GapCause) {
        self.core.mark_gap(id, frames, cause);
    }

    /// Remembers something about a stretch of it, which may lie anywhere in what was appended so
    /// far or is about to be; what then lies beyond the end is cut off. It is as durable as sound
    /// that is appended after it. Nothing when it has ended; past
    /// [`crate::limits::MARKS_MAX`] digits are dropped and spans of a kind become one.
    pub fn mark(&mut self, id: RecordingId, mark: Mark) {
        self.core.mark(id, mark);
    }

    /// Ends it. `keep == false`: outcome Absent. Sealing goes on in the background.
    pub fn end(&mut self, id: RecordingId, cause: EndCause, keep: bool) {
        self.core.end(id, cause, keep);
    }

    /// Starts whatever I/O is due (journal write and sync, probes). Call every 50 to 100 ms.
    pub fn tick(&mut self) {
        self.core.tick();
    }

    /// How long the disk has been taking over the sound that it was given last; zero while it
    /// has taken all of it.
    #[must_use]
    pub fn disk_wait(&self) -> Duration {
        let since = self.core.state.borrow().writing_since;
        let now = self.core.shared.clock.monotonic();
        since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// What has happened since the last call.
    pub fn events(&mut self) -> Vec<RecorderEvent> {
        std::mem::take(&mut self.core.state.borrow_mut().events)
    }

    /// Recordings that are open or being sealed.
    #[must_use]
    pub fn open(&self) -> usize {
        self.core.state.borrow().slots.len()
    }

    /// Bytes of a recording's sound that the journal has made durable; 0 once it is sealed.
    #[must_use]
    pub fn durable_bytes(&self, id: RecordingId) -> u64 {
        self.core
            .state
            .borrow()
            .slots
            .get(&id)
            .map_or(0, |slot| slot.durable)
    }

    /// Ends what is still open, and waits until all ended recordings are sealed and the journal
    /// is clean, at most [`FINISH_WITHIN`]: what is not sealed then is in the journal and is
    /// sealed at the next start.
    pub async fn finish(self) -> Vec<RecorderEvent> {
        self.core.end_all(EndCause::Shutdown);
        self.core.tick();
        if tokio::time::timeout(FINISH_WITHIN, self.core.settle())
            .await
            .is_err()
        {
            let open = self.core.state.borrow().slots.len();
            log::warn!("{open} recordings are sealed at the next start, not now");
        }
        std::mem::take(&mut self.core.state.borrow_mut().events)
    }
}
