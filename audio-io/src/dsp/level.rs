//! Levels: root mean square and peak of each leg. 16-bit samples take a path that vectorises;
//! companded ones go through their table.

use crate::dsp::{LEGS_MAX, for_each_sample};
use crate::format::{Channels, Encoding, StreamFormat};
use crate::units::{CentiDbfs, Frames};

/// The level of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Root mean square, relative to a full-scale square wave.
    pub rms: CentiDbfs,
    /// The sample furthest from zero.
    pub peak: CentiDbfs,
}

impl Level {
    /// Digital silence.
    pub const SILENCE: Self = Self {
        rms: CentiDbfs::SILENCE,
        peak: CentiDbfs::SILENCE,
    };
}

/// What levels are computed from; adding two gives that of both pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Energy {
    /// Sum of the squared 16-bit samples. Enough for 190 hours of full scale at 48 kHz.
    pub sum_squares: u64,
    /// The largest distance from zero, to 32,768.
    pub peak: u32,
    /// Samples.
    pub frames: u64,
}

impl Energy {
    /// The level.
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        reason = "levels are rounded to a hundredth of a decibel"
    )]
    pub fn level(&self) -> Level {
        if self.frames == 0 {
            return Level::SILENCE;
        }
        let mean = self.sum_squares as f64 / self.frames as f64;
        Level {
            rms: CentiDbfs::from_amplitude(mean.sqrt() / 32_768.0),
            peak: CentiDbfs::from_amplitude(f64::from(self.peak) / 32_768.0),
        }
    }

    /// Adds another piece of the same leg.
    pub fn add(&mut self, other: &Self) {
        self.sum_squares = self.sum_squares.saturating_add(other.sum_squares);
        self.peak = self.peak.max(other.peak);
        self.frames += other.frames;
    }
}

/// Measures each leg of a stream.
#[derive(Clone, Debug)]
pub struct LevelMeter {
    format: StreamFormat,
    legs: [Energy; LEGS_MAX],
}

impl LevelMeter {
    /// A meter that has heard nothing.
    #[must_use]
    pub const fn new(format: StreamFormat) -> Self {
        Self {
            format,
            legs: [Energy {
                sum_squares: 0,
                peak: 0,
                frames: 0,
            }; LEGS_MAX],
        }
    }

    /// Hears whole frames; bytes beyond them are ignored.
    pub fn push(&mut self, sound: &[u8]) {
        let heard = energies(sound, self.format);
        for (leg, energy) in self.legs.iter_mut().zip(&heard) {
            leg.add(energy);
        }
    }

    /// Hears silence in place of lost frames. The recording holds silence there too.
    pub fn push_silence(&mut self, frames: Frames) {
        for leg in &mut self.legs[..self.format.channels.count()] {
            leg.frames += frames.0;
        }
    }

    /// The level of each leg so far, the caller's first.
    #[must_use]
    pub fn levels(&self) -> Vec<Level> {
        self.energies().iter().map(Energy::level).collect()
    }

    /// What the levels are computed from, the caller's first.
    #[must_use]
    pub fn energies(&self) -> &[Energy] {
        &self.legs[..self.format.channels.count()]
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        self.legs = [Energy::default(); LEGS_MAX];
    }
}

/// The energy of each leg of a piece of sound; the second is empty for mono.
#[must_use]
pub fn energies(sound: &[u8], format: StreamFormat) -> [Energy; LEGS_MAX] {
    match (format.encoding, format.channels) {
        (Encoding::S16Le, Channels::Mono) => linear::<1>(sound),
        (Encoding::S16Le, Channels::Stereo) => linear::<2>(sound),
        (Encoding::MuLaw | Encoding::ALaw, _) => {
            let mut legs = [Energy::default(); LEGS_MAX];
            for_each_sample(sound, format, |leg, sample| {
                let away = u32::from(sample.unsigned_abs());
                legs[leg].sum_squares += u64::from(away * away);
                legs[leg].peak = legs[leg].peak.max(away);
                legs[leg].frames += 1;
            });
            legs
        }
    }
}

