//! Which part of what decoding gives is the sound: how much of it is the encoder's run-up, and how
//! long the sound is. Exact, by what each container says of it:
//!
//! | file | run-up | length |
//! |---|---|---|
//! | MP3 | LAME's tag and a decoder's own 529 frames | the tag, or all packets counted |
//! | M4A | the edit list's start (ISO 14496-12, section 8.6.6) | the edit list's, or all samples |
//! | FLAC | none | its head, or all packets counted |
//! | Ogg Vorbis | where the first page begins | the last page's granule position |
//! | Ogg Opus | `pre-skip` (RFC 7845, section 4.2) | the last page's, or all packets counted |
//! | WebM Opus | `pre-skip` | all packets counted, less the discarded padding |
//! | WebM Vorbis | none | all packets decoded |

use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::packet::Packet;

use super::container::{Container, OPUS_RATE};
use super::decoder::Decoder;
use super::file::FileReader;
use super::{mp4, webm};
use crate::codec::probe::{Kind, ProbeError};
use crate::limits::DECODE_FRAMES_MAX;
use crate::units::{Frames, SampleRate};

/// A part of what decoding gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) struct Extent {
    /// Frames before the sound.
    pub(in crate::codec) skip: Frames,
    /// Frames of sound.
    pub(in crate::codec) frames: Frames,
}

/// AAC-LC frames, of the one length that symphonia decodes.
const AAC_FRAMES: u64 = 1_024;

impl Extent {
    /// Finds it out for a container that was just opened; reads it to its end if it must.
    ///
    /// # Errors
    /// [`ProbeError`]: the file cannot be read, is damaged, or has no sound.
    pub(in crate::codec) fn of(file: &FileReader, open: Container) -> Result<Self, ProbeError> {
        let extent = match open.kind {
            Kind::M4a => of_mp4(file, open)?,
            Kind::Ogg => of_ogg(open)?,
            Kind::WebM => of_webm(file, open)?,
            Kind::Mp3 | Kind::Flac | Kind::Wav => of_native(open)?,
        };
        if extent.frames == Frames::ZERO {
            return Err(ProbeError::NoAudio);
        }
        if extent.frames.0.max(extent.skip.0) > DECODE_FRAMES_MAX {
            return Err(ProbeError::Damaged("it states an impossible length"));
        }
        Ok(extent)
    }
}

/// MP3 and FLAC, whose heads say it all, where they say something.
fn of_native(mut open: Container) -> Result<Extent, ProbeError> {
    let skip = Frames(u64::from(open.track.delay.unwrap_or_default()));
    // What an MP3 without an encoder's tag states is estimated from its bit rate: it is counted.
    let exact = open.kind != Kind::Mp3 || open.track.delay.is_some();
    let stated = open.track.num_frames.filter(|frames| exact && *frames > 0);
    let frames = match stated {
        Some(frames) => Frames(frames),
        None => counted(&mut open)?.saturating_sub(skip),
    };
    Ok(Extent { skip, frames })
}

fn of_mp4(file: &FileReader, mut open: Container) -> Result<Extent, ProbeError> {
    let rate = open.format.rate;
    let all = match open.track.duration.filter(|ticks| ticks.get() > 0) {
        Some(ticks) => scaled(ticks.get(), &open, rate),
        None => counted(&mut open)?,
    };
    let edit = mp4::edit(file, open.track.id)?;
    let Some(edit) = edit else {
        return Ok(Extent {
            skip: Frames::ZERO,
            frames: all,
        });
    };
    let skip = edit.start.in_frames(rate).min(all);
    let rest = all - skip;
    let frames = edit.length.map_or(rest, |length| length.in_frames(rate));
    Ok(Extent {
        skip,
        frames: frames.min(rest),
    })
}

fn of_ogg(mut open: Container) -> Result<Extent, ProbeError> {
    let start = open.track.start_ts.get();
    // What lies before the start of time is cut off; what begins late begins with its first frame.
    let early = Frames(start.min(0).unsigned_abs());
    let late = Frames(start.max(0).unsigned_abs());
    let stated = open
        .track
        .num_frames
        .filter(|frames| (1..DECODE_FRAMES_MAX).contains(frames));
    if open.is_opus() {
        let skip = opus_skip(&open);
        let all = match stated {
            Some(end) => Frames(end).saturating_sub(late) + early,
            None => counted(&mut open)?,
        };
        return Ok(Extent {
            skip: skip + early,
            frames: all.saturating_sub(skip + early),
        });
    }
    // Decoding gives half a block of nothing for the first packet, which only begins a window.
    let first = open.next()?.map_or(0, |packet| packet.trim_start.get());
    let skip = early.max(Frames(first));
    let frames = match stated {
        Some(end) => Frames(end).saturating_sub(late),
        None => (counted(&mut open)? + Frames(first)).saturating_sub(skip),
    };
    Ok(Extent { skip, frames })
}

