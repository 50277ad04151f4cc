//! The audit trail.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::ledger::proof::ChainProof;

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// `user`, `key`, `link`, `command` or `system`.
    pub kind: String,
    /// The number among those of its kind: a user's, a key's, a system user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name; of a failed login the one that was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number.
    pub seq: u64,
    /// When it happened, by the wall clock, RFC 3339.
    pub at: String,
    /// What happened.
    pub kind: String,
    /// Who did it; null where the store did it by itself.
    pub who: Option<Who>,
    /// The address it was done from.
    pub from: Option<String>,
    /// Whose it concerns.
    pub tenant: Option<String>,
    /// Which recording it concerns.
    pub recid: Option<String>,
    /// What else there is to tell.
    pub details: Map<String, Value>,
}

/// A page of `GET /audit`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditPage {
    /// Newest first.
    pub items: Vec<AuditEntry>,
    /// Give it as `cursor` to get the next page; a page may be empty and have one.
    pub next: Option<String>,
}

/// `GET /audit/{seq}`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditProof {
    /// The entry.
    pub entry: AuditEntry,
    /// The hash of the chain after it, in hexadecimal.
    pub hash: String,
    /// What leads from it to a signed checkpoint; null where there is none.
    pub proof: Option<ChainProof>,
    /// The last entry that the checkpoint covers.
    pub checkpoint_seq: Option<u64>,
    /// The key that signed the checkpoint.
    pub key_id: Option<String>,
    /// Why there is no proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproved: Option<String>,
}

/// `GET /audit/key`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditKey {
    /// The first four bytes of the key's SHA-256, in hexadecimal.
    pub key_id: String,
    /// All of the key's SHA-256.
    pub sha256: String,
    /// As `openssl` reads it.
    pub pem: String,
    /// The folder of checkpoints, and of the keys that signed them.
    pub checkpoints: Option<String>,
}

/// `POST /audit/checkpoint`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MadeCheckpoint {
    /// The last entry it covers.
    pub seq: u64,
    /// When it was signed, RFC 3339.
    pub at: String,
    /// The key that signed it.
    pub key_id: String,
    /// The signed line.
    pub line: String,
}
