//! Every bit of a small store, one at a time: files of recordings, ledger, checkpoints, keys and
//! the store's number each through the very part of the check that looks at them, with the index
//! open; and bits all over the index, from outside. What is flipped is found, or it matters to
//! nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::*;
use crate::handle::ImportRequest;
use crate::ids::{RecordingId, TenantId};
use crate::ledger::entry::{Act, Kind};
use crate::ledger::key::SigningKey;
use crate::record::WallMillis;
use crate::recorder::Recorder;
use crate::retention::{Keeping, NewHold};
use crate::testing::{Store, marks, scratch, sound};

/// A recording with a gap and marks, an import, and one whose file was exchanged.
fn small_store() -> (Store, Vec<Recording>) {
    let store = Store::open(scratch());
    let facts = store.facts();
    let id = facts.id;
    let live = async |mut recorder: Recorder| {
        recorder.begin(facts.clone()).unwrap();
        recorder.append(id, &sound(1, 400)).unwrap();
        recorder.gap(
            id,
            audio_io::units::Frames(60),
            audio_io::block::GapCause::Overrun,
        );
        for mark in marks().into_iter().take(1) {
            recorder.mark(id, mark);
        }
        recorder.append(id, &sound(2, 300)).unwrap();
        recorder.end(id, EndCause::Silence, true);
        recorder.finish().await;
    };
    let io = crate::handle::IoChoice::Blocking;
    crate::recorder::run(store.seed(), io, live).unwrap();
    let imported = import(&store, 3, 300);
    let exchanged = import(&store, 4, 100);
    let mut draft = store.handle.draft_derived(&exchanged).unwrap();
    std::io::Write::write_all(&mut draft.file(), &sound(5, 200)).unwrap();
    let replaced = store
        .handle
        .replace_stored(&exchanged, Container::Flac, draft);
    replaced.unwrap();
    let hold = NewHold {
        reason: "a case".into(),
        by: "counsel".into(),
    };
    let id = imported.facts.id;
    store.handle.set_hold(store.tenant, id, hold).unwrap();
    let play = Act::new(Kind::Play).on(store.tenant, id);
    store.handle.record_act_durably(play).unwrap();
    assert!(store.handle.checkpoint_now().unwrap());
    assert!(store.findings().is_empty(), "{:?}", store.findings());
    let rows = store.handle.shared.index.walk(None, 10).unwrap();
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row.unwrap()).collect();
    assert_eq!(rows.len(), 3);
    (store, rows)
}

