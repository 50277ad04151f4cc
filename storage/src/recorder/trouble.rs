//! What happens when a write or a sync fails: nothing is tried again into success. The journal's
//! generation is given up, open recordings end as Failed, and the disk is probed until a real
//! write and sync go through.

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use super::RecorderEvent;
use super::core::{Core, Disk, State};
use super::slot::Ending;
use crate::ids::RecordingId;
use crate::io::Buffer;
use crate::io::buffer::ALIGNMENT;
use crate::limits::PROBE_EVERY;
use crate::record::EndCause;
use crate::reserve::{free_bytes, is_full};

/// A write to one recording's file failed.
pub(super) fn file_failed(core: &Rc<Core>, state: &mut State, id: RecordingId, error: io::Error) {
    let whole_disk = concerns_disk(&error);
    if whole_disk {
        disk_failed(core, state, &error);
    } else {
        log::error!(recording = id.0; "recording {id} cannot be written: {error}");
    }
    end_failed(core, state, id, error);
}

/// The journal cannot be written, or a file's failure says that nothing can.
pub(super) fn disk_failed(core: &Rc<Core>, state: &mut State, error: &io::Error) {
    let next_probe = core.shared.clock.monotonic() + PROBE_EVERY;
    if !state.accepts() {
        return;
    }
    log::error!("the disk refuses writes: {error}; open recordings end, nothing new begins");
    state.disk = Disk::Refuses {
        full: is_full(error),
        next_probe,
        probing: false,
    };
    state.epoch += 1;
    state.unjournalled = 0;
    state.beginning.clear();
    core.shared
        .metrics
        .recorder_refuses
        .store(true, Ordering::Relaxed);
    state.events.push(RecorderEvent::DiskRefuses(again(error)));
    if is_full(error) {
        core.shared.reserve.release();
    }
    let floor = RecordingId(0);
    state.retired.extend(state.retiring.take());
    state
        .retired
        .extend(state.journal.abandon().map(|retired| (retired, floor)));
    // What the journal never got to know gets no file any more, even where it has ended already.
    let open = state
        .slots
        .iter()
        .filter(|(_, slot)| slot.ending.is_none() || !slot.begun);
    let ids: Vec<_> = open.map(|(id, _)| *id).collect();
    for id in ids {
        end_failed(core, state, id, again(error));
    }
    core.progress.notify_waiters();
}

/// Marks a recording as failed, and ends it unless it is ending already.
fn end_failed(core: &Rc<Core>, state: &mut State, id: RecordingId, error: io::Error) {
    let Some(slot) = state.slots.get_mut(&id) else {
        return;
    };
    let cause = if is_full(&error) {
        EndCause::DiskFull
    } else {
        EndCause::DiskError
    };
    slot.failure.get_or_insert(error);
    if !slot.begun {
        slot.waiters.clear();
    }
    if slot.ending.is_none() {
        slot.ending = Some(Ending { cause, keep: true });
        tokio::task::spawn_local(super::seal::seal(Rc::clone(core), id));
    }
}

/// Tries a real write and sync, once.
pub(super) async fn probe(core: Rc<Core>) {
    let outcome = try_disk(&core).await;
    let now = core.shared.clock.monotonic();
    let state = &mut *core.state.borrow_mut();
    let Disk::Refuses {
        next_probe,
        probing,
        ..
    } = &mut state.disk
    else {
        return;
    };
    *probing = false;
    *next_probe = now + PROBE_EVERY;
    match outcome {
        Ok(()) => {
            log::info!("the disk accepts writes again");
            state.disk = Disk::Accepts;
            state.last_batch = now;
            core.shared
                .metrics
                .recorder_refuses
                .store(false, Ordering::Relaxed);
            state.events.push(RecorderEvent::DiskAccepts);
            super::checkpoint::start(&core, state);
        }
        Err(error) => log::debug!("the disk still refuses writes: {error}"),
    }
}

async fn try_disk(core: &Rc<Core>) -> io::Result<()> {
    let full = matches!(core.state.borrow().disk, Disk::Refuses { full: true, .. });
    let shared = std::sync::Arc::clone(&core.shared);
    let room = tokio::task::spawn_blocking(move || {
        let needed = crate::reserve::free_wanted(shared.layout.root());
        free_bytes(shared.layout.root()) >= needed && shared.reserve.hold()
    });
    if full && !room.await.unwrap_or(false) {
        return Err(io::Error::from(io::ErrorKind::StorageFull));
    }
    let path = core.state.borrow().journal.folder().join("probe");
    let outcome = async {
        let file = core.io.open_journal(&path, true).await?;
        let mut buffer = Buffer::with_capacity(PROBE_BYTES);
        buffer.fill(0, PROBE_BYTES);
        core.io.preallocate(&file, 0, PROBE_BYTES as u64).await?;
        core.io.write_at(&file, 0, buffer).await.0?;
        core.io.sync_data(&file).await
    }
    .await;
    let _ = core.io.unlink(&path).await;
    outcome
}

/// Whether an error of one file means that no file can be written.
fn concerns_disk(error: &io::Error) -> bool {
    is_full(error)
        || error.kind() == io::ErrorKind::ReadOnlyFilesystem
        || matches!(
            error.raw_os_error(),
            Some(libc::EIO | libc::ENXIO | libc::ENODEV)
        )
}

/// The same error once more; `io::Error` cannot be cloned.
pub(super) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::from(error.kind()),
    }
}

const PROBE_BYTES: usize = 16 * ALIGNMENT;
