//! The detector: how long a digit lasts, what interrupts it, and when it is told.
//!
//! ```text
//!          a window is a digit             long enough, steady
//!  waiting ───────────────────▶ candidate ─────────────────────▶ told ──▶ waiting
//!     ▲                             │             Began            Ended: tones away longer than
//!     └── tones away: no digit ─────┘                              a break, or another digit
//! ```

use super::FULL_SCALE_DBM0;
use super::bank::WINDOW_HOPS;
use super::canceller::{Canceller, CancellerParams, TAIL_MAX};
use super::current::{Current, EDGE, Timing};
use super::digit::Digit;
use super::fit::Fit;
use super::front::{Decimator, ToneStop};
use super::q24::Tolerances;
use super::spotter::{Gate, Spot, Spotter};
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
    /// Samples of the inner rate in a hop.
    hop: usize,
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
            near: Leg::new(near, hertz, hop),
            far: Leg::new(Decimator::new(rate), hertz, hop),
            canceller: Canceller::new(hertz, tail as usize, lag as usize),
            gate: Gate::new(
                &tolerances,
                params.full_scale_dbm,
                params.left_over_max,
                hertz,
            ),
            timing: Timing {
                hop: hop as f64,
                signal: tolerances.signal_seconds() * hertz,
                pause: tolerances.pause_seconds() * hertz,
            },
            hop,
            hops: 0,
            heard: 0,
            skipped: 0,
            current: None,
            last_end: 0.0,
            off: 0,
            played: None,
            hold: 0,
            echo_hops: (tail + lag) / hop as u64 + WINDOW_HOPS as u64,
        }
    }

    /// Hears the leg and tells what it finds, in order.
    pub fn push(&mut self, leg: &[i16], mut found: impl FnMut(DtmfEvent)) {
        for &sample in leg {
            self.heard += 1;
            if let Some(x) = self.near.decimator.push(to_unit(sample))
                && self.near.enter(x)
            {
                self.on_hop(false, &mut found);
            }
        }
    }

    /// Hears the leg while a prompt is played into the line: `played` is the sound played at the
    /// same time, frame by frame, silence where nothing is. What `leg` has more is heard too, as
    /// over a silent line. Its echo is taken away, and digits played are not heard as dialled.
    ///
    /// Use this for the whole life of a leg that prompts are played to, so that the echo once
    /// learned is known.
    pub fn push_with_played(
        &mut self,
        leg: &[i16],
        played: &[i16],
        mut found: impl FnMut(DtmfEvent),
    ) {
        let played = played.iter().copied().chain(std::iter::repeat(0));
        for (&sample, far) in leg.iter().zip(played) {
            self.heard += 1;
            let far = self.far.decimator.push(to_unit(far));
            let near = self.near.decimator.push(to_unit(sample));
            let (Some(near), Some(far)) = (near, far) else {
                continue;
            };
            let left = self.canceller.push(near, far, self.hold > 0);
            let full = self.far.enter(far);
            if self.near.enter(left) {
                self.on_hop(full, &mut found);
            }
        }
    }

    /// Hears silence in place of lost frames, at a cost that does not depend on how many.
    pub fn push_silence(&mut self, frames: Frames, mut found: impl FnMut(DtmfEvent)) {
        let enough = self.rate.frames_in(SILENCE_HEARD).0;
        for _ in 0..frames.0.min(enough) {
            self.push(&[0], &mut found);
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
    fn on_hop(&mut self, far_too: bool, found: &mut impl FnMut(DtmfEvent)) {
        self.hops += 1;
        self.near.spotter.push(&self.near.hop);
        if far_too {
            self.far.spotter.push(&self.far.hop);
            if let Spot::Digit(digit, fit) = self.far.spotter.spot(&self.gate) {
                self.played = Some((digit, loudest(&fit), self.hops + self.echo_hops));
            }
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
    stop: ToneStop,
    hop: Box<[f32]>,
    filled: usize,
    spotter: Spotter,
}

impl Leg {
    fn new(decimator: Decimator, hertz: f64, hop: usize) -> Self {
        Self {
            decimator,
            stop: ToneStop::new(hertz),
            hop: vec![0.0; hop].into_boxed_slice(),
            filled: 0,
            spotter: Spotter::new(hertz, hop),
        }
    }

    /// Whether this sample fills the hop.
    #[inline]
    fn enter(&mut self, sample: f32) -> bool {
        self.hop[self.filled] = self.stop.push(sample);
        self.filled += 1;
        if self.filled < self.hop.len() {
            return false;
        }
        self.filled = 0;
        true
    }
}

fn loudest(fit: &Fit) -> f64 {
    fit.sines
        .iter()
        .map(|sine| sine.power())
        .fold(0.0, f64::max)
}

fn to_unit(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

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
