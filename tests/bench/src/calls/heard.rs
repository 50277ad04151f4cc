//! What was heard on a line of the metered rig (`tests/rigs/metered_pcm.c`), and when it changed.

use std::path::Path;

/// The sound of one line, and when its samples were heard.
pub(crate) struct Heard {
    /// Monotonic nanoseconds and the sample that was heard then, for each start of the device.
    starts: Vec<(u64, usize)>,
    samples: Vec<i16>,
}

/// What a command makes of the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It falls silent.
    Silence,
    /// It begins.
    Sound,
    /// It is the second half of the prompt ...
    Second,
    /// ... or the first.
    First,
}

impl Heard {
    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        let bytes = std::fs::read(path)?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Self {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8).and_then(|some| some.try_into().ok());
            u64::from_ne_bytes(bytes.unwrap_or_default())
        };
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let starts = (0..place(number(0)).min(STARTS_MAX))
            .map(|index| (number(8 + 16 * index), place(number(16 + 16 * index))))
            .collect();
        let samples = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let pairs = samples.chunks_exact(2);
        Self {
            starts,
            samples: pairs
                .map(|pair| i16::from_ne_bytes([pair[0], pair[1]]))
                .collect(),
        }
    }

    /// How long after `from` (monotonic nanoseconds) the effect was heard, in milliseconds; `None`
    /// when it was not within [`WITHIN_MS`], or had been there already.
    #[allow(clippy::cast_precision_loss, reason = "seconds of samples")]
    pub(crate) fn after(&self, from: u64, effect: Effect) -> Option<f64> {
        let (at, first) = *self.starts.iter().rev().find(|(at, _)| *at <= from)?;
        let since = from - at;
        let from_sample = first + usize::try_from(since * 8 / 1_000_000).ok()?;
        let window = self.samples.get(from_sample..)?;
        let window = &window[..window.len().min(WITHIN_MS * 8)];
        if is(effect, window.get(..WINDOW)?) {
            return None;
        }
        let changed = window.windows(WINDOW).position(|piece| is(effect, piece))?;
        let begins = match effect {
            // All of the piece is silent.
            Effect::Silence => changed,
            // Its last sample is the first that sounds.
            Effect::Sound => changed + WINDOW - 1,
            // Half of it has changed.
            Effect::First | Effect::Second => changed + WINDOW / 2,
        };
        let since_start = (from_sample - first + begins) as f64 / 8.0;
        Some(since_start - since as f64 / 1e6)
    }
}

fn is(effect: Effect, piece: &[i16]) -> bool {
    let sounds = || piece.iter().any(|sample| sample.unsigned_abs() > LOUD);
    let second = || power(piece, 500.0) > power(piece, 1_000.0);
    match effect {
        Effect::Silence => !sounds(),
        Effect::Sound => sounds(),
        Effect::First => sounds() && !second(),
        Effect::Second => sounds() && second(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "tens of samples")]
fn power(piece: &[i16], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (index, sample) in piece.iter().enumerate() {
        let phase = std::f64::consts::TAU * hertz * index as f64 / 8_000.0;
        re += f64::from(*sample) * phase.cos();
        im += f64::from(*sample) * phase.sin();
    }
    re * re + im * im
}

/// The prompt that these effects can be told from: half a minute of 1000 Hz, then one of 500 Hz,
/// as a WAV file of 8 kHz.
pub(crate) fn prompt() -> Vec<u8> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "below 16 bits; a minute of samples"
    )]
    let sample = |index: usize| {
        let hertz = if index < HALF_SECONDS * 8_000 {
            1_000.0
        } else {
            500.0
        };
        let phase = std::f64::consts::TAU * hertz * index as f64 / 8_000.0;
        (phase.sin() * 12_000.0) as i16
    };
    let samples = 2 * HALF_SECONDS * 8_000;
    let size = u32::try_from(2 * samples).unwrap_or_default();
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(size + 36).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&size.to_le_bytes());
    for index in 0..samples {
        wav.extend_from_slice(&sample(index).to_le_bytes());
    }
    wav
}

/// Each half of the prompt.
pub(crate) const HALF_SECONDS: usize = 30;

/// An effect later than this is none.
const WITHIN_MS: usize = 1_500;

/// 4 ms: two turns of the slower tone.
const WINDOW: usize = 32;

/// Below -56 dBFS nothing is heard.
const LOUD: u16 = 50;

const HEADER_BYTES: usize = 16_384;
const STARTS_MAX: usize = 1_023;

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that started at 1 s, with a second of each of these sounds.
    fn heard(sounds: &[f64]) -> Heard {
        let mut samples = Vec::new();
        for hertz in sounds {
            samples.extend((0..8_000).map(|index| {
                let phase = std::f64::consts::TAU * hertz * f64::from(index) / 8_000.0;
                #[allow(clippy::cast_possible_truncation, reason = "below 16 bits")]
                let sample = (phase.sin() * 12_000.0) as i16;
                sample
            }));
        }
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&1_u64.to_ne_bytes());
        bytes[8..16].copy_from_slice(&1_000_000_000_u64.to_ne_bytes());
        bytes.extend(samples.iter().flat_map(|sample: &i16| sample.to_ne_bytes()));
        Heard::parse(&bytes)
    }

    #[test]
    fn effects_are_timed_from_the_command() {
        let heard = heard(&[1_000.0, 0.0, 1_000.0, 500.0, 1_000.0]);
        let near = |from_ms: u64, effect, wanted: f64| {
            let after = heard.after(from_ms * 1_000_000, effect);
            assert!(
                after.is_some_and(|after| (after - wanted).abs() < 2.5),
                "{from_ms} ms, {effect:?}: {after:?}"
            );
        };
        near(1_960, Effect::Silence, 40.0);
        near(2_970, Effect::Sound, 30.0);
        near(3_950, Effect::Second, 50.0);
        near(4_990, Effect::First, 10.0);
        assert_eq!(heard.after(2_100_000_000, Effect::Silence), None);
        assert_eq!(heard.after(500_000_000, Effect::Sound), None);
        assert_eq!(heard.after(5_100_000_000, Effect::Silence), None);
    }

    #[test]
    fn the_prompt_has_two_halves() {
        let wav = prompt();
        assert_eq!(wav.len(), 44 + 4 * HALF_SECONDS * 8_000);
    }
}
