//! Files made from recordings (conversions): kept within a bound, found again after a restart,
//! gone when their source is. `derived/<tenant>/<recid>/<tag>.<bytes>.<ext>`; what is being made
//! lies in `derived/tmp`. The accounts are in `derived/shelf.rs`, the count of what an earlier
//! run left in `derived/count.rs`.
//!
//! A file is synced before it gets its name, and the name tells its length: what has a name is
//! whole, through a power cut too. The folder is not synced: a name that is lost is made again.

mod count;
mod shelf;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use audio_io::clock::Clock;
use audio_io::units::WallMillis;

use crate::error::{DerivedError, ReadError, ReplaceError};
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, RecordingName, TenantId};
use crate::index::Index;
use crate::limits::{DERIVED_FREE_MIN, DERIVED_SCAN_AT_OPEN, DERIVED_TAG_MAX};
use crate::paths::{Layout, create_dirs, unlink_if_there};
use crate::record::{Container, Recording, RecordingState};
use crate::reserve::{Reserve, free_bytes, share_of};
use crate::view::RecordingView;
pub(crate) use shelf::is_kept_name;
use shelf::{Name, Shelf};

/// A file that is being made; removed again unless it is kept. Its folder is on the store's disk.
#[derive(Debug)]
pub struct DerivedDraft {
    file: File,
    path: PathBuf,
}

impl DerivedDraft {
    /// Where to write, read and seek.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Whether the disk still has more room than recordings need: a long conversion asks now and
    /// then, and ends when it has not.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let folder = self.path.parent().unwrap_or(&self.path);
        free_bytes(folder) >= free_wanted(folder)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }
}

impl Drop for DerivedDraft {
    fn drop(&mut self) {
        if let Err(error) = unlink_if_there(&self.path) {
            log::warn!("'{}' is left behind: {error}", self.path.display());
        }
    }
}

impl StorageHandle {
    /// How many bytes of conversions are kept; the least recently used go when there are more.
    /// Until it is told, [`crate::limits::DERIVED_BYTES`].
    pub fn set_derived_limit(&self, bytes: u64) {
        self.shared.derived.shelf().set_limit(bytes);
    }

    /// A kept conversion, if there is one, and counts it as used. `tag` is 1 to
    /// [`DERIVED_TAG_MAX`] lower-case hexadecimal digits and names source content, encoder and
    /// settings; it is the entity tag. Blocks on the disk.
    ///
    /// # Errors
    /// [`DerivedError`]. A file of another length than it was kept with is removed and not found.
    pub fn derived(
        &self,
        source: &Recording,
        container: Container,
        tag: &str,
    ) -> Result<Option<RecordingView>, DerivedError> {
        let name = name_of(source, container, tag)?;
        let Some(outcome) = &source.outcome else {
            return Ok(None);
        };
        let now = self.shared.clock.wall();
        let mut shelf = self.shared.derived.shelf();
        let found = shelf
            .open(&name, now)
            .map_err(io_error("opening a conversion"))?;
        let Some((file, bytes)) = found else {
            return Ok(None);
        };
        drop(shelf);
        view(file, bytes, tag, outcome.sealed_at, container).map(Some)
    }

    /// Begins a file. Blocks on the disk.
    ///
    /// # Errors
    /// [`DerivedError::NoSpace`] when the disk is nearly full and no kept conversion could go
    /// for it: recordings need what is left.
    pub fn draft_derived(&self, source: &Recording) -> Result<DerivedDraft, DerivedError> {
        let derived = &self.shared.derived;
        let folder = derived.layout.derived_drafts();
        create_dirs(derived.layout.root(), &folder).map_err(io_error("creating the folder"))?;
        while free_bytes(&folder) < free_wanted(&folder) {
            if !derived.shelf().evict_oldest() {
                return Err(DerivedError::NoSpace);
            }
        }
        let number = derived.drafts.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}.tmp", source.facts.id));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(io_error("beginning a conversion"))?;
        Ok(DerivedDraft { file, path })
    }

    /// Keeps a finished file (may push out others) and opens it. One that is larger than the
    /// limit is answered and is the next to go. Blocks on the disk.
    ///
    /// # Errors
    /// [`DerivedError::Gone`] when its source was deleted or changed meanwhile: then nothing is
    /// kept.
    pub fn keep_derived(
        &self,
        source: &Recording,
        container: Container,
        tag: &str,
        draft: DerivedDraft,
    ) -> Result<RecordingView, DerivedError> {
        let name = name_of(source, container, tag)?;
        let outcome = source.outcome.as_ref().ok_or(DerivedError::Gone)?;
        let finished = io_error("finishing a conversion");
        draft.file.sync_data().map_err(finished)?;
        let bytes = draft.file.metadata().map_err(finished)?.len();
        let derived = &self.shared.derived;
        let now = self.shared.clock.wall();
        let mut shelf = derived.shelf();
        let kept = shelf.keep(&name, bytes, draft.path(), now);
        let file = match kept {
            Ok(file) => file,
            // Its folder cannot be had any more because its source went: that is the reason.
            Err(_) if !is_as_it_was(&self.shared.index, source)? => return Err(DerivedError::Gone),
            Err(error) => return Err(finished(error)),
        };
        // Whoever deletes the source takes its row away first and then waits for this shelf: so
        // either this sees that the row is gone, or the deletion sees the file.
        if !is_as_it_was(&self.shared.index, source).inspect_err(|_| shelf.drop_file(&name))? {
            shelf.drop_file(&name);
            return Err(DerivedError::Gone);
        }
        drop(shelf);
        view(file, bytes, tag, outcome.sealed_at, container)
    }

    /// Replaces a sealed recording's file by a finished draft of the same sound in another format
    /// (stored format of its tenant): new file durable, row committed, old file removed, in this
    /// order; a crash anywhere leaves exactly one of the two. Its facts, gaps, levels and names
    /// stay; container, size and content hash are new; `outcome.frames` stays the recorded length.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`ReplaceError`]: the recording is as it was.
    pub fn replace_stored(
        &self,
        source: &Recording,
        container: Container,
        draft: DerivedDraft,
    ) -> Result<Recording, ReplaceError> {
        crate::replace::replace(&self.shared, source, container, &draft, &mut |_| ())
    }

    /// Bytes and files of kept conversions, as far as they are counted.
    #[must_use]
    pub fn derived_usage(&self) -> (u64, u64) {
        self.shared.derived.shelf().usage()
    }

    /// When a recording that was deleted was deleted, by a name it had; `None` when it never was
    /// or is too long ago to be known, or by a session's name. A recording that has the name now
    /// counts for more: ask [`StorageHandle::find`] first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn purged_at(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<WallMillis>, ReadError> {
        self.shared.index.purged_at(tenant, name)
    }
}

