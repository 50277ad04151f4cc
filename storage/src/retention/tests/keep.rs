//! Holds, minimums and tags in a store, and what they do to deletions by command.

use super::*;
use crate::error::DeleteError;
use crate::handle::StorageHandle;
use crate::index::keeping::KeepingChange;
use crate::limits::{HOLDS_MAX, TAGS_MAX};
use crate::reindex::reindex;
use crate::retention::{KeepError, PassError, Protection, RulesError};
use crate::testing::scratch;

fn delete(store: &Store, row: &Recording) -> Result<(), DeleteError> {
    store.handle.delete(store.tenant, row.facts.id)
}

#[test]
fn a_hold_needs_a_reason_and_beats_everything() {
    let store = Store::open(scratch());
    let row = put(&store, 100);
    let (tenant, id) = (store.tenant, row.facts.id);
    let hold = |hold| store.handle.set_hold(tenant, id, hold);
    for reason in ["", "  \t"] {
        assert!(matches!(hold(because(reason)), Err(KeepError::NoReason)));
    }
    let nobody = NewHold {
        by: " ".into(),
        ..because("case 1")
    };
    assert!(matches!(hold(nobody), Err(KeepError::NoActor)));
    assert!(matches!(hold(because("a\nb")), Err(KeepError::Text)));
    assert!(matches!(
        hold(because(&"x".repeat(2_000))),
        Err(KeepError::Text)
    ));
    let nowhere = store
        .handle
        .set_hold(tenant, RecordingId(999), because("case 1"));
    assert!(matches!(nowhere, Err(KeepError::NotFound(_))));
    let first = hold(because("case 1")).unwrap();
    let second = hold(because("case 2")).unwrap();
    assert_eq!((first.id, second.id, second.at), (1, 2, wall(&store)));
    let told = delete(&store, &row).unwrap_err();
    assert_eq!(
        told.to_string(),
        format!("recording {id} is not deleted: it is held")
    );
    let store = store.reopen();
    let lift = |hold, why| store.handle.lift_hold(tenant, id, hold, because(why));
    assert!(matches!(lift(1, ""), Err(KeepError::NoReason)));
    assert!(matches!(lift(7, "done"), Err(KeepError::NoHold(_, 7))));
    assert_eq!(lift(1, "done").unwrap(), first);
    assert!(matches!(lift(1, "done"), Err(KeepError::NoHold(_, 1))));
    assert!(delete(&store, &row).is_err(), "one hold is left");
    lift(2, "done").unwrap();
    let third = store.handle.set_hold(tenant, id, because("again")).unwrap();
    assert_eq!(third.id, 3, "numbers are not given twice");
    lift(3, "done").unwrap();
    delete(&store, &row).unwrap();
    assert_eq!(store.handle.keeping(tenant, id).unwrap(), None);
    assert!(!exists(&store, &row));
}

#[test]
fn a_minimum_of_its_own_only_grows() {
    let store = Store::open(scratch());
    let row = put(&store, 100);
    let (tenant, id) = (store.tenant, row.facts.id);
    let keep = |until| store.handle.keep_until(tenant, id, WallMillis(until));
    let until = wall(&store).0 + 2 * DAY;
    let (before, after) = keep(until).unwrap();
    assert_eq!((before.keep_until, after.keep_until), (0, until));
    keep(until).unwrap();
    let shorter = keep(until - 1).unwrap_err().to_string();
    assert!(shorter.contains("that can only grow"), "{shorter}");
    assert!(matches!(keep(u64::MAX), Err(KeepError::TooFar(_))));
    pass_days(&store, 1);
    let told = delete(&store, &row);
    assert!(
        matches!(told, Err(DeleteError::Kept(_, Protection::KeepUntil(_)))),
        "{told:?}"
    );
    pass_days(&store, 1);
    delete(&store, &row).unwrap();
}

