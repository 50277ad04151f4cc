//! Packets to samples: Opus by libopus, the others by symphonia. A packet that cannot be decoded
//! sounds like silence of its length, as players do it.

use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;

use super::container::{Container, OPUS_RATE, guarded};
use super::wav::{from_float, upper};
use crate::codec::pcm::DecodeError;
use crate::format::Channels;
use crate::limits::{DECODE_FAILURES_MAX, DECODE_PACKET_FRAMES_MAX};
use crate::units::Frames;

/// Frames of sound in the longest Opus packet, 120 ms (RFC 6716, section 3.2.5).
const OPUS_FRAMES_MAX: usize = 5_760;

/// One decoder.
pub(super) struct Decoder {
    inner: Inner,
    codec: AudioCodecId,
    channels: usize,
    samples: Vec<i16>,
    floats: Vec<f32>,
    wides: Vec<i32>,
    /// Packets in a row that could not be decoded.
    failures: u32,
}

enum Inner {
    Opus(opus::Decoder),
    Symphonia(Box<dyn AudioDecoder>),
}

impl Decoder {
    /// A decoder for a container's sound.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`]: its codec, or its flavour of it, is not one we decode.
    pub(super) fn new(open: &Container) -> Result<Self, DecodeError> {
        let channels = open.format.channels;
        let inner = if open.is_opus() {
            Inner::Opus(opus_decoder(open, channels)?)
        } else {
            let options = AudioDecoderOptions::default().gapless(false);
            let codecs = symphonia::default::get_codecs();
            let decoder = guarded(|| codecs.make_audio_decoder(&open.codec, &options));
            Inner::Symphonia(decoder.map_err(|_| DecodeError::Unsupported("this codec"))?)
        };
        Ok(Self {
            inner,
            codec: open.codec.codec,
            channels: channels.count(),
            samples: Vec::new(),
            floats: Vec::new(),
            wides: Vec::new(),
            failures: 0,
        })
    }

    /// Decodes a packet. If its length is known, so many frames come out, whatever is in it.
    pub(super) fn decode(&mut self, packet: &Packet, frames: Option<Frames>) -> &[i16] {
        self.samples.clear();
        if self.decode_packet(packet).is_some() {
            self.failures = 0;
        } else {
            self.samples.clear();
            self.failures = self.failures.saturating_add(1);
        }
        if let Some(frames) = frames {
            let frames = frames.0.min(DECODE_PACKET_FRAMES_MAX as u64);
            let frames = usize::try_from(frames).unwrap_or_default();
            self.samples.resize(frames * self.channels, 0);
        }
        &self.samples
    }

    /// Whether so many packets in a row failed that there is no sound in the file.
    pub(super) fn gave_up(&self) -> bool {
        self.failures > DECODE_FAILURES_MAX
    }

    /// Forgets the packets before, for a jump.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
        match &mut self.inner {
            // It fails for a decoder without memory only.
            Inner::Opus(decoder) => drop(decoder.reset_state()),
            Inner::Symphonia(decoder) => decoder.reset(),
        }
    }

    /// How much must be decoded before a place, after a [`Self::reset`], until what is decoded is
    /// what it would be without: a little more than what each codec refers back to.
    pub(super) fn run_up(&self) -> Frames {
        Frames(match self.codec {
            CODEC_ID_FLAC => 0,
            // 255 bytes of reservoir at 8 kbit/s lie in 24 frames (of 576 at such a rate).
            CODEC_ID_MP3 => 32 * 1_152,
            // Half a block of up to 8,192.
            CODEC_ID_VORBIS => 2 * 8_192,
            // RFC 7845, section 4.6: at least 80 ms. A second comes closer to what reading from
            // the start gives.
            CODEC_ID_OPUS => OPUS_RATE as u64,
            _ => 8_192,
        })
    }

    /// Whether decoding after the run-up gives the same bits as decoding from the start. Opus
    /// predicts from all that was, and AAC fills in noise from a generator that runs on.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self.codec, CODEC_ID_FLAC | CODEC_ID_MP3 | CODEC_ID_VORBIS)
    }

    fn decode_packet(&mut self, packet: &Packet) -> Option<()> {
        match &mut self.inner {
            Inner::Opus(decoder) => {
                if packet.data.is_empty() {
                    return None;
                }
                self.samples.resize(OPUS_FRAMES_MAX * self.channels, 0);
                let decoded = decoder.decode(&packet.data, &mut self.samples, false);
                self.samples.truncate(decoded.ok()? * self.channels);
            }
            Inner::Symphonia(decoder) => {
                let decoded = guarded(|| decoder.decode(packet)).ok()?;
                if decoded.spec().channels().count() != self.channels
                    || decoded.frames() > DECODE_PACKET_FRAMES_MAX
                {
                    return None;
                }
                if let GenericAudioBufferRef::F32(_) = decoded {
                    decoded.copy_to_vec_interleaved(&mut self.floats);
                    let floats = self.floats.iter();
                    self.samples
                        .extend(floats.map(|value| from_float(f64::from(*value))));
                } else {
                    decoded.copy_to_vec_interleaved(&mut self.wides);
                    self.samples
                        .extend(self.wides.iter().map(|value| upper(*value)));
                }
            }
        }
        Some(())
    }
}

/// A decoder with the gain that the identification header asks for (RFC 7845, section 5.1).
fn opus_decoder(open: &Container, channels: Channels) -> Result<opus::Decoder, DecodeError> {
    let failed = |_| DecodeError::Unsupported("this flavour of Opus");
    let count = match channels {
        Channels::Mono => opus::Channels::Mono,
        Channels::Stereo => opus::Channels::Stereo,
    };
    let mut decoder = opus::Decoder::new(OPUS_RATE, count).map_err(failed)?;
    let head = open.codec.extra_data.as_deref().unwrap_or_default();
    if head.starts_with(b"OpusHead") && head.len() >= 19 {
        // Other mappings have several streams in a packet.
        if head[18] != 0 && !(head[18] == 1 && head.get(19) == Some(&1)) {
            return Err(DecodeError::Unsupported("Opus of this channel mapping"));
        }
        let gain = i16::from_le_bytes([head[16], head[17]]);
        decoder.set_gain(i32::from(gain)).map_err(failed)?;
    }
    Ok(decoder)
}
