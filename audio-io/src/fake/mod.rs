//! Scripted doubles of sound devices, for this workspace's tests and benchmarks. They are driven
//! by a [`Clock`](crate::clock::Clock), so that with a manual one nothing about them is left to
//! chance: frame *n* of a line always sounds the same and is always there at the same moment.

mod capture;
mod channel;
mod playback;

use std::f64::consts::TAU;
use std::sync::Arc;

pub use capture::{Act, FakeLine};
pub use channel::FakeChannel;
pub use playback::FakeSpeaker;

use crate::codec::g711::put_sample;
use crate::format::StreamFormat;
use crate::units::Frames;

/// What a scripted line sounds like: a pure function of the frame's number since the line began.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Digital silence.
    Silence,
    /// The frame's number, cut to 16 bits; the second leg has its complement. What arrives where
    /// can be told from it (exactly with 16-bit samples).
    Count,
    /// A sine of this frequency in hertz and amplitude (1.0 is full scale), in both legs.
    Tone {
        /// Hertz.
        hertz: f64,
        /// 1.0 is full scale.
        amplitude: f64,
    },
    /// Whole frames in the line's format, over and over. The cheapest one.
    Pcm(Arc<[u8]>),
}

impl Signal {
    /// Appends frames from a number on.
    pub fn render(&self, from: Frames, frames: Frames, format: StreamFormat, out: &mut Vec<u8>) {
        let start = out.len();
        let bytes = usize::try_from(format.bytes_of(frames)).unwrap_or_default();
        out.resize(start + bytes, format.encoding.silence_byte());
        self.fill(from, format, &mut out[start..]);
    }

    /// Fills whole frames from a number on.
    pub(crate) fn fill(&self, from: Frames, format: StreamFormat, out: &mut [u8]) {
        match self {
            Self::Silence => out.fill(format.encoding.silence_byte()),
            Self::Pcm(sound) => fill_looped(sound, format.bytes_of(from), out),
            Self::Count | Self::Tone { .. } => {
                let mut frame = Vec::with_capacity(format.frame_bytes());
                for (n, place) in out.chunks_exact_mut(format.frame_bytes()).enumerate() {
                    frame.clear();
                    for leg in 0..format.channels.count() {
                        let sample = self.sample(from.0 + n as u64, format, leg);
                        put_sample(&mut frame, sample, format.encoding);
                    }
                    place.copy_from_slice(&frame);
                }
            }
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "16 bits are wanted, and positions within a second are exact"
    )]
    fn sample(&self, number: u64, format: StreamFormat, leg: usize) -> i16 {
        match self {
            Self::Count if leg == 0 => (number as u16).cast_signed(),
            Self::Count => !(number as u16).cast_signed(),
            Self::Tone { hertz, amplitude } => {
                let turns = number as f64 * hertz / f64::from(format.rate.hertz());
                (turns.fract() * TAU)
                    .sin()
                    .mul_add(amplitude * 32_767.0, 0.0)
                    .round() as i16
            }
            Self::Silence | Self::Pcm(_) => 0,
        }
    }
}

fn fill_looped(sound: &[u8], from: u64, out: &mut [u8]) {
    if sound.is_empty() {
        out.fill(0);
        return;
    }
    let mut at = usize::try_from(from % sound.len() as u64).unwrap_or_default();
    let mut rest = out;
    while !rest.is_empty() {
        let take = rest.len().min(sound.len() - at);
        let (now, later) = rest.split_at_mut(take);
        now.copy_from_slice(&sound[at..at + take]);
        at = (at + take) % sound.len();
        rest = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Channels;

    #[test]
    fn signals_depend_on_the_frames_number_only() {
        let stereo = StreamFormat {
            channels: Channels::Stereo,
            ..StreamFormat::TELEPHONE
        };
        let pcm = Signal::Pcm((0..=199_u8).collect());
        let tone = Signal::Tone {
            hertz: 440.0,
            amplitude: 0.5,
        };
        for signal in [Signal::Silence, Signal::Count, tone, pcm] {
            let mut whole = Vec::new();
            signal.render(Frames(65_500), Frames(100), stereo, &mut whole);
            let mut pieces = Vec::new();
            signal.render(Frames(65_500), Frames(37), stereo, &mut pieces);
            signal.render(Frames(65_537), Frames(63), stereo, &mut pieces);
            assert_eq!(whole, pieces, "{signal:?}");
            assert_eq!(whole.len(), 400);
        }
        let mut counted = Vec::new();
        Signal::Count.render(Frames(65_537), Frames(1), stereo, &mut counted);
        assert_eq!(counted, [1, 0, 0xFE, 0xFF]);
    }
}
