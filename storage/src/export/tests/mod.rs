//! Exports: what is written, and that every way of damaging one is told, by the library and by the
//! script in the archive alike.

mod attacks;
mod cut;
mod script;

use std::collections::HashMap;
use std::path::PathBuf;

use audio_io::units::{Frames, Millis};

use super::*;
use crate::backup::tar;
use crate::ledger::chain::{ChainEnd, Hash, LogId};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{Act, Actor, Content, Kind};
use crate::record::{Container, TimeQuality};
use crate::testing::{a_recording, marks, scratch, sealed, sound};

pub(super) const NOW: WallMillis = WallMillis(1_763_800_000_123);

/// Recordings with files, and a ledger that tells of them.
pub(super) struct Desk {
    pub(super) folder: tempfile::TempDir,
    pub(super) items: Vec<Item>,
    pub(super) key: SigningKey,
    pub(super) older: SigningKey,
    pub(super) proofs: Known,
}

/// Proofs by recording.
#[derive(Clone, Default)]
pub(super) struct Known(pub(super) HashMap<u64, Vec<ChainProof>>);

impl Proofs for Known {
    fn proofs(
        &mut self,
        _: TenantId,
        recording: RecordingId,
    ) -> Result<Vec<ChainProof>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.get(&recording.0).cloned().unwrap_or_default())
    }
}

/// A ledger in memory.
struct Chain {
    log: LogId,
    lines: Vec<(Hash, Vec<u8>)>,
    end: ChainEnd,
}

impl Chain {
    fn new() -> Self {
        Self {
            log: LogId([0x5a; 16]),
            lines: Vec::new(),
            end: ChainEnd::START,
        }
    }

    fn append(&mut self, act: Act) -> usize {
        let entry = act.into_entry(self.end.seq + 1, NOW);
        let json = entry.to_json();
        self.lines.push((self.end.hash, json.clone()));
        self.end = ChainEnd {
            seq: entry.seq,
            hash: self.end.hash.then(&Hash::of(&json)),
        };
        self.lines.len() - 1
    }

    fn checkpoint(&self, at: u64, key: &SigningKey) -> Checkpoint {
        Checkpoint::sign(self.log, self.end, WallMillis(at), key)
    }

    /// The proof of a line up to a checkpoint.
    fn proof(&self, line: usize, checkpoint: &Checkpoint) -> ChainProof {
        let end = usize::try_from(checkpoint.end.seq).unwrap();
        let (prev_hash, json) = self.lines[line].clone();
        ChainProof {
            prev_hash,
            entry: String::from_utf8(json).unwrap(),
            after: self.lines[line + 1..end]
                .iter()
                .map(|(_, json)| Hash::of(json))
                .collect(),
            checkpoint: checkpoint.to_string(),
        }
    }
}

fn key(folder: &std::path::Path, name: &str) -> SigningKey {
    SigningKey::create(&folder.join(name)).unwrap()
}

/// A recording of this length, its file in place.
fn item(folder: &std::path::Path, id: u64, len: usize, container: Container) -> Item {
    let mut row = sealed(a_recording(1, id));
    row.facts.container = container;
    let bytes = sound(id, len);
    let outcome = row.outcome.as_mut().unwrap();
    outcome.size_bytes = len as u64;
    outcome.content_hash = *blake3::hash(&bytes).as_bytes();
    outcome.frames = Frames(len as u64);
    outcome.gaps.clear();
    if id == 7 {
        outcome.marks = marks();
        row.facts.time = Some(TimeQuality {
            synchronised: Some(true),
            max_error: Some(Millis(20)),
            ..TimeQuality::default()
        });
    }
    let path = folder.join(format!("{id}.{}", container.extension()));
    std::fs::write(&path, bytes).unwrap();
    let name = TenantName::new("acme").unwrap();
    Item::new(row, path, Some(name))
}

fn content_act(kind: Kind, row: &Recording, blake3: Option<Hash>) -> Act {
    let mut content = Content::of(row).unwrap();
    content.blake3 = blake3.unwrap_or(content.blake3);
    let mut act = Act::new(kind).on(row.facts.tenant, row.facts.id);
    act.details = content.to_details();
    act
}

