//! MP3 at a constant bit rate whose every piece can be made for itself: exact length in closed
//! form, fixed chunks, each with warm-up frames that are thrown away.
//!
//! ```text
//!  file       | Info |  chunk 0   |        chunk 1        |        chunk 2       …
//!  encoders          |kept                               |
//!               warm ▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔ahead
//!                           warm ▔▔▔|kept                 |▔ahead
//!                                                  warm ▔▔▔|kept                …
//! ```
//!
//! Each chunk has its own encoder, which begins [`MP3_WARM_UP_FRAMES`] frames before the chunk (in
//! silence, before the sound's start) and hears the sound after it as far as coding its last frame
//! takes. Why nobody hears the seams:
//!
//! - Without bit reservoir (`main_data_begin` is 0 in every frame) a frame is decoded from its own
//!   bytes; what joins neighbours is the overlap of their transforms alone.
//! - The overlap cancels where both sides use windows that fit. LAME's choice of windows looks at
//!   the granule, the one before and the one after, so after a few granules every encoder makes
//!   the same choice at the same place. `tests` holds chunks against the encoders before and after
//!   them, and against one that made everything.
//! - What LAME would remember for long, its threshold of hearing, is held still; see `lame`.
//!
//! Padding, where the rate does not divide the bytes, follows LAME's own arithmetic from a chunk's
//! first warm-up frame on. It repeats every 49 frames at all rates of the 44.1 kHz family and
//! does not occur at others; chunks are multiples of 49 frames long, so the whole file pads like
//! one encoder that began with the warm-up frames.

mod info;
mod lame;
mod settings;

use std::ops::Range;

use super::encode::EncodeError;
use super::pcm::{DecodeError, PcmFormat, PcmSource};
use super::resample::{Resampled, resampled_frames};
use crate::format::Channels;
use crate::limits::{MP3_CHUNK_FRAMES, MP3_FIRST_CHUNK_FRAMES, MP3_WARM_UP_FRAMES};
use crate::units::Frames;
use info::Info;
use lame::Lame;
use settings::Settings;

/// Frames of sound between an encoder's input and output, as LAME counts them (`ENCDELAY`).
const DELAY: u64 = 576;

/// Frames of sound that LAME wants at least after the source's last (`POSTDELAY` less `DELAY`),
/// so that a decoder's own delay is covered.
const PADDING_MIN: u64 = 576;

/// What the file begins with: an ID3v2.3 tag (id3.org, sections 3.1 and 4.2.1) that names the
/// program (TSSE). Checkers complain of files without any tag.
const TAG: &[u8] = b"ID3\x03\x00\x00\x00\x00\x00\x13\
    TSSE\x00\x00\x00\x09\x00\x00\x00Callreel";
const TAG_BYTES: u64 = TAG.len() as u64;

/// Frames of sound, beyond those it codes, that LAME wants before it gives a frame.
const LOOK_AHEAD: u64 = 224;

/// What an MP3 of so much sound looks like before it is made.
#[derive(Clone, Debug)]
pub struct Mp3Layout {
    source: PcmFormat,
    settings: Settings,
    /// The sound, at the rate that it is coded at.
    sound: Frames,
    /// MP3 frames, without the Info frame.
    mp3_frames: u64,
}

impl Mp3Layout {
    /// The lay-out of `frames` frames of sound.
    #[must_use]
    pub fn new(format: PcmFormat, frames: Frames) -> Self {
        let settings = Settings::of(format);
        let sound = resampled_frames(frames, format.rate, settings.rate);
        let mp3_frames = (sound.0 + DELAY + PADDING_MIN).div_ceil(settings.frame_samples());
        Self {
            source: format,
            settings,
            sound,
            mp3_frames,
        }
    }

