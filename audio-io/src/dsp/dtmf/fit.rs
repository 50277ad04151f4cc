//! The close look: the two sines that fit a piece of sound best, whatever their exact
//! frequencies, and what they leave over. Each is estimated with the other taken away, in turns.

use super::lanes::{Phasor, dot};

/// The most samples of a piece: 24 ms at 16 kHz.
pub(super) const FIT_SAMPLES_MAX: usize = 384;

/// A sine: `re * cos(omega n) - im * sin(omega n)`, n counted from the start of its piece.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sine {
    /// Radians a sample.
    pub(super) omega: f64,
    re: f32,
    im: f32,
}

impl Sine {
    const fn silent(omega: f64) -> Self {
        Self {
            omega,
            re: 0.0,
            im: 0.0,
        }
    }

    /// Squared amplitude.
    pub(super) fn power(&self) -> f64 {
        f64::from(self.re * self.re + self.im * self.im)
    }
}

/// Two sines and the energy (sum of squares) before and after they are taken away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) sines: [Sine; 2],
    total: f32,
    residual: f32,
    /// The largest squared amplitude at the other frequencies asked for, in what is left.
    pub(super) rival: [f64; 2],
}

impl Fit {
    /// The part of the energy that the two sines do not explain.
    pub(super) fn left_over(&self) -> f64 {
        f64::from(self.residual) / f64::from(self.total.max(f32::MIN_POSITIVE))
    }
}

/// Fits two sines near two frequencies (radians a sample), if they leave over no more than this
/// part of the energy. `rivals` are frequencies of each group that must be weak in what is left.
pub(super) fn fit(
    piece: &[f32],
    near: [f64; 2],
    rivals: [&[f64]; 2],
    left_over_max: f64,
) -> Option<Fit> {
    let mut store = [0.0; FIT_SAMPLES_MAX];
    let left = load(&mut store, piece);
    let mut found = Fit {
        sines: near.map(Sine::silent),
        total: dot(left, left),
        residual: 0.0,
        rival: [0.0; 2],
    };
    for turn in 0..FREQUENCY_TURNS {
        for (sine, near) in found.sines.iter_mut().zip(near) {
            let bound = near * STRAY_MAX;
            let better = refine(left, *sine).clamp(near - bound, near + bound);
            (*sine, found.residual) = take(left, better);
        }
        // Speech fails in the first turn; later ones gain little.
        if turn == 0 && found.left_over() > left_over_max + FIRST_SLACK {
            return None;
        }
    }
    if found.left_over() > left_over_max {
        return None;
    }
    found.rival = rivals.map(|group| {
        group
            .iter()
            .map(|omega| project(left, *omega).power())
            .fold(0.0, f64::max)
    });
    Some(found)
}

/// The squared amplitudes of two known frequencies in a short piece, together.
pub(super) fn power_at(piece: &[f32], omegas: [f64; 2]) -> [f64; 2] {
    let mut store = [0.0; FIT_SAMPLES_MAX];
    let left = load(&mut store, piece);
    let scale = scale(left.len());
    let starts = omegas.map(|omega| Phasor::new(0.0, omega));
    let mut sines = omegas.map(Sine::silent);
    for _ in 0..POWER_TURNS {
        for (sine, start) in sines.iter_mut().zip(starts) {
            let (re, im) = start.add_and_project(left, (sine.re, sine.im));
            (sine.re, sine.im) = (re * scale, im * scale);
            start.subtract(left, (sine.re, sine.im));
        }
    }
    sines.map(|sine| sine.power())
}

fn load<'a>(store: &'a mut [f32; FIT_SAMPLES_MAX], piece: &[f32]) -> &'a mut [f32] {
    let left = &mut store[..piece.len().min(FIT_SAMPLES_MAX)];
    left.copy_from_slice(&piece[..left.len()]);
    left
}

/// Puts a sine back, and estimates its frequency better: by how far the phase against the old
/// estimate turns from the first half to the second.
#[allow(clippy::cast_precision_loss, reason = "hundreds of samples")]
fn refine(piece: &mut [f32], sine: Sine) -> f64 {
    let omega = sine.omega;
    let half = piece.len() / 2;
    let (first, second) = piece.split_at_mut(half);
    let by = (sine.re, sine.im);
    let (a_re, a_im) = Phasor::new(0.0, omega).add_and_project(first, by);
    let (b_re, b_im) = Phasor::new(omega * half as f64, omega).add_and_project(second, by);
    let turn = (b_im * a_re - b_re * a_im).atan2(b_re * a_re + b_im * a_im);
    omega + f64::from(turn) / half.max(1) as f64
}

/// Takes the sine of this frequency away; that sine, and the energy that is left.
fn take(piece: &mut [f32], omega: f64) -> (Sine, f32) {
    let start = Phasor::new(0.0, omega);
    let scale = scale(piece.len());
    let (re, im) = start.project(piece);
    let (re, im) = (re * scale, im * scale);
    let energy = start.subtract(piece, (re, im));
    (Sine { omega, re, im }, energy)
}

/// The sine of this frequency.
fn project(piece: &[f32], omega: f64) -> Sine {
    let (re, im) = Phasor::new(0.0, omega).project(piece);
    let scale = scale(piece.len());
    Sine {
        omega,
        re: re * scale,
        im: im * scale,
    }
}

/// From a sum over so many samples to an amplitude.
#[allow(clippy::cast_precision_loss, reason = "hundreds of samples")]
fn scale(samples: usize) -> f32 {
    2.0 / samples.max(1) as f32
}

/// How often each frequency is estimated.
const FREQUENCY_TURNS: usize = 3;

/// What the first turn may leave over beyond what the last one may.
const FIRST_SLACK: f64 = 0.2;

/// How often each amplitude is, where frequencies are known.
const POWER_TURNS: usize = 3;

/// The farthest an estimate may stray from where it began, as a part of the frequency.
const STRAY_MAX: f64 = 0.06;
