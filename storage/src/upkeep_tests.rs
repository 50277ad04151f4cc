//! Import, check, reindex, deletion and listing on a real folder.

use std::path::PathBuf;
use std::time::Duration;

use audio_io::units::Frames;
use uuid::Uuid;

use crate::check::{CheckOptions, CheckReport, Finding, check, check_offline};
use crate::error::ImportError;
use crate::handle::{Cursor, ImportNames, ImportRequest, IoChoice, ListFilter};
use crate::ids::{LineName, RecordingId, RecordingName, TenantName};
use crate::index::apply::Change;
use crate::index::keeping::Retire;
use crate::paths::{facts_of, peaks_of};
use crate::record::{
    Container, EndCause, Family, Mark, MarkKind, Recording, RecordingState, WallMillis,
};
use crate::recorder::run;
use crate::reindex::reindex;
use crate::testing::{Store, a_recording, sealed, sound};

/// A store with two recordings of its own, sealed.
fn with_recordings() -> (Store, Vec<Recording>) {
    let store = Store::new();
    run(
        store.seed(),
        IoChoice::Blocking,
        async |mut recorder: crate::recorder::Recorder| {
            for n in 0..2 {
                let mut facts = store.facts();
                facts.started_at = WallMillis(facts.started_at.0 + n);
                let id = facts.id;
                recorder.begin(facts).unwrap();
                recorder.append(id, &sound(n, 32_000)).unwrap();
                recorder.end(id, EndCause::Command, true);
            }
            recorder.finish().await;
        },
    )
    .unwrap();
    let page = store
        .handle
        .list(store.tenant, &ListFilter::default(), None, 10)
        .unwrap();
    assert_eq!(page.recordings.len(), 2);
    (store, page.recordings)
}

fn request(store: &Store, source: PathBuf, names: ImportNames) -> ImportRequest {
    ImportRequest {
        tenant: store.tenant,
        source,
        container: Container::Mp3,
        format: audio_io::format::StreamFormat::TELEPHONE,
        frames: Frames(8_000),
        names,
        line: None,
        from: None,
        to: None,
        started_at: None,
        agent: None,
        direction: None,
    }
}

fn checked(store: &Store) -> CheckReport {
    check(&store.handle, CheckOptions { hashes: true }, &mut |_, _| ()).unwrap()
}

#[test]
fn an_import_keeps_its_bytes_and_its_names() {
    let store = Store::new();
    let source = store.folder.path().join("call.mp3");
    let bytes = sound(9, 600_000);
    std::fs::write(&source, &bytes).unwrap();
    let task = Uuid::from_u128(77);
    let names = ImportNames {
        recid: Some(RecordingId(5_000)),
        task_id: Some(task),
        ..Default::default()
    };
    let mut seen = Vec::new();
    let mut progress = |done, total| seen.push((done, total));
    let row = store
        .handle
        .import(
            request(&store, source.clone(), names.clone()),
            &mut progress,
        )
        .unwrap();
    assert_eq!(seen.last(), Some(&(600_000, 600_000)));
    assert_eq!(std::fs::read(store.handle.path_of(&row)).unwrap(), bytes);
    assert_eq!(row.outcome.as_ref().unwrap().end_cause, EndCause::Imported);
    let found = store
        .handle
        .find(store.tenant, &RecordingName::Task(task))
        .unwrap();
    assert_eq!(found.as_ref(), Some(&row));
    let again = store
        .handle
        .import(request(&store, source.clone(), names), &mut |_, _| ());
    assert!(
        matches!(again, Err(ImportError::NameTaken(RecordingName::Recid(_)))),
        "{again:?}"
    );
    let missing = source.with_extension("gone");
    let failed = store.handle.import(
        request(&store, missing, ImportNames::default()),
        &mut |_, _| (),
    );
    assert!(matches!(failed, Err(ImportError::Io { .. })), "{failed:?}");
    assert!(store.handle.new_names(store.tenant).0 > RecordingId(5_000));
    let report = checked(&store);
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[test]
fn a_check_names_what_is_wrong() {
    let (store, rows) = with_recordings();
    assert!(checked(&store).findings.is_empty());
    let path = store.handle.path_of(&rows[0]);
    let good = std::fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[10_000] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    assert!(matches!(
        checked(&store).findings[..],
        [Finding::Hash { .. }]
    ));
    std::fs::write(&path, &good[..good.len() - 1]).unwrap();
    assert!(matches!(
        checked(&store).findings[..],
        [Finding::Size { .. }]
    ));
    let mut header = good.clone();
    header[..4].copy_from_slice(b"JUNK");
    std::fs::write(&path, &header).unwrap();
    let found = checked(&store).findings;
    assert!(
        matches!(found[..], [Finding::Hash { .. }, Finding::Header { .. }]),
        "{found:?}"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        checked(&store).findings[..],
        [Finding::MissingFile { .. }]
    ));
    std::fs::write(&path, &good).unwrap();
    std::fs::remove_file(peaks_of(&path)).unwrap();
    let report = checked(&store);
    assert!(matches!(report.findings[..], [Finding::Peaks { .. }]));
    assert!(report.is_clean(), "peaks can be made again");
    std::fs::write(path.with_file_name("999.wav"), b"x").unwrap();
    assert!(matches!(
        checked(&store).findings[..],
        [Finding::Peaks { .. }, Finding::Orphan { .. }]
    ));
    let folder = store.folder.path().to_owned();
    let offline = check_offline(&folder, CheckOptions::default(), &mut |_, _| ());
    assert!(offline.is_err(), "the store is open");
}

