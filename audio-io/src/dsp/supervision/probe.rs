//! How much of 10 ms of sound lies at each frequency.

use std::f64::consts::TAU;

use crate::dsp::dtmf::lanes::dot;

/// The most frequencies of a zone.
pub(super) const FREQUENCIES_MAX: usize = 6;

/// A part of a hop at one frequency: the inner product with it, its phase going on from hop to
/// hop.
pub(super) type Part = (f32, f32);

/// A hop of sound.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hop {
    /// Its mean square, without what is constant. Full scale is 1.
    pub(super) energy: f32,
    /// Its parts; zero where it was too quiet to look.
    pub(super) parts: [Part; FREQUENCIES_MAX],
}

/// Frequencies to look for.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    length: usize,
    quiet: f32,
    lanes: heapless::Vec<Lane, FREQUENCIES_MAX>,
}

#[derive(Clone, Debug)]
struct Lane {
    cos: Box<[f32]>,
    sin: Box<[f32]>,
    /// By how much the phase turns in a hop, and where it is.
    step: f64,
    phase: f64,
}

impl Probe {
    /// A probe for sound of `hertz`, in hops of `length`; below a mean square of `quiet` it does
    /// not look.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "cosines; at most 160 samples"
    )]
    pub(super) fn new(frequencies: &[f32], hertz: f64, length: usize, quiet: f32) -> Self {
        let lane = |frequency: &f32| {
            let omega = TAU * f64::from(*frequency) / hertz;
            let table = |f: fn(f64) -> f64| -> Box<[f32]> {
                (0..length).map(|n| f(omega * n as f64) as f32).collect()
            };
            Lane {
                cos: table(f64::cos),
                sin: table(f64::sin),
                step: omega * length as f64 % TAU,
                phase: 0.0,
            }
        };
        Self {
            length,
            quiet,
            lanes: frequencies.iter().take(FREQUENCIES_MAX).map(lane).collect(),
        }
    }

    /// Looks at a hop.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "cosines; at most 160 samples"
    )]
    pub(super) fn look(&mut self, sound: &[f32]) -> Hop {
        let length = self.length as f32;
        let mean = sound.iter().sum::<f32>() / length;
        let mut hop = Hop {
            energy: (dot(sound, sound) / length - mean * mean).max(0.0),
            ..Hop::default()
        };
        let is_quiet = hop.energy < self.quiet;
        for (lane, part) in self.lanes.iter_mut().zip(&mut hop.parts) {
            if !is_quiet {
                let (re, im) = (dot(sound, &lane.cos), -dot(sound, &lane.sin));
                let (sin, cos) = lane.phase.sin_cos();
                let (sin, cos) = (sin as f32, cos as f32);
                // Scaled so that the square of a part is the mean square of its tone.
                let scale = std::f32::consts::SQRT_2 / length;
                *part = (scale * (re * cos + im * sin), scale * (im * cos - re * sin));
            }
            lane.phase = (lane.phase + lane.step) % TAU;
        }
        hop
    }
}
