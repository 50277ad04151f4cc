//! The ledger when the store opens: made where there is none, compared with what the index knows
//! of it, and taken over where it is ahead. What is not as it should be is told and never stops
//! the store: it goes on in a new segment, and what was there stays for a check to find.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::clock::Clock;

use super::acts::ActQueue;
use super::ahead::{self, Ahead};
use super::chain::LogId;
use super::checkpoints::{Checkpoints, Parts};
use super::entry::{Act, Actor, Kind};
use super::key::{KeyError, PublicKey, SigningKey};
use super::segments;
use super::writer::{Head, Watch, Writer};
use crate::error::OpenError;
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::keys::RecordingKey;
use crate::index::ledger::Attached;
use crate::index::rows::RowChange;
use crate::index::tables::meta;
use crate::limits::LEDGER_STEP;
use crate::open::{failed, open_error};
use crate::paths::{Layout, create_dirs};

/// Entries of the first commit of a ledger: its beginning and the key that signs for it.
const FIRST_ENTRIES: u64 = 2;

/// Where checkpoints go and what signs them; what is not told lies in the data folder.
#[derive(Clone, Debug, Default)]
pub struct LedgerOptions {
    /// The folder of checkpoints, best on another disk; it must be there.
    pub checkpoints: Option<PathBuf>,
    /// The private key in PEM; it must be there.
    pub key: Option<PathBuf>,
    /// Nothing is signed, and no key is needed: for a moment's work on a store whose daemon has
    /// the key.
    pub unsigned: bool,
}

/// What became of the ledger when the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerReport {
    /// Entries that the index did not know.
    pub taken_over: u64,
    /// Bytes of an entry that was not written whole.
    pub cut_bytes: u64,
    /// Recordings that were there before the ledger.
    pub adopted: u64,
    /// The log is not what the index knows of it: somebody must look.
    pub broken: Option<String>,
}

/// The parts that the store keeps.
pub(crate) struct Opened {
    pub(crate) acts: Arc<ActQueue>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) report: LedgerReport,
    pub(crate) key_file: PathBuf,
}

/// Opens the ledger; commits of the index are told to it from here on.
pub(crate) fn open(
    layout: &Layout,
    index: &Index,
    options: &LedgerOptions,
    clock: &Arc<dyn Clock>,
    watch: Option<Arc<dyn Watch>>,
) -> Result<Opened, OpenError> {
    let folder = layout.ledger();
    create_dirs(layout.root(), &folder)
        .map_err(|source| failed("creating the folder", &folder, source))?;
    let known = index.meta(meta::LEDGER_KEY).map_err(open_error)?;
    let key = if options.unsigned {
        None
    } else {
        Some(signing_key(layout, options, known.as_deref())?)
    };
    let public = key.as_ref().map(SigningKey::public);
    let acts = Arc::new(ActQueue::default());
    let checkpoints = Arc::new(Checkpoints::spawn(Parts {
        folder: options
            .checkpoints
            .clone()
            .unwrap_or_else(|| layout.checkpoints()),
        create: options.checkpoints.is_none(),
        key,
        clock: Arc::clone(clock),
    })?);
    let mut report = LedgerReport::default();
    let start = start(&folder, index, &mut report)?;
    let head = start.head;
    index.attach(Attached {
        writer: Writer::new(folder, head, watch),
        clock: Arc::clone(clock),
        checkpoints: Arc::clone(&checkpoints),
    });
    let mut changes: Vec<Change> = start.acts.into_iter().map(tell).collect();
    if start.first {
        // Whatever the index has was there before; a crash goes on from here.
        let none = vec![0; 12];
        changes.push(meta(meta::LEDGER_ADOPT, none));
    }
    if let Some(public) = public
        && known.as_deref() != Some(&public.0)
    {
        let told = Act::new(Kind::SigningKey).by(system());
        let told = told.with("key", public.id().to_string());
        changes.push(tell(told.with("public_key", public.to_base64())));
        changes.push(meta(meta::LEDGER_KEY, public.0.to_vec()));
    }
    if index
        .meta(meta::LEDGER_FLOOR)
        .map_err(open_error)?
        .is_some()
    {
        changes.push(Change::ForgetFloor);
    }
    if !changes.is_empty() {
        index.commit(&changes)?;
    } else {
        checkpoints.reached(head.log, head.end);
    }
    report.adopted = adopt(index)?;
    Ok(Opened {
        acts,
        checkpoints,
        report,
        key_file: options.key.clone().unwrap_or_else(|| layout.ledger_key()),
    })
}

