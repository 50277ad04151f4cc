//! Tones of every zone, made, spoilt and heard again.

mod cadences;
mod conditions;
mod talk_off;

use std::f64::consts::TAU;

use super::{Heard, Pulse, Signal, Sound, Supervision, SupervisionDetector, ToneZone, ZONES, zone};
use crate::dsp::dtmf::FULL_SCALE_DBM0;
use crate::units::SampleRate;

/// How a tone is made.
#[derive(Clone, Copy)]
struct Made {
    hertz: u32,
    /// Of each frequency.
    dbm: f64,
    /// By which part frequencies and durations are off.
    pitch: f64,
    pace: f64,
    /// How much stronger the second frequency is, in dB.
    twist_db: f64,
}

const PLAIN: Made = Made {
    hertz: 8_000,
    dbm: -15.0,
    pitch: 0.0,
    pace: 0.0,
    twist_db: 0.0,
};

impl Made {
    /// A signal for so many seconds.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of samples"
    )]
    fn signal(self, signal: Signal, seconds: f64) -> Vec<f64> {
        let length = (seconds * f64::from(self.hertz)) as usize;
        let period: f64 = signal.cadence.iter().map(|pulse| self.span(*pulse).1).sum();
        let sound = |at: usize| self.sound(signal.sound, at);
        (0..length)
            .map(|at| {
                if signal.cadence.is_empty() {
                    return sound(at);
                }
                let mut into = at as f64 % period;
                for pulse in signal.cadence {
                    let (on, whole) = self.span(*pulse);
                    if into < whole {
                        return if into < on { sound(at) } else { 0.0 };
                    }
                    into -= whole;
                }
                0.0
            })
            .collect()
    }

    /// The samples that a pulse is on, and those with the silence after it.
    fn span(self, pulse: Pulse) -> (f64, f64) {
        let of = |ms: u16| f64::from(ms) / 1_000.0 * f64::from(self.hertz) * (1.0 + self.pace);
        (of(pulse.on_ms), of(pulse.on_ms) + of(pulse.off_ms))
    }

    fn sound(self, sound: Sound, at: usize) -> f64 {
        let t = at as f64 / f64::from(self.hertz);
        let sine = |hertz: f32| (TAU * f64::from(hertz) * (1.0 + self.pitch) * t).sin();
        let level = amplitude(self.dbm);
        match sound {
            Sound::Single(hertz) => level * sine(hertz),
            Sound::Pair(low, high) => {
                level * (sine(low) + 10_f64.powf(self.twist_db / 20.0) * sine(high))
            }
            Sound::Modulated(hertz, by) => {
                level * sine(hertz) * (1.0 + 0.9 * (TAU * f64::from(by) * t).sin())
            }
        }
    }
}

fn amplitude(dbm: f64) -> f64 {
    10_f64.powf((dbm - FULL_SCALE_DBM0) / 20.0) * 32_767.0
}

#[allow(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
fn sampled(sound: &[f64]) -> Vec<i16> {
    let each = sound.iter();
    each.map(|sample| sample.round().clamp(-32_768.0, 32_767.0) as i16)
        .collect()
}

/// Adds noise of a level.
fn with_noise(sound: &[f64], dbm: f64, seed: u64) -> Vec<f64> {
    let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let rms = amplitude(dbm) / std::f64::consts::SQRT_2;
    sound
        .iter()
        .map(|sample| sample + rms * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0))
        .collect()
}

fn all_heard(zone: &ToneZone, hertz: u32, leg: &[i16]) -> Vec<Heard> {
    let mut detector = SupervisionDetector::new(zone, SampleRate::new(hertz).unwrap());
    leg.chunks(hertz as usize / 50)
        .filter_map(|piece| detector.push(piece))
        .collect()
}

fn heard(zone: &ToneZone, hertz: u32, sound: &[f64]) -> Vec<Supervision> {
    let all = all_heard(zone, hertz, &sampled(sound));
    all.into_iter().map(|heard| heard.what).collect()
}

/// The signals of a zone, and what each is heard as.
fn signals(zone: &ToneZone) -> [(Supervision, Signal); 4] {
    let congestion = if zone.congestion == zone.busy {
        Supervision::Busy
    } else {
        Supervision::Congestion
    };
    [
        (Supervision::DialTone, zone.dial),
        (Supervision::Busy, zone.busy),
        (congestion, zone.congestion),
        (Supervision::RingBack, zone.ring_back),
    ]
}

/// Zones that have between them all sounds and nearly all cadences there are.
const FAMILIES: [&str; 9] = ["US", "GB", "ES", "CN", "FR", "AU", "IN", "ZA", "TR"];
