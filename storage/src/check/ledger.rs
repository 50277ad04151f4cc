//! The check's part for the ledger: the chain, its checkpoints, and the recordings that it tells
//! of against the rows that the index has.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::finding::{BadCheckpoint, Ledgered};
use super::{Check, Finding};
use crate::error::{CheckError, ReadError};
use crate::ids::RecordingId;
use crate::index::keys::split_recording;
use crate::index::tables::meta;
use crate::ledger::chain::{Hash, LogId};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::checkpoints::CHECKPOINTS;
use crate::ledger::entry::{Entry, Kind};
use crate::ledger::key::{KeyId, PublicKey};
use crate::ledger::segments;
use crate::ledger::verify::{BadEntry, Chain, Header, Placed, Problem};
use crate::ledger::walk::{Walk, walk};
use crate::ledger::writer::Head;
use crate::limits::{CHECK_ROWS, CHECKPOINT_BEHIND_MAX, CHECKPOINTS_MAX};
use crate::record::{Recording, RecordingState};

/// What the ledger is compared with.
#[derive(Clone, Debug, Default)]
pub struct LedgerTrust {
    /// The folder of checkpoints; that of the store where it is not told.
    pub checkpoints: Option<PathBuf>,
    /// Only these keys sign for the ledger. Where none is told: those of the checkpoints' folder
    /// and those that the ledger itself tells of, which somebody who writes all of them anew could
    /// have made.
    pub keys: Vec<PublicKey>,
    /// Lines of checkpoints that were kept apart: from a printer, a log host, another disk.
    pub lines: Vec<String>,
}

/// What a walk over a ledger gave.
#[derive(Debug, Default)]
pub struct LedgerReport {
    /// Good entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// The newest of them.
    pub newest: Option<Checkpoint>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What a check has proved of the ledger, findings apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Good entries in a chain.
    pub entries: u64,
    /// The last entry's number.
    pub end: u64,
    /// Checkpoints with good signatures that it was compared with; findings tell which differ.
    pub checkpoints: u64,
    /// The newest of them.
    pub newest: Option<Checkpoint>,
}

impl LedgerReport {
    /// The number of the first entry that is not as it should be.
    #[must_use]
    pub fn first_bad(&self) -> Option<u64> {
        let bad = self.findings.iter().filter_map(|finding| match finding {
            Finding::Ledger(bad) => Some(bad.seq),
            _ => None,
        });
        bad.min()
    }
}

/// Checks a ledger by itself: its folder, and checkpoints. The index is not needed, and so a tail
/// that was cut off is found by checkpoints only.
///
/// # Errors
/// A folder cannot be listed or read.
pub fn check_ledger(folder: &Path, trust: &LedgerTrust) -> io::Result<LedgerReport> {
    let signed = Signed::read(folder, trust)?;
    let mut seen = Seen::default();
    seen.walk(folder, None, signed)?;
    Ok(seen.report)
}

