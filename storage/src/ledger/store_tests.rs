//! The ledger of a store: what it tells, what a crash leaves of it, and what a check finds.

use std::path::{Path, PathBuf};

use super::acts::Warrant;
use super::entry::{Act, Actor, ActorKind, Entry, Kind};
use super::query::{AuditFilter, Person};
use super::verify::segment_name;
use crate::check::{CheckOptions, Finding, Ledgered, check_offline};
use crate::ids::{RecordingId, TenantId};
use crate::record::{Container, Recording, WallMillis};
use crate::testing::{Store, a_recording, scratch, sealed, sound};

pub(super) fn all(store: &Store, filter: &AuditFilter) -> Vec<Entry> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let page = store.handle.audit(filter, after, 3).unwrap();
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    entries
}

pub(super) fn kinds(store: &Store) -> Vec<Kind> {
    let mut entries = all(store, &AuditFilter::default());
    entries.sort_by_key(|entry| entry.seq);
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>());
    entries.into_iter().map(|entry| entry.kind).collect()
}

pub(super) fn exchange(
    store: &Store,
    row: &Recording,
    container: Container,
    seed: u64,
) -> Recording {
    let mut draft = store.handle.draft_derived(row).unwrap();
    std::io::Write::write_all(&mut draft.file(), &sound(seed, 3_000)).unwrap();
    store.handle.replace_stored(row, container, draft).unwrap()
}

pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

pub(super) fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_into(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

pub(super) fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = scratch();
    copy_into(folder, copy.path());
    copy
}

pub(super) fn offline(folder: &Path) -> Vec<Finding> {
    let options = CheckOptions { hashes: true };
    check_offline(folder, options, &mut |_, _| ())
        .unwrap()
        .findings
}

pub(super) fn first_bad(findings: &[Finding]) -> Option<u64> {
    let bad = findings.iter().filter_map(|finding| match finding {
        Finding::Ledger(bad) => Some(bad.seq),
        _ => None,
    });
    bad.min()
}

pub(super) fn log_of(folder: &Path) -> PathBuf {
    folder.join("ledger").join(segment_name(1))
}

#[test]
fn what_becomes_of_recordings_is_told() {
    let store = Store::open(scratch());
    let (recorded, imported) = (store.recorded(), store.imported(1));
    let exchanged = exchange(&store, &imported, Container::Flac, 2);
    let who = Actor::new(ActorKind::User, Some(7), Some("ann"));
    let warrant = Warrant {
        who: Some(who.clone()),
        from: Some("192.0.2.1".into()),
        why: Some("asked for".into()),
    };
    let (tenant, id) = (store.tenant, exchanged.facts.id);
    store.handle.acting(warrant).delete(tenant, id).unwrap();
    assert_eq!(
        kinds(&store),
        [
            Kind::Genesis,
            Kind::SigningKey,
            Kind::Sealed,
            Kind::Imported,
            Kind::Exchanged,
            Kind::Deleted
        ]
    );
    let of = |id| AuditFilter {
        recording: Some(id),
        ..AuditFilter::default()
    };
    let sealed = &all(&store, &of(recorded.facts.id))[0];
    let content = sealed.content().unwrap();
    let outcome = recorded.outcome.as_ref().unwrap();
    assert_eq!(content.blake3.0, outcome.content_hash);
    assert_eq!((content.gaps, content.masked), (1, 1));
    assert_eq!(content.size_bytes, outcome.size_bytes);
    let told = all(&store, &of(id));
    assert_eq!(told.len(), 3);
    let (deleted, changed) = (&told[0], &told[1]);
    assert_eq!(
        (deleted.who.as_ref(), deleted.from.as_deref()),
        (Some(&who), Some("192.0.2.1"))
    );
    assert_eq!(deleted.details["why"], "asked for");
    let hash = |row: &Recording| super::chain::Hash(row.outcome.as_ref().unwrap().content_hash);
    assert_eq!(deleted.hash_in("was_blake3"), Some(hash(&exchanged)));
    assert_eq!(changed.hash_in("was_blake3"), Some(hash(&imported)));
    assert_eq!(changed.content().unwrap().blake3, hash(&exchanged));
    let numbers = store.handle.content_entries(tenant, id).unwrap();
    assert_eq!(numbers, [4, 5]);
    assert!(store.findings().is_empty(), "{:?}", store.findings());
    let store = store.reopen();
    assert_eq!(kinds(&store).len(), 6, "an ordinary start tells nothing");
    assert!(store.findings().is_empty());
}