/// A ledger that tells of three recordings, the lines of their entries, and its first checkpoint.
fn chain_of(items: &[Item], older: &SigningKey, who: &str) -> (Chain, [usize; 4], Checkpoint) {
    let mut chain = Chain::new();
    let name = format!("\u{fc}ber \"{who}\"\n\u{1}");
    let who = Actor::new(crate::ledger::entry::ActorKind::User, Some(4), Some(&name));
    let login = Act::new(Kind::Login).by(who);
    chain.append(Act::new(Kind::Genesis).with("log", chain.log.to_string()));
    let first = chain.append(content_act(Kind::Sealed, &items[0].row, None));
    let was = Hash::of(b"as it was recorded");
    let second = chain.append(content_act(Kind::Sealed, &items[1].row, Some(was)));
    chain.append(login.clone());
    let one = chain.checkpoint(NOW.0 - 5_000, older);
    let third = chain.append(content_act(Kind::Exchanged, &items[1].row, None));
    let fourth = chain.append(content_act(Kind::Imported, &items[2].row, None));
    chain.append(login);
    (chain, [first, second, third, fourth], one)
}

impl Desk {
    /// The proof of the third recording in a ledger of another past, signed by the same key.
    pub(super) fn other_past(&self) -> ChainProof {
        let (chain, lines, _) = chain_of(&self.items, &self.older, "Bob");
        let end = chain.checkpoint(NOW.0 - 500, &self.key);
        chain.proof(lines[3], &end)
    }

    /// Three recordings: one sealed, one exchanged for another format, one imported; two keys.
    pub(super) fn new() -> Self {
        let folder = scratch();
        let at = folder.path();
        let (key, older) = (key(at, "key.pem"), key(at, "older.pem"));
        let items = vec![
            item(at, 7, 9_000, Container::Wav),
            item(at, 8, 512, Container::Flac),
            item(at, 3, 1_025, Container::Mp3),
        ];
        let (chain, lines, one) = chain_of(&items, &older, "Ann");
        let two = chain.checkpoint(NOW.0 - 1_000, &key);
        let [first, second, third, fourth] = lines;
        let proofs = HashMap::from([
            (7, vec![chain.proof(first, &one)]),
            (8, vec![chain.proof(second, &one), chain.proof(third, &two)]),
            (3, vec![chain.proof(fourth, &two)]),
        ]);
        Self {
            folder,
            items,
            key,
            older,
            proofs: Known(proofs),
        }
    }

