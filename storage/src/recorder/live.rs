//! Snapshots of open recordings for readers: what is held in memory goes to the file and to the
//! journal first, so that nothing is shown which a crash could take back.

use std::rc::{Rc, Weak};

use tokio::sync::{mpsc, oneshot};

use super::core::Core;
use super::files::written_up_to;
use crate::ids::RecordingId;

/// A reader's question: how much of this recording's sound does its file hold, after everything
/// up to now was written? `None`: it is not open.
pub(crate) struct ViewRequest {
    pub(crate) id: RecordingId,
    pub(crate) reply: oneshot::Sender<Option<u64>>,
}

/// Answers readers until the store is closed or the recorder is gone.
pub(super) async fn serve(core: Weak<Core>, mut requests: mpsc::Receiver<ViewRequest>) {
    while let Some(request) = requests.recv().await {
        let Some(core) = core.upgrade() else { return };
        let target = {
            let state = &mut *core.state.borrow_mut();
            core.flush(state, request.id);
            state.slots.get(&request.id).map(|slot| slot.end)
        };
        tokio::task::spawn_local(answer(core, request, target));
    }
}

async fn answer(core: Rc<Core>, request: ViewRequest, target: Option<u64>) {
    let committed = match target {
        Some(target) => {
            written_up_to(&core, request.id, target).await.is_ok()
                && durable_up_to(&core, request.id, target).await
        }
        None => false,
    };
    let _ = request.reply.send(target.filter(|_| committed));
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
