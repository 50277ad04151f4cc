//! Finds out what an audio file is: its kind, rate, channels and length. WAV files are read by
//! this crate's own parser, the others by symphonia. Nothing is decoded, and nothing a file is
//! called matters: only what is in it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{
    FORMAT_ID_FLAC, FORMAT_ID_ISOMP4, FORMAT_ID_MKV, FORMAT_ID_MP3, FORMAT_ID_OGG,
};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::TimeBase;

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
    /// Its length: what it says of itself where that is exact, otherwise counted.
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
    let head = head(&mut file)?;
    if matches!(head.get(..4), Some(b"RIFF" | b"RF64" | b"BW64")) {
        return probe_wav(&mut file);
    }
    file.seek(SeekFrom::Start(0))?;
    let source = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
    let mut reader = symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            source,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|error| match error {
            SymphoniaError::Unsupported(_) => ProbeError::Unknown,
            SymphoniaError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                ProbeError::Unknown
            }
            other => failure(other),
        })?;
    let kind = kind_of(reader.as_ref(), &head)?;
    let track = reader
        .default_track(TrackType::Audio)
        .cloned()
        .ok_or(ProbeError::NoAudio)?;
    let format = format_of(&track)?;
    let stated = stated_frames(&track, format.rate);
    let whole = movie_frames(reader.as_ref(), format.rate);
    let stated = match kind {
        // The movie's length leaves out what the edit list cuts off: the encoder's run-up.
        Kind::M4a => stated.map(|frames| whole.map_or(frames, |whole| whole.min(frames))),
        // Only the segment says how long it is; what a browser recorded says nothing.
        Kind::WebM => stated.or(whole),
        _ => stated,
    };
    // What an MP3 without an encoder's tag states is estimated from its bit rate: it is counted.
    let exact = kind != Kind::Mp3 || track.delay.is_some();
    let frames = match stated {
        Some(frames) if exact => frames,
        _ => counted_frames(reader.as_mut(), &track, format.rate)?,
    };
    Ok(Probed {
        kind,
        format,
        frames,
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

/// The first bytes of a file, as many as there are.
fn head(file: &mut File) -> Result<Vec<u8>, ProbeError> {
    const HEAD_BYTES: u64 = 4_096;
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

fn kind_of(reader: &dyn FormatReader, head: &[u8]) -> Result<Kind, ProbeError> {
    let format = reader.format_info();
    match format.format {
        FORMAT_ID_MP3 => Ok(Kind::Mp3),
        FORMAT_ID_ISOMP4 => Ok(Kind::M4a),
        FORMAT_ID_OGG => Ok(Kind::Ogg),
        FORMAT_ID_FLAC => Ok(Kind::Flac),
        FORMAT_ID_MKV if is_webm(head) => Ok(Kind::WebM),
        _ => Err(ProbeError::Unsupported(format.long_name)),
    }
}

/// Whether the EBML header's DocType (element 0x4282, RFC 8794 section 11.2.6) says `webm`.
fn is_webm(head: &[u8]) -> bool {
    head.windows(7).any(|bytes| bytes == b"\x42\x82\x84webm")
}

fn format_of(track: &Track) -> Result<StreamFormat, ProbeError> {
    let Some(CodecParameters::Audio(codec)) = &track.codec_params else {
        return Err(ProbeError::NoAudio);
    };
    let rate = codec.sample_rate.ok_or(ProbeError::Missing("rate"))?;
    let count = codec
        .channels
        .as_ref()
        .ok_or(ProbeError::Missing("channels"))?
        .count();
    Ok(StreamFormat {
        rate: SampleRate::new(rate)?,
        encoding: Encoding::S16Le,
        channels: channels(count)?,
    })
}

const fn channels(count: usize) -> Result<Channels, ProbeError> {
    match count {
        1 => Ok(Channels::Mono),
        2 => Ok(Channels::Stereo),
        other => Err(ProbeError::Channels(other)),
    }
}

/// The length that the container states, if it does.
fn stated_frames(track: &Track, rate: SampleRate) -> Option<Frames> {
    if let Some(frames) = track.num_frames.filter(|frames| *frames > 0) {
        return Some(Frames(frames));
    }
    let duration = track.duration.filter(|duration| duration.get() > 0)?;
    Some(ticks_to_frames(duration.get(), track.time_base, rate))
}

/// The length of the whole file, as its container states it.
fn movie_frames(reader: &dyn FormatReader, rate: SampleRate) -> Option<Frames> {
    let media = reader.media_info();
    let ticks = media.duration.filter(|duration| duration.get() > 0)?;
    media
        .time_base
        .map(|base| ticks_to_frames(ticks.get(), Some(base), rate))
}

/// The length of all the track's packets.
fn counted_frames(
    reader: &mut dyn FormatReader,
    track: &Track,
    rate: SampleRate,
) -> Result<Frames, ProbeError> {
    let is_opus = matches!(&track.codec_params,
        Some(CodecParameters::Audio(codec)) if codec.codec == CODEC_ID_OPUS);
    let (mut ticks, mut end) = (0_u64, Frames::ZERO);
    let mut packets = 0;
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // A file that was cut off is as long as what is there.
            Err(SymphoniaError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                break;
            }
            Err(error) => return Err(failure(error)),
        };
        packets += 1;
        if packets > PROBE_PACKETS_MAX {
            return Err(ProbeError::TooLong);
        }
        if packet.track_id == track.id {
            ticks = ticks.saturating_add(packet.dur.get());
            let begin = u64::try_from(packet.pts.get()).unwrap_or_default();
            let length = if is_opus {
                opus_micros(&packet.data)
            } else {
                0
            };
            let length = u128::from(length) * u128::from(rate.hertz()) / 1_000_000;
            let length = Frames(u64::try_from(length).unwrap_or_default());
            end = end.max(ticks_to_frames(begin, track.time_base, rate) + length);
        }
    }
    // Where packets do not say how long they are, the last one's place and length do.
    Ok(if ticks > 0 {
        ticks_to_frames(ticks, track.time_base, rate)
    } else {
        end
    })
}

/// How long an Opus packet sounds, in microseconds, by its first bytes (RFC 6716, section 3.1).
fn opus_micros(packet: &[u8]) -> u64 {
    let Some(first) = packet.first() else {
        return 0;
    };
    let config = usize::from(first >> 3);
    let frame = match config {
        0..12 => [10_000, 20_000, 40_000, 60_000][config % 4],
        12..16 => [10_000, 20_000][config % 2],
        _ => [2_500, 5_000, 10_000, 20_000][config % 4],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |count| u64::from(count & 63)),
    };
    frame * frames
}

