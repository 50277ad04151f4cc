//! The 4096 bytes before the sound of a recording. The table is in `mod.rs`.

use super::{SIZE_UNKNOWN, TAG_ALAW, TAG_MULAW, TAG_PCM};
use crate::format::{Encoding, StreamFormat};
use crate::units::{Frames, SampleRate, WallMillis};

/// Bytes before the sound.
pub const HEADER_BYTES: usize = 4_096;

/// Bytes of a `bext` chunk without coding history (EBU Tech 3285, version 1).
const BEXT_BYTES: usize = 602;

/// What the broadcast extension says about a recording (EBU Tech 3285).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bext {
    /// Free text; the first 256 bytes of it are kept, characters outside ASCII become `?`.
    pub description: String,
    /// Who made it; 32 bytes are kept.
    pub originator: String,
    /// Its name with the originator; 32 bytes are kept.
    pub originator_reference: String,
    /// When its first frame was captured. Written as date and time in UTC, and as frames since
    /// midnight.
    pub started_at: WallMillis,
}

/// Makes headers.
pub struct WavHeader;

impl WavHeader {
    /// The header of a file with this much sound. `data_bytes` is exact, a whole number of frames;
    /// `trailer_bytes` are the bytes of the chunks after the sound (and after
    /// [`Self::padding`]).
    #[must_use]
    pub fn sealed(
        format: StreamFormat,
        data_bytes: u64,
        trailer_bytes: u64,
        bext: &Bext,
    ) -> [u8; HEADER_BYTES] {
        let riff = (HEADER_BYTES as u64 - 8)
            .saturating_add(data_bytes)
            .saturating_add(Self::padding(data_bytes))
            .saturating_add(trailer_bytes);
        let frames = format.frames_in(data_bytes);
        match (u32::try_from(riff), u32::try_from(data_bytes)) {
            (Ok(riff), Ok(data)) if riff < SIZE_UNKNOWN => {
                let fact = u32::try_from(frames.0).unwrap_or(SIZE_UNKNOWN);
                build(
                    format,
                    bext,
                    &Sizes {
                        riff,
                        data,
                        fact,
                        long: None,
                    },
                )
            }
            _ => {
                let fact = u32::try_from(frames.0).unwrap_or(SIZE_UNKNOWN);
                let long = Some(LongSizes {
                    riff,
                    data: data_bytes,
                    frames,
                });
                let sizes = Sizes {
                    riff: SIZE_UNKNOWN,
                    data: SIZE_UNKNOWN,
                    fact,
                    long,
                };
                build(format, bext, &sizes)
            }
        }
    }

    /// The header of a recording in progress: its sizes say "until the end of the file".
    #[must_use]
    pub fn open_ended(format: StreamFormat, bext: &Bext) -> [u8; HEADER_BYTES] {
        let sizes = Sizes {
            riff: SIZE_UNKNOWN,
            data: SIZE_UNKNOWN,
            fact: SIZE_UNKNOWN,
            long: None,
        };
        build(format, bext, &sizes)
    }

    /// Zero bytes between the sound and what follows it: chunks begin at even places.
    #[must_use]
    pub const fn padding(data_bytes: u64) -> u64 {
        data_bytes % 2
    }

    /// The length of a sealed file.
    #[must_use]
    pub const fn file_bytes(data_bytes: u64, trailer_bytes: u64) -> u64 {
        HEADER_BYTES as u64 + data_bytes + Self::padding(data_bytes) + trailer_bytes
    }
}

/// The sizes in the header; the long ones make it RF64.
struct Sizes {
    riff: u32,
    data: u32,
    fact: u32,
    long: Option<LongSizes>,
}

struct LongSizes {
    riff: u64,
    data: u64,
    frames: Frames,
}

/// Writes from the start of the header on. All that is written is far shorter than it.
struct Cursor<'a> {
    bytes: &'a mut [u8; HEADER_BYTES],
    at: usize,
}

