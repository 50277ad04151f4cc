//! Checks an archive, once, from its front to its end, with nothing but the archive itself and, if
//! there is one, a key that is known to be the right one. It believes nothing; what is told is the
//! first thing that is wrong, in the order that FORMAT.md gives. `verify.py` does the same.

mod flaw;
mod whole;

use std::collections::BTreeSet;
use std::io::Read;

use super::key::{self, Hashes};
use super::manifest::{FORMAT, FileEntry, Head};
use super::names::{self, MANIFEST_MAX, PROOF_MAX, RECORDINGS_MAX, SIGNATURE_BYTES, SMALL_MAX};
use super::proof::Shown;
use crate::backup::tar::{Reader, TarError};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::key::PublicKey;

pub use flaw::Flaw;
pub use whole::Report;

/// Checks an archive to its end. `expected` is the key that it must be signed with; without one it
/// is only known that it agrees with the key in it. `progress` is told the bytes read.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    from: impl Read,
    expected: Option<&PublicKey>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, Flaw> {
    let mut reader = Reading {
        reader: Reader::new(from, names::HEAD),
        members: Vec::new(),
        progress,
    };
    let head = reader.small(names::HEAD, SMALL_MAX)?;
    let head = newest(&head)?;
    reader.small(names::README, SMALL_MAX)?;
    reader.small(names::SCRIPT, SMALL_MAX)?;
    let pem = reader.small(names::KEY, SMALL_MAX)?;
    let key = key::spelt(&pem).ok_or_else(|| Flaw::Spelling {
        member: names::KEY.to_owned(),
        what: "it is not an Ed25519 public key as it is written here".to_owned(),
    })?;
    if let Some(expected) = expected
        && *expected != key
    {
        return Err(Flaw::OtherKey {
            found: key,
            expected: *expected,
        });
    }
    let (proofs, checkpoints) = reader.recordings()?;
    let checkpoints = lines(&checkpoints)?;
    let manifest = reader.small(names::MANIFEST, MANIFEST_MAX)?;
    let told = reader.members.len() - 1;
    let signature = reader.small(names::SIGNATURE, SIGNATURE_BYTES)?;
    reader.end()?;
    reader.members.truncate(told);
    let read = whole::Whole {
        head,
        key,
        expected: expected.is_some(),
        members: reader.members,
        proofs,
        checkpoints,
        manifest,
        signature,
        time_s: reader.reader.time_s().unwrap_or_default(),
        bytes: reader.reader.position(),
    };
    read.check()
}

/// The head, unless a newer version wrote it.
fn newest(bytes: &[u8]) -> Result<Head, Flaw> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
        made_by: String,
    }
    let bad = |what: String| Flaw::Spelling {
        member: names::HEAD.to_owned(),
        what,
    };
    // What a newer format has beside these two is not known here.
    let told: Version = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if told.format != FORMAT {
        return Err(Flaw::Newer {
            found: told.format,
            made_by: told.made_by.chars().take(64).collect(),
        });
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if serde_json::to_vec(&head).ok().as_deref() == Some(bytes) {
        Ok(head)
    } else {
        Err(bad("it is not in the one spelling that there is".to_owned()))
    }
}

/// The lines of the checkpoints' member: each as they are written, in their one order.
fn lines(bytes: &[u8]) -> Result<BTreeSet<Line>, Flaw> {
    let bad = |what: String| Flaw::Spelling {
        member: names::CHECKPOINTS.to_owned(),
        what,
    };
    let mut all = BTreeSet::new();
    if bytes.is_empty() {
        return Ok(all);
    }
    let text = std::str::from_utf8(bytes).ok();
    let text = text.and_then(|text| text.strip_suffix('\n'));
    let text = text.ok_or_else(|| bad("its last line is not whole, or no text".to_owned()))?;
    for (number, line) in (1..).zip(text.split('\n')) {
        let line =
            Line::read(line).ok_or_else(|| bad(format!("line {number} is no checkpoint")))?;
        if all.last().is_some_and(|last| *last >= line) {
            return Err(bad(format!("line {number} is out of order")));
        }
        all.insert(line);
    }
    Ok(all)
}

