//! Opus packets of 20 ms, for the containers `ogg` and `webm`: bit rates, run-up and length.
//!
//! | rate, Hz | encoded at | bit/s a channel |
//! |---|---|---|
//! | 8,000 | 8,000 | 24,000 |
//! | to 12,000 | 12,000 | 28,000 |
//! | to 16,000 | 16,000 | 32,000 |
//! | to 24,000 | 24,000 | 40,000 |
//! | to 48,000 | 48,000 | 64,000 |
//!
//! Stereo has twice as much and is never folded: its channels are two people.

use std::ops::ControlFlow;

use opus::{Application, Bitrate, Encoder};

use super::EncodeError;
use super::feed::Feed;
use crate::codec::pcm::{PcmFormat, PcmSource};
use crate::codec::resample::Resampled;
use crate::format::Channels;
use crate::units::{Frames, SampleRate};

/// The rate that granule positions, pre-skip and decoders count in (RFC 7845, section 4).
pub(super) const CLOCK: u64 = 48_000;

/// A packet's length in [`CLOCK`] frames: 20 ms.
pub(super) const PACKET_FRAMES: u64 = 960;

/// The longest a packet of one frame can be (RFC 6716, section 3.2.1), with its first byte.
const PACKET_BYTES_MAX: usize = 1_276;

/// The rates of the encoder, with bits a second and channel.
const RATES: [(u32, i32); 5] = [
    (8_000, 24_000),
    (12_000, 28_000),
    (16_000, 32_000),
    (24_000, 40_000),
    (48_000, 64_000),
];

/// What a container is told of the packets before the first of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// The source's format; `OpusHead` names its rate.
    pub(super) format: PcmFormat,
    /// Frames of [`CLOCK`] that a decoder gives before the first that is heard.
    pub(super) pre_skip: u16,
    /// Frames of [`CLOCK`] that are heard.
    pub(super) frames: u64,
}

impl Stream {
    /// How many packets there are.
    pub(super) fn packets(&self) -> u64 {
        self.end().div_ceil(PACKET_FRAMES)
    }

    /// Where the sound ends, counted from the first packet's begin.
    pub(super) fn end(&self) -> u64 {
        u64::from(self.pre_skip) + self.frames
    }

    /// The identification header (RFC 7845, section 5.1), mapping family 0, no gain.
    pub(super) fn head(&self) -> [u8; 19] {
        let mut head = *b"OpusHead\x01\0\0\0\0\0\0\0\0\0\0";
        head[9] = if self.format.channels == Channels::Stereo {
            2
        } else {
            1
        };
        head[10..12].copy_from_slice(&self.pre_skip.to_le_bytes());
        head[12..16].copy_from_slice(&self.format.rate.hertz().to_le_bytes());
        head
    }
}

/// Gives a container the stream, and makes packets for it until it has what it wants.
pub(super) fn packets(
    source: &mut dyn PcmSource,
    progress: &mut dyn FnMut(Frames) -> ControlFlow<()>,
    container: impl FnOnce(Stream, &mut Packets<'_, '_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let (format, whole) = (source.format(), source.frames());
    let (rate, bits) = rate_for(format.rate);
    let mut source = Resampled::new(source, rate)?;
    let mut feed = Feed::resampled(&mut source, progress, whole);
    let (encoder, pre_skip) = encoder(feed.format(), bits)?;
    // The encoder's rates divide the clock.
    let stride = CLOCK / u64::from(rate.hertz());
    let stream = Stream {
        format,
        pre_skip,
        frames: feed.frames().0 * stride,
    };
    let block = rate.hertz() as usize / 50 * format.channels.count();
    let mut packets = Packets {
        feed: &mut feed,
        encoder,
        block: vec![0; block],
        packet: vec![0; PACKET_BYTES_MAX],
    };
    container(stream, &mut packets)
}

/// Makes one packet after the other.
pub(super) struct Packets<'a, 'b> {
    feed: &'a mut Feed<'b>,
    encoder: Encoder,
    block: Vec<i16>,
    packet: Vec<u8>,
}

impl Packets<'_, '_> {
    /// The next packet; behind the end of the sound lies silence.
    pub(super) fn next(&mut self) -> Result<&[u8], EncodeError> {
        self.feed.fill_padded(&mut self.block)?;
        let bytes = self
            .encoder
            .encode(&self.block, &mut self.packet)
            .map_err(failure)?;
        Ok(&self.packet[..bytes])
    }
}

/// The rate that sound is encoded at, and the bits a second and channel.
fn rate_for(rate: SampleRate) -> (SampleRate, i32) {
    let (hertz, bits) = RATES
        .into_iter()
        .find(|(hertz, _)| *hertz >= rate.hertz())
        .unwrap_or((SampleRate::MAX.hertz(), 64_000));
    (SampleRate::new(hertz).unwrap_or(SampleRate::MAX), bits)
}

/// The encoder and its run-up in [`CLOCK`] frames.
fn encoder(format: PcmFormat, bits: i32) -> Result<(Encoder, u16), EncodeError> {
    let (channels, bits) = match format.channels {
        Channels::Mono => (opus::Channels::Mono, bits),
        Channels::Stereo => (opus::Channels::Stereo, 2 * bits),
    };
    let rate = format.rate.hertz();
    let make = || -> Result<(Encoder, i32), opus::Error> {
        // `Voip` filters and emphasises what it hears: telephone speech correlates with its
        // source by 0.82 then, by 0.98 so. Told that it is speech, `Audio` does the same to 0.79.
        let mut encoder = Encoder::new(rate, channels, Application::Audio)?;
        encoder.set_bitrate(Bitrate::Bits(bits))?;
        encoder.set_force_channels(Some(channels))?;
        encoder.set_phase_inversion_disabled(true)?;
        let lookahead = encoder.get_lookahead()?;
        Ok((encoder, lookahead))
    };
    let (encoder, lookahead) = make().map_err(failure)?;
    let pre_skip = u64::try_from(lookahead).unwrap_or_default() * CLOCK / u64::from(rate);
    let pre_skip = u16::try_from(pre_skip).map_err(|_| EncodeError::Codec {
        codec: "libopus",
        what: "its run-up is longer than a header can tell",
    })?;
    Ok((encoder, pre_skip))
}

fn failure(error: opus::Error) -> EncodeError {
    EncodeError::Codec {
        codec: "libopus",
        what: error.description(),
    }
}