    /// Length of the whole file in bytes, exact.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.place_of(self.mp3_frames)
    }

    /// Rate and channels that decoding the file gives.
    #[must_use]
    pub fn coded_format(&self) -> PcmFormat {
        PcmFormat {
            rate: self.settings.rate,
            channels: self.source.channels,
        }
    }

    /// How much sound decoding the file gives, at the coded rate.
    #[must_use]
    pub fn coded_frames(&self) -> Frames {
        self.sound
    }

    /// Bits a second.
    #[must_use]
    pub fn bit_rate(&self) -> u32 {
        1_000 * self.settings.kilobits
    }

    /// How many chunks the file has; the first begins with the tag and the Info frame.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        let others = self.mp3_frames.saturating_sub(MP3_FIRST_CHUNK_FRAMES);
        1 + others.div_ceil(MP3_CHUNK_FRAMES)
    }

    /// Which bytes of the file a chunk is; empty, at the file's end, past the last.
    #[must_use]
    pub fn bytes_of(&self, chunk: u64) -> Range<u64> {
        let frames = self.frames_of(chunk);
        let start = if chunk == 0 {
            0
        } else {
            self.place_of(frames.start)
        };
        start..self.place_of(frames.end)
    }

    /// The chunk a byte lies in; the last for bytes past the end.
    #[must_use]
    pub fn chunk_at(&self, byte: u64) -> u64 {
        let (mut low, mut high) = (0, self.chunks() - 1);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if self.bytes_of(middle).start <= byte {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    /// Makes one chunk; always the same bytes, whatever was made before.
    ///
    /// # Errors
    /// [`EncodeError`]: the source cannot be read or is not what the lay-out was made for, LAME
    /// fails, or `chunk` is not below [`Self::chunks`].
    pub fn encode_chunk(
        &self,
        source: &mut dyn PcmSource,
        chunk: u64,
    ) -> Result<Vec<u8>, EncodeError> {
        if source.format() != self.source {
            return Err(failure("the sound has another format than the lay-out"));
        }
        if chunk >= self.chunks() {
            return Err(failure("there is no such chunk"));
        }
        let frames = self.frames_of(chunk);
        let mut bytes = if chunk == 0 {
            let mut front = TAG.to_vec();
            front.extend_from_slice(&self.info_frame());
            front
        } else {
            Vec::new()
        };
        if self.source.rate == self.settings.rate {
            self.encode_frames(source, frames, &mut bytes)?;
        } else {
            let mut source = Resampled::new(source, self.settings.rate)?;
            self.encode_frames(&mut source, frames, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Encodes MP3 frames behind `out`.
    fn encode_frames(
        &self,
        source: &mut dyn PcmSource,
        frames: Range<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if source.frames() != self.sound {
            return Err(failure("the sound has another length than the lay-out"));
        }
        let settings = &self.settings;
        let count = MP3_WARM_UP_FRAMES + frames.end - frames.start;
        let warm_up = settings.frame_bytes() * MP3_WARM_UP_FRAMES
            + settings.padding_bytes(MP3_WARM_UP_FRAMES);
        let all = settings.frame_bytes() * count + settings.padding_bytes(count);
        let mut lame = Lame::new(settings)?;
        let mut input = Window::new(source, settings, frames.start)?;
        let mut coded = Vec::with_capacity(usize::try_from(all).unwrap_or_default());
        let mut left = count * settings.frame_samples() + LOOK_AHEAD;
        while left > 0 {
            let part = left.min(WINDOW_FRAMES as u64);
            lame.encode(input.next(part)?, &mut coded)?;
            left -= part;
        }
        match usize::try_from(warm_up) {
            Ok(warm_up) if coded.len() as u64 == all => out.extend_from_slice(&coded[warm_up..]),
            _ => return Err(failure("frames of unexpected lengths")),
        }
        Ok(())
    }

    fn info_frame(&self) -> Vec<u8> {
        let coded = self.mp3_frames * self.settings.frame_samples();
        let padding = coded - DELAY - self.sound.0;
        let info = Info {
            frames: self.mp3_frames,
            file_bytes: self.size_bytes() - TAG_BYTES,
            delay: u16::try_from(DELAY).unwrap_or_default(),
            padding: u16::try_from(padding).unwrap_or_default(),
        };
        info::frame(&self.settings, &info, |frame| {
            self.place_of(frame) - TAG_BYTES
        })
    }

    /// Where an MP3 frame begins in the file; that of the frame after the last is its end.
    fn place_of(&self, frame: u64) -> u64 {
        let settings = &self.settings;
        let padding = settings.padding_bytes(MP3_WARM_UP_FRAMES + frame)
            - settings.padding_bytes(MP3_WARM_UP_FRAMES);
        TAG_BYTES + settings.frame_bytes() * (1 + frame) + padding
    }

    /// The MP3 frames of a chunk, the Info frame not counted.
    fn frames_of(&self, chunk: u64) -> Range<u64> {
        let start_of = |chunk: u64| match chunk.checked_sub(1) {
            None => 0,
            Some(before) => before
                .saturating_mul(MP3_CHUNK_FRAMES)
                .saturating_add(MP3_FIRST_CHUNK_FRAMES)
                .min(self.mp3_frames),
        };
        start_of(chunk)..start_of(chunk.saturating_add(1))
    }
}

/// Names the encoder, its version and its settings: part of every entity tag, so that another
/// encoder's bytes never pass for this one's.
#[must_use]
pub fn encoder_id() -> String {
    // The last number grows with every change of settings, lay-out, Info frame or resampler.
    let (version, machine) = (lame::version(), std::env::consts::ARCH);
    format!("lame-{version}-q{}-2-{machine}", lame::QUALITY)
}

/// Frames of sound handed to LAME at once.
const WINDOW_FRAMES: usize = 4 * 1_152;

/// The sound around a chunk, from before it on: silence where there is none.
struct Window<'a> {
    source: &'a mut dyn PcmSource,
    channels: Channels,
    /// Silence still to be given before the sound.
    silence: u64,
    samples: Vec<i16>,
}

impl<'a> Window<'a> {
    /// Begins the warm-up before an MP3 frame.
    fn new(
        source: &'a mut dyn PcmSource,
        settings: &Settings,
        mp3_frame: u64,
    ) -> Result<Self, DecodeError> {
        let place = mp3_frame * settings.frame_samples();
        let before = MP3_WARM_UP_FRAMES * settings.frame_samples();
        source.seek(Frames(place.saturating_sub(before)))?;
        Ok(Self {
            channels: settings.channels,
            silence: before.saturating_sub(place),
            samples: vec![0; WINDOW_FRAMES * settings.channels.count()],
            source,
        })
    }

    /// The next frames of sound; at most [`WINDOW_FRAMES`].
    fn next(&mut self, frames: u64) -> Result<&[i16], DecodeError> {
        let channels = self.channels.count();
        let wanted = usize::try_from(frames)
            .unwrap_or(WINDOW_FRAMES)
            .min(WINDOW_FRAMES);
        let silent = usize::try_from(self.silence)
            .unwrap_or(usize::MAX)
            .min(wanted);
        self.silence -= silent as u64;
        let samples = &mut self.samples[..wanted * channels];
        let mut filled = silent * channels;
        samples[..filled].fill(0);
        while filled < samples.len() {
            match self.source.read(&mut samples[filled..])? {
                0 => break,
                frames => filled += frames * channels,
            }
        }
        samples[filled..].fill(0);
        Ok(samples)
    }
}

const fn failure(what: &'static str) -> EncodeError {
    EncodeError::Codec { codec: "MP3", what }
}

#[cfg(test)]
mod tests;
