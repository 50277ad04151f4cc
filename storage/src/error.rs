//! What can go wrong, one enum per operation. Causes are typed; texts name the remedy.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ids::{PromptId, RecordingId, RecordingName, TenantId, TenantName};
use crate::limits::{PASSWORD_BYTES, SPEECH_TEXT_MAX, USER_GROUPS_MAX};
use crate::retention::{PlaceError, Protection};

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder of the store.
    #[error("{what} '{}': {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process has the store open.
    #[error("'{}' is in use by another process; stop the daemon first", .0.display())]
    Locked(PathBuf),
    /// The index file.
    #[error("index: {0}; 'callreel reindex' rebuilds it from the recordings")]
    Index(#[from] redb::Error),
    /// The index was written by a newer version.
    #[error(
        "the index has schema {found}, this version knows up to {known}: upgrade callreel, {}",
        way_back_text(way_back.as_deref())
    )]
    NewerSchema {
        /// What the index says.
        found: u32,
        /// The newest this version knows.
        known: u32,
        /// A copy of the index from before it was migrated, which this version can read.
        way_back: Option<PathBuf>,
    },
    /// There is no room for a copy of the index, which must be there before it is changed.
    #[error(
        "the index is of an older version and is copied before it is changed, which needs \
         {needed} bytes in '{}', where {free} are free: free some, then start again",
        folder.display()
    )]
    NoRoom {
        /// Where the copy goes.
        folder: PathBuf,
        /// Bytes that must be free.
        needed: u64,
        /// Bytes that are.
        free: u64,
    },
    /// A value of the index's own book-keeping cannot be read.
    #[error("the index's '{0}' is unreadable; 'callreel reindex' rebuilds it")]
    Meta(&'static str),
    /// The system gave no random bytes.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
    /// A thread could not be started.
    #[error("thread '{0}': {1}")]
    Thread(&'static str, io::Error),
    /// The store's disk is not there.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The key that signs checkpoints of the ledger.
    #[error("the key '{}' that signs the ledger's checkpoints: {problem}", path.display())]
    LedgerKey {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: crate::ledger::key::KeyError,
    },
    /// The key that the store made for itself is gone.
    #[error(
        "the key {id} that signs the ledger's checkpoints is not in '{}': put it back from a \
         backup; if it is lost for good, 'callreel audit new-key' makes another, which the ledger \
         tells of; nothing was recorded, changed or deleted",
        path.display()
    )]
    LedgerKeyLost {
        /// Its file.
        path: PathBuf,
        /// Which key it was.
        id: crate::ledger::key::KeyId,
    },
}

fn way_back_text(copy: Option<&std::path::Path>) -> String {
    match copy {
        Some(path) => format!(
            "or go back to the copy from before the upgrade with 'callreel restore \
             --index-backup {}' and then 'callreel reindex'",
            path.display()
        ),
        None => "or put a backup of this version back with 'callreel restore'".to_owned(),
    }
}

/// Why the index could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The index file.
    #[error("index: {0}")]
    Index(#[from] redb::Error),
    /// One row of it.
    #[error("the row of recording {0} is unreadable; run 'callreel check'")]
    Row(RecordingId),
    /// A tenant's row.
    #[error("the row of tenant {0} is unreadable; run 'callreel check'")]
    TenantRow(TenantId),
    /// A prompt's row.
    #[error("the row of prompt {0} is unreadable; run 'callreel check'")]
    PromptRow(PromptId),
    /// The ledger, which the index leads to.
    #[error("ledger: {0}; run 'callreel check'")]
    Ledger(io::Error),
}

macro_rules! from_redb {
    ($target:ident: $($source:ident),*) => { $(
        impl From<redb::$source> for $target {
            fn from(error: redb::$source) -> Self {
                Self::Index(error.into())
            }
        }
    )* };
}
from_redb!(ReadError: TransactionError, TableError, StorageError);
from_redb!(OpenError: TransactionError, TableError, StorageError, CommitError, DatabaseError);

