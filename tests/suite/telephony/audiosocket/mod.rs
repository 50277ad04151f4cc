//! A PBX hands calls over by AudioSocket: what the daemon makes of them, seen from both sides.
//!
//! ```text
//!  application ── commands ──▶ callreeld ◀── TCP, both directions ──▶ PBX (the harness's client)
//!  receiver    ◀── webhooks ──┘
//! ```

mod bad;
mod calls;
mod dialplan;
mod digits;
mod recording;
mod rig;
