//! The MP4 file (ISO/IEC 14496-12 and -14) around coded frames. How many there will be is known
//! before the first, so `moov` has its final size at once; the tables in it are filled in while
//! the sound is written behind it.
//!
//! ```text
//!  ftyp
//!  moov ─ mvhd                    timescale = the sound's rate
//!         trak ─ tkhd
//!                edts ─ elst      leaves out the encoder's run-up and its padding
//!                mdia ─ mdhd
//!                       hdlr
//!                       minf ─ smhd
//!                              dinf ─ dref ─ url
//!                              stbl ─ stsd ─ mp4a ─ esds
//!                                     stts
//!                                     sgpd, sbgp   `roll`: one frame before is decoded too
//!                                     stsc
//!                                     stsz         filled in on the way
//!                                     stco or co64 filled in on the way
//!  mdat                           chunks of a second
//! ```

use std::io;

use crate::codec::encode::out::{Out, Table};
use crate::codec::pcm::PcmFormat;
use crate::units::Frames;

/// What the track is.
pub(super) struct Track {
    pub(super) format: PcmFormat,
    /// How much of it is heard.
    pub(super) frames: Frames,
    /// Frames that a decoder gives before the first that is heard.
    pub(super) delay: u32,
    /// Frames a coded frame holds.
    pub(super) frame_frames: u64,
    /// The longest coded frame.
    pub(super) frame_bytes_max: u64,
    /// Bits a second.
    pub(super) bit_rate: u32,
    /// The decoder's `AudioSpecificConfig`.
    pub(super) config: Vec<u8>,
}

impl Track {
    /// How many coded frames hold the run-up and the sound.
    fn samples(&self) -> u64 {
        self.media().div_ceil(self.frame_frames)
    }

    /// How long the run-up and the sound are: what the last coded frame holds beyond them has no
    /// time of its own.
    fn media(&self) -> u64 {
        self.frames.0 + u64::from(self.delay)
    }

    /// How many coded frames a chunk has: a second's worth.
    fn samples_per_chunk(&self) -> u64 {
        u64::from(self.format.rate.hertz()).div_ceil(self.frame_frames)
    }

    /// Whether places in the file may need more than 32 bits.
    fn is_large(&self) -> bool {
        const FRONT_BYTES_MAX: u64 = 1 << 29;
        let most = self.samples().saturating_mul(self.frame_bytes_max);
        most.saturating_add(FRONT_BYTES_MAX) > u64::from(u32::MAX)
    }
}

/// A file that is being written.
pub(super) struct Movie {
    samples: u64,
    samples_per_chunk: u64,
    is_large: bool,
    sizes: Table,
    offsets: Table,
    mdat_at: u64,
    put: u64,
}

impl Movie {
    /// Writes all that stands before the sound.
    ///
    /// # Errors
    /// If it cannot be written, or is longer than its tables can tell: 2^32 coded frames.
    pub(super) fn begin(track: Track, out: &mut Out<'_>) -> io::Result<Self> {
        let (samples, samples_per_chunk) = (track.samples(), track.samples_per_chunk());
        let is_large = track.is_large();
        let mut front = Front::new(&track)?;
        front.movie(&track);
        let stsz_bytes = 4 * u64::from(front.samples);
        let offset_bytes = if is_large { 8 } else { 4 };
        let offsets_bytes = offset_bytes * u64::from(front.chunks);
        // `stsz` and the chunk offsets end `moov`: all that is open lies in one piece.
        let sizes_at = front.bytes.len() as u64 + 20;
        let offsets_at = sizes_at + stsz_bytes + 16;
        let mdat_at = offsets_at + offsets_bytes;
        let (begin, rest) = front.split(stsz_bytes, offsets_bytes, is_large)?;
        out.put(&begin)?;
        out.zeroes(stsz_bytes)?;
        out.put(&rest)?;
        out.zeroes(offsets_bytes)?;
        out.put(if is_large {
            b"\0\0\0\x01mdat\0\0\0\0\0\0\0\0"
        } else {
            b"\0\0\0\0mdat"
        })?;
        Ok(Self {
            samples,
            samples_per_chunk,
            is_large,
            sizes: Table::new(sizes_at, stsz_bytes),
            offsets: Table::new(offsets_at, offsets_bytes),
            mdat_at,
            put: 0,
        })
    }

