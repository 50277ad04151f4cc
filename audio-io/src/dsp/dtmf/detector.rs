//! The detector: how long a digit lasts, what interrupts it, and when it is told.
//!
//! ```text
//!          a window is a digit             long enough, steady
//!  waiting ───────────────────▶ candidate ─────────────────────▶ told ──▶ waiting
//!     ▲                             │             Began            Ended: tones away longer than
//!     └── tones away: no digit ─────┘                              a break, or another digit
//! ```

use std::ops::Range;

use super::FULL_SCALE_DBM0;
use super::bank::WINDOW_HOPS;
use super::canceller::{Canceller, CancellerParams, TAIL_MAX};
use super::current::{Current, EDGE, Timing};
use super::digit::Digit;
use super::fit::Fit;
use super::front::Decimator;
use super::q24::Tolerances;
use super::spotter::{Gate, HISTORY_HOPS, Spot, Spotter};
use crate::units::{CentiDbfs, Frames, Millis, SampleRate};

/// What a detector accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorParams {
    /// The limits of frequency, level, twist and timing.
    pub tolerances: Tolerances,
    /// What a full-scale sine of the line is in dBm.
    pub full_scale_dbm: f64,
    /// The largest part of the energy, from 120 Hz and without dial tone, that may be something
    /// else than the two tones (0 to 1). Less bears less noise; more takes more speech for digits.
    pub left_over_max: f64,
    /// How echoes of what is played are taken away, where a reference is given.
    pub canceller: CancellerParams,
}

impl Default for DetectorParams {
    fn default() -> Self {
        Self {
            tolerances: Tolerances::default(),
            full_scale_dbm: FULL_SCALE_DBM0,
            left_over_max: LEFT_OVER_MAX,
            canceller: CancellerParams::default(),
        }
    }
}

/// What a detector tells. Positions are frames of the line since the detector was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DtmfEvent {
    /// There is a digit, and it goes on. Told once it is long enough to count.
    Began {
        /// Which.
        digit: Digit,
        /// Where its tones began.
        start: Frames,
    },
    /// The digit told last is over.
    Ended(DigitHeard),
}

/// A digit from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DigitHeard {
    /// Which.
    pub digit: Digit,
    /// Where its tones began.
    pub start: Frames,
    /// Where they ended; short interruptions are part of it.
    pub end: Frames,
    /// RMS of the low frequency.
    pub low: CentiDbfs,
    /// RMS of the high frequency.
    pub high: CentiDbfs,
}

impl DigitHeard {
    /// How long it was, at the line's rate.
    #[must_use]
    pub const fn duration(&self, rate: SampleRate) -> Millis {
        rate.duration_of(self.end.saturating_sub(self.start))
    }

    /// How much stronger the high frequency is than the low one, in dB.
    #[must_use]
    pub fn twist_db(&self) -> f64 {
        self.high.decibels() - self.low.decibels()
    }
}

/// Finds digits in one leg. Memory is taken when it is made, and none later.
#[derive(Clone, Debug)]
pub struct DtmfDetector {
    rate: SampleRate,
    /// The leg, and what is played.
    near: Leg,
    far: Leg,
    canceller: Canceller,
    gate: Gate,
    timing: Timing,
    /// Samples of the inner rate in a hop, and those that the one begun has.
    hop: usize,
    filled: usize,
    /// Hops heard.
    hops: u64,
    /// Frames heard; and of these the ones left out of a long silence.
    heard: u64,
    skipped: u64,
    current: Option<Current>,
    /// Where the last digit ended, in inner samples.
    last_end: f64,
    /// Windows in a row that held tones out of tolerance.
    off: u32,
    /// The digit played last, and the hops for which its echo may still be heard.
    played: Option<(Digit, f64, u64)>,
    /// Hops for which the canceller does not learn.
    hold: u32,
    echo_hops: u64,
    /// Frames in a row in which nothing was played, and from how many on nothing played before
    /// is left anywhere here.
    unplayed: usize,
    forgotten: usize,
}