#[test]
fn tags_are_found_and_go_with_their_recording() {
    let store = Store::open(scratch());
    let rows = [put(&store, 1), put(&store, 1), put(&store, 1)];
    let tenant = store.tenant;
    let add = |row: &Recording, tags: Vec<_>| store.handle.add_tags(tenant, row.facts.id, tags);
    for row in &rows {
        add(row, vec![tag("b"), tag("a"), tag("b")]).unwrap();
    }
    add(&rows[1], vec![tag("ab")]).unwrap();
    let held = store
        .handle
        .keeping(tenant, rows[1].facts.id)
        .unwrap()
        .unwrap();
    assert_eq!(held.tags, [tag("a"), tag("ab"), tag("b")]);
    let tagged = |name, after| store.handle.tagged(tenant, &tag(name), after, 2).unwrap();
    let id = |number: usize| rows[number].facts.id;
    assert_eq!(tagged("a", None), [id(0), id(1)]);
    assert_eq!(tagged("a", Some(id(1))), [id(2)]);
    assert_eq!(tagged("ab", None), [id(1)]);
    store
        .handle
        .remove_tags(tenant, id(0), vec![tag("a")], false)
        .unwrap();
    delete(&store, &rows[1]).unwrap();
    assert_eq!(tagged("a", None), [id(2)]);
    assert_eq!(tagged("ab", None), []);
    let many = (0..=TAGS_MAX).map(|n| tag(&format!("t{n}")));
    assert!(matches!(
        add(&rows[2], many.collect()),
        Err(KeepError::TooManyTags)
    ));
    let many: Vec<_> = (0..TAGS_MAX).map(|n| tag(&format!("t{n}"))).collect();
    assert!(matches!(add(&rows[2], many), Err(KeepError::TooManyTags)));
    for _ in 0..HOLDS_MAX {
        store.handle.set_hold(tenant, id(2), because("x")).unwrap();
    }
    let more = store.handle.set_hold(tenant, id(2), because("x"));
    assert!(matches!(more, Err(KeepError::TooManyHolds(_))));
}

#[test]
fn a_tag_that_keeps_a_young_recording_stays_unless_that_is_confirmed() {
    let store = Store::open(scratch());
    let row = put(&store, 1);
    let (tenant, id) = (store.tenant, row.facts.id);
    let month = Policy {
        keep_at_least: 30 * DAY,
        ..policy("month")
    };
    let year = Policy {
        tag: Some(tag("long")),
        keep_at_least: 365 * DAY,
        ..policy("year")
    };
    store
        .handle
        .set_retention(vec![month, year], false)
        .unwrap();
    store
        .handle
        .add_tags(tenant, id, vec![tag("long"), tag("x")])
        .unwrap();
    let remove = |name, sure| store.handle.remove_tags(tenant, id, vec![tag(name)], sure);
    remove("x", false).unwrap();
    assert!(matches!(
        remove("long", false),
        Err(KeepError::TagShrinks(_))
    ));
    let told = delete(&store, &row);
    assert!(
        matches!(told, Err(DeleteError::Kept(_, Protection::Young { .. }))),
        "{told:?}"
    );
    remove("long", true).unwrap();
    pass_days(&store, 30);
    delete(&store, &row).unwrap();
}

#[test]
fn policies_stay_in_force_and_shrink_only_when_that_is_confirmed() {
    let store = Store::open(scratch());
    let set = |store: &Store, least, sure| {
        let month = Policy {
            keep_at_least: least * DAY,
            ..policy("month")
        };
        store.handle.set_retention(vec![month], sure)
    };
    set(&store, 30, false).unwrap().unwrap();
    assert!(set(&store, 30, false).unwrap().is_none(), "nothing new");
    let row = put(&store, 100);
    let store = store.reopen();
    assert_eq!(
        store.handle.retention_rules().policies()[0].keep_at_least,
        30 * DAY
    );
    assert!(
        delete(&store, &row).is_err(),
        "they are known before anybody tells them"
    );
    let shrinks = set(&store, 29, false).unwrap_err().to_string();
    assert!(shrinks.contains("retention would shrink"), "{shrinks}");
    assert!(store.handle.set_retention(vec![], false).is_err());
    assert!(delete(&store, &row).is_err());
    set(&store, 31, false).unwrap();
    set(&store, 29, true).unwrap();
    assert!(delete(&store, &row).is_err());
    let stranger = Policy {
        tenant: Some(TenantId(9)),
        keep_at_least: 1,
        ..policy("no")
    };
    let stranger = store.handle.set_retention(vec![stranger], true);
    assert!(matches!(stranger, Err(RulesError::NoTenant(..))));
    store.handle.set_retention(vec![], true).unwrap();
    delete(&store, &row).unwrap();
    assert!(store.findings().is_empty());
}

