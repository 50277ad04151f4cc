//! Retention policies as plain values, and what contradicts what. No clock and no disk here.

use serde::{Deserialize, Serialize};

use crate::ids::{PolicyName, Tag, TenantId};
use crate::limits::{KEEP_MAX_MS, POLICIES_MAX};

/// How long some recordings are kept. All times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name, unique; deletions name it.
    pub name: PolicyName,
    /// Whose recordings it applies to; everybody's without one.
    pub tenant: Option<TenantId>,
    /// Which of them; all without one.
    pub tag: Option<Tag>,
    /// None of them is deleted before it is so old; 0 for no minimum.
    pub keep_at_least: u64,
    /// Each of them is deleted when it is so old, unless something keeps it longer.
    pub keep_at_most: Option<u64>,
    /// When they take more than this, the oldest go that have reached their minimum.
    pub max_bytes: Option<u64>,
}

impl Policy {
    /// Whether it applies to a recording of this tenant with these tags.
    #[must_use]
    pub fn applies(&self, tenant: TenantId, tags: &[Tag]) -> bool {
        self.tenant.is_none_or(|own| own == tenant)
            && self.tag.as_ref().is_none_or(|own| tags.contains(own))
    }

    /// Whether it applies to every recording that `other` applies to.
    fn covers(&self, other: &Self) -> bool {
        (self.tenant.is_none() || self.tenant == other.tenant)
            && (self.tag.is_none() || self.tag == other.tag)
    }

    fn scope(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(" tagged '{tag}'"));
        let whose = self.tenant.map(|tenant| format!(" of tenant {tenant}"));
        let (tag, whose) = (tag.unwrap_or_default(), whose.unwrap_or_default());
        format!("recordings{whose}{tag}")
    }
}

/// Why a set of policies is refused. Nothing is deleted because of a set that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too many.
    #[error("there are {0} retention policies; at most {POLICIES_MAX} are allowed")]
    TooMany(usize),
    /// Two of one name.
    #[error("two retention policies are named '{0}'; each needs a name of its own")]
    SameName(PolicyName),
    /// One without any effect.
    #[error(
        "retention policy '{0}' says nothing: give it keep_at_least, keep_at_most or max_bytes"
    )]
    SaysNothing(PolicyName),
    /// A maximum of nothing would delete everything at once.
    #[error("retention policy '{name}': {what} is 0, which would delete everything at once")]
    Nothing {
        /// The policy.
        name: PolicyName,
        /// Its setting.
        what: &'static str,
    },
    /// A time that nobody can mean.
    #[error("retention policy '{name}': {what} is longer than a hundred years")]
    TooLong {
        /// The policy.
        name: PolicyName,
        /// Its setting.
        what: &'static str,
    },
    /// A policy that contradicts itself.
    #[error(
        "retention policy '{name}' contradicts itself: keep_at_most ({}) is shorter than \
         keep_at_least ({})",
        duration_text(*most),
        duration_text(*least)
    )]
    Contradiction {
        /// The policy.
        name: PolicyName,
        /// Its minimum.
        least: u64,
        /// Its maximum.
        most: u64,
    },
    /// A maximum that another policy's minimum makes void for every recording it applies to.
    #[error(
        "retention policies '{name}' and '{other}' contradict each other: '{name}' deletes after \
         {}, but '{other}' applies to all the same recordings and keeps them for {}",
        duration_text(*most),
        duration_text(*least)
    )]
    Void {
        /// The policy with the maximum.
        name: PolicyName,
        /// Its maximum.
        most: u64,
        /// The policy with the minimum.
        other: PolicyName,
        /// Its minimum.
        least: u64,
    },
    /// A minimum in force would become shorter.
    #[error(
        "retention would shrink: {scope} must be kept for {} by policy '{name}', which is in \
         force, and would be kept for {} only; confirm that explicitly, or keep the minimum",
        duration_text(*before),
        duration_text(*after)
    )]
    Shrinks {
        /// The policy in force.
        name: PolicyName,
        /// What it applies to, in words.
        scope: String,
        /// The minimum in force.
        before: u64,
        /// What would be left of it.
        after: u64,
    },
}

/// Policies that do not contradict each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    policies: Vec<Policy>,
    /// Grows with every change; 0 before there was any.
    number: u64,
}

impl Rules {
    /// Checks a set of policies.
    ///
    /// # Errors
    /// [`PolicyError`] names the first that cannot be.
    pub fn new(policies: Vec<Policy>) -> Result<Self, PolicyError> {
        if policies.len() > POLICIES_MAX {
            return Err(PolicyError::TooMany(policies.len()));
        }
        for (at, policy) in policies.iter().enumerate() {
            if policies[..at].iter().any(|other| other.name == policy.name) {
                return Err(PolicyError::SameName(policy.name.clone()));
            }
            check_alone(policy)?;
        }
        for policy in &policies {
            check_beside(policy, &policies)?;
        }
        Ok(Self {
            policies,
            number: 0,
        })
    }

