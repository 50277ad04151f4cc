//! RIFF WAVE with 16-bit samples: the shortest header there is, so that even a player that takes
//! the first 44 bytes for granted plays it; RF64 (EBU Tech 3306) where 32 bits are too few. The
//! header of recordings, with room and a `bext` chunk, lies in `codec::wav`.

use super::EncodeError;
use super::feed::Feed;
use super::out::Out;
use crate::codec::pcm::PcmFormat;
use crate::codec::wav::TAG_PCM;
use crate::units::Frames;

const SAMPLE_BYTES: u64 = 2;

/// Samples read at a time: a quarter of a second of 8 kHz stereo.
const BLOCK_SAMPLES: usize = 4_096;

pub(super) fn encode(feed: &mut Feed<'_>, out: &mut Out<'_>) -> Result<(), EncodeError> {
    out.put(&header(feed.format(), feed.frames()))?;
    let channels = feed.format().channels.count();
    let mut block = [0_i16; BLOCK_SAMPLES];
    let mut bytes = Vec::with_capacity(2 * BLOCK_SAMPLES);
    loop {
        let frames = feed.fill(&mut block)?;
        if frames == 0 {
            return Ok(());
        }
        bytes.clear();
        bytes.extend(
            block[..frames * channels]
                .iter()
                .flat_map(|sample| sample.to_le_bytes()),
        );
        out.put(&bytes)?;
    }
}

/// 44 bytes, or 80 with a `ds64` chunk.
fn header(format: PcmFormat, frames: Frames) -> Vec<u8> {
    const FMT_BYTES: u64 = 24;
    const DS64_BYTES: u64 = 36;
    let frame_bytes = SAMPLE_BYTES * format.channels.count() as u64;
    let data = frames.0.saturating_mul(frame_bytes);
    // What follows the size itself: the form, `fmt `, the head of `data`, the sound.
    let riff = data.saturating_add(4 + FMT_BYTES + 8);
    let mut head = Vec::with_capacity(80);
    let data_size = match (u32::try_from(riff), u32::try_from(data)) {
        (Ok(riff), Ok(data)) if riff < u32::MAX => {
            head.extend_from_slice(b"RIFF");
            head.extend_from_slice(&riff.to_le_bytes());
            head.extend_from_slice(b"WAVE");
            data
        }
        _ => {
            head.extend_from_slice(b"RF64\xFF\xFF\xFF\xFFWAVEds64");
            head.extend_from_slice(&28_u32.to_le_bytes());
            head.extend_from_slice(&riff.saturating_add(DS64_BYTES).to_le_bytes());
            head.extend_from_slice(&data.to_le_bytes());
            head.extend_from_slice(&frames.0.to_le_bytes());
            head.extend_from_slice(&0_u32.to_le_bytes());
            u32::MAX
        }
    };
    let (rate, frame_bytes) = (u64::from(format.rate.hertz()), frame_bytes);
    head.extend_from_slice(b"fmt \x10\0\0\0");
    head.extend_from_slice(&TAG_PCM.to_le_bytes());
    for (value, bytes) in [
        (format.channels.count() as u64, 2),
        (rate, 4),
        (rate * frame_bytes, 4),
        (frame_bytes, 2),
        (8 * SAMPLE_BYTES, 2),
    ] {
        head.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    head.extend_from_slice(b"data");
    head.extend_from_slice(&data_size.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::wav::parse_bytes;
    use crate::format::Channels;
    use crate::units::SampleRate;

    const STEREO: PcmFormat = PcmFormat {
        rate: SampleRate::MAX,
        channels: Channels::Stereo,
    };

    #[test]
    fn sizes_past_32_bits_make_it_rf64() {
        let largest = (u64::from(u32::MAX) - 1 - 36) / 4;
        let just = header(STEREO, Frames(largest));
        assert_eq!((just.len(), &just[..4]), (44, &b"RIFF"[..]));
        let info = parse_bytes(&just).expect("a header without its sound is parsed");
        assert!(info.truncated && !info.rf64 && !info.open_ended);
        let frames = Frames(largest + 1);
        let over = header(STEREO, frames);
        assert_eq!((over.len(), &over[..4]), (80, &b"RF64"[..]));
        assert_eq!(over[20..28], (72 + 4 * frames.0).to_le_bytes());
        assert_eq!(over[28..36], (4 * frames.0).to_le_bytes());
        let info = parse_bytes(&over).expect("a header without its sound is parsed");
        assert!(info.rf64 && info.truncated && !info.open_ended);
        assert_eq!(info.data_offset, 80);
    }
}
