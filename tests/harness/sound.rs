//! Sound that can be recognised: tones by their frequency, and known noise by its position. The
//! measures are the suite's own, so that an error in the product's cannot hide itself.

use std::f64::consts::TAU;

/// A 16-bit full scale.
const FULL_SCALE: f64 = 32_768.0;
/// How many samples identify a position in known noise beyond doubt.
const FINGERPRINT: usize = 24;

/// A sine.
#[must_use]
pub fn tone(hertz: f64, amplitude: f64, rate: u32, seconds: f64) -> Vec<i16> {
    let count = seconds * f64::from(rate);
    (0..)
        .map(f64::from)
        .take_while(|position| *position < count)
        .map(|position| {
            let phase = TAU * hertz * position / f64::from(rate);
            quantise(amplitude * phase.sin())
        })
        .collect()
}

/// How many sines make a rustle.
const RUSTLE_SINES: u64 = 48;

/// A rustling between 200 and 900 Hz that never repeats itself: the same sound at every sample
/// rate, different at every position and for every `seed`. About -15 dBFS.
#[must_use]
pub fn rustle(seconds: f64, rate: u32, seed: u64) -> Vec<i16> {
    let part = |word: u64| f64::from(noise_at(seed.wrapping_mul(1_000) + word)) / 16_384.0;
    let sines: Vec<(f64, f64)> = (0..RUSTLE_SINES)
        .map(|sine| (200.0 + 700.0 * part(2 * sine), TAU * part(2 * sine + 1)))
        .collect();
    let amplitude = 0.25 / (24.0_f64).sqrt();
    let count = seconds * f64::from(rate);
    (0..)
        .map(f64::from)
        .take_while(|position| *position < count)
        .map(|position| {
            let at = TAU * position / f64::from(rate);
            let sum: f64 = sines
                .iter()
                .map(|(hertz, phase)| (at * hertz + phase).sin())
                .sum();
            quantise(amplitude * sum)
        })
        .collect()
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "clamped to 16 bits before the conversion"
)]
fn quantise(value: f64) -> i16 {
    (value * FULL_SCALE).round().clamp(-32_768.0, 32_767.0) as i16
}

/// The sample of known noise at a position: never silent, different everywhere.
#[must_use]
pub fn noise_at(position: u64) -> i16 {
    // SplitMix64's finaliser: neighbouring positions share nothing.
    let mut word = position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let bits = ((word >> 40) & 0x3FFF) as u16;
    // 1 to 16384: silence in a recording is then surely not part of it.
    i16::try_from(bits + 1).unwrap_or(i16::MAX)
}

/// Known noise from position 0.
#[must_use]
pub fn noise(samples: u64) -> Vec<i16> {
    (0..samples).map(noise_at).collect()
}

/// Where in `known` the sound `heard` begins.
#[must_use]
pub fn find(known: &[i16], heard: &[i16]) -> Option<usize> {
    let needle = heard.get(..FINGERPRINT)?;
    known
        .windows(FINGERPRINT)
        .position(|window| window == needle)
}

/// Samples as bytes, little endian.
#[must_use]
pub fn to_bytes(samples: &[i16]) -> Vec<u8> {
    samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect()
}

/// Bytes as samples, little endian; an odd byte at the end is left out.
#[must_use]
pub fn from_bytes(bytes: &[u8]) -> Vec<i16> {
    bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// One channel of interleaved stereo.
#[must_use]
pub fn leg(samples: &[i16], channel: usize) -> Vec<i16> {
    samples.iter().skip(channel).step_by(2).copied().collect()
}

/// The loud part: from the first to the last sample above `threshold` (of full scale).
#[must_use]
pub fn loud_part(samples: &[i16], threshold: f64) -> &[i16] {
    let loud = |sample: &i16| f64::from(*sample).abs() / FULL_SCALE > threshold;
    let Some(first) = samples.iter().position(loud) else {
        return &[];
    };
    let last = samples.iter().rposition(loud).unwrap_or(first);
    &samples[first..=last]
}

/// Root mean square in dB relative to full scale; a full-scale sine reads -3.01.
#[must_use]
pub fn rms_dbfs(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return -120.0;
    }
    let sum: f64 = samples
        .iter()
        .map(|sample| (f64::from(*sample) / FULL_SCALE).powi(2))
        .sum();
    (10.0 * (sum / lossless(samples.len())).log10()).max(-120.0)
}

/// The frequency of a clean tone, by its rising zero crossings, interpolated.
#[must_use]
pub fn frequency(samples: &[i16], rate: u32) -> Option<f64> {
    let mut first = None;
    let mut last = 0.0;
    let mut periods = 0_u32;
    for (index, pair) in samples.windows(2).enumerate() {
        if pair[0] < 0 && pair[1] >= 0 {
            let (before, after) = (f64::from(pair[0]), f64::from(pair[1]));
            last = lossless(index) + before / (before - after);
            match first {
                None => first = Some(last),
                Some(_) => periods += 1,
            }
        }
    }
    let first = first?;
    (periods > 1).then(|| f64::from(periods) * f64::from(rate) / (last - first))
}

/// The power of one frequency in dB relative to full scale (Goertzel); a full-scale sine of that
/// frequency reads about -3.
#[must_use]
pub fn power_at(samples: &[i16], hertz: f64, rate: u32) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / f64::from(rate)).cos();
    let (mut before, mut latest) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) / FULL_SCALE + coefficient * latest - before;
        before = latest;
        latest = next;
    }
    let magnitude = latest * latest + before * before - coefficient * latest * before;
    let count = lossless(samples.len());
    (10.0 * (2.0 * magnitude / (count * count)).log10()).max(-120.0)
}

pub(crate) fn lossless(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("test sounds are shorter than 2^32 samples"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_measures_as_what_it_is() {
        let samples = tone(440.0, 0.5, 8_000, 2.0);
        assert_eq!(samples.len(), 16_000);
        let measured = frequency(&samples, 8_000).expect("crossings");
        assert!((measured - 440.0).abs() < 0.01, "{measured}");
        assert!(
            (rms_dbfs(&samples) + 9.03).abs() < 0.05,
            "{}",
            rms_dbfs(&samples)
        );
        assert!((power_at(&samples, 440.0, 8_000) + 9.03).abs() < 0.1);
        assert!(power_at(&samples, 1_000.0, 8_000) < -60.0);
    }

    #[test]
    fn noise_is_found_at_its_position_only() {
        let known = noise(100_000);
        assert_eq!(find(&known, &known[77_777..78_000]), Some(77_777));
        assert_eq!(find(&known, &[0; 100]), None);
        assert!(known.iter().all(|sample| *sample != 0));
    }
}
