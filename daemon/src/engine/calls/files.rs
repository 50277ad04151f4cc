//! The files of a command, all at once: fetched, or from the tenant's prompt library, each opened
//! once so that what cannot be played is told before anything is heard.
//!
//! ```text
//!  URLs ─▶ library.rs: this daemon's own prompts ─▶ open ─┐
//!     └──▶ cache.rs: disk cache ─▶ Fetcher ───────▶ open ─┴▶ sound files in order
//! ```
//!
//! A job's name for its files (`file_path`) is `fetched/<16 hex digits of a hash>.<kind>` for what
//! was fetched and `prompts/<id>.<kind>` for stored ones; several are joined with `!`. URLs may
//! hold secrets, and are never part of it.

mod cache;
mod library;
mod own;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use audio_io::codec::decode;
use audio_io::codec::pcm::DecodeError;
use audio_io::player::{SoundFile, StoredSound};
use storage::error::{ReadError, ViewError};
use storage::handle::StorageHandle;
use storage::ids::{PromptId, TenantId};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;

use self::cache::Cache;
use super::limits;
use crate::config::schema::Config;
use crate::engine::fetch::{FetchError, Fetcher};
use crate::engine::prompts::{PromptFailure, Prompts};
use crate::engine::session::command::Urls;
use crate::engine::session::digits::Part;
use crate::engine::session::signal::JobId;
use crate::spool::off_loop;

/// Whose files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilesKey {
    pub(super) session: Uuid,
    pub(super) job: JobId,
    pub(super) part: Part,
}

/// A job that is done.
pub(super) struct FilesDone {
    pub(super) key: FilesKey,
    pub(super) result: Result<Prepared, Missing>,
}

/// Files that can be played, in order.
pub(super) struct Prepared {
    pub(super) files: Vec<Arc<dyn SoundFile>>,
    pub(super) file_path: String,
}

/// A file that cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) url: String,
    /// Why, for people.
    pub(super) error: String,
}

/// Where the exchange's files come from, or their double.
pub(super) trait Prepare: Send {
    /// Begins a job; what becomes of it is told elsewhere.
    fn begin(&self, key: FilesKey, owner: TenantId, urls: Urls) -> CallOff;
}

/// Ends a job when it is dropped.
pub(super) struct CallOff(Option<AbortHandle>);

impl CallOff {
    /// Of a job that nothing is to be done about.
    #[cfg(test)]
    pub(super) const fn none() -> Self {
        Self(None)
    }
}