/// A checkpoint's line, ordered by ledger and place in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    log: [u8; 16],
    seq: u64,
    text: String,
}

impl Line {
    fn read(text: &str) -> Option<Self> {
        let parsed = Checkpoint::parse(text).ok()?;
        Some(Self {
            log: parsed.log.0,
            seq: parsed.end.seq,
            text: text.to_owned(),
        })
    }
}

/// The proofs by their recordings' numbers.
type Proofs = Vec<(usize, Shown)>;

struct Reading<'p, R> {
    reader: Reader<R>,
    /// All members read so far, in their order.
    members: Vec<FileEntry>,
    progress: &'p mut dyn FnMut(u64),
}

impl<R: Read> Reading<'_, R> {
    /// The next member, which must have this name; in memory.
    fn small(&mut self, wanted: &str, longest: usize) -> Result<Vec<u8>, Flaw> {
        let (name, len) = self.header(wanted)?;
        if name != wanted {
            return Err(Flaw::misplaced(&name, wanted));
        }
        self.held(name, len, longest)
    }

    fn header(&mut self, wanted: &str) -> Result<(String, u64), Flaw> {
        let next = self.reader.next_header()?;
        next.ok_or_else(|| Flaw::Missing(wanted.to_owned()))
    }

    /// The content of a member, in memory.
    fn held(&mut self, name: String, len: u64, longest: usize) -> Result<Vec<u8>, Flaw> {
        let mut bytes = Vec::new();
        self.reader.whole(&name, len, longest, &mut bytes)?;
        self.members.push(FileEntry::new(name, Hashes::of(&bytes)));
        (self.progress)(self.reader.position());
        Ok(bytes)
    }

    /// All recordings with their proofs, and the checkpoints that end them.
    fn recordings(&mut self) -> Result<(Proofs, Vec<u8>), Flaw> {
        let mut proofs = Vec::new();
        let mut next = 1;
        loop {
            let wanted = match next {
                1 => "the first recording".to_owned(),
                _ => format!(
                    "recording {next} of the archive, or '{}'",
                    names::CHECKPOINTS
                ),
            };
            let (name, len) = self.header(&wanted)?;
            let index = usize::try_from(next).unwrap_or(usize::MAX);
            if name == names::CHECKPOINTS && next > 1 {
                let bytes = self.held(name, len, PROOF_MAX)?;
                return Ok((proofs, bytes));
            } else if names::is_audio(&name, next) && index <= RECORDINGS_MAX {
                self.audio(name, len)?;
                next += 1;
            } else if next > 1 && name == names::proof(next - 1) && self.awaits_proof() {
                let bytes = self.held(name.clone(), len, PROOF_MAX)?;
                let shown = Shown::read(&bytes);
                let shown = shown.map_err(|what| Flaw::Spelling { member: name, what })?;
                proofs.push((index - 2, shown));
            } else {
                return Err(Flaw::misplaced(&name, &wanted));
            }
        }
    }

    /// Whether the last member is a recording's file.
    fn awaits_proof(&self) -> bool {
        let last = self.members.last();
        last.is_some_and(|last| !last.name.ends_with(".proof"))
    }

    fn audio(&mut self, name: String, len: u64) -> Result<(), Flaw> {
        let mut hashes = Hashes::new();
        let mut at = self.reader.position();
        let progress = &mut *self.progress;
        self.reader.content(len, &mut |piece| {
            hashes.update(piece);
            at += piece.len() as u64;
            progress(at);
            Ok::<_, TarError>(())
        })?;
        self.members.push(FileEntry::new(name, hashes.finish()));
        Ok(())
    }

    fn end(&mut self) -> Result<(), Flaw> {
        match self.reader.next_header()? {
            None => Ok(()),
            Some((name, _)) => Err(Flaw::misplaced(&name, "the end of the archive")),
        }
    }
}