fn import(store: &Store, seed: u64, bytes: usize) -> Recording {
    let source = store.folder.path().join("import.mp3");
    std::fs::write(&source, sound(seed, bytes)).unwrap();
    let request = ImportRequest {
        tenant: store.tenant,
        source: source.clone(),
        container: Container::Mp3,
        format: audio_io::format::StreamFormat::TELEPHONE,
        frames: audio_io::units::Frames(8_000),
        names: crate::handle::ImportNames::default(),
        line: None,
        from: None,
        to: None,
        started_at: Some(WallMillis(1_763_600_000_000)),
    };
    let row = store.handle.import(request, &mut |_, _| ()).unwrap();
    std::fs::remove_file(source).unwrap();
    row
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(all_files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// Flips each bit of a file in turn, and puts it back.
fn each_bit(path: &Path, mut look: impl FnMut(usize, &str)) {
    let bytes = std::fs::read(path).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    for (at, byte) in bytes.iter().enumerate() {
        for bit in 0..8 {
            file.write_all_at(&[byte ^ (1 << bit)], at as u64).unwrap();
            look(at, &format!("'{}', byte {at}, bit {bit}", path.display()));
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
}

/// What one part of a thorough check finds.
fn found(
    store: &Store,
    part: impl FnOnce(&mut Check<'_>) -> Result<(), CheckError>,
) -> Vec<Finding> {
    let shared = &store.handle.shared;
    let mut check = Check {
        layout: &shared.layout,
        index: &shared.index,
        options: CheckOptions { hashes: true },
        report: CheckReport::default(),
    };
    part(&mut check).unwrap();
    check.report.findings
}

fn ledger_findings(store: &Store) -> Vec<Finding> {
    found(store, |check| check.ledger(&LedgerTrust::default()))
}

#[test]
fn every_bit_of_a_recording_and_of_what_is_told_beside_it_is_found() {
    let (store, rows) = small_store();
    let mut looked_at = 0;
    for row in &rows {
        let path = store.handle.path_of(row);
        for file in [path.clone(), facts_of(&path), converted_facts_of(&path)] {
            if !file.exists() {
                continue;
            }
            looked_at += 1;
            each_bit(&file, |_, what| {
                let findings = found(&store, |check| check.row(row));
                let of_this = findings.iter().any(|finding| match finding {
                    Finding::Hash { id } | Finding::Facts { id } => *id == row.facts.id,
                    Finding::Header { id, .. } => *id == row.facts.id,
                    _ => false,
                });
                assert!(of_this, "{what}: {findings:?}");
            });
        }
        // Peaks are a drawing that can be made again: a bit of one is no damage.
        let peaks = peaks_of(&path);
        if peaks.exists() {
            each_bit(&peaks, |_, what| {
                let findings = found(&store, |check| check.row(row));
                assert!(findings.iter().all(Finding::is_rebuildable), "{what}");
            });
        }
        assert!(found(&store, |check| check.row(row)).is_empty());
    }
    assert_eq!(looked_at, 5, "a file each, and facts beside two");
}

#[test]
fn every_bit_of_the_ledger_and_its_checkpoints_is_named() {
    let (store, _) = small_store();
    let layout = &store.handle.shared.layout;
    let segments = crate::ledger::segments::list(&layout.ledger()).unwrap();
    assert_eq!(segments.len(), 1);
    let bytes = std::fs::read(&segments[0].1).unwrap();
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    each_bit(&segments[0].1, |at, what| {
        // Line 0 is the segment's header; what follows it cannot be followed then.
        let wanted = ends.partition_point(|end| *end < at).max(1) as u64;
        let findings = ledger_findings(&store);
        let bad = findings.iter().filter_map(|finding| match finding {
            Finding::Ledger(bad) => Some(bad.seq),
            _ => None,
        });
        assert_eq!(bad.min(), Some(wanted), "{what}: {findings:?}");
    });
    let checkpoints = layout.checkpoints().join("checkpoints.log");
    let length = std::fs::read(&checkpoints).unwrap().len();
    each_bit(&checkpoints, |at, what| {
        let is_told = ledger_findings(&store)
            .iter()
            .any(|finding| matches!(finding, Finding::Checkpoint { .. }));
        // Without its last byte a line is one that is being written.
        assert!(is_told || at + 1 == length, "{what}");
    });
    assert!(ledger_findings(&store).is_empty());
}

#[test]
fn every_bit_of_keys_and_of_the_stores_number_is_found_or_changes_nothing() {
    let (store, _) = small_store();
    let shared = &store.handle.shared;
    let key_file = store.handle.ledger_key_file().to_owned();
    let public = SigningKey::read(&key_file).unwrap().public();
    each_bit(&key_file, |_, what| {
        // One that can be read is the same, or is told as another one at the next start.
        if let Ok(key) = SigningKey::read(&key_file) {
            let told = ledger_findings(&store);
            assert!(told.is_empty() || key.public() != public, "{what}");
        }
    });
    let number = shared.layout.root().join(crate::retention::ID_FILE);
    let length = std::fs::read(&number).unwrap().len();
    each_bit(&number, |at, what| {
        // The end of its line may be another white space.
        let is_found = shared.keeper.guard.check().is_err();
        assert!(is_found || at + 1 == length, "{what}");
    });
    shared.keeper.guard.check().unwrap();
    for pem in all_files(&shared.layout.checkpoints()) {
        if pem.extension().is_some_and(|ending| ending == "pem") {
            // The ledger itself tells of the key, too.
            each_bit(&pem, |_, what| {
                let findings = ledger_findings(&store);
                let of_ledger = |it: &Finding| matches!(it, Finding::Ledger(_));
                assert!(!findings.iter().any(of_ledger), "{what}: {findings:?}");
            });
        }
    }
    // Nothing of a store is left out of these tests.
    for path in all_files(store.folder.path()) {
        let inside = path.strip_prefix(store.folder.path()).unwrap();
        let first = inside.components().next().unwrap();
        let first = first.as_os_str().to_string_lossy().into_owned();
        let known = [
            "recordings",
            "ledger",
            "checkpoints",
            "keys",
            "journal",
            "index.redb",
            "lock",
            "reserve",
            crate::retention::ID_FILE,
        ];
        assert!(known.contains(&first.as_str()), "{}", inside.display());
    }
}

/// What an index says of recordings.
type Said = BTreeMap<(TenantId, RecordingId), (Recording, Option<Keeping>)>;

fn said(folder: &Path) -> Result<Said, CheckError> {
    let layout = Layout::new(folder);
    let _lock = lock(&layout)?;
    let reserve = Arc::new(Reserve::new(layout.reserve()));
    let opener: Arc<dyn Opener> = Arc::new(FileOpener { reserve });
    let (index, _) = migrate::open(&opener, &layout, OFFLINE_CACHE, SystemClock.wall())?;
    let mut said = Said::new();
    for (key, row) in index.walk(None, 100)? {
        let (tenant, id) = split_recording(&key);
        if let Ok(row) = row {
            let keeping = index.keeping(tenant, id)?;
            said.insert((tenant, id), (row, keeping));
        }
    }
    Ok(said)
}

#[test]
fn bits_all_over_the_index_are_found_or_change_nothing() {
    let (store, _) = small_store();
    let folder = store.close();
    let wanted = said(folder.path()).unwrap();
    let path = folder.path().join("index.redb");
    let good = std::fs::read(&path).unwrap();
    // Each byte of the head, and then of what follows those that are not zero, as far as there is
    // time.
    let used: Vec<usize> = (512..good.len()).filter(|at| good[*at] != 0).collect();
    let step = (used.len() / 500).max(1);
    let places = (0..320).chain(used.iter().copied().step_by(step));
    let mut found = 0_usize;
    let mut tried = 0_usize;
    for (number, at) in places.enumerate() {
        tried += 1;
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (number % 8);
        std::fs::write(&path, &bytes).unwrap();
        let check = || check_offline(folder.path(), CheckOptions { hashes: true }, &mut |_, _| ());
        let checked = catch_unwind(AssertUnwindSafe(check));
        let checked = checked.unwrap_or_else(|_| panic!("byte {at}: the check died"));
        match checked {
            Err(_) => found += 1,
            Ok(report) if !report.is_clean() => found += 1,
            Ok(_) => {
                std::fs::write(&path, &bytes).unwrap();
                assert!(said(folder.path()).unwrap() == wanted, "byte {at}");
            }
        }
    }
    assert!(found > tried / 10, "{found} of {tried}");
}

/// A cut-off recording's journal: whatever bit is another, what was written before it counts, and
/// nothing that was never written does.
#[test]
fn no_bit_of_a_journal_makes_up_an_entry() {
    let folder = scratch();
    let store = Store::open(scratch());
    let facts = store.facts();
    let id = facts.id;
    let from = store.folder.path().join("journal");
    let to = folder.path().join("journal");
    let io = crate::handle::IoChoice::Blocking;
    let live = async |mut recorder: Recorder| {
        recorder.begin(facts.clone()).unwrap();
        for seed in 0..4 {
            recorder.append(id, &sound(seed, 160)).unwrap();
        }
        store.clock.advance(std::time::Duration::from_secs(2));
        crate::testing::until(&mut recorder, |recorder, _| {
            recorder.durable_bytes(id) == 640
        })
        .await;
        std::fs::create_dir(&to).unwrap();
        for file in all_files(&from) {
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
        recorder.end(id, EndCause::Silence, true);
        recorder.finish().await;
    };
    crate::recorder::run(store.seed(), io, live).unwrap();
    let entries = |told: &mut Vec<String>| {
        let (generations, _) = crate::journal::reader::generations(&to).unwrap();
        for generation in generations {
            let visit = |entry: crate::journal::entry::Entry<'_>| {
                told.push(format!("{entry:?}"));
                Ok::<_, std::io::Error>(())
            };
            crate::journal::reader::replay(&generation, visit).unwrap();
        }
    };
    let mut wanted = Vec::new();
    entries(&mut wanted);
    assert!(wanted.len() >= 2, "{wanted:?}");
    let files: Vec<_> = all_files(&to);
    assert_eq!(files.len(), 1, "{files:?}");
    // The rest of the file is not written to yet.
    let bytes = std::fs::read(&files[0]).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    std::fs::write(&files[0], &bytes[..used.next_multiple_of(512)]).unwrap();
    let mut shorter = 0;
    each_bit(&files[0], |_, what| {
        let mut told = Vec::new();
        entries(&mut told);
        assert!(wanted.starts_with(&told), "{what}: {told:?}");
        shorter += usize::from(told.len() < wanted.len());
    });
    // The head of the file is a page, most of it empty; every byte of entries matters.
    let entries = used - crate::journal::entry::FILE_HEAD;
    assert!(shorter > entries * 7, "{shorter} of {}", entries * 8);
}
