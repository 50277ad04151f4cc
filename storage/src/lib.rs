//! Recordings on disk. One path, one direction: the recorder appends sound; it is journalled at
//! once, written to its own file in large pieces, sealed with header, facts and hash, and found
//! again through the index.
//!
//! This crate takes from `audio-io` only its vocabulary and knows no HTTP, and no tenant policy
//! beyond "every key begins with a tenant".

pub mod error;
pub mod handle;
pub mod ids;
pub mod record;
pub mod recorder;
pub mod view;