impl Check<'_> {
    /// The ledger, and what it tells of recordings.
    pub(super) fn ledger(&mut self, trust: &LedgerTrust) -> Result<(), CheckError> {
        let folder = self.layout.ledger();
        let mut trust = trust.clone();
        let place = trust.checkpoints.take();
        trust.checkpoints = Some(place.unwrap_or_else(|| self.layout.checkpoints()));
        let read = |source| CheckError::Io {
            path: folder.clone(),
            source,
        };
        // First the checkpoints, then the head: it covers all of them.
        let mut signed = Signed::read(&folder, &trust).map_err(read)?;
        let head = self.index.ledger_head(meta::LEDGER_HEAD)?;
        let floor = self.index.ledger_head(meta::LEDGER_FLOOR)?;
        signed.log = head.or(floor).map(|head| head.log).or(signed.log);
        if head.is_none() && floor.is_none() && segments::list(&folder).map_err(read)?.is_empty() {
            // Of an earlier version, and not opened since.
            return Ok(());
        }
        let mut seen = Seen::default();
        let chain = seen.walk(&folder, head.as_ref(), signed).map_err(read)?;
        if let Some(floor) = floor
            && chain.end.seq < floor.end.seq
        {
            seen.bad(BadEntry {
                seq: chain.end.seq.saturating_add(1),
                segment: None,
                problem: Problem::Missing(floor.end.seq),
            });
        }
        self.report.bytes += seen.report.bytes;
        self.report.proved = Some(Proved {
            entries: seen.report.entries,
            end: chain.end.seq,
            checkpoints: seen.report.checkpoints,
            newest: seen.report.newest.take(),
        });
        for finding in std::mem::take(&mut seen.report.findings) {
            self.report.found(finding);
        }
        if self.index.meta(meta::LEDGER_ADOPT)?.is_some() {
            return Ok(());
        }
        self.told(&mut seen, chain.end.seq)
    }

    /// Rows against what was told of them.
    fn told(&mut self, seen: &mut Seen, end: u64) -> Result<(), CheckError> {
        let mut after = None;
        loop {
            let rows = self.index.walk(after, CHECK_ROWS)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (key, row) in rows {
                let (_, id) = split_recording(&key);
                let problem = match &row {
                    Ok(row) => seen.row(row),
                    // That it is unreadable is told already.
                    Err(_) => seen.recordings.remove(&id).and(None),
                };
                self.differs(id, problem, end)?;
            }
        }
        let left = seen.recordings.drain();
        let mut gone: Vec<_> = left
            .filter(|(_, last)| matches!(last.told, Told::File(_)))
            .map(|(id, last)| (id, last.seq))
            .collect();
        gone.sort_unstable();
        for (id, seq) in gone {
            if !matches!(self.index.by_id(id), Ok(Some(_)) | Err(ReadError::Row(_))) {
                self.differs(id, Some(Ledgered::Gone(seq)), end)?;
            }
        }
        Ok(())
    }

    /// Notes a difference, unless the ledger tells more of the recording since it was read.
    fn differs(
        &mut self,
        id: RecordingId,
        problem: Option<Ledgered>,
        end: u64,
    ) -> Result<(), CheckError> {
        if let Some(problem) = problem
            && !self.index.is_told_after(id, end)?
        {
            self.report.found(Finding::Ledgered { id, problem });
        }
        Ok(())
    }
}

/// Checkpoints as they were read, and the keys that may have signed them.
struct Signed {
    log: Option<LogId>,
    lines: Vec<Option<Checkpoint>>,
    /// How many of them are the file's; the others were kept apart.
    own: usize,
    keys: HashMap<KeyId, PublicKey>,
    /// The ledger itself may tell of more keys.
    open: bool,
}

impl Signed {
    fn read(folder: &Path, trust: &LedgerTrust) -> io::Result<Self> {
        let place = trust.checkpoints.as_deref();
        let mut lines = place.map_or_else(|| Ok(Vec::new()), read_lines)?;
        let own = lines.len();
        lines.extend(trust.lines.iter().cloned());
        let open = trust.keys.is_empty();
        let mut keys: Vec<PublicKey> = trust.keys.clone();
        if let Some(place) = place.filter(|_| open) {
            keys.extend(read_keys(place)?);
        }
        let parsed = lines.iter().map(|line| Checkpoint::parse(line).ok());
        Ok(Self {
            log: log_of(folder),
            lines: parsed.collect(),
            own,
            keys: keys.into_iter().map(|key| (key.id(), key)).collect(),
            open,
        })
    }

    /// Those of this ledger, in order of their numbers.
    fn of_ledger(&self) -> Vec<Checkpoint> {
        let all = self.lines.iter().flatten();
        let mine = all.filter(|it| self.log.is_none_or(|log| log == it.log));
        let mut mine: Vec<_> = mine.cloned().collect();
        mine.sort_by_key(|it| it.end.seq);
        mine
    }