fn meta(name: &'static str, bytes: Vec<u8>) -> Change {
    Change::Rows(vec![RowChange::Meta(name, bytes)])
}

fn tell(act: Act) -> Change {
    Change::Tell(Box::new(act))
}

fn system() -> Actor {
    Actor::system("ledger")
}

/// Where the ledger goes on, and what is to be told of that.
struct Start {
    head: Head,
    acts: Vec<Act>,
    /// The ledger begins with this start, or began with one that was cut off at once.
    first: bool,
}

fn start(folder: &Path, index: &Index, report: &mut LedgerReport) -> Result<Start, OpenError> {
    let io = |source| failed("reading the ledger in", folder, source);
    let known = index.ledger_head(meta::LEDGER_HEAD).map_err(open_error)?;
    let floor = index.ledger_head(meta::LEDGER_FLOOR).map_err(open_error)?;
    let Some(head) = known else {
        return from_files(folder, index, floor, report);
    };
    if !segments::holds(folder, &head).map_err(io)? {
        let problem = "the log does not hold the last entry that the index knows";
        return broken(folder, head, problem, head.end.seq, report);
    }
    let ahead = ahead::take_over(folder, index, head)?;
    if let Some(floor) = floor.filter(|floor| floor.end.seq > ahead.head.end.seq) {
        let problem = "the log ends before the last entry that the former index knew";
        return broken(folder, floor, problem, ahead.head.end.seq + 1, report);
    }
    finish(folder, index, ahead, report)
}

/// The index knows of no ledger: a new store, an older one, or an index that was made anew.
fn from_files(
    folder: &Path,
    index: &Index,
    floor: Option<Head>,
    report: &mut LedgerReport,
) -> Result<Start, OpenError> {
    let io = |source| failed("reading the ledger in", folder, source);
    let taken = ahead::take_all(folder, index)?;
    let Some(taken) = taken else {
        if let Some(floor) = floor {
            let problem = "the log is gone";
            return broken(folder, floor, problem, 1, report);
        }
        for (_, path) in segments::list(folder).map_err(io)? {
            ahead::set_aside(&path).map_err(io)?;
        }
        let mut log = [0; 16];
        getrandom::fill(&mut log).map_err(OpenError::Random)?;
        let log = LogId(log);
        let genesis = Act::new(Kind::Genesis)
            .by(system())
            .with("log", log.to_string())
            .with("version", env!("CARGO_PKG_VERSION"));
        return Ok(Start {
            head: Head::start(log),
            acts: vec![genesis],
            first: true,
        });
    };
    report.taken_over = taken.head.end.seq;
    if let Some(floor) = floor
        && (taken.head.end.seq < floor.end.seq || taken.head.log != floor.log)
    {
        let problem = "the log ends before the last entry that the former index knew";
        return broken(folder, floor, problem, taken.head.end.seq + 1, report);
    }
    if let Some(bad) = taken.bad {
        return broken(
            folder,
            taken.head,
            &bad.problem.to_string(),
            bad.seq,
            report,
        );
    }
    let first = floor.is_none() && taken.head.end.seq <= FIRST_ENTRIES;
    let start = finish(folder, index, taken, report)?;
    Ok(Start { first, ..start })
}