/// The store of conversions.
pub(crate) struct Derived {
    layout: Layout,
    shelf: Arc<Mutex<Shelf>>,
    drafts: AtomicU64,
    /// Held while a recording's file is exchanged.
    replacing: Mutex<()>,
    stopping: Arc<AtomicBool>,
    counting: Option<std::thread::JoinHandle<()>>,
}

impl Derived {
    /// Removes drafts of an earlier run and counts what it kept, on a thread of its own when it
    /// is much. What has no source any more goes.
    pub(crate) fn open(layout: &Layout, index: &Arc<Index>, clock: &Arc<dyn Clock>) -> Self {
        if let Err(error) = crate::paths::clear(&layout.derived_drafts()) {
            log::warn!("drafts of conversions are left behind: {error}");
        }
        let shelf = Arc::new(Mutex::new(Shelf::new(layout.clone())));
        let stopping = Arc::new(AtomicBool::new(false));
        let counting = {
            let count = count::Count::new(layout, index, clock, &shelf);
            count.begin(DERIVED_SCAN_AT_OPEN, &stopping)
        };
        Self {
            layout: layout.clone(),
            shelf,
            drafts: AtomicU64::new(0),
            replacing: Mutex::new(()),
            stopping,
            counting,
        }
    }

    /// When the disk is full, recordings get the space that conversions have: all of it, and on a
    /// thread of its own, since whoever needs it does not wait.
    pub(crate) fn yield_to(&self, reserve: &Reserve) {
        let shelf = Arc::clone(&self.shelf);
        reserve.when_released(Box::new(move || {
            let shelf = Arc::clone(&shelf);
            let give = move || {
                let lock = || shelf.lock().unwrap_or_else(PoisonError::into_inner);
                while lock().evict_oldest() {}
            };
            let thread = std::thread::Builder::new().name("derived".into());
            if let Err(error) = thread.spawn(give) {
                log::warn!("kept conversions stay on the full disk: {error}");
            }
        }));
    }

    /// Removes everything made of a recording that is gone or has become another.
    pub(crate) fn forget(&self, tenant: TenantId, id: RecordingId) -> io::Result<()> {
        self.shelf().forget(tenant, id)
    }

    pub(crate) fn replacing(&self) -> MutexGuard<'_, ()> {
        self.replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Derived {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.counting.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a recording, sealed or failed, is still there with the same content.
fn is_as_it_was(index: &Index, source: &Recording) -> Result<bool, ReadError> {
    let facts = &source.facts;
    let row = index.find(facts.tenant, &RecordingName::Recid(facts.id))?;
    let hash = |row: &Recording| row.outcome.as_ref().map(|outcome| outcome.content_hash);
    let ended = [RecordingState::Stored, RecordingState::Failed];
    Ok(row.is_some_and(|row| ended.contains(&row.state) && hash(&row) == hash(source)))
}

fn name_of(source: &Recording, container: Container, tag: &str) -> Result<Name, DerivedError> {
    if !shelf::is_tag(tag) {
        let what = "a conversion's tag is 1 to 128 lower-case hexadecimal digits";
        const { assert!(DERIVED_TAG_MAX == 128) };
        return Err(io_error(what)(io::ErrorKind::InvalidInput.into()));
    }
    Ok(Name {
        tenant: source.facts.tenant,
        id: source.facts.id,
        container,
        tag: tag.into(),
    })
}

fn view(
    file: File,
    bytes: u64,
    tag: &str,
    at: WallMillis,
    container: Container,
) -> Result<RecordingView, DerivedError> {
    RecordingView::file(file, bytes, tag, at, container).map_err(io_error("mapping a conversion"))
}

fn io_error(what: &'static str) -> impl Fn(io::Error) -> DerivedError + Copy {
    move |source| DerivedError::Io { what, source }
}

/// Free bytes that stay for recordings.
fn free_wanted(folder: &std::path::Path) -> u64 {
    let (bytes, fraction) = DERIVED_FREE_MIN;
    let size = crate::reserve::size_of_fs(folder).unwrap_or(0);
    share_of(folder, bytes).max(size / fraction)
}

#[cfg(test)]
mod tests;
