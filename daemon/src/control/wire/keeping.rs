//! What keeps recordings: holds, minimums, tags; and the retention and the clock that decide.

use serde::{Deserialize, Serialize};
use storage::ids::{LineName, Number, Tag, TenantName};

use super::ErrorBody;
use super::audit::Who;

/// Which recordings are meant: by name, or all that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Select {
    /// By any of their names; then only `tenant` may be given beside.
    pub names: Vec<String>,
    /// Only this tenant's.
    pub tenant: Option<TenantName>,
    /// Only those with this tag.
    pub tag: Option<Tag>,
    /// Only those from or to this number.
    pub number: Option<Number>,
    /// Only those of this line.
    pub line: Option<LineName>,
    /// Only those that started at or after this, RFC 3339 or a day.
    pub since: Option<String>,
    /// Only those that started at or before this.
    pub until: Option<String>,
}

/// `POST /keeping`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Which recordings.
    pub which: Select,
    /// What is done to each of them.
    pub change: KeepChange,
    /// Only tell which recordings it would be.
    #[serde(default)]
    pub dry_run: bool,
}

/// What is done to recordings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeepChange {
    /// A hold is set.
    Hold {
        /// Why.
        reason: String,
    },
    /// A hold is lifted.
    Lift {
        /// Its number among the recording's.
        hold: u32,
        /// Why.
        reason: String,
    },
    /// A minimum is set, which can only grow.
    Until {
        /// RFC 3339, or a day.
        until: String,
    },
    /// A minimum is set: so long from now on.
    For {
        /// In milliseconds.
        ms: u64,
    },
    /// Tags are added.
    Tag {
        /// Which.
        tags: Vec<Tag>,
    },
    /// Tags are removed.
    Untag {
        /// Which.
        tags: Vec<Tag>,
        /// Even where a minimum goes with one before it is reached.
        #[serde(default)]
        shrink: bool,
    },
}

/// The answer of `POST /keeping`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Each recording, oldest first, or in the order of the names.
    pub items: Vec<KeptItem>,
}

/// One recording that was, or would be, changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptItem {
    /// Its number.
    pub recid: String,
    /// Whose it is.
    pub tenant: String,
    /// When it was started, RFC 3339.
    pub started_at: String,
    /// Whether anything is another than before.
    pub changed: bool,
    /// The number of the hold that was set or lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<u32>,
    /// What keeps it now.
    pub keeping: Keeping,
    /// Why it was not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
}

/// What keeps a recording by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Its tags.
    pub tags: Vec<String>,
    /// Its holds, oldest first.
    pub holds: Vec<Hold>,
    /// It is kept until then at least, RFC 3339.
    pub keep_until: Option<String>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its number among the recording's holds.
    pub id: u32,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}

/// What keeps a recording, and when it would be deleted; with `GET /recordings/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// Its holds, minimum and tags.
    #[serde(flatten)]
    pub keeping: Keeping,
    /// Why it may not be deleted now; null when it may.
    pub protected: Option<String>,
    /// The policy with the longest minimum that applies.
    pub least: Option<PolicyTerm>,
    /// The policy with the shortest maximum that applies.
    pub most: Option<PolicyTerm>,
    /// When a pass deletes it, RFC 3339, in proven time; null where nothing says so.
    pub due: Option<String>,
    /// Policies that may delete it for want of bytes, after its minimums.
    pub byte_limits: Vec<String>,
    /// Deletions are suspended altogether.
    pub suspended: bool,
}

/// A policy and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTerm {
    /// Its name.
    pub policy: String,
    /// Its minimum, or maximum, in milliseconds.
    pub ms: u64,
    /// When that is reached, RFC 3339; null where the recording's start is not known.
    pub until: Option<String>,
}

/// A page of `GET /holds`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HoldPage {
    /// In order of tenants and numbers.
    pub items: Vec<Held>,
    /// Give it as `cursor` to get the next page.
    pub next: Option<String>,
}

/// A recording with holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Its number.
    pub recid: String,
    /// Whose it is.
    pub tenant: String,
    /// Its holds; empty where they cannot be read, which counts as one.
    pub holds: Vec<Hold>,
    /// What keeps it cannot be read.
    #[serde(default)]
    pub unreadable: bool,
}

