//! The ledger against whoever wants it to say something else: every bit, every line, the end, the
//! order, and lines of other ledgers.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::chain::{ChainEnd, Hash, LogId};
use super::checkpoint::Checkpoint;
use super::entry::{Act, Actor, ActorKind, Details, Entry, Kind};
use super::key::SigningKey;
use super::verify::{BadEntry, Chain, Lines, Placed, Problem, Stop, entries, segment_name};
use super::walk::{Walk, walk};
use super::writer::{Head, Writer};
use crate::ids::{RecordingId, TenantId};
use crate::limits::LEDGER_DETAILS_MAX;
use crate::record::WallMillis;

/// A ledger of one segment, and where its lines begin; the first is the header.
pub(super) struct Log {
    pub(super) bytes: Vec<u8>,
    /// Where the line of each entry begins, and where the last one ends.
    pub(super) lines: Vec<usize>,
    pub(super) head: Head,
}

impl Log {
    pub(super) fn new(id: u8, count: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = Head::start(LogId([id; 16]));
        let mut writer = Writer::new(folder.path().to_owned(), start, None);
        let mut lines = Vec::new();
        for group in 0..count.div_ceil(7) {
            let seqs = group * 7 + 1..=count.min(group * 7 + 7);
            let (_, placed) = writer
                .append(seqs.map(|seq| an_entry(id, seq)).collect())
                .unwrap();
            lines.extend(
                placed
                    .iter()
                    .map(|one| usize::try_from(one.offset).unwrap()),
            );
            writer.committed();
        }
        let bytes = std::fs::read(folder.path().join(segment_name(1))).unwrap();
        lines.push(bytes.len());
        Self {
            bytes,
            lines,
            head: writer.head(),
        }
    }

    fn count(&self) -> u64 {
        self.lines.len() as u64 - 1
    }

    pub(super) fn line(&self, seq: u64) -> &[u8] {
        let at = usize::try_from(seq).unwrap();
        &self.bytes[self.lines[at - 1]..self.lines[at]]
    }

    /// The chain before each entry.
    pub(super) fn states(&self) -> Vec<Chain> {
        let mut chain = Chain::START;
        chain.header(&self.bytes[..self.lines[0]]).unwrap();
        let mut states = vec![chain];
        for seq in 1..=self.count() {
            chain.entry(self.line(seq)).unwrap();
            states.push(chain);
        }
        states
    }

    pub(super) fn with_lines<'l>(&'l self, lines: impl IntoIterator<Item = &'l [u8]>) -> Vec<u8> {
        let mut bytes = self.bytes[..self.lines[0]].to_vec();
        lines
            .into_iter()
            .for_each(|line| bytes.extend_from_slice(line));
        bytes
    }

    pub(super) fn all(&self) -> Vec<&[u8]> {
        (1..=self.count()).map(|seq| self.line(seq)).collect()
    }
}

fn an_entry(id: u8, seq: u64) -> Entry {
    let act = if seq == 1 {
        Act::new(Kind::Genesis).with("log", LogId([id; 16]).to_string())
    } else {
        let who = Actor::new(ActorKind::User, Some(seq % 5), Some("zoë \"the\" tester"));
        Act::new(
            [Kind::Play, Kind::Download, Kind::LoginFailed][usize::try_from(seq % 3).unwrap()]
                .clone(),
        )
        .by(who)
        .from("192.0.2.7")
        .on(TenantId(1), RecordingId(seq * 11))
        .with("ledger", id)
        .with("agent", "Mozilla/5.0 (X11; Linux x86_64)\u{7f}\n")
    };
    act.into_entry(seq, WallMillis(1_763_700_000_000 + seq))
}

/// The first bad entry of a log in memory that the index knows to end at `head`.
fn first_bad(bytes: &[u8], head: &Head) -> Option<u64> {
    let mut chain = Chain::START;
    let mut lines = Lines::new(bytes, 0);
    match lines.read().unwrap() {
        Some((_, line)) if chain.header(line).is_ok() => {}
        _ => return Some(1),
    }
    first_bad_from(lines, chain, head)
}

fn first_bad_from<R: io::BufRead>(
    mut lines: Lines<R>,
    mut chain: Chain,
    head: &Head,
) -> Option<u64> {
    match entries(&mut lines, 1, &mut chain, &mut |_| ()) {
        Err((_, Stop::Bad(bad))) => Some(bad.seq),
        Err((_, Stop::Io(error))) => panic!("{error}"),
        Ok(_) if chain.end.seq < head.end.seq => Some(chain.end.seq + 1),
        Ok(_) => (chain.end != head.end).then_some(head.end.seq),
    }
}