/// Why an index change was not committed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The index file; the change was not made.
    #[error("index: {0}")]
    Index(#[from] redb::Error),
    /// The store is being closed.
    #[error("the store is closing")]
    Closing,
}
from_redb!(WriteError: TransactionError, TableError, StorageError, CommitError);

/// Why a recording's peaks cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PeaksError {
    /// It was too short to keep, or its file is gone.
    #[error("recording {0} has no file")]
    NoFile(RecordingId),
    /// The file is not as long as its row says.
    #[error("file of recording {id} has {found} bytes instead of {expected}; run 'callreel check'")]
    Length {
        /// Which recording.
        id: RecordingId,
        /// By the row.
        expected: u64,
        /// By the file system.
        found: u64,
    },
    /// Version 1 has one channel.
    #[error("version 1 has one channel: ask for version 2, or for both legs mixed")]
    Channels,
    /// Too many wait already; ask again.
    #[error("peaks of recording {0} cannot be had right now; try again")]
    Busy(RecordingId),
    /// The file cannot be read.
    #[error("file of recording {0}: {1}")]
    Io(RecordingId, io::Error),
    /// Its sound cannot be decoded.
    #[error("sound of recording {0}: {1}")]
    Decode(RecordingId, Arc<audio_io::codec::pcm::DecodeError>),
    /// The store is being closed.
    #[error("the store is closing")]
    Closing,
    /// The index.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl PeaksError {
    /// The same for one more who waited.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::NoFile(id) => Self::NoFile(*id),
            Self::Length {
                id,
                expected,
                found,
            } => Self::Length {
                id: *id,
                expected: *expected,
                found: *found,
            },
            Self::Channels => Self::Channels,
            Self::Busy(id) => Self::Busy(*id),
            Self::Io(id, error) => Self::Io(*id, io::Error::new(error.kind(), error.to_string())),
            Self::Decode(id, error) => Self::Decode(*id, Arc::clone(error)),
            // Only the making of peaks is told to several, and that reads no index.
            Self::Closing | Self::Read(_) => Self::Closing,
        }
    }
}

/// Why a recording's bytes cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It was too short to keep, or its file is gone.
    #[error("recording {0} has no file")]
    NoFile(RecordingId),
    /// The file is not as long as its row says.
    #[error("file of recording {id} has {found} bytes instead of {expected}; run 'callreel check'")]
    Length {
        /// Which recording.
        id: RecordingId,
        /// By the row.
        expected: u64,
        /// By the file system.
        found: u64,
    },
    /// The recorder has too many such questions waiting; ask again.
    #[error("recording {0} cannot be looked at right now; try again")]
    Busy(RecordingId),
    /// The file cannot be opened or mapped.
    #[error("file of recording {0}: {1}")]
    Io(RecordingId, io::Error),
    /// A prompt whose sound was not made yet, or whose file is gone.
    #[error("prompt {0} has no file")]
    NoPrompt(PromptId),
    /// A prompt's file is not as long as its row says.
    #[error("file of prompt {id} has {found} bytes instead of {expected}; run 'callreel check'")]
    PromptLength {
        /// Which prompt.
        id: PromptId,
        /// By the row.
        expected: u64,
        /// By the file system.
        found: u64,
    },
    /// A prompt's file cannot be opened or mapped.
    #[error("file of prompt {0}: {1}")]
    PromptIo(PromptId, io::Error),
    /// The index, when a live recording turned out to have ended.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a file was not brought in. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A name that must be unique is in use.
    #[error("{0:?} is taken by another recording; leave it out or choose another")]
    NameTaken(RecordingName),
    /// The tenant does not exist.
    #[error("no tenant {0}")]
    NoTenant(TenantId),
    /// Reading the source or writing the copy.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a recording was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The tenant has no such recording.
    #[error("no recording {0}")]
    NotFound(RecordingId),
    /// It is being recorded.
    #[error("recording {0} is still being recorded; stop it first")]
    Live(RecordingId),
    /// Something keeps it.
    #[error("recording {0} is not deleted: {1}")]
    Kept(RecordingId, Protection),
    /// Holds may have been lost.
    #[error(
        "nothing is deleted: the index was rebuilt or restored and holds may be missing; set them \
         again, then say so"
    )]
    Suspended,
    /// The store's disk is not there.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The row is gone but the file could not be removed; the next start tries again.
    #[error("the recording is deleted, its file is not yet: {0}")]
    Io(io::Error),
}

