//! Reads the chunks of a RIFF WAVE, RF64 or BW64 file, whoever wrote it. Sizes are believed only
//! as far as the file goes; nothing a file says makes this allocate more than its chunk list.

use std::io::{self, Read, Seek, SeekFrom};

use super::{SIZE_UNKNOWN, TAG_ALAW, TAG_EXTENSIBLE, TAG_MULAW, TAG_PCM};
use crate::format::{Channels, Encoding, StreamFormat};
use crate::limits::{WAV_CHUNKS_MAX, WAV_DS64_TABLE_MAX};
use crate::units::{Frames, SampleRate};

/// One chunk, without its own eight bytes of header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its four characters.
    pub id: [u8; 4],
    /// Where its content begins in the file.
    pub offset: u64,
    /// How long its content is, cut off at the end of the file.
    pub bytes: u64,
}

/// The `fmt ` chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FmtChunk {
    /// The format tag; where it was `WAVE_FORMAT_EXTENSIBLE`, the tag inside the extension.
    pub tag: u16,
    /// Channels.
    pub channels: u16,
    /// Frames a second.
    pub rate: u32,
    /// Bytes a frame.
    pub block_align: u16,
    /// Bits a sample.
    pub bits: u16,
}

/// What a WAV file says about itself, as far as it is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavInfo {
    /// The format of the sound.
    pub fmt: FmtChunk,
    /// Where the sound begins.
    pub data_offset: u64,
    /// How much sound there is: whole frames within the file.
    pub data_bytes: u64,
    /// Whether the file's writer left the length open ("until the end of the file").
    pub open_ended: bool,
    /// Whether the file ends before its sound should.
    pub truncated: bool,
    /// Whether it is RF64 or BW64.
    pub rf64: bool,
    /// All chunks in order, `data` included.
    pub chunks: Vec<Chunk>,
}

/// A file that is not a WAV file we can use.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// It could not be read.
    #[error("WAV file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin with `RIFF`, `RF64` or `BW64` and `WAVE`.
    #[error("not a WAV file: it does not begin with RIFF....WAVE")]
    NotWav,
    /// There is no `fmt ` chunk before the sound.
    #[error("WAV file without a fmt chunk before its sound")]
    NoFormat,
    /// There is no `data` chunk.
    #[error("WAV file without a data chunk")]
    NoData,
    /// The `fmt ` chunk is too short, or a field of it is zero.
    #[error("WAV file with an impossible {0} in its fmt chunk")]
    Format(&'static str),
    /// An RF64 file does not begin with `ds64`.
    #[error("RF64 file without a ds64 chunk")]
    NoDs64,
    /// It has more chunks than anybody needs.
    #[error("WAV file with more than {WAV_CHUNKS_MAX} chunks")]
    TooManyChunks,
}

impl WavInfo {
    /// The format as a stream's, where lines can have it: 8 to 48 kHz, one or two channels,
    /// PCM16, µ-law or A-law.
    #[must_use]
    pub fn stream_format(&self) -> Option<StreamFormat> {
        let encoding = match (self.fmt.tag, self.fmt.bits) {
            (TAG_PCM, 16) => Encoding::S16Le,
            (TAG_MULAW, 8) => Encoding::MuLaw,
            (TAG_ALAW, 8) => Encoding::ALaw,
            _ => return None,
        };
        let channels = match self.fmt.channels {
            1 => Channels::Mono,
            2 => Channels::Stereo,
            _ => return None,
        };
        let format = StreamFormat {
            rate: SampleRate::new(self.fmt.rate).ok()?,
            encoding,
            channels,
        };
        (format.frame_bytes() == usize::from(self.fmt.block_align)).then_some(format)
    }

    /// The frames of sound, for formats whose frames are of one size (all but ADPCM and the like).
    #[must_use]
    pub const fn frames(&self) -> Frames {
        Frames(self.data_bytes / self.fmt.block_align as u64)
    }