#[test]
fn everything_survives_a_rebuilt_index_and_without_one_nothing_is_deleted() {
    let store = Store::open(scratch());
    let kept = store.imported(1);
    let other = store.imported(2);
    let (tenant, id) = (store.tenant, kept.facts.id);
    store
        .handle
        .set_hold(tenant, id, because("case 1"))
        .unwrap();
    store.handle.add_tags(tenant, id, vec![tag("a")]).unwrap();
    let month = Policy {
        keep_at_most: Some(30 * DAY),
        ..policy("month")
    };
    store.handle.set_retention(vec![month], false).unwrap();
    let held = store.handle.keeping(tenant, id).unwrap().unwrap();
    let rules = store.handle.retention_rules();
    let folder = store.close();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    assert_eq!(store.handle.keeping(tenant, id).unwrap(), Some(held));
    assert_eq!(
        store.handle.tagged(tenant, &tag("a"), None, 9).unwrap(),
        [id]
    );
    assert_eq!(store.handle.retention_rules(), rules);
    assert!(!store.handle.deletions_suspended().unwrap());
    let folder = store.close();
    std::fs::write(folder.path().join("index.redb"), b"not an index").unwrap();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    assert!(store.handle.deletions_suspended().unwrap());
    assert!(matches!(
        delete(&store, &other),
        Err(DeleteError::Suspended)
    ));
    let month = Policy {
        keep_at_most: Some(30 * DAY),
        ..policy("month")
    };
    store.handle.set_retention(vec![month], false).unwrap();
    pass_days(&store, 31);
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    let pass = |store: &StorageHandle| store.retention_pass(&request, &mut |_| ());
    assert!(matches!(pass(&store.handle), Err(PassError::Suspended)));
    store
        .handle
        .set_hold(tenant, id, because("case 1"))
        .unwrap();
    store.handle.resume_deletions().unwrap();
    assert_eq!(pass(&store.handle).unwrap().deleted, 1);
    assert!(store.handle.keeping(tenant, id).unwrap().is_some());
}

#[test]
fn what_cannot_be_read_counts_as_held() {
    let store = Store::open(scratch());
    let row = put(&store, 100);
    let (tenant, id) = (store.tenant, row.facts.id);
    store.handle.add_tags(tenant, id, vec![tag("a")]).unwrap();
    let index = &store.handle.shared.index;
    let table = crate::index::whole::named("keeping").unwrap();
    let transaction = index.begin_write().unwrap();
    let key = crate::index::keys::recording(tenant, id);
    table.put(&transaction, &[(&key, b"\x01\xFF\xFF")]).unwrap();
    transaction.commit().unwrap();
    let told = delete(&store, &row);
    assert!(
        matches!(told, Err(DeleteError::Kept(_, Protection::Held))),
        "{told:?}"
    );
    let told = store.handle.set_hold(tenant, id, because("x"));
    assert!(matches!(told, Err(KeepError::Unreadable(_))));
    // And so do policies.
    let broken = crate::index::rows::RowChange::Meta("retention", vec![9, 9]);
    index.commit(&[Change::Rows(vec![broken])]).unwrap();
    let other = put(&store, 1);
    let store = store.reopen();
    assert!(store.handle.deletions_suspended().unwrap());
    assert!(delete(&store, &other).is_err());
    let lost = Change::Keeping(KeepingChange::Lost(false));
    store.handle.shared.committer.commit(lost).unwrap();
    delete(&store, &other).unwrap();
}