/// `GET /retention`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retention {
    /// Which set of policies it is, counted from 1; 0: there never was one.
    pub number: u64,
    /// Since when it is in force, RFC 3339.
    pub since: Option<String>,
    /// Who put it in force, as the ledger tells.
    pub by: Option<Who>,
    /// The policies in force.
    pub policies: Vec<RetentionPolicy>,
    /// Nothing is deleted because holds may be missing.
    pub suspended: bool,
    /// The clock that ages are measured with.
    pub clock: ClockState,
    /// Free space, and the marks at which something happens.
    pub disk: DiskState,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPolicy {
    /// Its name.
    pub name: String,
    /// Whose recordings; null: everybody's.
    pub tenant: Option<String>,
    /// With which tag; null: all.
    pub tag: Option<String>,
    /// Its minimum; 0 for none.
    pub keep_at_least_ms: u64,
    /// Its maximum.
    pub keep_at_most_ms: Option<u64>,
    /// Its most bytes.
    pub max_bytes: Option<u64>,
}

/// Free space and its marks; a mark of 0 is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskState {
    /// Free bytes where recordings lie.
    pub free_bytes: u64,
    /// Below this, recordings past their minimum go, oldest first.
    pub low_bytes: u64,
    /// Below this, somebody must do something.
    pub critical_bytes: u64,
    /// Below this, nothing more can be recorded.
    pub full_bytes: u64,
}

/// `GET /clock`: how the wall clock and proven time stand to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// `trusted`, `ahead`, `behind` or `unknown`.
    pub standing: String,
    /// By how much the wall clock is ahead or behind.
    pub apart_ms: u64,
    /// Whether recordings may be deleted.
    pub may_delete: bool,
    /// What the wall clock shows, RFC 3339.
    pub wall: String,
    /// How late it is at least, RFC 3339; ages are measured with it.
    pub proven: Option<String>,
    /// Whether somebody (NTP) keeps the wall clock right; null where the system does not tell.
    pub synchronised: Option<bool>,
    /// How far it can be wrong at most.
    pub max_error_ms: Option<u64>,
}

/// `GET /clock/confirm`: what saying that the clock is right would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClockPreview {
    /// As it is.
    pub now: ClockState,
    /// How it would stand.
    pub then: ClockState,
    /// What a pass would delete then.
    pub plan: RetentionPlan,
    /// What a pass would delete now.
    pub deletions_now: u64,
}

/// `GET /retention/plan`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetentionPlan {
    /// Oldest first.
    pub items: Vec<PlannedDeletion>,
    /// Of all of them, the bytes.
    pub bytes: u64,
    /// There is more than one pass does at once.
    pub more: bool,
    /// Bytes that are still short afterwards: everything else must be kept.
    pub short_bytes: u64,
    /// Free bytes that were reckoned with.
    pub free_bytes: u64,
    /// What was seen.
    pub survey: Survey,
    /// The pass would delete nothing, because holds may be missing.
    pub suspended: bool,
    /// The pass would delete nothing, because the clock cannot be trusted.
    pub distrusted: bool,
}

/// A recording that would be deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedDeletion {
    /// Its number.
    pub recid: String,
    /// Whose it is.
    pub tenant: String,
    /// When it was started, in proven time, RFC 3339; null where that is not known.
    pub started_at: Option<String>,
    /// Its file's length.
    pub bytes: u64,
    /// Why it goes.
    pub reason: String,
}

/// What a plan or a pass saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// The report of `POST /retention/run`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RetentionRun {
    /// Recordings that were deleted.
    pub deleted: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Recordings that were planned and had become protected, or were gone.
    pub spared: u64,
    /// Deletions of earlier that were finished.
    pub finished: u64,
    /// Bytes that are short although everything that may go is gone.
    pub short_bytes: u64,
    /// It was stopped before its end.
    pub stopped: bool,
    /// Nothing was deleted because of the clock.
    pub distrusted: bool,
    /// What was seen.
    pub survey: Survey,
}

/// `GET /retention/shrink`: what the configuration asks for against what is in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shrink {
    /// Each minimum that would become shorter, in words.
    pub shrinks: Vec<String>,
    /// The policies that would be in force.
    pub policies: Vec<RetentionPolicy>,
    /// They are in force already.
    pub in_force: bool,
}

/// The answer of `POST /retention/resume`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Resumed {
    /// Whether deletions had been suspended.
    pub were_suspended: bool,
}
