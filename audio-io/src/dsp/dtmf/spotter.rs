//! Whether the last 24 ms hold a digit, and which: the bank's cheap look, then the fit's close
//! one against the tolerances. How long it lasts is the detector's question. Sound too weak to be
//! looked at waits unfiltered; most of a call is that.

use std::f64::consts::TAU;

use super::bank::{Bank, WINDOW_HOPS};
use super::digit::{Digit, HIGH_HERTZ, LOW_HERTZ};
use super::fit::{Fit, fit, power_at};
use super::lanes::step_energy;
use super::q24::Tolerances;
use super::stop::ToneStop;

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
    /// The energy of the steps of a hop below which no window of such hops holds a digit.
    worth: f32,
}

impl Gate {
    /// `hertz` is the rate, `hop` the samples of a hop.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "tens of samples; an energy"
    )]
    pub(super) fn new(
        tolerances: &Tolerances,
        full_scale_dbm: f64,
        left_over_max: f64,
        hertz: f64,
        hop: usize,
    ) -> Self {
        let omega = [LOW_HERTZ, HIGH_HERTZ].map(|group| group.map(|f| TAU * f / hertz));
        let deviation = [LOW_HERTZ, HIGH_HERTZ]
            .map(|group| group.map(|f| TAU * tolerances.deviation_hertz(f) / hertz));
        let power_min = ratio(tolerances.level_dbm() - full_scale_dbm);
        let steps: f64 = omega
            .map(|group| (2.0 * (group[0] / 2.0).sin()).powi(2))
            .iter()
            .sum();
        Self {
            deviation,
            omega,
            power_min,
            high_over_low_max: ratio(tolerances.twist_high_db + TWIST_MARGIN_DB),
            low_over_high_max: ratio(tolerances.twist_low_db + TWIST_MARGIN_DB),
            left_over_max,
            worth: (power_min / 2.0 * steps * hop as f64 * WORTH_SHARE) as f32,
        }
    }

    fn judge(&self, row: usize, column: usize, found: Fit) -> Spot {
        let [low, high] = found.sines;
        let clean =
            low.power() >= found.rival[0] * RIVAL_MIN && high.power() >= found.rival[1] * RIVAL_MIN;
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
    stop: ToneStop,
    bank: Bank,
    hop: usize,
    /// At least the last [`HISTORY_HOPS`] hops, filtered, up to `end`.
    history: Box<[f32]>,
    end: usize,
    /// The last hops, as they came, that were not worth filtering: the newest before `wait_at`.
    waiting: Box<[f32]>,
    wait_at: usize,
    wait_hops: usize,
    /// Hops in a row that are too weak.
    weak: usize,
}

impl Spotter {
    /// `hertz` is the rate, `hop` the samples that [`Self::push`] will be given.
    pub(super) fn new(hertz: f64, hop: usize) -> Self {
        Self {
            stop: ToneStop::new(hertz),
            bank: Bank::new(hertz, hop),
            hop,
            history: vec![0.0; 2 * HISTORY_HOPS * hop].into_boxed_slice(),
            end: HISTORY_HOPS * hop,
            waiting: vec![0.0; HISTORY_HOPS * hop].into_boxed_slice(),
            wait_at: 0,
            wait_hops: 0,
            weak: WINDOW_HOPS,
        }
    }

    /// Hears one hop; whether the window that ends with it is worth a look. It is if `wanted`.
    pub(super) fn push(&mut self, hop: &[f32], gate: &Gate, wanted: bool) -> bool {
        self.weak = if step_energy(hop) < gate.worth {
            (self.weak + 1).min(WINDOW_HOPS)
        } else {
            0
        };
        if self.weak == WINDOW_HOPS && !wanted {
            self.wait(hop);
            return false;
        }
        self.catch_up();
        self.hear(hop);
        true
    }

