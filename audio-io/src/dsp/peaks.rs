//! Waveform peaks: the lowest and highest sample of each leg over every so many frames, and the
//! sidecar file that keeps them. Drawing them is a browser's business.
//!
//! The sidecar, all numbers little endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `CRPK` |
//! | 4 | 1 | version: 1 |
//! | 5 | 1 | legs: 1 or 2 |
//! | 6 | 2 | zero |
//! | 8 | 4 | rate in hertz |
//! | 12 | 4 | frames a peak covers (the last may cover fewer) |
//! | 16 | 8 | frames of the whole recording |
//! | 24 | 4 | peaks a leg |
//! | 28 | 4 | zero |
//! | 32 | 2 × legs × peaks | for each peak, each leg: lowest, highest; signed, in 128ths |

use crate::dsp::{LEGS_MAX, for_each_sample};
use crate::format::StreamFormat;
use crate::limits::PEAKS_MAX;
use crate::units::{Frames, RateOutOfRange, SampleRate};

/// Frames one peak covers where nothing else is asked: 32 ms at 8 kHz.
pub const FRAMES_PER_PEAK: u32 = 256;

const MAGIC: &[u8; 4] = b"CRPK";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 32;

/// The lowest and the highest sample, in 128ths of full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// The lowest, rounded down.
    pub low: i8,
    /// The highest, rounded up where that fits.
    pub high: i8,
}

/// The peaks of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peaks {
    /// Frames a second.
    pub rate: SampleRate,
    /// One leg or two.
    pub legs: usize,
    /// Frames a peak covers.
    pub frames_per_peak: u32,
    /// The length of the recording.
    pub frames: Frames,
    /// For each stretch of frames, for each leg.
    pub pairs: Vec<Peak>,
}

