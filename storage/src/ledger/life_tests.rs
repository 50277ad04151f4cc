//! The ledger of a store over time: older stores, indexes made anew, checkpoints and proofs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audio_io::clock::ManualClock;

use super::checkpoints::CHECKPOINTS;
use super::entry::{Act, Kind};
use super::key::{PublicKey, SigningKey};
use super::open::LedgerOptions;
use super::query::AuditFilter;
use super::store_tests::{all, copy_of, files, first_bad, kinds, log_of, offline};
use super::verify::Problem;
use crate::check::{Finding, LedgerTrust, Ledgered, check_ledger};
use crate::error::OpenError;
use crate::handle::{StorageHandle, Surroundings};
use crate::index::ledger::{LEDGER_AT, LEDGER_BY};
use crate::index::tables::META;
use crate::record::WallMillis;
use crate::reindex::reindex;
use crate::testing::{Store, options, scratch};

#[test]
fn an_older_store_is_taken_in() {
    let store = Store::open(scratch());
    let rows: Vec<_> = (1..8).map(|seed| store.imported(seed)).collect();
    store.recorded();
    let transaction = store.handle.shared.index.begin_write().unwrap();
    {
        let mut table = transaction.open_table(META).unwrap();
        for name in ["ledger_head", "ledger_key"] {
            table.remove(name).unwrap();
        }
    }
    transaction.delete_table(LEDGER_BY).unwrap();
    transaction.delete_table(LEDGER_AT).unwrap();
    transaction.commit().unwrap();
    let folder = store.close();
    std::fs::remove_dir_all(folder.path().join("ledger")).unwrap();
    std::fs::remove_dir_all(folder.path().join("checkpoints")).unwrap();
    assert!(
        offline(folder.path())
            .iter()
            .all(|finding| !matches!(finding, Finding::Ledger(_)))
    );
    // The first start may be cut off between the log and the index.
    let cut_off = copy_of(folder.path());
    let store = Store::open(folder);
    assert_eq!(store.report.ledger.adopted, 8);
    let log = std::fs::read(log_of(store.folder.path())).unwrap();
    let lines = log.split_inclusive(|byte| *byte == b'\n').take(3);
    std::fs::create_dir(cut_off.path().join("ledger")).unwrap();
    std::fs::write(log_of(cut_off.path()), lines.collect::<Vec<_>>().concat()).unwrap();
    let cut_off = Store::open(cut_off);
    assert_eq!(cut_off.report.ledger.adopted, 8);
    assert_eq!(kinds(&cut_off).len(), 12, "the key is told once more");
    let filter = AuditFilter {
        recording: Some(rows[3].facts.id),
        ..AuditFilter::default()
    };
    let told = all(&store, &filter);
    assert!(told[0].content().unwrap().adopted);
    assert!(store.findings().is_empty(), "{:?}", store.findings());
    let store = store.reopen();
    assert_eq!(store.report.ledger.adopted, 0);
    assert_eq!(kinds(&store).len(), 10);
}

