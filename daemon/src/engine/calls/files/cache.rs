//! Fetched files on disk, a tenant each: used unasked while they are fresh, revalidated with their
//! entity tag when they are not, and fetched once however many jobs want them at the same time.
//!
//! A server that cannot be asked any more makes a stale file as good as none: what it said about
//! the file's life is kept to, and a prompt that was withdrawn or changed is not played. The files
//! lie in the store's `scratch/`, which is emptied at each start; a file that is being played stays
//! until nobody has it.

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use audio_io::clock::Clock;
use audio_io::codec::decode;
use audio_io::codec::pcm::{DecodeError, PcmSource};
use audio_io::player::SoundFile;
use storage::handle::StorageHandle;
use storage::ids::TenantId;
use storage::scratch::Scratch;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use super::super::limits;
use super::{FileError, check};
use crate::engine::fetch::{FetchError, Fetched, Fetcher};
use crate::spool::off_loop;

/// A file that was fetched.
pub(super) struct CachedSound {
    /// What the daemon calls it.
    pub(super) name: String,
    scratch: Scratch,
    size_bytes: u64,
    etag: Option<String>,
    /// What its server granted, again at each revalidation.
    fresh_for: Duration,
    /// In nanoseconds of the monotonic clock.
    fresh_until: AtomicU64,
    /// The cache's count of uses when it was last used.
    used: AtomicU64,
}

impl SoundFile for CachedSound {
    fn open(&self) -> Result<Box<dyn PcmSource>, DecodeError> {
        decode::open(File::open(self.scratch.path())?)
    }
}

/// See the module.
pub(super) struct Cache {
    storage: StorageHandle,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    turns: Semaphore,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    sounds: HashMap<Key, Arc<CachedSound>>,
    flights: HashMap<Key, Weak<Flight>>,
    bytes: u64,
    uses: u64,
}

/// Hash of a tenant and a URL.
type Key = [u8; 32];

type Landed = Option<Result<Arc<CachedSound>, Arc<FileError>>>;

/// A fetch under way, held by all who wait for it: it ends with the last of them.
struct Flight {
    task: AbortHandle,
    landed: watch::Receiver<Landed>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cache {
    pub(super) fn new(storage: StorageHandle, fetcher: Fetcher, clock: Arc<dyn Clock>) -> Self {
        Self {
            storage,
            fetcher,
            clock,
            turns: Semaphore::new(limits::FILES_AT_ONCE),
            held: Mutex::default(),
        }
    }

    /// A URL's file, fetched if need be.
    ///
    /// # Errors
    /// [`FileError`].
    pub(super) async fn get(
        self: &Arc<Self>,
        owner: TenantId,
        url: &str,
    ) -> Result<Arc<CachedSound>, Arc<FileError>> {
        let key = key_of(owner, url);
        let flight = match self.find(key, url) {
            Found::Fresh(sound) => return Ok(sound),
            Found::Flight(flight) => flight,
        };
        let mut landed = flight.landed.clone();
        let landed = landed.wait_for(Option::is_some).await;
        match landed.map(|landed| landed.clone()) {
            Ok(Some(landed)) => landed,
            // Its task has died.
            Ok(None) | Err(_) => Err(Arc::new(FileError::Ended)),
        }
    }

    fn find(self: &Arc<Self>, key: Key, url: &str) -> Found {
        let now = self.clock.monotonic();
        let mut held = self.lock();
        let known = held.touch(key);
        if let Some(sound) = &known
            && now < Duration::from_nanos(sound.fresh_until.load(Ordering::Relaxed))
        {
            return Found::Fresh(Arc::clone(sound));
        }
        if let Some(flight) = held.flights.get(&key).and_then(Weak::upgrade) {
            return Found::Flight(flight);
        }
        let (tell, landed) = watch::channel(None);
        let (cache, url) = (Arc::clone(self), url.to_owned());
        let task = tokio::spawn(async move {
            let fetched = cache.fetch(key, &url, known).await.map_err(Arc::new);
            cache.land(key, fetched.as_ref().ok());
            tell.send_replace(Some(fetched));
        });
        let flight = Arc::new(Flight {
            task: task.abort_handle(),
            landed,
        });
        held.flights.insert(key, Arc::downgrade(&flight));
        Found::Flight(flight)
    }

    async fn fetch(
        &self,
        key: Key,
        url: &str,
        known: Option<Arc<CachedSound>>,
    ) -> Result<Arc<CachedSound>, FileError> {
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| FileError::Ended)?;
        let storage = self.storage.clone();
        let scratch = off_loop(move || storage.scratch("fetched")).await;
        let scratch = scratch.map_err(FileError::Scratch)?;
        let asked_at = self.clock.monotonic();
        let etag = known.as_ref().and_then(|known| known.etag.as_deref());
        let fetched = self.fetcher.fetch(url, scratch.path(), etag).await?;
        match (fetched, known) {
            (Fetched::Unchanged, Some(known)) => {
                // What its 304 does not say again stays as it was (RFC 9111 section 4.3.4).
                known.fresh_from(asked_at);
                Ok(known)
            }
            (Fetched::Unchanged, None) => Err(FetchError::Status(304).into()),
            (
                Fetched::Sound {
                    facts,
                    etag,
                    fresh_for,
                },
                _,
            ) => {
                let checked = off_loop(move || {
                    let size_bytes = scratch.path().metadata()?.len();
                    Ok(check(scratch.path()).map(|()| (scratch, size_bytes)))
                });
                let (scratch, size_bytes) = checked.await.map_err(FileError::Scratch)??;
                let sound = CachedSound {
                    name: name_of(key, facts.container.extension()),
                    scratch,
                    size_bytes,
                    etag,
                    fresh_for,
                    fresh_until: AtomicU64::new(0),
                    used: AtomicU64::new(0),
                };
                sound.fresh_from(asked_at);
                Ok(Arc::new(sound))
            }
        }
    }

