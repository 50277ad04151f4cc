//! Whether the last 24 ms hold a digit, and which: the bank's cheap look, then the fit's close
//! one against the tolerances. How long it lasts is the detector's question.

use std::f64::consts::TAU;

use super::bank::{Bank, WINDOW_HOPS};
use super::digit::{Digit, HIGH_HERTZ, LOW_HERTZ};
use super::fit::{Fit, fit, power_at};
use super::q24::Tolerances;

/// What one window holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot {
    /// No digit.
    Nothing,
    /// Two clean tones near a digit, but out of tolerance.
    Off,
    /// A digit.
    Digit(Digit, Fit),
}

/// The limits of a window, in the units of the signal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// Radians a sample.
    deviation: [[f64; 4]; 2],
    omega: [[f64; 4]; 2],
    /// Squared amplitude of each tone.
    power_min: f64,
    /// Ratios of squared amplitudes.
    high_over_low_max: f64,
    low_over_high_max: f64,
    left_over_max: f64,
}

impl Gate {
    pub(super) fn new(
        tolerances: &Tolerances,
        full_scale_dbm: f64,
        left_over_max: f64,
        hertz: f64,
    ) -> Self {
        let omega = [LOW_HERTZ, HIGH_HERTZ].map(|group| group.map(|f| TAU * f / hertz));
        let deviation = [LOW_HERTZ, HIGH_HERTZ]
            .map(|group| group.map(|f| TAU * tolerances.deviation_hertz(f) / hertz));
        Self {
            deviation,
            omega,
            power_min: ratio(tolerances.level_dbm() - full_scale_dbm),
            high_over_low_max: ratio(tolerances.twist_high_db + TWIST_MARGIN_DB),
            low_over_high_max: ratio(tolerances.twist_low_db + TWIST_MARGIN_DB),
            left_over_max,
        }
    }

    fn judge(&self, row: usize, column: usize, found: Fit) -> Spot {
        let [low, high] = found.sines;
        let clean = found.left_over() <= self.left_over_max
            && low.power() >= found.rival[0] * RIVAL_MIN
            && high.power() >= found.rival[1] * RIVAL_MIN;
        if !clean {
            return Spot::Nothing;
        }
        let within = (low.omega - self.omega[0][row]).abs() <= self.deviation[0][row]
            && (high.omega - self.omega[1][column]).abs() <= self.deviation[1][column]
            && low.power().min(high.power()) >= self.power_min
            && high.power() <= low.power() * self.high_over_low_max
            && low.power() <= high.power() * self.low_over_high_max;
        if within {
            Spot::Digit(Digit::at(row, column), found)
        } else {
            Spot::Off
        }
    }
}

/// Looks at one signal, hop by hop.
#[derive(Clone, Debug)]
pub(super) struct Spotter {
    bank: Bank,
    hop: usize,
    /// The last [`HISTORY_HOPS`] hops.
    history: Box<[f32]>,
}

impl Spotter {
    /// `hertz` is the rate, `hop` the samples that [`Self::push`] will be given.
    pub(super) fn new(hertz: f64, hop: usize) -> Self {
        Self {
            bank: Bank::new(hertz, hop),
            hop,
            history: vec![0.0; HISTORY_HOPS * hop].into_boxed_slice(),
        }
    }

    /// Hears one hop.
    pub(super) fn push(&mut self, hop: &[f32]) {
        self.history.copy_within(self.hop.., 0);
        let from = self.history.len() - self.hop;
        self.history[from..].copy_from_slice(hop);
        self.bank.push(hop);
    }

    /// Looks at the window that ends with the last hop.
    #[allow(clippy::cast_precision_loss, reason = "hundreds of samples")]
    pub(super) fn spot(&self, gate: &Gate) -> Spot {
        let samples = self.hop * WINDOW_HOPS;
        let seen = self.bank.strongest();
        let floor = gate.power_min * samples as f64 * LOOK_LEVEL;
        if f64::from(seen.tones) < floor || seen.tones < seen.total * LOOK_SHARE {
            return Spot::Nothing;
        }
        let window = &self.history[self.history.len() - samples..];
        let (row, column) = (seen.row, seen.column);
        let near = [gate.omega[0][row], gate.omega[1][column]];
        let low = others(&gate.omega[0], row);
        let high = others(&gate.omega[1], column);
        gate.judge(row, column, fit(window, near, [&low, &high]))
    }

    /// The squared amplitudes of two tones over the two hops around a point `back` hops before the
    /// end, at least one; `None` where history ends.
    pub(super) fn power_around(&self, back: usize, omegas: [f64; 2]) -> Option<[f64; 2]> {
        let end = self
            .history
            .len()
            .checked_sub(back.checked_sub(1)? * self.hop)?;
        let start = end.checked_sub(2 * self.hop)?;
        Some(power_at(&self.history[start..end], omegas))
    }
}

fn others(group: &[f64; 4], index: usize) -> [f64; 3] {
    let mut rest = [0.0; 3];
    let kept = group.iter().enumerate().filter(|(at, _)| *at != index);
    for (to, (_, omega)) in rest.iter_mut().zip(kept) {
        *to = *omega;
    }
    rest
}

/// A ratio of powers, from decibels.
pub(super) fn ratio(db: f64) -> f64 {
    10_f64.powf(db / 10.0)
}

/// How far back the start of a digit is sought: 96 ms of hops of 4 ms.
const HISTORY_HOPS: usize = 24;

/// Beyond the twist that must be accepted.
const TWIST_MARGIN_DB: f64 = 2.0;

/// Each tone against any other of its group in what is left: 8 dB.
const RIVAL_MIN: f64 = 6.3;

/// The bank reads tones off their frequency low; this part of what is asked is worth a look.
const LOOK_LEVEL: f64 = 0.25;

/// The same for the part of the energy that is in the two tones.
const LOOK_SHARE: f32 = 0.3;