/// 16-bit samples, in lanes that do not depend on each other so that the compiler can use vector
/// registers. Lane n belongs to leg n modulo the legs.
fn linear<const LEGS: usize>(sound: &[u8]) -> [Energy; LEGS_MAX] {
    const LANES: usize = 8;
    let mut sums = [0_u64; LANES];
    let mut peaks = [0_u16; LANES];
    let whole = sound.len() - sound.len() % (2 * LEGS);
    let mut chunks = sound[..whole].chunks_exact(2 * LANES);
    for chunk in &mut chunks {
        for lane in 0..LANES {
            let sample = i16::from_le_bytes([chunk[2 * lane], chunk[2 * lane + 1]]);
            let wide = i32::from(sample);
            sums[lane] += u64::from((wide * wide).unsigned_abs());
            peaks[lane] = peaks[lane].max(sample.unsigned_abs());
        }
    }
    for (lane, sample) in chunks.remainder().chunks_exact(2).enumerate() {
        let sample = i16::from_le_bytes([sample[0], sample[1]]);
        let wide = i32::from(sample);
        sums[lane] += u64::from((wide * wide).unsigned_abs());
        peaks[lane] = peaks[lane].max(sample.unsigned_abs());
    }
    let mut legs = [Energy::default(); LEGS_MAX];
    for lane in 0..LANES {
        let leg = &mut legs[lane % LEGS];
        leg.sum_squares += sums[lane];
        leg.peak = leg.peak.max(u32::from(peaks[lane]));
    }
    for leg in &mut legs[..LEGS] {
        leg.frames = (whole / (2 * LEGS)) as u64;
    }
    legs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::g711::linear_to_alaw;
    use crate::dsp::tone::Tone;
    use crate::units::SampleRate;

    const STEREO: StreamFormat = StreamFormat {
        channels: Channels::Stereo,
        ..StreamFormat::TELEPHONE
    };

    #[test]
    fn a_sine_reads_three_decibels_below_its_peak() {
        let mut meter = LevelMeter::new(StreamFormat::TELEPHONE);
        let sound = Tone::new(SampleRate::TELEPHONE, 440.0, 0.5)
            .bytes(Frames(8_000), StreamFormat::TELEPHONE);
        meter.push(&sound);
        let [level] = meter.levels()[..] else {
            panic!("mono has one leg")
        };
        assert!((level.rms.decibels() + 9.03).abs() < 0.05, "{level:?}");
        assert!((level.peak.decibels() + 6.02).abs() < 0.05, "{level:?}");
    }

    #[test]
    fn legs_are_kept_apart_and_silence_counts() {
        let frames: Vec<u8> = (0..1_000).flat_map(|_| [0xFF, 0x3F, 0x00, 0x80]).collect();
        let mut meter = LevelMeter::new(STEREO);
        meter.push(&frames);
        let levels = meter.levels();
        assert_eq!(
            levels[0].peak,
            CentiDbfs::from_amplitude(16_383.0 / 32_768.0)
        );
        assert_eq!(
            levels[1],
            Level {
                rms: CentiDbfs(0),
                peak: CentiDbfs(0)
            }
        );
        meter.push_silence(Frames(3_000));
        assert_eq!(meter.levels()[1].rms, CentiDbfs::from_amplitude(0.5));
        meter.reset();
        assert_eq!(meter.levels(), vec![Level::SILENCE, Level::SILENCE]);
    }

    #[test]
    fn companded_sound_is_measured_by_its_values() {
        let format = StreamFormat {
            encoding: Encoding::ALaw,
            ..StreamFormat::TELEPHONE
        };
        let legs = energies(&[linear_to_alaw(16_384); 100], format);
        let value =
            u64::from(crate::codec::g711::alaw_to_linear(linear_to_alaw(16_384)).unsigned_abs());
        assert_eq!(legs[0].sum_squares, 100 * value * value);
    }

    proptest! {
        #[test]
        fn the_fast_path_agrees_with_the_plain_one(sound
            in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            for format in [StreamFormat::TELEPHONE, STEREO] {
                let mut plain = [Energy::default(); LEGS_MAX];
                for_each_sample(&sound, format, |leg, sample| {
                    let away = u32::from(sample.unsigned_abs());
                    plain[leg].sum_squares += u64::from(away * away);
                    plain[leg].peak = plain[leg].peak.max(away);
                    plain[leg].frames += 1;
                });
                prop_assert_eq!(energies(&sound, format), plain);
            }
        }
    }
}
