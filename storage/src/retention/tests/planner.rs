//! Policies and the planner, on made-up recordings.

use proptest::prelude::*;

use super::*;
use crate::ids::RecordingId;
use crate::retention::{
    Candidate, Deletion, Plan, Planner, PolicyError, Protection, Reason, Rules, duration_text,
};

const NOW: u64 = 1_796_000_000_000;

fn a_policy() -> impl Strategy<Value = Policy> {
    let tenant = prop::option::of((1u32..3).prop_map(TenantId));
    let tagged = prop::option::of(prop::sample::select(vec!["a", "b"]).prop_map(tag));
    let days = prop::option::of(1u64..20);
    (
        tenant,
        tagged,
        0u64..20,
        days,
        prop::option::of(1u64..5_000),
    )
        .prop_map(|(tenant, tag, least, more, max_bytes)| Policy {
            name: PolicyName::new("p").unwrap(),
            tenant,
            tag,
            keep_at_least: least * DAY,
            keep_at_most: more.map(|more| (least + more) * DAY),
            max_bytes,
        })
}

/// Policies that are allowed together; what contradicts those before it is left out.
fn some_rules() -> impl Strategy<Value = Rules> {
    prop::collection::vec(a_policy(), 0..6).prop_map(|policies| {
        let mut taken: Vec<Policy> = Vec::new();
        for (number, mut policy) in policies.into_iter().enumerate() {
            policy.name = PolicyName::new(format!("p{number}")).unwrap();
            taken.push(policy);
            if Rules::new(taken.clone()).is_err() {
                taken.pop();
            }
        }
        Rules::new(taken).unwrap()
    })
}

fn a_candidate() -> impl Strategy<Value = Candidate> {
    let tags = prop::collection::vec(
        prop::sample::select(vec!["a", "b", "c"]).prop_map(tag),
        0..3,
    );
    let start = prop_oneof![
        8 => (0u64..50 * DAY).prop_map(|age| NOW - age),
        1 => Just(u64::MAX),
        1 => (0u64..DAY).prop_map(|early| NOW + early),
    ];
    let until = prop_oneof![4 => Just(0), 1 => NOW - DAY..NOW + DAY];
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    (1u32..4, start, 0u64..1_000, tags, flags, until).prop_map(
        |(tenant, start, bytes, tags, (live, held), keep_until)| Candidate {
            tenant: TenantId(tenant),
            id: RecordingId(0),
            live,
            start,
            bytes,
            tags,
            held,
            keep_until,
        },
    )
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(a_candidate(), 0..80).prop_map(|mut all| {
        for (number, one) in all.iter_mut().enumerate() {
            one.id = RecordingId(number as u64);
        }
        all
    })
}

fn governed(rules: &Rules, one: &Candidate) -> bool {
    let mut policies = rules.policies().iter();
    policies.any(|policy| policy.applies(one.tenant, &one.tags))
}

fn planned(rules: &Rules, all: &[Candidate], now: Option<u64>, needed: u64, most: usize) -> Plan {
    let mut planner = Planner::new(rules, now, needed, most);
    all.iter().for_each(|one| planner.weigh(one));
    all.iter().for_each(|one| planner.see(one));
    planner.finish()
}

/// The longest minimum that applies, found the plain way.
fn least(rules: &Rules, one: &Candidate) -> u64 {
    let policies = rules.policies().iter();
    let own = policies.filter(|policy| policy.applies(one.tenant, &one.tags));
    own.map(|policy| policy.keep_at_least).max().unwrap_or(0)
}