fn ticks_to_frames(ticks: u64, base: Option<TimeBase>, rate: SampleRate) -> Frames {
    let (numerator, denominator) = base.map_or((1, rate.hertz()), |base| {
        (base.numer.get(), base.denom.get())
    });
    let scaled = u128::from(ticks) * u128::from(numerator) * u128::from(rate.hertz());
    let frames = (scaled + u128::from(denominator) / 2) / u128::from(denominator);
    Frames(u64::try_from(frames).unwrap_or(u64::MAX))
}

fn failure(error: SymphoniaError) -> ProbeError {
    match error {
        SymphoniaError::IoError(error) => ProbeError::Io(error),
        SymphoniaError::DecodeError(what)
        | SymphoniaError::Unsupported(what)
        | SymphoniaError::LimitError(what) => ProbeError::Damaged(what),
        SymphoniaError::SeekError(_) => ProbeError::Damaged("a place in it cannot be found"),
        _ => ProbeError::Damaged("its format changes in the middle"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_packets_say_how_long_they_are() {
        assert_eq!(opus_micros(&[]), 0);
        assert_eq!(opus_micros(&[15 << 3]), 20_000);
        assert_eq!(opus_micros(&[3 << 3 | 1]), 120_000);
        assert_eq!(opus_micros(&[28 << 3 | 2]), 5_000);
        assert_eq!(opus_micros(&[31 << 3 | 3, 0xC6]), 120_000);
        assert_eq!(opus_micros(&[31 << 3 | 3]), 0);
    }
}
