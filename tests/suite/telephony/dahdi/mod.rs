//! Channels of telephony cards, with the harness's double of the driver in place of a card.
//!
//! ```text
//!  application ── commands ──▶ callreeld ◀── nodes by FUSE ──▶ the double: exchange, telephone
//!  receiver    ◀── webhooks ──┘
//! ```

mod faults;
mod rig;
mod station;
mod tap;
mod trunk;
mod watch;