/// A sidecar that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeaksError {
    /// It does not begin with the magic number, or is shorter than its header.
    #[error("not a peaks file")]
    NotPeaks,
    /// A later version wrote it.
    #[error("peaks file of version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// A field of the header is impossible.
    #[error("peaks file with an impossible {0}")]
    Field(&'static str),
    /// The rate is out of range.
    #[error("peaks file: {0}")]
    Rate(#[from] RateOutOfRange),
    /// It is shorter or longer than its header says.
    #[error("peaks file of {actual} bytes instead of {expected}")]
    Length {
        /// What the header says.
        expected: u64,
        /// What there is.
        actual: u64,
    },
}

impl Peaks {
    /// The sidecar's bytes.
    ///
    /// # Errors
    /// [`PeaksError::Field`] when there are more peaks than a sidecar may hold, or the parts do
    /// not fit together.
    pub fn encode(&self) -> Result<Vec<u8>, PeaksError> {
        if self.legs == 0 || self.legs > LEGS_MAX {
            return Err(PeaksError::Field("number of legs"));
        }
        let count = u32::try_from(self.pairs.len() / self.legs)
            .ok()
            .filter(|count| *count <= PEAKS_MAX && self.pairs.len().is_multiple_of(self.legs))
            .ok_or(PeaksError::Field("number of peaks"))?;
        let mut out = Vec::with_capacity(HEADER_BYTES + 2 * self.pairs.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[VERSION, if self.legs == 2 { 2 } else { 1 }, 0, 0]);
        out.extend_from_slice(&self.rate.hertz().to_le_bytes());
        out.extend_from_slice(&self.frames_per_peak.to_le_bytes());
        out.extend_from_slice(&self.frames.0.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for peak in &self.pairs {
            out.extend_from_slice(&[peak.low.cast_unsigned(), peak.high.cast_unsigned()]);
        }
        Ok(out)
    }

    /// Reads a sidecar.
    ///
    /// # Errors
    /// [`PeaksError`] when the bytes are not exactly a sidecar. Peaks can be computed again.
    pub fn decode(bytes: &[u8]) -> Result<Self, PeaksError> {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(PeaksError::NotPeaks);
        };
        if &header[..4] != MAGIC {
            return Err(PeaksError::NotPeaks);
        }
        if header[4] != VERSION {
            return Err(PeaksError::Version(header[4]));
        }
        let legs = usize::from(header[5]);
        if legs == 0 || legs > LEGS_MAX {
            return Err(PeaksError::Field("number of legs"));
        }
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let rate = SampleRate::new(word(8))?;
        let frames_per_peak = word(12);
        if frames_per_peak == 0 {
            return Err(PeaksError::Field("number of frames a peak"));
        }
        let frames = Frames(u64::from(word(16)) | u64::from(word(20)) << 32);
        let count = word(24);
        if count > PEAKS_MAX || u64::from(count) != frames.0.div_ceil(u64::from(frames_per_peak)) {
            return Err(PeaksError::Field("number of peaks"));
        }
        let expected = u64::from(count) * 2 * legs as u64;
        if body.len() as u64 != expected {
            return Err(PeaksError::Length {
                expected: expected + HEADER_BYTES as u64,
                actual: bytes.len() as u64,
            });
        }
        let pairs = body
            .chunks_exact(2)
            .map(|pair| Peak {
                low: pair[0].cast_signed(),
                high: pair[1].cast_signed(),
            })
            .collect();
        Ok(Self {
            rate,
            legs,
            frames_per_peak,
            frames,
            pairs,
        })
    }
}

/// Collects the peaks of a stream.
#[derive(Clone, Debug)]
pub struct PeakMeter {
    format: StreamFormat,
    per_peak: u32,
    filled: u32,
    low: [i16; LEGS_MAX],
    high: [i16; LEGS_MAX],
    frames: Frames,
    pairs: Vec<Peak>,
}

impl PeakMeter {
    /// A meter at the start of a recording. Zero frames a peak count as one.
    #[must_use]
    pub const fn new(format: StreamFormat, frames_per_peak: u32) -> Self {
        let per_peak = if frames_per_peak == 0 {
            1
        } else {
            frames_per_peak
        };
        Self {
            format,
            per_peak,
            filled: 0,
            low: [i16::MAX; LEGS_MAX],
            high: [i16::MIN; LEGS_MAX],
            frames: Frames::ZERO,
            pairs: Vec::new(),
        }
    }

    /// Sees whole frames; bytes beyond them are ignored.
    pub fn push(&mut self, sound: &[u8]) {
        let frame_bytes = self.format.frame_bytes();
        let mut rest = &sound[..sound.len() - sound.len() % frame_bytes];
        while !rest.is_empty() {
            let room = (self.per_peak - self.filled) as usize;
            let take = room.saturating_mul(frame_bytes).min(rest.len());
            let (piece, after) = rest.split_at(take);
            let (low, high) = (&mut self.low, &mut self.high);
            for_each_sample(piece, self.format, |leg, sample| {
                low[leg] = low[leg].min(sample);
                high[leg] = high[leg].max(sample);
            });
            self.advance(take / frame_bytes);
            rest = after;
        }
    }

    /// The peaks so far; the last may cover fewer frames.
    #[must_use]
    pub fn finish(mut self) -> Peaks {
        if self.filled > 0 {
            self.close();
        }
        Peaks {
            rate: self.format.rate,
            legs: self.format.channels.count(),
            frames_per_peak: self.per_peak,
            frames: self.frames,
            pairs: self.pairs,
        }
    }

    fn advance(&mut self, frames: usize) {
        self.frames += Frames(frames as u64);
        self.filled += u32::try_from(frames).unwrap_or(u32::MAX);
        if self.filled >= self.per_peak {
            self.close();
        }
    }

    fn close(&mut self) {
        for leg in 0..self.format.channels.count() {
            self.pairs.push(Peak {
                low: floor(self.low[leg]),
                high: ceiling(self.high[leg]),
            });
        }
        self.filled = 0;
        self.low = [i16::MAX; LEGS_MAX];
        self.high = [i16::MIN; LEGS_MAX];
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a 256th of 16 bits is 8 bits"
)]
const fn floor(sample: i16) -> i8 {
    (sample >> 8) as i8
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a 256th of 16 bits is 8 bits, and 128 is cut"
)]
const fn ceiling(sample: i16) -> i8 {
    let up = (sample as i32 + 255) >> 8;
    if up > 127 { 127 } else { up as i8 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::Channels;

    #[test]
    fn lows_and_highs_of_each_leg() {
        let format = StreamFormat {
            channels: Channels::Stereo,
            ..StreamFormat::TELEPHONE
        };
        let mut meter = PeakMeter::new(format, 2);
        let frames: [[i16; 2]; 3] = [[256, -1], [-512, 32_767], [1, 0]];
        let bytes: Vec<u8> = frames
            .iter()
            .flatten()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        meter.push(&bytes[..3]);
        meter.push(&bytes[..4]);
        meter.push(&bytes[4..]);
        let peaks = meter.finish();
        assert_eq!(peaks.frames, Frames(3));
        let expected = [(-2, 1), (-1, 127), (0, 1), (0, 0)];
        let pairs: Vec<_> = peaks
            .pairs
            .iter()
            .map(|peak| (peak.low, peak.high))
            .collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn damaged_sidecars_are_refused() {
        let mut meter = PeakMeter::new(StreamFormat::TELEPHONE, 256);
        meter.push(&[7; 20_000]);
        let good = meter.finish().encode().unwrap_or_default();
        assert!(Peaks::decode(&good).is_ok());
        assert_eq!(Peaks::decode(&good[..31]), Err(PeaksError::NotPeaks));
        let cut = Peaks::decode(&good[..good.len() - 1]);
        assert!(matches!(cut, Err(PeaksError::Length { .. })), "{cut:?}");
        for (at, value) in [(0, 0), (4, 2), (5, 3), (8, 1), (12, 1), (16, 0), (27, 0xFF)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert!(Peaks::decode(&bad).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            sound in prop::collection::vec(any::<u8>(), 0..2_000), per_peak in 1_u32..300,
            cut in 0_usize..2_000,
        ) {
            let mut meter = PeakMeter::new(StreamFormat::TELEPHONE, per_peak);
            let cut = cut.min(sound.len()) & !1;
            meter.push(&sound[..cut]);
            meter.push(&sound[cut..]);
            let peaks = meter.finish();
            let bytes = peaks.encode()?;
            prop_assert_eq!(Peaks::decode(&bytes)?, peaks);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _refused_or_not = Peaks::decode(&bytes);
        }
    }
}