/// Why a tenant was not added.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// The name is in use.
    #[error("tenant '{0}' exists")]
    Exists(TenantName),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a key was not issued or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key has this id.
    #[error("no key {0}")]
    NotFound(u64),
    /// No tenant has this id.
    #[error("no such tenant")]
    NoTenant,
    /// No user of the tenant has this id, or the user is switched off.
    #[error("the tenant has no user {0} that is switched on")]
    NoUser(u64),
    /// There is nothing left to rotate.
    #[error("key {0} is revoked or has expired; issue a new one")]
    Ended(u64),
    /// The system gave no random bytes.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a check could not be carried out. What it finds is no error.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A folder could not be listed.
    #[error("'{}': {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why the index was not rebuilt. The old one is untouched.
#[derive(Debug, thiserror::Error)]
pub enum ReindexError {
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new index could not be written.
    #[error("new index: {0}")]
    Index(#[from] redb::Error),
    /// A file or folder.
    #[error("'{}': {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
from_redb!(ReindexError: TransactionError, TableError, StorageError, CommitError, DatabaseError);

/// Why users, sessions, lock-outs or signing keys could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The user's name is in use.
    #[error("user '{0}' exists")]
    UserExists(crate::ids::UserName),
    /// No such user.
    #[error("no user '{0}'")]
    NoUser(crate::ids::UserName),
    /// No such tenant.
    #[error("no tenant {0}")]
    NoTenant(TenantId),
    /// No such signing key.
    #[error("no signing key {0}")]
    NoSigningKey(u32),
    /// The password is too short or too long.
    #[error("a password has {} to {} bytes", PASSWORD_BYTES.0, PASSWORD_BYTES.1)]
    Password,
    /// Too many groups.
    #[error("a user has at most {USER_GROUPS_MAX} groups")]
    Groups,
    /// All places are taken.
    #[error("there are {0} users or sessions; that is the most there can be")]
    Full(usize),
    /// Argon2 failed, for want of memory.
    #[error("the password cannot be hashed")]
    Hash,
    /// The system gave no random bytes.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a prompt was not added, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The tenant has no such prompt.
    #[error("no prompt {0}")]
    NotFound(PromptId),
    /// The tenant does not exist.
    #[error("no tenant {0}")]
    NoTenant(TenantId),
    /// A name that is empty, too long or has control characters in it.
    #[error("a prompt's name is 1 to 128 characters, none of them a control character")]
    Name,
    /// A text that is empty or too long to be spoken.
    #[error("a text to be spoken has 1 to {SPEECH_TEXT_MAX} bytes")]
    Text,
    /// Reading the source or writing the copy.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a conversion is not kept or not found.
#[derive(Debug, thiserror::Error)]
pub enum DerivedError {
    /// Its source was deleted or changed meanwhile.
    #[error("the recording was deleted or changed meanwhile")]
    Gone,
    /// Conversions would leave too little space for recordings.
    #[error("the disk is nearly full; nothing is converted until there is space")]
    NoSpace,
    /// The file system.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a recording's file was not replaced; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// It was deleted, or changed, or is not sealed.
    #[error("the recording was deleted or changed meanwhile, or is not sealed")]
    Gone,
    /// The file system.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
