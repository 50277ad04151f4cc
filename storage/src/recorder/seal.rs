//! Ends recordings: the rest of the sound, the facts behind it, the true header, one sync, then
//! hash, levels and peaks by the work thread, and the row.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use audio_io::units::Frames;
use tokio::sync::oneshot;

use super::RecorderEvent;
use super::core::Core;
use super::files::written_up_to;
use crate::ids::RecordingId;
use crate::index::apply::Change;
use crate::index::commit::Job;
use crate::io::{Buffer, SegmentFile};
use crate::limits::MARKS_MAX;
use crate::marks::cut_marks;
use crate::record::{
    EndCause, Gap, Mark, Recording, RecordingFacts, RecordingOutcome, RecordingState,
};
use crate::reserve::is_full;
use crate::segment::facts::{StoredFacts, VERSION};
use crate::segment::header::{self, SOUND_AT};
use crate::work::{Measured, SoundAt};

/// Seals one recording that has ended; its slot is gone afterwards.
pub(super) async fn seal(core: Rc<Core>, id: RecordingId) {
    let Ok(_permit) = core.seals.acquire().await else {
        return;
    };
    let started = core.shared.clock.monotonic();
    let empty = match core.state.borrow().slots.get(&id) {
        Some(slot) => {
            !slot.ending.as_ref().is_some_and(|ending| ending.keep)
                || (slot.end == 0 && slot.failure.is_none())
        }
        None => return,
    };
    let event = if empty {
        discard(&core, id).await
    } else {
        keep(&core, id).await
    };
    let took = core.shared.clock.monotonic().saturating_sub(started);
    core.shared.metrics.seal.record(took);
    let state = &mut *core.state.borrow_mut();
    if let Some(slot) = state.slots.remove(&id) {
        if slot.unmarked > 0 {
            let digits = slot.unmarked;
            log::warn!(
                recording = id.0;
                "recording {id}: {digits} digits beyond {MARKS_MAX} marks are not marked"
            );
        }
        state.queued -= slot
            .pieces
            .iter()
            .map(super::slot::Piece::held)
            .sum::<usize>();
        state.recycle(slot.buffer);
    }
    if state.accepts() {
        state.journal.sealed(id);
    }
    state.events.extend(event);
    core.progress.notify_waiters();
}

/// No file is kept.
async fn discard(core: &Rc<Core>, id: RecordingId) -> Option<RecorderEvent> {
    writer_idle(core, id).await;
    let (facts, path, sealed) = {
        let state = &mut *core.state.borrow_mut();
        let slot = state.slots.get_mut(&id)?;
        let held: usize = slot.pieces.drain(..).map(|piece| piece.held()).sum();
        state.queued -= held;
        (slot.facts.clone(), slot.path.clone(), Sound::of(slot))
    };
    if let Err(error) = core.io.unlink(&path).await {
        log::warn!(recording = id.0; "file of recording {id} stays: {error}");
    }
    let outcome = sealed.outcome(core, 0, Measured::default());
    let row = Recording {
        facts,
        state: RecordingState::Absent,
        outcome: Some(outcome),
    };
    commit(core, row.clone())
        .await
        .then_some(RecorderEvent::Absent(row))
}

/// The file is closed, measured and indexed; or, where that fails, what there is of it.
async fn keep(core: &Rc<Core>, id: RecordingId) -> Option<RecorderEvent> {
    let healthy = core.state.borrow().slots.get(&id)?.failure.is_none();
    if healthy {
        match store(core, id).await {
            Ok(event) => return event,
            Err(error) => {
                let state = &mut *core.state.borrow_mut();
                super::trouble::file_failed(core, state, id, error);
            }
        }
    }
    fail(core, id).await
}

async fn store(core: &Rc<Core>, id: RecordingId) -> io::Result<Option<RecorderEvent>> {
    let Some((facts, sound)) = close(core, id, RecordingState::Stored).await? else {
        return Ok(None);
    };
    let (path, peaks) = {
        let state = &mut *core.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(&id) else {
            return Ok(None);
        };
        (slot.path.clone(), slot.take_peaks())
    };
    let measured = core
        .shared
        .worker
        .measure(path, SoundAt::own(&facts, sound.bytes), peaks)
        .await?;
    let outcome = sound.outcome(core, sound.file_bytes, measured);
    let row = Recording {
        facts,
        state: RecordingState::Stored,
        outcome: Some(outcome),
    };
    Ok(commit(core, row.clone())
        .await
        .then_some(RecorderEvent::Stored(row)))
}