    pub(crate) fn numbered(mut self, number: u64) -> Self {
        self.number = number;
        self
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The policies, in the order they were given.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    fn of<'r>(
        &'r self,
        tenant: TenantId,
        tags: &'r [Tag],
    ) -> impl Iterator<Item = (usize, &'r Policy)> {
        let all = self.policies.iter().enumerate();
        all.filter(move |(_, policy)| policy.applies(tenant, tags))
    }

    /// The longest minimum that applies, and the policy it is from; `None` where there is none.
    #[must_use]
    pub fn least(&self, tenant: TenantId, tags: &[Tag]) -> Option<&Policy> {
        let all = self.policies.iter();
        let with = all.filter(|policy| policy.keep_at_least > 0 && policy.applies(tenant, tags));
        with.max_by_key(|policy| policy.keep_at_least)
    }

    /// The shortest maximum that applies, and the place of the policy it is from. A longer minimum
    /// counts for more.
    #[must_use]
    pub fn most(&self, tenant: TenantId, tags: &[Tag]) -> Option<(u64, usize)> {
        let all = self.of(tenant, tags);
        all.filter_map(|(at, policy)| policy.keep_at_most.map(|most| (most, at)))
            .min()
    }

    /// The shortest maximum of any recording of a tenant, whatever its tags.
    pub(crate) fn soonest(&self, tenant: TenantId) -> Option<u64> {
        let own = |policy: &&Policy| policy.tenant.is_none_or(|own| own == tenant);
        let own = self.policies.iter().filter(own);
        own.filter_map(|policy| policy.keep_at_most).min()
    }

    /// The places of the policies with a maximum of bytes that apply.
    pub(crate) fn byte_limits<'r>(
        &'r self,
        tenant: TenantId,
        tags: &'r [Tag],
    ) -> impl Iterator<Item = usize> {
        let all = self.of(tenant, tags);
        all.filter(|(_, policy)| policy.max_bytes.is_some())
            .map(|(at, _)| at)
    }

    pub(crate) fn limits_bytes(&self) -> bool {
        self.policies
            .iter()
            .any(|policy| policy.max_bytes.is_some())
    }

    /// Whether any recording that a minimum of `before` keeps would be kept for less time.
    ///
    /// # Errors
    /// [`PolicyError::Shrinks`] names the first such minimum.
    pub fn keeps_all_of(&self, before: &Self) -> Result<(), PolicyError> {
        match self.shrinks_from(before).into_iter().next() {
            Some(shrinks) => Err(shrinks),
            None => Ok(()),
        }
    }

    /// Every minimum of `before` that would become shorter: [`PolicyError::Shrinks`] for each.
    #[must_use]
    pub fn shrinks_from(&self, before: &Self) -> Vec<PolicyError> {
        let shrinks = before.policies.iter().filter_map(|old| {
            // The recording that fewest policies apply to: exactly the old one's scope.
            let covering = self.policies.iter().filter(|new| new.covers(old));
            let after = covering.map(|new| new.keep_at_least).max().unwrap_or(0);
            (after < old.keep_at_least).then(|| PolicyError::Shrinks {
                name: old.name.clone(),
                scope: old.scope(),
                before: old.keep_at_least,
                after,
            })
        });
        shrinks.collect()
    }
}

fn check_alone(policy: &Policy) -> Result<(), PolicyError> {
    let name = || policy.name.clone();
    let (least, most) = (policy.keep_at_least, policy.keep_at_most);
    if least == 0 && most.is_none() && policy.max_bytes.is_none() {
        return Err(PolicyError::SaysNothing(name()));
    }
    for (what, value) in [("keep_at_most", most), ("max_bytes", policy.max_bytes)] {
        if value == Some(0) {
            let name = name();
            return Err(PolicyError::Nothing { name, what });
        }
    }
    for (what, value) in [("keep_at_least", Some(least)), ("keep_at_most", most)] {
        if value.is_some_and(|value| value > KEEP_MAX_MS) {
            let name = name();
            return Err(PolicyError::TooLong { name, what });
        }
    }
    match most {
        Some(most) if most < least => Err(PolicyError::Contradiction {
            name: name(),
            least,
            most,
        }),
        _ => Ok(()),
    }
}

/// A maximum that can never be reached, because a minimum applies to everything it applies to.
/// Where only some recordings fall under both, the minimum counts for those and nothing is wrong:
/// "thirty days, but contracts ten years".
fn check_beside(policy: &Policy, all: &[Policy]) -> Result<(), PolicyError> {
    let Some(most) = policy.keep_at_most else {
        return Ok(());
    };
    let void = |other: &&Policy| other.keep_at_least > most && other.covers(policy);
    match all.iter().find(void) {
        Some(other) => Err(PolicyError::Void {
            name: policy.name.clone(),
            most,
            other: other.name.clone(),
            least: other.keep_at_least,
        }),
        None => Ok(()),
    }
}

/// A time in words, in the largest unit that tells all of it.
#[must_use]
pub fn duration_text(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (24 * 60 * 60 * 1_000, "day"),
        (60 * 60 * 1_000, "hour"),
        (60 * 1_000, "minute"),
        (1_000, "second"),
    ];
    let whole = UNITS
        .iter()
        .find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit));
    let (count, unit) = whole.map_or((ms, "millisecond"), |(unit, word)| (ms / unit, *word));
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
