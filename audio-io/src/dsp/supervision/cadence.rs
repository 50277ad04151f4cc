//! Whether beats are a cadence of a zone.

use super::Supervision;
use super::track::{Beat, Change};
use super::zones::{Pulse, Signal};

/// What a cadence is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    pub(super) what: Supervision,
    cadence: &'static [Pulse],
}

impl Pattern {
    pub(super) const fn new(what: Supervision, signal: Signal) -> Self {
        Self {
            what,
            cadence: signal.cadence,
        }
    }

    /// The longest tone, in milliseconds.
    pub(super) fn longest_on_ms(&self) -> u32 {
        let longest = self.cadence.iter().map(|pulse| pulse.on_ms).max();
        u32::from(longest.unwrap_or(0))
    }

    /// How long a cadence takes, in milliseconds.
    pub(super) fn period_ms(&self) -> u32 {
        let of = |pulse: &Pulse| u32::from(pulse.on_ms) + u32::from(pulse.off_ms);
        self.cadence.iter().map(of).sum()
    }

    /// How far the last beats lie from this cadence, and how many they are; `None` if they are
    /// another, or too few.
    pub(super) fn distance(&self, beats: &[Beat], change: Change) -> Option<(f32, usize)> {
        if self.cadence.is_empty() {
            return None;
        }
        let need = match (self.what, change) {
            (Supervision::RingBack, Change::Ended) => return self.rings(beats),
            (Supervision::RingBack, Change::Began) | (_, Change::Ended) => return None,
            // One more than shows all of a cadence, and three where it is a single pulse.
            _ => self.cadence.len() + 2,
        };
        let last = beats.get(beats.len().checked_sub(need)?..)?;
        let best = self.best(last)?;
        Some((best, need))
    }

    /// A tone, the long silence, and the next tone.
    fn rings(&self, beats: &[Beat]) -> Option<(f32, usize)> {
        let last = beats.get(beats.len().checked_sub(2)?..)?;
        let silence = last[0].off_ms?;
        let distance = self.best(last)?;
        (silence >= RING_PAUSE_MS).then_some((distance, last.len()))
    }

    /// The least distance over all places in the cadence at which the beats may begin.
    fn best(&self, beats: &[Beat]) -> Option<f32> {
        if !self.are_alike(beats) {
            return None;
        }
        (0..self.cadence.len())
            .filter_map(|start| {
                let pulses = self.cadence.iter().cycle().skip(start);
                let each = beats.iter().zip(pulses).map(|(beat, pulse)| {
                    let on = part_off(beat.on_ms, pulse.on_ms)?;
                    let off = beat
                        .off_ms
                        .map_or(Some(0.0), |off| part_off(off, pulse.off_ms))?;
                    Some(on + off)
                });
                each.sum::<Option<f32>>()
            })
            .min_by(f32::total_cmp)
    }

    /// Whether the tones are as strong and as high as each other. In a cadence of like pulses,
    /// every second may be weaker (Australia).
    fn are_alike(&self, beats: &[Beat]) -> bool {
        let like = self.cadence.windows(2).all(|pair| pair[0] == pair[1]);
        let lag = if like { self.cadence.len() } else { 1 };
        let pitch = beats
            .windows(2)
            .all(|pair| (pair[1].off_hertz - pair[0].off_hertz).abs() <= PITCH_MAX_HERTZ);
        let level = beats
            .iter()
            .zip(beats.iter().skip(lag))
            .all(|(before, after)| (after.level_db - before.level_db).abs() <= LEVEL_MAX_DB);
        pitch && level
    }
}

/// By which part of what it should be a duration is off, if that is tolerable.
#[allow(clippy::cast_precision_loss, reason = "thousands of milliseconds")]
fn part_off(measured_ms: u32, nominal_ms: u16) -> Option<f32> {
    let nominal = f32::from(nominal_ms);
    let off = (measured_ms as f32 - nominal).abs();
    (off <= nominal * TOLERANCE + SLACK_MS).then_some(off / nominal)
}

/// The part by which a duration may be off, and what the steps in which it is measured add.
const TOLERANCE: f32 = 0.15;
const SLACK_MS: f32 = 15.0;

/// How much one tone may differ from the next.
const LEVEL_MAX_DB: f32 = 2.5;
const PITCH_MAX_HERTZ: f32 = 6.0;

/// The silence between two rings.
const RING_PAUSE_MS: u32 = 800;