/// Keeps what reached the disk. Nothing here can fail the recording further.
async fn fail(core: &Rc<Core>, id: RecordingId) -> Option<RecorderEvent> {
    writer_idle(core, id).await;
    let full = {
        let state = &mut *core.state.borrow_mut();
        let slot = state.slots.get_mut(&id)?;
        let full = slot.failure.as_ref().is_some_and(is_full);
        if let Some(ending) = &mut slot.ending
            && !matches!(ending.cause, EndCause::DiskFull | EndCause::DiskError)
        {
            ending.cause = if full {
                EndCause::DiskFull
            } else {
                EndCause::DiskError
            };
        }
        if !full {
            // What a failing disk did not take is not tried again.
            let held: usize = slot.pieces.drain(..).map(|piece| piece.held()).sum();
            state.queued -= held;
            slot.buffer.clear();
            slot.end = slot.written;
        }
        full
    };
    if full {
        core.shared.reserve.release();
        let state = &mut *core.state.borrow_mut();
        if let Some(slot) = state.slots.get_mut(&id) {
            slot.begun = true;
        }
        core.start_writer(state, id);
    }
    if let Err(error) = close(core, id, RecordingState::Failed).await {
        log::error!(recording = id.0; "recording {id} could not be closed in its file: {error}");
    }
    let (facts, path, error, mut sound) = {
        let state = &mut *core.state.borrow_mut();
        let slot = state.slots.get_mut(&id)?;
        let error = slot
            .failure
            .take()
            .unwrap_or_else(|| io::Error::from(io::ErrorKind::Other));
        slot.failure = Some(super::trouble::again(&error));
        (
            slot.facts.clone(),
            slot.path.clone(),
            error,
            Sound::of(slot),
        )
    };
    sound.cut(
        &facts,
        std::fs::metadata(&path).map_or(0, |metadata| metadata.len()),
    );
    let measured = core
        .shared
        .worker
        .measure(path, SoundAt::own(&facts, sound.bytes), None)
        .await;
    let outcome = sound.outcome(core, sound.file_bytes, measured.unwrap_or_default());
    let row = Recording {
        facts,
        state: RecordingState::Failed,
        outcome: Some(outcome),
    };
    let state = &mut *core.state.borrow_mut();
    core.offer(state, Change::Put(Box::new(row.clone())));
    Some(RecorderEvent::Failed(row, error))
}

/// Writes the rest, the trailer and the header, and makes the file durable.
async fn close(
    core: &Rc<Core>,
    id: RecordingId,
    state: RecordingState,
) -> io::Result<Option<(RecordingFacts, Sound)>> {
    let end = {
        let state = &mut *core.state.borrow_mut();
        core.flush(state, id);
        let Some(slot) = state.slots.get(&id) else {
            return Ok(None);
        };
        slot.end
    };
    if written_up_to(core, id, end).await.is_err() {
        let state = core.state.borrow();
        let failure = state.slots.get(&id).and_then(|slot| slot.failure.as_ref());
        return Err(failure.map_or_else(|| io::ErrorKind::Other.into(), super::trouble::again));
    }
    let (file, facts, mut sound) = {
        let state = core.state.borrow();
        let Some(slot) = state.slots.get(&id) else {
            return Ok(None);
        };
        let Some(file) = slot.file.clone() else {
            return Ok(None);
        };
        (file, slot.facts.clone(), Sound::of(slot))
    };
    if !journalled(core, id).await {
        // A true header must not reach the disk before sound that nothing else holds.
        core.io.sync_data(&file).await?;
    }
    sound.sealed_at = core.shared.clock.wall();
    let trailer = sound.stored_facts(core, &facts, state).trailer(sound.bytes);
    let padding = sound.bytes % 2;
    let head = header::sealed(&facts, sound.bytes, trailer.len() as u64 - padding);
    sound.file_bytes = SOUND_AT + sound.bytes + trailer.len() as u64;
    write(core, &file, SOUND_AT + sound.bytes, &trailer).await?;
    write(core, &file, 0, &head).await?;
    core.io.truncate(&file, sound.file_bytes).await?;
    core.io.sync_data(&file).await?;
    if let Some(folder) = file.path.parent() {
        core.io.sync_dir(folder).await?;
    }
    Ok(Some((facts, sound)))
}