/// What lay behind the head is known now; what was no entry is cut off.
fn finish(
    folder: &Path,
    index: &Index,
    ahead: Ahead,
    report: &mut LedgerReport,
) -> Result<Start, OpenError> {
    let cut = ahead::cut(folder, &ahead.head)
        .map_err(|source| failed("cutting the ledger in", folder, source))?;
    report.taken_over = ahead.entries;
    report.cut_bytes = cut;
    let mut acts = Vec::new();
    if ahead.entries > 0 || cut > 0 {
        log::warn!(
            "ledger: {} entries after entry {} were unknown to the index, {cut} bytes cut off",
            ahead.entries,
            ahead.head.end.seq - ahead.entries,
        );
        let first = ahead.head.end.seq - ahead.entries + 1;
        let act = Act::new(Kind::Recovered).by(system());
        acts.push(
            act.with("first", first)
                .with("last", ahead.head.end.seq)
                .with("cut_bytes", cut),
        );
        acts.extend(ahead::undone(index, &ahead.effects).map_err(open_error)?);
    }
    Ok(Start {
        head: ahead.head,
        acts,
        first: false,
    })
}

/// Goes on from what the index knows, in a new segment.
fn broken(
    folder: &Path,
    head: Head,
    problem: &str,
    first_bad: u64,
    report: &mut LedgerReport,
) -> Result<Start, OpenError> {
    let head = head.in_new_segment();
    log::error!(
        "ledger: {problem}; entry {first_bad} is the first in question; somebody may have tampered \
         with '{}': run 'callreel check'; it goes on with entry {}",
        folder.display(),
        head.segment
    );
    let io = |source| failed("setting aside in", folder, source);
    for (first, path) in segments::list(folder).map_err(io)? {
        if first >= head.segment {
            ahead::set_aside(&path).map_err(io)?;
        }
    }
    report.broken = Some(format!("entry {first_bad}: {problem}"));
    let act = Act::new(Kind::Broken)
        .by(system())
        .with("problem", problem)
        .with("first_bad", first_bad);
    Ok(Start {
        head,
        acts: vec![act],
        first: false,
    })
}

/// The key that is told must be there. Our own is made for a store that had none; one that had one
/// has lost it, and only somebody who knows of that may go on with another.
fn signing_key(
    layout: &Layout,
    options: &LedgerOptions,
    known: Option<&[u8]>,
) -> Result<SigningKey, OpenError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |problem| OpenError::LedgerKey { path, problem }
    };
    if let Some(path) = &options.key {
        return SigningKey::read(path).map_err(wrong(path));
    }
    let path = layout.ledger_key();
    match SigningKey::read(&path) {
        Err(KeyError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            let known = known.and_then(|bytes| bytes.try_into().ok().map(PublicKey));
            if let Some(known) = known {
                let id = known.id();
                return Err(OpenError::LedgerKeyLost { path, id });
            }
            let folder = layout.keys();
            if !folder.exists() {
                create_dirs(layout.root(), &folder)
                    .and_then(|()| crate::restore::kept::only_for_owner(&folder))
                    .map_err(|source| failed("creating the folder", &folder, source))?;
            }
            log::info!(
                "a key for the ledger's checkpoints is made: '{}'",
                path.display()
            );
            SigningKey::create(&path).map_err(wrong(&path))
        }
        read => read.map_err(wrong(&path)),
    }
}

/// Takes the recordings of an older store into the ledger, in steps.
fn adopt(index: &Index) -> Result<u64, OpenError> {
    let Some(last) = index.meta(meta::LEDGER_ADOPT).map_err(open_error)? else {
        return Ok(0);
    };
    let last: RecordingKey = last
        .try_into()
        .map_err(|_| OpenError::Meta(meta::LEDGER_ADOPT))?;
    let mut after = (last != [0; 12]).then_some(last);
    let mut adopted = 0;
    loop {
        let rows = index.walk(after, LEDGER_STEP).map_err(open_error)?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        let last = *last;
        after = Some(last);
        let rows: Vec<_> = rows.into_iter().filter_map(|(_, row)| row.ok()).collect();
        adopted += rows.len() as u64;
        index.commit(&[Change::Adopt(rows, Some(last))])?;
        crate::progress::step();
    }
    index.commit(&[Change::Adopt(Vec::new(), None)])?;
    if adopted > 0 {
        log::info!("ledger: {adopted} recordings that were there before are taken in");
    }
    Ok(adopted)
}