fn is_over(rules: &Rules, at: usize, all: &[Candidate], gone: &[Deletion]) -> bool {
    let policy = &rules.policies()[at];
    let bytes = |one: &Candidate| {
        let counts = policy.applies(one.tenant, &one.tags);
        let went = gone.iter().any(|deletion| deletion.id == one.id);
        if counts && !went { one.bytes } else { 0 }
    };
    let used: u64 = all.iter().map(bytes).sum();
    policy.max_bytes.is_some_and(|most| used > most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What the whole of retention stands on.
    #[test]
    fn nothing_held_young_or_open_is_ever_planned(
        rules in some_rules(), all in candidates(), needed in 0u64..20_000, most in 1usize..100,
    ) {
        let plan = planned(&rules, &all, Some(NOW), needed, most);
        for deletion in &plan.deletions {
            let one = &all[usize::try_from(deletion.id.0).unwrap()];
            prop_assert!(!one.live && !one.held && one.keep_until <= NOW);
            let least = least(&rules, one);
            if least > 0 {
                prop_assert!(one.start != u64::MAX);
                prop_assert!(NOW.saturating_sub(one.start) >= least, "{one:?}");
            }
            prop_assert_eq!(rules.protection(one, Some(NOW)), None);
        }
        let mut ids: Vec<_> = plan.deletions.iter().map(|one| one.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), plan.deletions.len(), "none twice");
    }

    #[test]
    fn nothing_is_planned_while_time_is_not_trusted(
        rules in some_rules(), all in candidates(), needed in 0u64..20_000,
    ) {
        prop_assert_eq!(planned(&rules, &all, None, needed, 99).deletions, vec![]);
    }

    #[test]
    fn what_is_too_old_goes_and_nothing_goes_for_nothing(
        rules in some_rules(), all in candidates(), needed in 0u64..20_000,
    ) {
        let plan = planned(&rules, &all, Some(NOW), needed, 999);
        prop_assert!(!plan.more);
        for one in &all {
            let policies = rules.policies().iter();
            let own = policies.filter(|policy| policy.applies(one.tenant, &one.tags));
            let most = own.filter_map(|policy| policy.keep_at_most).min();
            let free = rules.protection(one, Some(NOW)).is_none();
            let old = |most| one.start != u64::MAX && one.start + most <= NOW;
            let due = free && most.is_some_and(old);
            let found = plan.deletions.iter().find(|deletion| deletion.id == one.id);
            if due {
                let reason = found.map(|deletion| &deletion.reason);
                prop_assert!(matches!(reason, Some(Reason::TooOld(_))), "{one:?}");
            } else if let Some(found) = found {
                prop_assert!(one.bytes > 0 && !matches!(found.reason, Reason::TooOld(_)));
            }
        }
        let freed: u64 = plan.deletions.iter().map(|one| one.bytes).sum();
        prop_assert!(plan.short == needed.saturating_sub(freed));
        // Without the last that made room, there would have been too little.
        let room = |one: &&Deletion| one.reason == Reason::DiskLow;
        if let Some(last) = plan.deletions.iter().rfind(room) {
            prop_assert!(freed - last.bytes < needed || freed >= needed);
            let spare = plan.deletions.iter().filter(room).map(|one| one.bytes).sum::<u64>();
            prop_assert!(spare - last.bytes < needed);
        }
    }

    #[test]
    fn the_oldest_go_first(
        rules in some_rules(), all in candidates(), needed in 0u64..20_000,
    ) {
        let plan = planned(&rules, &all, Some(NOW), needed, 999);
        let order = |one: &Deletion| (one.start, one.tenant, one.id);
        prop_assert!(plan.deletions.is_sorted_by_key(order));
        // Whoever goes for want of space: nothing older that might have gone stays.
        let newest = plan.deletions.iter().filter(|one| one.reason == Reason::DiskLow);
        let Some(newest) = newest.max_by_key(|one| order(one)) else { return Ok(()) };
        for one in &all {
            let older = (one.start, one.tenant, one.id) < order(newest);
            let stays = plan.deletions.iter().all(|deletion| deletion.id != one.id);
            if older && stays && one.bytes > 0 {
                let kept = rules.protection(one, Some(NOW)).is_some();
                prop_assert!(kept || !governed(&rules, one), "{one:?} stays");
            }
        }
    }

    /// What no policy is about stays, however short space is.
    #[test]
    fn what_no_policy_is_about_never_goes(
        rules in some_rules(), all in candidates(), needed in 0u64..20_000,
    ) {
        let plan = planned(&rules, &all, Some(NOW), needed, 999);
        for deletion in &plan.deletions {
            let one = all.iter().find(|one| one.id == deletion.id).unwrap();
            prop_assert!(governed(&rules, one), "{one:?} goes");
        }
    }

    #[test]
    fn limits_of_bytes_are_kept_where_they_can_be(
        rules in some_rules(), all in candidates(),
    ) {
        let plan = planned(&rules, &all, Some(NOW), 0, 999);
        for at in 0..rules.policies().len() {
            if !is_over(&rules, at, &all, &plan.deletions) {
                continue;
            }
            let policy = &rules.policies()[at];
            for one in &all {
                let stays = plan.deletions.iter().all(|deletion| deletion.id != one.id);
                if stays && policy.applies(one.tenant, &one.tags) && one.bytes > 0 {
                    prop_assert!(rules.protection(one, Some(NOW)).is_some(), "{one:?} stays");
                }
            }
        }
    }

    /// However small the plans are, they come to the same end.
    #[test]
    fn plans_that_are_cut_short_come_to_an_end(
        rules in some_rules(), mut all in candidates(), needed in 0u64..5_000, most in 1usize..9,
    ) {
        let mut freed = 0;
        for round in 0.. {
            prop_assert!(round < 200, "it never ends");
            let plan = planned(&rules, &all, Some(NOW), needed.saturating_sub(freed), most);
            freed += plan.deletions.iter().map(|one| one.bytes).sum::<u64>();
            let gone: Vec<_> = plan.deletions.iter().map(|one| one.id).collect();
            all.retain(|one| !gone.contains(&one.id));
            if !plan.more {
                break;
            }
            prop_assert!(!gone.is_empty());
        }
        let rest = planned(&rules, &all, Some(NOW), needed.saturating_sub(freed), 999);
        prop_assert_eq!(rest.deletions, vec![]);
    }

    /// Whatever set of policies follows another without shrinking it: no recording is kept for
    /// less time than before.
    #[test]
    fn retention_that_does_not_shrink_keeps_everything_as_long(
        before in some_rules(), after in some_rules(), all in candidates(),
    ) {
        if after.keeps_all_of(&before).is_ok() {
            for one in &all {
                prop_assert!(least(&after, one) >= least(&before, one), "{one:?}");
            }
        }
        prop_assert_eq!(before.keeps_all_of(&before), Ok(()));
    }
}