    /// The first chunk of this name.
    #[must_use]
    pub fn chunk(&self, id: [u8; 4]) -> Option<&Chunk> {
        self.chunks.iter().find(|chunk| chunk.id == id)
    }
}

/// Reads a WAV file's chunks from its beginning to its end, without reading the sound.
///
/// # Errors
/// [`WavError`] when it is not a WAV file, or cannot be read.
pub fn parse<R: Read + Seek>(reader: &mut R) -> Result<WavInfo, WavError> {
    let length = reader.seek(SeekFrom::End(0))?;
    Walk {
        reader,
        length,
        rf64: None,
        riff: 0,
        fmt: None,
        data: None,
        chunks: Vec::new(),
    }
    .run()
}

/// Reads a WAV file that lies in memory.
///
/// # Errors
/// As [`parse`].
pub fn parse_bytes(bytes: &[u8]) -> Result<WavInfo, WavError> {
    parse(&mut io::Cursor::new(bytes))
}

/// The sizes in `ds64`.
struct LongSizes {
    data: u64,
    table: Vec<([u8; 4], u64)>,
}

/// The sound, once its chunk was met.
struct Data {
    offset: u64,
    bytes: u64,
    open_ended: bool,
    truncated: bool,
}

struct Walk<'a, R> {
    reader: &'a mut R,
    length: u64,
    rf64: Option<LongSizes>,
    riff: u32,
    fmt: Option<FmtChunk>,
    data: Option<Data>,
    chunks: Vec<Chunk>,
}

