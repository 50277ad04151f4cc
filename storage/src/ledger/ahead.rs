//! Entries that the log has and the index does not: after a crash between the two, after an older
//! index came back, and where the index was made anew.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::{ChainEnd, Hash};
use super::entry::{Act, Actor, Entry, Kind};
use super::segments;
use super::verify::{
    BadEntry, Chain, Header, Lines, Placed, Problem, Stop, entries, segment_name, split,
};
use super::walk::{Walk, walk};
use super::writer::Head;
use crate::error::{OpenError, ReadError};
use crate::ids::{RecordingId, TenantId};
use crate::index::Index;
use crate::limits::LEDGER_STEP;
use crate::open::failed;
use crate::paths::sync_dir;

/// What was found.
pub(crate) struct Ahead {
    /// The last entry.
    pub(crate) head: Head,
    /// How many were unknown.
    pub(crate) entries: u64,
    /// Those of them that change a recording.
    pub(crate) effects: Vec<Effect>,
    /// The first place that is not as it should be, where entries follow it.
    pub(crate) bad: Option<BadEntry>,
}

/// What an entry says has become of a recording.
pub(crate) struct Effect {
    seq: u64,
    kind: Kind,
    tenant: TenantId,
    recording: RecordingId,
    was: Option<Hash>,
}

impl Effect {
    fn of(entry: &Entry) -> Option<Self> {
        let changes = matches!(entry.kind, Kind::Imported | Kind::Exchanged | Kind::Deleted);
        let (tenant, recording) = (entry.tenant?, entry.recording?);
        changes.then(|| Self {
            seq: entry.seq,
            kind: entry.kind.clone(),
            tenant,
            recording,
            was: entry.hash_in("was_blake3"),
        })
    }
}

/// Gathers entries for commits.
struct Taker<'i> {
    index: &'i Index,
    head: Head,
    /// Only at the end does the index know how far the ledger is: a crash begins anew.
    anew: bool,
    group: Vec<Placed>,
    entries: u64,
}

impl Taker<'_> {
    fn take(&mut self, placed: Placed) -> Result<(), OpenError> {
        self.head.end = ChainEnd {
            seq: placed.entry.seq,
            hash: placed.hash,
        };
        self.head.segment = placed.segment;
        self.head.length = placed.offset + placed.length;
        self.entries += 1;
        self.group.push(placed);
        if self.group.len() >= LEDGER_STEP {
            return self.commit();
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), OpenError> {
        crate::progress::step();
        if !self.group.is_empty() {
            let head = (!self.anew).then_some(self.head);
            self.index
                .take_over(&std::mem::take(&mut self.group), head)?;
        }
        Ok(())
    }
}

/// Takes over what lies behind the head and is whole, up to the first thing that is not.
pub(crate) fn take_over(folder: &Path, index: &Index, head: Head) -> Result<Ahead, OpenError> {
    let io = |source| failed("reading the ledger in", folder, source);
    let mut chain = Chain {
        log: Some(head.log),
        end: head.end,
    };
    let mut taker = Taker {
        index,
        head,
        anew: false,
        group: Vec::new(),
        entries: 0,
    };
    let mut effects = Vec::new();
    let mut lines = segments::lines(folder, head.segment, head.length).map_err(io)?;
    let mut segment = head.segment;
    loop {
        let mut result = Ok(());
        let read = entries(&mut lines, segment, &mut chain, &mut |placed| {
            effects.extend(Effect::of(&placed.entry));
            if result.is_ok() {
                result = taker.take(placed);
            }
        });
        result?;
        match read {
            Ok(_) => {}
            Err((_, Stop::Io(error))) => return Err(io(error)),
            Err((_, Stop::Bad(_))) => break,
        }
        segment = chain.end.seq + 1;
        match segments::lines(folder, segment, 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            opened => lines = opened.map_err(io)?,
        }
        let first = lines.read().map_err(io)?;
        if first.is_none_or(|(_, line)| chain.header(line).is_err()) {
            break;
        }
    }
    taker.commit()?;
    Ok(Ahead {
        head: taker.head,
        entries: taker.entries,
        effects,
        bad: None,
    })
}

/// Takes all there is, also what follows something bad: an index that was made anew shall find it.
/// `None` where not even the first entry is there.
pub(crate) fn take_all(folder: &Path, index: &Index) -> Result<Option<Ahead>, OpenError> {
    let io = |source| failed("reading the ledger in", folder, source);
    let mut taker: Option<Taker<'_>> = None;
    let (mut chain, mut bad) = (Chain::START, None);
    for (first, _) in segments::list(folder).map_err(io)? {
        let mut lines = segments::lines(folder, first, 0).map_err(io)?;
        let header = match lines.read().map_err(io)? {
            Some((_, line)) => Header::parse(line),
            None => None,
        };
        let Some(header) = header.filter(|header| header.before.seq + 1 == first) else {
            wrong(&mut bad, &chain, first, Problem::Header);
            continue;
        };
        if header.before != chain.end || chain.log.is_some_and(|log| log != header.log) {
            wrong(&mut bad, &chain, first, Problem::Elsewhere);
            chain = Chain::from_header(&header);
        }
        let start = Head::start(header.log);
        let taker = taker.get_or_insert(Taker {
            index,
            head: start,
            anew: true,
            group: Vec::new(),
            entries: 0,
        });
        take_segment(&mut lines, first, &mut chain, taker, &mut bad).map_err(
            |error| match error {
                Taking::Io(error) => io(error),
                Taking::Open(error) => error,
            },
        )?;
    }
    let Some(mut taker) = taker.filter(|taker| taker.entries > 0) else {
        return Ok(None);
    };
    taker.commit()?;
    Ok(Some(Ahead {
        head: taker.head,
        entries: taker.entries,
        effects: Vec::new(),
        // What is bad behind the last entry is what a crash leaves.
        bad: bad.filter(|bad| bad.seq <= taker.head.end.seq),
    }))
}

