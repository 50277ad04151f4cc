//! Passes over a store: what goes, in which order, why, and what stops them.

use std::cell::Cell;

use super::*;
use crate::limits::RETIRE_BATCH;
use crate::retention::{PassError, Reason, Standing};
use crate::testing::scratch;

fn most(days: u64) -> Policy {
    Policy {
        keep_at_most: Some(days * DAY),
        ..policy("month")
    }
}

#[test]
fn what_is_too_old_goes_and_the_rest_stays() {
    let store = Store::open(scratch());
    let tenant = store.tenant;
    store.handle.set_retention(vec![most(30)], false).unwrap();
    let old: Vec<_> = (0..5).map(|_| put(&store, 100)).collect();
    let held = put(&store, 100);
    store
        .handle
        .set_hold(tenant, held.facts.id, because("case"))
        .unwrap();
    let until = WallMillis(wall(&store).0 + 40 * DAY);
    let kept = put(&store, 100);
    store
        .handle
        .keep_until(tenant, kept.facts.id, until)
        .unwrap();
    let live = a_recording(tenant.0, store.handle.new_names(tenant).0.0);
    let change = Change::Put(Box::new(live.clone()));
    store.handle.shared.committer.commit(change).unwrap();
    pass_days(&store, 29);
    let young = put(&store, 100);
    assert_eq!(run(&store, 0, Watermarks::default()).1, []);
    pass_days(&store, 1);
    let (report, retired) = run(&store, 0, Watermarks::default());
    assert_eq!(
        ids(&retired),
        old.iter().map(|row| row.facts.id).collect::<Vec<_>>()
    );
    let reason = Reason::TooOld(PolicyName::new("month").unwrap());
    assert!(retired.iter().all(|one| one.reason == reason));
    assert_eq!((report.deleted, report.bytes, report.commits), (5, 500, 1));
    assert_eq!(
        (report.survey.seen, report.survey.live, report.survey.held),
        (9, 1, 1)
    );
    assert!(!report.more && !report.stopped && !report.distrusted);
    assert!(old.iter().all(|row| !exists(&store, row)));
    assert!([&held, &kept, &young].iter().all(|row| exists(&store, row)));
    let name = crate::ids::RecordingName::Recid(old[0].facts.id);
    assert_eq!(
        store.handle.purged_at(tenant, &name).unwrap(),
        Some(wall(&store))
    );
    assert_eq!(
        run(&store, 0, Watermarks::default()).1,
        [],
        "once is enough"
    );
    pass_days(&store, 10);
    assert_eq!(
        ids(&run(&store, 0, Watermarks::default()).1),
        [kept.facts.id]
    );
}

#[test]
fn space_is_made_with_the_oldest_that_may_go() {
    let store = Store::open(scratch());
    let month = Policy {
        keep_at_least: 30 * DAY,
        ..policy("month")
    };
    store.handle.set_retention(vec![month], false).unwrap();
    let mut rows = Vec::new();
    for _ in 0..6 {
        rows.push(put(&store, 1_000));
        pass_days(&store, 1);
    }
    let marks = Watermarks {
        low: 5_000,
        critical: 2_000,
        full: 1_000,
        clear_by: 500,
    };
    assert_eq!(run(&store, 4_000, marks).0.short, 1_500, "all are young");
    pass_days(&store, 28);
    assert_eq!(run(&store, 5_000, marks).1, []);
    let (report, retired) = run(&store, 4_000, marks);
    assert_eq!(ids(&retired), [rows[0].facts.id, rows[1].facts.id]);
    assert!(retired.iter().all(|one| one.reason == Reason::DiskLow));
    assert_eq!((report.bytes, report.short), (2_000, 0));
    let (report, retired) = run(&store, 0, marks);
    assert_eq!(
        ids(&retired),
        [rows[2].facts.id, rows[3].facts.id, rows[4].facts.id]
    );
    assert_eq!(report.short, 2_500, "the last is a day too young");
    assert!(exists(&store, &rows[5]));
}

#[test]
fn a_policy_that_limits_bytes_takes_its_own_oldest() {
    let store = Store::open(scratch());
    let bytes = Policy {
        tag: Some(tag("bulk")),
        max_bytes: Some(2_500),
        ..policy("bulk")
    };
    store.handle.set_retention(vec![bytes], false).unwrap();
    let other = put(&store, 9_000);
    let rows: Vec<_> = (0..4).map(|_| put(&store, 1_000)).collect();
    for row in &rows {
        store
            .handle
            .add_tags(store.tenant, row.facts.id, vec![tag("bulk")])
            .unwrap();
    }
    let (_, retired) = run(&store, 0, Watermarks::default());
    assert_eq!(ids(&retired), [rows[0].facts.id, rows[1].facts.id]);
    assert!(exists(&store, &other));
}

#[test]
fn a_pass_stops_between_batches_and_goes_on_later() {
    let store = Store::open(scratch());
    store.handle.set_retention(vec![most(1)], false).unwrap();
    let rows: Vec<_> = (0..RETIRE_BATCH * 2 + 3).map(|_| put(&store, 1)).collect();
    pass_days(&store, 1);
    let batches = Cell::new(0);
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| batches.get() > 0,
    };
    let told = &mut |batch: &[Retired]| batches.set(batches.get() + batch.len());
    let report = store.handle.retention_pass(&request, told).unwrap();
    assert!(report.stopped && report.more);
    assert_eq!((report.deleted, report.commits), (RETIRE_BATCH as u64, 1));
    assert_eq!(batches.get(), RETIRE_BATCH);
    let before = store.handle.generation();
    let (report, retired) = run(&store, 0, Watermarks::default());
    assert_eq!(
        (report.deleted, report.commits),
        (RETIRE_BATCH as u64 + 3, 2)
    );
    assert!(rows.iter().all(|row| !exists(&store, row)));
    let changed = store.handle.changes_since(before).unwrap();
    assert!(
        ids(&retired).iter().all(|id| changed.contains(id)),
        "caches are told of all"
    );
    assert!(store.findings().is_empty());
    let stop = PassRequest {
        stop: &|| true,
        ..request
    };
    assert!(
        store
            .handle
            .retention_pass(&stop, &mut |_| ())
            .unwrap()
            .stopped
    );
}