    pub(super) fn export<'e>(&'e self, keys: &'e [PublicKey], proofs: &'e mut Known) -> Export<'e> {
        Export {
            made_by: "callreel 0.1.0".to_owned(),
            host: "recorder \u{e4}\u{1f600}".to_owned(),
            made_at: NOW,
            note: Some("case 12/25:\n\"Smith\" \\ \u{7f}\u{1b}".to_owned()),
            items: &self.items,
            unproved: false,
            key: &self.key,
            checkpoint_keys: keys,
            proofs,
        }
    }

    pub(super) fn keys(&self) -> [PublicKey; 2] {
        [self.key.public(), self.older.public()]
    }

    /// The archive.
    pub(super) fn archive(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = self.written(&mut bytes, |_| ()).unwrap();
        assert_eq!(written.bytes, bytes.len() as u64);
        bytes
    }

    pub(super) fn written(
        &self,
        to: &mut dyn std::io::Write,
        change: impl FnOnce(&mut Export<'_>),
    ) -> Result<Written, ExportError> {
        let (keys, mut proofs) = (self.keys(), self.proofs.clone());
        let mut export = self.export(&keys, &mut proofs);
        change(&mut export);
        write(export, to, &mut |_, _| true)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The members of an archive.
pub(super) fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut reader = tar::Reader::new(archive, names::HEAD);
    std::iter::from_fn(|| reader.next().unwrap()).collect()
}

/// An archive of these members.
pub(super) fn packed<'m>(members: impl IntoIterator<Item = &'m (String, Vec<u8>)>) -> Vec<u8> {
    let mut writer = tar::Writer::new(Vec::new(), NOW.0 / 1_000);
    for (name, bytes) in members {
        writer.member(name, bytes).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn what_is_exported_is_all_there_and_checks() {
    let desk = Desk::new();
    let archive = desk.archive();
    let mut read = 0;
    let report = verify(&archive[..], Some(&desk.key.public()), &mut |at| read = at).unwrap();
    assert_eq!((report.recordings, report.unproved), (3, 0));
    assert_eq!(report.sound_bytes, 9_000 + 512 + 1_025);
    assert_eq!(
        (report.checkpoints, report.bytes),
        (2, archive.len() as u64)
    );
    assert!(report.key_expected && read > 0);
    assert_eq!(report.last_checkpoint_at, Some(WallMillis(NOW.0 - 1_000)));
    assert!(
        !verify(&archive[..], None, &mut |_| ())
            .unwrap()
            .key_expected
    );
    let all = members(&archive);
    let named: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "callreel-export.json",
        "README.txt",
        "verify.py",
        "public-key.pem",
        "recordings/000001.wav",
        "recordings/000001.proof",
        "recordings/000002.flac",
        "recordings/000002.proof",
        "recordings/000003.mp3",
        "recordings/000003.proof",
        "checkpoints.log",
        "manifest.json",
        "manifest.sig",
    ];
    assert_eq!(named, expected);
    for (at, item) in [(4, 0), (6, 1), (8, 2)] {
        assert_eq!(all[at].1, std::fs::read(&desk.items[item].path).unwrap());
    }
    assert_eq!(packed(&all), archive);
}

#[test]
fn everything_that_is_told_of_a_recording_is_in_the_manifest() {
    let mut desk = Desk::new();
    let item = &mut desk.items[0];
    item.tags = vec!["sales".to_owned()];
    item.keep_until = Some(NOW);
    item.holds = vec![Hold {
        id: 1,
        reason: "case 12/25".to_owned(),
        by: "root".to_owned(),
        at: NOW,
    }];
    let archive = desk.archive();
    let text = String::from_utf8(members(&archive)[11].1.clone()).unwrap();
    for told in [
        r#""names":{"call_sid":"call_00000000000000000000000000000007""#,
        r#""started_at":1763700000000,"time_quality":"synchronised, within 20 ms","#,
        r#""duration_ms":1125,"#,
        r#"{"at":2000,"frames":320,"kind":"masked"}"#,
        r#""tags":["sales"],"holds":[{"id":1,"reason":"case 12/25","by":"root","at":"#,
        r#""note":"case 12/25:\n\"Smith\" \\ "#,
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    verify(&archive[..], None, &mut |_| ()).unwrap();
}

#[test]
fn nothing_is_exported_that_cannot_be_proved() {
    let told = |change: &dyn Fn(&mut Desk)| {
        let mut desk = Desk::new();
        change(&mut desk);
        let target = desk.path("out/export.tar");
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let (keys, mut proofs) = (desk.keys(), desk.proofs.clone());
        let export = desk.export(&keys, &mut proofs);
        let error = write_file(export, &target, false, &mut |_, _| true).unwrap_err();
        let left = std::fs::read_dir(target.parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "{error}");
        error
    };
    let id = RecordingId(8);
    assert!(matches!(
        told(&|desk| desk.items.clear()),
        ExportError::Nothing
    ));
    let twice = |desk: &mut Desk| desk.items[0] = desk.items[1].clone();
    assert!(matches!(told(&twice), ExportError::Twice(found) if found == id));
    let live = |desk: &mut Desk| desk.items[1].row.state = RecordingState::Live;
    assert!(matches!(told(&live), ExportError::NoFile { id: found, .. } if found == id));
    let gone = |desk: &mut Desk| std::fs::remove_file(&desk.items[1].path).unwrap();
    assert!(matches!(told(&gone), ExportError::File { id: found, .. } if found == id));
    let longer = |desk: &mut Desk| std::fs::write(&desk.items[1].path, [7; 513]).unwrap();
    assert!(matches!(
        told(&longer),
        ExportError::Length { found: 513, .. }
    ));
    for byte in [0, 300, 511] {
        let flipped = |desk: &mut Desk| {
            let mut bytes = std::fs::read(&desk.items[1].path).unwrap();
            bytes[byte] ^= 1;
            std::fs::write(&desk.items[1].path, bytes).unwrap();
        };
        assert!(matches!(told(&flipped), ExportError::Changed { id: found, .. } if found == id));
    }
    let unproved = |desk: &mut Desk| drop(desk.proofs.0.remove(&8));
    assert!(matches!(told(&unproved), ExportError::Unproved(found) if found == id));
    let stale = |desk: &mut Desk| drop(desk.proofs.0.get_mut(&8).unwrap().pop());
    let error = told(&stale);
    assert!(error.to_string().contains("another blake3"), "{error}");
    let foreign = |desk: &mut Desk| {
        let other = desk.proofs.0[&7].clone();
        desk.proofs.0.insert(8, other);
    };
    assert!(matches!(told(&foreign), ExportError::Disproved { .. }));
    let two_pasts = |desk: &mut Desk| {
        let other = desk.other_past();
        desk.proofs.0.insert(3, vec![other]);
    };
    let error = told(&two_pasts);
    assert!(
        error.to_string().contains("two pasts of entry 7"),
        "{error}"
    );
    let unknown = |desk: &mut Desk| desk.older = key(desk.folder.path(), "another.pem");
    assert!(matches!(told(&unknown), ExportError::Checkpoint { .. }));
}

#[test]
fn an_export_is_stopped_when_it_is_told_to() {
    let desk = Desk::new();
    let target = desk.path("export.tar");
    for stop_at in 0..3 {
        let (keys, mut proofs) = (desk.keys(), desk.proofs.clone());
        let mut told = Vec::new();
        let mut progress = |done, all| {
            told.push((done, all));
            told.len() <= stop_at
        };
        let export = desk.export(&keys, &mut proofs);
        let error = write_file(export, &target, false, &mut progress).unwrap_err();
        assert!(matches!(error, ExportError::Stopped));
        let all = [(0, 10_537), (9_000, 10_537), (9_512, 10_537)];
        assert_eq!(told, all[..=stop_at]);
        assert!(!target.exists());
    }
    let files = std::fs::read_dir(desk.folder.path()).unwrap();
    let drafts = files.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".tmp")
    });
    assert_eq!(drafts.count(), 0);
}

