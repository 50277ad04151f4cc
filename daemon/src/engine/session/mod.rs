//! One call under control (seed 001; API.md section 2): a state machine without threads, clocks or
//! devices. What happens goes in, what is to be done and told comes out.
//!
//! ```text
//!  commands ──▶ ┌──────────────── Session ─────────────────┐ ──▶ Action: line, fetcher,
//!  (command.rs) │ New ─▶ Ringing ─▶ Answered ─▶ HungUp     │     player, recorder (signal.rs)
//!  Signal  ───▶ │ playing.rs: preparing ─▶ speaking ─▶     │ ──▶ SessionEvent: the application
//!  time    ───▶ │   ending   taking.rs: take ─▶ sealing    │     (event.rs)
//!               └──────────────────────────────────────────┘
//! ```
//!
//! Invariants, which `tests/property.rs` holds against random schedules:
//! every accepted command has exactly one `command.result`; every `playback/start` and
//! `playback/silence` exactly one `playback.stopped` or `playback.file_not_found`; every
//! `play_and_get_digits` exactly one `digits.collected`; every `record/start` that reached the
//! recorder exactly one `recording.completed`, `absent` or `failed`; every session one
//! `call.hangup`, after which only recordings end.
//!
//! What is not here: JSON (`http/wire/session_commands.rs`), delivery, and the limits per
//! application.

pub mod command;
pub mod cooldown;
pub mod digits;
pub mod event;
pub mod limits;
mod machine;
mod owed;
pub mod plan;
mod playing;
pub mod repeats;
pub mod signal;
mod speaking;
mod state;
mod taking;
#[cfg(test)]
mod tests;

pub use self::machine::Session;
pub use self::owed::{Owed, OwedTake};
pub use self::state::{Accepted, CallState, Facts, Output, Refused, Snapshot};
