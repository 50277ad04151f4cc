//! The ledger: one chained log of everything that must be provable, and its signed checkpoints.

pub mod chain;
pub mod checkpoint;
pub mod entry;
pub mod key;
pub mod proof;
