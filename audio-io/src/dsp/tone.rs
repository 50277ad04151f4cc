//! Test tones and how to find them again: a sine generator, the amplitude at one frequency
//! (Goertzel's algorithm), and the frequency of a tone by its zero crossings.

use std::f64::consts::TAU;

use crate::codec::g711::put_sample;
use crate::dsp::for_each_sample;
use crate::format::StreamFormat;
use crate::units::{Frames, SampleRate};

/// A sine that goes on where it stopped.
#[derive(Clone, Debug)]
pub struct Tone {
    step: f64,
    amplitude: f64,
    phase: f64,
}

impl Tone {
    /// A sine of this frequency in hertz and this amplitude, 1.0 being full scale.
    #[must_use]
    pub fn new(rate: SampleRate, hertz: f64, amplitude: f64) -> Self {
        Self {
            step: TAU * hertz / f64::from(rate.hertz()),
            amplitude,
            phase: 0.0,
        }
    }

    /// The next sample.
    #[allow(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
    pub fn next_sample(&mut self) -> i16 {
        let value = (self.phase.sin() * self.amplitude * 32_767.0).round();
        self.phase = (self.phase + self.step) % TAU;
        value.clamp(-32_768.0, 32_767.0) as i16
    }

    /// The next frames, the same in each leg.
    #[must_use]
    pub fn bytes(&mut self, frames: Frames, format: StreamFormat) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..frames.0 {
            let sample = self.next_sample();
            for _ in 0..format.channels.count() {
                put_sample(&mut out, sample, format.encoding);
            }
        }
        out
    }
}

/// The samples of one leg as 16-bit values.
#[must_use]
pub fn leg_samples(sound: &[u8], format: StreamFormat, leg: usize) -> Vec<i16> {
    let mut samples = Vec::with_capacity(sound.len() / format.frame_bytes());
    for_each_sample(sound, format, |which, sample| {
        if which == leg {
            samples.push(sample);
        }
    });
    samples
}

/// The amplitude at one frequency in hertz, 1.0 being a full-scale sine. Frequencies nearer than
/// one over the duration are not told apart.
#[must_use]
#[allow(
    clippy::cast_precision_loss,
    reason = "sample counts are far below 2^52"
)]
pub fn amplitude_at(samples: &[i16], rate: SampleRate, hertz: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let omega = TAU * hertz / f64::from(rate.hertz());
    let coefficient = 2.0 * omega.cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power.max(0.0).sqrt() / (samples.len() as f64 * 32_768.0)
}

/// The frequency in hertz of a tone, by its rising zero crossings, or `None` where there are fewer
/// than two. Crossings count only after a swing below a quarter of the peak, so noise adds none.
#[must_use]
#[allow(
    clippy::cast_precision_loss,
    reason = "sample counts are far below 2^52"
)]
pub fn frequency_of(samples: &[i16], rate: SampleRate) -> Option<f64> {
    let peak = samples
        .iter()
        .map(|sample| i32::from(*sample).abs())
        .max()?;
    let low = f64::from(-peak / 4);
    let (mut first, mut last, mut crossings) = (0.0, 0.0, 0_u32);
    let mut armed = false;
    for (n, pair) in samples.windows(2).enumerate() {
        let (a, b) = (f64::from(pair[0]), f64::from(pair[1]));
        armed |= a < low;
        if armed && a <= 0.0 && b > 0.0 {
            last = n as f64 + a / (a - b);
            if crossings == 0 {
                first = last;
            }
            crossings += 1;
            armed = false;
        }
    }
    (crossings > 1).then(|| f64::from(crossings - 1) * f64::from(rate.hertz()) / (last - first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Channels, Encoding};

    #[test]
    fn a_tone_is_found_again_in_every_encoding() {
        for encoding in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
            let format = StreamFormat {
                encoding,
                channels: Channels::Stereo,
                ..StreamFormat::TELEPHONE
            };
            let sound = Tone::new(format.rate, 440.0, 0.25).bytes(Frames(8_000), format);
            let samples = leg_samples(&sound, format, 1);
            assert_eq!(samples.len(), 8_000);
            let hertz = frequency_of(&samples, format.rate).unwrap_or_default();
            assert!((hertz - 440.0).abs() < 0.1, "{encoding}: {hertz}");
            let amplitude = amplitude_at(&samples, format.rate, 440.0);
            assert!((amplitude - 0.25).abs() < 0.003, "{encoding}: {amplitude}");
            assert!(amplitude_at(&samples, format.rate, 1_000.0) < 0.002);
        }
    }

    #[test]
    fn silence_has_no_frequency() {
        assert_eq!(frequency_of(&[0; 100], SampleRate::TELEPHONE), None);
        assert_eq!(frequency_of(&[], SampleRate::TELEPHONE), None);
        assert!(amplitude_at(&[], SampleRate::TELEPHONE, 440.0).abs() < f64::EPSILON);
    }

    #[test]
    fn pieces_join_without_a_jump() {
        let mut pieces = Tone::new(SampleRate::TELEPHONE, 440.0, 0.5);
        let mut joined = pieces.bytes(Frames(123), StreamFormat::TELEPHONE);
        joined.extend(pieces.bytes(Frames(877), StreamFormat::TELEPHONE));
        let whole = Tone::new(SampleRate::TELEPHONE, 440.0, 0.5)
            .bytes(Frames(1_000), StreamFormat::TELEPHONE);
        assert_eq!(joined, whole);
    }
}
