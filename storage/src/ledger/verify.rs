//! The strict reader: whatever is not byte for byte what the writer would have written is a
//! problem, told with the number of the entry at whose place it is.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use super::chain::{ChainEnd, Hash, LogId};
use super::entry::{Entry, EntryError, Kind};
use crate::limits::LEDGER_LINE_MAX;

/// What a segment's first line begins with.
const MAGIC: &str = "callreel-ledger-1";

/// Bytes of a line before its JSON: the hash and a space.
pub const JSON_AT: usize = 65;

/// What is wrong at an entry's place.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The first line of a segment.
    #[error("the segment that begins here has no proper first line")]
    Header,
    /// The first line of a segment tells of another place.
    #[error("the segment that begins here continues another chain")]
    Elsewhere,
    /// The first line of a segment tells of another ledger.
    #[error("the segment that begins here is of another ledger ({0})")]
    Foreign(LogId),
    /// The file ends in the middle of a line.
    #[error("the line is cut off")]
    Unfinished,
    /// Longer than entries are.
    #[error("the line is longer than {LEDGER_LINE_MAX} bytes")]
    TooLong,
    /// No hash and JSON.
    #[error("the line does not begin with a hash of 64 digits and a space")]
    Form,
    /// The hash is another.
    #[error("the hash does not follow from the entry and those before it")]
    Chain,
    /// The JSON.
    #[error("{0}")]
    Entry(#[from] EntryError),
    /// The JSON's own number.
    #[error("the entry says that it is number {0}")]
    Number(u64),
    /// The first entry is no genesis, or another one is.
    #[error("only the first entry begins a ledger, and it must")]
    Genesis,
    /// There is nothing.
    #[error("it is missing, and so are all up to {0}")]
    Missing(u64),
    /// The index knows another hash.
    #[error("the index knows another entry of this number")]
    Head,
    /// A checkpoint knows another hash.
    #[error("it or one of those up to {0} is not what the checkpoint of entry {0} was signed for")]
    Checkpoint(u64),
    /// A checkpoint, or the index, knows of entries beyond the end.
    #[error("it is missing: a checkpoint was signed for entry {0}")]
    Beyond(u64),
}

/// A place of the ledger that is not as it should be.
#[derive(Debug)]
pub struct BadEntry {
    /// The number of the entry that is, or should be, there.
    pub seq: u64,
    /// The first entry of the segment it is in, where that is known.
    pub segment: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ledger: entry {}: {}", self.seq, self.problem)?;
        match self.segment {
            Some(first) => write!(f, " (in ledger/{})", segment_name(first)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BadEntry {}

/// The name of the segment whose first entry has this number.
#[must_use]
pub fn segment_name(first: u64) -> String {
    format!("{first:020}.log")
}

/// The number in the name of a segment.
#[must_use]
pub fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let first = digits.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

/// A segment's first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which ledger it is of.
    pub log: LogId,
    /// Where the chain stands before it.
    pub before: ChainEnd,
}

impl Header {
    /// With the end of the line.
    #[must_use]
    pub fn to_line(&self) -> String {
        let first = self.before.seq.saturating_add(1);
        format!("{MAGIC} {} {first} {}\n", self.log, self.before.hash)
    }

    /// From a line with its end, in the one spelling.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        let mut fields = text.strip_suffix('\n')?.split(' ');
        if fields.next()? != MAGIC {
            return None;
        }
        let log = LogId::parse(fields.next()?.as_bytes())?;
        let first: u64 = fields.next()?.parse().ok()?;
        let hash = Hash::parse(fields.next()?.as_bytes())?;
        let before = ChainEnd {
            seq: first.checked_sub(1)?,
            hash,
        };
        let header = Self { log, before };
        (header.to_line().as_bytes() == line).then_some(header)
    }
}

/// Where a reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The ledger; not known before its first entry was seen.
    pub log: Option<LogId>,
    /// The last entry that was good.
    pub end: ChainEnd,
}

impl Chain {
    /// Before the first entry.
    pub const START: Self = Self {
        log: None,
        end: ChainEnd::START,
    };

    /// Goes on from a segment's first line.
    #[must_use]
    pub const fn from_header(header: &Header) -> Self {
        Self {
            log: Some(header.log),
            end: header.before,
        }
    }