#[test]
fn acts_are_found_by_person_recording_kind_and_time() {
    let store = Store::open(scratch());
    let user = |id| {
        let name = if id % 2 == 0 { "ann" } else { "bob" };
        Actor::new(ActorKind::User, Some(id), Some(name))
    };
    for n in 0..200_u64 {
        let kind = if n % 10 == 0 {
            Kind::Download
        } else {
            Kind::Play
        };
        let act = Act::new(kind)
            .at(WallMillis(1_000_000 + n / 2))
            .by(user(n % 4))
            .on(TenantId(u32::try_from(n % 3).unwrap()), RecordingId(n % 7));
        assert!(store.handle.record_act(act));
    }
    let seq = store
        .handle
        .record_act_durably(Act::new(Kind::Started))
        .unwrap();
    assert_eq!(seq, store.handle.ledger_status().unwrap().end.seq);
    let count = |filter: &AuditFilter| {
        let entries = all(&store, filter);
        assert!(entries.iter().all(|entry| filter.takes(entry)));
        let order = |pair: &[Entry]| (pair[0].at, pair[0].seq) > (pair[1].at, pair[1].seq);
        assert!(entries.windows(2).all(order), "newest first");
        entries.len()
    };
    for (filter, wanted) in filters() {
        assert_eq!(count(&filter), wanted, "{filter:?}");
    }
    let base = AuditFilter::default;
    let page = store.handle.audit(&base(), None, 0).unwrap();
    assert_eq!(page.entries.len(), 1, "at least one");
    assert!(store.findings().is_empty());
}

/// What is asked for, and how many of the acts of the test above it finds.
fn filters() -> Vec<(AuditFilter, usize)> {
    let base = AuditFilter::default;
    let who = |who| AuditFilter {
        who: Some(who),
        ..base()
    };
    let kinds = |kinds: &[Kind]| AuditFilter {
        kinds: kinds.into(),
        ..base()
    };
    let between = |since, until| AuditFilter {
        since: Some(WallMillis(since)),
        until: Some(WallMillis(until)),
        ..base()
    };
    let recording = |filter: AuditFilter| AuditFilter {
        recording: Some(RecordingId(3)),
        ..filter
    };
    let tenant = AuditFilter {
        tenant: Some(TenantId(2)),
        ..base()
    };
    vec![
        (base(), 203),
        (who(Person::Number(ActorKind::User, 1)), 50),
        (who(Person::Number(ActorKind::Key, 1)), 0),
        (who(Person::Name("bob".into())), 100),
        (kinds(&[Kind::Download]), 20),
        (kinds(&[Kind::Download, Kind::Started]), 21),
        (tenant, 66),
        (recording(base()), 29),
        (between(1_000_010, 1_000_019), 20),
        (recording(between(1_000_010, 1_000_019)), 3),
        (between(1_000_019, 1_000_010), 0),
    ]
}