    /// How many coded frames it takes.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// Writes the next coded frame.
    pub(super) fn put(&mut self, out: &mut Out<'_>, coded: &[u8]) -> io::Result<()> {
        if self.put.is_multiple_of(self.samples_per_chunk) {
            let at = out.position();
            if self.is_large {
                self.offsets.push(out, &at.to_be_bytes())?;
            } else {
                self.offsets.push(out, &narrow(at)?.to_be_bytes())?;
            }
        }
        self.sizes
            .push(out, &narrow(coded.len() as u64)?.to_be_bytes())?;
        self.put += 1;
        out.put(coded)
    }

    /// Settles the tables and the length of `mdat`.
    pub(super) fn finish(self, out: &mut Out<'_>) -> io::Result<()> {
        self.sizes.finish(out)?;
        self.offsets.finish(out)?;
        let length = out.position() - self.mdat_at;
        if self.is_large {
            out.patch(self.mdat_at + 8, &length.to_be_bytes())
        } else {
            out.patch(self.mdat_at, &narrow(length)?.to_be_bytes())
        }
    }
}

fn narrow(value: u64) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| io::Error::other("the sound is too long for an MP4 file"))
}

/// The boxes before the sound. A box is opened, filled and closed; `stsz` and what follows it are
/// put by [`Front::split`].
struct Front {
    bytes: Vec<u8>,
    /// Where the boxes that are open begin.
    open: Vec<usize>,
    samples: u32,
    chunks: u32,
    /// The last chunk's coded frames, if they are fewer than the others'; else zero.
    rest: u32,
    per_chunk: u32,
}

impl Front {
    fn new(track: &Track) -> io::Result<Self> {
        let per_chunk = track.samples_per_chunk();
        Ok(Self {
            bytes: Vec::with_capacity(1_024),
            open: Vec::new(),
            samples: narrow(track.samples())?,
            chunks: narrow(track.samples().div_ceil(per_chunk))?,
            rest: narrow(track.samples() % per_chunk)?,
            per_chunk: narrow(per_chunk)?,
        })
    }

