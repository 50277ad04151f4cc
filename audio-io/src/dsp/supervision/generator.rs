//! Making supervisory tones: for playing them into a line, and for tests. Allocates; not for the
//! real-time path.

use std::f64::consts::TAU;

use super::zones::{Signal, Sound};
use crate::dsp::dtmf::FULL_SCALE_DBM0;
use crate::units::{Millis, SampleRate};

/// A signal from the start of its cadence on; each of its frequencies has this level in dBm.
#[must_use]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "minutes of samples, clamped to 16 bits"
)]
pub fn play(rate: SampleRate, signal: Signal, level_dbm: f64, length: Millis) -> Vec<i16> {
    let amplitude = 10_f64.powf((level_dbm - FULL_SCALE_DBM0) / 20.0) * 32_767.0;
    let hertz = f64::from(rate.hertz());
    (0..rate.frames_in(length).0)
        .map(|at| {
            let seconds = at as f64 / hertz;
            if !is_on(signal, seconds * 1_000.0) {
                return 0;
            }
            let sine = |hertz: f32| (TAU * f64::from(hertz) * seconds).sin();
            let value = match signal.sound {
                Sound::Single(tone) => sine(tone),
                Sound::Pair(low, high) => sine(low) + sine(high),
                Sound::Modulated(tone, by) => sine(tone) * (1.0 + 0.9 * sine(by)),
            };
            (value * amplitude).round().clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

/// Whether a signal sounds so many milliseconds after it began.
fn is_on(signal: Signal, at_ms: f64) -> bool {
    let each = signal.cadence.iter();
    let period: f64 = each
        .map(|pulse| f64::from(pulse.on_ms) + f64::from(pulse.off_ms))
        .sum();
    if period <= 0.0 {
        return true;
    }
    let mut into = at_ms % period;
    for pulse in signal.cadence {
        if into < f64::from(pulse.on_ms) {
            return true;
        }
        into -= f64::from(pulse.on_ms) + f64::from(pulse.off_ms);
        if into < 0.0 {
            return false;
        }
    }
    false
}
