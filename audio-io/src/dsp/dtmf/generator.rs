//! Making digits: for playing them into a line, and for tests.

use heapless::Deque;

use super::FULL_SCALE_DBM0;
use super::digit::Digit;
use crate::dsp::tone::Tone;
use crate::limits::DIGITS_WAITING_MAX;
use crate::units::{Millis, SampleRate};

/// How digits sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayParams {
    /// The level of the low frequency, in dBm.
    pub low_dbm: f64,
    /// How much stronger the high frequency is, in dB.
    pub twist_db: f64,
    /// How long each digit sounds.
    pub on: Millis,
    /// How long the pause after each is.
    pub off: Millis,
    /// What a full-scale sine of the line is in dBm.
    pub full_scale_dbm: f64,
    /// How far both frequencies lie off, as a part of them: 0.015 is 1.5 % too high.
    pub offset: f64,
}

impl Default for PlayParams {
    /// -9 and -7 dBm, 100 ms on and off: inside every column of Q.24, and inside ES 201 235-2.
    fn default() -> Self {
        Self {
            low_dbm: -9.0,
            twist_db: 2.0,
            on: Millis(100),
            off: Millis(100),
            full_scale_dbm: FULL_SCALE_DBM0,
            offset: 0.0,
        }
    }
}

/// Plays digits one after the other.
#[derive(Clone, Debug)]
pub struct DigitPlayer {
    rate: SampleRate,
    params: PlayParams,
    waiting: Deque<Digit, DIGITS_WAITING_MAX>,
    playing: Option<Playing>,
}

impl DigitPlayer {
    /// A player with nothing to play.
    #[must_use]
    pub const fn new(rate: SampleRate, params: PlayParams) -> Self {
        Self {
            rate,
            params,
            waiting: Deque::new(),
            playing: None,
        }
    }

    /// Adds a digit.
    ///
    /// # Errors
    /// [`DigitQueueFull`] if [`DIGITS_WAITING_MAX`] wait already.
    pub fn push(&mut self, digit: Digit) -> Result<(), DigitQueueFull> {
        self.waiting.push_back(digit).map_err(|_| DigitQueueFull)
    }

    /// Forgets what waits and stops at once.
    pub fn stop(&mut self) {
        self.waiting.clear();
        self.playing = None;
    }

    /// Whether everything, the last pause too, was played.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.playing.is_none() && self.waiting.is_empty()
    }

    /// Writes the next samples and says how many; fewer than asked for at the end.
    pub fn fill(&mut self, out: &mut [i16]) -> usize {
        for (done, sample) in out.iter_mut().enumerate() {
            if self.playing.is_none() {
                self.playing = self.next();
            }
            let Some(playing) = &mut self.playing else {
                return done;
            };
            *sample = playing.next_sample();
            if playing.at >= playing.period {
                self.playing = None;
            }
        }
        out.len()
    }

    fn next(&mut self) -> Option<Playing> {
        let digit = self.waiting.pop_front()?;
        let on = self.rate.frames_in(self.params.on).0;
        let period = on + self.rate.frames_in(self.params.off).0;
        if period == 0 {
            return None;
        }
        let params = &self.params;
        let low_db = params.low_dbm - params.full_scale_dbm;
        let tone = |hertz: f64, db: f64| {
            Tone::new(
                self.rate,
                hertz * (1.0 + params.offset),
                10_f64.powf(db / 20.0),
            )
        };
        Some(Playing {
            low: tone(digit.low_hertz(), low_db),
            high: tone(digit.high_hertz(), low_db + params.twist_db),
            at: 0,
            on,
            period,
        })
    }
}

/// No room for another digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{DIGITS_WAITING_MAX} digits wait to be played already; add more when some were played")]
pub struct DigitQueueFull;

#[derive(Clone, Debug)]
struct Playing {
    low: Tone,
    high: Tone,
    at: u64,
    on: u64,
    period: u64,
}

impl Playing {
    fn next_sample(&mut self) -> i16 {
        self.at += 1;
        if self.at > self.on {
            return 0;
        }
        // Both tones start at zero, so the start needs no ramp.
        self.low
            .next_sample()
            .saturating_add(self.high.next_sample())
    }
}
