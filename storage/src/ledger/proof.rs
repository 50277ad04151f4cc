//! Proof that one entry is in the ledger: its hash before, itself, the digests of what follows up
//! to a signed checkpoint. It is verified without the store.

use serde::{Deserialize, Serialize};

use super::chain::Hash;
use super::checkpoint::Checkpoint;
use super::entry::{Entry, EntryError};
use super::key::{KeyId, PublicKey};

/// What proves one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainProof {
    /// The hash before the entry.
    pub prev_hash: Hash,
    /// The entry as the ledger has it, byte for byte.
    pub entry: String,
    /// SHA-256 of each entry that follows it, up to the checkpoint.
    pub after: Vec<Hash>,
    /// The checkpoint's line, without its end.
    pub checkpoint: String,
}

/// What a good proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The entry.
    pub entry: Entry,
    /// The hash after it.
    pub hash: Hash,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
}

/// Why a proof shows nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The checkpoint's line.
    #[error("the proof's checkpoint: it is not spelled as checkpoints are written")]
    Checkpoint,
    /// No key for the checkpoint.
    #[error(
        "the proof's checkpoint is signed with key {0}, which is not among those that are trusted"
    )]
    UnknownKey(KeyId),
    /// A wrong signature.
    #[error("the proof's checkpoint of entry {0} is not signed by key {1}")]
    Signature(u64, KeyId),
    /// The entry.
    #[error("the proof's entry: {0}")]
    Entry(#[from] EntryError),
    /// The chain from the entry does not lead to the checkpoint.
    #[error("entry {seq} does not lead to the checkpoint of entry {checkpoint}")]
    Chain {
        /// The entry's number.
        seq: u64,
        /// The checkpoint's.
        checkpoint: u64,
    },
}

impl ChainProof {
    /// Verifies a proof with the keys that are trusted.
    ///
    /// # Errors
    /// [`ProofError`]: it shows nothing then.
    pub fn verify(&self, trusted: &[PublicKey]) -> Result<Proven, ProofError> {
        let checkpoint = Checkpoint::parse(&self.checkpoint);
        let checkpoint = checkpoint.map_err(|_| ProofError::Checkpoint)?;
        let key = trusted.iter().find(|key| key.id() == checkpoint.key);
        let key = key.ok_or(ProofError::UnknownKey(checkpoint.key))?;
        let end = checkpoint.end.seq;
        if !checkpoint.is_signed_by(key) {
            return Err(ProofError::Signature(end, checkpoint.key));
        }
        let entry = Entry::from_json(self.entry.as_bytes())?;
        if !self.leads_to(&checkpoint) || self.end_of(entry.seq) != Some(end) {
            let (seq, checkpoint) = (entry.seq, end);
            return Err(ProofError::Chain { seq, checkpoint });
        }
        let hash = self.prev_hash.then(&Hash::of(self.entry.as_bytes()));
        Ok(Proven {
            entry,
            hash,
            checkpoint,
        })
    }

    /// Whether the hashes lead to those of a checkpoint.
    pub(crate) fn leads_to(&self, checkpoint: &Checkpoint) -> bool {
        let hash = self.prev_hash.then(&Hash::of(self.entry.as_bytes()));
        let last = self.after.iter().fold(hash, |hash, next| hash.then(next));
        last == checkpoint.end.hash
    }

    /// The number of the last entry it leads to.
    fn end_of(&self, seq: u64) -> Option<u64> {
        seq.checked_add(self.after.len().try_into().ok()?)
    }
}