#[test]
fn recordings_that_are_older_than_the_ledger_are_told_apart() {
    let mut desk = Desk::new();
    desk.proofs.0.remove(&8);
    let mut archive = Vec::new();
    let written = desk.written(&mut archive, |export| export.unproved = true);
    assert_eq!(written.unwrap().unproved, 1);
    let report = verify(&archive[..], None, &mut |_| ()).unwrap();
    assert_eq!((report.recordings, report.unproved), (3, 1));
    desk.proofs.0.clear();
    let mut archive = Vec::new();
    desk.written(&mut archive, |export| export.unproved = true)
        .unwrap();
    let report = verify(&archive[..], None, &mut |_| ()).unwrap();
    assert_eq!((report.unproved, report.checkpoints), (3, 0));
    assert_eq!(report.last_checkpoint_at, None);
}

#[test]
fn a_file_that_came_back_is_proved_by_what_was_told_of_it_before() {
    let mut desk = Desk::new();
    let mut chain = Chain::new();
    let row = &desk.items[0].row.clone();
    let now = Hash(row.outcome.as_ref().unwrap().content_hash);
    let other = Hash::of(b"another format");
    let lines = [
        chain.append(content_act(Kind::Sealed, row, None)),
        chain.append(content_act(Kind::Exchanged, row, Some(other))),
        chain.append(
            Act::new(Kind::Undone)
                .on(row.facts.tenant, row.facts.id)
                .with("undoes", 2)
                .with("blake3", now.to_string()),
        ),
    ];
    let end = chain.checkpoint(NOW.0, &desk.key);
    let all: Vec<_> = lines.iter().map(|line| chain.proof(*line, &end)).collect();
    desk.items.truncate(1);
    desk.proofs.0.insert(7, all.clone());
    let archive = desk.archive();
    verify(&archive[..], None, &mut |_| ()).unwrap();
    let on = |kind| Act::new(kind).on(row.facts.tenant, row.facts.id);
    let mut more = Chain::new();
    let lines = [
        more.append(content_act(Kind::Sealed, row, Some(other))),
        more.append(on(Kind::Undone).with("undoes", 1)),
        more.append(content_act(Kind::Sealed, row, None)),
        more.append(on(Kind::Tagged).with("tags", "sales")),
        more.append(on(Kind::Deleted)),
        more.append(on(Kind::Undone).with("blake3", now.to_string())),
        more.append(on(Kind::Deleted)),
    ];
    let end = more.checkpoint(NOW.0, &desk.key);
    let more: Vec<_> = lines.iter().map(|line| more.proof(*line, &end)).collect();
    for good in [3, 4, 6] {
        desk.proofs.0.insert(7, more[..good].to_vec());
        verify(&desk.archive()[..], None, &mut |_| ()).unwrap();
    }
    for wrong in [
        &all[..2],
        &all[1..],
        &all[2..],
        &more[..2],
        &more[..5],
        &more[..],
    ] {
        desk.proofs.0.insert(7, wrong.to_vec());
        let error = desk.written(&mut Vec::new(), |_| ()).unwrap_err();
        assert!(matches!(error, ExportError::Disproved { .. }), "{error}");
    }
}