#[test]
fn a_check_names_marks_that_do_not_fit() {
    let (store, mut rows) = with_recordings();
    let row = rows.remove(0);
    let found_with = |mark: Mark| {
        let mut row = row.clone();
        row.outcome.as_mut().unwrap().marks = vec![mark];
        let index = &store.handle.shared.index;
        index.commit(&[Change::Put(Box::new(row))]).unwrap();
        checked(&store).findings
    };
    let frames = row.outcome.as_ref().unwrap().frames;
    let mut mark = Mark {
        at: frames,
        frames: Frames(1),
        kind: MarkKind::Masked,
    };
    let found = found_with(mark);
    assert!(
        matches!(found[..], [Finding::Marks { .. }, Finding::Facts { .. }]),
        "{found:?}"
    );
    mark.kind = MarkKind::Skipped;
    let found = found_with(mark);
    assert!(matches!(found[..], [Finding::Facts { .. }]), "{found:?}");
}

#[test]
fn the_index_is_rebuilt_from_files_alone() {
    let (store, rows) = with_recordings();
    let source = store.folder.path().join("call.mp3");
    std::fs::write(&source, sound(9, 5_000)).unwrap();
    let import = store.handle.import(
        request(&store, source, ImportNames::default()),
        &mut |_, _| (),
    );
    let import = import.unwrap();
    let key = store
        .handle
        .issue_key(store.tenant, Family::TaskAudio, "reindexed")
        .unwrap();
    let folder = store.folder.path().to_owned();
    let kept = store.close();
    let report = reindex(&folder, &mut |_, _| ()).unwrap();
    assert_eq!(
        (report.recordings, report.tenants, report.keys),
        (3, 1, 1),
        "{report:?}"
    );
    assert!(report.skipped.is_empty(), "{report:?}");
    assert!(report.backup.unwrap().exists());
    let store = Store::open(kept);
    for row in rows.iter().chain([&import]) {
        let name = RecordingName::CallSid(row.facts.names.call_sid.clone());
        assert_eq!(
            store.handle.find(store.tenant, &name).unwrap().as_ref(),
            Some(row)
        );
    }
    assert_eq!(
        store.handle.authenticate(Family::TaskAudio, &key.secret),
        Some(key.row)
    );
    assert!(checked(&store).findings.is_empty());

    // Even with the old index destroyed.
    let kept = store.close();
    std::fs::write(folder.join("index.redb"), b"not an index at all").unwrap();
    let report = reindex(&folder, &mut |_, _| ()).unwrap();
    assert!(report.old_unreadable);
    assert_eq!((report.recordings, report.tenants, report.keys), (3, 1, 0));
    let store = Store::open(kept);
    assert_eq!(
        store.handle.tenants().unwrap()[0].name,
        TenantName::new("acme").unwrap()
    );
    assert!(checked(&store).findings.is_empty());
}

