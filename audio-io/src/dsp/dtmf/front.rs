//! What sound goes through first: decimation to 8 to 16 kHz.

use std::f64::consts::{PI, TAU};

use super::lanes::dot;
use crate::units::SampleRate;

/// Keeps each n-th sample of a stream, after a low-pass filter.
#[derive(Clone, Debug)]
pub(in crate::dsp) struct Decimator {
    factor: usize,
    taps: Box<[f32]>,
    /// The last samples twice in a row, so that any run of `taps.len()` is one slice.
    line: Box<[f32]>,
    at: usize,
    /// Input samples until the next output.
    until: usize,
}

impl Decimator {
    pub(in crate::dsp) fn new(rate: SampleRate) -> Self {
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

    pub(in crate::dsp) fn factor(&self) -> usize {
        self.factor
    }

    /// How many input samples the output is late.
    pub(super) fn delay(&self) -> usize {
        self.taps.len() / 2
    }

    /// The input that `samples` of output take.
    pub(in crate::dsp) fn input_for(&self, samples: usize) -> usize {
        match samples.checked_sub(1) {
            Some(more) => self.until + more * self.factor,
            None => 0,
        }
    }

    /// Hears a piece, which makes no more output than fits; how much it made.
    pub(in crate::dsp) fn run(&mut self, piece: &[i16], out: &mut [f32]) -> usize {
        if self.factor == 1 {
            for (out, sample) in out.iter_mut().zip(piece) {
                *out = to_unit(*sample);
            }
            return piece.len().min(out.len());
        }
        let mut made = 0;
        for sample in piece {
            let Some(x) = self.push(to_unit(*sample)) else {
                continue;
            };
            if let Some(out) = out.get_mut(made) {
                *out = x;
                made += 1;
            }
        }
        made
    }

    /// Where another one stands between two outputs, this one stands, too. What it heard may then
    /// be off by less than an output.
    pub(super) fn align(&mut self, with: &Self) {
        self.until = with.until;
    }

    fn push(&mut self, sample: f32) -> Option<f32> {
        let length = self.taps.len();
        self.line[self.at] = sample;
        self.line[self.at + length] = sample;
        self.at += 1;
        if self.at == length {
            self.at = 0;
        }
        self.until -= 1;
        if self.until > 0 {
            return None;
        }
        self.until = self.factor;
        Some(dot(&self.taps, &self.line[self.at..self.at + length]))
    }
}

fn to_unit(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
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
