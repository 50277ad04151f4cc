//! SKELETON
//! The prompt library's policy: a prompt whose sound is not there yet is fetched or spoken once,
//! however many ask for it, and kept.
use std::sync::Arc;

use audio_io::clock::Clock;
use storage::handle::StorageHandle;
use storage::prompt::PromptRow;

use super::fetch::Fetcher;
use crate::config::schema::Speech;

/// The only door to prompts' sounds. Cheap to clone.
#[derive(Clone)]
pub struct Prompts {
    _storage: StorageHandle,
}

/// Why a prompt has no sound; the next one who asks makes it try again.
#[derive(Debug, thiserror::Error)]
pub enum PromptFailure {
    /// The URL was refused or failed.
    #[error(transparent)]
    Fetch(#[from] super::fetch::FetchError),
    /// The engine was not there, failed, took too long or gave no sound.
    #[error("speech: {0}")]
    Speech(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Whoever made it for all failed; the journal has the cause under its request.
    #[error("{0}")]
    Shared(Arc<Self>),
    /// The store.
    #[error(transparent)]
    Store(#[from] storage::error::PromptError),
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
        let _ = (fetcher, speech, clock);
        Self { _storage: storage }
    }

    /// The prompt with its sound, made now if it was not yet.
    ///
    /// # Errors
    /// [`PromptFailure`].
    pub async fn with_sound(&self, row: PromptRow) -> Result<PromptRow, PromptFailure> {
        let _ = row;
        todo!()
    }
}