impl<R: Read + Seek> Walk<'_, R> {
    fn run(mut self) -> Result<WavInfo, WavError> {
        let mut head = [0; 12];
        if !self.read_at(0, &mut head)? || &head[8..] != b"WAVE" {
            return Err(WavError::NotWav);
        }
        let long = match &head[..4] {
            b"RIFF" => false,
            b"RF64" | b"BW64" => true,
            _ => return Err(WavError::NotWav),
        };
        self.riff = u32_at(&head, 4);
        let mut at = 12;
        if long {
            at = self.read_ds64(at)?;
        }
        while let Some((chunk, declared)) = self.chunk_at(at)? {
            if self.chunks.len() == WAV_CHUNKS_MAX {
                return Err(WavError::TooManyChunks);
            }
            self.take(chunk, declared)?;
            let last = self.chunks.last().copied().unwrap_or(chunk);
            let end = last.offset + last.bytes;
            // Chunks begin at even places, but some writers forget the byte that makes it so.
            at = end + (last.bytes % 2) * u64::from(self.is_padded(end)?);
        }
        let data = self.data.ok_or(WavError::NoData)?;
        let fmt = self.fmt.ok_or(WavError::NoFormat)?;
        Ok(WavInfo {
            fmt,
            data_offset: data.offset,
            data_bytes: data.bytes - data.bytes % u64::from(fmt.block_align),
            open_ended: data.open_ended,
            truncated: data.truncated,
            rf64: long,
            chunks: self.chunks,
        })
    }

    /// Remembers a chunk, and looks into those that matter.
    fn take(&mut self, mut chunk: Chunk, declared: u64) -> Result<(), WavError> {
        match &chunk.id {
            b"fmt " if self.fmt.is_none() => self.fmt = Some(self.read_fmt(&chunk)?),
            b"data" if self.data.is_none() => {
                if self.fmt.is_none() {
                    return Err(WavError::NoFormat);
                }
                let rest = self.length - chunk.offset;
                // An interrupted or streaming writer leaves 0 or the largest number. A zero is
                // believed when the file's own size agrees with it.
                let header_only = u64::from(self.riff) + 8 <= chunk.offset;
                let open_ended = self.rf64.is_none()
                    && (declared == u64::from(SIZE_UNKNOWN)
                        || declared == 0 && rest > 0 && (header_only || self.riff == SIZE_UNKNOWN));
                if open_ended {
                    chunk.bytes = rest;
                }
                self.data = Some(Data {
                    offset: chunk.offset,
                    bytes: chunk.bytes,
                    open_ended,
                    truncated: !open_ended && declared > rest,
                });
            }
            _ => {}
        }
        self.chunks.push(chunk);
        Ok(())
    }

    /// The chunk whose header is at this place and the size it declares, or `None` at the end.
    fn chunk_at(&mut self, at: u64) -> Result<Option<(Chunk, u64)>, WavError> {
        let mut head = [0; 8];
        if !self.read_at(at, &mut head)? {
            return Ok(None);
        }
        let id = [head[0], head[1], head[2], head[3]];
        let size = u32_at(&head, 4);
        let declared = match &self.rf64 {
            Some(long) if size == SIZE_UNKNOWN => long.size_of(id),
            _ => u64::from(size),
        };
        let offset = at + 8;
        let bytes = declared.min(self.length.saturating_sub(offset));
        Ok(Some((Chunk { id, offset, bytes }, declared)))
    }

    fn read_ds64(&mut self, at: u64) -> Result<u64, WavError> {
        let (chunk, _) = self.chunk_at(at)?.ok_or(WavError::NoDs64)?;
        let mut body = [0; 28];
        if &chunk.id != b"ds64" || chunk.bytes < 28 || !self.read_at(chunk.offset, &mut body)? {
            return Err(WavError::NoDs64);
        }
        let data = u64_at(&body, 8);
        let mut table = Vec::new();
        let mut entry = [0; 12];
        let entries = u64::from(u32_at(&body, 24).min(WAV_DS64_TABLE_MAX));
        for n in 0..entries.min((chunk.bytes - 28) / 12) {
            if self.read_at(chunk.offset + 28 + 12 * n, &mut entry)? {
                table.push(([entry[0], entry[1], entry[2], entry[3]], u64_at(&entry, 4)));
            }
        }
        self.rf64 = Some(LongSizes { data, table });
        self.chunks.push(chunk);
        Ok(chunk.offset + chunk.bytes + chunk.bytes % 2)
    }

    fn read_fmt(&mut self, chunk: &Chunk) -> Result<FmtChunk, WavError> {
        let mut body = [0; 16];
        if chunk.bytes < 16 || !self.read_at(chunk.offset, &mut body)? {
            return Err(WavError::Format("length"));
        }
        let mut fmt = FmtChunk {
            tag: u16_at(&body, 0),
            channels: u16_at(&body, 2),
            rate: u32_at(&body, 4),
            block_align: u16_at(&body, 12),
            bits: u16_at(&body, 14),
        };
        let mut sub_format = [0; 2];
        if fmt.tag == TAG_EXTENSIBLE {
            if chunk.bytes < 40 || !self.read_at(chunk.offset + 24, &mut sub_format)? {
                return Err(WavError::Format("extension"));
            }
            fmt.tag = u16_at(&sub_format, 0);
        }
        for (value, name) in [
            (u32::from(fmt.channels), "number of channels"),
            (fmt.rate, "rate"),
            (u32::from(fmt.block_align), "frame size"),
        ] {
            if value == 0 {
                return Err(WavError::Format(name));
            }
        }
        Ok(fmt)
    }

    /// Whether the chunk after one that ends at an odd length begins a byte later, as it should.
    fn is_padded(&mut self, end: u64) -> Result<bool, WavError> {
        let mut id = [0; 5];
        if !self.read_at(end, &mut id)? {
            return Ok(true);
        }
        let plausible = |id: &[u8]| id.iter().all(|byte| (b' '..=b'~').contains(byte));
        Ok(plausible(&id[1..]) || !plausible(&id[..4]))
    }

    /// Fills `bytes` from this place, or says that the file ends before.
    fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> Result<bool, WavError> {
        let end = at.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Ok(false);
        }
        self.reader.seek(SeekFrom::Start(at))?;
        match self.reader.read_exact(bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl LongSizes {
    fn size_of(&self, id: [u8; 4]) -> u64 {
        if &id == b"data" {
            return self.data;
        }
        let listed = self.table.iter().find(|(name, _)| *name == id);
        listed.map_or(u64::from(SIZE_UNKNOWN), |(_, size)| *size)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