    fn wrong_with(&self, it: &Checkpoint, before: &mut u64) -> Option<BadCheckpoint> {
        if self.log.is_some_and(|log| log != it.log) {
            return Some(BadCheckpoint::Foreign(it.log));
        }
        match self.keys.get(&it.key) {
            None => return Some(BadCheckpoint::UnknownKey(it.key)),
            Some(key) if !it.is_signed_by(key) => return Some(BadCheckpoint::Signature(it.key)),
            Some(_) => {}
        }
        if it.end.seq <= *before {
            return Some(BadCheckpoint::Order(it.end.seq));
        }
        *before = it.end.seq;
        None
    }
}

/// What an entry says a recording's file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// These bytes; half of the hash is enough to tell.
    File([u8; 16]),
    Deleted,
    /// Nothing was ever there.
    Nothing,
}

#[derive(Clone, Copy)]
struct Last {
    seq: u64,
    told: Told,
    before: Told,
    /// The file before it is the same sound, and was told, too: an index that was made anew may
    /// have found it again where an exchange was cut off.
    exchanged: bool,
}

#[derive(Default)]
struct Seen {
    report: LedgerReport,
    recordings: HashMap<RecordingId, Last>,
    keys: HashMap<KeyId, PublicKey>,
    /// The hashes after the entries that checkpoints are of.
    reached: HashMap<u64, Option<Hash>>,
}

fn half(hash: &Hash) -> Told {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.0[..16]);
    Told::File(half)
}

impl Walk for Seen {
    fn entry(&mut self, placed: Placed) {
        self.report.entries += 1;
        self.report.bytes += placed.length;
        if self.report.entries.is_multiple_of(4_096) {
            crate::progress::step();
        }
        if let Some(reached) = self.reached.get_mut(&placed.entry.seq) {
            *reached = Some(placed.hash);
        }
        self.effect(&placed.entry);
    }

    fn bad(&mut self, bad: BadEntry) {
        self.report.findings.push(Finding::Ledger(bad));
    }

    fn unreadable(&mut self, path: PathBuf, problem: io::Error) {
        let finding = Finding::LedgerUnreadable { path, problem };
        self.report.findings.push(finding);
    }
}

impl Seen {
    fn effect(&mut self, entry: &Entry) {
        let told = match entry.kind {
            Kind::SigningKey => {
                let key = entry.details.get("public_key").and_then(|key| key.as_str());
                let key = key.and_then(PublicKey::from_base64);
                self.keys.extend(key.map(|key| (key.id(), key)));
                return;
            }
            Kind::Sealed | Kind::Imported | Kind::Exchanged | Kind::Undone => {
                let hash = entry.hash_in("blake3");
                hash.map_or(Told::Nothing, |hash| half(&hash))
            }
            Kind::Deleted => Told::Deleted,
            _ => return,
        };
        let Some(id) = entry.recording else {
            return;
        };
        let last = self.recordings.get(&id).copied();
        let before = last.map_or(Told::Nothing, |last| last.told);
        if entry.kind == Kind::Undone {
            let undoes = entry.details.get("undoes").and_then(|seq| seq.as_u64());
            let good = last.is_some_and(|last| Some(last.seq) == undoes && last.before == told);
            if !good {
                // It takes back what was never so: what was told before counts.
                return;
            }
        }
        let seq = entry.seq;
        let last = Last {
            seq,
            told,
            before,
            exchanged: entry.kind == Kind::Exchanged,
        };
        self.recordings.insert(id, last);
    }

