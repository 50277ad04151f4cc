//! Recordings a worker holds open, so that a range of a recording that is being listened to costs
//! no look-up, no open and no map. One table a worker: no locks on the way of a request.
//!
//! An entry is as good as the store's generation it was checked at. After commits the store tells
//! which recordings they touched; if this one is among them, or that is too long ago to tell, the
//! row is looked up again, and where it is the same the open file stays. Live recordings are never
//! kept.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use audio_io::codec::target::Target;
use storage::error::{ReadError, ViewError};
use storage::handle::StorageHandle;
use storage::ids::{RecordingName, TenantId};
use storage::record::{Recording, RecordingState};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::limits;
use super::media::Entity;
use super::metrics::HttpMetrics;

/// A recording with its open file.
pub(super) struct Opened {
    /// Its row.
    pub(super) recording: Rc<Recording>,
    /// Its bytes.
    pub(super) entity: Rc<Entity>,
    /// The same sound in other formats, the least recently used first. They go with the entry.
    converted: RefCell<Vec<Conversion>>,
}

/// A recording in another format, open.
struct Conversion {
    target: Target,
    entity: Rc<Entity>,
    /// When it is to be asked for anew, in monotonic time.
    until: Duration,
}

impl Opened {
    /// The sound in another format, if it is open at `now` (monotonic time).
    pub(super) fn converted(&self, target: Target, now: Duration) -> Option<Rc<Entity>> {
        let mut converted = self.converted.borrow_mut();
        let at = converted.iter().position(|it| it.target == target)?;
        let conversion = converted.remove(at);
        if conversion.until <= now {
            return None;
        }
        let entity = Rc::clone(&conversion.entity);
        converted.push(conversion);
        Some(entity)
    }

    /// Keeps the sound in another format open from `now` on.
    pub(super) fn keep_converted(&self, target: Target, entity: Rc<Entity>, now: Duration) {
        let mut converted = self.converted.borrow_mut();
        converted.retain(|it| it.target != target && it.until > now);
        if converted.len() >= limits::OPEN_CONVERSIONS {
            converted.remove(0);
        }
        let until = now + limits::OPEN_CONVERSION_LIFE;
        converted.push(Conversion {
            target,
            entity,
            until,
        });
    }
}

/// What a name stands for.
pub(super) enum Found {
    /// Nothing that this tenant has.
    Nothing,
    /// A recording with a file that is finished.
    Opened(Rc<Opened>),
    /// A recording that is going on.
    Live(Box<Recording>),
    /// It ended without anything worth keeping.
    Absent,
}

/// Why a recording cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FindError {
    /// The index.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The look-up died or the daemon is stopping.
    #[error("the look-up did not finish: {0}")]
    Gone(#[from] JoinError),
    /// The store's entity tag is no entity tag.
    #[error("the recording's entity tag is not one")]
    Tag,
}

struct Entry {
    opened: Rc<Opened>,
    generation: u64,
    used: u64,
}

/// A worker's open recordings.
pub(super) struct Recordings {
    storage: StorageHandle,
    metrics: Arc<HttpMetrics>,
    table: RefCell<Table>,
    blocking: Semaphore,
}

#[derive(Default)]
struct Table {
    entries: HashMap<(TenantId, RecordingName), Entry>,
    uses: u64,
}

impl Recordings {
    /// None open.
    pub(super) fn new(storage: StorageHandle, metrics: Arc<HttpMetrics>) -> Self {
        Self {
            storage,
            metrics,
            table: RefCell::default(),
            blocking: Semaphore::new(limits::BLOCKING_AT_ONCE),
        }
    }

