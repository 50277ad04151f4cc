//! SKELETON
#![allow(
    missing_docs,
    clippy::todo,
    unused_variables,
    dead_code,
    clippy::unused_async,
    reason = "skeleton"
)]
use crate::handle::{IoChoice, RecorderSeed};
use crate::ids::RecordingId;
use crate::record::{EndCause, Recording, RecordingFacts};
use audio_io::block::GapCause;
use audio_io::units::Frames;

/// The recorder thread's side of the store. `!Send`; every method but `finish` returns at once.
pub struct Recorder {
    _private: (),
}

/// What became of a recording, and of the disk.
#[derive(Debug)]
pub enum RecorderEvent {
    /// Sealed, indexed, durable.
    Stored(Recording),
    /// Shorter than the minimum: no file kept.
    Absent(Recording),
    /// Could not be written; what reached the disk is kept.
    Failed(Recording, std::io::Error),
    /// Writes fail from now on; open recordings have been ended with DiskFull or DiskError.
    DiskRefuses(std::io::Error),
    /// Writes work again: `begin` may be called.
    DiskAccepts,
}
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error("the disk refuses writes")]
    DiskRefuses,
    #[error("{0} recordings are open, the most there can be")]
    TooMany(usize),
}
/// The memory bound is reached: the disk is behind. The sound was not taken.
#[derive(Debug, thiserror::Error)]
#[error("the disk is behind")]
pub struct Behind;

/// Builds the runtime the recorder needs (tokio-uring, or tokio's current-thread one), makes the
/// recorder inside it and runs `f` to its end. Logs the choice once.
pub fn run<F, Fut, T>(seed: RecorderSeed, choice: IoChoice, f: F) -> std::io::Result<T>
where
    F: FnOnce(Recorder) -> Fut,
    Fut: Future<Output = T>,
{
    todo!()
}

impl Recorder {
    pub fn begin(&mut self, facts: RecordingFacts) -> Result<(), BeginError> {
        todo!()
    }
    /// Adds whole frames in the recording's stored format.
    pub fn append(&mut self, id: RecordingId, sound: &[u8]) -> Result<(), Behind> {
        todo!()
    }
    /// Adds silence in place of lost frames, and remembers the gap.
    pub fn gap(&mut self, id: RecordingId, frames: Frames, cause: GapCause) {
        todo!()
    }
    /// Ends it. `keep == false`: outcome Absent. Sealing goes on in the background.
    pub fn end(&mut self, id: RecordingId, cause: EndCause, keep: bool) {
        todo!()
    }
    /// Starts whatever I/O is due (journal write + sync, file writes, checkpoint). Call every 50-100 ms.
    pub fn tick(&mut self) {}
    /// What has happened since the last call.
    pub fn events(&mut self) -> Vec<RecorderEvent> {
        todo!()
    }
    /// Waits until all ended recordings are sealed and the journal is clean.
    pub async fn finish(self) -> Vec<RecorderEvent> {
        todo!()
    }
}
