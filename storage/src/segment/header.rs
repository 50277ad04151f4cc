//! The first 4096 bytes of every recording Callreel makes: RIFF WAVE (Microsoft, "Multimedia
//! Programming Interface and Data Specifications 1.0"), RF64 past 4 GiB (EBU Tech 3306), with a
//! `bext` chunk (EBU Tech 3285), padded so that sound begins at [`SOUND_AT`]. FORMAT.md has the
//! byte table.

use audio_io::format::{Channels, Encoding, StreamFormat};
use audio_io::units::SampleRate;

use crate::record::RecordingFacts;

/// Where the sound begins.
pub const SOUND_AT: u64 = 4096;

/// [`SOUND_AT`] as a length of memory.
pub const HEADER_BYTES: usize = 4096;

/// What a header says about the sound behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The sound's format.
    pub format: StreamFormat,
    /// Its length in bytes; `None` while the recording is open ("until the end of the file").
    pub sound_bytes: Option<u64>,
    /// The file's length by its RIFF size; `None` while open.
    pub file_bytes: Option<u64>,
}

/// A header that is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Shorter than [`SOUND_AT`].
    #[error("the file is shorter than its header")]
    Short,
    /// Not RIFF WAVE or RF64.
    #[error("the file is no RIFF WAVE")]
    NotWave,
    /// The chunks before the sound are not those FORMAT.md lists.
    #[error("the chunks before the sound are damaged")]
    Chunks,
    /// A format no line has.
    #[error("the sound's format is unknown")]
    Format,
}

/// How large the sound and the whole file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// Still growing: readers play until the end of the file.
    Open,
    /// Final, or a snapshot.
    Known {
        /// Sound bytes.
        sound: u64,
        /// All bytes, header and trailing chunks included.
        file: u64,
    },
}

/// Makes the header of a recording.
#[must_use]
pub fn build(facts: &RecordingFacts, sizes: Sizes) -> [u8; HEADER_BYTES] {
    let mut out = Writer { bytes: [0; HEADER_BYTES], at: 0 };
    let (sound, file) = match sizes {
        Sizes::Open => (UNKNOWN, UNKNOWN),
        Sizes::Known { sound, file } => (sound, file - 8),
    };
    let long = sizes != Sizes::Open && file >= UNKNOWN;
    out.put(if long { b"RF64" } else { b"RIFF" });
    out.size(if long { UNKNOWN } else { file });
    out.put(b"WAVE");
    out.put(if long { b"ds64" } else { b"JUNK" });
    out.size(28);
    if long {
        out.put(&file.to_le_bytes());
        out.put(&sound.to_le_bytes());
        out.put(&facts.format.frames_in(sound).0.to_le_bytes());
        out.put(&[0; 4]);
    } else {
        out.put(&[0; 28]);
    }
    write_format(&mut out, facts.format, sizes);
    write_bext(&mut out, facts);
    out.put(b"JUNK");
    let padding = HEADER_BYTES - 8 - (out.at + 4);
    out.size(padding as u64);
    out.at = HEADER_BYTES - 8;
    out.put(b"data");
    out.size(if long { UNKNOWN } else { sound });
    out.bytes
}

/// Reads a header that [`build`] made.
///
/// # Errors
/// [`HeaderError`]; never panics, whatever the bytes are.
pub fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    let header: &[u8; HEADER_BYTES] =
        bytes.get(..HEADER_BYTES).and_then(|b| b.try_into().ok()).ok_or(HeaderError::Short)?;
    let long = match (&header[..4], &header[8..12]) {
        (b"RIFF", b"WAVE") => false,
        (b"RF64", b"WAVE") => true,
        _ => return Err(HeaderError::NotWave),
    };
    let first: &[u8] = if long { b"ds64" } else { b"JUNK" };
    let data = HEADER_BYTES - 8;
    let chunks = header[12..16] == *first
        && le32(header, 16) == 28
        && header[FORMAT_AT..FORMAT_AT + 4] == *b"fmt "
        && header[data..data + 4] == *b"data";
    if !chunks {
        return Err(HeaderError::Chunks);
    }
    let format = parse_format(header)?;
    if long {
        let file = le64(header, 20).checked_add(8).ok_or(HeaderError::Chunks)?;
        let sound = le64(header, 28);
        return Ok(Header { format, sound_bytes: Some(sound), file_bytes: Some(file) });
    }
    let known = |size: u64| (size != UNKNOWN).then_some(size);
    Ok(Header {
        format,
        sound_bytes: known(u64::from(le32(header, data + 4))),
        file_bytes: known(u64::from(le32(header, 4))).map(|size| size + 8),
    })
}

