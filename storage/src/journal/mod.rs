//! The write-ahead log: every open recording's new sound goes here in one sequential write and
//! one sync, long before its own file is synced.
//!
//! ```text
//!  append ──▶ file buffer ──(64 KiB)──▶ recording's file       lazily, unsynced
//!                 └──(each batch)─────▶ journal ──▶ fdatasync   at most half a second old
//!  generation full ──▶ files synced (checkpoint) ──▶ generation may be overwritten
//! ```

pub(crate) mod entry;
mod old;
pub(crate) mod reader;
pub(crate) mod writer;
