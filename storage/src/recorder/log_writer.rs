//! Writes journal batches: one at a time, each a sequential write and one sync.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, State};
use crate::ids::RecordingId;
use crate::io::{Buffer, SegmentFile};
use crate::journal::entry::Begin;
use crate::journal::writer::Write;
use crate::limits::{ID_MARGIN, PREALLOCATE_MAX};

/// Takes the batch, if there is anything in it, and starts writing it.
pub(super) fn start(core: &Rc<Core>, state: &mut State, now: Duration) {
    let mut positions = Vec::with_capacity(state.slots.len());
    state.journal_all(&mut positions);
    state.last_batch = now;
    if state.journal.is_empty() {
        return;
    }
    let rate = state.rate();
    let (write, full) = state.journal.take(rate);
    state.writing_since = Some(now);
    let begun = std::mem::take(&mut state.beginning);
    if full {
        describe_open(state);
    }
    tokio::task::spawn_local(write_batch(
        Rc::clone(core),
        write,
        full,
        Held { positions, begun },
    ));
}

/// The first entries of a new generation: every open recording as it stands.
fn describe_open(state: &mut State) {
    for (id, slot) in &state.slots {
        if slot.failure.is_some() {
            continue;
        }
        state.journal.begin(&Begin {
            facts: slot.facts.clone(),
            position: slot.journalled,
            gaps: slot.gaps.clone(),
            marks: slot.marks.clone(),
        });
        if let Some(ending) = &slot.ending {
            state.journal.end(*id, ending.cause, ending.keep);
        }
    }
}

/// What a batch makes durable.
struct Held {
    /// How far each recording is in the journal then.
    positions: Vec<(RecordingId, u64)>,
    /// Recordings whose description is in it.
    begun: Vec<RecordingId>,
}

impl Held {
    /// It is durable.
    fn settle(self, core: &Rc<Core>, state: &mut State) {
        for (id, position) in self.positions {
            if let Some(slot) = state.slots.get_mut(&id) {
                slot.durable = slot.durable.max(position);
            }
        }
        for id in self.begun {
            if let Some(slot) = state.slots.get_mut(&id) {
                slot.begun = true;
            }
            core.start_writer(state, id);
        }
    }
}

async fn write_batch(core: Rc<Core>, write: Write, full: bool, held: Held) {
    let epoch = core.state.borrow().epoch;
    let started = core.shared.clock.monotonic();
    let (sound, bytes) = (write.sound, write.bytes.len() as u64);
    let outcome = write_and_sync(&core, write).await;
    let state = &mut *core.state.borrow_mut();
    state.journal.writing = false;
    state.writing_since = None;
    state.unjournalled = state.unjournalled.saturating_sub(sound);
    core.progress.notify_waiters();
    if state.epoch != epoch {
        // The disk failed meanwhile: that generation is given up whatever became of this batch.
        return;
    }
    match outcome {
        Ok(buffer) => {
            let took = core.shared.clock.monotonic().saturating_sub(started);
            core.shared.metrics.journal_sync.record(took);
            core.shared.count_written(bytes);
            state.journal.recycle(buffer);
            held.settle(&core, state);
            if let Some(retired) = state.retiring.take() {
                state.retired.push_back(retired);
                super::checkpoint::start(&core, state);
            }
            if full && let Some(retired) = state.journal.retire() {
                state.retiring = Some((retired, lowest_id(&core, state)));
            }
        }
        Err(error) => super::trouble::disk_failed(&core, state, &error),
    }
}

/// No recording below this is in the new generation. Ids that were given out but have not begun
/// yet are covered by a margin.
fn lowest_id(core: &Core, state: &State) -> RecordingId {
    let next = core.shared.names.peek().saturating_sub(ID_MARGIN);
    let open = state.slots.keys().map(|id| id.0).min().unwrap_or(next);
    RecordingId(open.min(next))
}

async fn write_and_sync(core: &Rc<Core>, write: Write) -> io::Result<Buffer> {
    let Write {
        bytes,
        offset,
        generation,
        ..
    } = write;
    let opened = core.state.borrow().journal.file();
    let file = match opened {
        Some(file) if offset > 0 => file,
        _ => open_generation(core, generation).await?,
    };
    let (written, buffer) = core.io.write_at(&file, offset, bytes).await;
    let (file, buffer) = match written {
        Ok(()) => (file, buffer),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) && file.direct => {
            // The file system took O_DIRECT but wants another alignment: nothing was written.
            let file = core.io.open_journal(&file.path, false).await?;
            core.state.borrow_mut().journal.opened(Arc::clone(&file));
            let (written, buffer) = core.io.write_at(&file, offset, buffer).await;
            written?;
            (file, buffer)
        }
        Err(error) => return Err(error),
    };
    core.io.sync_data(&file).await?;
    Ok(buffer)
}

/// Opens a file for a new generation, sets its space aside and makes its name durable.
async fn open_generation(core: &Rc<Core>, generation: u64) -> io::Result<Arc<SegmentFile>> {
    let (path, size) = core.state.borrow_mut().journal.next_path();
    let file = core.io.open_journal(&path, true).await?;
    let mut at = 0;
    while at < size {
        let len = PREALLOCATE_MAX.min(size - at);
        core.io.preallocate(&file, at, len).await?;
        at += len;
    }
    let folder = core.state.borrow().journal.folder().to_owned();
    core.io.sync_dir(&folder).await?;
    log::debug!("journal generation {generation} is {}", path.display());
    core.state.borrow_mut().journal.opened(Arc::clone(&file));
    Ok(file)
}
