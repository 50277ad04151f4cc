//! Finds a recording's bytes: opens and maps what is sealed, asks the recorder about what is
//! live.

use std::fs::File;
use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::error::{ReadError, ViewError};
use crate::ids::RecordingName;
use crate::limits::VIEW_TRIES;
use crate::record::{Recording, RecordingState};
use crate::recorder::ViewRequest;
use crate::shared::Shared;
use crate::view::RecordingView;

pub(crate) async fn view(
    shared: &Arc<Shared>,
    recording: &Recording,
) -> Result<RecordingView, ViewError> {
    let id = recording.facts.id;
    let mut row = recording.clone();
    for _ in 0..VIEW_TRIES {
        if row.state != RecordingState::Live {
            let result = stored(shared, row.clone()).await;
            let Err(ViewError::NoFile(_) | ViewError::Length { .. }) = result else {
                return result;
            };
            // Its file may have been exchanged for one of another format since the row was read.
            match find(shared, &row)? {
                Some(now) if now != row => row = now,
                _ => return result,
            }
            continue;
        }
        if let Some(sound) = ask(shared, &row).await? {
            return live(shared, row, sound).await;
        }
        // It ended since the row was read: its file is being sealed, or is.
        row = find(shared, &row)?.ok_or(ViewError::NoFile(id))?;
        if row.state == RecordingState::Live {
            return Err(ViewError::Busy(id));
        }
    }
    Err(ViewError::Busy(id))
}

fn find(shared: &Shared, row: &Recording) -> Result<Option<Recording>, ReadError> {
    let name = RecordingName::Recid(row.facts.id);
    shared.index.find(row.facts.tenant, &name)
}

/// How much sound the file of a live recording holds; `None` when it is not open.
async fn ask(shared: &Shared, row: &Recording) -> Result<Option<u64>, ViewError> {
    let id = row.facts.id;
    let (reply, answer) = oneshot::channel();
    match shared.views.try_send(ViewRequest::Sound { id, reply }) {
        Ok(()) => Ok(answer.await.unwrap_or(None)),
        Err(tokio::sync::mpsc::error::TrySendError::Full(_)) => Err(ViewError::Busy(id)),
        Err(tokio::sync::mpsc::error::TrySendError::Closed(_)) => Ok(None),
    }
}

async fn stored(shared: &Arc<Shared>, row: Recording) -> Result<RecordingView, ViewError> {
    let path = shared.layout.recording(&row.facts);
    off_the_loop(row.facts.id, move || {
        let id = row.facts.id;
        let outcome = row.outcome.as_ref().ok_or(ViewError::NoFile(id))?;
        if row.state == RecordingState::Absent || outcome.size_bytes == 0 {
            return Err(ViewError::NoFile(id));
        }
        RecordingView::stored(&row, outcome, open(&row, &path)?)
    })
    .await
}

async fn live(
    shared: &Arc<Shared>,
    row: Recording,
    sound: u64,
) -> Result<RecordingView, ViewError> {
    let path = shared.layout.recording(&row.facts);
    let now = shared.clock.wall();
    off_the_loop(row.facts.id, move || {
        RecordingView::live(&row.facts, sound, open(&row, &path)?, now)
    })
    .await
}

fn open(row: &Recording, path: &std::path::Path) -> Result<File, ViewError> {
    let id = row.facts.id;
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ViewError::NoFile(id),
        _ => ViewError::Io(id, error),
    })
}

/// Opening a file may read directories from disk: not on a thread that serves others.
async fn off_the_loop(
    id: crate::ids::RecordingId,
    work: impl FnOnce() -> Result<RecordingView, ViewError> + Send + 'static,
) -> Result<RecordingView, ViewError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(ViewError::Io(
            id,
            io::Error::from(io::ErrorKind::Interrupted),
        ))
    })
}
