//! RIFF WAVE files: the header that Callreel writes before its sound (`header`), and a parser for
//! anybody's (`parse`).
//!
//! The header of a recording, always 4096 bytes, so that sound starts on a page of the disk:
//!
//! | chunk | bytes with its own header | what |
//! |---|---|---|
//! | `RIFF` or `RF64` | 12 | size of what follows; RF64 (EBU Tech 3306) past 32 bits |
//! | `JUNK` or `ds64` | 36 | room for, or the 64-bit sizes |
//! | `fmt ` | 24 or 26 | 1 PCM16, 7 µ-law, 6 A-law; the companded ones with an empty extension |
//! | `fact` | 12 | companded only: samples a channel |
//! | `bext` | 610 | EBU Tech 3285: where and when it was recorded |
//! | `JUNK` | the rest | zeroes |
//! | `data` | 8 | at 4088; the sound begins at 4096 |
//!
//! After the sound: one zero byte if its length is odd, then trailing chunks, if any.

mod header;
mod parse;

pub use header::{Bext, HEADER_BYTES, WavHeader};
pub use parse::{Chunk, FmtChunk, WavError, WavInfo, parse, parse_bytes};

/// `WAVE_FORMAT_PCM`.
pub const TAG_PCM: u16 = 0x0001;
/// `WAVE_FORMAT_IEEE_FLOAT`.
pub const TAG_FLOAT: u16 = 0x0003;
/// `WAVE_FORMAT_ALAW`.
pub const TAG_ALAW: u16 = 0x0006;
/// `WAVE_FORMAT_MULAW`.
pub const TAG_MULAW: u16 = 0x0007;
/// `WAVE_FORMAT_EXTENSIBLE`: the real tag stands in the extension.
pub const TAG_EXTENSIBLE: u16 = 0xFFFE;

/// A size that says "look in `ds64`", or "until the end of the file".
const SIZE_UNKNOWN: u32 = u32::MAX;

#[cfg(test)]
mod tests;
