//! Telephone channels: sound both ways through one device, and signals beside it. A DAHDI channel
//! is one, the connection of an AudioSocket another.
//!
//! ```text
//!            ┌──────────── ChannelPump (real-time thread, many channels) ─────────────┐
//!  device ──▶│ ChannelPort ─▶ StreamPump ─▶ ring of Blocks ──▶ recorder                │
//!         ◀──│             ◀─ PlayerPump ◀─ player                                     │
//!            │             ─▶ ChannelNotice ──▶ who follows the call                   │
//!            │             ◀─ ChannelOrder ◀── who follows the call                    │
//!            └─────────────────────────────────────────────────────────────────────────┘
//! ```

mod event;
mod port;
mod pump;
mod thread;

pub use event::{ChannelEvent, ChannelNotice, ChannelOrder, DialString, HookKind, RefusedOrder};
pub use port::ChannelPort;
pub use thread::{
    ChannelControl, ChannelSource, ChannelStats, ChannelStream, ChannelThread, OrderError,
};

#[cfg(test)]
mod tests;
