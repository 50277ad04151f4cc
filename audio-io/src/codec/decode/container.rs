//! Opens a compressed file's container: its kind, its sound's track, and the packets of it, one by
//! one. The container formats are symphonia's.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::errors::{Error as SymphoniaError, Result as SymphoniaResult};
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{
    FORMAT_ID_FLAC, FORMAT_ID_ISOMP4, FORMAT_ID_MKV, FORMAT_ID_MP3, FORMAT_ID_OGG,
};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::file::FileReader;
use crate::codec::pcm::PcmFormat;
use crate::codec::probe::{Kind, ProbeError};
use crate::format::Channels;
use crate::limits::PROBE_PACKETS_MAX;
use crate::units::SampleRate;

/// Opus is always decoded at this rate, whatever went in (RFC 7845, section 5.1).
pub(super) const OPUS_RATE: u32 = 48_000;

/// A compressed file, its packets not yet decoded.
pub(in crate::codec) struct Container {
    pub(in crate::codec) kind: Kind,
    /// What decoding gives.
    pub(in crate::codec) format: PcmFormat,
    pub(super) track: Track,
    pub(super) codec: AudioCodecParameters,
    reader: Box<dyn FormatReader>,
    packets: u64,
}

impl Container {
    /// Opens the file from its start.
    ///
    /// # Errors
    /// [`ProbeError`]: it is of no kind we know, has no sound, or is damaged in its head.
    pub(in crate::codec) fn open(file: &FileReader) -> Result<Self, ProbeError> {
        let head = head(file)?;
        let source =
            MediaSourceStream::new(Box::new(file.again()), MediaSourceStreamOptions::default());
        let opened = guarded(|| {
            symphonia::default::get_probe().probe(
                &Hint::new(),
                source,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
        });
        let reader = opened.map_err(|error| match error {
            SymphoniaError::Unsupported(_) => ProbeError::Unknown,
            SymphoniaError::IoError(error) if is_end(&error) => ProbeError::Unknown,
            other => failure(other),
        })?;
        let kind = kind_of(reader.as_ref(), &head)?;
        let track = reader.default_track(TrackType::Audio).cloned();
        let track = track.ok_or(ProbeError::NoAudio)?;
        let Some(CodecParameters::Audio(codec)) = track.codec_params.clone() else {
            return Err(ProbeError::NoAudio);
        };
        let format = format_of(&codec)?;
        Ok(Self {
            kind,
            format,
            track,
            codec,
            reader,
            packets: 0,
        })
    }

    /// The next packet of the sound's track, or `None` at the end. A file that was cut off ends
    /// where it was cut.
    ///
    /// # Errors
    /// [`ProbeError`]: the file cannot be read or is damaged.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, ProbeError> {
        loop {
            let packet = match guarded(|| self.reader.next_packet()) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(None),
                Err(SymphoniaError::IoError(error)) if is_end(&error) => return Ok(None),
                Err(error) => return Err(failure(error)),
            };
            self.packets += 1;
            if self.packets > PROBE_PACKETS_MAX {
                return Err(ProbeError::TooLong);
            }
            if packet.track_id == self.track.id {
                return Ok(Some(packet));
            }
        }
    }

    /// Whether the sound is coded with Opus.
    pub(super) fn is_opus(&self) -> bool {
        self.codec.codec == CODEC_ID_OPUS
    }
}

/// Runs a step of symphonia's. Its parsers and decoders are safe code that meets files of
/// strangers: should one of them panic, that is this file's fault and nobody else's.
pub(super) fn guarded<T>(step: impl FnOnce() -> SymphoniaResult<T>) -> SymphoniaResult<T> {
    catch_unwind(AssertUnwindSafe(step))
        .unwrap_or(Err(SymphoniaError::DecodeError("it confuses the decoder")))
}

/// What an error of symphonia's means for the file.
pub(super) fn failure(error: SymphoniaError) -> ProbeError {
    match error {
        SymphoniaError::IoError(error) => ProbeError::Io(error),
        SymphoniaError::DecodeError(what)
        | SymphoniaError::Unsupported(what)
        | SymphoniaError::LimitError(what) => ProbeError::Damaged(what),
        SymphoniaError::SeekError(_) => ProbeError::Damaged("a place in it cannot be found"),
        _ => ProbeError::Damaged("its format changes in the middle"),
    }
}

fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

/// The first bytes of a file, as many as there are.
fn head(file: &FileReader) -> Result<Vec<u8>, ProbeError> {
    const HEAD_BYTES: u64 = 4_096;
    let mut head = Vec::new();
    file.again().take(HEAD_BYTES).read_to_end(&mut head)?;
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

fn format_of(codec: &AudioCodecParameters) -> Result<PcmFormat, ProbeError> {
    let rate = if codec.codec == CODEC_ID_OPUS {
        OPUS_RATE
    } else {
        codec.sample_rate.ok_or(ProbeError::Missing("rate"))?
    };
    let channels = codec.channels.as_ref();
    let count = channels.ok_or(ProbeError::Missing("channels"))?.count();
    Ok(PcmFormat {
        rate: SampleRate::new(rate)?,
        channels: match count {
            1 => Channels::Mono,
            2 => Channels::Stereo,
            other => return Err(ProbeError::Channels(other)),
        },
    })
}
