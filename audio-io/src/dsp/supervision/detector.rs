//! The detector: the tracks of a zone, and what is told of them.

use super::Supervision;
use super::cadence::Pattern;
use super::probe::{FREQUENCIES_MAX, Probe};
use super::track::{HOP_MS, Track};
use super::zones::{Sound, ToneZone};
use crate::dsp::dtmf::FULL_SCALE_DBM0;
use crate::dsp::dtmf::front::Decimator;
use crate::units::{Frames, Millis, SampleRate};

/// A tone that was recognised. Positions are frames of the leg since the detector was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What it says.
    pub what: Supervision,
    /// About where the tones began that were recognised.
    pub start: Frames,
    /// Where it was certain.
    pub at: Frames,
}

/// Hears the supervisory tones of a country in one leg. Memory is taken when it is made, and none
/// later.
#[derive(Clone, Debug)]
pub struct SupervisionDetector {
    rate: SampleRate,
    decimator: Decimator,
    probe: Probe,
    hop: Box<[f32]>,
    filled: usize,
    hops: u64,
    heard: u64,
    sounds: heapless::Vec<Heeded, SIGNALS>,
    told: Option<(Supervision, u64)>,
}

/// A sound, and what it is for.
#[derive(Clone, Debug)]
struct Heeded {
    sound: Sound,
    track: Track,
    patterns: heapless::Vec<Pattern, SIGNALS>,
    /// How long it must be steady to be dial tone, if it can be.
    steady_ms: Option<u32>,
}

/// Something recognised: what, how many milliseconds of sound show it, and for how long it is not
/// told again.
#[derive(Clone, Copy, Debug)]
struct Found {
    what: Supervision,
    shown_ms: u32,
    hold_ms: u32,
}

impl SupervisionDetector {
    /// A detector at the start of a leg.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "hops of 80 to 160 samples; small powers"
    )]
    pub fn new(zone: &ToneZone, rate: SampleRate) -> Self {
        let decimator = Decimator::new(rate);
        let hertz = f64::from(rate.hertz()) / decimator.factor() as f64;
        let length = (hertz * f64::from(HOP_MS) / 1_000.0).round() as usize;
        let floor = 10_f64.powf((WEAKEST_DBM0 - FULL_SCALE_DBM0) / 10.0) / 2.0;
        let mut frequencies = heapless::Vec::<f32, FREQUENCIES_MAX>::new();
        let sounds = heed(zone, &mut frequencies, floor as f32);
        Self {
            rate,
            decimator,
            probe: Probe::new(&frequencies, hertz, length, (floor / 4.0) as f32),
            hop: vec![0.0; length].into_boxed_slice(),
            filled: 0,
            hops: 0,
            heard: 0,
            sounds,
            told: None,
        }
    }

    /// Hears the leg. Tells a tone once when it is recognised: busy and congestion after three
    /// whole pulses, dial tone after 2 s, ring back with the second ring; and again only after it
    /// had stopped. Of two that are recognised in one piece, the first is told.
    pub fn push(&mut self, leg: &[i16]) -> Option<Heard> {
        let mut leg = leg;
        let mut told = None;
        while !leg.is_empty() {
            let fits = self.decimator.input_for(self.hop.len() - self.filled);
            let (now, later) = leg.split_at(fits.min(leg.len()));
            self.filled += self.decimator.run(now, &mut self.hop[self.filled..]);
            self.heard += now.len() as u64;
            leg = later;
            if self.filled == self.hop.len() {
                self.filled = 0;
                let found = self.on_hop();
                told = told.or(found);
            }
        }
        told
    }

    /// Forgets what was heard; the leg goes on.
    pub fn reset(&mut self) {
        self.told = None;
        for heeded in &mut self.sounds {
            heeded.track.reset();
        }
    }

    fn on_hop(&mut self) -> Option<Heard> {
        let hop = self.probe.look(&self.hop);
        self.hops += 1;
        let mut found: Option<Found> = None;
        for heeded in &mut self.sounds {
            found = found.or(heeded.push(&hop));
        }
        if self.told.is_some_and(|(_, until)| self.hops > until) {
            self.told = None;
        }
        let found = found?;
        let is_new = self.told.is_none_or(|(what, _)| what != found.what);
        self.told = Some((found.what, self.hops + u64::from(found.hold_ms / HOP_MS)));
        let shown = self.rate.frames_in(Millis(u64::from(found.shown_ms)));
        let at = Frames(self.heard);
        is_new.then(|| Heard {
            what: found.what,
            start: at.saturating_sub(shown),
            at,
        })
    }
}