fn write_format(out: &mut Writer, format: StreamFormat, sizes: Sizes) {
    let (tag, extra) = match format.encoding {
        Encoding::S16Le => (PCM, 0_u64),
        Encoding::ALaw => (ALAW, 2),
        Encoding::MuLaw => (MULAW, 2),
    };
    let frame = format.frame_bytes() as u64;
    out.put(b"fmt ");
    out.size(16 + extra);
    out.short(u64::from(tag));
    out.short(format.channels.count() as u64);
    out.size(u64::from(format.rate.hertz()));
    out.size(format.bytes_per_second());
    out.short(frame);
    out.short(8 * format.encoding.sample_bytes() as u64);
    if extra > 0 {
        // Formats other than PCM carry an extension size and a `fact` chunk.
        out.short(0);
        out.put(b"fact");
        out.size(4);
        out.size(match sizes {
            Sizes::Open => UNKNOWN,
            Sizes::Known { sound, .. } => format.frames_in(sound).0,
        });
    }
}

fn parse_format(header: &[u8; HEADER_BYTES]) -> Result<StreamFormat, HeaderError> {
    let at = FORMAT_AT + 8;
    let bits = le16(header, at + 14);
    let encoding = match (le16(header, at), bits) {
        (PCM, 16) => Encoding::S16Le,
        (ALAW, 8) => Encoding::ALaw,
        (MULAW, 8) => Encoding::MuLaw,
        _ => return Err(HeaderError::Format),
    };
    let channels = match le16(header, at + 2) {
        1 => Channels::Mono,
        2 => Channels::Stereo,
        _ => return Err(HeaderError::Format),
    };
    let rate = SampleRate::new(le32(header, at + 4)).map_err(|_| HeaderError::Format)?;
    Ok(StreamFormat { rate, encoding, channels })
}

fn write_bext(out: &mut Writer, facts: &RecordingFacts) {
    let when = crate::paths::utc(facts.started_at);
    let (hour, minute, second) = when.to_hms();
    let date = when.date();
    out.put(b"bext");
    out.size(602);
    out.text(&format!("Recording {} of {}", facts.id, facts.names.call_sid), 256);
    out.text("Callreel", 32);
    out.text(facts.names.task_id.simple().to_string().as_str(), 32);
    out.text(&format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()), 10);
    out.text(&format!("{hour:02}:{minute:02}:{second:02}"), 8);
    out.put(&[0; 8]);
    out.short(1);
    out.text("", 254);
}

struct Writer {
    bytes: [u8; HEADER_BYTES],
    at: usize,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// A 32-bit number; one that does not fit reads "unknown".
    fn size(&mut self, value: u64) {
        self.put(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn short(&mut self, value: u64) {
        self.put(&u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes());
    }

    /// Text in a field of fixed width, cut or padded with zeros.
    fn text(&mut self, text: &str, width: usize) {
        let bytes = text.as_bytes();
        let len = bytes.len().min(width);
        self.bytes[self.at..self.at + len].copy_from_slice(&bytes[..len]);
        self.at += width;
    }
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from(le16(bytes, at)) | u32::from(le16(bytes, at + 2)) << 16
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from(le32(bytes, at)) | u64::from(le32(bytes, at + 4)) << 32
}

/// Where the `fmt ` chunk begins.
const FORMAT_AT: usize = 48;
const UNKNOWN: u64 = 0xFFFF_FFFF;
const PCM: u16 = 1;
const ALAW: u16 = 6;
const MULAW: u16 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::a_recording;
    use proptest::prelude::*;

    fn formats() -> Vec<StreamFormat> {
        let mut all = Vec::new();
        for encoding in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
            for channels in [Channels::Mono, Channels::Stereo] {
                all.push(StreamFormat { rate: SampleRate::MAX, encoding, channels });
            }
        }
        all
    }

    #[test]
    fn headers_read_as_they_were_built() {
        for format in formats() {
            let mut facts = a_recording(1, 2).facts;
            facts.format = format;
            for sound in [0, 2, 0xFFFF_0000, 0xFFFF_FFFE, 0x1_0000_0000, 1 << 40] {
                let file = sound + 5000;
                let header = build(&facts, Sizes::Known { sound, file });
                let expected =
                    Header { format, sound_bytes: Some(sound), file_bytes: Some(file) };
                assert_eq!(parse(&header), Ok(expected));
            }
            let open = Header { format, sound_bytes: None, file_bytes: None };
            assert_eq!(parse(&build(&facts, Sizes::Open)), Ok(open));
        }
    }

    #[test]
    fn chunks_lead_exactly_to_the_sound() {
        for format in formats() {
            let mut facts = a_recording(1, 2).facts;
            facts.format = format;
            let header = build(&facts, Sizes::Known { sound: 8, file: 4104 });
            let mut at = 12;
            while &header[at..at + 4] != b"data" {
                at += 8 + le32(&header, at + 4) as usize;
            }
            assert_eq!(at + 8, HEADER_BYTES);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes: Vec<u8>, at in 0usize..4096, with: u8) {
            let _ = parse(&bytes);
            bytes = build(&a_recording(1, 2).facts, Sizes::Open).to_vec();
            bytes[at] = with;
            let _ = parse(&bytes);
        }
    }
}
