//! What a check can find, and how it is told.

use std::path::PathBuf;

use crate::ids::{PromptId, RecordingId, RecordingName, TenantId};
use crate::index::keeping::KeepingFault;
use crate::ledger::chain::LogId;
use crate::ledger::key::KeyId;
use crate::ledger::verify::BadEntry;
use crate::retention::PlaceError;
use crate::segment::sealed;

/// Something that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// A row without its file.
    #[error("recording {id}: file '{}' is missing", path.display())]
    MissingFile {
        /// Which.
        id: RecordingId,
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of another length.
    #[error("recording {id}: the file has {found} bytes instead of {expected}")]
    Size {
        /// Which.
        id: RecordingId,
        /// By its row.
        expected: u64,
        /// By the file system.
        found: u64,
    },
    /// A file of other bytes.
    #[error("recording {id}: the file's bytes are not those that were sealed")]
    Hash {
        /// Which.
        id: RecordingId,
    },
    /// A file whose header or facts are damaged or are not its row's.
    #[error("recording {id}: {problem}")]
    Header {
        /// Which.
        id: RecordingId,
        /// What is wrong with it.
        problem: sealed::SealedError,
    },
    /// A file whose own facts differ from its row.
    #[error("recording {id}: the facts in its file are not those in the index")]
    Facts {
        /// Which.
        id: RecordingId,
    },
    /// Marks out of order, or beyond the recording's end.
    #[error("recording {id}: its marks do not fit its length")]
    Marks {
        /// Which.
        id: RecordingId,
    },
    /// A file that cannot be read.
    #[error("recording {id}: {problem}")]
    Unreadable {
        /// Which.
        id: RecordingId,
        /// Why.
        problem: std::io::Error,
    },
    /// A row that cannot be read.
    #[error("the row of recording {id} of tenant {tenant} is unreadable; 'callreel reindex'")]
    Row {
        /// Whose.
        tenant: TenantId,
        /// Which.
        id: RecordingId,
    },
    /// A row of a tenant, key, user, session, lock-out or signing key that cannot be read.
    #[error("row {key} in '{table}' is unreadable; 'callreel reindex' drops it")]
    AccountRow {
        /// The table.
        table: &'static str,
        /// The row's key: a number, or bytes in hexadecimal.
        key: String,
    },
    /// A name that does not lead to its recording.
    #[error("recording {id}: its name {name:?} does not lead to it; 'callreel reindex'")]
    Name {
        /// Which.
        id: RecordingId,
        /// The name.
        name: RecordingName,
    },
    /// A name that leads to no recording.
    #[error(
        "a name in '{table}' leads to recording {id}, which does not exist; 'callreel reindex'"
    )]
    DanglingName {
        /// The table.
        table: &'static str,
        /// What it leads to.
        id: RecordingId,
    },
    /// A file that belongs to no row; a conversion whose recording is gone, too.
    #[error("'{}' belongs to no recording", path.display())]
    Orphan {
        /// The file.
        path: PathBuf,
    },
    /// A prompt's row that cannot be read.
    #[error("the row of prompt {id} of tenant {tenant} is unreadable")]
    PromptRow {
        /// Whose.
        tenant: TenantId,
        /// Which.
        id: PromptId,
    },
    /// A prompt without its file.
    #[error("prompt {id}: file '{}' is missing", path.display())]
    MissingPrompt {
        /// Which.
        id: PromptId,
        /// Where it should be.
        path: PathBuf,
    },
    /// A prompt's file of another length.
    #[error("prompt {id}: the file has {found} bytes instead of {expected}")]
    PromptSize {
        /// Which.
        id: PromptId,
        /// By its row.
        expected: u64,
        /// By the file system.
        found: u64,
    },
    /// A prompt's file of other bytes.
    #[error("prompt {id}: the file's bytes are not those that were stored")]
    PromptHash {
        /// Which.
        id: PromptId,
    },
    /// A prompt's file that cannot be read.
    #[error("prompt {id}: {problem}")]
    PromptUnreadable {
        /// Which.
        id: PromptId,
        /// Why.
        problem: std::io::Error,
    },
    /// A file that belongs to no prompt.
    #[error("'{}' belongs to no prompt", path.display())]
    StrayPrompt {
        /// The file.
        path: PathBuf,
    },
    /// A place of the ledger that is not as it should be.
    #[error("{0}")]
    Ledger(BadEntry),
    /// The ledger's files cannot be read.
    #[error("ledger: '{}' cannot be read: {problem}", path.display())]
    LedgerUnreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        problem: std::io::Error,
    },
    /// A line of the checkpoints that proves nothing.
    #[error("checkpoints, line {line}: {problem}")]
    Checkpoint {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: BadCheckpoint,
    },
    /// A recording whose row is not what the ledger says of it.
    #[error("recording {id}: {problem}")]
    Ledgered {
        /// Which.
        id: RecordingId,
        /// What is wrong.
        problem: Ledgered,
    },
    /// Holds, a minimum or tags that are not as they should be.
    #[error("recording {id}: {problem}")]
    Keeping {
        /// Which recording they are of.
        id: RecordingId,
        /// What is wrong.
        problem: KeepingFault,
    },
    /// A folder that does not tell that it is this store's.
    #[error("store.id: {problem}")]
    StoreId {
        /// What is wrong.
        problem: PlaceError,
    },
    /// Peaks that are missing or damaged; they can be made again.
    #[error("recording {id}: its waveform peaks are missing or damaged; they can be made again")]
    Peaks {
        /// Which.
        id: RecordingId,
    },
}

/// How a recording's row differs from the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ledgered {
    /// Stored, and never told.
    #[error("the ledger has no entry that tells of it")]
    Untold,
    /// Stored, with other bytes.
    #[error("the file in the index is not the one that entry {0} of the ledger tells of")]
    Other(u64),
    /// Told to be deleted, and there.
    #[error("entry {0} of the ledger tells that it was deleted, and it is in the index")]
    Deleted(u64),
    /// Told, and not there.
    #[error("entry {0} of the ledger tells of it, it is not in the index, and was never deleted")]
    Gone(u64),
}

/// Why a checkpoint proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// No checkpoint.
    #[error("it is not spelled as checkpoints are written")]
    Form,
    /// Of another ledger.
    #[error("it is of another ledger ({0})")]
    Foreign(LogId),
    /// By nobody we know.
    #[error("it is signed with the unknown key {0}")]
    UnknownKey(KeyId),
    /// Not by the key it names.
    #[error("its signature is not by key {0}")]
    Signature(KeyId),
    /// Before the line above it.
    #[error("it is of entry {0}, which the line before it covers already")]
    Order(u64),
    /// None for very many entries.
    #[error("no checkpoint follows, and the ledger has {0} entries after it")]
    Behind(u64),
}

impl Finding {
    /// Whether what is missing can be made again from the recording.
    #[must_use]
    pub const fn is_rebuildable(&self) -> bool {
        matches!(self, Self::Peaks { .. })
    }
}
