//! A digit that sounds, or may: where it starts and ends, whether it is steady, and whether it
//! lasts long enough to count.

use super::digit::Digit;
use super::fit::Fit;
use crate::units::CentiDbfs;

/// Durations in inner samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) hop: f64,
    /// The shortest signal that counts.
    pub(super) signal: f64,
    /// The shortest pause that ends one.
    pub(super) pause: f64,
}

/// A digit that sounds, or may.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) digit: Digit,
    pub(super) omegas: [f64; 2],
    /// Squared amplitude of each tone in the last window that was a digit.
    power: [f64; 2],
    /// The cleanest window's.
    best: Fit,
    pub(super) start: f64,
    /// The end of the tones so far.
    pub(super) end: f64,
    /// The amplitude in the last two hops, 1 being that of a window that is a digit.
    pub(super) share: f64,
    /// Windows that were a digit, and that held tones out of tolerance.
    good: u32,
    pub(super) off: u32,
    /// The last windows that were this digit, one hop apart, newest last.
    run: [Fit; RUN],
    run_length: usize,
    run_hop: u64,
    /// Whether a whole run was alike.
    steady: bool,
    pub(super) told: bool,
}

impl Current {
    pub(super) fn new(digit: Digit, fit: Fit, off: u32, hop: u64) -> Self {
        Self {
            digit,
            omegas: fit.sines.map(|sine| sine.omega),
            power: fit.sines.map(|sine| sine.power()),
            best: fit,
            start: 0.0,
            end: 0.0,
            share: 1.0,
            good: 1,
            off,
            run: [fit; RUN],
            run_length: 1,
            run_hop: hop,
            steady: false,
            told: false,
        }
    }

    /// Another window that is this digit.
    pub(super) fn learn(&mut self, fit: Fit, hop: u64) {
        let next = hop == self.run_hop + 1;
        self.run_length = if next {
            (self.run_length + 1).min(RUN)
        } else {
            1
        };
        self.run_hop = hop;
        self.run.rotate_left(1);
        self.run[RUN - 1] = fit;
        self.steady |= self.run_length == RUN && is_alike(&self.run);
        self.good = self.good.saturating_add(1);
        self.power = fit.sines.map(|sine| sine.power());
        self.omegas = fit.sines.map(|sine| sine.omega);
        if fit.left_over() < self.best.left_over() {
            self.best = fit;
        }
    }

    /// The amplitude of the weaker tone, 1 being that of a window that is the digit: a digit that
    /// follows without a pause may share the other.
    pub(super) fn share_of(&self, power: [f64; 2]) -> f64 {
        let [low, high] = self.power;
        (power[0] / low).min(power[1] / high).sqrt()
    }

    /// The amplitude around `center`; where it crosses half, the tones begin or end.
    pub(super) fn share_is(&mut self, share: f64, center: f64, timing: &Timing) {
        if share >= EDGE {
            self.end = center + 2.0 * timing.hop * (share.min(1.0) - EDGE);
        } else if self.share >= EDGE {
            let part = (self.share - EDGE) / (self.share - share).max(f64::MIN_POSITIVE);
            self.end = center - timing.hop * (1.0 - part.clamp(0.0, 1.0));
        }
        self.share = share;
    }

    pub(super) fn length(&self) -> f64 {
        self.end - self.start
    }

    pub(super) fn counts(&self, timing: &Timing) -> bool {
        self.steady && self.good > 2 * self.off && self.length() >= timing.signal
    }

    /// RMS of the low and the high tone.
    pub(super) fn levels(&self) -> [CentiDbfs; 2] {
        self.best
            .sines
            .map(|sine| CentiDbfs::from_amplitude((sine.power() / 2.0).sqrt()))
    }
}

/// Tones of a dial keep their frequency and level; those of a voice hardly ever do.
fn is_alike(run: &[Fit; RUN]) -> bool {
    (0..2).all(|tone| {
        let spread = |value: &dyn Fn(&Fit) -> f64| {
            let (low, high) = run
                .iter()
                .map(value)
                .fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
                    (low.min(value), high.max(value))
                });
            high / low.max(f64::MIN_POSITIVE)
        };
        spread(&|fit| fit.sines[tone].omega) <= GLIDE_MAX
            && spread(&|fit| fit.sines[tone].power()) <= SWELL_MAX
    })
}

/// The part of the amplitude at which tones begin and end.
pub(super) const EDGE: f64 = 0.5;

/// Windows one hop apart that must be alike; 40 ms hold as many whole ones wherever they begin.
const RUN: usize = 4;

/// The highest frequency of a run over its lowest.
const GLIDE_MAX: f64 = 1.008;

/// The highest power of a run over its lowest: 1.5 dB.
const SWELL_MAX: f64 = 1.41;