#[test]
fn acts_that_nobody_waited_for_are_there_after_the_stop() {
    let store = Store::open(scratch());
    for _ in 0..10_000 {
        assert!(store.handle.record_act(Act::new(Kind::Play)));
    }
    let store = store.reopen();
    let filter = AuditFilter {
        kinds: vec![Kind::Play],
        ..AuditFilter::default()
    };
    let mut count = 0;
    let mut after = None;
    loop {
        let page = store.handle.audit(&filter, after, 1_000).unwrap();
        count += page.entries.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(count, 10_000);
}

#[test]
fn an_index_that_is_behind_takes_over_what_is_whole() {
    let store = Store::open(scratch());
    let (kept, deleted) = (store.imported(1), store.imported(2));
    let folder = store.close();
    let old = std::fs::read(folder.path().join("index.redb")).unwrap();
    let store = Store::open(folder);
    store
        .handle
        .record_act_durably(Act::new(Kind::Started))
        .unwrap();
    exchange(&store, &kept, Container::Flac, 3);
    store.handle.delete(store.tenant, deleted.facts.id).unwrap();
    let lost = store.imported(4);
    let folder = store.close();
    // What came after is as if it never was committed; a line was being written.
    std::fs::write(folder.path().join("index.redb"), old).unwrap();
    let log = log_of(folder.path());
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend_from_slice(b"0123 {\"seq\":");
    std::fs::write(&log, &bytes).unwrap();
    let store = Store::open(folder);
    let report = store.report.ledger.clone();
    assert_eq!(
        (report.taken_over, report.cut_bytes, report.broken),
        (4, 12, None)
    );
    let told = kinds(&store);
    assert_eq!(told[8], Kind::Recovered);
    assert_eq!(told[9..], [Kind::Undone, Kind::Undone, Kind::Undone]);
    let undone = AuditFilter {
        kinds: vec![Kind::Undone],
        ..AuditFilter::default()
    };
    let ids: Vec<_> = all(&store, &undone)
        .iter()
        .map(|entry| entry.recording)
        .collect();
    let wanted = [&lost, &deleted, &kept].map(|row| Some(row.facts.id));
    assert_eq!(ids, wanted);
    // The chain and what it tells of rows is as it should be; files of changes that an index
    // forgot are not the ledger's matter.
    let of_ledger = |finding: &Finding| {
        matches!(
            finding,
            Finding::Ledger(_) | Finding::Ledgered { .. } | Finding::Checkpoint { .. }
        )
    };
    let findings = store.findings();
    assert!(!findings.iter().any(of_ledger), "{findings:?}");
    let aside = files(&store.folder.path().join("ledger"));
    assert_eq!(aside.len(), 2, "what was cut off is kept: {aside:?}");
    let store = store.reopen();
    assert_eq!(kinds(&store).len(), 12);
}

#[test]
fn a_log_that_lost_its_end_is_told_and_left_as_it_is() {
    let store = Store::open(scratch());
    let row = store.imported(1);
    store
        .handle
        .record_act_durably(Act::new(Kind::Play))
        .unwrap();
    store
        .handle
        .record_act_durably(Act::new(Kind::Play))
        .unwrap();
    let end = store.handle.ledger_status().unwrap().end;
    let folder = store.close();
    let log = log_of(folder.path());
    let bytes = std::fs::read(&log).unwrap();
    let whole = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for cut in [whole, whole + 70, bytes.len() - 1] {
        let folder = copy_of(folder.path());
        std::fs::write(log_of(folder.path()), &bytes[..cut]).unwrap();
        assert_eq!(first_bad(&offline(folder.path())), Some(end.seq), "{cut}");
        let store = Store::open(folder);
        let broken = store.report.ledger.broken.clone();
        assert!(broken.is_some_and(|text| text.contains("entry 5")), "{cut}");
        // It goes on from what the index knows.
        let now = store.handle.ledger_status().unwrap().end;
        assert_eq!(now.seq, end.seq + 1);
        let told = all(
            &store,
            &AuditFilter {
                kinds: vec![Kind::Broken],
                ..Default::default()
            },
        );
        assert_eq!(told[0].details["first_bad"], end.seq);
        assert_eq!(first_bad(&store.findings()), Some(end.seq), "{cut}");
        store.handle.delete(store.tenant, row.facts.id).unwrap();
        let store = store.reopen();
        assert_eq!(store.report.ledger, Default::default(), "told once");
        assert_eq!(
            first_bad(&store.findings()),
            Some(end.seq),
            "and found for ever"
        );
        assert_eq!(
            std::fs::read(log_of(store.folder.path())).unwrap(),
            bytes[..cut]
        );
    }
}

#[test]
fn a_log_that_is_taken_away_while_it_is_written_is_told() {
    for cut in [false, true] {
        let store = Store::open(scratch());
        let row = store.imported(1);
        let log = log_of(store.folder.path());
        let end = store.handle.ledger_status().unwrap().end;
        if cut {
            let bytes = std::fs::read(&log).unwrap();
            std::fs::write(&log, &bytes[..bytes.len() - 10]).unwrap();
        } else {
            std::fs::remove_file(&log).unwrap();
        }
        let (tenant, id) = (store.tenant, row.facts.id);
        store.handle.delete(tenant, id).unwrap();
        let told = AuditFilter {
            since: Some(WallMillis(0)),
            kinds: vec![Kind::Deleted, Kind::Broken],
            ..AuditFilter::default()
        };
        let told: Vec<_> = all(&store, &told).iter().map(|it| it.seq).collect();
        assert_eq!(told, [end.seq + 2, end.seq + 1]);
        let first = if cut { end.seq } else { 1 };
        assert_eq!(first_bad(&store.findings()), Some(first));
        let store = store.reopen();
        assert_eq!(store.report.ledger.broken, None);
        assert_eq!(first_bad(&store.findings()), Some(first));
    }
}

#[test]
fn a_changed_log_is_named_by_its_first_bad_entry() {
    let store = Store::open(scratch());
    store.imported(1);
    for n in 0..20_u64 {
        store
            .handle
            .record_act_durably(Act::new(Kind::Play).with("n", n))
            .unwrap();
    }
    let folder = store.close();
    assert!(offline(folder.path()).is_empty());
    let log = log_of(folder.path());
    let bytes = std::fs::read(&log).unwrap();
    let seq_at = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        std::fs::write(&log, &changed).unwrap();
        let wanted = seq_at(at).max(1);
        assert_eq!(
            first_bad(&offline(folder.path())),
            Some(wanted),
            "byte {at}"
        );
    }
    std::fs::remove_file(&log).unwrap();
    assert_eq!(first_bad(&offline(folder.path())), Some(1));
    let store = Store::open(folder);
    assert!(store.report.ledger.broken.is_some());
    assert_eq!(first_bad(&store.findings()), Some(1));
}

