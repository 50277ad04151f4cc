//! The journal while recording: which generation is written, where its next batch goes, which
//! files are spare. It only keeps the books; `recorder` does the I/O.

use std::path::PathBuf;
use std::sync::Arc;

use audio_io::block::GapCause;
use audio_io::units::Frames;

use super::entry::{Batch, Begin};
use crate::ids::RecordingId;
use crate::io::{Buffer, SegmentFile};
use crate::limits::{
    BATCH_BUFFER_KEPT, BATCH_BYTES_URGENT, GENERATION_MAX, GENERATION_MIN, GENERATION_SPAN,
    SPARE_GENERATIONS_MAX,
};
use crate::record::{EndCause, Mark};

/// A generation that was written to its end, until its recordings are synced.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) path: PathBuf,
    /// Its writes failed: the file is deleted and not used again.
    pub(crate) broken: bool,
}

/// A batch to be written, and where.
pub(crate) struct Write {
    pub(crate) bytes: Buffer,
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    /// Sound in it, in bytes.
    pub(crate) sound: usize,
}

/// The books of the journal.
pub(crate) struct Journal {
    folder: PathBuf,
    batch: Batch,
    batch_sound: usize,
    /// For the next batch: two buffers take turns.
    buffer: Option<Buffer>,
    /// The current generation's nominal size.
    limit: u64,
    file: Option<Arc<SegmentFile>>,
    spare: Vec<PathBuf>,
    next_file: u64,
    /// Someone waits for what is in the batch.
    pub(crate) urgent: bool,
    /// A batch is being written and synced.
    pub(crate) writing: bool,
}

impl Journal {
    /// A journal whose first generation has this number, in an empty folder.
    pub(crate) fn new(folder: PathBuf, generation: u64) -> Self {
        Self {
            folder,
            batch: Batch::new(Buffer::with_capacity(FIRST_BATCH), generation, 0),
            batch_sound: 0,
            buffer: None,
            limit: GENERATION_MIN,
            file: None,
            spare: Vec::new(),
            next_file: 1,
            urgent: false,
            writing: false,
        }
    }

    /// Describes a recording; its file waits for that to be durable.
    pub(crate) fn begin(&mut self, begin: &Begin) {
        self.batch.begin(begin);
        self.urgent = true;
    }

    pub(crate) fn sound(&mut self, id: RecordingId, offset: u64, sound: &[u8]) {
        self.batch.sound(id, offset, sound);
        self.batch_sound += sound.len();
        self.urgent |= self.batch.len() >= BATCH_BYTES_URGENT;
    }

    pub(crate) fn gap(&mut self, id: RecordingId, offset: u64, frames: Frames, cause: GapCause) {
        self.batch.gap(id, offset, frames, cause);
    }

    pub(crate) fn mark(&mut self, id: RecordingId, mark: Mark) {
        self.batch.mark(id, mark);
    }

    pub(crate) fn end(&mut self, id: RecordingId, cause: EndCause, keep: bool) {
        self.batch.end(id, cause, keep);
        self.urgent = true;
    }

    pub(crate) fn sealed(&mut self, id: RecordingId) {
        self.batch.sealed(id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Takes the batch for writing and starts the next one. True when that one opens a new
    /// generation: the caller then describes every open recording in it and syncs the files of
    /// the old one.
    pub(crate) fn take(&mut self, bytes_per_second: u64) -> (Write, bool) {
        let spare = std::mem::take(&mut self.buffer);
        let spare = spare.unwrap_or_else(|| Buffer::with_capacity(FIRST_BATCH));
        let (generation, offset) = (self.batch.generation(), self.batch.offset());
        let end = offset
            + self
                .batch
                .len()
                .next_multiple_of(crate::io::buffer::ALIGNMENT) as u64;
        let full = end >= self.limit;
        let next = if full {
            self.limit = generation_size(bytes_per_second);
            Batch::new(spare, generation + 1, 0)
        } else {
            Batch::new(spare, generation, end)
        };
        let bytes = std::mem::replace(&mut self.batch, next).finish();
        let sound = std::mem::take(&mut self.batch_sound);
        self.urgent = false;
        self.writing = true;
        (
            Write {
                bytes,
                generation,
                offset,
                sound,
            },
            full,
        )
    }

    /// Keeps a written batch's buffer for the batch after the next, unless it is far too large.
    pub(crate) fn recycle(&mut self, buffer: Buffer) {
        let wanted = buffer.len().saturating_mul(4).max(BATCH_BUFFER_KEPT);
        self.buffer = (buffer.capacity() <= wanted).then_some(buffer);
    }

    /// The file a write goes to, when it is open.
    pub(crate) fn file(&self) -> Option<Arc<SegmentFile>> {
        self.file.clone()
    }

    /// A path for a new generation, and the size to set aside for it.
    pub(crate) fn next_path(&mut self) -> (PathBuf, u64) {
        let path = self.spare.pop().unwrap_or_else(|| {
            let path = self.folder.join(format!("{:08}.wal", self.next_file));
            self.next_file += 1;
            path
        });
        (path, self.limit)
    }

    pub(crate) fn opened(&mut self, file: Arc<SegmentFile>) {
        self.file = Some(file);
    }

    /// Closes the current generation's file.
    pub(crate) fn retire(&mut self) -> Option<Retired> {
        self.file.take().map(|file| Retired {
            path: file.path.clone(),
            broken: false,
        })
    }

    /// Gives a synced generation's file back. Answers whether it is kept; else delete it.
    pub(crate) fn reuse(&mut self, retired: &Retired) -> bool {
        let keep = !retired.broken && self.spare.len() < SPARE_GENERATIONS_MAX;
        if keep {
            self.spare.insert(0, retired.path.clone());
        }
        keep
    }

    /// Gives the current generation up after a failed write: nothing of it is tried again.
    pub(crate) fn abandon(&mut self) -> Option<Retired> {
        let generation = self.batch.generation() + 1;
        self.batch = Batch::new(Buffer::with_capacity(FIRST_BATCH), generation, 0);
        self.batch_sound = 0;
        self.urgent = false;
        self.limit = GENERATION_MIN;
        self.file.take().map(|file| Retired {
            path: file.path.clone(),
            broken: true,
        })
    }
}

/// The size of a generation for this much sound a second.
fn generation_size(bytes_per_second: u64) -> u64 {
    let wanted = bytes_per_second.saturating_mul(GENERATION_SPAN.as_secs());
    let rounded = wanted.clamp(GENERATION_MIN, GENERATION_MAX);
    rounded.next_multiple_of(crate::io::buffer::ALIGNMENT as u64)
}

const FIRST_BATCH: usize = 64 * 1024;
