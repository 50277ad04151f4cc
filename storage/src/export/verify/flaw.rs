//! What can be wrong with an archive.

use std::io;

use crate::backup::tar::TarError;
use crate::export::key::fingerprint;
use crate::export::manifest::FORMAT;
use crate::ids::RecordingId;
use crate::ledger::key::{KeyId, PublicKey};

/// The first thing that is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// It could not be read; nothing is known of it.
    #[error("the archive cannot be read: {0}")]
    Io(#[source] io::Error),
    /// It begins like something else.
    #[error("it is not an archive that 'callreel export' made")]
    NotOne,
    /// A newer version made it.
    #[error(
        "it has format {found}, written by {made_by}; this version knows format {FORMAT}: check it \
         with that version, or with the verify.py in it"
    )]
    Newer {
        /// What it says.
        found: u32,
        /// Who wrote it.
        made_by: String,
    },
    /// It ends in the middle.
    #[error("it ends in the middle: it was cut off, or not copied whole")]
    Truncated,
    /// A header is not in its one spelling.
    #[error("the header at byte {0} is damaged, or was not written by 'callreel export'")]
    Header(u64),
    /// Bytes where there must be zeros, or nothing.
    #[error("there are stray bytes at {0}")]
    Stray(u64),
    /// A member is longer than one of its kind can be.
    #[error("member '{0}' is longer than any can be")]
    TooLong(String),
    /// Another member than the one that must be there: one is missing, added, or moved.
    #[error("member '{found}' is where {wanted} must be")]
    Misplaced {
        /// What is there.
        found: String,
        /// What must be there.
        wanted: String,
    },
    /// A member is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A member cannot be what it must be.
    #[error("member '{member}' is not what it must be: {what}")]
    Spelling {
        /// Which.
        member: String,
        /// In what.
        what: String,
    },
    /// It was signed with another key than the one that it must be signed with.
    #[error(
        "it is signed with key {} (SHA-256 {}), not with the expected key {} (SHA-256 {})",
        found.id(), fingerprint(found), expected.id(), fingerprint(expected)
    )]
    OtherKey {
        /// The key in it.
        found: PublicKey,
        /// The key that was expected.
        expected: PublicKey,
    },
    /// The manifest is not the one that was signed.
    #[error("the manifest is not what key {0} signed: it or its signature was changed")]
    Signature(KeyId),
    /// The manifest says something else than what is in the archive.
    #[error("the manifest does not fit the archive: {0}")]
    Manifest(String),
    /// A member is not what the manifest says.
    #[error("member '{member}' was changed: it is not what the signed manifest says")]
    Damaged {
        /// Which.
        member: String,
    },
    /// A checkpoint is not signed, or belongs to no proof.
    #[error("the checkpoint of entry {seq}: {what}")]
    Checkpoint {
        /// How far the ledger was.
        seq: u64,
        /// In what.
        what: String,
    },
    /// A proof does not prove its recording.
    #[error("recording {id} is not proved by '{member}': {what}")]
    Proof {
        /// The recording.
        id: RecordingId,
        /// The proof.
        member: String,
        /// In what.
        what: String,
    },
}

impl Flaw {
    pub(super) fn misplaced(found: &str, wanted: &str) -> Self {
        // Names of members are quoted, descriptions of what is wanted are not.
        let plain = wanted.starts_with("the ") || wanted.starts_with("recording ");
        let wanted = if plain {
            wanted.to_owned()
        } else {
            format!("'{wanted}'")
        };
        Self::Misplaced {
            found: found.chars().take(100).collect(),
            wanted,
        }
    }

    /// The word that tells its kind, in JSON and in `verify.py` too.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Io(_) => "unreadable",
            Self::NotOne => "not_an_export",
            Self::Newer { .. } => "newer",
            Self::Truncated => "truncated",
            Self::Header(_) => "header",
            Self::Stray(_) => "stray",
            Self::TooLong(_) => "too_long",
            Self::Misplaced { .. } => "misplaced",
            Self::Missing(_) => "missing",
            Self::Spelling { .. } => "spelling",
            Self::OtherKey { .. } => "other_key",
            Self::Signature(_) => "signature",
            Self::Manifest(_) => "manifest",
            Self::Damaged { .. } => "damaged",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Proof { .. } => "proof",
        }
    }

    /// The member that it is about, where it is about one.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::TooLong(member)
            | Self::Misplaced { found: member, .. }
            | Self::Spelling { member, .. }
            | Self::Damaged { member }
            | Self::Proof { member, .. } => Some(member),
            Self::Signature(_) => Some(crate::export::names::SIGNATURE),
            Self::Manifest(_) => Some(crate::export::names::MANIFEST),
            Self::Checkpoint { .. } => Some(crate::export::names::CHECKPOINTS),
            Self::OtherKey { .. } => Some(crate::export::names::KEY),
            _ => None,
        }
    }

    /// Whether the archive could not be judged, rather than being wrong.
    #[must_use]
    pub const fn is_unjudged(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Newer { .. })
    }
}

impl From<TarError> for Flaw {
    fn from(error: TarError) -> Self {
        match error {
            TarError::Io(error) => Self::Io(error),
            TarError::Truncated => Self::Truncated,
            TarError::NotOne => Self::NotOne,
            TarError::Header(at) => Self::Header(at),
            TarError::Stray(at) => Self::Stray(at),
            TarError::TooLong(name) => Self::TooLong(name),
        }
    }
}