fn of_webm(file: &FileReader, mut open: Container) -> Result<Extent, ProbeError> {
    if !open.is_opus() {
        return Ok(Extent {
            skip: Frames::ZERO,
            frames: decoded(&mut open)?,
        });
    }
    let skip = opus_skip(&open);
    let all = counted(&mut open)?;
    let padding = webm::discarded(file, open.track.id)?;
    let padding = u128::from(padding.0) * u128::from(OPUS_RATE) + 500_000_000;
    let padding = u64::try_from(padding / 1_000_000_000).unwrap_or(u64::MAX);
    Ok(Extent {
        skip,
        frames: all.saturating_sub(skip).saturating_sub(Frames(padding)),
    })
}

/// The `pre-skip` of the identification header, at the rate of all Opus (RFC 7845, section 5.1).
fn opus_skip(open: &Container) -> Frames {
    let head = open.codec.extra_data.as_deref().unwrap_or_default();
    match head {
        [
            b'O',
            b'p',
            b'u',
            b's',
            b'H',
            b'e',
            b'a',
            b'd',
            _,
            _,
            low,
            high,
            ..,
        ] => Frames(u64::from(u16::from_le_bytes([*low, *high]))),
        _ => Frames::ZERO,
    }
}

/// How long decoding a packet sounds, where that can be told without decoding it.
pub(super) fn packet_frames(open: &Container, packet: &Packet) -> Option<Frames> {
    if open.is_opus() {
        let count = opus::packet::get_nb_samples(&packet.data, OPUS_RATE);
        return Some(Frames(count.map_or(0, |count| count as u64)));
    }
    if open.codec.codec == CODEC_ID_AAC {
        return Some(Frames(AAC_FRAMES));
    }
    match open.kind {
        Kind::Mp3 => mp3_frames(&packet.data),
        // These give the times of packets in clocks of their own, or not at all.
        Kind::WebM | Kind::M4a => None,
        _ => Some(scaled(packet.block_dur().get(), open, open.format.rate)),
    }
}

/// The length of an MP3 frame, by the version in its header (ISO 11172-3, section 2.4.2.3).
fn mp3_frames(packet: &[u8]) -> Option<Frames> {
    let is_mpeg1 = packet.get(1)? >> 3 & 3 == 3;
    Some(Frames(if is_mpeg1 { 1_152 } else { 576 }))
}

/// The length of all packets that follow.
fn counted(open: &mut Container) -> Result<Frames, ProbeError> {
    let mut all = Frames::ZERO;
    while let Some(packet) = open.next()? {
        all += packet_frames(open, &packet).unwrap_or_default();
    }
    Ok(all)
}

/// The length of all packets that follow, where it takes decoding to know.
fn decoded(open: &mut Container) -> Result<Frames, ProbeError> {
    let mut all = Frames::ZERO;
    let mut decoder = Decoder::new(open).map_err(|_| ProbeError::Unsupported("its codec"))?;
    while let Some(packet) = open.next()? {
        let samples = decoder.decode(&packet, None).len();
        all += Frames((samples / open.format.channels.count()) as u64);
    }
    Ok(all)
}

/// Ticks of the track's clock as frames.
fn scaled(ticks: u64, open: &Container, rate: SampleRate) -> Frames {
    let (numerator, denominator) = open.track.time_base.map_or((1, rate.hertz()), |base| {
        (base.numer.get(), base.denom.get())
    });
    in_frames(ticks, numerator, denominator, rate)
}

/// So many times a fraction of a second as frames, to the nearest.
pub(super) fn in_frames(ticks: u64, numerator: u32, denominator: u32, rate: SampleRate) -> Frames {
    let scaled = u128::from(ticks) * u128::from(numerator) * u128::from(rate.hertz());
    let denominator = u128::from(denominator.max(1));
    let frames = (scaled + denominator / 2) / denominator;
    Frames(u64::try_from(frames).unwrap_or(u64::MAX))
}
