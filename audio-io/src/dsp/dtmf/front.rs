//! What sound goes through before digits are looked for: decimation to 8 to 16 kHz, and filters
//! that take away hum and dial tone.

use std::f64::consts::{PI, TAU};

use crate::units::SampleRate;

/// Keeps each n-th sample of a stream, after a low-pass filter.
#[derive(Clone, Debug)]
pub(super) struct Decimator {
    factor: usize,
    taps: Box<[f32]>,
    /// The last samples twice in a row, so that any run of `taps.len()` is one slice.
    line: Box<[f32]>,
    at: usize,
    /// Input samples until the next output.
    until: usize,
}

impl Decimator {
    pub(super) fn new(rate: SampleRate) -> Self {
        let factor = (rate.hertz() / SampleRate::TELEPHONE.hertz()).max(1) as usize;
        let taps = low_pass(factor);
        Self {
            factor,
            line: vec![0.0; 2 * taps.len()].into_boxed_slice(),
            taps,
            at: 0,
            until: 1,
        }
    }

    pub(super) fn factor(&self) -> usize {
        self.factor
    }

    /// How many input samples the output is late.
    pub(super) fn delay(&self) -> usize {
        self.taps.len() / 2
    }

    #[inline]
    pub(super) fn push(&mut self, sample: f32) -> Option<f32> {
        if self.factor == 1 {
            return Some(sample);
        }
        let length = self.taps.len();
        self.line[self.at] = sample;
        self.line[self.at + length] = sample;
        self.at = (self.at + 1) % length;
        self.until -= 1;
        if self.until > 0 {
            return None;
        }
        self.until = self.factor;
        let run = &self.line[self.at..self.at + length];
        Some(self.taps.iter().zip(run).map(|(tap, x)| tap * x).sum())
    }
}

/// A Hamming-windowed sinc of 16 taps an output sample: flat to 2.6 kHz, and down by 40 dB where
/// frequencies fold below 3.8 kHz. A single tap where nothing is left out.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "fewer than a hundred taps of about one"
)]
fn low_pass(factor: usize) -> Box<[f32]> {
    if factor == 1 {
        return Box::new([1.0]);
    }
    let half = 8 * factor;
    let cut = 0.425 / factor as f64;
    let raw: Vec<f64> = (0..=2 * half)
        .map(|n| {
            let t = n as f64 - half as f64;
            let sinc = if n == half {
                2.0 * cut
            } else {
                (TAU * cut * t).sin() / (PI * t)
            };
            sinc * (0.54 - 0.46 * (PI * n as f64 / half as f64).cos())
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|tap| (tap / sum) as f32).collect()
}

/// Takes away hum and the dial tones of most networks (350, 400, 425, 440 and 450 Hz).
#[derive(Clone, Debug)]
pub(super) struct ToneStop([Biquad; STOPS_HERTZ.len() + 1]);

impl ToneStop {
    pub(super) fn new(hertz: f64) -> Self {
        let mut sections = [Biquad::high_pass(HUM_HERTZ, hertz); STOPS_HERTZ.len() + 1];
        for (section, stop) in sections[1..].iter_mut().zip(STOPS_HERTZ) {
            *section = Biquad::notch(stop, STOP_WIDTH_HERTZ, hertz);
        }
        Self(sections)
    }

    #[inline]
    pub(super) fn push(&mut self, sample: f32) -> f32 {
        self.0.iter_mut().fold(sample, |x, section| section.push(x))
    }
}

/// A second-order filter, direct form 2 transposed.
#[derive(Clone, Copy, Debug)]
struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    z: [f32; 2],
}

impl Biquad {
    fn notch(hertz: f64, width_hertz: f64, rate_hertz: f64) -> Self {
        let omega = TAU * hertz / rate_hertz;
        let alpha = omega.sin() * width_hertz / (2.0 * hertz);
        let cos = omega.cos();
        Self::of(
            [1.0, -2.0 * cos, 1.0],
            [1.0 + alpha, -2.0 * cos, 1.0 - alpha],
        )
    }

    /// Second-order Butterworth.
    fn high_pass(hertz: f64, rate_hertz: f64) -> Self {
        let omega = TAU * hertz / rate_hertz;
        let alpha = omega.sin() * std::f64::consts::FRAC_1_SQRT_2;
        let cos = omega.cos();
        let side = (1.0 + cos) / 2.0;
        Self::of(
            [side, -2.0 * side, side],
            [1.0 + alpha, -2.0 * cos, 1.0 - alpha],
        )
    }

    #[allow(clippy::cast_possible_truncation, reason = "coefficients of about one")]
    fn of(b: [f64; 3], a: [f64; 3]) -> Self {
        Self {
            b: b.map(|c| (c / a[0]) as f32),
            a: [(a[1] / a[0]) as f32, (a[2] / a[0]) as f32],
            z: [0.0; 2],
        }
    }

    #[inline]
    fn push(&mut self, x: f32) -> f32 {
        let y = self.b[0] * x + self.z[0];
        self.z[0] = self.b[1] * x - self.a[0] * y + self.z[1];
        self.z[1] = self.b[2] * x - self.a[1] * y;
        // Denormal numbers would make silence many times as dear as sound.
        if self.z[0].abs() < 1e-20 {
            self.z = [0.0; 2];
        }
        y
    }
}

const STOPS_HERTZ: [f64; 5] = [350.0, 400.0, 425.0, 440.0, 450.0];
const STOP_WIDTH_HERTZ: f64 = 40.0;
const HUM_HERTZ: f64 = 120.0;
