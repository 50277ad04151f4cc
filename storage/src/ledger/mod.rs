//! The ledger: one chained log of everything that must be provable, its signed checkpoints, and
//! proofs of single entries.
//!
//! ```text
//!  changes, acts ──▶ index writer: one write, one fdatasync ──▶ redb commit (head, tables)
//!                                                                   └──▶ checkpoints (own thread)
//! ```
//! FORMAT.md describes every byte. Whatever was changed, taken out, put in, moved or cut off is
//! found by [`crate::check`], with the number of the first entry in question.

pub mod acts;
pub(crate) mod ahead;
pub mod api;
pub mod chain;
pub mod checkpoint;
pub mod checkpoints;
mod content;
mod covered;
pub mod entry;
pub mod key;
mod lead;
pub mod offline;
pub mod open;
pub mod proof;
pub mod query;
mod seek;
pub(crate) mod segments;
pub mod verify;
pub(crate) mod walk;
pub(crate) mod writer;

#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod speed_tests;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod tamper_tests;
#[cfg(test)]
mod tests;