    /// Takes a segment's first line, which must tell where the chain stands.
    ///
    /// # Errors
    /// What is wrong.
    pub fn header(&mut self, line: &[u8]) -> Result<(), Problem> {
        let header = Header::parse(line).ok_or(Problem::Header)?;
        if self.log.is_some_and(|log| log != header.log) {
            return Err(Problem::Foreign(header.log));
        }
        if header.before != self.end {
            return Err(Problem::Elsewhere);
        }
        self.log = Some(header.log);
        Ok(())
    }

    /// Takes the next entry's line with its end; nothing changes where that is a problem.
    ///
    /// # Errors
    /// What is wrong.
    pub fn entry(&mut self, line: &[u8]) -> Result<Entry, Problem> {
        let (told, json) = split(line)?;
        let hash = self.end.hash.then(&Hash::of(json));
        if hash != told {
            return Err(Problem::Chain);
        }
        let entry = Entry::from_json(json)?;
        if self.end.seq.checked_add(1) != Some(entry.seq) {
            return Err(Problem::Number(entry.seq));
        }
        let log = log_of(&entry);
        if (entry.seq == 1) != log.is_some() || (log.is_some() && log != self.log.or(log)) {
            return Err(Problem::Genesis);
        }
        self.log = self.log.or(log);
        self.end = ChainEnd {
            seq: entry.seq,
            hash,
        };
        Ok(entry)
    }
}

/// The ledger that an entry begins.
fn log_of(entry: &Entry) -> Option<LogId> {
    let told = entry.details.get("log")?.as_str()?;
    (entry.kind == Kind::Genesis).then(|| LogId::parse(told.as_bytes()))?
}

/// A line's hash and its JSON.
///
/// # Errors
/// [`Problem::Unfinished`], [`Problem::TooLong`] or [`Problem::Form`].
pub fn split(line: &[u8]) -> Result<(Hash, &[u8]), Problem> {
    if line.len() > LEDGER_LINE_MAX {
        return Err(Problem::TooLong);
    }
    let line = line.strip_suffix(b"\n").ok_or(Problem::Unfinished)?;
    let (told, rest) = line.split_at_checked(64).ok_or(Problem::Form)?;
    let json = rest.strip_prefix(b" ").ok_or(Problem::Form)?;
    Ok((Hash::parse(told).ok_or(Problem::Form)?, json))
}

/// Reads lines with their ends, none longer than a little more than the longest there may be.
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    at: u64,
}

impl<R: BufRead> Lines<R> {
    /// Lines of a reader that stands at this offset of its file.
    pub const fn new(reader: R, at: u64) -> Self {
        Self {
            reader,
            line: Vec::new(),
            at,
        }
    }

    /// The next line and its offset; `None` at the end.
    ///
    /// # Errors
    /// Those of the file.
    pub fn read(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        let at = self.at;
        self.line.clear();
        let most = LEDGER_LINE_MAX as u64 + 1;
        let read = self
            .reader
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.line)?;
        self.at += read as u64;
        Ok((read > 0).then_some((at, self.line.as_slice())))
    }
}

/// An entry with its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The entry.
    pub entry: Entry,
    /// The hash after it.
    pub hash: Hash,
    /// The segment it is in, by its first entry.
    pub segment: u64,
    /// Where its line begins there.
    pub offset: u64,
    /// The bytes of its line.
    pub length: u64,
}

/// What stops a walk over a segment.
#[derive(Debug)]
pub enum Stop {
    /// The file cannot be read.
    Io(io::Error),
    /// Something is wrong; the chain stands before it.
    Bad(BadEntry),
}

/// Reads the entries of a segment up to its end or its first problem; answers where that is.
///
/// # Errors
/// [`Stop`], with the offset up to which everything was good.
pub fn entries<R: BufRead>(
    lines: &mut Lines<R>,
    segment: u64,
    chain: &mut Chain,
    each: &mut dyn FnMut(Placed),
) -> Result<u64, (u64, Stop)> {
    let mut good = lines.at;
    loop {
        let (offset, line) = match lines.read() {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(good),
            Err(error) => return Err((good, Stop::Io(error))),
        };
        let length = line.len() as u64;
        match chain.entry(line) {
            Ok(entry) => each(Placed {
                entry,
                hash: chain.end.hash,
                segment,
                offset,
                length,
            }),
            Err(problem) => {
                let bad = BadEntry {
                    seq: chain.end.seq.saturating_add(1),
                    segment: Some(segment),
                    problem,
                };
                return Err((good, Stop::Bad(bad)));
            }
        }
        good = offset + length;
    }
}