    fn walk(
        &mut self,
        folder: &Path,
        head: Option<&Head>,
        mut signed: Signed,
    ) -> io::Result<Chain> {
        let of_ledger = signed.of_ledger();
        let numbers = of_ledger.iter().map(|it| (it.end.seq, None));
        self.reached = numbers.collect();
        let chain = walk(folder, head, of_ledger, self)?;
        if signed.open {
            signed.keys.extend(std::mem::take(&mut self.keys));
        }
        let (mut before, mut good) = (0, HashSet::new());
        // Entries of which somebody whose key is known signed another hash.
        let mut disproved = HashSet::new();
        for (number, checkpoint) in signed.lines.iter().enumerate() {
            if number == signed.own {
                before = 0;
            }
            let problem = match checkpoint {
                None => Some(BadCheckpoint::Form),
                Some(it) => signed.wrong_with(it, &mut before),
            };
            match (problem, checkpoint) {
                (Some(problem), _) => {
                    let line = number as u64 + 1;
                    let finding = Finding::Checkpoint { line, problem };
                    self.report.findings.push(finding);
                }
                (None, Some(it)) => {
                    good.insert(it.end.seq);
                    let newest = &mut self.report.newest;
                    if newest.as_ref().is_none_or(|held| held.end.seq < it.end.seq) {
                        *newest = Some(it.clone());
                    }
                    let reached = self.reached.get(&it.end.seq).copied().flatten();
                    if reached.is_some_and(|hash| hash != it.end.hash) {
                        disproved.insert(it.end.seq);
                    }
                }
                (None, None) => {}
            }
        }
        self.report.checkpoints = good.len() as u64;
        // What nobody signed proves nothing against the ledger.
        self.report.findings.retain(|finding| match finding {
            Finding::Ledger(BadEntry {
                problem: Problem::Checkpoint(seq),
                ..
            }) => disproved.contains(seq),
            _ => true,
        });
        self.ends(&chain, good.into_iter().max(), signed.own as u64);
        Ok(chain)
    }

    /// Compares the end with the newest checkpoint.
    fn ends(&mut self, chain: &Chain, newest: Option<u64>, own: u64) {
        let (last, newest) = (chain.end.seq, newest.unwrap_or(0));
        let whole = |finding: &Finding| !matches!(finding, Finding::Ledger(_));
        if newest > last && self.report.findings.iter().all(whole) {
            self.bad(BadEntry {
                seq: last.saturating_add(1),
                segment: None,
                problem: Problem::Beyond(newest),
            });
        }
        let behind = last.saturating_sub(newest);
        if behind > CHECKPOINT_BEHIND_MAX {
            let problem = BadCheckpoint::Behind(behind);
            let line = own;
            let finding = Finding::Checkpoint { line, problem };
            self.report.findings.push(finding);
        }
    }

    /// Compares a row with what was told of it.
    fn row(&mut self, row: &Recording) -> Option<Ledgered> {
        let id = row.facts.id;
        let outcome = row.outcome.as_ref();
        let ends = matches!(row.state, RecordingState::Stored | RecordingState::Failed);
        let held = outcome.filter(|_| ends);
        let held = held.map(|outcome| half(&Hash(outcome.content_hash)));
        match (held, self.recordings.remove(&id)) {
            (Some(_), None) => Some(Ledgered::Untold),
            (Some(held), Some(last)) => match last.told {
                told if told == held => None,
                _ if last.exchanged && last.before == held => None,
                Told::Deleted => Some(Ledgered::Deleted(last.seq)),
                _ => Some(Ledgered::Other(last.seq)),
            },
            (None, Some(last)) if matches!(last.told, Told::File(_)) => {
                Some(Ledgered::Other(last.seq))
            }
            (None, _) => None,
        }
    }
}

/// The ledger that the first segment's first line is of.
fn log_of(folder: &Path) -> Option<LogId> {
    let (first, _) = segments::list(folder).ok()?.into_iter().next()?;
    let mut lines = segments::lines(folder, first, 0).ok()?;
    let (_, line) = lines.read().ok()??;
    Header::parse(line).map(|header| header.log)
}

/// The public keys that lie beside the checkpoints.
fn read_keys(folder: &Path) -> io::Result<Vec<PublicKey>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut keys = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "pem")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            keys.extend(PublicKey::from_pem(&text).ok());
        }
    }
    Ok(keys)
}

/// Whole lines of the checkpoints' file; a last one without an end is being written.
fn read_lines(folder: &Path) -> io::Result<Vec<String>> {
    let bytes = match std::fs::read(folder.join(CHECKPOINTS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes?,
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let bytes = &bytes[..whole.map_or(0, |at| at + 1)];
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let text = |line: &[u8]| String::from_utf8_lossy(&line[..line.len() - 1]).into_owned();
    Ok(lines.take(CHECKPOINTS_MAX).map(text).collect())
}
