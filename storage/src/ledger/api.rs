//! The ledger's part of the store's handle: telling it, asking it, proving what it says.

use std::path::Path;

use super::acts::Underway;
use super::chain::{ChainEnd, Hash, LogId};
use super::checkpoint::Checkpoint;
use super::checkpoints::{CHECKPOINTS, CheckpointHook};
use super::entry::{Act, Entry, Kind};
use super::key::PublicKey;
use super::proof::ChainProof;
use super::query::{AuditCursor, AuditFilter, AuditPage, page};
use super::segments;
use super::verify::split;
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
        let checkpoint = match self.checkpoint_from(&status.log, seq)? {
            Some(checkpoint) => checkpoint,
            None => {
                let made = self.shared.ledger.checkpoints.cover(seq);
                let made = made.then(|| self.checkpoint_from(&status.log, seq));
                let why = self.shared.ledger.checkpoints.failing();
                let none = NoProof::NoCheckpoint { seq, why };
                made.transpose()?.flatten().ok_or(none)?
            }
        };
        self.lead_to(seq, &checkpoint)
    }

    /// The first checkpoint at or after an entry.
    fn checkpoint_from(&self, log: &LogId, seq: u64) -> Result<Option<Checkpoint>, ReadError> {
        let path = self.checkpoints_dir().join(CHECKPOINTS);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(ReadError::Ledger)?,
        };
        let key = self.ledger_key();
        let parsed = text.lines().filter_map(|line| Checkpoint::parse(line).ok());
        let mut good = parsed.filter(|it| it.log == *log && it.end.seq >= seq);
        Ok(good.find(|it| key.is_none_or(|key| it.key != key.id() || it.is_signed_by(&key))))
    }

    fn lead_to(&self, seq: u64, checkpoint: &Checkpoint) -> Result<ChainProof, NoProof> {
        let folder = self.shared.layout.ledger();
        let reading = self.shared.index.begin_read().map_err(NoProof::Read)?;
        let place = |seq| Ok::<_, NoProof>(place_before(&reading, seq)?);
        let io = |error| NoProof::Read(ReadError::Ledger(error));
        let before = match seq.checked_sub(1) {
            None | Some(0) => Hash::ZERO,
            Some(before) => {
                let place = place(before)?.ok_or(NoProof::Chain(seq))?;
                let found = segments::find(&folder, place, before).map_err(io)?;
                found.ok_or(NoProof::Chain(seq))?.1
            }
        };
        let (mut entry, mut after) = (None, Vec::new());
        let (at, mut segment, offset) = place(seq)?.ok_or(NoProof::Chain(seq))?;
        let mut lines = segments::lines(&folder, segment, offset).map_err(io)?;
        let mut number = at;
        while number <= checkpoint.end.seq {
            let Some((_, line)) = lines.read().map_err(io)? else {
                if segment == number {
                    return Err(NoProof::Chain(seq));
                }
                segment = number;
                lines = segments::lines(&folder, segment, 0).map_err(io)?;
                lines.read().map_err(io)?;
                continue;
            };
            let (_, json) = split(line).map_err(|_| NoProof::Chain(seq))?;
            if number == seq {
                entry = Some(String::from_utf8_lossy(json).into_owned());
            } else if number > seq {
                after.push(Hash::of(json));
            }
            number += 1;
        }
        let proof = ChainProof {
            prev_hash: before,
            entry: entry.ok_or(NoProof::Chain(seq))?,
            after,
            checkpoint: checkpoint.to_string(),
        };
        if proof.leads_to(checkpoint) {
            Ok(proof)
        } else {
            Err(NoProof::Chain(seq))
        }
    }

    /// Makes a checkpoint of the ledger as it is now; false when it cannot be written.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn checkpoint_now(&self) -> Result<bool, ReadError> {
        let status = self.ledger_status()?;
        Ok(self.shared.ledger.checkpoints.cover(status.end.seq))
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