impl Heeded {
    fn push(&mut self, hop: &super::probe::Hop) -> Option<Found> {
        let change = self.track.push(hop);
        if let Some(needed) = self.steady_ms {
            let steady = self.track.steady_ms();
            if steady >= needed {
                return Some(Found {
                    what: Supervision::DialTone,
                    shown_ms: steady,
                    hold_ms: STEADY_HOLD_MS,
                });
            }
        }
        let change = change?;
        let beats = self.track.beats();
        let mut best: Option<(f32, Found)> = None;
        for pattern in &self.patterns {
            let Some((distance, count)) = pattern.distance(beats, change) else {
                continue;
            };
            if best.as_ref().is_none_or(|(least, _)| distance < *least) {
                let shown = beats.iter().rev().take(count);
                let shown = shown.map(|beat| beat.on_ms + beat.off_ms.unwrap_or(0));
                let found = Found {
                    what: pattern.what,
                    shown_ms: shown.sum(),
                    hold_ms: pattern.period_ms() * 3 / 2 + HOLD_MS,
                };
                best = Some((distance, found));
            }
        }
        best.map(|(_, found)| found)
    }
}

/// The sounds of a zone, each with all signals made of it, and the frequencies they need.
fn heed(
    zone: &ToneZone,
    frequencies: &mut heapless::Vec<f32, FREQUENCIES_MAX>,
    floor: f32,
) -> heapless::Vec<Heeded, SIGNALS> {
    let mut sounds = heapless::Vec::<Heeded, SIGNALS>::new();
    // Where two cadences are alike, the first is told: busy before congestion.
    for (what, signal) in [
        (Supervision::Busy, zone.busy),
        (Supervision::Congestion, zone.congestion),
        (Supervision::DialTone, zone.dial),
        (Supervision::RingBack, zone.ring_back),
    ] {
        let at = sounds
            .iter()
            .position(|heeded| heeded.sound == signal.sound);
        let at = at.unwrap_or_else(|| {
            let (low, high) = match signal.sound {
                Sound::Single(hertz) | Sound::Modulated(hertz, _) => (hertz, None),
                Sound::Pair(low, high) => (low, Some(high)),
            };
            let own = (
                place(frequencies, low),
                high.map(|high| place(frequencies, high)),
            );
            let _ = sounds.push(Heeded {
                sound: signal.sound,
                track: Track::new(signal.sound, own, floor),
                patterns: heapless::Vec::new(),
                steady_ms: None,
            });
            sounds.len() - 1
        });
        if let Some(heeded) = sounds.get_mut(at) {
            if signal.cadence.is_empty() {
                heeded.steady_ms = Some(STEADY_MS);
            }
            let _ = heeded.patterns.push(Pattern::new(what, signal));
        }
    }
    for heeded in &mut sounds {
        let longest = heeded.patterns.iter().map(Pattern::longest_on_ms).max();
        // A long ring is no dial tone yet.
        let longest = longest.unwrap_or(0) * 3 / 2 + 300;
        heeded.steady_ms = heeded.steady_ms.map(|steady| steady.max(longest));
    }
    sounds
}

/// Where a frequency is among those to look for.
fn place(frequencies: &mut heapless::Vec<f32, FREQUENCIES_MAX>, hertz: f32) -> usize {
    let same = |one: &f32| (one - hertz).abs() < 0.5;
    frequencies.iter().position(same).unwrap_or_else(|| {
        let _ = frequencies.push(hertz);
        frequencies.len() - 1
    })
}

/// Signals of a zone.
const SIGNALS: usize = 4;

/// The weakest tone that is heard, each frequency of it.
const WEAKEST_DBM0: f64 = -43.0;

/// How long dial tone must be steady, and how long it must be away to be told again.
const STEADY_MS: u32 = 2_000;
const STEADY_HOLD_MS: u32 = 500;

/// For how long more than one and a half cadences a tone must be away to be told again.
const HOLD_MS: u32 = 1_000;
