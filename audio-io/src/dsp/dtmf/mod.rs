//! DTMF (ITU-T Q.23, Q.24): finding digits in a leg of sound, making them, and where they are to
//! be masked in a recording. Pure streaming code: no clock, no lock, no allocation after `new`.
//! Which digits a caller was asked for, and what they mean, is not decided here.
//!
//! ```text
//!  leg ──▶ decimate ──▶ echo ──▶ loud ──▶ dial-tone ──▶ bank ──▶ fit ──▶ timing ──▶ events
//!          8..16 kHz    cancel   enough?   notches     8 bins   2 tones  on/off
//!  played ─▶ decimate ────┘         └▶ notches ─▶ bank ─▶ fit: digits we play ourselves
//! ```

mod bank;
mod canceller;
mod current;
mod detector;
mod digit;
mod fit;
pub(super) mod front;
mod generator;
pub(super) mod lanes;
mod mask;
mod q24;
mod spotter;
mod stop;
#[cfg(test)]
mod tests;

pub use canceller::CancellerParams;
pub use detector::{DetectorParams, DigitHeard, DtmfDetector, DtmfEvent};
pub use digit::{Digit, NotADigit};
pub use generator::{DigitPlayer, DigitQueueFull, PlayParams};
pub use mask::{MaskGuard, mask_ranges};
pub use q24::{Administration, Tolerances};

/// The level of a full-scale sine on a line coded by G.711, in dBm0 (its section 4: 3.14 for
/// A-law, 3.17 for µ-law).
#[allow(clippy::approx_constant, reason = "decibels, not a circle's")]
pub const FULL_SCALE_DBM0: f64 = 3.14;
