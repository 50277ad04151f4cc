//! The prompt library's rows: stored sounds and texts to be spoken, a tenant each (seed 000's
//! `cdw` assets), as plain values.

use audio_io::format::StreamFormat;
use audio_io::units::{Frames, WallMillis};
use serde::{Deserialize, Serialize};

use crate::ids::{PromptId, RecordingId, TenantId};
use crate::record::Container;

/// Where a prompt's sound comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptOrigin {
    /// A file that was sent.
    Upload,
    /// A file that is fetched from a URL when it is first played.
    Url(String),
    /// A text that is spoken when it is first played.
    Speech(Speech),
    /// A copy of a recording's sound, as it was stored then.
    Recording(RecordingId),
}

/// A text and how it is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speech {
    /// UTF-8, 1 to [`crate::limits::SPEECH_TEXT_MAX`] bytes.
    pub text: String,
    /// The engine's voice or language, e.g. `en-us`, `es`; the configured one if `None`.
    pub voice: Option<String>,
}

/// The file of a prompt that has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptSound {
    /// Its format.
    pub container: Container,
    /// Rate and channels.
    pub format: StreamFormat,
    /// Its length.
    pub frames: Frames,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// BLAKE3 of the file.
    pub content_hash: [u8; 32],
    /// When it was stored.
    pub stored_at: WallMillis,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptRow {
    /// Unique over all tenants, never reused: `cdw_id`.
    pub id: PromptId,
    /// Whose.
    pub tenant: TenantId,
    /// A name for people, 1 to 128 characters.
    pub name: String,
    /// Where its sound comes from.
    pub origin: PromptOrigin,
    /// Its file; `None` until it was first made.
    pub sound: Option<PromptSound>,
    /// When it was added.
    pub created_at: WallMillis,
    /// From then on it is as if deleted.
    pub expires_at: Option<WallMillis>,
    /// When it was deleted (`cdw_del_date`); the row stays, the file goes.
    pub deleted_at: Option<WallMillis>,
}

impl PromptRow {
    /// Whether it was deleted, or ended by itself at or before `now`.
    #[must_use]
    pub fn is_gone(&self, now: WallMillis) -> bool {
        self.deleted_at.is_some() || self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What a prompt is added with.
#[derive(Clone, Debug)]
pub struct NewPrompt {
    /// Whose.
    pub tenant: TenantId,
    /// A name for people.
    pub name: String,
    /// Where its sound comes from.
    pub origin: PromptOrigin,
    /// When it ends by itself.
    pub expires_at: Option<WallMillis>,
}

/// What a prompt's file is, as probed by whoever made it.
#[derive(Clone, Copy, Debug)]
pub struct SoundFacts {
    /// Its format.
    pub container: Container,
    /// Rate and channels.
    pub format: StreamFormat,
    /// Its length.
    pub frames: Frames,
}