/// Waits until the journal holds all of a recording; false when it will not.
async fn journalled(core: &Rc<Core>, id: RecordingId) -> bool {
    let epoch = core.state.borrow().epoch;
    loop {
        let progress = core.progress.notified();
        {
            let state = core.state.borrow();
            let Some(slot) = state.slots.get(&id) else {
                return false;
            };
            if slot.failure.is_some() || !state.accepts() || state.epoch != epoch {
                return false;
            }
            if slot.durable >= slot.end {
                return true;
            }
        }
        progress.await;
    }
}

async fn write(
    core: &Rc<Core>,
    file: &Arc<SegmentFile>,
    offset: u64,
    bytes: &[u8],
) -> io::Result<()> {
    let mut buffer = Buffer::with_capacity(bytes.len());
    buffer.extend(bytes);
    core.io.write_at(file, offset, buffer).await.0
}

/// Makes a row durable; false when the store closed first. Recovery redoes it then.
async fn commit(core: &Rc<Core>, row: Recording) -> bool {
    let (tell, told) = oneshot::channel();
    let reply: crate::index::commit::Reply = Box::new(move |result| {
        let _ = tell.send(result.is_ok());
    });
    let change = Change::Put(Box::new(row));
    let mut job = Job {
        change,
        urgent: false,
        keep: true,
        reply: Some(reply),
    };
    loop {
        match core.shared.committer.offer(job) {
            Ok(()) => return told.await.unwrap_or(false),
            Err(back) => job = back,
        }
        tokio::time::sleep(crate::limits::COMMIT_WINDOW).await;
    }
}

/// Waits until the file's writer has stopped.
async fn writer_idle(core: &Rc<Core>, id: RecordingId) {
    loop {
        let progress = core.progress.notified();
        match core.state.borrow().slots.get(&id) {
            Some(slot) if slot.writing => {}
            _ => return,
        }
        progress.await;
    }
}

/// What is known of a recording's sound when it ends.
#[derive(Clone, Debug)]
struct Sound {
    bytes: u64,
    frames: Frames,
    gaps: Vec<Gap>,
    marks: Vec<Mark>,
    cause: EndCause,
    file_bytes: u64,
    sealed_at: crate::record::WallMillis,
}

impl Sound {
    fn of(slot: &super::slot::Slot) -> Self {
        let frames = slot.facts.format.frames_in(slot.end);
        let mut marks = slot.marks.clone();
        cut_marks(&mut marks, frames);
        Self {
            bytes: slot.end,
            frames,
            gaps: slot.gaps.clone(),
            marks,
            cause: slot
                .ending
                .as_ref()
                .map_or(EndCause::DiskError, |ending| ending.cause),
            file_bytes: 0,
            sealed_at: crate::record::WallMillis(0),
        }
    }

    /// Believes only what a file of this length can hold.
    fn cut(&mut self, facts: &RecordingFacts, file_bytes: u64) {
        self.file_bytes = file_bytes;
        let held = file_bytes.saturating_sub(SOUND_AT);
        self.bytes = self
            .bytes
            .min(held - held % facts.format.frame_bytes() as u64);
        self.frames = facts.format.frames_in(self.bytes);
        let end = self.frames;
        self.gaps.retain_mut(|gap| {
            gap.frames = Frames(gap.frames.0.min(end.saturating_sub(gap.at).0));
            gap.frames.0 > 0
        });
        cut_marks(&mut self.marks, end);
    }

    fn stored_facts(
        &self,
        core: &Core,
        facts: &RecordingFacts,
        state: RecordingState,
    ) -> StoredFacts {
        StoredFacts {
            version: VERSION,
            tenant_name: core.shared.tenant_name(facts.tenant),
            facts: facts.clone(),
            state,
            end_cause: self.cause,
            frames: self.frames,
            gaps: self.gaps.clone(),
            marks: self.marks.clone(),
            sealed_at: self.sealed_at,
            file: None,
        }
    }

    fn outcome(&self, core: &Core, size_bytes: u64, measured: Measured) -> RecordingOutcome {
        let sealed = self.sealed_at;
        RecordingOutcome {
            end_cause: self.cause,
            frames: self.frames,
            gaps: self.gaps.clone(),
            marks: self.marks.clone(),
            levels: measured.levels,
            size_bytes,
            content_hash: measured.hash,
            sealed_at: if sealed.0 == 0 {
                core.shared.clock.wall()
            } else {
                sealed
            },
        }
    }
}
