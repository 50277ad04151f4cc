//! What is told of a recording's future is what then happens.

use super::*;
use crate::retention::{Protection, Standing};

fn request() -> PassRequest<'static> {
    PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(1 << 40),
        stop: &|| false,
    }
}

#[test]
fn a_recording_goes_when_it_was_told_to() {
    let store = Store::open(crate::testing::scratch());
    let row = put(&store, 100);
    let prospect = || store.handle.prospect(&row).unwrap();
    assert_eq!((prospect().least, prospect().due), (None, None));
    assert_eq!(store.handle.retention_in_force().unwrap().number, 0);
    let policies = vec![
        Policy {
            keep_at_least: 2 * DAY,
            keep_at_most: Some(4 * DAY),
            ..policy("calls")
        },
        Policy {
            tag: Some(tag("contract")),
            keep_at_least: 6 * DAY,
            ..policy("contracts")
        },
    ];
    store.handle.set_retention(policies, false).unwrap();
    let in_force = store.handle.retention_in_force().unwrap();
    assert_eq!((in_force.number, in_force.since), (1, Some(wall(&store))));
    let start = prospect().start.unwrap();
    assert_eq!(prospect().due, Some(start + 4 * DAY));
    assert!(matches!(
        prospect().protection,
        Some(Protection::Young { .. })
    ));
    let id = row.facts.id;
    let tags = vec![tag("contract")];
    store.handle.add_tags(store.tenant, id, tags).unwrap();
    assert_eq!(prospect().due, Some(start + 6 * DAY), "the minimum counts");
    assert_eq!(prospect().least.unwrap().name.as_str(), "contracts");
    assert_eq!(prospect().most.unwrap().name.as_str(), "calls");
    let until = WallMillis(start + 8 * DAY);
    store.handle.keep_until(store.tenant, id, until).unwrap();
    assert_eq!(prospect().due, Some(until.0));
    pass_days(&store, 7);
    assert_eq!(run(&store, 1 << 40, Watermarks::default()).0.deleted, 0);
    assert_eq!(prospect().protection, Some(Protection::KeepUntil(until.0)));
    pass_days(&store, 2);
    assert_eq!(prospect().protection, None);
    assert_eq!(run(&store, 1 << 40, Watermarks::default()).0.deleted, 1);
}

#[test]
fn what_a_confirmation_would_delete_is_told_before() {
    let store = Store::open(crate::testing::scratch());
    let row = put(&store, 100);
    let old = Policy {
        keep_at_most: Some(30 * DAY),
        ..policy("calls")
    };
    store.handle.set_retention(vec![old], false).unwrap();
    pass_days(&store, 1);
    // From here on it is known when the recording was made, whatever the clock does.
    store.handle.confirm_clock().unwrap();
    let ahead = WallMillis(wall(&store).0 + 60 * DAY);
    store.clock.step_wall(ahead);
    assert!(matches!(
        store.handle.clock_now().standing,
        Standing::Ahead(_)
    ));
    assert!(
        store
            .handle
            .retention_plan(&request())
            .unwrap()
            .deletions
            .is_empty()
    );
    let (tick, plan) = store
        .handle
        .retention_plan_confirmed(&request())
        .unwrap()
        .unwrap();
    assert_eq!(tick.standing, Standing::Trusted);
    let planned: Vec<_> = plan.deletions.iter().map(|one| one.id).collect();
    let still = store.handle.clock_now().standing;
    assert!(matches!(still, Standing::Ahead(_)), "nobody confirmed it");
    store.handle.confirm_clock().unwrap();
    let (_, retired) = run(&store, 1 << 40, Watermarks::default());
    assert_eq!(ids(&retired), planned);
    assert_eq!(planned, [row.facts.id]);
    store.clock.step_wall(WallMillis(5));
    let none = store.handle.retention_plan_confirmed(&request()).unwrap();
    assert!(none.is_none(), "1970 cannot be confirmed");
}

#[test]
fn recordings_that_something_keeps_are_found_page_by_page() {
    let store = Store::open(crate::testing::scratch());
    let rows: Vec<_> = (0..5).map(|_| put(&store, 10)).collect();
    for row in &rows[1..4] {
        let id = row.facts.id;
        store
            .handle
            .set_hold(store.tenant, id, because("case 1"))
            .unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.handle.kept(after, 2).unwrap();
        let Some((tenant, id, _)) = page.last() else {
            break;
        };
        after = Some((*tenant, *id));
        seen.extend(page);
    }
    let wanted: Vec<_> = rows[1..4].iter().map(|row| row.facts.id).collect();
    assert_eq!(
        seen.iter().map(|(_, id, _)| *id).collect::<Vec<_>>(),
        wanted
    );
    assert!(
        seen.iter()
            .all(|(_, _, kept)| kept.as_ref().unwrap().holds.len() == 1)
    );
}

#[test]
fn every_minimum_that_shrinks_is_told() {
    let store = Store::open(crate::testing::scratch());
    let keep = |name, days| Policy {
        keep_at_least: days * DAY,
        ..policy(name)
    };
    let tagged = Policy {
        tag: Some(tag("contract")),
        ..keep("contracts", 90)
    };
    let before = crate::retention::Rules::new(vec![keep("calls", 30), tagged]).unwrap();
    let told = |policies| {
        let fresh = crate::retention::Rules::new(policies).unwrap();
        fresh.shrinks_from(&before).len()
    };
    assert_eq!(told(vec![]), 2);
    assert_eq!(told(vec![keep("calls", 30)]), 1);
    assert_eq!(told(vec![keep("other", 90)]), 0);
    drop(store);
}
