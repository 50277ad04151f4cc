//! Exports: recordings as evidence. One archive with the files as they are in the store, what is
//! known of each, its place in the ledger, and a signature over all of it, so that anybody can
//! check it with no more than the archive and the public key.
//!
//! ```text
//!  rows ─▶ files ─▶ tar: head, README, verify.py, key, (recording, proof)…, checkpoints
//!            │ SHA-256, BLAKE3 on the way                                     │
//!            └─────────────▶ manifest.json ─▶ manifest.sig ───────────────────┴▶ last
//! ```
//!
//! FORMAT.md describes every byte. What checks an archive, `verify.rs` here and `verify.py` within
//! it, is written twice and tested with the same damaged archives.

mod draft;
mod key;
mod manifest;
mod names;
mod proof;
mod steps;
mod store;
mod verify;
mod write;

use std::path::PathBuf;

pub use draft::{Draft, DraftError};
pub use key::fingerprint;
pub use manifest::{Entry, FORMAT, FileEntry, Head, Hold, KeyEntry, Manifest};
pub use names::{MANIFEST_MAX, RECORDINGS_MAX};
pub use store::OfStore;
pub use verify::{Flaw, Report, verify};
pub use write::{write, write_file};

use crate::ids::{RecordingId, TenantId, TenantName};
use crate::ledger::key::{KeyId, PublicKey, SigningKey};
use crate::ledger::proof::ChainProof;
use crate::record::{Recording, RecordingState, WallMillis};

/// The script that checks an archive without this program.
pub const SCRIPT: &str = include_str!("verify.py");

/// What tells a person what the archive is.
pub(crate) const README: &str = include_str!("readme.txt");

/// A recording to export.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its row.
    pub row: Recording,
    /// Its file.
    pub path: PathBuf,
    /// Its tenant's name.
    pub tenant_name: Option<TenantName>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Legal holds that it is under.
    pub holds: Vec<Hold>,
    /// Until when it must be kept.
    pub keep_until: Option<WallMillis>,
}

impl Item {
    /// A recording of which no more is known than its row.
    #[must_use]
    pub const fn new(row: Recording, path: PathBuf, tenant_name: Option<TenantName>) -> Self {
        Self {
            row,
            path,
            tenant_name,
            tags: Vec::new(),
            holds: Vec::new(),
            keep_until: None,
        }
    }
}

/// What is known of a recording's entries in the ledger.
pub trait Proofs {
    /// Proofs of the entries that tell of a recording's file, in the ledger's order, each up to a
    /// checkpoint; none where the ledger has no such entry.
    ///
    /// # Errors
    /// Why they cannot be made.
    fn proofs(
        &mut self,
        tenant: TenantId,
        recording: RecordingId,
    ) -> Result<Vec<ChainProof>, Box<dyn std::error::Error + Send + Sync>>;
}

/// What to export, and how it is signed.
pub struct Export<'e> {
    /// The program's name and version.
    pub made_by: String,
    /// The machine's name.
    pub host: String,
    /// The time.
    pub made_at: WallMillis,
    /// A case, a reason: whatever whoever asks for it wants to be in it.
    pub note: Option<String>,
    /// The recordings, in the order that the archive gets.
    pub items: &'e [Item],
    /// Whether recordings may be in it that the ledger tells nothing of.
    pub unproved: bool,
    /// The key that signs the manifest.
    pub key: &'e SigningKey,
    /// Keys that checkpoints may be signed with; the archive has those that its checkpoints need.
    pub checkpoint_keys: &'e [PublicKey],
    /// Where the proofs come from.
    pub proofs: &'e mut dyn Proofs,
}

/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Recordings in it.
    pub recordings: u64,
    /// How many of them the ledger tells nothing of.
    pub unproved: u64,
    /// Bytes of recordings.
    pub sound_bytes: u64,
    /// Bytes of the archive.
    pub bytes: u64,
    /// BLAKE3 of the manifest, which stands for all of it: the ledger's entry of the export.
    pub manifest_blake3: [u8; 32],
}

/// Told the bytes of recordings done and in all; `false` stops the export.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64) -> bool;

/// Why an export was not made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No recordings.
    #[error("there are no recordings to export")]
    Nothing,
    /// Too many.
    #[error("an export holds at most {RECORDINGS_MAX} recordings, these are {0}: make several")]
    TooMany(usize),
    /// Too much to tell.
    #[error(
        "what is to be told of these recordings is longer than {MANIFEST_MAX} bytes: make \
             several exports"
    )]
    TooLong,
    /// One is not finished, or has no file.
    #[error("recording {id} is {state:?} and has no file that can be proved")]
    NoFile {
        /// Which.
        id: RecordingId,
        /// What it is.
        state: RecordingState,
    },
    /// One is there twice.
    #[error("recording {0} is listed twice")]
    Twice(RecordingId),
    /// A recording's file.
    #[error("recording {id}: reading '{}': {source}", path.display())]
    File {
        /// Whose.
        id: RecordingId,
        /// Which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A recording's file is longer or shorter than it was.
    #[error(
        "recording {id} has been changed: '{}' has {found} bytes and had {expected} when it was \
         sealed; nothing is exported that cannot be proved",
        path.display()
    )]
    Length {
        /// Whose.
        id: RecordingId,
        /// Which file.
        path: PathBuf,
        /// Its length when it was sealed.
        expected: u64,
        /// Its length.
        found: u64,
    },
    /// A recording's file is not what was sealed.
    #[error(
        "recording {id} has been changed: '{}' is not what was sealed (its BLAKE3 is another); \
         nothing is exported that cannot be proved",
        path.display()
    )]
    Changed {
        /// Whose.
        id: RecordingId,
        /// Which file.
        path: PathBuf,
    },
    /// The ledger tells nothing of a recording.
    #[error("recording {0} cannot be proved: the ledger tells nothing of its file")]
    Unproved(RecordingId),
    /// The proofs of a recording cannot be made.
    #[error("recording {id} cannot be proved: {source}")]
    Proofs {
        /// Whose.
        id: RecordingId,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The ledger tells something else of a recording than its row does.
    #[error("recording {id} cannot be proved: {what}")]
    Disproved {
        /// Whose.
        id: RecordingId,
        /// In what.
        what: String,
    },
    /// A checkpoint of a key that is not known.
    #[error(
        "recording {id} cannot be proved: its checkpoint is not signed by key {key}, or that \
             key is not known any more"
    )]
    Checkpoint {
        /// Whose.
        id: RecordingId,
        /// The key that it says it is of.
        key: KeyId,
    },
    /// Whoever takes the archive.
    #[error("the export cannot be written: {0}")]
    Write(#[source] std::io::Error),
    /// The archive's file.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// It was stopped.
    #[error("the export was stopped; nothing is left of it")]
    Stopped,
}

#[cfg(test)]
pub(crate) mod tests;
