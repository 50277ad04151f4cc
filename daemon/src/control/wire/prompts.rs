//! The prompt library: sounds and texts that a tenant plays.

use serde::{Deserialize, Serialize};
use storage::ids::TenantName;

use super::access::Expiry;

/// A prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Prompt {
    /// `cdw_id`, as text.
    pub prompt_id: String,
    /// Whose.
    pub tenant: String,
    /// A name for people.
    pub name: String,
    /// Where its sound comes from.
    pub origin: PromptSource,
    /// Its sound; null until it was first played.
    pub sound: Option<PromptSound>,
    /// When it was added, RFC 3339.
    pub created_at: String,
    /// When it ends by itself, RFC 3339.
    pub expires_at: Option<String>,
    /// When it was deleted, RFC 3339.
    pub deleted_at: Option<String>,
}

/// Where a prompt's sound comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptSource {
    /// A file that was sent.
    Upload,
    /// A file that is fetched when it is first played.
    Url {
        /// From here.
        url: String,
    },
    /// A text that is spoken when it is first played.
    Speech {
        /// The text.
        text: String,
        /// The engine's voice; the configured one if null.
        voice: Option<String>,
    },
    /// A copy of a recording's sound.
    Recording {
        /// Its number.
        recid: String,
    },
}

/// A prompt's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PromptSound {
    /// `wav`, `mp3`, `m4a`, `webm`, `ogg` or `flac`.
    pub container: String,
    /// Its length.
    pub duration_ms: u64,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// When it was stored, RFC 3339.
    pub stored_at: String,
}

/// `POST /prompts`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddPrompt {
    /// Whose it will be.
    pub tenant: TenantName,
    /// A name for people, 1 to 128 characters.
    pub name: String,
    /// Where its sound comes from.
    pub origin: NewPromptSource,
    /// When it ends by itself.
    #[serde(default)]
    pub expires: Option<Expiry>,
    /// Whether a text is spoken, or a URL fetched, now and not when it is first played. Fails if
    /// that fails; the prompt stays.
    #[serde(default)]
    pub now: bool,
}

/// Where a new prompt's sound comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewPromptSource {
    /// A file, copied now.
    File {
        /// Absolute, as the daemon sees it.
        path: String,
    },
    /// A file, fetched.
    Url {
        /// From here.
        url: String,
    },
    /// A text, spoken.
    Speech {
        /// The text, 1 to 10000 bytes.
        text: String,
        /// The engine's voice; the configured one if null.
        #[serde(default)]
        voice: Option<String>,
    },
}
