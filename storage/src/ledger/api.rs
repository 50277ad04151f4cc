//! The ledger's part of the store's handle: telling it, asking it, proving what it says.

use std::path::Path;

use super::acts::Underway;
use super::chain::{ChainEnd, Hash, LogId};
use super::checkpoints::{CHECKPOINTS, CheckpointHook};
use super::entry::{Act, Entry, Kind};
use super::key::PublicKey;
use super::lead::lead_to;
use super::proof::ChainProof;
use super::query::{AuditCursor, AuditFilter, AuditPage, page};
use super::seek::covering;
use super::segments;
use crate::error::{ReadError, WriteError};
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::{Applied, Change};
use crate::index::commit::Job;
use crate::index::ledger::place_before;
use crate::index::tables::meta;
use crate::limits::PAGE_MAX;

/// How the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerStatus {
    /// Which ledger it is.
    pub log: LogId,
    /// Its last entry.
    pub end: ChainEnd,
    /// The last entry that a checkpoint of this run covers; 0 before the first.
    pub covered: u64,
    /// Why checkpoints cannot be written.
    pub failing: Option<String>,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    /// No such entry.
    #[error("the ledger has no entry {0}")]
    NoEntry(u64),
    /// No checkpoint.
    #[error("no checkpoint covers entry {seq}{}", reason(why.as_deref()))]
    NoCheckpoint {
        /// Which entry.
        seq: u64,
        /// Why none can be made.
        why: Option<String>,
    },
    /// The log is not what it was.
    #[error("the ledger does not lead from entry {0} to its checkpoint; run 'callreel check'")]
    Chain(u64),
    /// The index or the log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn reason(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(": {why}"))
}

impl StorageHandle {
    /// Tells the ledger of an act without waiting. False when too many wait already; then the
    /// ledger tells how many are missing.
    pub fn record_act(&self, act: Act) -> bool {
        match self.shared.ledger.acts.push(self.signed(act)) {
            None => false,
            Some(call) => {
                self.call_writer(call, false);
                true
            }
        }
    }

    /// Tells the ledger of an act at once, and gives what to wait for until it is durable. Once
    /// this has returned the act is on its way, whether anybody waits or not. `None` as
    /// [`Self::record_act`]'s false.
    #[must_use = "it is there to be waited for"]
    pub fn record_act_awaited(&self, act: Act) -> Option<Underway> {
        let (call, underway) = self.shared.ledger.acts.push_awaited(self.signed(act))?;
        self.call_writer(call, true);
        Some(underway)
    }

    fn signed(&self, mut act: Act) -> Act {
        if let Some(warrant) = &self.warrant {
            warrant.sign(&mut act);
        }
        act
    }

    fn call_writer(&self, call: bool, urgent: bool) {
        let wake = Job {
            change: Change::All(Vec::new()),
            urgent,
            keep: false,
            reply: None,
        };
        // A full queue means that the writer comes round anyway.
        if call && self.shared.committer.offer(wake).is_err() {
            self.shared.ledger.acts.not_called();
        }
    }

    /// Tells the ledger of an act; durable when it returns. Answers the entry's number.
    ///
    /// # Errors
    /// [`WriteError`]: it is not in the ledger then.
    pub fn record_act_durably(&self, act: Act) -> Result<u64, WriteError> {
        match self.commit(Change::Tell(Box::new(act)))? {
            Applied::Told(seq) => Ok(seq),
            _ => Ok(0),
        }
    }

    /// A page of the ledger, newest first, at most `limit` entries (1 to [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, ReadError> {
        let folder = self.shared.layout.ledger();
        page(&self.shared.index, &folder, filter, after, limit)
    }

    /// An entry by its number, and the hash after it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn audit_entry(&self, seq: u64) -> Result<Option<(Entry, Hash)>, ReadError> {
        let reading = self.shared.index.begin_read()?;
        let Some(place) = place_before(&reading, seq)? else {
            return Ok(None);
        };
        let folder = self.shared.layout.ledger();
        segments::find(&folder, place, seq).map_err(ReadError::Ledger)
    }

    /// Numbers of the entries that say what a recording's file is, oldest first: sealed or
    /// imported, then each exchange. The last one counts.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn content_entries(
        &self,
        tenant: TenantId,
        id: RecordingId,
    ) -> Result<Vec<u64>, ReadError> {
        let filter = AuditFilter {
            recording: Some(id),
            tenant: Some(tenant),
            kinds: vec![Kind::Sealed, Kind::Imported, Kind::Exchanged],
            ..AuditFilter::default()
        };
        let (mut numbers, mut after) = (Vec::new(), None);
        loop {
            let page = self.audit(&filter, after, PAGE_MAX)?;
            numbers.extend(page.entries.iter().map(|entry| entry.seq));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What proves an entry. A checkpoint is made for it where none covers it yet.
    ///
    /// # Errors
    /// [`NoProof`].
    pub fn proof_of(&self, seq: u64) -> Result<ChainProof, NoProof> {
        let status = self.ledger_status()?;
        if seq == 0 || seq > status.end.seq {
            return Err(NoProof::NoEntry(seq));
        }
        let path = self.checkpoints_dir().join(CHECKPOINTS);
        let key = self.ledger_key();
        let find = || {
            let found = covering(&path, &status.log, key.as_ref(), seq);
            found.map_err(ReadError::Ledger)
        };
        let checkpoint = match find()? {
            Some(checkpoint) => checkpoint,
            None => {
                let made = self.shared.ledger.checkpoints.cover(seq);
                let made = made.then(find);
                let why = self.shared.ledger.checkpoints.failing();
                let none = NoProof::NoCheckpoint { seq, why };
                made.transpose()?.flatten().ok_or(none)?
            }
        };
        let folder = self.shared.layout.ledger();
        lead_to(&self.shared.index, &folder, seq, &checkpoint)
    }

    /// Makes a checkpoint of the ledger as it is now; false when it cannot be written.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn checkpoint_now(&self) -> Result<bool, ReadError> {
        let status = self.ledger_status()?;
        Ok(self.shared.ledger.checkpoints.cover(status.end.seq))
    }

    /// Asks for a checkpoint of the ledger as it is now, without waiting for it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn want_checkpoint(&self) -> Result<(), ReadError> {
        let status = self.ledger_status()?;
        self.shared.ledger.checkpoints.want(status.end.seq);
        Ok(())
    }

    /// Calls this with the line of each new checkpoint, without its end, on the thread that signs
    /// them. The first one told stays.
    pub fn on_checkpoint(&self, hook: CheckpointHook) {
        self.shared.ledger.checkpoints.when_signed(hook);
    }

    /// The public key of the checkpoints that are signed now.
    #[must_use]
    pub fn ledger_key(&self) -> Option<PublicKey> {
        let bytes = self.shared.index.meta(meta::LEDGER_KEY).ok()??;
        bytes.try_into().ok().map(PublicKey)
    }

    /// The folder of checkpoints, and of the public keys that signed them (`<key id>.pem`).
    #[must_use]
    pub fn checkpoints_dir(&self) -> &Path {
        self.shared.ledger.checkpoints.folder()
    }

    /// How the ledger is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn ledger_status(&self) -> Result<LedgerStatus, ReadError> {
        let head = self.shared.index.ledger_head(meta::LEDGER_HEAD)?;
        let none = || ReadError::Ledger(std::io::ErrorKind::NotFound.into());
        let head = head.ok_or_else(none)?;
        Ok(LedgerStatus {
            log: head.log,
            end: head.end,
            covered: self.shared.ledger.checkpoints.covered(),
            failing: self.shared.ledger.checkpoints.failing(),
        })
    }
}
