//! What is deleted, decided without clock or disk: candidates go in one by one, a plan comes out.
//!
//! Two kinds go: those that reached the longest time they may be kept, and, while space or a
//! policy's bytes are short, those past their minimum, oldest first, until enough is free.

use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;

use super::policy::{Rules, duration_text};
use crate::ids::{PolicyName, RecordingId, Tag, TenantId};
use crate::ledger::acts::Warrant;

/// What retention looks at of one recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number.
    pub id: RecordingId,
    /// It is being recorded.
    pub live: bool,
    /// The latest moment, in proven time, at which it may have been started; `u64::MAX` when that
    /// is not known.
    pub start: u64,
    /// Space its file takes.
    pub bytes: u64,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Somebody holds it.
    pub held: bool,
    /// It is kept until then by itself; 0 when not.
    pub keep_until: u64,
}

/// Why a recording may not be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It is being recorded.
    Live,
    /// Somebody holds it.
    Held,
    /// Its own minimum is not reached.
    KeepUntil(u64),
    /// A policy's minimum is not reached; it will be at this time, as far as is known.
    Young {
        /// The policy.
        policy: PolicyName,
        /// Its minimum.
        least: u64,
        /// When it is reached.
        until: u64,
    },
    /// It has a minimum, and when it was started is not known.
    Undated(PolicyName),
    /// It has a minimum, and how late it is is not known.
    NoTime,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("it is still being recorded"),
            Self::Held => f.write_str("it is held"),
            Self::KeepUntil(until) => {
                write!(f, "it is kept until {}", super::keeping::time_text(*until))
            }
            Self::Young {
                policy,
                least,
                until,
            } => write!(
                f,
                "policy '{policy}' keeps it for {}, until {}",
                duration_text(*least),
                super::keeping::time_text(*until)
            ),
            Self::Undated(policy) => write!(
                f,
                "policy '{policy}' has a minimum, and when the recording was started is not known"
            ),
            Self::NoTime => f.write_str(
                "it has a minimum, and the clock cannot be trusted; set it right and confirm it",
            ),
        }
    }
}

impl Rules {
    /// Why a recording may not be deleted at this proven time (`None`: the time is not known).
    #[must_use]
    pub fn protection(&self, candidate: &Candidate, now: Option<u64>) -> Option<Protection> {
        if candidate.live {
            return Some(Protection::Live);
        }
        if candidate.held {
            return Some(Protection::Held);
        }
        let least = self.least(candidate.tenant, &candidate.tags);
        if least.is_none() && candidate.keep_until == 0 {
            return None;
        }
        let Some(now) = now else {
            return Some(Protection::NoTime);
        };
        if candidate.keep_until > now {
            return Some(Protection::KeepUntil(candidate.keep_until));
        }
        let policy = least?;
        let name = || policy.name.clone();
        if candidate.start == u64::MAX {
            return Some(Protection::Undated(name()));
        }
        let until = candidate.start.saturating_add(policy.keep_at_least);
        (until > now).then(|| Protection::Young {
            policy: name(),
            least: policy.keep_at_least,
            until,
        })
    }
}

/// Why a recording is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The policy keeps it no longer.
    TooOld(PolicyName),
    /// The policy's recordings take too much space.
    TooManyBytes(PolicyName),
    /// Too little of the disk was free.
    DiskLow,
    /// Somebody said so.
    Command,
}

impl Reason {
    /// By whose authority a deletion with this reason is made; `None` where somebody else says.
    pub(crate) fn warrant(&self) -> Option<Arc<Warrant>> {
        match self {
            Self::Command => None,
            reason => Some(Arc::new(Warrant::system("retention", reason.to_string()))),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld(policy) => write!(f, "policy '{policy}': kept long enough"),
            Self::TooManyBytes(policy) => write!(f, "policy '{policy}': more bytes than allowed"),
            Self::DiskLow => f.write_str("low disk space"),
            Self::Command => f.write_str("deleted by command"),
        }
    }
}

/// One recording that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number.
    pub id: RecordingId,
    /// When it was started, in proven time.
    pub start: u64,
    /// Space its file takes.
    pub bytes: u64,
    /// Why.
    pub reason: Reason,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Recordings.
    pub seen: u64,
    /// Of them being recorded.
    pub live: u64,
    /// Of them held.
    pub held: u64,
    /// Of them younger than their minimum.
    pub young: u64,
    /// Of them with a minimum, and started nobody knows when.
    pub undated: u64,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Oldest first.
    pub deletions: Vec<Deletion>,
    /// There is more than one plan holds: make another when this one is done.
    pub more: bool,
    /// Bytes that are still short when all of it is done: everything else must be kept.
    pub short: u64,
    /// What was seen on the way.
    pub survey: Survey,
}

/// Order of deletion: start, tenant, number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    start: u64,
    tenant: TenantId,
    id: RecordingId,
    bytes: u64,
    /// The policy that keeps it no longer; none for one that only makes room.
    expired: Option<usize>,
    /// Policies with a maximum of bytes that apply.
    limits: Vec<usize>,
}

/// Makes a [`Plan`]. With byte limits every candidate is weighed first, then seen.
#[derive(Debug)]
pub struct Planner<'r> {
    rules: &'r Rules,
    now: Option<u64>,
    needed: u64,
    most: usize,
    /// Bytes of the recordings that each policy applies to.
    used: Vec<u64>,
    due: BinaryHeap<Entry>,
    spare: BinaryHeap<Entry>,
    dropped: (bool, bool),
    survey: Survey,
}

