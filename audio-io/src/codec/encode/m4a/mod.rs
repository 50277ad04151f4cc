//! AAC-LC in MP4, `moov` first: the encoder's side. The boxes lie in `boxes`, their order is
//! pictured there.
//!
//! | rate, Hz | bit/s a channel |
//! |---|---|
//! | 8,000 | 24,000 |
//! | 11,025 and 12,000 | 28,000 |
//! | 16,000 | 32,000 |
//! | 22,050 and 24,000 | 40,000 |
//! | 32,000 | 48,000 |
//! | 44,100 and 48,000 | 64,000 |
//!
//! Speech of the telephone is clean at these; stereo has twice as much, for both legs are heard
//! alone. Sound of any other rate is brought to the next higher one of the table.

mod boxes;

use std::ops::ControlFlow;

use fdk_aac::enc::{
    AudioObjectType, BitRate, ChannelMode, Encoder as Fdk, EncoderParams, Transport,
};

use super::EncodeError;
use super::feed::Feed;
use super::out::Out;
use crate::codec::pcm::{PcmFormat, PcmSource};
use crate::codec::resample::Resampled;
use crate::format::Channels;
use crate::units::{Frames, SampleRate};
use boxes::{Movie, Track};

/// The library and its version.
pub(super) const LIBRARY: &str = "fdk-aac-sys 0.5.0";

/// Frames of sound a coded frame holds.
const FRAME_FRAMES: usize = 1_024;

/// The rates of AAC (ISO/IEC 14496-3, table 1.18) that sound can have here, with bits a second
/// and channel.
const RATES: [(u32, u32); 9] = [
    (8_000, 24_000),
    (11_025, 28_000),
    (12_000, 28_000),
    (16_000, 32_000),
    (22_050, 40_000),
    (24_000, 40_000),
    (32_000, 48_000),
    (44_100, 64_000),
    (48_000, 64_000),
];

pub(super) fn encode(
    source: &mut dyn PcmSource,
    progress: &mut dyn FnMut(Frames) -> ControlFlow<()>,
    out: &mut Out<'_>,
) -> Result<(), EncodeError> {
    let whole = source.frames();
    let (rate, bits) = rate_for(source.format().rate);
    let mut source = Resampled::new(source, rate)?;
    let mut feed = Feed::resampled(&mut source, progress, whole);
    let bit_rate = bits * u32::from(feed.format().channels == Channels::Stereo) + bits;
    let mut encoder = Encoder::new(feed.format(), bit_rate)?;
    let mut movie = Movie::begin(encoder.track(feed.frames()), out)?;
    for _ in 0..movie.samples() {
        let coded = encoder.next(&mut feed)?;
        movie.put(out, coded)?;
    }
    movie.finish(out)?;
    Ok(())
}

/// The rate that sound is encoded at, and the bits a second and channel.
fn rate_for(rate: SampleRate) -> (SampleRate, u32) {
    let (hertz, bits) = RATES
        .into_iter()
        .find(|(hertz, _)| *hertz >= rate.hertz())
        .unwrap_or((SampleRate::MAX.hertz(), 64_000));
    (SampleRate::new(hertz).unwrap_or(SampleRate::MAX), bits)
}

/// One coded frame after the other, for as long as they are asked for.
struct Encoder {
    fdk: Fdk,
    format: PcmFormat,
    bit_rate: u32,
    delay: u32,
    config: Vec<u8>,
    block: Vec<i16>,
    /// Samples of the block that the library has not taken yet begin here.
    taken: usize,
    coded: Vec<u8>,
}

impl Encoder {
    fn new(format: PcmFormat, bit_rate: u32) -> Result<Self, EncodeError> {
        let channels = match format.channels {
            Channels::Mono => ChannelMode::Mono,
            Channels::Stereo => ChannelMode::Stereo,
        };
        let fdk = Fdk::new(EncoderParams {
            bit_rate: BitRate::Cbr(bit_rate),
            sample_rate: format.rate.hertz(),
            transport: Transport::Raw,
            channels,
            audio_object_type: AudioObjectType::Mpeg4LowComplexity,
        })
        .map_err(|_| failure("the encoder refused its settings"))?;
        let info = fdk
            .info()
            .map_err(|_| failure("the encoder does not describe itself"))?;
        let config = info
            .confBuf
            .get(..info.confSize as usize)
            .filter(|config| !config.is_empty())
            .ok_or(failure("the encoder has no configuration"))?;
        if info.frameLength as usize != FRAME_FRAMES {
            return Err(failure("the encoder's frames have an unknown length"));
        }
        let block = FRAME_FRAMES * format.channels.count();
        Ok(Self {
            format,
            bit_rate,
            delay: info.nDelayCore,
            config: config.to_vec(),
            block: vec![0; block],
            taken: block,
            coded: vec![0; info.maxOutBufBytes as usize],
            fdk,
        })
    }

    fn track(&self, frames: Frames) -> Track {
        Track {
            format: self.format,
            frames,
            delay: self.delay,
            frame_frames: FRAME_FRAMES as u64,
            frame_bytes_max: self.coded.len() as u64,
            bit_rate: self.bit_rate,
            config: self.config.clone(),
        }
    }

    /// The next coded frame; behind the end of the sound lies silence.
    fn next(&mut self, feed: &mut Feed<'_>) -> Result<&[u8], EncodeError> {
        loop {
            if self.taken == self.block.len() {
                feed.fill_padded(&mut self.block)?;
                self.taken = 0;
            }
            let done = self
                .fdk
                .encode(&self.block[self.taken..], &mut self.coded)
                .map_err(|_| failure("a block of samples cannot be encoded"))?;
            self.taken = (self.taken + done.input_consumed).min(self.block.len());
            if done.output_size > 0 {
                return Ok(&self.coded[..done.output_size]);
            }
            if done.input_consumed == 0 {
                return Err(failure("the encoder takes no more sound"));
            }
        }
    }
}

const fn failure(what: &'static str) -> EncodeError {
    EncodeError::Codec {
        codec: "fdk-aac",
        what,
    }
}