impl Drop for CallOff {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// Why a file cannot be had.
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It was fetched, and cannot be decoded.
    #[error("the URL is not a sound that can be played: {0}")]
    Decode(#[from] DecodeError),
    /// There is no file to put it in.
    #[error("there is no room for the file: {0}")]
    Scratch(#[source] io::Error),
    /// No prompt of that number, or another tenant's.
    #[error("there is no stored prompt {0}")]
    NoPrompt(PromptId),
    /// One of this daemon's own URLs that names no prompt.
    #[error("the URL names no stored prompt; its number is missing")]
    NoNumber,
    /// Its sound could not be made.
    #[error(transparent)]
    Prompt(#[from] PromptFailure),
    /// The store.
    #[error("the prompt cannot be read: {0}")]
    View(#[from] ViewError),
    /// The index.
    #[error("the prompt cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The daemon is stopping, or a thread died.
    #[error("the file could not be prepared; the journal says why")]
    Ended,
}

/// A file that can be played.
struct Sound {
    file: Arc<dyn SoundFile>,
    path: String,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Files {
    shared: Arc<Shared>,
}

struct Shared {
    storage: StorageHandle,
    prompts: Prompts,
    config: Arc<ArcSwap<Config>>,
    clock: Arc<dyn Clock>,
    cache: Arc<Cache>,
}

impl Files {
    pub(super) fn new(
        storage: StorageHandle,
        prompts: Prompts,
        fetcher: Fetcher,
        config: Arc<ArcSwap<Config>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let cache = Arc::new(Cache::new(storage.clone(), fetcher, clock.clone()));
        Self {
            shared: Arc::new(Shared {
                storage,
                prompts,
                config,
                clock,
                cache,
            }),
        }
    }

    /// All files of a list. The first that cannot be had ends it: of several that are known to be
    /// missing then, the first in the list is told.
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) async fn prepare(&self, owner: TenantId, urls: &Urls) -> Result<Prepared, Missing> {
        let turns = Arc::new(Semaphore::new(limits::FILES_A_JOB));
        let mut tasks = JoinSet::new();
        for (index, url) in urls.iter().enumerate() {
            let (files, turns, url) = (self.clone(), Arc::clone(&turns), url.to_owned());
            tasks.spawn(async move {
                let _turn = turns.acquire().await;
                (index, files.sound(owner, &url).await)
            });
        }
        let mut sounds: Vec<Option<Sound>> = urls.iter().map(|_| None).collect();
        let mut missing: Option<(usize, String)> = None;
        while let Some(done) = tasks.join_next().await {
            let mut done = Some(done);
            while let Some(joined) = done {
                match joined {
                    Ok((index, Ok(sound))) => sounds[index] = Some(sound),
                    Ok((index, Err(error))) => {
                        if missing.as_ref().is_none_or(|(first, _)| index < *first) {
                            missing = Some((index, error.to_string()));
                        }
                    }
                    Err(died) => log::error!("preparing a file: {died}"),
                }
                done = tasks.try_join_next();
            }
            if missing.is_some() {
                break;
            }
        }
        drop(tasks);
        let died = || sounds.iter().position(Option::is_none);
        let missing = missing.or_else(|| died().map(|at| (at, FileError::Ended.to_string())));
        if let Some((index, error)) = missing {
            let url = urls.iter().nth(index).unwrap_or_default().to_owned();
            return Err(Missing { url, error });
        }
        let sounds = sounds.into_iter().flatten();
        let (files, paths): (Vec<_>, Vec<_>) = sounds.map(|one| (one.file, one.path)).unzip();
        Ok(Prepared {
            files,
            file_path: paths.join("!"),
        })
    }

    async fn sound(&self, owner: TenantId, url: &str) -> Result<Sound, Arc<FileError>> {
        let own = library::own_origins(&self.shared.config.load().http);
        if let Some(id) = library::prompt_of(url, &own) {
            let id = id.ok_or_else(|| Arc::new(FileError::NoNumber))?;
            return self.prompt(owner, id).await.map_err(Arc::new);
        }
        let cached = self.shared.cache.get(owner, url).await?;
        Ok(Sound {
            path: cached.name.clone(),
            file: cached,
        })
    }

    /// A stored prompt; another tenant's is as if it did not exist.
    async fn prompt(&self, owner: TenantId, id: PromptId) -> Result<Sound, FileError> {
        let shared = &self.shared;
        let storage = shared.storage.clone();
        let row = off_loop(move || Ok(storage.prompt(owner, id))).await;
        let row = row.map_err(|_| FileError::Ended)??;
        let now = shared.clock.wall();
        let row = row.filter(|row| !row.is_gone(now));
        let row = row.ok_or(FileError::NoPrompt(id))?;
        let row = shared.prompts.with_sound(row).await?;
        let storage = shared.storage.clone();
        let opened = off_loop(move || {
            let open = || -> Result<_, FileError> {
                let file = StoredSound::from(storage.open_prompt(&row)?);
                file.open()?;
                Ok((file, row))
            };
            Ok(open())
        });
        let (file, row) = opened.await.map_err(|_| FileError::Ended)??;
        let kind = row
            .sound
            .as_ref()
            .map_or("", |sound| sound.container.extension());
        Ok(Sound {
            file: Arc::new(file),
            path: format!("prompts/{id}.{kind}"),
        })
    }
}

/// Jobs on a runtime.
pub(super) struct FileJobs {
    pub(super) files: Files,
    pub(super) runtime: Handle,
    pub(super) done: mpsc::Sender<FilesDone>,
}

impl Prepare for FileJobs {
    fn begin(&self, key: FilesKey, owner: TenantId, urls: Urls) -> CallOff {
        let (files, done) = (self.files.clone(), self.done.clone());
        let task = self.runtime.spawn(async move {
            let result = files.prepare(owner, &urls).await;
            if result.is_ok() {
                files.tell(owner, key.session, &urls).await;
            }
            // The exchange has ended, and every call with it.
            let _ended = done.send(FilesDone { key, result }).await;
        });
        CallOff(Some(task.abort_handle()))
    }
}

/// Opens a file as it will be opened to play it.
fn check(path: &std::path::Path) -> Result<(), DecodeError> {
    decode::open(std::fs::File::open(path)?).map(drop)
}