impl<'r> Planner<'r> {
    /// A planner for this proven time (`None`: nothing is deleted), that makes `needed` bytes free
    /// if it can and plans `most` deletions at once.
    #[must_use]
    pub fn new(rules: &'r Rules, now: Option<u64>, needed: u64, most: usize) -> Self {
        Self {
            rules,
            now,
            needed,
            most,
            used: vec![0; rules.policies().len()],
            due: BinaryHeap::new(),
            spare: BinaryHeap::new(),
            dropped: (false, false),
            survey: Survey::default(),
        }
    }

    /// Counts what a candidate takes, where a policy limits bytes.
    pub fn weigh(&mut self, candidate: &Candidate) {
        for at in self.rules.byte_limits(candidate.tenant, &candidate.tags) {
            if let Some(used) = self.used.get_mut(at) {
                *used = used.saturating_add(candidate.bytes);
            }
        }
    }

    /// Looks at a candidate; in any order.
    pub fn see(&mut self, candidate: &Candidate) {
        self.survey.seen += 1;
        match self.rules.protection(candidate, self.now) {
            None => self.consider(candidate),
            Some(Protection::Live) => self.survey.live += 1,
            Some(Protection::Held) => self.survey.held += 1,
            Some(Protection::Undated(_)) => self.survey.undated += 1,
            Some(Protection::Young { .. } | Protection::KeepUntil(_) | Protection::NoTime) => {
                self.survey.young += 1;
            }
        }
    }

    fn consider(&mut self, candidate: &Candidate) {
        let Some(now) = self.now else { return };
        let (tenant, tags) = (candidate.tenant, &candidate.tags);
        let most = self.rules.most(tenant, tags);
        // A start that is not known is no start: such a recording never gets too old.
        let expired = most.filter(|(most, _)| {
            candidate.start != u64::MAX && candidate.start.saturating_add(*most) <= now
        });
        let limits: Vec<usize> = self.rules.byte_limits(tenant, tags).collect();
        // Whoever has set no policy for a recording has not said that it may go.
        let mut policies = self.rules.policies().iter();
        let spare = self.needed > 0 && policies.any(|policy| policy.applies(tenant, tags));
        let wanted = spare || limits.iter().any(|at| self.is_over(*at));
        if expired.is_none() && (candidate.bytes == 0 || !wanted) {
            return;
        }
        let (heap, dropped) = match expired {
            Some(_) => (&mut self.due, &mut self.dropped.0),
            None => (&mut self.spare, &mut self.dropped.1),
        };
        heap.push(Entry {
            start: candidate.start,
            tenant,
            id: candidate.id,
            bytes: candidate.bytes,
            expired: expired.map(|(_, at)| at),
            limits,
        });
        if heap.len() > self.most {
            heap.pop();
            *dropped = true;
        }
    }

    fn is_over(&self, at: usize) -> bool {
        let most = self.rules.policies().get(at);
        let most = most.and_then(|policy| policy.max_bytes);
        let used = self.used.get(at).copied().unwrap_or(0);
        most.is_some_and(|most| used > most)
    }

    fn take(&mut self, entry: &Entry) {
        self.needed = self.needed.saturating_sub(entry.bytes);
        for at in &entry.limits {
            if let Some(used) = self.used.get_mut(*at) {
                *used = used.saturating_sub(entry.bytes);
            }
        }
    }

    fn name(&self, at: usize) -> Option<PolicyName> {
        let policy = self.rules.policies().get(at);
        policy.map(|policy| policy.name.clone())
    }

    /// The plan.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        let due = std::mem::take(&mut self.due).into_sorted_vec();
        let spare = std::mem::take(&mut self.spare).into_sorted_vec();
        let mut plan = Plan {
            more: self.dropped.0,
            ..Plan::default()
        };
        for entry in &due {
            self.take(entry);
            let policy = entry.expired.and_then(|at| self.name(at));
            let reason = policy.map(Reason::TooOld);
            plan.deletions.extend(reason.map(|why| entry.deletion(why)));
        }
        // Only when all that is too old is planned is it known what else must go.
        if !self.dropped.0 {
            for entry in &spare {
                let over = entry.limits.iter().find(|at| self.is_over(**at));
                let reason = match over.and_then(|at| self.name(*at)) {
                    Some(policy) => Reason::TooManyBytes(policy),
                    None if self.needed > 0 => Reason::DiskLow,
                    None => continue,
                };
                self.take(entry);
                plan.deletions.push(entry.deletion(reason));
            }
            let over = (0..self.used.len()).any(|at| self.is_over(at));
            plan.more = self.dropped.1 && (over || self.needed > 0);
            plan.short = self.needed;
        }
        let order = |one: &Deletion| (one.start, one.tenant, one.id);
        plan.deletions.sort_by_key(order);
        plan.survey = self.survey;
        plan
    }
}

impl Entry {
    const fn deletion(&self, reason: Reason) -> Deletion {
        Deletion {
            tenant: self.tenant,
            id: self.id,
            start: self.start,
            bytes: self.bytes,
            reason,
        }
    }
}
