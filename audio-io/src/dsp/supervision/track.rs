//! One sound of a zone: when it is on and off, and whether it is nothing else.
//!
//! On and off are decided hop by hop, within 13 dB of its strongest, so that noise and the beat of
//! two frequencies do not matter. Whether it is pure, windows of 50 ms decide: nearly all of their
//! energy lies at its frequencies, none of which lies off by more than its tolerance.

use std::f32::consts::TAU;

use super::probe::{Hop, Part};
use super::zones::Sound;

/// Milliseconds of a hop.
pub(super) const HOP_MS: u32 = 10;

/// A tone from its start to that of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Beat {
    pub(super) on_ms: u32,
    /// None while it lasts.
    pub(super) off_ms: Option<u32>,
    /// Its mean square in dB below full scale.
    pub(super) level_db: f32,
    /// How far it lies off, in hertz.
    pub(super) off_hertz: f32,
}

/// What happened to a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A tone began; the beat before is complete.
    Began,
    /// A tone ended.
    Ended,
}

/// The last beats that follow each other.
pub(super) type Beats = heapless::Vec<Beat, BEATS_MAX>;

/// Follows one sound.
#[derive(Clone, Debug)]
pub(super) struct Track {
    sound: Sound,
    /// Which parts of a hop are its own.
    own: (usize, Option<usize>),
    /// The largest deviation, and the step in which deviations are tried, in hertz.
    tolerance: f32,
    floor: f32,
    peak: f32,
    last: [Hop; WINDOW],
    /// Which of these hold the tone.
    tonal: [bool; WINDOW],
    is_on: bool,
    /// Hops of the present state, and those at the end that speak against it.
    length: u32,
    against: u32,
    energy: f32,
    energy_against: f32,
    tone: Purity,
    beats: Beats,
}

/// What the windows of a tone said.
#[derive(Clone, Copy, Debug, Default)]
struct Purity {
    windows: u32,
    good: u32,
    power: f32,
    off_hertz: f32,
    weakest: f32,
    strongest: f32,
}

impl Track {
    pub(super) fn new(sound: Sound, own: (usize, Option<usize>), floor: f32) -> Self {
        let tolerance = match sound {
            Sound::Pair(low, high) => ((high - low) / 4.0).min(PAIR_TOLERANCE),
            Sound::Single(_) | Sound::Modulated(..) => TOLERANCE,
        };
        Self {
            sound,
            own,
            tolerance,
            floor,
            peak: 0.0,
            last: [Hop::default(); WINDOW],
            tonal: [false; WINDOW],
            is_on: false,
            length: 0,
            against: 0,
            energy: 0.0,
            energy_against: 0.0,
            tone: Purity::default(),
            beats: Beats::new(),
        }
    }

    pub(super) fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// How long the tone has been on and pure, in milliseconds; 0 if it is off.
    pub(super) fn steady_ms(&self) -> u32 {
        let level = matches!(self.sound, Sound::Modulated(..))
            || self.tone.strongest <= self.tone.weakest * STEADY;
        if self.is_on && level && self.tone.is_pure() {
            self.length * HOP_MS
        } else {
            0
        }
    }

