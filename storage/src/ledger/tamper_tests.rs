//! The ledger's files and those of its checkpoints against somebody who changes them, through the
//! very check that `callreel check` makes. Checkpoints are what finds a tail that was cut off where
//! nothing else is left, so they lie apart here.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::chain::ChainEnd;
use super::checkpoint::Checkpoint;
use super::checkpoints::CHECKPOINTS;
use super::key::{PublicKey, SigningKey};
use super::tests::Log;
use super::verify::{Problem, segment_name};
use crate::check::{BadCheckpoint, Finding, LedgerReport, LedgerTrust, check_ledger};
use crate::record::WallMillis;
use crate::testing::scratch;

/// A ledger in a folder, and checkpoints in another one.
struct Place {
    log: Log,
    ledger: tempfile::TempDir,
    apart: tempfile::TempDir,
    key: PublicKey,
    lines: Vec<String>,
}

impl Place {
    /// With a checkpoint at each of these entries.
    fn new(count: u64, signed: &[u64]) -> Self {
        let (ledger, apart) = (scratch(), scratch());
        let key = SigningKey::create(&ledger.path().join("key")).unwrap();
        let log = Log::new(1, count);
        std::fs::write(ledger.path().join(segment_name(1)), &log.bytes).unwrap();
        let states = log.states();
        let sign = |seq: &u64| {
            let end = states[usize::try_from(*seq).unwrap()].end;
            Checkpoint::sign(log.head.log, end, WallMillis(*seq), &key).to_string()
        };
        let lines: Vec<String> = signed.iter().map(sign).collect();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(apart.path().join(CHECKPOINTS), text).unwrap();
        let key = key.public();
        let pem = apart.path().join(format!("{}.pem", key.id()));
        std::fs::write(pem, key.to_pem()).unwrap();
        Self {
            log,
            ledger,
            apart,
            key,
            lines,
        }
    }

    fn segment(&self) -> std::path::PathBuf {
        self.ledger.path().join(segment_name(1))
    }

    fn check(&self) -> LedgerReport {
        let trust = LedgerTrust {
            checkpoints: Some(self.apart.path().to_owned()),
            keys: vec![self.key],
            ..LedgerTrust::default()
        };
        check_ledger(self.ledger.path(), &trust).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(self.segment(), bytes).unwrap();
    }
}

fn line_of(finding: &Finding) -> Option<u64> {
    match finding {
        Finding::Checkpoint { line, .. } => Some(*line),
        _ => None,
    }
}

#[test]
fn a_tail_cut_off_at_any_byte_is_found_by_checkpoints_that_lie_apart() {
    let place = Place::new(24, &[10, 24]);
    assert!(place.check().findings.is_empty());
    let file = File::options().write(true).open(place.segment()).unwrap();
    let log = &place.log;
    for end in (0..log.bytes.len()).rev() {
        file.set_len(end as u64).unwrap();
        // The first entry whose line does not end at or before the cut.
        let first = log.lines[1..].partition_point(|line| *line <= end) as u64 + 1;
        let report = place.check();
        assert_eq!(report.first_bad(), Some(first), "cut at {end}");
        assert!(report.entries < first);
    }
    // All of it: the folder is empty, and checkpoints tell of what was there.
    std::fs::remove_file(place.segment()).unwrap();
    let report = place.check();
    assert_eq!(report.first_bad(), Some(1));
    let is_beyond = |finding: &Finding| match finding {
        Finding::Ledger(bad) => matches!(bad.problem, Problem::Beyond(24)),
        _ => false,
    };
    assert!(report.findings.iter().any(is_beyond));
}