impl DtmfDetector {
    /// A detector at the start of a leg.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "hops of 32 to 64 samples; tails and lags are bounded here"
    )]
    pub fn new(rate: SampleRate, params: DetectorParams) -> Self {
        let near = Decimator::new(rate);
        let factor = near.factor() as u64;
        let hertz = f64::from(rate.hertz()) / f64::from(near.factor() as u32);
        let hop = (hertz * HOP_SECONDS).round() as usize;
        let tail = rate.frames_in(params.canceller.tail.min(TAIL_MAX)).0 / factor;
        let lag = params.canceller.lag.0.min(u64::from(rate.hertz())) / factor;
        let tolerances = params.tolerances;
        Self {
            rate,
            far: Leg::new(near.clone(), hertz, hop),
            near: Leg::new(near, hertz, hop),
            canceller: Canceller::new(hertz, tail as usize, lag as usize),
            gate: Gate::new(
                &tolerances,
                params.full_scale_dbm,
                params.left_over_max,
                hertz,
                hop,
            ),
            timing: Timing {
                hop: hop as f64,
                signal: tolerances.signal_seconds() * hertz,
                pause: tolerances.pause_seconds() * hertz,
            },
            hop,
            filled: 0,
            hops: 0,
            heard: 0,
            skipped: 0,
            current: None,
            last_end: 0.0,
            off: 0,
            played: None,
            hold: 0,
            echo_hops: (tail + lag) / hop as u64 + WINDOW_HOPS as u64,
            unplayed: usize::MAX,
            forgotten: ((tail + lag) as usize + 2 * HISTORY_HOPS * hop) * factor as usize,
        }
    }

    /// Hears the leg and tells what it finds, in order.
    pub fn push(&mut self, leg: &[i16], found: impl FnMut(DtmfEvent)) {
        self.push_with_played(leg, &[], found);
    }

    /// Hears the leg while a prompt is played into the line: `played` is the sound played at the
    /// same time, frame by frame, silence where nothing is. What `leg` has more is heard too, as
    /// over a silent line. Its echo is taken away, and digits played are not heard as dialled.
    /// While nothing is played, nor was of late, this costs no more than [`Self::push`].
    pub fn push_with_played(
        &mut self,
        leg: &[i16],
        played: &[i16],
        mut found: impl FnMut(DtmfEvent),
    ) {
        let (mut leg, mut played) = (leg, played);
        while !leg.is_empty() {
            let fits = self.near.decimator.input_for(self.hop - self.filled);
            let (now, later) = leg.split_at(fits.min(leg.len()));
            let (with, after) = played.split_at(now.len().min(played.len()));
            self.hear(now, with);
            (leg, played) = (later, after);
            if self.filled == self.hop {
                self.filled = 0;
                self.on_hop(&mut found);
            }
        }
    }

    /// Hears what the hop has room for.
    fn hear(&mut self, leg: &[i16], played: &[i16]) {
        self.heard += leg.len() as u64;
        let room = self.filled..self.hop;
        // Before the leg, for both stand alike between two outputs.
        let far = self.hear_played(leg.len(), played, room.clone());
        let made = self.near.decimator.run(leg, &mut self.near.hop[room]);
        let range = self.filled..self.filled + made;
        if far {
            let hold = self.hold > 0;
            let near = &mut self.near.hop[range.clone()];
            for (near, far) in near.iter_mut().zip(&self.far.hop[range]) {
                *near = self.canceller.push(*near, *far, hold);
            }
        }
        self.filled += made;
    }

    /// Hears what is played, silence where that ends; false where it and its echo are silent.
    fn hear_played(&mut self, frames: usize, played: &[i16], room: Range<usize>) -> bool {
        if played.iter().all(|sample| *sample == 0) {
            self.unplayed = self.unplayed.saturating_add(frames);
            if self.silent() {
                return false;
            }
        } else {
            if self.silent() {
                self.far.decimator.align(&self.near.decimator);
            }
            self.unplayed = 0;
        }
        let hop = &mut self.far.hop[room];
        let made = self.far.decimator.run(played, hop);
        let mut rest = hop.get_mut(made..).unwrap_or_default();
        let mut missing = frames - played.len();
        while missing > 0 {
            let count = missing.min(SILENCE.len());
            let made = self.far.decimator.run(&SILENCE[..count], rest);
            rest = rest.get_mut(made..).unwrap_or_default();
            missing -= count;
        }
        true
    }

    /// Whether nothing is played, and nothing of what was is left.
    fn silent(&self) -> bool {
        self.unplayed >= self.forgotten
    }

    /// Hears silence in place of lost frames, at a cost that does not depend on how many.
    pub fn push_silence(&mut self, frames: Frames, mut found: impl FnMut(DtmfEvent)) {
        let enough = self.rate.frames_in(SILENCE_HEARD).0;
        let mut missing = usize::try_from(frames.0.min(enough)).unwrap_or_default();
        while missing > 0 {
            let count = missing.min(SILENCE.len());
            self.push(&SILENCE[..count], &mut found);
            missing -= count;
        }
        let rest = frames.0.saturating_sub(enough);
        self.skipped = self.skipped.saturating_add(rest);
    }

    /// Ends the leg: a digit that still sounds ends here.
    pub fn finish(&mut self, mut found: impl FnMut(DtmfEvent)) {
        self.close(&mut found);
    }

    /// Whether a digit that was told to have begun still sounds.
    #[must_use]
    pub fn hears_digit(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.told)
    }

    /// A hop is full: looks at the windows that end with it.
    fn on_hop(&mut self, found: &mut impl FnMut(DtmfEvent)) {
        self.hops += 1;
        if !self.silent()
            && self.far.spotter.push(&self.far.hop, &self.gate, false)
            && let Spot::Digit(digit, fit) = self.far.spotter.spot(&self.gate)
        {
            self.played = Some((digit, loudest(&fit), self.hops + self.echo_hops));
        }
        let wanted = self.current.is_some();
        if !self.near.spotter.push(&self.near.hop, &self.gate, wanted) {
            self.hold = self.hold.saturating_sub(1);
            self.off = 0;
            return;
        }
        let spot = match self.near.spotter.spot(&self.gate) {
            Spot::Digit(digit, fit) if self.is_echo(digit, &fit) => Spot::Nothing,
            spot => spot,
        };
        self.hold = match spot {
            Spot::Nothing => self.hold.saturating_sub(1),
            _ => HOLD_HOPS,
        };
        self.follow(found);
        match spot {
            Spot::Nothing => self.off = 0,
            Spot::Off => {
                self.off = (self.off + 1).min(OFF_MAX);
                if let Some(current) = &mut self.current {
                    current.off += 1;
                }
            }
            Spot::Digit(digit, fit) => self.on_digit(digit, fit, found),
        }
        self.tell(found);
    }

    /// A digit that we play ourselves, no stronger than it is played.
    fn is_echo(&self, digit: Digit, fit: &Fit) -> bool {
        self.played.is_some_and(|(played, power, until)| {
            played == digit && self.hops <= until && loudest(fit) <= power
        })
    }

    /// Measures the tones of the current digit in the last two hops, and ends it after a pause.
    fn follow(&mut self, found: &mut impl FnMut(DtmfEvent)) {
        let Some(current) = &mut self.current else {
            return;
        };
        let Some(power) = self.near.spotter.power_around(1, current.omegas) else {
            return;
        };
        let center = (self.hops * self.hop as u64) as f64 - self.timing.hop;
        current.share_is(current.share_of(power), center, &self.timing);
        let over = current.share < EDGE && center - current.end > self.timing.pause;
        let never = !current.told && current.share < EDGE;
        if over || (never && current.length() < self.timing.signal) {
            self.close(found);
        }
    }

    fn on_digit(&mut self, digit: Digit, fit: Fit, found: &mut impl FnMut(DtmfEvent)) {
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.digit != digit)
        {
            self.close(found);
        }
        match &mut self.current {
            Some(current) => current.learn(fit, self.hops),
            None => self.open(digit, fit),
        }
        self.off = 0;
    }

    /// Begins a candidate and seeks where it started.
    fn open(&mut self, digit: Digit, fit: Fit) {
        let mut current = Current::new(digit, fit, self.off, self.hops);
        let end = (self.hops * self.hop as u64) as f64;
        let mut back = WINDOW_HOPS / 2;
        let mut share = 1.0;
        current.start = end - self.timing.hop * (back as f64);
        while let Some(power) = self.near.spotter.power_around(back, current.omegas) {
            let center = end - self.timing.hop * (back as f64);
            let before = current.share_of(power);
            if before < EDGE {
                let part = (EDGE - before) / (share - before).max(f64::MIN_POSITIVE);
                current.start = center + self.timing.hop * part.clamp(0.0, 1.0);
                break;
            }
            current.start = center;
            share = before;
            back += 1;
        }
        current.start = current.start.max(self.last_end);
        current.end = end;
        self.current = Some(current);
    }

    /// Tells the current digit once it is long enough.
    fn tell(&mut self, found: &mut impl FnMut(DtmfEvent)) {
        let Some(current) = &mut self.current else {
            return;
        };
        if !current.told && current.counts(&self.timing) {
            current.told = true;
            let (digit, start) = (current.digit, current.start);
            found(DtmfEvent::Began {
                digit,
                start: self.position(start),
            });
        }
    }

    /// Ends the current digit, and tells it if it counts.
    fn close(&mut self, found: &mut impl FnMut(DtmfEvent)) {
        self.tell(found);
        let Some(current) = self.current.take() else {
            return;
        };
        if !current.told {
            return;
        }
        self.last_end = current.end;
        let start = self.position(current.start);
        let [low, high] = current.levels();
        found(DtmfEvent::Ended(DigitHeard {
            digit: current.digit,
            start,
            end: self.position(current.end).max(start),
            low,
            high,
        }));
    }

    /// Where an inner sample lies in the line.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positions are not negative, and below 2^52"
    )]
    fn position(&self, inner: f64) -> Frames {
        let decimator = &self.near.decimator;
        let line = inner * decimator.factor() as f64 - decimator.delay() as f64;
        let at = (line.round().max(0.0) as u64).min(self.heard);
        Frames(at.saturating_add(self.skipped))
    }
}

