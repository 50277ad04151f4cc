//! The padding that a WebM file says to discard at its end (`DiscardPadding`, RFC 9559 section
//! 5.1.3.5.8). Nothing else of the file is looked at.

use std::io::{BufReader, Read};

use super::file::FileReader;
use crate::codec::probe::ProbeError;
use crate::limits::WEBM_ELEMENTS_MAX;

/// Nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Nanos(pub(super) u64);

const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const BLOCK_GROUP: u64 = 0xA0;
const BLOCK: u64 = 0xA1;
const DISCARD_PADDING: u64 = 0x75A2;

/// How much of a track's sound is padding, in all.
///
/// # Errors
/// [`ProbeError`]: the file cannot be read, or has far too many elements.
pub(super) fn discarded(file: &FileReader, track: u32) -> Result<Nanos, ProbeError> {
    let mut reader = BufReader::with_capacity(64 * 1_024, file.again());
    let (mut sum, mut of_track) = (0_u64, false);
    for _ in 0..WEBM_ELEMENTS_MAX {
        let (Some(id), Some(size)) = (number(&mut reader)?, number(&mut reader)?) else {
            return Ok(Nanos(sum));
        };
        match id.raw {
            // These are entered; what is in them follows at once.
            SEGMENT | CLUSTER | BLOCK_GROUP => of_track = of_track && id.raw != BLOCK_GROUP,
            _ if size.is_unknown() => return Ok(Nanos(sum)),
            BLOCK => {
                let Some(number) = number(&mut reader)? else {
                    return Ok(Nanos(sum));
                };
                of_track = number.value() == u64::from(track);
                skip(&mut reader, size.value().saturating_sub(number.width))?;
            }
            DISCARD_PADDING if (1..=8).contains(&size.value()) => {
                let mut bytes = [0; 8];
                let width = usize::try_from(size.value()).unwrap_or(8);
                if reader.read_exact(&mut bytes[8 - width..]).is_err() {
                    return Ok(Nanos(sum));
                }
                // A negative number would be padding at the start; Opus says that elsewhere.
                let negative = bytes[8 - width] & 0x80 != 0;
                if of_track && !negative {
                    sum = sum.saturating_add(u64::from_be_bytes(bytes));
                }
            }
            _ => skip(&mut reader, size.value())?,
        }
    }
    Err(ProbeError::Damaged("it has too many elements"))
}

fn skip(reader: &mut BufReader<FileReader>, bytes: u64) -> Result<(), ProbeError> {
    // Past the end is the end: the next read finds nothing.
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX / 2);
    reader.seek_relative(bytes).map_err(ProbeError::Io)
}

/// A number of variable length (RFC 8794, section 4).
#[derive(Clone, Copy)]
struct Number {
    /// All its bits; ids are written with the marker of their width.
    raw: u64,
    /// Its bytes, 1 to 8.
    width: u64,
}

impl Number {
    const fn mask(self) -> u64 {
        (1 << (7 * self.width)) - 1
    }

    const fn value(self) -> u64 {
        self.raw & self.mask()
    }

    /// Whether it is the number that stands for "until something else begins".
    const fn is_unknown(self) -> bool {
        self.value() == self.mask()
    }
}

/// The next number; `None` at the end, or where there is none.
fn number(reader: &mut impl Read) -> Result<Option<Number>, ProbeError> {
    let mut bytes = [0; 8];
    if !filled(reader, &mut bytes[..1])? || bytes[0] == 0 {
        return Ok(None);
    }
    let width = bytes[0].leading_zeros() as usize + 1;
    if !filled(reader, &mut bytes[1..width])? {
        return Ok(None);
    }
    let raw = bytes[..width]
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    let width = width as u64;
    Ok(Some(Number { raw, width }))
}

fn filled(reader: &mut impl Read, bytes: &mut [u8]) -> Result<bool, ProbeError> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}