    /// A flight is over: keeps what it brought, if it can be of use again.
    fn land(&self, key: Key, fetched: Option<&Arc<CachedSound>>) {
        let mut held = self.lock();
        held.flights.remove(&key);
        match fetched {
            Some(sound) if sound.etag.is_some() || !sound.fresh_for.is_zero() => {
                held.put(key, Arc::clone(sound));
            }
            // What there was is stale, and will be asked for again.
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Found {
    Fresh(Arc<CachedSound>),
    Flight(Arc<Flight>),
}

impl CachedSound {
    fn fresh_from(&self, at: Duration) {
        let until = u64::try_from((at + self.fresh_for).as_nanos()).unwrap_or(u64::MAX);
        self.fresh_until.store(until, Ordering::Relaxed);
    }
}

impl Held {
    fn touch(&mut self, key: Key) -> Option<Arc<CachedSound>> {
        self.uses += 1;
        let sound = self.sounds.get(&key)?;
        sound.used.store(self.uses, Ordering::Relaxed);
        Some(Arc::clone(sound))
    }

    fn put(&mut self, key: Key, sound: Arc<CachedSound>) {
        self.uses += 1;
        sound.used.store(self.uses, Ordering::Relaxed);
        self.bytes += sound.size_bytes;
        if let Some(before) = self.sounds.insert(key, sound) {
            self.bytes -= before.size_bytes;
        }
        while self.bytes > limits::CACHE_BYTES || self.sounds.len() > limits::CACHE_FILES {
            let used = |sound: &Arc<CachedSound>| sound.used.load(Ordering::Relaxed);
            let oldest = self.sounds.iter().min_by_key(|(_, sound)| used(sound));
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                return;
            };
            if let Some(gone) = self.sounds.remove(&oldest) {
                self.bytes -= gone.size_bytes;
            }
        }
    }
}

fn key_of(owner: TenantId, url: &str) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&owner.0.to_le_bytes());
    hasher.update(url.as_bytes());
    hasher.finalize().into()
}

fn name_of(key: Key, kind: &str) -> String {
    let [a, b, c, d, e, f, g, h, ..] = key;
    let short = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    format!("fetched/{short:016x}.{kind}")
}