#[test]
fn an_index_that_is_made_anew_finds_the_whole_ledger() {
    let store = Store::open(scratch());
    let rows: Vec<_> = (1..4).map(|seed| store.imported(seed)).collect();
    store.handle.delete(store.tenant, rows[0].facts.id).unwrap();
    let end = store.handle.ledger_status().unwrap().end;
    let folder = store.close();
    let cut = copy_of(folder.path());
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    assert_eq!(store.report.ledger.taken_over, end.seq);
    assert_eq!(
        kinds(&store)[..6],
        [
            Kind::Genesis,
            Kind::SigningKey,
            Kind::Imported,
            Kind::Imported,
            Kind::Imported,
            Kind::Deleted
        ]
    );
    assert_eq!(kinds(&store)[6..], [Kind::Recovered]);
    assert!(store.findings().is_empty(), "{:?}", store.findings());
    let store = store.reopen();
    assert_eq!(store.report.ledger, Default::default());

    // With its end cut off, and a file and its row gone: the old index knew of both.
    let log = log_of(cut.path());
    let bytes = std::fs::read(&log).unwrap();
    let end_at = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    std::fs::write(&log, &bytes[..end_at]).unwrap();
    std::fs::remove_file(store.handle.path_of(&rows[1]).to_str().map_or_else(
        PathBuf::new,
        |path| {
            let inner = Path::new(path).strip_prefix(store.folder.path()).unwrap();
            cut.path().join(inner)
        },
    ))
    .unwrap();
    reindex(cut.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(cut);
    assert!(store.report.ledger.broken.is_some());
    let findings = store.findings();
    assert_eq!(first_bad(&findings), Some(end.seq));
    let gone = |finding: &Finding| match finding {
        Finding::Ledgered {
            id,
            problem: Ledgered::Gone(_),
        } => *id == rows[1].facts.id,
        _ => false,
    };
    assert!(findings.iter().any(gone), "{findings:?}");
}

#[test]
fn a_commit_that_fails_tells_nothing_twice() {
    let store = Store::open(scratch());
    let row = store.imported(1);
    store.handle.shared.index.fail_once();
    assert!(store.handle.delete(store.tenant, row.facts.id).is_err());
    store
        .handle
        .record_act_durably(Act::new(Kind::Play))
        .unwrap();
    store.handle.delete(store.tenant, row.facts.id).unwrap();
    let told = kinds(&store);
    assert_eq!(told[3..], [Kind::Play, Kind::Deleted]);
    assert!(store.findings().is_empty(), "{:?}", store.findings());
}

#[test]
fn entries_are_proven_without_the_store() {
    let store = Store::open(scratch());
    let row = store.imported(1);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lines);
    store.handle.on_checkpoint(Box::new(move |line| {
        told.lock().unwrap().push(line.to_owned())
    }));
    for n in 0..500_u64 {
        let act = Act::new(Kind::Play)
            .with("padding", "x".repeat(9_000))
            .with("n", n);
        store.handle.record_act(act);
        if n % 100 == 0 {
            store.handle.flush_index().unwrap();
        }
    }
    store.handle.flush_index().unwrap();
    let end = store.handle.ledger_status().unwrap().end;
    assert!(files(&store.folder.path().join("ledger")).len() >= 3);
    let key = store.handle.ledger_key().unwrap();
    for seq in (1..=end.seq).step_by(41).chain([end.seq]) {
        let proof = store.handle.proof_of(seq).unwrap();
        let proven = proof.verify(&[key]).unwrap();
        let (entry, hash) = store.handle.audit_entry(seq).unwrap().unwrap();
        assert_eq!((proven.entry, proven.hash), (entry, hash));
    }
    let seq = store
        .handle
        .content_entries(store.tenant, row.facts.id)
        .unwrap()[0];
    let proof = store.handle.proof_of(seq).unwrap();
    let content = proof.verify(&[key]).unwrap().entry.content().unwrap();
    assert_eq!(content.blake3.0, row.outcome.as_ref().unwrap().content_hash);
    assert!(store.handle.proof_of(end.seq + 1).is_err());
    assert!(store.handle.proof_of(0).is_err());
    let pem = store
        .handle
        .checkpoints_dir()
        .join(format!("{}.pem", key.id()));
    let text = std::fs::read_to_string(pem).unwrap();
    assert_eq!(PublicKey::from_pem(&text).unwrap(), key);
    let written = std::fs::read_to_string(store.handle.checkpoints_dir().join(CHECKPOINTS));
    let written: Vec<String> = written.unwrap().lines().map(str::to_owned).collect();
    assert_eq!(*lines.lock().unwrap(), written);
    assert!(store.findings().is_empty(), "{:?}", store.findings());
}

