//! Taking the prompt that is being played out of the caller's leg: a normalised least mean
//! squares (NLMS) filter that learns the line's echo and stops learning while the caller makes
//! sound of his own. Where it has not learned, or does harm, the leg passes unchanged.

use super::lanes::dot;
use crate::limits::ECHO_TAIL_MS_MAX;
use crate::units::{Frames, Millis};

/// The longest tail that is honoured.
pub(super) const TAIL_MAX: Millis = Millis(ECHO_TAIL_MS_MAX);

/// How the echo of what is played is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancellerParams {
    /// The longest echo, counted from `lag`; at most [`ECHO_TAIL_MS_MAX`], more
    /// counts as that. Each
    /// millisecond costs computing time for each sample.
    pub tail: Millis,
    /// How much later than the reference the echo arrives at least, in frames of the line; at
    /// most one second, more counts as that. The buffers of a sound card belong here.
    pub lag: Frames,
}

impl Default for CancellerParams {
    fn default() -> Self {
        Self {
            tail: Millis(48),
            lag: Frames::ZERO,
        }
    }
}

/// An adaptive filter at the detector's inner rate.
#[derive(Clone, Debug)]
pub(super) struct Canceller {
    /// Oldest sample first, like each run of `line`.
    weights: Box<[f32]>,
    /// What was played, twice in a row, so that any run of the filter's length is one slice.
    line: Box<[f32]>,
    at: usize,
    /// What was played and is not yet due.
    lag: Box<[f32]>,
    lag_at: usize,
    energy: f32,
    /// Running powers of the leg, of what is left of it, and of the echo as estimated.
    heard: f32,
    left: f32,
    echo: f32,
    /// The decay of these a sample.
    keep: f32,
    /// Samples in a row in which cancelling helped much, or did harm.
    good: usize,
    bad: usize,
    /// Samples such a run must last.
    run: usize,
    learned: bool,
}

impl Canceller {
    /// `tail` and `lag` are in samples.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates of thousands of hertz"
    )]
    pub(super) fn new(hertz: f64, tail: usize, lag: usize) -> Self {
        let tail = tail.max(1);
        Self {
            weights: vec![0.0; tail].into_boxed_slice(),
            line: vec![0.0; 2 * tail].into_boxed_slice(),
            at: 0,
            lag: vec![0.0; lag].into_boxed_slice(),
            lag_at: 0,
            energy: 0.0,
            heard: 0.0,
            left: 0.0,
            echo: 0.0,
            keep: (1.0 - 1.0 / (POWER_SECONDS * hertz)) as f32,
            good: 0,
            bad: 0,
            run: (RUN_SECONDS * hertz) as usize,
            learned: false,
        }
    }

    /// The leg without the echo of what was played; `hold` keeps the filter from learning.
    #[inline]
    pub(super) fn push(&mut self, near: f32, far: f32, hold: bool) -> f32 {
        self.enter(far);
        let run = &self.line[self.at..self.at + self.weights.len()];
        let estimate = dot(&self.weights, run);
        let left = near - estimate;
        if !hold && self.energy > self.floor() {
            let step = self.step() * self.tamed(left) / (self.energy + self.floor());
            for (weight, x) in self.weights.iter_mut().zip(run) {
                *weight += step * x;
            }
        }
        self.watch(near, left, estimate);
        if self.learned { left } else { near }
    }

    /// Puts what is played into the line, by way of the lag.
    #[inline]
    fn enter(&mut self, far: f32) {
        let far = match self.lag.get_mut(self.lag_at) {
            Some(due) => std::mem::replace(due, far),
            None => far,
        };
        self.lag_at += 1;
        if self.lag_at >= self.lag.len() {
            self.lag_at = 0;
        }
        let tail = self.weights.len();
        let old = self.line[self.at];
        self.line[self.at] = far;
        self.line[self.at + tail] = far;
        self.at += 1;
        self.energy += far * far - old * old;
        if self.at == tail {
            self.at = 0;
            // Rounding errors of the running sum do not pile up.
            self.energy = self.line[..tail].iter().map(|x| x * x).sum();
        }
    }

    /// Whether cancelling helps, judged over some time.
    fn watch(&mut self, near: f32, left: f32, estimate: f32) {
        let gain = 1.0 - self.keep;
        self.heard = self.keep * self.heard + gain * near * near;
        self.left = self.keep * self.left + gain * left * left;
        self.echo = self.keep * self.echo + gain * estimate * estimate;
        self.good = if self.left * GOOD_RATIO < self.heard {
            self.good + 1
        } else {
            0
        };
        self.bad = if self.left > self.heard * BAD_RATIO {
            self.bad + 1
        } else {
            0
        };
        if self.good >= self.run {
            self.learned = true;
        }
        if self.bad >= self.run {
            self.weights.fill(0.0);
            self.learned = false;
            self.bad = 0;
        }
    }

    /// An error no larger than is usual of late, so that the first samples of the caller's own
    /// sound do not undo what was learned.
    fn tamed(&self, left: f32) -> f32 {
        if !self.learned {
            return left;
        }
        let usual = TAME * self.left.sqrt();
        left.clamp(-usual, usual)
    }

    /// Small while more is left than a well-learned filter leaves: the caller speaks or dials.
    fn step(&self) -> f32 {
        if self.learned {
            STEP * (STEP_GAIN * self.echo / (self.left + f32::MIN_POSITIVE)).min(1.0)
        } else {
            STEP
        }
    }

    /// The energy of a line at -60 dBFS.
    #[allow(clippy::cast_precision_loss, reason = "at most 2048 samples")]
    fn floor(&self) -> f32 {
        self.weights.len() as f32 * 1e-6
    }
}

/// The filter's step (0 to 1) while nothing disturbs it.
const STEP: f32 = 0.25;

/// The echo this many times the remainder lets it learn at full step.
const STEP_GAIN: f32 = 0.5;

/// Errors beyond this many times their running root mean square count as that.
const TAME: f32 = 1.0;

/// The time constant of the powers.
const POWER_SECONDS: f64 = 0.008;

/// How long cancelling must help, or harm, to be switched on, or forgotten.
const RUN_SECONDS: f64 = 0.03;

/// Cancelling helps where it leaves a quarter of the power (6 dB).
const GOOD_RATIO: f32 = 4.0;

/// It harms where it leaves more than this times what came in.
const BAD_RATIO: f32 = 1.5;
