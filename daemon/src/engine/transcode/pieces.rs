//! Which MP3 files are being made piece by piece, so that all who read the same share one. What is
//! not here: the files themselves (`mp3_file`), finished ones (`storage::derived`).

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audio_io::codec::target::Target;
use storage::record::Recording;

use super::mp3_file::{Mp3File, Reader};
use super::queue::{Level, Turn};
use super::{ConvertError, Converted, Name, Shared};
use crate::engine::limits::MP3_OPEN_MAX;

/// An MP3: one that is finished, or one that is made as it is read.
pub(super) async fn convert(
    shared: &Arc<Shared>,
    recording: &Recording,
    name: Name,
) -> Result<Converted, ConvertError> {
    if let Some(open) = shared.open.find(&name) {
        shared.counters.cache_hits.fetch_add(1, Ordering::Relaxed);
        return Ok(Converted::Made(Arc::new(Reader(open))));
    }
    if let Some(kept) = shared.kept(recording, Target::Mp3, &name).await? {
        return Ok(Converted::File(kept));
    }
    let (shared_then, row, named) = (Arc::clone(shared), recording.clone(), name.clone());
    let work = move |_: &Turn<'_>| {
        if let Some(open) = shared_then.open.find(&named) {
            return Ok(open);
        }
        let file = Mp3File::open(&shared_then, &row, named)
            .inspect_err(|error| shared_then.note_failure(row.facts.id, Target::Mp3, error))?;
        let file = Arc::new(file);
        shared_then.open.add(&file);
        Ok(file)
    };
    let opening = shared
        .opening
        .join(&shared.queue, Level::Piece, name, work)?;
    let open = opening.end().await?;
    Ok(Converted::Made(Arc::new(Reader(open))))
}

/// The open files, the least recently asked for first. A file that falls out lives on with its
/// readers.
#[derive(Default)]
pub(super) struct OpenFiles {
    files: Mutex<Vec<Arc<Mp3File>>>,
}

impl OpenFiles {
    fn find(&self, name: &Name) -> Option<Arc<Mp3File>> {
        let mut files = self.lock();
        let at = files.iter().position(|file| file.name() == name)?;
        let file = files.remove(at);
        files.push(Arc::clone(&file));
        Some(file)
    }

    fn add(&self, file: &Arc<Mp3File>) {
        let oldest = {
            let mut files = self.lock();
            files.push(Arc::clone(file));
            (files.len() > MP3_OPEN_MAX).then(|| files.remove(0))
        };
        // Outside of the lock: it removes its draft.
        drop(oldest);
    }

    pub(super) fn forget(&self, name: &Name) {
        let forgotten = {
            let mut files = self.lock();
            let at = files.iter().position(|file| file.name() == name);
            at.map(|at| files.remove(at))
        };
        drop(forgotten);
    }

    /// Forgets those whose recordings are gone, so that the disk gets their space back.
    pub(super) fn forget_deleted(&self) {
        let files = self.lock().clone();
        for file in files {
            match file.is_current() {
                Ok(true) => {}
                Ok(false) => self.forget(file.name()),
                Err(error) => log::debug!("recording {}: {error}", file.name().id),
            }
        }
    }

    pub(super) fn clear(&self) {
        let files = std::mem::take(&mut *self.lock());
        drop(files);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Mp3File>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
