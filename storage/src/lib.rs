//! Recordings on disk. One path, one direction: the recorder appends sound; it is journalled at
//! once, written to its own file in large pieces, sealed with header, facts and hash, and found
//! again through the index.
//!
//! This crate takes from `audio-io` only its vocabulary, its WAV header and its meters, and knows
//! no HTTP, and no tenant policy beyond "every key begins with a tenant". FORMAT.md describes
//! every byte it writes.

pub mod account;
mod accounts;
pub mod backup;
mod carry;
mod changes;
pub mod check;
#[cfg(test)]
mod clock_tests;
mod delete;
pub mod derived;
pub mod error;
pub mod export;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod handle;
pub mod ids;
mod import;
#[doc(hidden)]
pub mod index;
mod io;
mod journal;
pub mod ledger;
mod library;
pub mod limits;
mod marks;
mod metrics;
mod naming;
pub mod notes;
mod open;
pub mod outbox;
mod paths;
pub mod peaks;
pub mod progress;
pub mod prompt;
pub mod record;
pub mod recorder;
mod recover;
pub mod reindex;
mod repair;
mod replace;
mod reserve;
pub mod restore;
pub mod retention;
pub mod scratch;
pub mod search;
pub mod segment;
mod shared;
#[cfg(test)]
mod testing;
pub mod trouble;
#[cfg(test)]
mod upkeep_tests;
pub mod view;
mod viewing;
mod walk;
mod work;