enum Taking {
    Io(io::Error),
    Open(OpenError),
}

fn take_segment(
    lines: &mut Lines<io::BufReader<File>>,
    first: u64,
    chain: &mut Chain,
    taker: &mut Taker<'_>,
    bad: &mut Option<BadEntry>,
) -> Result<(), Taking> {
    while let Some((offset, line)) = lines.read().map_err(Taking::Io)? {
        let problem = chain.entry(line).err();
        let Some((hash, entry)) = readable(line) else {
            wrong(bad, chain, first, problem.unwrap_or(Problem::Form));
            continue;
        };
        if let Some(problem) = problem {
            wrong(bad, chain, first, problem);
            if entry.seq <= chain.end.seq {
                continue;
            }
            chain.end = ChainEnd {
                seq: entry.seq,
                hash,
            };
        }
        let placed = Placed {
            entry,
            hash,
            segment: first,
            offset,
            length: line.len() as u64,
        };
        taker.take(placed).map_err(Taking::Open)?;
    }
    Ok(())
}

fn readable(line: &[u8]) -> Option<(Hash, Entry)> {
    let (hash, json) = split(line).ok()?;
    Some((hash, Entry::from_json(json).ok()?))
}

/// What the ledger told last of recordings' files, as far as it can be read.
pub(crate) fn told(folder: &Path) -> HashMap<RecordingId, Hash> {
    #[derive(Default)]
    struct Files(HashMap<RecordingId, Hash>);
    impl Walk for Files {
        fn entry(&mut self, placed: Placed) {
            let entry = placed.entry;
            let hash = entry.hash_in("blake3");
            match (entry.recording, entry.kind) {
                (
                    Some(id),
                    Kind::Sealed | Kind::Imported | Kind::Exchanged | Kind::Undone | Kind::Deleted,
                ) => match hash {
                    Some(hash) => self.0.insert(id, hash),
                    None => self.0.remove(&id),
                },
                _ => None,
            };
        }
        fn bad(&mut self, bad: BadEntry) {
            log::warn!("{bad}");
        }
        fn unreadable(&mut self, path: PathBuf, problem: io::Error) {
            log::warn!("ledger: '{}' cannot be read: {problem}", path.display());
        }
    }
    let mut files = Files::default();
    if let Err(error) = walk(folder, None, Vec::new(), &mut files) {
        log::warn!("the ledger cannot be listed: {error}");
    }
    files.0
}

/// Only the first one is kept.
fn wrong(bad: &mut Option<BadEntry>, chain: &Chain, segment: u64, problem: Problem) {
    bad.get_or_insert(BadEntry {
        seq: chain.end.seq.saturating_add(1),
        segment: Some(segment),
        problem,
    });
}

/// Cuts off what is behind the head: a line that was not written whole. Whatever it was, a copy is
/// kept. Answers how many bytes.
pub(crate) fn cut(folder: &Path, head: &Head) -> io::Result<u64> {
    let mut bytes = 0;
    for (first, path) in segments::list(folder)? {
        if first > head.segment {
            bytes += path.metadata()?.len();
            set_aside(&path)?;
        }
    }
    let path = folder.join(segment_name(head.segment));
    let length = path.metadata()?.len();
    if length > head.length {
        bytes += length - head.length;
        if let Err(error) = keep_rest(&path, head.length) {
            log::warn!("what is cut off '{}' is not kept: {error}", path.display());
        }
        let file = File::options().write(true).open(&path)?;
        file.set_len(head.length)?;
        file.sync_data()?;
    }
    Ok(bytes)
}

fn keep_rest(path: &Path, from: u64) -> io::Result<()> {
    use io::Seek as _;
    let mut source = File::open(path)?;
    source.seek(io::SeekFrom::Start(from))?;
    let target = free_name(path);
    let mut copy = crate::restore::kept::new_private(&target)?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}

/// Gives a segment that is none of the chain's another name.
pub(crate) fn set_aside(path: &Path) -> io::Result<()> {
    std::fs::rename(path, free_name(path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

fn free_name(path: &Path) -> PathBuf {
    let named = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".aside-{n}"));
        PathBuf::from(name)
    };
    let mut numbers = 1_u32..;
    let free = numbers.find(|n| named(*n).symlink_metadata().is_err());
    named(free.unwrap_or(0))
}

/// What the ledger must take back: changes that it tells and that the index lost before anybody
/// was told of them.
pub(crate) fn undone(index: &Index, effects: &[Effect]) -> Result<Vec<Act>, ReadError> {
    let mut acts = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for effect in effects.iter().rev() {
        if !seen.insert(effect.recording) {
            continue;
        }
        let row = match index.by_id(effect.recording) {
            Ok(row) => row,
            Err(ReadError::Row(_)) => continue,
            Err(error) => return Err(error),
        };
        let held = row.and_then(|row| row.outcome);
        let held = held.map(|outcome| Hash(outcome.content_hash));
        let lost = match effect.kind {
            Kind::Imported => held.is_none(),
            Kind::Exchanged => held.is_some() && held == effect.was,
            Kind::Deleted => held.is_some(),
            _ => false,
        };
        if lost {
            let act = Act::new(Kind::Undone)
                .by(Actor::system("ledger"))
                .on(effect.tenant, effect.recording)
                .with("undoes", effect.seq);
            acts.push(match held {
                Some(hash) => act.with("blake3", hash.to_string()),
                None => act,
            });
        }
    }
    acts.reverse();
    Ok(acts)
}
