//! Digits as a telephone and a line might make them, and what disturbs them. Made here, not by the
//! generator of the product, and the same in each run.

use std::f64::consts::TAU;

/// How digits are dialled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dial {
    /// The level of the low frequency, in dBm.
    pub(crate) low_dbm: f64,
    /// How much stronger the high frequency is, in dB.
    pub(crate) twist_db: f64,
    pub(crate) on_ms: u64,
    pub(crate) off_ms: u64,
    /// How far both frequencies are off, as a part of them ...
    pub(crate) offset: f64,
    /// ... and in hertz besides.
    pub(crate) offset_hertz: f64,
}

/// -10 dBm each, 50 ms on and off.
pub(crate) const PLAIN: Dial = Dial {
    low_dbm: -10.0,
    twist_db: 0.0,
    on_ms: 50,
    off_ms: 50,
    offset: 0.0,
    offset_hertz: 0.0,
};

/// The digits after 100 ms and `shift` samples of silence, and 200 ms after them.
pub(crate) fn dialled(dial: Dial, keys: &str, shift: usize) -> Vec<f64> {
    let mut sound = vec![0.0; samples(100) + shift];
    for key in keys.chars() {
        let [low, high] = frequencies(key).map(|hertz| hertz * (1.0 + dial.offset));
        let [low, high] = [low, high].map(|hertz| hertz + dial.offset_hertz);
        let high_dbm = dial.low_dbm + dial.twist_db;
        let tones = [(low, peak(dial.low_dbm)), (high, peak(high_dbm))];
        sound.extend((0..samples(dial.on_ms)).map(|at| {
            let sines = tones.map(|(hertz, peak)| peak * sine(hertz, at));
            sines[0] + sines[1]
        }));
        sound.resize(sound.len() + samples(dial.off_ms), 0.0);
    }
    sound.resize(sound.len() + samples(200), 0.0);
    sound
}

/// Adds white noise, nearly Gaussian, so many decibels below two tones of -10 dBm.
pub(crate) fn add_noise(sound: &mut [f64], snr_db: f64, seed: u64) {
    let rms = peak(-10.0) / 10_f64.powf(snr_db / 20.0);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for sample in sound {
        *sample += rms * noise(&mut state);
    }
}

/// The sound with white noise of this level in dBm.
pub(crate) fn noisy(sound: &[i16], dbm: f64, seed: u64) -> Vec<i16> {
    let rms = peak(dbm) / std::f64::consts::SQRT_2;
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let each = sound.iter().map(|sample| f64::from(*sample));
    let each: Vec<f64> = each
        .map(|sample| sample + rms * noise(&mut state))
        .collect();
    sampled(&each)
}

/// Adds tones, each of this level.
pub(crate) fn add_tones(sound: &mut [f64], hertz: [f64; 2], dbm: f64) {
    for (at, sample) in sound.iter_mut().enumerate() {
        *sample += peak(dbm) * (sine(hertz[0], at) + sine(hertz[1], at));
    }
}

/// Adds the sound itself, later and softer.
pub(crate) fn add_echo(sound: &mut [f64], delay_ms: u64, loss_db: f64) {
    let gain = 10_f64.powf(-loss_db / 20.0);
    let delay = samples(delay_ms);
    for at in (delay..sound.len()).rev() {
        sound[at] += gain * sound[at - delay];
    }
}

/// As 16-bit samples, cut off at full scale.
#[allow(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
pub(crate) fn sampled(sound: &[f64]) -> Vec<i16> {
    let clipped = |x: &f64| x.round().clamp(-32_768.0, 32_767.0) as i16;
    sound.iter().map(clipped).collect()
}

/// The frequencies of a key (Q.23).
fn frequencies(key: char) -> [f64; 2] {
    let place = PAD.iter().enumerate().find_map(|(row, keys)| {
        let column = keys.chars().position(|known| known == key)?;
        Some((row, column))
    });
    let (row, column) = place.expect("a key of the pad");
    [
        [697.0, 770.0, 852.0, 941.0][row],
        [1_209.0, 1_336.0, 1_477.0, 1_633.0][column],
    ]
}

const PAD: [&str; 4] = ["123A", "456B", "789C", "*0#D"];

/// The peak of a sine of this level, in 16-bit steps; full scale is 3.14 dBm (G.711).
#[allow(clippy::approx_constant, reason = "decibels, not a circle's")]
fn peak(dbm: f64) -> f64 {
    const FULL_SCALE_DBM: f64 = 3.14;
    32_768.0 * 10_f64.powf((dbm - FULL_SCALE_DBM) / 20.0)
}

#[allow(clippy::cast_precision_loss, reason = "seconds of samples")]
fn sine(hertz: f64, at: usize) -> f64 {
    (TAU * hertz * at as f64 / 8_000.0).sin()
}

/// Of unit power.
#[allow(clippy::cast_precision_loss, reason = "random bits")]
fn noise(state: &mut u64) -> f64 {
    let uniform = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(|_| uniform(state)).sum::<f64>() - 6.0
}

fn samples(ms: u64) -> usize {
    usize::try_from(ms * 8).unwrap_or_default()
}
