//! The prompt library's policy: a prompt whose sound is not there yet is fetched or spoken once,
//! however many ask for it, and kept. A failure is kept by nobody: the next who asks tries again.
//!
//! ```text
//!  with_sound ──▶ has one? ──▶ under way? ──▶ a turn (two at once)
//!                                               ├─ Url ────▶ fetch ───────────────┐
//!                                               └─ Speech ─▶ upstream or command ─┤
//!                                                            └─ MP3 (speech.rs)   ▼
//!                                                            store_prompt_sound
//! ```

mod command;
mod speech;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audio_io::clock::Clock;
use storage::error::PromptError;
use storage::handle::StorageHandle;
use storage::ids::PromptId;
use storage::prompt::{PromptOrigin, PromptRow, SoundFacts};
use storage::scratch::Scratch;
use tokio::sync::{Semaphore, watch};

pub use self::speech::is_voice;

use super::fetch::{FetchError, Fetched, Fetcher};
use super::limits;
use crate::config::schema::Speech;
use crate::spool::off_loop;

/// The only door to prompts' sounds. Cheap to clone.
#[derive(Clone)]
pub struct Prompts {
    shared: Arc<Shared>,
}

struct Shared {
    storage: StorageHandle,
    fetcher: Fetcher,
    speech: Speech,
    clock: Arc<dyn Clock>,
    under_way: Mutex<HashMap<PromptId, watch::Receiver<Landed>>>,
    turns: Semaphore,
}

/// How making a prompt's sound ended, once it has.
type Landed = Option<Result<PromptRow, Arc<PromptFailure>>>;

/// Why a prompt has no sound; the next one who asks makes it try again.
#[derive(Debug, thiserror::Error)]
pub enum PromptFailure {
    /// The URL was refused or failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The engine was not there, failed, took too long or gave no sound.
    #[error("speech: {0}")]
    Speech(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Whoever made it for all who asked failed.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// Its file is gone, and there is nothing to make it from again.
    #[error("prompt {0} has no file, and nothing that one could be made from")]
    NoSource(PromptId),
    /// Too many prompts are being made.
    #[error("{} prompts are being made already", limits::PROMPTS_WAITING)]
    Busy,
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
    /// The store.
    #[error(transparent)]
    Store(#[from] PromptError),
}

impl Prompts {
    /// Prompts under this configuration.
    #[must_use]
    pub fn new(
        storage: StorageHandle,
        fetcher: Fetcher,
        speech: Speech,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shared = Shared {
            storage,
            fetcher,
            speech,
            clock,
            under_way: Mutex::default(),
            turns: Semaphore::new(limits::PROMPTS_AT_ONCE),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The prompt with its sound, made now if it was not yet. Making it goes on, and is kept, when
    /// the caller goes away.
    ///
    /// # Errors
    /// [`PromptFailure`].
    pub async fn with_sound(&self, row: PromptRow) -> Result<PromptRow, PromptFailure> {
        if row.sound.is_some() {
            return Ok(row);
        }
        let mut landed = self.join(row)?;
        // Nobody tells anything any more once the runtime that it is made on has ended.
        let landed = landed.wait_for(Option::is_some).await;
        match landed.map(|landed| landed.clone()) {
            Ok(Some(made)) => made.map_err(PromptFailure::Shared),
            Ok(None) | Err(_) => Err(PromptFailure::Stopping),
        }
    }

    /// Whether a URL could be fetched for a prompt, as far as its form and addresses go.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn inspect(&self, url: &str) -> Result<(), FetchError> {
        self.shared.fetcher.inspect(url).await
    }

    /// Joins those who wait for a prompt, or begins to make it.
    fn join(&self, row: PromptRow) -> Result<watch::Receiver<Landed>, PromptFailure> {
        let mut under_way = self.shared.lock();
        if let Some(landed) = under_way.get(&row.id) {
            return Ok(landed.clone());
        }
        if under_way.len() >= limits::PROMPTS_WAITING {
            return Err(PromptFailure::Busy);
        }
        let (tell, landed) = watch::channel(None);
        under_way.insert(row.id, landed.clone());
        let entry = Entry {
            shared: Arc::clone(&self.shared),
            id: row.id,
        };
        tokio::spawn(async move {
            let made = entry.shared.make(row).await.map_err(Arc::new);
            // In this order, so that nobody joins what is over.
            drop(entry);
            tell.send_replace(Some(made));
        });
        Ok(landed)
    }
}

/// Keeps a prompt under way; also if its task is dropped half done.
struct Entry {
    shared: Arc<Shared>,
    id: PromptId,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.id);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<PromptId, watch::Receiver<Landed>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn and makes a prompt's sound.
    async fn make(&self, row: PromptRow) -> Result<PromptRow, PromptFailure> {
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| PromptFailure::Stopping)?;
        let (tenant, id, storage) = (row.tenant, row.id, self.storage.clone());
        let row = off_loop(move || Ok(storage.prompt(tenant, id))).await;
        let row = row.map_err(writing)?.map_err(PromptError::from)?;
        let row = row.filter(|row| row.deleted_at.is_none());
        let row = row.ok_or(PromptError::NotFound(id))?;
        // Between the caller's look and this turn somebody may have made it.
        if row.sound.is_some() {
            return Ok(row);
        }
        let began = self.clock.monotonic();
        let made = self.make_from(&row).await;
        let took = self.clock.monotonic().saturating_sub(began).as_millis();
        match &made {
            Ok(_) => log::info!(prompt = id.0; "prompt {id} was made in {took} ms"),
            Err(error) => {
                log::warn!(prompt = id.0; "prompt {id} was not made: {}", Chain(error));
            }
        }
        made
    }

    async fn make_from(&self, row: &PromptRow) -> Result<PromptRow, PromptFailure> {
        let (scratch, facts) = match &row.origin {
            PromptOrigin::Upload | PromptOrigin::Recording(_) => {
                return Err(PromptFailure::NoSource(row.id));
            }
            PromptOrigin::Url(url) => {
                let scratch = self.scratch("fetched").await?;
                let facts = match self.fetcher.fetch(url, scratch.path(), None).await? {
                    Fetched::Sound { facts, .. } => facts,
                    Fetched::Unchanged => return Err(FetchError::Status(304).into()),
                };
                (scratch, facts)
            }
            PromptOrigin::Speech(speech) => speech::speak(self, speech)
                .await
                .map_err(|error| PromptFailure::Speech(error.into()))?,
        };
        let (tenant, id, storage) = (row.tenant, row.id, self.storage.clone());
        let stored =
            off_loop(move || Ok(storage.store_prompt_sound(tenant, id, scratch.path(), facts)));
        Ok(stored.await.map_err(writing)??)
    }

    /// A file to make something in.
    async fn scratch(&self, extension: &'static str) -> Result<Scratch, PromptFailure> {
        let storage = self.storage.clone();
        off_loop(move || storage.scratch(extension))
            .await
            .map_err(writing)
    }
}

/// A sound that is ready to be stored.
type Ready = (Scratch, SoundFacts);

fn writing(source: std::io::Error) -> PromptFailure {
    let what = "writing the prompt's sound";
    PromptError::Io { what, source }.into()
}

/// An error with what caused it, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut said = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors repeat their cause in their own text.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}