    fn wait(&mut self, hop: &[f32]) {
        self.waiting[self.wait_at..self.wait_at + self.hop].copy_from_slice(hop);
        self.wait_at = (self.wait_at + self.hop) % self.waiting.len();
        self.wait_hops = (self.wait_hops + 1).min(HISTORY_HOPS + 1);
    }

    /// Hears what waited. Where that is more than was kept, the filters begin anew: they come to
    /// rest long before the end of what was.
    fn catch_up(&mut self) {
        if self.wait_hops > HISTORY_HOPS {
            self.stop.reset();
            self.wait_hops = HISTORY_HOPS;
        }
        let length = self.waiting.len();
        let waiting = std::mem::take(&mut self.waiting);
        for back in (1..=self.wait_hops).rev() {
            let at = (self.wait_at + length - back * self.hop) % length;
            self.hear(&waiting[at..at + self.hop]);
        }
        self.waiting = waiting;
        self.wait_hops = 0;
    }

    fn hear(&mut self, hop: &[f32]) {
        if self.end == self.history.len() {
            let kept = (HISTORY_HOPS - 1) * self.hop;
            self.history.copy_within(self.end - kept.., 0);
            self.end = kept;
        }
        let filtered = &mut self.history[self.end..self.end + self.hop];
        self.stop.run(hop, filtered);
        self.bank.push(filtered);
        self.end += self.hop;
    }

    /// The end of what was heard.
    fn last(&self, samples: usize) -> &[f32] {
        &self.history[self.end - samples..self.end]
    }

    /// Looks at the window that ends with the last hop.
    #[allow(clippy::cast_precision_loss, reason = "hundreds of samples")]
    pub(super) fn spot(&self, gate: &Gate) -> Spot {
        let samples = self.hop * WINDOW_HOPS;
        let seen = self.bank.strongest();
        let floor = gate.power_min * samples as f64 * LOOK_LEVEL;
        let tones = seen.low + seen.high;
        let (low, high) = (f64::from(seen.low), f64::from(seen.high));
        let uneven = high > low * gate.high_over_low_max * LOOK_TWIST
            || low > high * gate.low_over_high_max * LOOK_TWIST;
        if f64::from(tones) < floor || tones < seen.total * LOOK_SHARE || uneven {
            return Spot::Nothing;
        }
        let (row, column) = (seen.row, seen.column);
        let near = [gate.omega[0][row], gate.omega[1][column]];
        let low = others(&gate.omega[0], row);
        let high = others(&gate.omega[1], column);
        match fit(self.last(samples), near, [&low, &high], gate.left_over_max) {
            Some(fit) => gate.judge(row, column, fit),
            None => Spot::Nothing,
        }
    }

    /// The squared amplitudes of two tones over the two hops around a point `back` hops before the
    /// end, at least one; `None` where history ends.
    pub(super) fn power_around(&self, back: usize, omegas: [f64; 2]) -> Option<[f64; 2]> {
        if back == 0 || back >= HISTORY_HOPS {
            return None;
        }
        let two = &self.last((back + 1) * self.hop)[..2 * self.hop];
        Some(power_at(two, omegas))
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
pub(super) const HISTORY_HOPS: usize = 24;

/// Beyond the twist that must be accepted.
const TWIST_MARGIN_DB: f64 = 2.0;

/// Each tone against any other of its group in what is left: 8 dB.
const RIVAL_MIN: f64 = 6.3;

/// The bank reads tones off their frequency low; this part of what is asked is worth a look.
const LOOK_LEVEL: f64 = 0.25;

/// The same for the part of the energy that is in the two tones.
const LOOK_SHARE: f32 = 0.3;

/// How much farther apart the bank may read two tones of which one is off its frequency: 6 dB.
const LOOK_TWIST: f64 = 4.0;

/// The part of a digit's weakest steps with which a hop is worth a look. Quieter hops lie at its
/// edges, and never make up a window.
const WORTH_SHARE: f64 = 0.25;