#[test]
fn an_interrupted_deletion_is_finished_at_the_next_start() {
    let (store, rows) = with_recordings();
    let (row, path) = (&rows[0], store.handle.path_of(&rows[0]));
    let shared = &store.handle.shared;
    let retire = Retire::by_command(shared, store.tenant, row.facts.id);
    let change = Change::Retire(Box::new(retire));
    shared.committer.commit(change).unwrap();
    assert!(path.exists());
    let store = store.reopen();
    assert_eq!(store.report.deletions_finished, 1);
    assert!(!path.exists() && !peaks_of(&path).exists() && !facts_of(&path).exists());
    assert!(checked(&store).findings.is_empty());
}

#[test]
fn pages_are_stable_and_filters_hold() {
    let store = Store::new();
    let changes: Vec<_> = (1..=500_u64)
        .map(|id| {
            let mut row = a_recording(store.tenant.0, id);
            row.facts.started_at = WallMillis(1_000_000 + id / 3);
            if id % 7 == 0 {
                row.facts.line = Some(LineName::new("back-office").unwrap());
            }
            Change::Put(Box::new(if id % 50 == 0 { row } else { sealed(row) }))
        })
        .collect();
    store.handle.shared.index.commit(&changes).unwrap();
    let list =
        |filter: &ListFilter, after| store.handle.list(store.tenant, filter, after, 37).unwrap();
    let all = |filter: &ListFilter| {
        let (mut ids, mut after): (Vec<RecordingId>, Option<Cursor>) = (Vec::new(), None);
        loop {
            let page = list(filter, after);
            ids.extend(page.recordings.iter().map(|row| row.facts.id));
            after = page.next;
            if after.is_none() {
                return ids;
            }
        }
    };
    let expected: Vec<_> = (1..=500).rev().map(RecordingId).collect();
    assert_eq!(all(&ListFilter::default()), expected);
    let line = Some(LineName::new("back-office").unwrap());
    assert_eq!(
        all(&ListFilter {
            line,
            ..Default::default()
        })
        .len(),
        500 / 7
    );
    let live = ListFilter {
        states: vec![RecordingState::Live],
        ..Default::default()
    };
    assert_eq!(all(&live).len(), 10);
    let since = Some(WallMillis(1_000_010));
    let until = Some(WallMillis(1_000_012));
    assert_eq!(
        all(&ListFilter {
            since,
            until,
            ..Default::default()
        })
        .len(),
        9
    );
}

#[test]
fn no_tenant_sees_anothers_recordings() {
    let store = Store::new();
    let row = a_recording(store.tenant.0, 7);
    let change = Change::Put(Box::new(row.clone()));
    store.handle.shared.index.commit(&[change]).unwrap();
    let name = TenantName::new("other").unwrap();
    let other = store.handle.add_tenant(name).unwrap().id;
    let names = &row.facts.names;
    for name in [
        RecordingName::Recid(row.facts.id),
        RecordingName::CallSid(names.call_sid.clone()),
        RecordingName::CrtObject(names.crt_object_id.clone()),
        RecordingName::Task(names.task_id),
        RecordingName::Session(names.session_uuid),
    ] {
        let found = store.handle.find(store.tenant, &name).unwrap();
        assert_eq!(found.as_ref(), Some(&row));
        assert_eq!(store.handle.find(other, &name).unwrap(), None);
    }
    let filter = ListFilter::default();
    let page = store.handle.list(other, &filter, None, 10).unwrap();
    assert!(page.recordings.is_empty());
    let live = [RecordingState::Live];
    assert_eq!(store.handle.count_in(store.tenant, &live).unwrap(), 1);
    assert_eq!(store.handle.count_in(other, &live).unwrap(), 0);
}

#[test]
fn keys_open_their_family_until_they_are_revoked() {
    let store = Store::new();
    let key = store
        .handle
        .issue_key(store.tenant, Family::TaskAudio, "page")
        .unwrap();
    let find = |family, secret: &str| store.handle.authenticate(family, secret);
    assert_eq!(find(Family::TaskAudio, &key.secret), Some(key.row.clone()));
    assert_eq!(find(Family::VoiceLog, &key.secret), None);
    assert_eq!(find(Family::TaskAudio, &format!("{}x", key.secret)), None);
    store.clock.advance(Duration::from_secs(1));
    assert!(
        store
            .handle
            .revoke_key(key.row.key_id)
            .unwrap()
            .revoked_at
            .is_some()
    );
    assert_eq!(find(Family::TaskAudio, &key.secret), None);
    assert!(store.handle.revoke_key(999).is_err());
    assert!(
        store
            .handle
            .add_tenant(TenantName::new("acme").unwrap())
            .is_err()
    );
}
