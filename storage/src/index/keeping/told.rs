//! What the ledger is told of changes to what is kept.

use serde_json::Value;

use super::{Edit, RulesRow};
use crate::ids::{RecordingId, Tag, TenantId};
use crate::index::ledger::Telling;
use crate::ledger::entry::{Act, Kind};
use crate::retention::{Hold, Keeping, Policy};

/// A recording's holds, minimum or tags changed. What changed nothing is not told.
pub(super) fn edited(
    telling: &mut Telling,
    (tenant, id): (TenantId, RecordingId),
    edit: &Edit,
    (before, after): (&Keeping, &Keeping),
) {
    let act = match edit {
        Edit::Hold(..) => after.holds.last().map(hold_set),
        Edit::Lift(number, why) => {
            let hold = before.holds.iter().find(|hold| hold.id == *number);
            hold.map(|hold| {
                Act::new(Kind::HoldLifted)
                    .with("hold", hold.id)
                    .with("reason", &*why.reason)
                    .with("by", &*why.by)
                    .with("was_reason", &*hold.reason)
                    .with("was_by", &*hold.by)
            })
        }
        Edit::Until(_) => {
            let act = Act::new(Kind::KeptUntil);
            let act = act.with("until", after.keep_until);
            (after != before).then(|| act.with("was_until", before.keep_until))
        }
        Edit::Tag(_) | Edit::Untag(..) => {
            let act = Act::new(Kind::Tagged);
            let act = act.with("added", missing(&after.tags, &before.tags));
            let act = act.with("removed", missing(&before.tags, &after.tags));
            (after != before).then_some(act)
        }
    };
    if let Some(act) = act {
        telling.tell(act.on(tenant, id));
    }
}

fn hold_set(hold: &Hold) -> Act {
    Act::new(Kind::HoldSet)
        .with("hold", hold.id)
        .with("reason", &*hold.reason)
        .with("by", &*hold.by)
}

/// Those of the first that are not among the others.
fn missing(tags: &[Tag], others: &[Tag]) -> Value {
    let missing = tags.iter().filter(|tag| !others.contains(tag));
    missing.map(|tag| Value::from(tag.as_str())).collect()
}

/// Other policies are in force: each one that is new, another than before, or gone.
pub(super) fn rules(telling: &mut Telling, before: &[Policy], row: &RulesRow) {
    for policy in &row.policies {
        if !before.contains(policy) {
            let act = policy_act(policy, row.number);
            let act = act.with("keep_at_least_ms", policy.keep_at_least);
            let act = limit(act, "keep_at_most_ms", policy.keep_at_most);
            telling.tell(limit(act, "max_bytes", policy.max_bytes));
        }
    }
    for policy in before {
        if !row.policies.iter().any(|held| held.name == policy.name) {
            telling.tell(policy_act(policy, row.number).with("removed", true));
        }
    }
}

fn policy_act(policy: &Policy, number: u64) -> Act {
    let mut act = Act::new(Kind::Policy)
        .with("number", number)
        .with("name", policy.name.as_str());
    act.tenant = policy.tenant;
    match &policy.tag {
        Some(tag) => act.with("tag", tag.as_str()),
        None => act,
    }
}

fn limit(act: Act, name: &str, value: Option<u64>) -> Act {
    match value {
        Some(value) => act.with(name, value),
        None => act,
    }
}

/// Deletions were suspended, or go on.
pub(super) fn suspended(telling: &mut Telling, is_lost: bool) {
    let now = if is_lost { "suspended" } else { "resumed" };
    telling.tell(Act::new(Kind::Policy).with("deletions", now));
}