#[test]
fn checkpoints_come_by_number_by_age_and_at_the_stop() {
    let store = Store::open(scratch());
    let path = store.handle.checkpoints_dir().join(CHECKPOINTS);
    let count = |path: &Path| {
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let (told, signed) = std::sync::mpsc::sync_channel(16);
    let told = Mutex::new(told);
    store.handle.on_checkpoint(Box::new(move |_| {
        told.lock().unwrap().send(()).unwrap_or(())
    }));
    store.clock.advance(Duration::from_secs(601));
    signed.recv().unwrap();
    assert_eq!(count(&path), 1);
    for _ in 0..1_000 {
        store.handle.record_act(Act::new(Kind::Play));
    }
    store.handle.flush_index().unwrap();
    signed.recv().unwrap();
    assert_eq!(count(&path), 2);
    store.handle.record_act(Act::new(Kind::Stopped));
    let folder = store.close();
    assert_eq!(
        count(&folder.path().join("checkpoints").join(CHECKPOINTS)),
        3
    );
    let report = check_ledger(
        &folder.path().join("ledger"),
        &LedgerTrust {
            checkpoints: Some(folder.path().join("checkpoints")),
            ..LedgerTrust::default()
        },
    );
    let report = report.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!((report.entries, report.checkpoints), (1_003, 3));
}

#[test]
fn checkpoints_that_were_kept_apart_find_a_ledger_that_is_another() {
    let store = Store::open(scratch());
    store.imported(1);
    assert!(store.handle.checkpoint_now().unwrap());
    let key = store.handle.ledger_key().unwrap();
    let path = store.handle.checkpoints_dir().join(CHECKPOINTS);
    let lines: Vec<String> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let folder = store.close();
    let (ledger, checkpoints) = (
        folder.path().join("ledger"),
        folder.path().join("checkpoints"),
    );
    let trust = LedgerTrust {
        checkpoints: Some(checkpoints.clone()),
        keys: vec![key],
        lines,
    };
    assert!(check_ledger(&ledger, &trust).unwrap().findings.is_empty());
    // The last entry, and the checkpoints with it.
    let log = log_of(folder.path());
    let bytes = std::fs::read(&log).unwrap();
    let end = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    std::fs::write(&log, &bytes[..end]).unwrap();
    std::fs::remove_dir_all(&checkpoints).unwrap();
    let report = check_ledger(&ledger, &trust).unwrap();
    assert_eq!(report.first_bad(), Some(3));
    assert!(matches!(
        &report.findings[..],
        [Finding::Ledger(bad)] if matches!(bad.problem, Problem::Beyond(3))
    ));
    // A key that nobody trusts signs for nothing.
    let other = SigningKey::create(&folder.path().join("other")).unwrap();
    let trust = LedgerTrust {
        keys: vec![other.public()],
        ..trust
    };
    let report = check_ledger(&ledger, &trust).unwrap();
    assert!(
        report
            .findings
            .iter()
            .all(|it| matches!(it, Finding::Checkpoint { .. }))
    );
    assert!(!report.findings.is_empty());
}

#[test]
fn a_key_that_is_lost_is_not_made_anew_unasked() {
    let folder = scratch();
    let open = |unsigned: bool| {
        let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
        let wanted = Surroundings {
            ledger: LedgerOptions {
                unsigned,
                ..LedgerOptions::default()
            },
            ..Surroundings::default()
        };
        StorageHandle::open_with(options(folder.path()), &wanted, clock)
    };
    let before = open(false).unwrap().0.ledger_key().unwrap();
    let path = folder.path().join("keys/ledger.pem");
    let away = folder.path().join("away.pem");
    std::fs::rename(&path, &away).unwrap();
    let refused = open(false).map(drop).unwrap_err();
    assert!(
        matches!(&refused, OpenError::LedgerKeyLost { id, .. } if *id == before.id()),
        "{refused}"
    );
    assert!(refused.to_string().contains("callreel audit new-key"));
    assert!(!path.exists(), "nothing is made");
    // A moment's work needs none, and leaves what it tells to whoever has it.
    let (handle, _seed, _) = open(true).unwrap();
    assert!(!handle.checkpoint_now().unwrap());
    assert_eq!(handle.ledger_key(), Some(before));
    drop((handle, _seed));
    assert!(!path.exists());
    std::fs::rename(&away, &path).unwrap();
    let (handle, ..) = open(false).unwrap();
    assert!(handle.checkpoint_now().unwrap());
    // Another key, put there on purpose, is told.
    drop(handle);
    std::fs::remove_file(&path).unwrap();
    let fresh = SigningKey::create(&path).unwrap().public();
    let (handle, ..) = open(false).unwrap();
    assert_eq!(handle.ledger_key(), Some(fresh));
}

#[test]
fn a_key_or_folder_that_is_told_must_be_there() {
    let folder = scratch();
    let open = |ledger: &LedgerOptions| {
        let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
        let wanted = Surroundings {
            ledger: ledger.clone(),
            ..Surroundings::default()
        };
        StorageHandle::open_with(options(folder.path()), &wanted, clock)
    };
    let key = folder.path().join("told.pem");
    let told = LedgerOptions {
        key: Some(key.clone()),
        ..LedgerOptions::default()
    };
    let refused = open(&told).map(drop);
    assert!(
        matches!(refused, Err(OpenError::LedgerKey { .. })),
        "{refused:?}"
    );
    assert!(refused.unwrap_err().to_string().contains("told.pem"));
    assert!(!folder.path().join("keys/ledger.pem").exists());
    std::fs::write(&key, "no key").unwrap();
    assert!(matches!(
        open(&told).map(drop),
        Err(OpenError::LedgerKey { .. })
    ));
    std::fs::remove_file(&key).unwrap();
    let public = SigningKey::create(&key).unwrap().public();
    let away = folder.path().join("not-mounted");
    let told = LedgerOptions {
        key: Some(key),
        checkpoints: Some(away.clone()),
        unsigned: false,
    };
    let (handle, _seed, _) = open(&told).unwrap();
    assert_eq!(handle.ledger_key(), Some(public));
    // The store goes on without; nothing is written where nothing is mounted.
    assert!(!handle.checkpoint_now().unwrap());
    assert!(!away.exists());
    let failing = handle.ledger_status().unwrap().failing;
    assert!(failing.is_some_and(|text| text.contains("not-mounted")));
    assert!(handle.proof_of(1).is_err());
    std::fs::create_dir(&away).unwrap();
    assert!(handle.checkpoint_now().unwrap());
    assert!(handle.proof_of(1).unwrap().verify(&[public]).is_ok());
}
