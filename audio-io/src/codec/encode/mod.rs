//! Whole files made of samples: one entry, a file a format. What decodes them again lies in
//! `decode`; MP3, which is also made in pieces, in `mp3`.
//!
//! ```text
//!  PcmSource ─▶ (Resampled) ─▶ Feed ─▶ encoder ─▶ container ─▶ Out ─▶ Sink
//!                               │ counts, tells the progress    │ buffers, goes back to fill
//!                               ▼ and stops                     ▼ in what is known last
//! ```
//!
//! Every length is known before the first sample is read, so every header and every table of a
//! container has its place from the start and is filled in as the sound goes by: memory does not
//! grow with the sound, and nothing is moved afterwards.

mod feed;
mod flac;
mod m4a;
mod ogg;
mod opus;
mod out;
mod wav;
mod webm;

use std::io::{self, Read, Seek, Write};
use std::ops::ControlFlow;

use super::mp3::{self, Mp3Layout};
use super::pcm::{DecodeError, PcmSource};
use super::probe::ProbeError;
use super::target::Target;
use crate::units::Frames;
use feed::Feed;
use out::Out;

/// Where a made file goes; read back where a container's front is known last.
pub trait Sink: Read + Write + Seek {}
impl<T: Read + Write + Seek> Sink for T {}

/// Why no file was made. What is in the sink then is nothing to use.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The sound cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The file cannot be written.
    #[error("writing the converted sound: {0}")]
    Io(#[from] io::Error),
    /// The codec library refused.
    #[error("{codec} failed: {what}")]
    Codec {
        /// Which library.
        codec: &'static str,
        /// What it said.
        what: &'static str,
    },
    /// It was told to stop.
    #[error("the conversion was stopped")]
    Stopped,
}

/// Makes a whole file from its start to its end. `progress` is told how many frames are done, at
/// least once a second of sound (MP3: once a chunk), and may stop it. The same sound always gives
/// the same bytes. The sink is written from its first byte on, whatever it held; it must not be
/// longer than the file to be made.
///
/// Memory is bounded by a few MiB, however long the sound.
///
/// # Errors
/// [`EncodeError`]. Sound without a single frame makes no file of any format: it is
/// [`ProbeError::NoAudio`], as it is when such a file is read. A source that ends before
/// [`PcmSource::frames`] is [`DecodeError::Damaged`].
pub fn encode(
    source: &mut dyn PcmSource,
    target: Target,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(Frames) -> ControlFlow<()>,
) -> Result<(), EncodeError> {
    if source.frames() == Frames::ZERO {
        return Err(DecodeError::from(ProbeError::NoAudio).into());
    }
    source.seek(Frames::ZERO)?;
    let mut out = Out::new(sink)?;
    match target {
        Target::Wav => wav::encode(&mut Feed::new(source, progress), &mut out)?,
        Target::Flac => flac::encode(&mut Feed::new(source, progress), &mut out)?,
        Target::M4a => m4a::encode(source, progress, &mut out)?,
        Target::Ogg => ogg::encode(source, progress, &mut out)?,
        Target::WebM => webm::encode(source, progress, &mut out)?,
        Target::Mp3 => encode_mp3(source, progress, &mut out)?,
    }
    out.finish()?;
    Ok(())
}

/// Names what makes a format: library, its version, the version of our settings, architecture.
/// It is part of every entity tag, so that another encoder's bytes never pass for this one's:
/// whoever changes a setting, a bit rate or a container's lay-out counts its number up.
#[must_use]
pub fn encoder_id(target: Target) -> String {
    let made_by = match target {
        Target::Mp3 => return mp3::encoder_id(),
        Target::Wav => "callreel wav/1".to_owned(),
        Target::Flac => format!("{} flac/1", flac::LIBRARY),
        Target::M4a => format!("{} {RESAMPLER} m4a/1", m4a::LIBRARY),
        Target::Ogg => format!("{} {RESAMPLER} ogg/1", ::opus::version()),
        Target::WebM => format!("{} {RESAMPLER} webm/1", ::opus::version()),
    };
    format!("{made_by} {}", std::env::consts::ARCH)
}

/// What brings sound to the rates that a codec has.
const RESAMPLER: &str = "rubato 5.0.1";

fn encode_mp3(
    source: &mut dyn PcmSource,
    progress: &mut dyn FnMut(Frames) -> ControlFlow<()>,
    out: &mut Out<'_>,
) -> Result<(), EncodeError> {
    let frames = source.frames();
    let layout = Mp3Layout::new(source.format(), frames);
    let chunks = layout.chunks();
    for chunk in 0..chunks {
        out.put(&layout.encode_chunk(source, chunk)?)?;
        let done = u128::from(frames.0) * u128::from(chunk + 1) / u128::from(chunks);
        let done = Frames(u64::try_from(done).unwrap_or(u64::MAX));
        if progress(done).is_break() {
            return Err(EncodeError::Stopped);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
