//! Makes the files of a full journal generation durable, so that it can be overwritten.

use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;

use super::core::{Core, State};
use super::files::written_up_to;
use crate::index::apply::Change;
use crate::limits::{CHECKPOINT_FLUSH_MAX, CHECKPOINT_SINGLE_MAX};

/// Starts the checkpoint task unless it runs.
pub(super) fn start(core: &Rc<Core>, state: &mut State) {
    if !state.checkpointing && !state.retired.is_empty() {
        state.checkpointing = true;
        tokio::task::spawn_local(run(Rc::clone(core)));
    }
}

async fn run(core: Rc<Core>) {
    loop {
        let pending = core.state.borrow().retired.len();
        if pending == 0 || !core.state.borrow().accepts() {
            break;
        }
        let synced = sync_open_files(&core).await;
        if let Err(error) = synced {
            let state = &mut *core.state.borrow_mut();
            super::trouble::disk_failed(&core, state, &error);
            break;
        }
        // All generations that were full before the files were synced are done with.
        for _ in 0..pending {
            let Some((retired, floor)) = core.state.borrow_mut().retired.pop_front() else {
                break;
            };
            if !core.state.borrow_mut().journal.reuse(&retired)
                && let Err(error) = core.io.unlink(&retired.path).await
            {
                log::warn!("journal file '{}' stays: {error}", retired.path.display());
            }
            let state = &mut *core.state.borrow_mut();
            core.offer(state, Change::PruneTombstones { below: floor });
        }
    }
    core.state.borrow_mut().checkpointing = false;
    core.progress.notify_waiters();
}

async fn sync_open_files(core: &Rc<Core>) -> io::Result<()> {
    let open: Vec<_> = core.state.borrow().slots.keys().copied().collect();
    for group in open.chunks(CHECKPOINT_FLUSH_MAX) {
        let targets: Vec<_> = {
            let state = &mut *core.state.borrow_mut();
            let flushed = group.iter().map(|id| {
                core.flush(state, *id);
                (*id, state.slots.get(id).map_or(0, |slot| slot.end))
            });
            flushed.collect()
        };
        for (id, target) in targets {
            // One that is gone was sealed, and synced by that, or has failed.
            let _ = written_up_to(core, id, target).await;
        }
    }
    let files: Vec<_> = {
        let state = core.state.borrow();
        let open = open.iter().filter_map(|id| state.slots.get(id));
        open.filter(|slot| slot.failure.is_none())
            .filter_map(|slot| slot.file.clone())
            .collect()
    };
    match files.first() {
        Some(first) if files.len() > CHECKPOINT_SINGLE_MAX && core.shared.syncfs_reports => {
            core.io.sync_fs(first).await?;
        }
        _ => {
            for file in &files {
                core.io.sync_data(file).await?;
            }
        }
    }
    let folders: BTreeSet<_> = files.iter().filter_map(|file| file.path.parent()).collect();
    for folder in folders {
        core.io.sync_dir(folder).await?;
    }
    Ok(())
}