#[test]
fn rows_and_files_that_are_not_what_was_told_are_found() {
    let store = Store::open(scratch());
    let rows: Vec<_> = (1..5).map(|seed| store.imported(seed)).collect();
    let index = &store.handle.shared.index;
    let ledgered = |store: &Store| {
        let found = store
            .findings()
            .into_iter()
            .filter_map(|finding| match finding {
                Finding::Ledgered { id, problem } => Some((id, problem)),
                _ => None,
            });
        found.collect::<Vec<_>>()
    };
    assert_eq!(ledgered(&store), []);
    // Somebody changes a row, removes one, and puts one in, past the ledger.
    let transaction = index.begin_write().unwrap();
    {
        let mut tables = crate::index::tables::Tables::open(&transaction).unwrap();
        let mut changed = rows[0].clone();
        changed.outcome.as_mut().unwrap().content_hash[3] ^= 1;
        for row in [changed, sealed(a_recording(store.tenant.0, 999_999))] {
            let change = crate::index::apply::Change::Put(Box::new(row));
            change.apply(&mut tables).unwrap();
        }
        let (tenant, id) = (store.tenant, rows[1].facts.id);
        crate::index::apply::discard(&mut tables, tenant, id, WallMillis(0)).unwrap();
    }
    transaction.commit().unwrap();
    let mut found = ledgered(&store);
    found.sort_by_key(|(id, _)| id.0);
    let wanted = [
        (rows[0].facts.id, Ledgered::Other(3)),
        (rows[1].facts.id, Ledgered::Gone(4)),
        (RecordingId(999_999), Ledgered::Untold),
    ];
    assert_eq!(found, wanted);
}
