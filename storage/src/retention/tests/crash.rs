//! A power cut, or a kill, after every single step of a pass: whole recordings are there or gone
//! whole, nothing that must stay goes, and the next start and pass come to the same end.

use std::path::Path;
use std::sync::Arc;

use audio_io::clock::ManualClock;

use super::*;
use crate::check::{CheckOptions, Finding, check};
use crate::handle::StorageHandle;
use crate::ids::RecordingName;
use crate::io::crash::{Disk, Event, Log, LoggedIndex, Loss};
use crate::ledger::entry::Kind;
use crate::ledger::query::AuditFilter;
use crate::paths::peaks_of;
use crate::retention::pass::Pass;
use crate::retention::sweep::Swept;
use crate::testing::{options, scratch};

fn open(folder: &Path, wall: WallMillis, at: &str) -> StorageHandle {
    let clock = Arc::new(ManualClock::at(wall));
    let opened = StorageHandle::open(options(folder), clock);
    opened.unwrap_or_else(|error| panic!("{at}: {error}")).0
}

/// What the ledger told last of what became of a recording.
fn told_last(handle: &StorageHandle, row: &Recording) -> Option<Kind> {
    let filter = AuditFilter {
        recording: Some(row.facts.id),
        kinds: vec![Kind::Sealed, Kind::Deleted, Kind::Undone],
        ..AuditFilter::default()
    };
    let page = handle.audit(&filter, None, 100).unwrap();
    let last = page.entries.into_iter().max_by_key(|entry| entry.seq);
    last.map(|entry| entry.kind)
}

/// The ledger is whole, and tells of each row what is so: as `callreel check` sees it.
fn insist_on_ledger(handle: &StorageHandle, at: &str) {
    let report = check(handle, CheckOptions::default(), &mut |_, _| ()).unwrap();
    let of_ledger = |finding: &&Finding| {
        matches!(
            finding,
            Finding::Ledger(_)
                | Finding::LedgerUnreadable { .. }
                | Finding::Ledgered { .. }
                | Finding::Checkpoint { .. }
        )
    };
    let found: Vec<_> = report.findings.iter().filter(of_ledger).collect();
    assert!(found.is_empty(), "{at}: {found:?}");
}

/// Looks at a store after a cut; `old` may be gone, `kept` must be there. What is gone has its
/// tombstone, what is there has none, and the next pass comes to the end.
pub(super) fn verify(
    folder: &Path,
    wall: WallMillis,
    old: &[Recording],
    kept: &[Recording],
    at: &str,
) {
    let handle = open(folder, wall, at);
    let there = |row: &Recording| {
        let name = RecordingName::Recid(row.facts.id);
        let found = handle.find(row.facts.tenant, &name).unwrap();
        let path = handle.path_of(row);
        let id = row.facts.id;
        assert_eq!(
            found.is_some(),
            path.exists(),
            "{at}: {id} is there by half"
        );
        assert!(
            found.is_some() || !peaks_of(&path).exists(),
            "{at}: peaks of {id}"
        );
        found.is_some()
    };
    for row in kept {
        assert!(there(row), "{at}: {} is lost", row.facts.id);
    }
    let left = old.iter().filter(|row| there(row)).count() as u64;
    for row in old.iter().chain(kept) {
        let is_deleted = told_last(&handle, row) == Some(Kind::Deleted);
        assert_eq!(is_deleted, !there(row), "{at}: {}", row.facts.id);
    }
    insist_on_ledger(&handle, at);
    assert!(handle.shared.index.garbage().unwrap().is_empty(), "{at}");
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    handle.confirm_clock().unwrap();
    let report = handle.retention_pass(&request, &mut |_| ());
    let report = report.unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(report.deleted, left, "{at}");
    assert!(!old.iter().any(there), "{at}");
    assert!(kept.iter().all(there), "{at}");
    let is_told = |row: &Recording| told_last(&handle, row) == Some(Kind::Deleted);
    assert!(old.iter().all(is_told), "{at}: each deletion is told");
    insist_on_ledger(&handle, at);
}

pub(super) struct Prepared {
    pub(super) folder: tempfile::TempDir,
    pub(super) wall: WallMillis,
    /// Four that must go, one of them younger.
    pub(super) old: Vec<Recording>,
    /// One that is held and one that is young.
    pub(super) kept: [Recording; 2],
}

pub(super) fn prepared() -> Prepared {
    let store = Store::open(scratch());
    let tenant = store.tenant;
    let month = Policy {
        keep_at_most: Some(30 * DAY),
        keep_at_least: 20 * DAY,
        ..policy("month")
    };
    store.handle.set_retention(vec![month], false).unwrap();
    let mut old: Vec<_> = (0..3).map(|_| put(&store, 700)).collect();
    let held = put(&store, 700);
    store
        .handle
        .set_hold(tenant, held.facts.id, because("case"))
        .unwrap();
    store
        .handle
        .add_tags(tenant, old[0].facts.id, vec![tag("a")])
        .unwrap();
    pass_days(&store, 1);
    old.push(put(&store, 700));
    pass_days(&store, 29);
    let young = put(&store, 700);
    pass_days(&store, 2);
    Prepared {
        wall: wall(&store),
        folder: store.close(),
        old,
        kept: [held, young],
    }
}

#[test]
fn a_cut_after_any_step_of_a_pass_is_harmless() {
    let Prepared {
        folder,
        wall,
        old,
        kept,
    } = prepared();
    // From here on everything is logged.
    let log = Log::default();
    let opener = LoggedIndex {
        log: log.clone(),
        folder: folder.path().to_owned(),
    };
    let clock = Arc::new(ManualClock::at(wall));
    let opened = crate::open::open(&options(folder.path()), clock, Some(Arc::new(opener)));
    let (handle, _seed, _) = opened.unwrap();
    let begin = log.len();
    let mut disk = Disk::of(folder.path());
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    let mut pass = Pass {
        shared: &handle.shared,
        request: &request,
        told: &mut |_| (),
        swept: &mut |swept| {
            log.push(match swept {
                Swept::Unlinked(path) => Event::Unlinked(path.to_owned()),
                Swept::Synced(folder) => Event::SyncedDir(folder.to_owned()),
            });
        },
        report: PassReport::default(),
    };
    pass.run(&mut |_| ()).unwrap();
    assert_eq!(pass.report.deleted, 4);
    let events = log.events();
    assert!(
        events.len() - begin > 30,
        "too short: {}",
        events.len() - begin
    );
    for (number, event) in events.iter().enumerate().skip(begin) {
        disk.step(number, event);
        let all = [
            Loss::Nothing,
            Loss::Everything,
            Loss::Some(number as u64 * 7_919),
        ];
        for loss in all {
            let cut = scratch();
            disk.materialise(folder.path(), cut.path(), loss);
            verify(
                cut.path(),
                wall,
                &old,
                &kept,
                &format!("after {number}, {loss:?}"),
            );
        }
    }
}