/// One signal on its way to the spotter.
#[derive(Clone, Debug)]
struct Leg {
    decimator: Decimator,
    /// As it came; that of what is played is silent where [`DtmfDetector::silent`] says so.
    hop: Box<[f32]>,
    spotter: Spotter,
}

impl Leg {
    fn new(decimator: Decimator, hertz: f64, hop: usize) -> Self {
        Self {
            decimator,
            hop: vec![0.0; hop].into_boxed_slice(),
            spotter: Spotter::new(hertz, hop),
        }
    }
}

fn loudest(fit: &Fit) -> f64 {
    fit.sines
        .iter()
        .map(|sine| sine.power())
        .fold(0.0, f64::max)
}

/// A piece of nothing.
static SILENCE: [i16; 64] = [0; 64];

/// How often is looked.
const HOP_SECONDS: f64 = 0.004;

/// The default of [`DetectorParams::left_over_max`].
const LEFT_OVER_MAX: f64 = 0.25;

/// Windows out of tolerance before a candidate that count against it, at most.
const OFF_MAX: u32 = 3;

/// Hops for which a tone keeps the canceller from learning.
const HOLD_HOPS: u32 = 8;

/// Silence in which every digit ends and every filter comes to rest.
const SILENCE_HEARD: Millis = Millis(500);