fn refused(policies: Vec<Policy>) -> String {
    Rules::new(policies).unwrap_err().to_string()
}

#[test]
fn contradictions_are_named() {
    let short = Policy {
        keep_at_most: Some(30 * DAY),
        ..policy("short")
    };
    let long = Policy {
        keep_at_least: 90 * DAY,
        ..policy("long")
    };
    assert_eq!(
        refused(vec![Policy {
            keep_at_least: 31 * DAY,
            ..short.clone()
        }]),
        "retention policy 'short' contradicts itself: keep_at_most (30 days) is shorter than \
         keep_at_least (31 days)"
    );
    assert_eq!(
        refused(vec![short.clone(), long.clone()]),
        "retention policies 'short' and 'long' contradict each other: 'short' deletes after 30 \
         days, but 'long' applies to all the same recordings and keeps them for 90 days"
    );
    // For some of them only, that is what is meant.
    let some = Policy {
        tag: Some(tag("contract")),
        ..long.clone()
    };
    let rules = Rules::new(vec![short.clone(), some.clone()]).unwrap();
    assert_eq!(
        rules.least(tenant(), &[tag("contract")]).unwrap().name,
        some.name
    );
    assert_eq!(rules.least(tenant(), &[]), None);
    // The narrow one is void where the wide one keeps.
    let narrow = Policy {
        tenant: Some(tenant()),
        tag: Some(tag("x")),
        ..short.clone()
    };
    assert!(matches!(
        Rules::new(vec![narrow, long]),
        Err(PolicyError::Void { .. })
    ));
    assert!(refused(vec![policy("idle")]).contains("says nothing"));
    assert!(refused(vec![short.clone(), short.clone()]).contains("a name of its own"));
    let zero = Policy {
        keep_at_most: Some(0),
        ..policy("zero")
    };
    assert!(refused(vec![zero]).contains("keep_at_most is 0"));
    let zero = Policy {
        max_bytes: Some(0),
        ..policy("zero")
    };
    assert!(refused(vec![zero]).contains("max_bytes is 0"));
    let forever = Policy {
        keep_at_least: u64::MAX,
        ..policy("forever")
    };
    assert!(refused(vec![forever]).contains("longer than a hundred years"));
    let many = (0..300).map(|n| Policy {
        keep_at_least: 1,
        ..policy(&format!("p{n}"))
    });
    assert!(refused(many.collect()).contains("there are 300"));
}