#[test]
fn a_clock_that_is_not_trusted_deletes_nothing_until_it_is_confirmed() {
    let store = Store::open(scratch());
    store.handle.set_retention(vec![most(30)], false).unwrap();
    let row = put(&store, 100);
    let begun = wall(&store).0;
    // Forward by years.
    store.clock.step_wall(WallMillis(0x8000_0001 * 1_000));
    let report = store.handle.clock_tick().unwrap();
    assert!(matches!(report.standing, Standing::Ahead(_)));
    assert_eq!(report.changed_from, Some(Standing::Trusted));
    assert!(report.stepped > 0);
    assert_eq!(run(&store, 0, Watermarks::default()).1, []);
    assert_eq!(
        store.handle.clock_tick().unwrap().changed_from,
        None,
        "told once"
    );
    // Through a restart too, and back to 1970.
    let store = Store::open_at(store.close(), WallMillis(0x8000_0001 * 1_000));
    assert_eq!(run(&store, 0, Watermarks::default()).1, []);
    store.clock.step_wall(WallMillis(1_000));
    let (report, retired) = run(&store, 0, Watermarks::default());
    assert!(report.distrusted && retired.is_empty());
    assert!(store.handle.confirm_clock().is_err(), "1970 is never right");
    assert!(store.handle.clock_tick().unwrap().stepped < 0);
    // Right again, a month and a day later, and somebody says so.
    store.clock.step_wall(WallMillis(begun + 31 * DAY));
    assert_eq!(run(&store, 0, Watermarks::default()).1, []);
    let report = store.handle.confirm_clock().unwrap();
    assert_eq!(
        (report.standing, report.proven),
        (Standing::Trusted, Some(begun + 31 * DAY))
    );
    // When it was begun within the time that was missed is not known: a month from now.
    assert_eq!(run(&store, 0, Watermarks::default()).1, []);
    pass_days(&store, 31);
    assert_eq!(
        ids(&run(&store, 0, Watermarks::default()).1),
        [row.facts.id]
    );
}

#[test]
fn what_became_protected_since_it_was_planned_is_spared() {
    let store = Store::open(scratch());
    store.handle.set_retention(vec![most(30)], false).unwrap();
    let rows: Vec<_> = (0..3).map(|_| put(&store, 100)).collect();
    pass_days(&store, 30);
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    let pass = |planned: &mut dyn FnMut()| {
        let mut retired = Vec::new();
        let mut pass = crate::retention::pass::Pass {
            shared: &store.handle.shared,
            request: &request,
            told: &mut |batch| retired.extend_from_slice(batch),
            swept: &mut |_| (),
            report: PassReport::default(),
        };
        let result = pass.run(&mut |plan| {
            assert!(!plan.deletions.is_empty());
            planned();
        });
        let report = pass.report;
        (result, report, ids(&retired))
    };
    let hold = |number: usize| {
        let id = rows[number].facts.id;
        store
            .handle
            .set_hold(store.tenant, id, because("case"))
            .unwrap();
    };
    let (result, report, gone) = pass(&mut || {
        hold(1);
        store.handle.delete(store.tenant, rows[2].facts.id).unwrap();
    });
    result.unwrap();
    assert_eq!((gone, report.spared), (vec![rows[0].facts.id], 2));
    // Other policies: all of it is thought over again.
    store
        .handle
        .lift_hold(store.tenant, rows[1].facts.id, 1, because("done"))
        .unwrap();
    let (result, _, gone) = pass(&mut || {
        let longer = Policy {
            keep_at_least: 40 * DAY,
            ..policy("longer")
        };
        store.handle.set_retention(vec![longer], false).unwrap();
    });
    assert!(matches!(result, Err(PassError::RulesChanged)), "{result:?}");
    assert_eq!(gone, []);
    assert!(exists(&store, &rows[1]));
}

#[test]
fn files_that_cannot_be_removed_are_tried_again() {
    let store = Store::open(scratch());
    store.handle.set_retention(vec![most(30)], false).unwrap();
    let (stuck, other) = (put(&store, 100), put(&store, 100));
    pass_days(&store, 30);
    // A folder in the file's place cannot be unlinked.
    let path = store.handle.path_of(&stuck);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    let pass = || store.handle.retention_pass(&request, &mut |_| ());
    assert!(matches!(pass(), Err(PassError::Files(_))));
    assert!(!exists(&store, &other), "the others go");
    assert!(matches!(pass(), Err(PassError::Files(_))));
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(pass().unwrap().finished, 1);
    assert!(!exists(&store, &stuck));
    assert_eq!(pass().unwrap().finished, 0);
    assert!(store.findings().is_empty());
}

#[test]
fn a_plan_can_be_looked_at_first() {
    let store = Store::open(scratch());
    store.handle.set_retention(vec![most(30)], false).unwrap();
    let row = put(&store, 100);
    pass_days(&store, 30);
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    let plan = store.handle.retention_plan(&request).unwrap();
    assert_eq!(plan.deletions[0].id, row.facts.id);
    assert!(exists(&store, &row));
}