#[test]
fn every_flipped_bit_of_a_hundred_kilobytes_is_found_and_named() {
    let mut log = Log::new(1, 400);
    assert!(log.bytes.len() > 100_000, "{}", log.bytes.len());
    let states = log.states();
    let head = log.head;
    assert_eq!(first_bad(&log.bytes, &head), None);
    for at in 0..log.bytes.len() {
        // What comes before the line is read as it was: reading goes on from the state there.
        let seq = log.lines.partition_point(|line| *line <= at);
        for bit in 0..8 {
            log.bytes[at] ^= 1 << bit;
            let found = match seq {
                0 => first_bad(&log.bytes, &head),
                _ => {
                    let from = log.lines[seq - 1];
                    let lines = Lines::new(&log.bytes[from..], from as u64);
                    first_bad_from(lines, states[seq - 1], &head)
                }
            };
            let wanted = seq.max(1) as u64;
            assert_eq!(found, Some(wanted), "byte {at}, bit {bit}");
            log.bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn deleted_doubled_swapped_and_cut_lines_are_found_and_named() {
    let log = Log::new(1, 120);
    let lines = log.all();
    let found = |changed: Vec<&[u8]>| first_bad(&log.with_lines(changed), &log.head);
    for at in 0..lines.len() {
        let seq = Some(at as u64 + 1);
        let mut without = lines.clone();
        without.remove(at);
        assert_eq!(found(without), seq, "without {at}");
        assert_eq!(found(lines[..at].to_vec()), seq, "cut at {at}");
        let mut doubled = lines.clone();
        doubled.insert(at + 1, lines[at]);
        assert_eq!(found(doubled), seq.map(|seq| seq + 1), "doubled {at}");
        if at > 0 {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            assert_eq!(found(swapped), Some(at as u64), "swapped {at}");
        }
    }
    let log = Log::new(1, 12);
    for cut in 1..log.bytes.len() - log.lines[0] {
        let end = log.bytes.len() - cut;
        let seq = log.lines.partition_point(|line| *line <= end);
        let whole = log.lines.contains(&end);
        let seq = if whole {
            log.lines.binary_search(&end).unwrap() + 1
        } else {
            seq
        };
        assert_eq!(
            first_bad(&log.bytes[..end], &log.head),
            Some(seq as u64),
            "{cut} bytes"
        );
    }
}

#[test]
fn lines_of_another_ledger_are_found_and_named() {
    let (mine, theirs) = (Log::new(1, 60), Log::new(2, 60));
    for at in 1..60 {
        let mut one = mine.all();
        one[at] = theirs.line(at as u64 + 1);
        let seq = Some(at as u64 + 1);
        assert_eq!(first_bad(&mine.with_lines(one), &mine.head), seq, "{at}");
        let mut rest = mine.all();
        rest.truncate(at);
        rest.extend(theirs.all().drain(at..));
        assert_eq!(first_bad(&mine.with_lines(rest), &mine.head), seq, "{at}");
    }
    // All of it: the index knows another end.
    assert_eq!(first_bad(&theirs.bytes, &mine.head), Some(60));
}

#[test]
fn only_one_spelling_is_read() {
    let entry = an_entry(1, 9);
    let json = String::from_utf8(entry.to_json()).unwrap();
    assert_eq!(Entry::from_json(json.as_bytes()).unwrap(), entry);
    for other in [
        json.replace(':', ": "),
        json.replace("\"at\"", "\"at\" "),
        json.replace("{\"seq\":9,", "{\"seq\":09,"),
        json.replace("\"details\":", "\"from\":\"x\",\"details\":"),
        json.replace("zo\u{eb}", "zo\\u00eb"),
        json.replace("{\"seq\":9,", "{\"more\":1,\"seq\":9,"),
        format!("{json} "),
        format!("{json}{json}"),
        String::new(),
    ] {
        assert!(Entry::from_json(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn acts_become_entries_that_can_be_read_again() {
    let mut nested = serde_json::json!(1);
    for _ in 0..200 {
        nested = serde_json::json!([nested]);
    }
    let act = Act::new("strange_2".parse().unwrap())
        .by(Actor::new(
            ActorKind::User,
            Some(u64::MAX),
            Some(&"\u{1}é".repeat(400)),
        ))
        .from("x".repeat(1_000))
        .with("number", 0.1)
        .with("nested", nested)
        .with("least", i64::MIN);
    let entry = act.clone().into_entry(7, WallMillis(u64::MAX));
    assert_eq!(Entry::from_json(&entry.to_json()).unwrap(), entry);
    assert_eq!(entry.details["number"], "0.1");
    let long = act.with("long", "\u{1}".repeat(LEDGER_DETAILS_MAX));
    let entry = long.into_entry(7, WallMillis(0));
    assert_eq!(Entry::from_json(&entry.to_json()).unwrap(), entry);
    assert!(entry.details.contains_key("too_long"));
    assert!("".parse::<Kind>().is_err() && "Play".parse::<Kind>().is_err());
    assert_eq!("play".parse(), Ok(Kind::Play));
}

#[derive(Default)]
struct Told {
    entries: Vec<u64>,
    bad: Vec<BadEntry>,
}

impl Walk for Told {
    fn entry(&mut self, placed: Placed) {
        self.entries.push(placed.entry.seq);
    }

    fn bad(&mut self, bad: BadEntry) {
        self.bad.push(bad);
    }

    fn unreadable(&mut self, path: PathBuf, problem: io::Error) {
        panic!("{}: {problem}", path.display());
    }
}

/// A ledger of several segments in a folder, with a checkpoint every 50 entries.
fn many(folder: &Path, key: &SigningKey) -> (Head, Vec<Checkpoint>, Vec<u64>) {
    let mut writer = Writer::new(folder.to_owned(), Head::start(LogId([1; 16])), None);
    let (mut checkpoints, mut segments) = (Vec::new(), Vec::new());
    for group in 0..12_u64 {
        let seqs = group * 50 + 1..=group * 50 + 50;
        let padded = seqs.map(|seq| {
            let mut entry = an_entry(1, seq);
            entry
                .details
                .insert("padding".into(), "x".repeat(4_900).into());
            entry
        });
        writer.append(padded.collect()).unwrap();
        writer.committed();
        let head = writer.head();
        if segments.last() != Some(&head.segment) {
            segments.push(head.segment);
        }
        checkpoints.push(Checkpoint::sign(head.log, head.end, WallMillis(0), key));
    }
    assert!(segments.len() >= 3, "{segments:?}");
    (writer.head(), checkpoints, segments)
}

fn walked(folder: &Path, head: Option<&Head>, checkpoints: &[Checkpoint]) -> Told {
    let mut told = Told::default();
    walk(folder, head, checkpoints.to_vec(), &mut told).unwrap();
    told
}

#[test]
fn segments_that_are_gone_cut_or_exchanged_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::create(&folder.path().join("key")).unwrap();
    let (head, checkpoints, segments) = many(folder.path(), &key);
    let good = walked(folder.path(), Some(&head), &checkpoints);
    assert!(good.bad.is_empty(), "{:?}", good.bad);
    assert_eq!(good.entries.len(), 600);
    let path = |first| folder.path().join(segment_name(first));
    let second = std::fs::read(path(segments[1])).unwrap();

    std::fs::remove_file(path(segments[1])).unwrap();
    let told = walked(folder.path(), Some(&head), &checkpoints);
    assert_eq!(told.bad[0].seq, segments[1]);
    assert!(matches!(told.bad[0].problem, Problem::Missing(last) if last == segments[2] - 1));
    assert_eq!((told.bad.len(), told.entries.last()), (1, Some(&600)));

    // A bit in the header, and one in the middle: the rest is still read.
    for at in [20, second.len() / 2] {
        let mut changed = second.clone();
        changed[at] ^= 1;
        std::fs::write(path(segments[1]), &changed).unwrap();
        let told = walked(folder.path(), Some(&head), &checkpoints);
        let seq = told.bad[0].seq;
        assert!((segments[1]..segments[2]).contains(&seq), "{seq}");
        assert_eq!(told.entries.last(), Some(&600), "{at}");
    }

    // The end of a segment that is not the last.
    std::fs::write(path(segments[1]), &second[..second.len() / 2]).unwrap();
    let told = walked(folder.path(), Some(&head), &checkpoints);
    assert!((segments[1]..segments[2]).contains(&told.bad[0].seq));
    std::fs::write(path(segments[1]), &second).unwrap();

    // The last segment, whole.
    let last = *segments.last().unwrap();
    std::fs::remove_file(path(last)).unwrap();
    let told = walked(folder.path(), Some(&head), &checkpoints);
    assert_eq!(told.bad[0].seq, last);
    assert!(matches!(told.bad[0].problem, Problem::Missing(600)));
}

/// Somebody who can write everything but has not the key writes the rest anew, so that it is whole.
#[test]
fn what_is_written_anew_is_found_by_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::create(&folder.path().join("key")).unwrap();
    let (head, checkpoints, _) = many(folder.path(), &key);
    let other = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(other.path().to_owned(), Head::start(head.log), None);
    for group in 0..12_u64 {
        let seqs = group * 50 + 1..=group * 50 + 50;
        let made = seqs.map(|seq| {
            let mut entry = an_entry(1, seq);
            let what = if seq == 321 { "y" } else { "x" };
            entry
                .details
                .insert("padding".into(), what.repeat(4_900).into());
            entry
        });
        writer.append(made.collect()).unwrap();
        writer.committed();
    }
    let forged = writer.head();
    assert!(walked(other.path(), Some(&forged), &[]).bad.is_empty());
    let told = walked(other.path(), Some(&forged), &checkpoints);
    assert_eq!(told.bad[0].seq, 301);
    assert!(matches!(told.bad[0].problem, Problem::Checkpoint(350)));
    let told = walked(other.path(), Some(&head), &[]);
    assert!(matches!(
        told.bad[0],
        BadEntry {
            seq: 600,
            problem: Problem::Head,
            ..
        }
    ));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(12, 64, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_told_can_be_read_again(
        fields in proptest::collection::vec((any::<String>(), json()), 0..6),
        name: Option<String>, from: Option<String>, at: u64, seq: u64,
    ) {
        let mut act = Act::new(Kind::ConfigChanged);
        act.details = fields.into_iter().collect::<Details>();
        act.who = Some(Actor::new(ActorKind::Key, None, name.as_deref()));
        act.from = from;
        let entry = act.into_entry(seq, WallMillis(at));
        prop_assert_eq!(Entry::from_json(&entry.to_json()).unwrap(), entry);
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        let mut chain = Chain::START;
        prop_assert!(chain.header(&bytes).is_err());
        prop_assert!(chain.entry(&bytes).is_err());
        let head = Head::start(LogId([0; 16]));
        prop_assert_eq!(first_bad(&bytes, &head), Some(1));
    }

    /// Any order of any of the lines that is not the order they were written in.
    #[test]
    fn no_other_order_of_lines_is_good(picks in proptest::collection::vec(0usize..12, 0..16)) {
        let log = Log::new(1, 12);
        let wrong = picks.iter().enumerate().position(|(at, pick)| at != *pick);
        let wrong = wrong.or((picks.len() < 12).then_some(picks.len()));
        let lines = log.all();
        let bytes = log.with_lines(picks.iter().map(|pick| lines[*pick]));
        prop_assert_eq!(first_bad(&bytes, &log.head), wrong.map(|at| at as u64 + 1));
    }
}

#[test]
fn a_proof_shows_its_entry_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::create(&folder.path().join("key")).unwrap();
    let log = Log::new(1, 30);
    let digest = |seq| Hash::of(&log.line(seq)[65..log.line(seq).len() - 1]);
    let states = log.states();
    let checkpoint = Checkpoint::sign(log.head.log, log.head.end, WallMillis(5), &key);
    let entry = String::from_utf8(log.line(9)[65..].to_vec()).unwrap();
    let proof = super::proof::ChainProof {
        prev_hash: states[8].end.hash,
        entry: entry.trim_end().to_owned(),
        after: (10..=30).map(digest).collect::<VecDeque<_>>().into(),
        checkpoint: checkpoint.to_string(),
    };
    let trusted = [key.public()];
    let proven = proof.verify(&trusted).unwrap();
    assert_eq!((proven.entry.seq, proven.hash), (9, states[9].end.hash));
    let stranger = SigningKey::create(&folder.path().join("other")).unwrap();
    assert!(proof.verify(&[stranger.public()]).is_err());
    let changed = |change: &dyn Fn(&mut super::proof::ChainProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        changed.verify(&trusted).is_err()
    };
    assert!(changed(&|it| it.prev_hash = Hash::ZERO));
    assert!(changed(
        &|it| it.entry = it.entry.replace("\"seq\":9", "\"seq\":8")
    ));
    assert!(changed(&|it| it.after.swap(3, 4)));
    assert!(changed(&|it| it.after.truncate(20)));
    assert!(changed(&|it| it.entry.push(' ')));
    let end = ChainEnd {
        seq: 29,
        ..log.head.end
    };
    let moved = Checkpoint::sign(log.head.log, end, WallMillis(5), &key);
    assert!(changed(&|it| it.checkpoint = moved.to_string()));
    let json = serde_json::to_string(&proof).unwrap();
    for at in 0..json.len() {
        let mut bytes = json.clone().into_bytes();
        bytes[at] ^= 1;
        let read = serde_json::from_slice::<super::proof::ChainProof>(&bytes);
        let good = read.is_ok_and(|read| read != proof && read.verify(&trusted).is_ok());
        assert!(!good, "byte {at}");
    }
}