#[test]
fn a_minimum_that_shrinks_is_named() {
    let all = Rules::new(vec![Policy {
        keep_at_least: 90 * DAY,
        ..policy("all")
    }])
    .unwrap();
    let one = Policy {
        keep_at_least: 90 * DAY,
        tenant: Some(tenant()),
        ..policy("one")
    };
    let one = Rules::new(vec![one]).unwrap();
    assert_eq!(
        all.keeps_all_of(&one),
        Ok(()),
        "under another name, for more"
    );
    assert_eq!(
        one.keeps_all_of(&all).unwrap_err().to_string(),
        "retention would shrink: recordings must be kept for 90 days by policy 'all', which is in \
         force, and would be kept for 0 milliseconds only; confirm that explicitly, or keep the \
         minimum"
    );
    let less = Policy {
        keep_at_least: 36 * DAY / 24,
        ..policy("all")
    };
    let less = Rules::new(vec![less]).unwrap();
    let shrinks = less.keeps_all_of(&one).unwrap_err().to_string();
    assert!(
        shrinks.contains("recordings of tenant 1 must be kept for 90 days"),
        "{shrinks}"
    );
    assert!(shrinks.contains("36 hours only"), "{shrinks}");
    assert_eq!(all.keeps_all_of(&Rules::default()), Ok(()));
}

#[test]
fn protections_say_why() {
    let rules = Rules::new(vec![Policy {
        keep_at_least: 30 * DAY,
        ..policy("month")
    }])
    .unwrap();
    let mut one = Candidate {
        tenant: tenant(),
        id: RecordingId(1),
        live: false,
        start: NOW - 29 * DAY,
        bytes: 1,
        tags: vec![],
        held: false,
        keep_until: 0,
    };
    let why = rules.protection(&one, Some(NOW)).unwrap().to_string();
    assert_eq!(
        why,
        "policy 'month' keeps it for 30 days, until 2026-12-01 00:53:20 UTC"
    );
    assert_eq!(rules.protection(&one, None), Some(Protection::NoTime));
    assert_eq!(rules.protection(&one, Some(NOW + DAY)), None);
    one.keep_until = NOW + 2 * DAY;
    let why = rules.protection(&one, Some(NOW + DAY)).unwrap();
    assert_eq!(why, Protection::KeepUntil(NOW + 2 * DAY));
    one.start = u64::MAX;
    let why = rules.protection(&one, Some(NOW + 9 * DAY)).unwrap();
    assert!(matches!(why, Protection::Undated(_)));
    assert_eq!(
        Rules::default().protection(
            &Candidate {
                keep_until: 0,
                ..one
            },
            None
        ),
        None
    );
    assert_eq!(duration_text(1), "1 millisecond");
    assert_eq!(duration_text(DAY), "1 day");
    assert_eq!(duration_text(90_000), "90 seconds");
}
