//! Calls under control (seed 001), from outside: an application drives the real daemon over a real
//! ALSA duplex line, and what the caller hears, says and types is measured at the other end.
//!
//! ```text
//!  application ── commands ──▶ callreeld ◀── ALSA, both directions ──▶ caller (aplay, arecord)
//!  receiver    ◀── webhooks ──┘   └── prompts ──▶ web server of the test
//! ```

mod access;
mod bodies;
mod crash;
mod device;
mod digits;
mod formats;
mod hooks;
pub(crate) mod ledger;
mod playback;
mod rates;
pub(crate) mod recording;
pub(crate) mod rig;
mod rigs;
mod streams;
mod urls;
mod vox;
