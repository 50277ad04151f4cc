//! What a stream of samples looks like: encoding, channels and rate together.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Frames, SampleRate};

/// How one sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// 16-bit signed integer, little endian.
    #[serde(rename = "pcm16")]
    S16Le,
    /// ITU-T G.711 µ-law.
    #[serde(rename = "mulaw")]
    MuLaw,
    /// ITU-T G.711 A-law.
    #[serde(rename = "alaw")]
    ALaw,
}

impl Encoding {
    /// Bytes a sample takes.
    #[must_use]
    pub const fn sample_bytes(self) -> usize {
        match self {
            Self::S16Le => 2,
            Self::MuLaw | Self::ALaw => 1,
        }
    }

    /// The byte that, repeated, is digital silence.
    #[must_use]
    pub const fn silence_byte(self) -> u8 {
        match self {
            Self::S16Le => 0x00,
            Self::MuLaw => 0xFF,
            Self::ALaw => 0xD5,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S16Le => "pcm16",
            Self::MuLaw => "mulaw",
            Self::ALaw => "alaw",
        })
    }
}

/// One leg, or two legs side by side: left is the caller, right the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Both parties mixed, or one party alone.
    Mono,
    /// Left the caller, right the agent.
    Stereo,
}

impl Channels {
    /// How many channels.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

/// Encoding, channels and rate of a stream. Samples of a frame are interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamFormat {
    /// Frames a second.
    pub rate: SampleRate,
    /// How a sample is stored.
    pub encoding: Encoding,
    /// One leg or two.
    pub channels: Channels,
}

impl StreamFormat {
    /// 8 kHz, 16 bit, one leg.
    pub const TELEPHONE: Self = Self {
        rate: SampleRate::TELEPHONE,
        encoding: Encoding::S16Le,
        channels: Channels::Mono,
    };

    /// Bytes a frame takes.
    #[must_use]
    pub const fn frame_bytes(self) -> usize {
        self.encoding.sample_bytes() * self.channels.count()
    }

    /// Bytes a number of frames takes.
    #[must_use]
    pub const fn bytes_of(self, frames: Frames) -> u64 {
        frames.0 * self.frame_bytes() as u64
    }

    /// The whole frames in a number of bytes.
    #[must_use]
    pub const fn frames_in(self, bytes: u64) -> Frames {
        Frames(bytes / self.frame_bytes() as u64)
    }

    /// Bytes a second of sound takes.
    #[must_use]
    pub const fn bytes_per_second(self) -> u64 {
        self.rate.hertz() as u64 * self.frame_bytes() as u64
    }
}

impl fmt::Display for StreamFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = match self.channels {
            Channels::Mono => "mono",
            Channels::Stereo => "stereo",
        };
        write!(f, "{} {channels} {}", self.encoding, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_arithmetic_is_consistent() {
        let stereo = StreamFormat {
            channels: Channels::Stereo,
            ..StreamFormat::TELEPHONE
        };
        assert_eq!(stereo.frame_bytes(), 4);
        assert_eq!(stereo.bytes_of(Frames(160)), 640);
        assert_eq!(stereo.frames_in(643), Frames(160));
        assert_eq!(stereo.bytes_per_second(), 32_000);
        assert_eq!(stereo.to_string(), "pcm16 stereo 8000 Hz");
    }
}
