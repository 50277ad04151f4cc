//! DAHDI, the Linux interface to telephony cards: channels that ring, answer, record and play, and
//! taps on channels that a PBX owns.
//!
//! ```text
//!  Control (ctl) ── spans, alarms, anybody's channels ──▶ HookWatch, `callreel lines`
//!  Channel (channel + number, pseudo) ── every request, typed
//!     ├── DahdiChannel: a ChannelPort ── sound both ways in lock-step, events, orders
//!     └── Tap: a CapturePort ── one way of somebody else's channel
//! ```
//! `abi` has the numbers and layouts, `ioctl` the calls (and all that is unsafe), `device` the
//! typed files, `opening`, `channel` and `tap` the ports, `lockstep` what waits to be heard.

pub mod abi;
mod blocks;
mod channel;
mod device;
mod error;
mod event;
mod gain;
mod ioctl;
mod lockstep;
mod opening;
mod reader;
mod signalling;
mod status;
mod tap;
mod watch;

pub use channel::{DahdiChannel, VoltageProbe};
pub use device::{Channel, Control, Hook};
pub use error::control_error;
pub use gain::table as gain_table;
pub use opening::ChannelOptions;
pub use signalling::{Law, SignalKind};
pub use status::{ChannelStatus, SpanStatus, Version, alarm_words};
pub use tap::{Direction, Tap, TapKind, TapOptions};
pub use watch::{HookState, HookWatch};
