//! What the ledger tells of holds, minimums, tags, policies and what they delete.

use serde_json::json;

use super::*;
use crate::ledger::acts::Warrant;
use crate::ledger::entry::{Actor, ActorKind, Entry, Kind};
use crate::ledger::query::AuditFilter;

/// Entries of some kinds, oldest first.
fn told(store: &Store, kinds: &[Kind]) -> Vec<Entry> {
    let filter = AuditFilter {
        kinds: kinds.to_vec(),
        ..AuditFilter::default()
    };
    let page = store.handle.audit(&filter, None, 100).unwrap();
    assert!(page.next.is_none());
    page.entries.into_iter().rev().collect()
}

#[test]
fn who_keeps_a_recording_and_who_does_not_any_more_is_told() {
    let store = Store::new();
    let row = put(&store, 10);
    let (tenant, id) = (store.tenant, row.facts.id);
    let who = Actor::new(ActorKind::User, Some(3), Some("ann"));
    let acting = store.handle.acting(Warrant {
        who: Some(who.clone()),
        from: Some("192.0.2.7".into()),
        why: None,
    });
    let until = wall(&store).0 + DAY;
    let hold = acting.set_hold(tenant, id, because("case 1")).unwrap();
    acting.keep_until(tenant, id, WallMillis(until)).unwrap();
    acting
        .add_tags(tenant, id, vec![tag("b"), tag("a")])
        .unwrap();
    // What changes nothing is not told, nor what is refused.
    acting.add_tags(tenant, id, vec![tag("a")]).unwrap();
    acting.keep_until(tenant, id, WallMillis(until)).unwrap();
    acting
        .keep_until(tenant, id, WallMillis(until - 1))
        .unwrap_err();
    acting.lift_hold(tenant, id, 9, because("x")).unwrap_err();
    acting
        .remove_tags(tenant, id, vec![tag("b")], false)
        .unwrap();
    acting
        .lift_hold(tenant, id, hold.id, because("over"))
        .unwrap();
    let kinds = [
        Kind::HoldSet,
        Kind::HoldLifted,
        Kind::KeptUntil,
        Kind::Tagged,
    ];
    let entries = told(&store, &kinds);
    let details: Vec<_> = entries.iter().map(|entry| json!(entry.details)).collect();
    let wanted = [
        json!({"hold": 1, "reason": "case 1", "by": "counsel"}),
        json!({"until": until, "was_until": 0}),
        json!({"added": ["a", "b"], "removed": []}),
        json!({"added": [], "removed": ["b"]}),
        json!({
            "hold": 1, "reason": "over", "by": "counsel", "was_reason": "case 1",
            "was_by": "counsel",
        }),
    ];
    assert_eq!(details, wanted);
    for entry in entries {
        assert_eq!((entry.tenant, entry.recording), (Some(tenant), Some(id)));
        assert_eq!(entry.who.as_ref(), Some(&who));
        assert_eq!(entry.from.as_deref(), Some("192.0.2.7"));
    }
}

#[test]
fn policies_and_what_they_delete_are_told() {
    let store = Store::new();
    let row = put(&store, 10);
    let month = Policy {
        keep_at_most: Some(30 * DAY),
        ..policy("month")
    };
    let acting = store
        .handle
        .acting(Warrant::system("configuration", "start"));
    acting.set_retention(vec![month.clone()], false).unwrap();
    acting.set_retention(vec![month.clone()], false).unwrap();
    let longer = Policy {
        keep_at_most: Some(31 * DAY),
        tag: Some(tag("a")),
        ..policy("longer")
    };
    acting
        .set_retention(vec![month, longer.clone()], false)
        .unwrap();
    pass_days(&store, 31);
    let (report, _) = run(&store, u64::MAX, Watermarks::default());
    assert_eq!(report.deleted, 1);
    acting.set_retention(vec![longer], false).unwrap();
    let entries = told(&store, &[Kind::Policy]);
    let details: Vec<_> = entries.iter().map(|entry| json!(entry.details)).collect();
    let why = "start";
    let wanted = [
        json!({
            "number": 1, "name": "month", "keep_at_least_ms": 0, "keep_at_most_ms": 30 * DAY,
            "why": why,
        }),
        json!({
            "number": 2, "name": "longer", "tag": "a", "keep_at_least_ms": 0,
            "keep_at_most_ms": 31 * DAY, "why": why,
        }),
        json!({"number": 3, "name": "month", "removed": true, "why": why}),
    ];
    assert_eq!(details, wanted);
    let deleted = told(&store, &[Kind::Deleted]);
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].recording, Some(row.facts.id));
    assert_eq!(deleted[0].who, Some(Actor::system("retention")));
    assert_eq!(
        deleted[0].details["why"],
        "policy 'month': kept long enough"
    );
}