#[test]
fn lines_that_are_gone_moved_or_of_another_ledger_are_named_in_files_too() {
    let place = Place::new(60, &[20, 40, 60]);
    let (log, theirs) = (&place.log, Log::new(2, 60));
    let lines = log.all();
    let bad = |changed: Vec<&[u8]>| {
        place.put(&log.with_lines(changed));
        place.check().first_bad()
    };
    for at in 0..lines.len() {
        let seq = at as u64 + 1;
        let mut without = lines.clone();
        without.remove(at);
        assert_eq!(bad(without), Some(seq), "without {seq}");
        let mut spliced = lines.clone();
        spliced[at] = theirs.line(seq);
        assert_eq!(bad(spliced), Some(seq), "theirs at {seq}");
        let mut mixed = lines[..at].to_vec();
        mixed.extend(&theirs.all()[at..]);
        assert_eq!(bad(mixed), Some(seq), "theirs from {seq} on");
        if at > 0 {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            assert_eq!(bad(swapped), Some(seq - 1), "swapped before {seq}");
        }
    }
    // Another whole ledger in its place: nothing of it was ever signed for.
    place.put(&theirs.bytes);
    let report = place.check();
    let foreign = |finding: &Finding| match finding {
        Finding::Checkpoint { problem, .. } => matches!(problem, BadCheckpoint::Foreign(_)),
        _ => false,
    };
    assert_eq!(report.findings.iter().filter(|it| foreign(it)).count(), 3);
}

/// Flips each bit of a file in turn.
fn each_bit(path: &Path, mut look: impl FnMut(usize, &str)) {
    let bytes = std::fs::read(path).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    for (at, byte) in bytes.iter().enumerate() {
        for bit in 0..8 {
            file.write_all_at(&[byte ^ (1 << bit)], at as u64).unwrap();
            look(at, &format!("byte {at}, bit {bit}"));
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
}

#[test]
fn every_flipped_bit_of_the_checkpoints_is_named_by_its_line() {
    let place = Place::new(6, &[2, 4, 6]);
    let path = place.apart.path().join(CHECKPOINTS);
    let bytes = std::fs::read(&path).unwrap();
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    each_bit(&path, |at, what| {
        let line = ends.partition_point(|end| *end < at) as u64 + 1;
        let report = place.check();
        if at + 1 == bytes.len() {
            // A last line without its end is one that is being written: the other two still count.
            assert_eq!(
                (report.checkpoints, report.findings.len()),
                (2, 0),
                "{what}"
            );
            return;
        }
        let found: Vec<u64> = report.findings.iter().filter_map(line_of).collect();
        assert_eq!(found.first(), Some(&line), "{what}");
        // What nobody signed is no proof against the ledger.
        assert_eq!(report.first_bad(), None, "{what}");
    });
}

#[test]
fn lines_of_checkpoints_that_are_gone_or_moved_leave_the_others() {
    let place = Place::new(30, &[10, 20, 30]);
    let path = place.apart.path().join(CHECKPOINTS);
    let write = |order: &[usize]| {
        let lines = order.iter().map(|at| format!("{}\n", place.lines[*at]));
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        place.check()
    };
    // Fewer of them prove less; they are no damage of the ledger, which they still cover.
    for left in [&[0, 1][..], &[0, 2], &[1, 2], &[2]] {
        let report = write(left);
        assert_eq!(report.checkpoints, left.len() as u64);
        assert!(
            report.findings.is_empty(),
            "{left:?}: {:?}",
            report.findings
        );
    }
    for order in [[1, 0, 2], [0, 2, 1], [2, 1, 0]] {
        let report = write(&order);
        let of_order = |finding: &Finding| match finding {
            Finding::Checkpoint { problem, .. } => matches!(problem, BadCheckpoint::Order(_)),
            _ => false,
        };
        assert!(report.findings.iter().any(of_order), "{order:?}");
        assert_eq!(report.first_bad(), None);
    }
    // Signed by somebody else, for another past.
    let other = SigningKey::create(&place.apart.path().join("other")).unwrap();
    let end = ChainEnd {
        seq: 30,
        ..place.log.states()[29].end
    };
    let forged = Checkpoint::sign(place.log.head.log, end, WallMillis(0), &other);
    std::fs::write(&path, format!("{forged}\n")).unwrap();
    let report = place.check();
    assert_eq!((report.checkpoints, report.first_bad()), (0, None));
    assert!(matches!(
        report.findings[..],
        [Finding::Checkpoint {
            problem: BadCheckpoint::UnknownKey(_),
            ..
        }]
    ));
}
