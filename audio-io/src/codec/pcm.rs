//! Samples as every codec gives and takes them: interleaved, 16 bit, one or two channels.

use std::io;

use crate::format::Channels;
use crate::units::{Frames, SampleRate};

/// Rate and channels of interleaved 16-bit samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcmFormat {
    /// Frames a second.
    pub rate: SampleRate,
    /// Samples a frame.
    pub channels: Channels,
}

/// Sound that can be read from any place, as often as wanted, always the same.
pub trait PcmSource: Send {
    /// Rate and channels; they never change.
    fn format(&self) -> PcmFormat;

    /// How many frames there are in all; exact.
    fn frames(&self) -> Frames;

    /// Reads up to `out.len() / channels` frames from where it stands. Returns how many frames
    /// were read; 0 at the end only.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError>;

    /// Goes to a frame, to the sample: what is read next is what reading from the start would
    /// have given there. Past the end is the end.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn seek(&mut self, to: Frames) -> Result<(), DecodeError>;
}

/// Why a file's samples cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file cannot be read.
    #[error("reading the sound: {0}")]
    Io(#[from] io::Error),
    /// It is not what it should be; see [`crate::codec::probe`].
    #[error(transparent)]
    Probe(#[from] super::probe::ProbeError),
    /// Its codec is not one we decode.
    #[error("sound in {0} cannot be decoded")]
    Unsupported(&'static str),
    /// It is damaged.
    #[error("the sound is damaged: {0}")]
    Damaged(&'static str),
}
