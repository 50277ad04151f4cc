//! The first look: the eight frequencies in the last few milliseconds, cheap enough for each
//! sample. It only says where a closer look is worth its price.

use std::f64::consts::TAU;

use super::digit::{HIGH_HERTZ, LOW_HERTZ};

/// Hops of the window looked at.
pub(super) const WINDOW_HOPS: usize = 6;

/// Hops added coherently; half the window, so that a frequency 3 % off is still heard.
const HALF_HOPS: usize = WINDOW_HOPS / 2;

type Bins = [f32; 8];

/// The strongest frequency of each group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strongest {
    pub(super) row: usize,
    pub(super) column: usize,
    /// Energy of each (squared amplitude times half the samples).
    pub(super) low: f32,
    pub(super) high: f32,
    /// Energy of all.
    pub(super) total: f32,
}

/// Fourier sums of the last hops.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    /// cos and sin of each frequency at each sample of a hop.
    table: Box<[(Bins, Bins)]>,
    /// The same at the first sample of each hop of half a window.
    turn: [(Bins, Bins); HALF_HOPS],
    sums: [(Bins, Bins); WINDOW_HOPS],
    energy: [f32; WINDOW_HOPS],
    at: usize,
}

impl Bank {
    #[allow(clippy::cast_precision_loss, reason = "tens of samples")]
    pub(super) fn new(hertz: f64, hop: usize) -> Self {
        let mut turn = [([0.0; 8], [0.0; 8]); HALF_HOPS];
        for (index, at) in turn.iter_mut().enumerate() {
            *at = phasors((index * hop) as f64 / hertz);
        }
        Self {
            table: (0..hop).map(|n| phasors(n as f64 / hertz)).collect(),
            turn,
            sums: [([0.0; 8], [0.0; 8]); WINDOW_HOPS],
            energy: [0.0; WINDOW_HOPS],
            at: 0,
        }
    }

    /// Hears one hop.
    pub(super) fn push(&mut self, hop: &[f32]) {
        let (mut re, mut im, mut energy) = ([0.0; 8], [0.0; 8], 0.0);
        for (&x, (cos, sin)) in hop.iter().zip(&self.table) {
            for k in 0..8 {
                re[k] += x * cos[k];
                im[k] -= x * sin[k];
            }
            energy += x * x;
        }
        self.sums[self.at] = (re, im);
        self.energy[self.at] = energy;
        self.at = (self.at + 1) % WINDOW_HOPS;
    }

    /// The strongest frequencies of the window that ends with the last hop.
    #[allow(clippy::cast_precision_loss, reason = "tens of samples")]
    pub(super) fn strongest(&self) -> Strongest {
        let mut power = [0.0_f32; 8];
        for half in 0..2 {
            let (mut re, mut im) = ([0.0_f32; 8], [0.0_f32; 8]);
            for (index, (cos, sin)) in self.turn.iter().enumerate() {
                let hop = (self.at + half * HALF_HOPS + index) % WINDOW_HOPS;
                let (hop_re, hop_im) = &self.sums[hop];
                for k in 0..8 {
                    re[k] += hop_re[k] * cos[k] + hop_im[k] * sin[k];
                    im[k] += hop_im[k] * cos[k] - hop_re[k] * sin[k];
                }
            }
            for k in 0..8 {
                power[k] += re[k] * re[k] + im[k] * im[k];
            }
        }
        let samples = (self.table.len() * HALF_HOPS) as f32;
        let row = loudest(&power[..4]);
        let column = loudest(&power[4..]);
        Strongest {
            row,
            column,
            low: 2.0 * power[row] / samples,
            high: 2.0 * power[4 + column] / samples,
            total: self.energy.iter().sum(),
        }
    }
}

fn loudest(power: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in power.iter().enumerate() {
        if *value > power[best] {
            best = index;
        }
    }
    best
}

#[allow(clippy::cast_possible_truncation, reason = "at most one")]
fn phasors(seconds: f64) -> (Bins, Bins) {
    let (mut cos, mut sin) = ([0.0; 8], [0.0; 8]);
    for (k, hertz) in LOW_HERTZ.iter().chain(&HIGH_HERTZ).enumerate() {
        let (s, c) = (TAU * hertz * seconds).sin_cos();
        cos[k] = c as f32;
        sin[k] = s as f32;
    }
    (cos, sin)
}
