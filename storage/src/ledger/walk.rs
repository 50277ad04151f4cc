//! Walks a whole ledger: every segment in order, past what is bad, so that all damage is told and
//! what follows it is still read.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::ChainEnd;
use super::checkpoint::Checkpoint;
use super::segments;
use super::verify::{BadEntry, Chain, Header, Placed, Problem, Stop, entries};
use super::writer::Head;

/// What a walk tells of.
pub(crate) trait Walk {
    /// A good entry.
    fn entry(&mut self, placed: Placed);
    /// Something that is not as it should be.
    fn bad(&mut self, bad: BadEntry);
    /// A file that cannot be read.
    fn unreadable(&mut self, path: PathBuf, problem: io::Error);
}

/// Walks the segments of a folder. With a head it reads just up to there, and the log must be what
/// the head says; `checkpoints` come in order of their numbers, and the log must be what they say.
/// Answers where the chain ends.
pub(crate) fn walk(
    folder: &Path,
    head: Option<&Head>,
    checkpoints: Vec<Checkpoint>,
    told: &mut dyn Walk,
) -> io::Result<Chain> {
    let mut walker = Walker {
        folder,
        head,
        chain: Chain::START,
        lost: false,
        checkpoints: checkpoints.into(),
        covered: 0,
    };
    for (first, path) in segments::list(folder)? {
        // What is behind the head, the index does not know yet.
        if head.is_none_or(|head| first <= head.segment) {
            walker.segment(first, path, told);
        }
    }
    walker.end(told);
    Ok(walker.chain)
}

struct Walker<'w> {
    folder: &'w Path,
    head: Option<&'w Head>,
    chain: Chain,
    /// The rest of a segment could not be followed.
    lost: bool,
    checkpoints: VecDeque<Checkpoint>,
    /// The last checkpoint that was compared.
    covered: u64,
}

impl Walker<'_> {
    fn segment(&mut self, first: u64, path: PathBuf, told: &mut dyn Walk) {
        let mut lines = match segments::lines(self.folder, first, 0) {
            Ok(lines) => lines,
            Err(problem) => return told.unreadable(path, problem),
        };
        let header = match lines.read() {
            Ok(line) => line.and_then(|(_, line)| Header::parse(line)),
            Err(problem) => return told.unreadable(path, problem),
        };
        if !self.header(first, header, told) {
            return;
        }
        let limit = self.head.filter(|head| head.segment == first);
        let limit = limit.map(|head| head.length);
        match self.entries(&mut lines, first, limit, told) {
            Ok(()) => {}
            Err((_, Stop::Io(problem))) => {
                self.lost = true;
                told.unreadable(path, problem);
            }
            // Behind the head stands what no commit knows.
            Err((at, Stop::Bad(bad))) if limit.is_none_or(|limit| at < limit) => {
                told.bad(bad);
                self.lost = true;
            }
            Err(_) => {}
        }
    }

    fn entries(
        &mut self,
        lines: &mut super::verify::Lines<io::BufReader<std::fs::File>>,
        first: u64,
        limit: Option<u64>,
        told: &mut dyn Walk,
    ) -> Result<(), (u64, Stop)> {
        let (checkpoints, covered) = (&mut self.checkpoints, &mut self.covered);
        let mut chain = self.chain;
        let mut end = chain;
        let read = entries(lines, first, &mut chain, &mut |placed| {
            if limit.is_some_and(|limit| placed.offset + placed.length > limit) {
                return;
            }
            end = Chain {
                log: end.log,
                end: ChainEnd {
                    seq: placed.entry.seq,
                    hash: placed.hash,
                },
            };
            compare(checkpoints, covered, end.end, first, told);
            told.entry(placed);
        });
        self.chain = Chain {
            log: chain.log,
            ..end
        };
        read.map(drop)
    }

    /// Takes a segment's first line; false when its entries cannot be followed.
    fn header(&mut self, first: u64, header: Option<Header>, told: &mut dyn Walk) -> bool {
        let mut bad = |seq, problem| {
            told.bad(BadEntry {
                seq,
                segment: Some(first),
                problem,
            });
        };
        let next = self.chain.end.seq.saturating_add(1);
        let Some(header) = header.filter(|header| header.before.seq.checked_add(1) == Some(first))
        else {
            bad(first, Problem::Header);
            // The chain may lead on without it.
            self.lost |= next != first;
            return !self.lost;
        };
        if self.chain.log.is_some_and(|log| log != header.log) {
            bad(first, Problem::Foreign(header.log));
        } else if !self.lost && header.before != self.chain.end {
            match header.before.seq {
                before if before > self.chain.end.seq => bad(next, Problem::Missing(before)),
                _ => bad(first, Problem::Elsewhere),
            }
        } else if !self.lost {
            self.chain.log = Some(header.log);
            return true;
        }
        self.lost = false;
        self.chain = Chain::from_header(&header);
        // Checkpoints of what could not be followed cannot be compared.
        while self
            .checkpoints
            .front()
            .is_some_and(|it| it.end.seq < first)
        {
            self.checkpoints.pop_front();
        }
        true
    }

    fn end(&mut self, told: &mut dyn Walk) {
        let last = self.chain.end;
        let mut bad = |seq, problem| {
            told.bad(BadEntry {
                seq,
                segment: None,
                problem,
            });
        };
        let next = last.seq.saturating_add(1);
        if self.lost {
            return;
        }
        match self.head {
            Some(head) if last.seq < head.end.seq => {
                bad(next, Problem::Missing(head.end.seq));
            }
            Some(head) if last != head.end => bad(head.end.seq, Problem::Head),
            _ => {}
        }
    }
}

/// Compares the entry that was just read with the checkpoints of its number.
fn compare(
    checkpoints: &mut VecDeque<Checkpoint>,
    covered: &mut u64,
    end: ChainEnd,
    segment: u64,
    told: &mut dyn Walk,
) {
    while let Some(next) = checkpoints.front().filter(|it| it.end.seq <= end.seq) {
        if next.end.seq == end.seq {
            if next.end.hash != end.hash {
                told.bad(BadEntry {
                    seq: *covered + 1,
                    segment: Some(segment),
                    problem: Problem::Checkpoint(end.seq),
                });
            } else {
                *covered = end.seq;
            }
        }
        checkpoints.pop_front();
    }
}
