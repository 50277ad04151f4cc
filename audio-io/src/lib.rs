//! Sound in and sound out: units, formats, capture and playback ports, the real-time loops that
//! drive them, levels and voice activity, and the audio file formats Callreel reads and writes.
//!
//! This crate knows no storage, no HTTP, no JSON, no async and no configuration.
//!
//! ```text
//!  PCM device ──▶ CapturePort ──▶ real-time loop ──▶ ring of Blocks ──▶ recorder
//!  PCM device ◀── PlaybackPort ◀─ real-time loop ◀── ring of Blocks ◀── player
//! ```

pub mod alsa;
pub mod audiosocket;
pub mod block;
pub mod capture;
pub mod channel;
pub mod clock;
pub mod codec;
pub mod dahdi;
mod drive;
pub mod dsp;
pub mod fake;
pub mod format;
pub mod limits;
mod opener;
pub mod player;
pub mod playout;
pub mod port;
pub mod ring;
mod rt;
mod timeline;
pub mod units;
