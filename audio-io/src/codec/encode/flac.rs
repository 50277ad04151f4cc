//! FLAC (RFC 9639): blocks of 4096 frames, each encoded and written for itself; a seek point every
//! ten seconds; length and MD5 of the samples in STREAMINFO.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `fLaC` |
//! | 4 + 34 | STREAMINFO; frame sizes and MD5 are filled in at the end |
//! | 4 + 18 a point | SEEKTABLE; filled in on the way |
//! | 4 + 8 + vendor | VORBIS_COMMENT: who made it, no comments |
//! | the rest | frames |

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr as _, StreamInfo};
use flacenc::config;
use flacenc::error::{Verified, Verify as _};
use flacenc::source::{Context, Fill as _, FrameBuf};

use super::EncodeError;
use super::feed::Feed;
use super::out::{Out, Table};
use crate::units::Frames;

/// The library and its version.
pub(super) const LIBRARY: &str = "flacenc 0.5.1";

/// Frames a block: within the subset that every player takes (RFC 9639, section 7).
const BLOCK_FRAMES: usize = 4_096;
const SAMPLE_BITS: usize = 16;
const POINT_BYTES: usize = 18;
/// What fits into a metadata block's 24-bit length; sound of months gets points further apart.
const POINTS_MAX: u64 = 900_000;
const POINT_SECONDS: u64 = 10;
/// STREAMINFO's content begins behind the marker and its block's head.
const STREAMINFO_AT: u64 = 8;

pub(super) fn encode(feed: &mut Feed<'_>, out: &mut Out<'_>) -> Result<(), EncodeError> {
    let mut encoder = Encoder::new(feed)?;
    let spacing = spacing(feed);
    let points = feed.frames().0.div_ceil(spacing);
    let mut table = Table::new(encoder.put_head(out, points)?, points * POINT_BYTES as u64);
    let audio_at = out.position();
    let channels = feed.format().channels.count();
    let mut block = vec![0_i16; BLOCK_FRAMES * channels];
    let (mut begin, mut wanted) = (0, 0);
    loop {
        let frames = feed.fill(&mut block)?;
        if frames == 0 {
            break;
        }
        let end = begin + frames as u64;
        // A block is shorter than the spacing, so it holds one wanted place at most.
        if wanted < end {
            let mut point = [0; POINT_BYTES];
            point[..8].copy_from_slice(&begin.to_be_bytes());
            point[8..16].copy_from_slice(&(out.position() - audio_at).to_be_bytes());
            point[16..].copy_from_slice(&(frames as u64).to_be_bytes()[6..]);
            table.push(out, &point)?;
            wanted += spacing;
        }
        out.put(encoder.block(&block[..frames * channels])?)?;
        begin = end;
    }
    table.finish(out)?;
    out.patch(STREAMINFO_AT, &encoder.stream_info())?;
    Ok(())
}

/// Frames between two seek points.
fn spacing(feed: &Feed<'_>) -> u64 {
    let usual = POINT_SECONDS * u64::from(feed.format().rate.hertz());
    usual.max(feed.frames().0.div_ceil(POINTS_MAX))
}

struct Encoder {
    config: Verified<config::Encoder>,
    info: StreamInfo,
    total: Frames,
    buffer: FrameBuf,
    context: Context,
    samples: Vec<i32>,
    bits: ByteSink,
    smallest: u64,
    largest: u64,
}

impl Encoder {
    fn new(feed: &Feed<'_>) -> Result<Self, EncodeError> {
        let refused = |_| failure("the encoder cannot be set up");
        let channels = feed.format().channels.count();
        let rate = feed.format().rate.hertz() as usize;
        let mut config = config::Encoder::default();
        config.block_size = BLOCK_FRAMES;
        config.multithread = false;
        let config = config
            .into_verified()
            .map_err(|_| failure("the encoder refused its settings"))?;
        Ok(Self {
            config,
            info: StreamInfo::new(rate, channels, SAMPLE_BITS).map_err(refused)?,
            total: feed.frames(),
            buffer: FrameBuf::with_size(channels, BLOCK_FRAMES).map_err(refused)?,
            context: Context::new(SAMPLE_BITS, channels),
            samples: Vec::with_capacity(BLOCK_FRAMES * channels),
            bits: ByteSink::new(),
            smallest: u64::MAX,
            largest: 0,
        })
    }

    /// Puts all that stands before the frames; returns where the seek points begin.
    fn put_head(&self, out: &mut Out<'_>, points: u64) -> Result<u64, EncodeError> {
        out.put(b"fLaC\0\0\0\x22")?;
        out.put(&self.stream_info())?;
        out.put(&[3])?;
        out.put(&(points * POINT_BYTES as u64).to_be_bytes()[5..])?;
        let points_at = out.position();
        out.zeroes(points * POINT_BYTES as u64)?;
        let vendor = LIBRARY.as_bytes();
        out.put(&[0x84])?;
        out.put(&(8 + vendor.len() as u64).to_be_bytes()[5..])?;
        out.put(&(vendor.len() as u64).to_le_bytes()[..4])?;
        out.put(vendor)?;
        out.put(&[0; 4])?;
        Ok(points_at)
    }

    /// One block as a frame.
    fn block(&mut self, samples: &[i16]) -> Result<&[u8], EncodeError> {
        let refused = |_| failure("a block of samples was refused");
        self.samples.clear();
        self.samples
            .extend(samples.iter().map(|sample| i32::from(*sample)));
        self.buffer
            .fill_interleaved(&self.samples)
            .map_err(refused)?;
        self.context
            .fill_interleaved(&self.samples)
            .map_err(refused)?;
        let number = self.context.current_frame_number().unwrap_or_default();
        let frame =
            flacenc::encode_fixed_size_frame(&self.config, &self.buffer, number, &self.info)
                .map_err(|_| failure("a block of samples cannot be encoded"))?;
        self.bits.clear();
        frame
            .write(&mut self.bits)
            .map_err(|_| failure("an encoded block cannot be written"))?;
        let bytes = self.bits.as_slice();
        self.smallest = self.smallest.min(bytes.len() as u64);
        self.largest = self.largest.max(bytes.len() as u64);
        Ok(bytes)
    }

    /// The content of STREAMINFO (RFC 9639, section 8.2) for what was encoded so far.
    fn stream_info(&self) -> [u8; 34] {
        const TOTAL_BITS: u32 = 36;
        let mut info = [0; 34];
        let block = (BLOCK_FRAMES as u64).to_be_bytes();
        info[..2].copy_from_slice(&block[6..]);
        info[2..4].copy_from_slice(&block[6..]);
        // Zero says that a size is not known.
        if self.largest > 0 {
            info[4..7].copy_from_slice(&self.smallest.to_be_bytes()[5..]);
            info[7..10].copy_from_slice(&self.largest.to_be_bytes()[5..]);
        }
        // Likewise a length of more than 36 bits, which is 16 days.
        let total = if self.total.0 >> TOTAL_BITS == 0 {
            self.total.0
        } else {
            0
        };
        let rate = self.info.sample_rate() as u64;
        let channels = self.info.channels() as u64;
        let fields =
            rate << 44 | (channels - 1) << 41 | (SAMPLE_BITS as u64 - 1) << TOTAL_BITS | total;
        info[10..18].copy_from_slice(&fields.to_be_bytes());
        info[18..].copy_from_slice(&self.context.md5_digest());
        info
    }
}

const fn failure(what: &'static str) -> EncodeError {
    EncodeError::Codec {
        codec: "flacenc",
        what,
    }
}
