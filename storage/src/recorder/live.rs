//! Snapshots of open recordings for readers: what is held in memory goes to the file and to the
//! journal first, so that nothing is shown which a crash could take back.

use std::rc::{Rc, Weak};

use tokio::sync::{mpsc, oneshot};

use super::core::Core;
use super::files::written_up_to;
use super::slot::Slot;
use crate::ids::RecordingId;
use crate::peaks::LivePeaks;

/// A reader's question; the answer is `None` when the recording is not open.
pub(crate) enum ViewRequest {
    /// How much of this recording's sound does its file hold, after everything up to now was
    /// written?
    Sound {
        id: RecordingId,
        reply: oneshot::Sender<Option<u64>>,
    },
    /// What are its peaks so far?
    Peaks {
        id: RecordingId,
        reply: oneshot::Sender<Option<LivePeaks>>,
    },
}

/// Answers readers until the store is closed or the recorder is gone.
pub(super) async fn serve(core: Weak<Core>, mut requests: mpsc::Receiver<ViewRequest>) {
    while let Some(request) = requests.recv().await {
        let Some(core) = core.upgrade() else { return };
        let state = &mut *core.state.borrow_mut();
        match request {
            ViewRequest::Sound { id, reply } => {
                core.flush(state, id);
                let target = state.slots.get(&id).map(|slot| slot.end);
                tokio::task::spawn_local(answer(Rc::clone(&core), (id, target), reply));
            }
            ViewRequest::Peaks { id, reply } => {
                let slot = state.slots.get(&id);
                let _gone = reply.send(slot.map(Slot::peaks_so_far));
            }
        }
    }
}

async fn answer(
    core: Rc<Core>,
    (id, target): (RecordingId, Option<u64>),
    reply: oneshot::Sender<Option<u64>>,
) {
    let committed = match target {
        Some(target) => {
            written_up_to(&core, id, target).await.is_ok() && durable_up_to(&core, id, target).await
        }
        None => false,
    };
    let _ = reply.send(target.filter(|_| committed));
}

/// Waits until the journal holds this much of a recording's sound; false when it is open no more,
/// or the disk refuses it.
async fn durable_up_to(core: &Rc<Core>, id: RecordingId, target: u64) -> bool {
    loop {
        let progress = core.progress.notified();
        {
            let state = &mut *core.state.borrow_mut();
            match state.slots.get(&id) {
                None => return false,
                Some(slot) if slot.failure.is_some() => return false,
                Some(slot) if slot.durable >= target => return true,
                Some(_) if !state.accepts() => return false,
                // A reader does not wait for the next tick.
                Some(_) if !state.journal.writing => {
                    super::log_writer::start(core, state, core.shared.clock.monotonic());
                }
                Some(_) => {}
            }
        }
        progress.await;
    }
}
