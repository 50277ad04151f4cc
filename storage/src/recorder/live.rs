//! Snapshots of open recordings for readers: what is held in memory goes to the file first.

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
    let written = match target {
        Some(target) => written_up_to(&core, request.id, target).await.is_ok(),
        None => false,
    };
    let _ = request.reply.send(target.filter(|_| written));
}
