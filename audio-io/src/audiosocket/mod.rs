//! AudioSocket: a PBX (Asterisk 16 and later) connects over TCP and hands a call's sound both
//! ways to a line. The protocol is that of Asterisk's documentation (Configuration, Channel
//! Drivers, AudioSocket).
//!
//! ```text
//!  PBX ──TCP──▶ AudioSocketListener ──Connection──▶ AudioSocketPort (real-time thread)
//!               (ordinary thread)   ◀──when over───   Inlet  ─▶ CapturePort
//!                                                     Outlet ◀─ PlaybackPort
//!                                                     words  ─▶ ChannelEvents
//! ```
//! A line of it is there whether anybody is connected or not; without a connection it is silent.
//! Who may connect, and what a call is, is not this module's business.

mod connection;
mod converter;
pub mod frame;
mod inlet;
mod listener;
mod news;
mod outlet;
mod port;
mod seat;

pub use listener::{Allowed, AudioSocketListener};
pub use news::{ListenerEvent, ListenerNews, ListenerStats, Refusal};
pub use seat::Seat;

#[cfg(test)]
mod tests;