    /// Runs something that may wait for the disk off the event loop; at most
    /// [`limits::BLOCKING_AT_ONCE`] at a time, others wait for their turn.
    ///
    /// # Errors
    /// It panicked, or the runtime is ending.
    pub(super) async fn off_loop<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StorageHandle) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let storage = self.storage.clone();
        // The semaphore is never closed; without a permit the work would still be right.
        let _turn = self.blocking.acquire().await.ok();
        tokio::task::spawn_blocking(move || work(&storage)).await
    }

    /// What a tenant's name stands for.
    ///
    /// # Errors
    /// [`FindError`].
    pub(super) async fn find(
        &self,
        tenant: TenantId,
        name: RecordingName,
    ) -> Result<Found, FindError> {
        // Read before the row is: a commit in between makes the entry stale, never wrong.
        let generation = self.storage.generation();
        let key = (tenant, name);
        if let Some(opened) = self.table.borrow_mut().get(&key, generation, &self.storage) {
            self.metrics.cache_hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Found::Opened(opened));
        }
        self.metrics.cache_misses.fetch_add(1, Ordering::Relaxed);
        let wanted = key.1.clone();
        let row = self
            .off_loop(move |storage| storage.find(tenant, &wanted))
            .await??;
        let Some(recording) = row else {
            self.table.borrow_mut().entries.remove(&key);
            return Ok(Found::Nothing);
        };
        match recording.state {
            RecordingState::Live => Ok(Found::Live(Box::new(recording))),
            RecordingState::Absent => Ok(Found::Absent),
            RecordingState::Failed if !has_sound(&recording) => Ok(Found::Absent),
            RecordingState::Stored | RecordingState::Failed => {
                if let Some(opened) = self
                    .table
                    .borrow_mut()
                    .confirm(&key, &recording, generation)
                {
                    return Ok(Found::Opened(opened));
                }
                let entity = Rc::new(self.open(&recording).await?);
                let opened = Rc::new(Opened {
                    recording: Rc::new(recording),
                    entity,
                    converted: RefCell::default(),
                });
                self.table
                    .borrow_mut()
                    .put(key, Rc::clone(&opened), generation);
                Ok(Found::Opened(opened))
            }
        }
    }

    /// Opens a recording's bytes as they are now.
    ///
    /// # Errors
    /// [`FindError::View`].
    pub(super) async fn open(&self, recording: &Recording) -> Result<Entity, FindError> {
        let view = self.storage.view(recording).await?;
        Entity::new(view).ok_or(FindError::Tag)
    }

    /// Closes a recording whose file is not what it was.
    pub(super) fn forget(&self, tenant: TenantId, name: RecordingName) {
        self.table.borrow_mut().entries.remove(&(tenant, name));
    }

    /// Closes the recordings that this entity is the sound of, in whatever format. It looks through
    /// the whole table: it is for files that are not what they were.
    pub(super) fn forget_entity(&self, entity: &Entity) {
        let is = |other: &Rc<Entity>| std::ptr::eq(Rc::as_ptr(other), entity);
        self.table.borrow_mut().entries.retain(|_, entry| {
            let converted = entry.opened.converted.borrow();
            !is(&entry.opened.entity) && !converted.iter().any(|it| is(&it.entity))
        });
    }

    /// Closes the conversions whose time is over, used or not.
    pub(super) fn sweep(&self, now: Duration) {
        for entry in self.table.borrow().entries.values() {
            entry
                .opened
                .converted
                .borrow_mut()
                .retain(|it| it.until > now);
        }
    }
}

/// Whether anything of a recording that could not be written whole reached the disk.
fn has_sound(recording: &Recording) -> bool {
    let outcome = recording.outcome.as_ref();
    outcome.is_some_and(|outcome| outcome.size_bytes > 0)
}

impl Table {
    fn get(
        &mut self,
        key: &(TenantId, RecordingName),
        generation: u64,
        storage: &StorageHandle,
    ) -> Option<Rc<Opened>> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        if entry.generation != generation {
            let id = entry.opened.recording.facts.id;
            let changes = storage.changes_since(entry.generation)?;
            if changes.contains(&id) {
                return None;
            }
            entry.generation = generation;
        }
        entry.used = self.uses;
        Some(Rc::clone(&entry.opened))
    }

    /// The entry of a row that was looked up again, if the row is the same.
    fn confirm(
        &mut self,
        key: &(TenantId, RecordingName),
        recording: &Recording,
        generation: u64,
    ) -> Option<Rc<Opened>> {
        let entry = self.entries.get_mut(key)?;
        if *entry.opened.recording != *recording {
            self.entries.remove(key);
            return None;
        }
        entry.generation = generation;
        Some(Rc::clone(&entry.opened))
    }

    fn put(&mut self, key: (TenantId, RecordingName), opened: Rc<Opened>, generation: u64) {
        if self.entries.len() >= limits::OPEN_RECORDINGS {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.uses += 1;
        self.entries.insert(
            key,
            Entry {
                opened,
                generation,
                used: self.uses,
            },
        );
    }
}
