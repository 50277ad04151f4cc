//! The manifest: everything that is told of an archive's recordings, in one spelling, so that its
//! signature is one of what it says and not of how somebody wrote it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use audio_io::format::StreamFormat;
use audio_io::units::{Frames, Millis};

use super::key::Hashed;
use super::names;
use crate::ids::{LineName, Names, Number, RecordingId, TenantId, TenantName};
use crate::ledger::key::PublicKey;
use crate::record::{Container, EndCause, Gap, LegLevel, Mark, RecordingState, WallMillis};

/// The layout that is written now.
pub const FORMAT: u32 = 1;

/// The first member: what the archive is, before anything else of it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// The program that wrote it, with its version.
    pub made_by: String,
}

/// What `manifest.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`], as in the head.
    pub format: u32,
    /// The program that wrote it, as in the head.
    pub made_by: String,
    /// When, by the machine's clock.
    pub made_at: WallMillis,
    /// The machine's name.
    pub host: String,
    /// What whoever made it wrote about it: a case, a reason.
    pub note: Option<String>,
    /// The key that signed the manifest.
    pub signing_key: KeyEntry,
    /// The keys that signed the checkpoints, ordered by their ids.
    pub checkpoint_keys: Vec<KeyEntry>,
    /// Members that are no recordings' and come before this one, in the archive's order.
    pub files: Vec<FileEntry>,
    /// The recordings, in the archive's order.
    pub recordings: Vec<Entry>,
}

/// A public key as the manifest tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// [`PublicKey::id`].
    pub id: String,
    /// [`PublicKey::to_base64`].
    pub public_key: String,
}

/// A member as the manifest tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the archive.
    pub name: String,
    /// Its length.
    pub size_bytes: u64,
    /// SHA-256 of it, in hex.
    pub sha256: String,
    /// BLAKE3 of it, in hex.
    pub blake3: String,
}

/// A recording as the manifest tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its file, as it is in the store.
    pub audio: FileEntry,
    /// Its place in the chain; `None` for a recording that is older than the chain.
    pub proof: Option<FileEntry>,
    /// Whose it is.
    pub tenant: TenantId,
    /// That tenant's name.
    pub tenant_name: Option<TenantName>,
    /// Its number.
    pub id: RecordingId,
    /// Its other names.
    pub names: Names,
    /// The line it came from.
    pub line: Option<LineName>,
    /// The caller's number.
    pub from: Option<Number>,
    /// The called number.
    pub to: Option<Number>,
    /// When its first frame was captured.
    pub started_at: WallMillis,
    /// How far `started_at` can be believed, where that is known.
    pub time_quality: Option<String>,
    /// Its length: the frames divided by the rate.
    pub duration_ms: Millis,
    /// The sound's format.
    pub format: StreamFormat,
    /// The file's format.
    pub container: Container,
    /// Stored, or failed: then the file holds what reached the disk.
    pub state: RecordingState,
    /// Why it ended.
    pub end_cause: EndCause,
    /// Its length in frames.
    pub frames: Frames,
    /// Frames that are missing; the file has silence there.
    pub gaps: Vec<Gap>,
    /// Digits, and spans that are masked, paused or left out.
    pub marks: Vec<Mark>,
    /// Levels, the caller's leg first.
    pub levels: Vec<LegLevel>,
    /// When it was sealed.
    pub sealed_at: WallMillis,
    /// Its tags.
    pub tags: Vec<String>,
    /// Legal holds that it is under.
    pub holds: Vec<Hold>,
    /// Until when it must be kept.
    pub keep_until: Option<WallMillis>,
}

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Its number among the recording's holds.
    pub id: u32,
    /// Why it was set.
    pub reason: String,
    /// Who set it.
    pub by: String,
    /// When.
    pub at: WallMillis,
}

impl From<&PublicKey> for KeyEntry {
    fn from(key: &PublicKey) -> Self {
        Self {
            id: key.id().to_string(),
            public_key: key.to_base64(),
        }
    }
}

impl KeyEntry {
    /// The key, if the entry is what [`KeyEntry::from`] makes of it.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        let key = PublicKey::from_base64(&self.public_key)?;
        (key.id().to_string() == self.id).then_some(key)
    }
}

impl FileEntry {
    pub(crate) fn new(name: impl Into<String>, hashed: Hashed) -> Self {
        Self {
            name: name.into(),
            size_bytes: hashed.bytes,
            sha256: hashed.sha256,
            blake3: hashed.blake3,
        }
    }
}

impl Manifest {
    /// The one spelling.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // Plain structs with text keys always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// A manifest in its one spelling; else what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.bytes() != bytes {
            return Err("it is not in the one spelling that there is".to_owned());
        }
        manifest.is_sound()?;
        Ok(manifest)
    }

    /// All members in the archive's order.
    pub(crate) fn members(&self) -> impl Iterator<Item = &FileEntry> {
        let (before, after) = self
            .files
            .split_at(self.files.len().min(names::BEFORE.len()));
        let recordings = self
            .recordings
            .iter()
            .flat_map(|entry| std::iter::once(&entry.audio).chain(&entry.proof));
        before.iter().chain(recordings).chain(after)
    }

    /// Whether it says nothing that cannot be.
    fn is_sound(&self) -> Result<(), String> {
        let told: Vec<_> = self.files.iter().map(|file| file.name.as_str()).collect();
        let wanted = names::BEFORE.into_iter().chain([names::CHECKPOINTS]);
        if !wanted.eq(told) {
            return Err("'files' lists other members than there must be".to_owned());
        }
        let ids = self.checkpoint_keys.iter().map(|key| &key.id);
        if !ids.is_sorted_by(|one, next| one < next) {
            return Err("'checkpoint_keys' is not ordered, or has a key twice".to_owned());
        }
        let keys = std::iter::once(&self.signing_key).chain(&self.checkpoint_keys);
        if let Some(bad) = keys.into_iter().find(|entry| entry.key().is_none()) {
            return Err(format!("key '{}' is not what its id says", bad.id));
        }
        if self.recordings.is_empty() {
            return Err("it has no recordings".to_owned());
        }
        let mut seen = HashSet::new();
        for (number, entry) in (1..).zip(&self.recordings) {
            let id = entry.id;
            if !seen.insert(id) {
                return Err(format!("recording {id} is in it twice"));
            }
            entry
                .is_sound(number)
                .map_err(|what| format!("recording {id}: {what}"))?;
        }
        Ok(())
    }
}

impl Entry {
    fn is_sound(&self, number: u32) -> Result<(), &'static str> {
        if self.audio.name != names::audio(number, self.container) {
            return Err("its file is named otherwise than its number and format say");
        }
        let proof = self.proof.as_ref();
        if proof.is_some_and(|proof| proof.name != names::proof(number)) {
            return Err("its proof is named otherwise than its number says");
        }
        if !matches!(self.state, RecordingState::Stored | RecordingState::Failed) {
            return Err("it is neither stored nor failed");
        }
        if self.format.rate.duration_of(self.frames) != self.duration_ms {
            return Err("its duration is not that of its frames");
        }
        Ok(())
    }
}
