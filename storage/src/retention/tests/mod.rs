//! Tests of retention as a whole.

mod ask;
mod crash;
mod guard;
mod keep;
mod kill;
mod pass;
mod planner;
mod schedule;
mod told;
mod trail;

use std::time::Duration;

use crate::ids::{PolicyName, RecordingId, Tag, TenantId};
use crate::index::apply::Change;
use crate::record::{EndCause, Recording, WallMillis};
use crate::retention::{NewHold, PassReport, PassRequest, Policy, Retired, Watermarks};
use crate::testing::{Store, a_recording, sealed, sound};

const DAY: u64 = 24 * 60 * 60 * 1_000;

fn policy(name: &str) -> Policy {
    Policy {
        name: PolicyName::new(name).unwrap(),
        tenant: None,
        tag: None,
        keep_at_least: 0,
        keep_at_most: None,
        max_bytes: None,
    }
}

fn tag(name: &str) -> Tag {
    Tag::new(name).unwrap()
}

fn because(reason: &str) -> NewHold {
    NewHold {
        reason: reason.into(),
        by: "counsel".into(),
    }
}

/// A recording of ours that is in index and on disk, begun now.
fn put(store: &Store, bytes: usize) -> Recording {
    let (id, _) = store.handle.new_names(store.tenant);
    let mut row = sealed(a_recording(store.tenant.0, id.0));
    row.facts.started_at = audio_io::clock::Clock::wall(&*store.clock);
    let outcome = row.outcome.as_mut().unwrap();
    outcome.end_cause = EndCause::Silence;
    outcome.size_bytes = bytes as u64;
    let path = store.handle.path_of(&row);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, sound(id.0, bytes)).unwrap();
    std::fs::write(crate::paths::peaks_of(&path), b"peaks").unwrap();
    let change = Change::Put(Box::new(row.clone()));
    store.handle.shared.committer.commit(change).unwrap();
    row
}

/// Lets time pass, as a daemon that looks at the clock lives through it.
fn pass_days(store: &Store, days: u64) {
    for _ in 0..days * 24 {
        store.clock.advance(Duration::from_secs(60 * 60));
        store.handle.clock_tick().unwrap();
    }
}

fn ids(retired: &[Retired]) -> Vec<RecordingId> {
    retired.iter().map(|one| one.row.facts.id).collect()
}

fn run(store: &Store, free: u64, watermarks: Watermarks) -> (PassReport, Vec<Retired>) {
    let mut all = Vec::new();
    let request = PassRequest {
        watermarks,
        free_bytes: Some(free),
        stop: &|| false,
    };
    let report = store
        .handle
        .retention_pass(&request, &mut |batch| all.extend_from_slice(batch));
    (report.unwrap(), all)
}

fn exists(store: &Store, row: &Recording) -> bool {
    let name = crate::ids::RecordingName::Recid(row.facts.id);
    let found = store.handle.find(store.tenant, &name).unwrap();
    let file = store.handle.path_of(row).exists();
    let peaks = crate::paths::peaks_of(&store.handle.path_of(row)).exists();
    assert_eq!(found.is_some(), file, "row and file go together");
    assert_eq!(peaks, file, "and so do its peaks");
    file
}

fn wall(store: &Store) -> WallMillis {
    audio_io::clock::Clock::wall(&*store.clock)
}

fn tenant() -> TenantId {
    TenantId(1)
}
