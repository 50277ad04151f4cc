//! Recordings are kept exactly as long as they must be.
//!
//! ```text
//!  policies ──▶ Rules ─┐
//!  rows, keeping ──────┼─▶ Planner (pure) ──▶ Plan ──▶ pass: commit ──▶ unlink ──▶ sync ──▶ forget
//!  proven time ────────┘                               (checked again in the commit)
//! ```
//!
//! What must never happen, whatever the clock, the policies and the disk do: the deletion of a
//! recording that is open, held, or younger than the longest minimum that applies to it. Whatever
//! is not known counts for keeping.

mod age;
mod ask;
mod guard;
mod keep;
mod keeper;
mod keeping;
mod level;
mod pass;
mod plan;
mod policy;
mod reckoning;
mod sweep;
mod time;

#[cfg(test)]
mod tests;

pub(crate) use age::{Births, Mark, imported_start};
pub use ask::{InForce, KeptAfter, KeptRow, Prospect};
pub(crate) use guard::{FILE as ID_FILE, Guard, agreed_id, restored, store_id_flaws};
pub use guard::{Place, PlaceError};
pub use keep::KeepError;
pub(crate) use keeper::Keeper;
pub use keeper::{ClockError, ClockReport, RulesError};
pub use keeping::{Hold, Keeping, NewHold};
pub use level::{DiskLevel, DiskLevels, Watermarks, WatermarksError};
pub use pass::{PassError, PassReport, PassRequest, Retired};
pub use plan::{Candidate, Deletion, Plan, Planner, Protection, Reason, Survey};
pub use policy::{Policy, PolicyError, Rules, duration_text};
pub use time::{ClockFacts, Standing, Tick, TrustedTime};
