//! Digits under the conditions of Q.24, in noise, speech, dial tone and echo. Sounds are made
//! here; speech is that of Debian's Asterisk prompts, or `espeak-ng`, where there is one.

mod conditions;
mod disturbed;
mod echo;
mod sound;
mod streaming;

use std::f64::consts::TAU;

use super::*;
use crate::units::{Frames, Millis, SampleRate};

const TELEPHONE: SampleRate = SampleRate::TELEPHONE;

/// All sixteen, no two alike in a row, also when repeated.
const KEYS: &str = "159D2#A0B73*468C";

/// -10 dBm each, 50 ms on and off.
const PLAIN: PlayParams = PlayParams {
    low_dbm: -10.0,
    twist_db: 0.0,
    on: Millis(50),
    off: Millis(50),
    full_scale_dbm: FULL_SCALE_DBM0,
    offset: 0.0,
};

fn digits(keys: &str) -> Vec<Digit> {
    keys.chars()
        .map(|key| Digit::try_from(key).unwrap())
        .collect()
}

/// The digits after 103 ms of silence, and 200 ms of silence after them.
fn dial_at(rate: SampleRate, params: PlayParams, keys: &str) -> Vec<i16> {
    let mut sound = silence(rate, 103);
    let mut player = DigitPlayer::new(rate, params);
    for digit in digits(keys) {
        player.push(digit).unwrap();
        let mut out = vec![0; 48_000];
        let made = player.fill(&mut out);
        sound.extend_from_slice(&out[..made]);
    }
    sound.extend(silence(rate, 200));
    sound
}

fn dial(params: PlayParams, keys: &str) -> Vec<i16> {
    dial_at(TELEPHONE, params, keys)
}

fn silence(rate: SampleRate, ms: u64) -> Vec<i16> {
    vec![0; usize::try_from(rate.frames_in(Millis(ms)).0).unwrap()]
}

fn params(administration: Administration) -> DetectorParams {
    DetectorParams {
        tolerances: Tolerances::of(administration),
        ..DetectorParams::default()
    }
}

/// What a detector hears, and that it says "began" and "ended" in turns.
fn hear_at(rate: SampleRate, params: DetectorParams, leg: &[i16]) -> Vec<DigitHeard> {
    let mut ear = Ear::default();
    let mut detector = DtmfDetector::new(rate, params);
    for piece in leg.chunks(160) {
        detector.push(piece, |event| ear.take(event));
    }
    detector.finish(|event| ear.take(event));
    assert_eq!(ear.open, None);
    ear.heard
}

fn hear(params: DetectorParams, leg: &[i16]) -> Vec<DigitHeard> {
    hear_at(TELEPHONE, params, leg)
}

fn keys(heard: &[DigitHeard]) -> String {
    heard.iter().map(|heard| heard.digit.as_char()).collect()
}

#[derive(Default)]
struct Ear {
    open: Option<(Digit, Frames)>,
    heard: Vec<DigitHeard>,
}

impl Ear {
    fn take(&mut self, event: DtmfEvent) {
        match event {
            DtmfEvent::Began { digit, start } => {
                assert_eq!(self.open.replace((digit, start)), None);
            }
            DtmfEvent::Ended(heard) => {
                assert_eq!(self.open.take(), Some((heard.digit, heard.start)));
                self.heard.push(heard);
            }
        }
    }
}

/// The peak of a sine of this level, in 16-bit steps.
fn peak(dbm: f64) -> f64 {
    32_768.0 * 10_f64.powf((dbm - FULL_SCALE_DBM0) / 20.0)
}

/// Adds a function of the sample's number.
fn add(sound: &mut [i16], mut more: impl FnMut(usize) -> f64) {
    for (index, sample) in sound.iter_mut().enumerate() {
        *sample = clip(f64::from(*sample) + more(index));
    }
}

#[allow(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
fn clip(value: f64) -> i16 {
    value.round().clamp(-32_768.0, 32_767.0) as i16
}

/// A sine, by the sample's number.
fn sine(hertz: f64, dbm: f64) -> impl Fn(usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "minutes of samples")]
    move |index| peak(dbm) * (TAU * hertz * index as f64 / 8_000.0).sin()
}

/// White noise, nearly Gaussian, of unit power; the same in each run.
struct Noise(u64);

impl Noise {
    #[allow(clippy::cast_precision_loss, reason = "random bits")]
    fn next(&mut self) -> f64 {
        let uniform = |state: &mut u64| {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            (*state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..12).map(|_| uniform(&mut self.0)).sum::<f64>() - 6.0
    }
}

/// The RMS of two tones of -10 dBm, in 16-bit steps: what signal to noise ratios refer to.
fn signal_rms() -> f64 {
    peak(-10.0)
}
