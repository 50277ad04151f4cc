//! Supervisory tones: dial tone, busy, congestion and ring back, by the tones of a country (ITU-T
//! E.180). For lines on which nothing else tells that the far end hung up. Pure streaming code: no
//! clock, no lock, no allocation after `new`. What a tone means for a call is not decided here.
//!
//! ```text
//!  leg ─▶ decimate ─▶ loud? ─▶ 10 ms at each ─▶ on, off; pure? ─▶ cadence ─▶ Heard
//!                              frequency         a track a signal  of a class
//! ```
//!
//! It is made to miss a tone rather than to hear one where there is none: whoever believes it
//! ends a call.

mod cadence;
mod detector;
mod probe;
#[cfg(test)]
mod tests;
mod track;
mod zones;

pub use detector::{Heard, SupervisionDetector};
pub use zones::{Pulse, Signal, Sound, ToneZone, ZONES, zone};

/// What a tone says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Supervision {
    /// The exchange awaits a number; after a call: the far end hung up.
    DialTone,
    /// The far end is engaged; after a call: it hung up.
    Busy,
    /// There is no way to the far end.
    Congestion,
    /// The far end is rung.
    RingBack,
}
