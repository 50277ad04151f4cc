//! Sound for the conversions: something like two people on the telephone, 8 kHz, 16 bit, the same
//! in every run. Syllables of harmonics with hiss between them, and pauses while the other speaks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use crate::stats::Random;

/// Writes a WAV file of one leg or two.
pub(crate) fn write_call(path: &Path, length: Duration, legs: u16) -> std::io::Result<()> {
    let minute = talk(legs);
    let frame = 2 * u32::from(legs);
    let seconds = u32::try_from(length.as_secs()).unwrap_or(u32::MAX / (RATE * frame) - 1);
    let data = seconds * RATE * frame;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(b"RIFF")?;
    file.write_all(&(data + 36).to_le_bytes())?;
    file.write_all(b"WAVEfmt \x10\0\0\0\x01\0")?;
    file.write_all(&legs.to_le_bytes())?;
    file.write_all(&RATE.to_le_bytes())?;
    file.write_all(&(RATE * frame).to_le_bytes())?;
    file.write_all(&(2 * legs).to_le_bytes())?;
    file.write_all(b"\x10\0data")?;
    file.write_all(&data.to_le_bytes())?;
    let mut left = data as usize;
    while left > 0 {
        let take = left.min(minute.len());
        file.write_all(&minute[..take])?;
        left -= take;
    }
    file.flush()
}

/// A minute in which the legs take turns every few seconds.
#[allow(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
fn talk(legs: u16) -> Vec<u8> {
    let mut voices: Vec<Voice> = (0..legs).map(Voice::new).collect();
    let frames = u64::from(RATE) * 60;
    let mut out = Vec::with_capacity(usize::from(legs) * 2 * RATE as usize * 60);
    for at in 0..frames {
        let turn = at / (TURN_S * u64::from(RATE));
        for (leg, voice) in (0..).zip(&mut voices) {
            // One leg alone is both people, so it hardly ever pauses.
            let speaks = if legs == 1 {
                turn % 4 != 3
            } else {
                turn % 2 == leg
            };
            let sample = voice.next(speaks) * 12_000.0;
            out.extend_from_slice(&(sample.clamp(-32_768.0, 32_767.0) as i16).to_le_bytes());
        }
    }
    out
}

struct Voice {
    pitch: f64,
    random: Random,
    at: u64,
    phase: f64,
    loudness: f64,
    hiss: f64,
}

impl Voice {
    fn new(leg: u16) -> Self {
        Self {
            pitch: 115.0 + 80.0 * f64::from(leg),
            random: Random::new(11 + u64::from(leg)),
            at: 0,
            phase: 0.0,
            loudness: 0.0,
            hiss: 0.0,
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    fn next(&mut self, speaks: bool) -> f64 {
        // A syllable of a fifth of a second: its pitch, loudness and hiss.
        if self.at.is_multiple_of(u64::from(RATE) / 5) {
            self.loudness = if speaks {
                0.2 + self.random.below(100) as f64 / 150.0
            } else {
                0.0
            };
            self.hiss = self.random.below(100) as f64 / 400.0;
            self.pitch *= 0.97 + self.random.below(60) as f64 / 1_000.0;
            self.pitch = self.pitch.clamp(90.0, 260.0);
        }
        let within = (self.at % (u64::from(RATE) / 5)) as f64 / f64::from(RATE / 5);
        self.at += 1;
        self.phase = (self.phase + self.pitch / f64::from(RATE)).fract();
        let shape = (within * std::f64::consts::PI).sin() * self.loudness;
        let harmonics: f64 = (1..=8)
            .map(|n| (self.phase * f64::from(n) * std::f64::consts::TAU).sin() / f64::from(n))
            .sum();
        let noise = self.random.below(2_000) as f64 / 1_000.0 - 1.0;
        // Lines are never quite silent.
        shape * (harmonics + self.hiss * noise) + 0.001 * noise
    }
}

const RATE: u32 = 8_000;
const TURN_S: u64 = 4;
