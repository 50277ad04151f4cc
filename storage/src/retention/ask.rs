//! Questions to an open store about what it keeps, how long, and by what time. Asking changes
//! nothing.

use std::sync::Arc;

use super::keeping::Keeping;
use super::pass::{PassRequest, plan};
use super::plan::{Plan, Protection};
use super::policy::{Policy, Rules};
use super::time::{ClockFacts, Standing, Tick};
use crate::error::ReadError;
use crate::handle::StorageHandle;
use crate::ids::{PolicyName, RecordingId, TenantId};
use crate::index::keeping::Verdict;
use crate::record::{Recording, WallMillis};
use crate::reserve::free_bytes;
use crate::retention::Mark;

/// What keeps a recording, and what would end it. Times are proven time in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// Its holds, minimum and tags.
    pub keeping: Keeping,
    /// The latest moment at which it may have been started; `None` where that is not known.
    pub start: Option<u64>,
    /// Why it may not be deleted now, if there is a reason.
    pub protection: Option<Protection>,
    /// The policy with the longest minimum that applies.
    pub least: Option<Policy>,
    /// The policy with the shortest maximum that applies.
    pub most: Option<Policy>,
    /// When that maximum, and all minimums, are reached: a pass deletes it then. `None` where no
    /// maximum applies, or its start is not known.
    pub due: Option<u64>,
    /// Policies that may delete it earlier, but not before its minimums, for want of bytes.
    pub byte_limits: Vec<PolicyName>,
}

/// The policies in force.
#[derive(Clone, Debug)]
pub struct InForce {
    /// They themselves.
    pub rules: Arc<Rules>,
    /// Which set of policies it is, counted from 1; 0 before there was any.
    pub number: u64,
    /// Since when, by the wall clock; `None` before there was any.
    pub since: Option<WallMillis>,
}

/// Where recordings that are kept by something are found on: [`StorageHandle::kept`].
pub type KeptAfter = (TenantId, RecordingId);

/// A recording with something that keeps it, or tags; `None` where that cannot be read, which
/// counts as a hold.
pub type KeptRow = (TenantId, RecordingId, Option<Keeping>);

impl StorageHandle {
    /// What keeps a recording, and when it would be deleted. Its row must be as it is now.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn prospect(&self, row: &Recording) -> Result<Prospect, ReadError> {
        let (tenant, id) = (row.facts.tenant, row.facts.id);
        let keeping = self.keeping(tenant, id)?.unwrap_or_default();
        let (verdict, _) = self.shared.keeper.verdict(&self.shared);
        let candidate = verdict.candidate(row, Some(Ok(keeping.clone())));
        let (rules, tags) = (&*verdict.rules, keeping.tags.as_slice());
        let policy = |at: usize| rules.policies().get(at).cloned();
        let least = rules.least(tenant, tags);
        let start = (candidate.start != u64::MAX).then_some(candidate.start);
        let most = rules.most(tenant, tags);
        let due = most.zip(start).map(|((most, _), start)| {
            let least = least.map_or(0, |policy| policy.keep_at_least);
            start
                .saturating_add(most.max(least))
                .max(keeping.keep_until)
        });
        let byte_limits = rules.byte_limits(tenant, tags).filter_map(policy);
        Ok(Prospect {
            start,
            protection: rules.protection(&candidate, verdict.now),
            least: least.cloned(),
            most: most.and_then(|(_, at)| policy(at)),
            due,
            byte_limits: byte_limits.map(|policy| policy.name).collect(),
            keeping,
        })
    }

    /// The policies in force, and since when.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn retention_in_force(&self) -> Result<InForce, ReadError> {
        let row = self.shared.index.rules()?.and_then(Result::ok);
        let rules = self.retention_rules();
        Ok(InForce {
            number: rules.number(),
            since: row.map(|row| row.since),
            rules,
        })
    }

    /// Recordings with holds, minimums or tags of their own, in order of tenants and numbers, at
    /// most `limit`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn kept(&self, after: Option<KeptAfter>, limit: usize) -> Result<Vec<KeptRow>, ReadError> {
        self.shared.index.kept(after, limit)
    }

    /// Free bytes where recordings lie.
    #[must_use]
    pub fn free_for_recordings(&self) -> u64 {
        free_bytes(&self.shared.layout.recordings())
    }

    /// How wall and proven time stand to each other now.
    #[must_use]
    pub fn clock_now(&self) -> Tick {
        self.shared.keeper.verdict(&self.shared).1
    }

    /// What a pass would delete if somebody said now that the wall clock is right, and how the
    /// clocks would stand; `None` when the clock shows a time that cannot be. Nobody said it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn retention_plan_confirmed(
        &self,
        request: &PassRequest<'_>,
    ) -> Result<Option<(Tick, Plan)>, ReadError> {
        let keeper = &self.shared.keeper;
        let facts = ClockFacts::of(&*self.shared.clock);
        let next = self.shared.names.peek();
        let mut reckoning = keeper.reckoning().clone();
        reckoning.look(facts, next);
        let Ok(tick) = reckoning.confirm(facts, next) else {
            return Ok(None);
        };
        let verdict = Verdict {
            rules: keeper.rules(),
            births: Arc::clone(&reckoning.births),
            latest: Mark::new(next, &tick),
            now: tick.now(),
        };
        let plan = plan(&self.shared, &verdict, request)?;
        Ok(Some((tick, plan.unwrap_or_default())))
    }
}

impl Standing {
    /// Its name: `trusted`, `ahead`, `behind` or `unknown`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Ahead(_) => "ahead",
            Self::Behind(_) => "behind",
            Self::Unknown => "unknown",
        }
    }

    /// By how many milliseconds the wall clock is ahead or behind.
    #[must_use]
    pub const fn apart(self) -> u64 {
        match self {
            Self::Ahead(by) | Self::Behind(by) => by,
            Self::Trusted | Self::Unknown => 0,
        }
    }
}