    fn begin(&mut self, name: &[u8; 4]) {
        self.open.push(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(name);
    }

    /// A box with version and flags.
    fn begin_full(&mut self, name: &[u8; 4], version: u8, flags: u8) {
        self.begin(name);
        self.bytes.extend_from_slice(&[version, 0, 0, flags]);
    }

    /// Closes the box that was opened last; `later` bytes of it are put afterwards.
    fn end_with(&mut self, later: u64) -> io::Result<()> {
        if let Some(at) = self.open.pop() {
            let length = narrow((self.bytes.len() - at) as u64 + later)?;
            self.bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Closes a box that lies in memory whole, and so is short.
    fn end(&mut self) {
        if let Some(at) = self.open.pop() {
            let length = (self.bytes.len() - at) as u64;
            self.bytes[at..at + 4].copy_from_slice(&length.to_be_bytes()[4..]);
        }
    }

    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn u32s(&mut self, values: &[u32]) {
        for value in values {
            self.bytes.extend_from_slice(&value.to_be_bytes());
        }
    }

    /// Times: 32 bits in version 0 of a box, 64 in version 1.
    fn times(&mut self, version: u8, values: &[u64]) {
        for value in values {
            let bytes = value.to_be_bytes();
            self.bytes
                .extend_from_slice(&bytes[if version == 0 { 4 } else { 0 }..]);
        }
    }

    /// `ftyp`, and `moov` as far as its open end.
    fn movie(&mut self, track: &Track) {
        const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
        let rate = track.format.rate.hertz();
        let media = track.media();
        let version = u8::from(media > u64::from(u32::MAX) / 2);
        self.begin(b"ftyp");
        self.bytes.extend_from_slice(b"M4A \0\0\0\0M4A mp42isom");
        self.end();
        self.begin(b"moov");
        // Times of making are left zero: the same sound gives the same bytes.
        self.begin_full(b"mvhd", version, 0);
        self.times(version, &[0, 0]);
        self.u32s(&[rate]);
        self.times(version, &[track.frames.0]);
        self.u32s(&[0x1_0000, 0x0100_0000, 0, 0]);
        self.u32s(&MATRIX);
        self.u32s(&[0, 0, 0, 0, 0, 0, 2]);
        self.end();
        self.begin(b"trak");
        self.begin_full(b"tkhd", version, 3);
        self.times(version, &[0, 0]);
        self.u32s(&[1, 0]);
        self.times(version, &[track.frames.0]);
        self.u32s(&[0, 0, 0, 0x0100_0000]);
        self.u32s(&MATRIX);
        self.u32s(&[0, 0]);
        self.end();
        self.begin(b"edts");
        self.begin_full(b"elst", version, 0);
        self.u32s(&[1]);
        self.times(version, &[track.frames.0, u64::from(track.delay)]);
        self.u32s(&[0x1_0000]);
        self.end();
        self.end();
        self.begin(b"mdia");
        self.begin_full(b"mdhd", version, 0);
        self.times(version, &[0, 0]);
        self.u32s(&[rate]);
        self.times(version, &[media]);
        // Language `und`.
        self.u16(0x55C4);
        self.u16(0);
        self.end();
        self.begin_full(b"hdlr", 0, 0);
        self.bytes
            .extend_from_slice(b"\0\0\0\0soun\0\0\0\0\0\0\0\0\0\0\0\0SoundHandler\0");
        self.end();
        self.begin(b"minf");
        self.begin_full(b"smhd", 0, 0);
        self.u32s(&[0]);
        self.end();
        self.begin(b"dinf");
        self.begin_full(b"dref", 0, 0);
        self.u32s(&[1]);
        // The sound lies in this very file.
        self.begin_full(b"url ", 0, 1);
        self.end();
        self.end();
        self.end();
        self.begin(b"stbl");
        self.description(track);
        self.tables();
    }

    /// `stsd`: what the coded frames are.
    fn description(&mut self, track: &Track) {
        let channels = if track.format.channels.count() == 2 {
            2
        } else {
            1
        };
        self.begin_full(b"stsd", 0, 0);
        self.u32s(&[1]);
        self.begin(b"mp4a");
        self.u32s(&[0]);
        // The data reference, then the fields of a sound sample entry.
        self.u32s(&[1, 0, 0]);
        self.u16(channels);
        self.u16(16);
        self.u32s(&[0, track.format.rate.hertz() << 16]);
        self.begin_full(b"esds", 0, 0);
        // Descriptors (ISO/IEC 14496-1, 7.2.6): tag, length, content; all are shorter than 128.
        let config = u8::try_from(track.config.len().min(64)).unwrap_or(64);
        self.bytes
            .extend_from_slice(&[3, 3 + 2 + 13 + 2 + config + 3, 0, 0, 0]);
        self.bytes
            .extend_from_slice(&[4, 13 + 2 + config, 0x40, 0x15]);
        // The decoder's buffer: 6144 bits a channel.
        let buffer = 768 * u32::from(channels);
        self.bytes.extend_from_slice(&buffer.to_be_bytes()[1..]);
        self.u32s(&[track.bit_rate, track.bit_rate]);
        self.bytes.extend_from_slice(&[5, config]);
        self.bytes
            .extend_from_slice(&track.config[..usize::from(config)]);
        self.bytes.extend_from_slice(&[6, 1, 2]);
        self.end();
        self.end();
        self.end();
        self.begin_full(b"stts", 0, 0);
        let duration = |frames| u32::try_from(frames).unwrap_or(u32::MAX);
        let whole = duration(track.frame_frames);
        match track.media() % track.frame_frames {
            0 => self.u32s(&[1, self.samples, whole]),
            last if self.samples == 1 => self.u32s(&[1, 1, duration(last)]),
            last => self.u32s(&[2, self.samples - 1, whole, 1, duration(last)]),
        }
        self.end();
    }

    /// The sample groups and `stsc`.
    fn tables(&mut self) {
        self.begin_full(b"sgpd", 1, 0);
        self.bytes.extend_from_slice(b"roll");
        self.u32s(&[2, 1]);
        // Minus one: decoding has settled one frame later.
        self.u16(0xFFFF);
        self.end();
        self.begin_full(b"sbgp", 0, 0);
        self.bytes.extend_from_slice(b"roll");
        self.u32s(&[1, self.samples, 1]);
        self.end();
        self.begin_full(b"stsc", 0, 0);
        if self.rest == 0 {
            self.u32s(&[1, 1, self.per_chunk, 1]);
        } else if self.chunks == 1 {
            self.u32s(&[1, 1, self.rest, 1]);
        } else {
            self.u32s(&[2, 1, self.per_chunk, 1, self.chunks, self.rest, 1]);
        }
        self.end();
    }

    /// Closes all: the bytes before the sizes, and those between sizes and offsets.
    fn split(
        mut self,
        sizes: u64,
        offsets: u64,
        is_large: bool,
    ) -> io::Result<(Vec<u8>, [u8; 16])> {
        self.begin_full(b"stsz", 0, 0);
        self.u32s(&[0, self.samples]);
        self.end_with(sizes)?;
        while !self.open.is_empty() {
            self.end_with(sizes + 16 + offsets)?;
        }
        let mut head = [0; 16];
        head[..4].copy_from_slice(&narrow(16 + offsets)?.to_be_bytes());
        head[4..8].copy_from_slice(if is_large { b"co64" } else { b"stco" });
        head[12..].copy_from_slice(&self.chunks.to_be_bytes());
        Ok((self.bytes, head))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::format::Channels;
    use crate::units::SampleRate;

    /// The bytes of a file of empty coded frames.
    fn file(frames: u64, frame_frames: u64, frame_bytes_max: u64) -> Vec<u8> {
        let track = Track {
            format: PcmFormat {
                rate: SampleRate::TELEPHONE,
                channels: Channels::Mono,
            },
            frames: Frames(frames),
            delay: 2_048,
            frame_frames,
            frame_bytes_max,
            bit_rate: 24_000,
            config: vec![0x15, 0x88],
        };
        let mut sink = Cursor::new(Vec::new());
        let mut out = Out::new(&mut sink).expect("memory can be written");
        let mut movie = Movie::begin(track, &mut out).expect("the front");
        for _ in 0..movie.samples() {
            movie.put(&mut out, b"xyz").expect("a coded frame");
        }
        movie.finish(&mut out).expect("the tables");
        out.finish().expect("memory can be written");
        sink.into_inner()
    }

    fn has(file: &[u8], what: &[u8]) -> bool {
        file.windows(what.len()).any(|bytes| bytes == what)
    }

    #[test]
    fn places_past_32_bits_take_64() {
        let small = file(80_000, 1_024, 768);
        assert!(has(&small, b"stco") && !has(&small, b"co64"));
        // Eighty frames of sound and run-up, eight of them a chunk.
        let large = file(80_000, 1_024, 1 << 26);
        assert!(has(&large, b"co64") && !has(&large, b"stco"));
        let mdat = large
            .windows(4)
            .position(|name| name == b"mdat")
            .expect("mdat");
        let count = (80_000_u64 + 2_048).div_ceil(1_024);
        assert_eq!(large[mdat - 4..mdat], 1_u32.to_be_bytes());
        assert_eq!(large[mdat + 4..mdat + 12], (16 + 3 * count).to_be_bytes());
        assert_eq!(large.len() as u64, mdat as u64 - 4 + 16 + 3 * count);
        let last = mdat as u64 + 12 + 3 * (count - count % 8);
        assert_eq!(large[mdat - 12..mdat - 4], last.to_be_bytes());
    }

    #[test]
    fn times_past_31_bits_take_64() {
        let frames = 1_u64 << 33;
        let long = file(frames, 1 << 30, 768);
        for (name, skip) in [(b"mvhd", 28), (b"elst", 12), (b"mdhd", 28)] {
            let at = long
                .windows(4)
                .position(|bytes| bytes == name)
                .expect("the box");
            assert_eq!(long[at + 4], 1, "version of {name:?}");
            let time = u64::from_be_bytes(*long[at + skip..].first_chunk().expect("a time"));
            let run_up = if name == b"mdhd" { 2_048 } else { 0 };
            assert_eq!(time, frames + run_up, "{name:?}");
        }
        assert!(has(&file(4_000, 1_024, 768), b"mvhd\0\0\0\0"));
    }

    #[test]
    fn more_coded_frames_than_32_bits_count_are_refused() {
        let track = Track {
            format: PcmFormat {
                rate: SampleRate::TELEPHONE,
                channels: Channels::Mono,
            },
            frames: Frames(1 << 43),
            delay: 0,
            frame_frames: 1_024,
            frame_bytes_max: 768,
            bit_rate: 24_000,
            config: vec![0x15, 0x88],
        };
        let mut sink = Cursor::new(Vec::new());
        let mut out = Out::new(&mut sink).expect("memory can be written");
        assert!(Movie::begin(track, &mut out).is_err());
        drop(out);
        assert!(sink.into_inner().is_empty());
    }
}
