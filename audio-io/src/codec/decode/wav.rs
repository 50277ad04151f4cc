//! The samples of WAV files. Every sample lies at a place that can be computed, so a seek costs
//! nothing and a read touches only the bytes it gives.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::codec::g711;
use crate::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use crate::codec::probe::ProbeError;
use crate::codec::wav::{self, TAG_ALAW, TAG_FLOAT, TAG_MULAW, TAG_PCM, WavError, WavInfo};
use crate::format::Channels;
use crate::limits::READ_BYTES;
use crate::units::{Frames, SampleRate};

/// How one sample is stored; integers are as wide as their container says, whatever part of it
/// they use (its upper bits, by the format's definition).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    U8,
    S16,
    S24,
    S32,
    F32,
    F64,
    MuLaw,
    ALaw,
}

/// A WAV file's sound.
pub(super) struct WavSource {
    file: File,
    format: PcmFormat,
    layout: Layout,
    frame_bytes: usize,
    data_offset: u64,
    frames: Frames,
    at: Frames,
    raw: Vec<u8>,
}

impl WavSource {
    /// Reads the header.
    pub(super) fn open(file: File) -> Result<Self, DecodeError> {
        let info = wav::parse(&mut &file).map_err(|error| match error {
            WavError::Io(error) => ProbeError::Io(error),
            other => ProbeError::Wav(other),
        })?;
        let channels = match info.fmt.channels {
            1 => Channels::Mono,
            2 => Channels::Stereo,
            other => return Err(ProbeError::Channels(usize::from(other)).into()),
        };
        let rate = SampleRate::new(info.fmt.rate).map_err(ProbeError::Rate)?;
        let layout = layout(&info)?;
        let frame_bytes = usize::from(info.fmt.block_align);
        if frame_bytes != layout.bytes() * channels.count() {
            return Err(ProbeError::Wav(WavError::Format("frame size")).into());
        }
        if info.frames() == Frames::ZERO {
            return Err(ProbeError::NoAudio.into());
        }
        Ok(Self {
            file,
            format: PcmFormat { rate, channels },
            layout,
            frame_bytes,
            data_offset: info.data_offset,
            frames: info.frames(),
            at: Frames::ZERO,
            raw: vec![0; READ_BYTES - READ_BYTES % frame_bytes],
        })
    }
}

impl PcmSource for WavSource {
    fn format(&self) -> PcmFormat {
        self.format
    }

    fn frames(&self) -> Frames {
        self.frames
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        let channels = self.format.channels.count();
        let left = usize::try_from(self.frames.saturating_sub(self.at).0).unwrap_or(usize::MAX);
        let count = (out.len() / channels)
            .min(left)
            .min(self.raw.len() / self.frame_bytes);
        let raw = &mut self.raw[..count * self.frame_bytes];
        let place = self.data_offset + self.at.0 * self.frame_bytes as u64;
        self.file
            .read_exact_at(raw, place)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    DecodeError::Damaged("it was cut while it was read")
                }
                _ => DecodeError::Io(error),
            })?;
        self.layout.decode(raw, &mut out[..count * channels]);
        self.at += Frames(count as u64);
        Ok(count)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        self.at = to.min(self.frames);
        Ok(())
    }
}

fn layout(info: &WavInfo) -> Result<Layout, DecodeError> {
    let sample_bytes = info.fmt.block_align / info.fmt.channels;
    match (info.fmt.tag, sample_bytes) {
        (TAG_PCM, 1) => Ok(Layout::U8),
        (TAG_PCM, 2) => Ok(Layout::S16),
        (TAG_PCM, 3) => Ok(Layout::S24),
        (TAG_PCM, 4) => Ok(Layout::S32),
        (TAG_FLOAT, 4) => Ok(Layout::F32),
        (TAG_FLOAT, 8) => Ok(Layout::F64),
        (TAG_MULAW, 1) => Ok(Layout::MuLaw),
        (TAG_ALAW, 1) => Ok(Layout::ALaw),
        (TAG_PCM | TAG_FLOAT | TAG_MULAW | TAG_ALAW, _) => {
            Err(DecodeError::Unsupported("WAV samples of this width"))
        }
        (other, _) => Err(ProbeError::WavCodec(other).into()),
    }
}

impl Layout {
    const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::MuLaw | Self::ALaw => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Decodes whole samples; `out` is as long as there are samples in `raw`.
    fn decode(self, raw: &[u8], out: &mut [i16]) {
        match self {
            Self::U8 => each(raw, out, |[value]: [u8; 1]| (i16::from(value) - 128) << 8),
            Self::S16 => each(raw, out, i16::from_le_bytes),
            Self::S24 => each(raw, out, |[low, mid, high]: [u8; 3]| {
                upper(i32::from_le_bytes([0, low, mid, high]))
            }),
            Self::S32 => each(raw, out, |bytes| upper(i32::from_le_bytes(bytes))),
            Self::F32 => each(raw, out, |bytes| {
                from_float(f64::from(f32::from_le_bytes(bytes)))
            }),
            Self::F64 => each(raw, out, |bytes| from_float(f64::from_le_bytes(bytes))),
            Self::MuLaw => each(raw, out, |[code]: [u8; 1]| g711::mulaw_to_linear(code)),
            Self::ALaw => each(raw, out, |[code]: [u8; 1]| g711::alaw_to_linear(code)),
        }
    }
}

fn each<const N: usize>(raw: &[u8], out: &mut [i16], decode: impl Fn([u8; N]) -> i16) {
    let (samples, _) = raw.as_chunks::<N>();
    for (sample, bytes) in out.iter_mut().zip(samples) {
        *sample = decode(*bytes);
    }
}

/// The upper half of a wide sample, to the nearest.
pub(super) fn upper(value: i32) -> i16 {
    i16::try_from(value.saturating_add(0x8000) >> 16).unwrap_or(i16::MAX)
}

/// A float sample; 1.0 is full scale. What is not a number is silence.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the conversion saturates, and NaN becomes 0"
)]
pub(super) fn from_float(value: f64) -> i16 {
    (value * 32_768.0).round() as i16
}
