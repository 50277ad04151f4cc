//! Levels, lengths, places and seeks of resampled sound.
#![allow(
    clippy::cast_possible_truncation,
    reason = "computed samples and small places"
)]

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::format::Channels;

/// Samples that lie in memory, given in small and uneven parts.
struct Memory {
    format: PcmFormat,
    samples: Vec<i16>,
    at: usize,
}

impl Memory {
    fn new(hertz: u32, channels: Channels, samples: Vec<i16>) -> Self {
        let rate = SampleRate::new(hertz).expect("a rate");
        Self {
            format: PcmFormat { rate, channels },
            samples,
            at: 0,
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
        let count = (out.len() / channels).min(97) * channels;
        let count = count.min(self.samples.len() - self.at);
        out[..count].copy_from_slice(&self.samples[self.at..self.at + count]);
        self.at += count;
        Ok(count / channels)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        let to = usize::try_from(to.min(self.frames()).0).expect("small");
        self.at = to * self.format.channels.count();
        Ok(())
    }
}

fn tone(hertz: f64, rate: u32, frames: usize) -> Vec<i16> {
    let step = TAU * hertz / f64::from(rate);
    (0..frames)
        .map(|n| to_sample((10_000.0 * (step * n as f64).sin()) as f32))
        .collect()
}

fn rest(source: &mut dyn PcmSource) -> Vec<i16> {
    let channels = source.format().channels.count();
    let mut sound = Vec::new();
    let mut part = vec![0; 313 * channels];
    loop {
        match source.read(&mut part).expect("sound") {
            0 => return sound,
            frames => sound.extend_from_slice(&part[..frames * channels]),
        }
    }
}

fn resampled(from: u32, to: u32, samples: Vec<i16>) -> Vec<i16> {
    let mut source = Memory::new(from, Channels::Mono, samples);
    let to = SampleRate::new(to).expect("a rate");
    let mut resampled = Resampled::new(&mut source, to).expect("a filter");
    let sound = rest(&mut resampled);
    assert_eq!(resampled.frames().0, sound.len() as u64);
    sound
}

fn decibels(power: f64, reference: f64) -> f64 {
    10.0 * (power.max(1e-9) / reference).log10()
}

#[test]
fn a_tone_stays_where_and_what_it_was() {
    for (from, to) in [
        (8_000, 48_000),
        (48_000, 8_000),
        (8_000, 11_025),
        (44_100, 48_000),
        (48_000, 44_100),
        (8_001, 11_025),
        (16_000, 24_000),
        (22_050, 8_000),
        (47_999, 48_000),
    ] {
        let seconds = 5;
        let sound = resampled(from, to, tone(1_000.0, from, seconds * from as usize));
        let wanted = tone(1_000.0, to, seconds * to as usize);
        assert_eq!(sound.len(), wanted.len(), "{from} to {to}");
        // The edges ring: the tone begins and ends at once.
        let inner = to as usize..(seconds - 1) * to as usize;
        let error: f64 = inner
            .clone()
            .map(|n| (f64::from(sound[n]) - f64::from(wanted[n])).powi(2))
            .sum();
        let power: f64 = inner.map(|n| f64::from(wanted[n]).powi(2)).sum();
        let error = decibels(error, power);
        assert!(error < -80.0, "{from} to {to}: {error:.1} dB");
    }
}

#[test]
fn what_the_lower_rate_cannot_hold_is_gone() {
    let sound = resampled(48_000, 8_000, tone(4_200.0, 48_000, 96_000));
    let power: f64 = sound[2_000..14_000]
        .iter()
        .map(|s| f64::from(*s).powi(2))
        .sum();
    let level = decibels(power / 12_000.0, 10_000.0_f64.powi(2) / 2.0);
    assert!(level < -80.0, "{level:.1} dB of a tone that should be gone");
    let images = resampled(8_000, 48_000, tone(3_400.0, 8_000, 16_000));
    let alone = tone(3_400.0, 48_000, 96_000);
    let error: f64 = (20_000..76_000)
        .map(|n| (f64::from(images[n]) - f64::from(alone[n])).powi(2))
        .sum();
    let level = decibels(error / 56_000.0, 10_000.0_f64.powi(2) / 2.0);
    assert!(level < -80.0, "{level:.1} dB of images");
}

#[test]
fn the_legs_stay_apart() {
    let samples = tone(700.0, 8_000, 8_000)
        .into_iter()
        .flat_map(|s| [s, 0])
        .collect();
    let mut source = Memory::new(8_000, Channels::Stereo, samples);
    let to = SampleRate::new(48_000).expect("a rate");
    let sound = rest(&mut Resampled::new(&mut source, to).expect("a filter"));
    assert_eq!(sound.len(), 96_000);
    assert!(sound.chunks(2).all(|frame| frame[1] == 0));
    assert!(sound.chunks(2).any(|frame| frame[0] > 9_000));
}

#[test]
fn full_scale_does_not_wrap() {
    let square = (0..8_000).map(|n| if n / 40 % 2 == 0 { i16::MAX } else { i16::MIN });
    let sound = resampled(8_000, 16_000, square.collect());
    let wrapped = sound
        .windows(2)
        .filter(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs() > 60_000);
    assert_eq!(wrapped.count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_seek_gives_what_reading_from_the_start_gives(
        from in prop::sample::select(vec![8_000_u32, 11_025, 16_000, 44_100, 48_000]),
        to in prop::sample::select(vec![8_000_u32, 12_000, 16_000, 24_000, 44_100, 48_000]),
        frames in 0_usize..9_000,
        places in prop::collection::vec(0.0..1.1_f64, 1..6),
        seed: u32,
    ) {
        let mut state = seed;
        let samples = (0..frames).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        }).collect();
        let mut source = Memory::new(from, Channels::Mono, samples);
        let rate = SampleRate::new(to)?;
        let length = (frames as u64 * u64::from(to) * 2 + u64::from(from)) / (2 * u64::from(from));
        let mut resampled = Resampled::new(&mut source, rate)?;
        prop_assert_eq!(resampled.frames(), Frames(length));
        let whole = rest(&mut resampled);
        prop_assert_eq!(whole.len() as u64, length);
        for place in places {
            let place = (length as f64 * place) as usize;
            resampled.seek(Frames(place as u64))?;
            let tail = &whole[place.min(whole.len())..];
            let mut part = vec![0; 50];
            let got = resampled.read(&mut part)?;
            prop_assert_eq!(&part[..got], &tail[..got]);
            prop_assert!(got > 0 || tail.is_empty());
        }
    }
}