    /// Forgets what was heard.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.sound, self.own, self.floor);
    }

    pub(super) fn push(&mut self, hop: &Hop) -> Option<Change> {
        self.last.rotate_left(1);
        self.last[WINDOW - 1] = *hop;
        let power = self.power(hop);
        self.peak = (self.peak * PEAK_DECAY).max(power);
        let tonal = power >= self.floor.max(self.peak * ON_PART) && power >= hop.energy * ON_SHARE;
        self.tonal.rotate_left(1);
        self.tonal[WINDOW - 1] = tonal;
        let change = self.segment(tonal, hop.energy);
        if self.is_on && self.is_inside() {
            let (power, off_hertz, good) = self.window();
            self.tone.add(power, off_hertz, good);
        }
        change
    }

    /// Counts a hop, and turns from on to off and back when enough speak for it.
    fn segment(&mut self, tonal: bool, energy: f32) -> Option<Change> {
        self.length = self.length.saturating_add(1);
        if tonal == self.is_on {
            self.energy += energy + std::mem::take(&mut self.energy_against);
            self.against = 0;
            if !self.is_on && self.length * HOP_MS > OFF_MAX_MS {
                self.beats.clear();
            }
            return None;
        }
        self.against += 1;
        self.energy_against += energy;
        if self.against < if self.is_on { OFF_HOPS } else { ON_HOPS } {
            return None;
        }
        let (length, energy) = (self.length - self.against, self.energy);
        self.is_on = tonal;
        self.length = std::mem::take(&mut self.against);
        self.energy = std::mem::take(&mut self.energy_against);
        if tonal {
            self.end_silence(length, energy);
            self.tone = Purity::default();
            Some(Change::Began)
        } else {
            self.end_tone(length);
            Some(Change::Ended)
        }
    }

    /// Whether the last window lies inside a tone. Where two frequencies beat, a hop may be empty.
    const fn is_inside(&self) -> bool {
        let [first, .., before, last] = self.tonal;
        first && last && (before || self.tonal[WINDOW - 3])
    }

    fn end_tone(&mut self, length: u32) {
        if !self.tone.is_pure() {
            self.beats.clear();
            return;
        }
        if self.beats.is_full() {
            self.beats.remove(0);
        }
        let beat = Beat {
            on_ms: length * HOP_MS,
            off_ms: None,
            level_db: 10.0 * self.tone.mean_power().max(f32::MIN_POSITIVE).log10(),
            off_hertz: self.tone.mean_off_hertz(),
        };
        let _ = self.beats.push(beat);
    }

    #[allow(clippy::cast_precision_loss, reason = "hundreds of hops")]
    fn end_silence(&mut self, length: u32, energy: f32) {
        let Some(beat) = self.beats.last_mut() else {
            return;
        };
        let mean = energy / length.max(1) as f32;
        if mean > SILENCE_PART * 10_f32.powf(beat.level_db / 10.0) {
            self.beats.clear();
        } else {
            beat.off_ms = Some(length * HOP_MS);
        }
    }

    fn power(&self, hop: &Hop) -> f32 {
        let of = |index: usize| square(hop.parts[index]);
        of(self.own.0) + self.own.1.map_or(0.0, of)
    }

    /// The power of the tone in the last window, how far it lies off, and whether it is pure.
    #[allow(clippy::cast_precision_loss, reason = "five")]
    fn window(&self) -> (f32, f32, bool) {
        let energy = self.last.iter().map(|hop| hop.energy).sum::<f32>() / WINDOW as f32;
        match (self.sound, self.own.1) {
            (Sound::Modulated(..), _) => {
                let power = self.last.iter().map(|hop| self.power(hop)).sum::<f32>();
                let power = power / WINDOW as f32;
                (power, 0.0, power >= energy * MODULATED_SHARE)
            }
            (_, None) => {
                let (power, off) = self.strongest(self.own.0);
                (power, off, power >= energy * PURE_SHARE)
            }
            (_, Some(second)) => {
                let (low, off) = self.strongest(self.own.0);
                let (high, _) = self.strongest(second);
                let both = low.min(high) >= energy * PAIR_SHARE;
                (low + high, off, both && low + high >= energy * PURE_SHARE)
            }
        }
    }

    /// The power near one frequency, and by how much its tone lies off.
    #[allow(clippy::cast_precision_loss, reason = "small")]
    fn strongest(&self, index: usize) -> (f32, f32) {
        let step = self.tolerance / STEPS as f32;
        let mut best = (0.0, 0.0);
        for n in -STEPS..=STEPS {
            let off = n as f32 * step;
            let turn = -TAU * off * HOP_MS as f32 / 1_000.0;
            let mut sum = (0.0, 0.0);
            for (at, hop) in self.last.iter().enumerate() {
                let (sin, cos) = (turn * at as f32).sin_cos();
                let (re, im) = hop.parts[index];
                sum = (sum.0 + re * cos - im * sin, sum.1 + re * sin + im * cos);
            }
            // What a hop loses of a tone that lies off.
            let half = (turn / 2.0).abs().max(1e-6);
            let lost = (half.sin() / half).powi(2);
            let power = square(sum) / (WINDOW * WINDOW) as f32 / lost;
            if power > best.0 {
                best = (power, off);
            }
        }
        best
    }
}

impl Purity {
    fn add(&mut self, power: f32, off_hertz: f32, good: bool) {
        self.windows += 1;
        if !good {
            return;
        }
        self.weakest = if self.good == 0 {
            power
        } else {
            self.weakest.min(power)
        };
        self.strongest = self.strongest.max(power);
        self.good += 1;
        self.power += power;
        self.off_hertz += off_hertz;
    }

    /// All windows but those at its edges, and one in ten.
    const fn is_pure(&self) -> bool {
        self.good >= WINDOWS_MIN && self.good + EDGES + self.windows / 10 >= self.windows
    }

    #[allow(clippy::cast_precision_loss, reason = "thousands")]
    fn mean_power(&self) -> f32 {
        self.power / self.good.max(1) as f32
    }

    #[allow(clippy::cast_precision_loss, reason = "thousands")]
    fn mean_off_hertz(&self) -> f32 {
        self.off_hertz / self.good.max(1) as f32
    }
}

fn square((re, im): Part) -> f32 {
    re * re + im * im
}

/// Hops of a window.
const WINDOW: usize = 5;

/// Beats remembered: two more than the longest cadence of a zone has.
const BEATS_MAX: usize = 8;

/// How far a frequency may lie off, in hertz: one alone, and those of a pair, which are precise.
const TOLERANCE: f32 = 20.0;
const PAIR_TOLERANCE: f32 = 9.0;

/// Deviations tried on each side.
const STEPS: i32 = 4;

/// A tone is on at this part of its greatest power, if it is this part of the hop's energy.
const ON_PART: f32 = 0.05;
const ON_SHARE: f32 = 0.35;

/// The greatest power falls by 1 dB a second.
const PEAK_DECAY: f32 = 0.9977;

/// Hops that turn a track on, and off: two frequencies 25 Hz apart beat with gaps of 20 ms.
const ON_HOPS: u32 = 3;
const OFF_HOPS: u32 = 4;

/// The part of a window's energy that lies at its frequencies: at one, or both together; at each
/// of both; in the band of a modulated one.
const PURE_SHARE: f32 = 0.8;
const PAIR_SHARE: f32 = 0.12;
const MODULATED_SHARE: f32 = 0.55;

/// Windows a tone has at least, and those at its edges.
const WINDOWS_MIN: u32 = 4;
const EDGES: u32 = 2;

/// What the silence between tones has of their energy at most.
const SILENCE_PART: f32 = 0.2;

/// Silence that ends a cadence.
const OFF_MAX_MS: u32 = 7_000;

/// The strongest window of a steady tone by the weakest: 3 dB.
const STEADY: f32 = 2.0;
