//! Finds out what an audio file is: its kind, rate, channels and length. WAV files are read by
//! this crate's own parser, the others by symphonia. Nothing is decoded (but Vorbis in WebM, whose
//! length nobody knows otherwise), and nothing a file is called matters: only what is in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::decode::container::Container;
use super::decode::extent::Extent;
use super::decode::file::FileReader;
use super::wav::{self, TAG_ALAW, TAG_FLOAT, TAG_MULAW, TAG_PCM, WavError, WavInfo};
use crate::format::{Channels, Encoding, StreamFormat};
use crate::limits::PROBE_PACKETS_MAX;
use crate::units::{Frames, RateOutOfRange, SampleRate};

/// The kinds of files that can be brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RIFF WAVE, RF64 or BW64.
    Wav,
    /// MPEG-1/2/2.5 layer III.
    Mp3,
    /// AAC in MP4.
    M4a,
    /// Opus or Vorbis in WebM.
    WebM,
    /// Opus or Vorbis in Ogg.
    Ogg,
    /// FLAC.
    Flac,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Its kind.
    pub kind: Kind,
    /// Rate and channels; the encoding is the file's own where it is one of ours, otherwise 16-bit
    /// samples stand for what decoding it would give.
    pub format: StreamFormat,
    /// Its length, exactly what decoding it gives: what it says of itself where that is exact,
    /// otherwise counted; without the encoder's run-up and padding.
    pub frames: Frames,
    /// The chunks of a WAV file.
    pub wav: Option<WavInfo>,
}

/// A file that cannot be brought in, and why.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It could not be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is none of the kinds we know.
    #[error("not a WAV, MP3, M4A, WebM, Ogg or FLAC file")]
    Unknown,
    /// It is of a kind that we can name but not use.
    #[error("{0} is not supported; WAV, MP3, M4A, WebM, Ogg and FLAC are")]
    Unsupported(&'static str),
    /// It begins like a WAV file and is not one.
    #[error(transparent)]
    Wav(WavError),
    /// A WAV file with a codec whose length cannot be told.
    #[error(
        "WAV files with format tag {0:#06x} are not supported; PCM, float, µ-law and A-law are"
    )]
    WavCodec(u16),
    /// It is damaged.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// It has no sound in it.
    #[error("there is no sound in the file")]
    NoAudio,
    /// It does not say its rate or its channels.
    #[error("the file does not say its {0}")]
    Missing(&'static str),
    /// Its rate is out of range.
    #[error("the file's {0}")]
    Rate(#[from] RateOutOfRange),
    /// It has more than two channels.
    #[error("the file has {0} channels; one or two are supported")]
    Channels(usize),
    /// It is longer than anybody talks.
    #[error("the file has more than {PROBE_PACKETS_MAX} packets")]
    TooLong,
}

/// Finds out what the file at a path is.
///
/// # Errors
/// [`ProbeError`] says what the file is not, or what of it is not supported.
pub fn probe(path: &Path) -> Result<Probed, ProbeError> {
    probe_file(File::open(path)?)
}

/// Finds out what an open file is. It is read from its start, wherever it stands.
///
/// # Errors
/// As [`probe`].
pub fn probe_file(mut file: File) -> Result<Probed, ProbeError> {
    let mut head = [0; 4];
    let read = file.read_at(&mut head, 0)?;
    if matches!(&head[..read], b"RIFF" | b"RF64" | b"BW64") {
        return probe_wav(&mut file);
    }
    let file = FileReader::new(file)?;
    let open = Container::open(&file)?;
    let (kind, format) = (open.kind, open.format);
    let extent = Extent::of(&file, open)?;
    Ok(Probed {
        kind,
        format: StreamFormat {
            rate: format.rate,
            encoding: Encoding::S16Le,
            channels: format.channels,
        },
        frames: extent.frames,
        wav: None,
    })
}

fn probe_wav(file: &mut File) -> Result<Probed, ProbeError> {
    let info = wav::parse(file).map_err(|error| match error {
        WavError::Io(error) => ProbeError::Io(error),
        other => ProbeError::Wav(other),
    })?;
    let encoding = match info.fmt.tag {
        TAG_PCM | TAG_FLOAT => Encoding::S16Le,
        TAG_MULAW => Encoding::MuLaw,
        TAG_ALAW => Encoding::ALaw,
        other => return Err(ProbeError::WavCodec(other)),
    };
    let rate = SampleRate::new(info.fmt.rate)?;
    let channels = channels(usize::from(info.fmt.channels))?;
    if info.frames() == Frames::ZERO {
        return Err(ProbeError::NoAudio);
    }
    Ok(Probed {
        kind: Kind::Wav,
        format: StreamFormat {
            rate,
            encoding,
            channels,
        },
        frames: info.frames(),
        wav: Some(info),
    })
}

const fn channels(count: usize) -> Result<Channels, ProbeError> {
    match count {
        1 => Ok(Channels::Mono),
        2 => Ok(Channels::Stereo),
        other => Err(ProbeError::Channels(other)),
    }
}
