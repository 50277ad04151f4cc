//! Sound to code: speech from the machine's own prompts where it has some, and sound made to be
//! hard at the seams.
#![allow(
    clippy::cast_possible_truncation,
    reason = "computed samples and small places"
)]

use std::f64::consts::TAU;
use std::fs::File;

use super::super::*;
use crate::codec::decode;
use crate::units::SampleRate;

/// Samples in memory.
pub(super) struct Memory {
    pub(super) format: PcmFormat,
    pub(super) samples: Vec<i16>,
    at: usize,
    /// Frames read so far.
    pub(super) given: u64,
}

impl Memory {
    pub(super) fn new(format: PcmFormat, samples: Vec<i16>) -> Self {
        Self {
            format,
            samples,
            at: 0,
            given: 0,
        }
    }
}

impl PcmSource for Memory {
    fn format(&self) -> PcmFormat {
        self.format
    }

    fn frames(&self) -> Frames {
        Frames((self.samples.len() / self.format.channels.count()) as u64)
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        let channels = self.format.channels.count();
        let count = (out.len() / channels).min(1_000) * channels;
        let count = count.min(self.samples.len() - self.at);
        out[..count].copy_from_slice(&self.samples[self.at..self.at + count]);
        self.at += count;
        self.given += (count / channels) as u64;
        Ok(count / channels)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        let to = usize::try_from(to.min(self.frames()).0).expect("small");
        self.at = to * self.format.channels.count();
        Ok(())
    }
}

pub(super) fn format(hertz: u32, channels: Channels) -> PcmFormat {
    let rate = SampleRate::new(hertz).expect("a rate");
    PcmFormat { rate, channels }
}

/// Random numbers, always the same.
pub(super) struct Noise(pub(super) u32);

impl Noise {
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1 << 23) - 1.0
    }
}

/// A sample of this amplitude, 1.0 being full scale.
pub(super) fn sample(value: f64) -> i16 {
    (value * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
}

/// So many frames of one leg of speech: Asterisk's prompts if the machine has them, otherwise
/// syllables of harmonics and noise with pauses between them. `other` picks another voice.
pub(super) fn speech(hertz: u32, frames: usize, other: bool) -> Vec<i16> {
    let spoken = prompts(hertz, frames, other);
    if spoken.len() == frames {
        return spoken;
    }
    let mut noise = Noise(if other { 7 } else { 1 });
    let mut sound = Vec::with_capacity(frames);
    let mut phase = 0.0;
    while sound.len() < frames {
        let length = (f64::from(hertz) * (0.12 + 0.08 * noise.next())) as usize;
        let (pitch, loud) = (150.0 + 60.0 * noise.next(), 0.25 + 0.25 * noise.next());
        let kind = noise.next();
        for n in 0..length {
            let part = n as f64 / length as f64;
            phase += TAU * pitch * (1.0 + 0.2 * part) / f64::from(hertz);
            let voice: f64 = (1..12)
                .map(|k| (phase * f64::from(k)).sin() / f64::from(k))
                .sum();
            let envelope = (TAU / 2.0 * part).sin().max(0.0).sqrt() * loud;
            let value = match kind {
                ..-0.6 => 0.001 * noise.next(),
                -0.6..-0.2 => 0.3 * envelope * noise.next(),
                _ => 0.5 * envelope * voice,
            };
            sound.push(sample(value));
        }
    }
    sound.truncate(frames);
    sound
}

fn prompts(hertz: u32, frames: usize, other: bool) -> Vec<i16> {
    let mut sound = Vec::new();
    let folder = std::fs::read_dir("/usr/share/asterisk/sounds/en_US_f_Allison");
    let mut paths: Vec<_> = folder
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "wav"))
        .collect();
    paths.sort();
    if other {
        paths.reverse();
    }
    let to = SampleRate::new(hertz).expect("a rate");
    for path in paths {
        let Ok(mut prompt) = decode::open(File::open(path).expect("a prompt")) else {
            continue;
        };
        let mut prompt = Resampled::new(prompt.as_mut(), to).expect("a filter");
        let start = sound.len();
        sound.resize(
            start + usize::try_from(prompt.frames().0).expect("small"),
            0,
        );
        let mut at = start;
        while at < sound.len() {
            match prompt.read(&mut sound[at..]).expect("speech") {
                0 => break,
                count => at += count,
            }
        }
        if sound.len() >= frames {
            break;
        }
    }
    sound.truncate(frames);
    sound
}

/// Silence with a click exactly where each chunk begins or just before, and a few between.
pub(super) fn clicks(layout: &Mp3Layout, frames: usize) -> Vec<i16> {
    let mut sound = vec![0; frames];
    let length = usize::try_from(layout.settings.frame_samples()).expect("small");
    for chunk in 0..layout.chunks() {
        let start = usize::try_from(layout.frames_of(chunk).start).expect("small") * length;
        for offset in (0..8 * length).step_by(331) {
            let at = (start + offset + 17 * usize::try_from(chunk).expect("small"))
                .saturating_sub(4 * length);
            if let Some(sample) = sound.get_mut(at) {
                *sample = if offset % 2 == 0 { 30_000 } else { -20_000 };
            }
        }
    }
    sound
}

/// Two tones and quiet noise.
pub(super) fn tones(hertz: u32, frames: usize) -> Vec<i16> {
    let mut noise = Noise(3);
    let step = TAU / f64::from(hertz);
    (0..frames)
        .map(|n| {
            let at = n as f64 * step;
            let tones = (at * 440.0).sin() + (at * 1_336.0).sin();
            sample(0.3 * tones + 0.01 * noise.next())
        })
        .collect()
}

/// Two legs side by side.
pub(super) fn legs(left: &[i16], right: &[i16]) -> Vec<i16> {
    left.iter().zip(right).flat_map(|(l, r)| [*l, *r]).collect()
}