impl Cursor<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    #[allow(clippy::cast_possible_truncation, reason = "halves of 64 bits")]
    fn u64(&mut self, value: u64) {
        self.u32(value as u32);
        self.u32((value >> 32) as u32);
    }

    /// Text in a field of fixed width, filled up with zeroes.
    fn text(&mut self, text: &str, width: usize) {
        let end = self.at + width;
        for character in text.chars().take(width) {
            let plain = character.is_ascii_graphic() || character == ' ';
            let byte = if plain {
                u8::try_from(character).unwrap_or(b'?')
            } else {
                b'?'
            };
            self.put(&[byte]);
        }
        self.at = end;
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "frame sizes to 4, the header's rest to 4096"
)]
fn build(format: StreamFormat, bext: &Bext, sizes: &Sizes) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let mut out = Cursor {
        bytes: &mut header,
        at: 0,
    };
    out.put(if sizes.long.is_some() {
        b"RF64"
    } else {
        b"RIFF"
    });
    out.u32(sizes.riff);
    out.put(b"WAVE");
    if let Some(long) = &sizes.long {
        out.put(b"ds64");
        out.u32(28);
        out.u64(long.riff);
        out.u64(long.data);
        out.u64(long.frames.0);
        out.u32(0);
    } else {
        out.put(b"JUNK");
        out.u32(28);
        out.at += 28;
    }
    let companded = format.encoding != Encoding::S16Le;
    out.put(b"fmt ");
    out.u32(if companded { 18 } else { 16 });
    out.u16(match format.encoding {
        Encoding::S16Le => TAG_PCM,
        Encoding::MuLaw => TAG_MULAW,
        Encoding::ALaw => TAG_ALAW,
    });
    out.u16(format.channels.count() as u16);
    out.u32(format.rate.hertz());
    out.u32(format.rate.hertz() * format.frame_bytes() as u32);
    out.u16(format.frame_bytes() as u16);
    out.u16(8 * format.encoding.sample_bytes() as u16);
    if companded {
        // The size of the extension, and the count that all but PCM must carry.
        out.u16(0);
        out.put(b"fact");
        out.u32(4);
        out.u32(sizes.fact);
    }
    put_bext(&mut out, bext, format.rate);
    let rest = HEADER_BYTES - 8 - 8 - out.at;
    out.put(b"JUNK");
    out.u32(rest as u32);
    out.at += rest;
    out.put(b"data");
    out.u32(sizes.data);
    header
}

#[allow(clippy::cast_possible_truncation, reason = "BEXT_BYTES is 602")]
fn put_bext(out: &mut Cursor<'_>, bext: &Bext, rate: SampleRate) {
    const DAY_MS: u64 = 86_400_000;
    let (days, ms) = (bext.started_at.0 / DAY_MS, bext.started_at.0 % DAY_MS);
    let (year, month, day) = civil_date(days);
    let seconds = ms / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    out.put(b"bext");
    out.u32(BEXT_BYTES as u32);
    let start = out.at;
    out.text(&bext.description, 256);
    out.text(&bext.originator, 32);
    out.text(&bext.originator_reference, 32);
    out.text(&format!("{year:04}-{month:02}-{day:02}"), 10);
    out.text(&format!("{hour:02}:{minute:02}:{second:02}"), 8);
    out.u64(ms * u64::from(rate.hertz()) / 1_000);
    out.u16(1);
    out.at = start + BEXT_BYTES;
}

/// Year, month and day of a number of days since 1970-01-01. Years past 9999, which the field
/// cannot hold, read as 9999.
const fn civil_date(days: u64) -> (u64, u64, u64) {
    // Eras of 400 years that begin on a first of March, so that leap days end them.
    let days = if days > 2_932_896 { 2_932_896 } else { days } + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(59), (1970, 3, 1));
        assert_eq!(civil_date(11_016), (2000, 2, 29));
        assert_eq!(civil_date(20_593), (2026, 5, 20));
        assert_eq!(civil_date(u64::MAX), (9999, 12, 31));
    }
}
