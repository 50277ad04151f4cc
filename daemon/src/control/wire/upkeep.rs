//! Checking and rebuilding the store.

use serde::{Deserialize, Serialize};

/// `POST /check`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Whether every file is read and compared with its hash.
    pub hashes: bool,
    /// Public keys, PEM: only these sign for the ledger; empty: those that the store knows.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The folder of checkpoints, absolute; by default the store's.
    #[serde(default)]
    pub checkpoints: Option<String>,
    /// Lines of checkpoints that were kept elsewhere.
    #[serde(default)]
    pub lines: Vec<String>,
}

/// The report of `POST /check`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whether nothing is wrong that cannot be made again.
    pub clean: bool,
    /// Recordings that were looked at.
    pub recordings: u64,
    /// Bytes of files that were looked at, or read when hashes were asked for.
    pub bytes: u64,
    /// How much was found.
    pub findings_total: u64,
    /// What was found; the first ten thousand.
    pub findings: Vec<Finding>,
    /// What is proved by the ledger; null where there is none yet.
    #[serde(default)]
    pub ledger: Option<Proved>,
}

/// What a check has proved of the ledger, findings apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    /// Good entries.
    pub entries: u64,
    /// The last entry's number.
    pub end: u64,
    /// Checkpoints with good signatures.
    pub checkpoints: u64,
    /// The newest of them.
    pub newest: Option<NewestCheckpoint>,
    /// Whether the keys were told by whoever asked.
    pub key_expected: bool,
}

/// The newest checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestCheckpoint {
    /// The last entry it covers.
    pub seq: u64,
    /// When it was signed, RFC 3339.
    pub at: String,
    /// How long ago that is, by the wall clock; null where that shows an earlier time.
    pub age_ms: Option<u64>,
    /// The key that signed it.
    pub key_id: String,
}

/// Something a check found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The recording.
    pub recid: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// Whether it can be made again from the recording.
    pub rebuildable: bool,
}

/// The report of `callreel reindex`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReindexReport {
    /// Recordings in the new index.
    pub recordings: u64,
    /// Tenants in it.
    pub tenants: u64,
    /// Keys carried over.
    pub keys: u64,
    /// The old index could not be read: its keys are gone and must be issued anew.
    pub old_unreadable: bool,
    /// Files that could not be taken in.
    pub skipped: Vec<Skipped>,
    /// Where the old index is kept.
    pub backup: Option<String>,
}

/// A file that could not be taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Skipped {
    /// The file.
    pub path: String,
    /// Why.
    pub problem: String,
}
