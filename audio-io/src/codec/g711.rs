//! ITU-T G.711: µ-law and A-law to 16-bit linear and back, by table. Every one of the 65,536
//! linear values is encoded to the code whose value is nearest to it; of two equally near ones
//! the one nearer to zero. That is never further off than the recommendation's decision values,
//! which differ from it only at the edges between segments.
#![allow(long_running_const_eval, reason = "65,536 steps an encoding table")]

use crate::format::Encoding;

/// The linear value of each µ-law code (G.711 table 2, scaled to 16 bits).
pub static MULAW_TO_LINEAR: [i16; 256] = decode_table(Encoding::MuLaw);

/// The linear value of each A-law code (G.711 table 1, scaled to 16 bits).
pub static ALAW_TO_LINEAR: [i16; 256] = decode_table(Encoding::ALaw);

static LINEAR_TO_MULAW: [u8; 65_536] = encode_table(Encoding::MuLaw);
static LINEAR_TO_ALAW: [u8; 65_536] = encode_table(Encoding::ALaw);

/// The nearest µ-law code.
#[must_use]
pub fn linear_to_mulaw(sample: i16) -> u8 {
    LINEAR_TO_MULAW[usize::from(sample.cast_unsigned())]
}

/// The nearest A-law code.
#[must_use]
pub fn linear_to_alaw(sample: i16) -> u8 {
    LINEAR_TO_ALAW[usize::from(sample.cast_unsigned())]
}

/// The linear value of a µ-law code.
#[must_use]
pub fn mulaw_to_linear(code: u8) -> i16 {
    MULAW_TO_LINEAR[usize::from(code)]
}

/// The linear value of an A-law code.
#[must_use]
pub fn alaw_to_linear(code: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(code)]
}

/// Converts whole samples between encodings, from the start of `from` to the start of `to`, as
/// many as fit, and says how many bytes of `to` were written. Between the two laws it goes by way
/// of the linear value.
pub fn convert(
    from: &[u8],
    from_encoding: Encoding,
    to: &mut [u8],
    to_encoding: Encoding,
) -> usize {
    use Encoding::{ALaw, MuLaw, S16Le};
    match (from_encoding, to_encoding) {
        (S16Le, S16Le) | (MuLaw, MuLaw) | (ALaw, ALaw) => {
            let whole = from.len().min(to.len());
            let whole = whole - whole % to_encoding.sample_bytes();
            to[..whole].copy_from_slice(&from[..whole]);
            whole
        }
        (MuLaw, S16Le) => expand(from, to, &MULAW_TO_LINEAR),
        (ALaw, S16Le) => expand(from, to, &ALAW_TO_LINEAR),
        (S16Le, MuLaw) => compress(from, to, linear_to_mulaw),
        (S16Le, ALaw) => compress(from, to, linear_to_alaw),
        (MuLaw, ALaw) => transcode(from, to, |code| linear_to_alaw(mulaw_to_linear(code))),
        (ALaw, MuLaw) => transcode(from, to, |code| linear_to_mulaw(alaw_to_linear(code))),
    }
}

/// One sample, as 16-bit linear. `bytes` holds a sample of this encoding; missing bytes are zero.
#[must_use]
pub fn sample(bytes: &[u8], encoding: Encoding) -> i16 {
    let first = bytes.first().copied().unwrap_or_default();
    match encoding {
        Encoding::S16Le => i16::from_le_bytes([first, bytes.get(1).copied().unwrap_or_default()]),
        Encoding::MuLaw => mulaw_to_linear(first),
        Encoding::ALaw => alaw_to_linear(first),
    }
}

/// Appends one 16-bit linear sample in an encoding.
pub fn put_sample(out: &mut Vec<u8>, sample: i16, encoding: Encoding) {
    match encoding {
        Encoding::S16Le => out.extend_from_slice(&sample.to_le_bytes()),
        Encoding::MuLaw => out.push(linear_to_mulaw(sample)),
        Encoding::ALaw => out.push(linear_to_alaw(sample)),
    }
}

fn expand(from: &[u8], to: &mut [u8], table: &[i16; 256]) -> usize {
    let mut written = 0;
    for (code, linear) in from.iter().zip(to.chunks_exact_mut(2)) {
        linear.copy_from_slice(&table[usize::from(*code)].to_le_bytes());
        written += 2;
    }
    written
}

fn compress(from: &[u8], to: &mut [u8], encode: impl Fn(i16) -> u8) -> usize {
    let mut written = 0;
    for (linear, code) in from.chunks_exact(2).zip(to.iter_mut()) {
        *code = encode(i16::from_le_bytes([linear[0], linear[1]]));
        written += 1;
    }
    written
}

fn transcode(from: &[u8], to: &mut [u8], map: impl Fn(u8) -> u8) -> usize {
    let mut written = 0;
    for (code, other) in from.iter().zip(to.iter_mut()) {
        *other = map(*code);
        written += 1;
    }
    written
}

/// The magnitude of a µ-law or A-law code without its sign and inversion, 0..=127.
const fn magnitude(code: u8, encoding: Encoding) -> i32 {
    let segment = ((code >> 4) & 7) as i32;
    let step = (code & 15) as i32;
    match encoding {
        // Values of table 2 are 14 bits wide; two more make them 16.
        Encoding::MuLaw => (((step << 1) + 33) << segment << 2) - (33 << 2),
        // Values of table 1 are 13 bits wide; three more make them 16.
        Encoding::ALaw => {
            let value = if segment == 0 {
                (step << 1) + 1
            } else {
                ((step << 1) + 33) << (segment - 1)
            };
            value << 3
        }
        Encoding::S16Le => 0,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "indices to 255, values to 32,256"
)]
const fn decode_table(encoding: Encoding) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        // G.711: µ-law inverts all bits, A-law the even ones; the first bit set means positive.
        let plain = match encoding {
            Encoding::MuLaw => !(code as u8),
            _ => (code as u8) ^ 0x55,
        };
        let value = magnitude(plain & 0x7F, encoding);
        let negative = match encoding {
            Encoding::MuLaw => plain & 0x80 != 0,
            _ => plain & 0x80 == 0,
        };
        table[code] = if negative {
            -value as i16
        } else {
            value as i16
        };
        code += 1;
    }
    table
}

/// Walks all positive values from zero up, beside the rising magnitudes, and mirrors them.
#[allow(
    clippy::cast_possible_truncation,
    reason = "codes are below 128, magnitudes below 32,769"
)]
const fn encode_table(encoding: Encoding) -> [u8; 65_536] {
    let mut table = [0; 65_536];
    let (positive, negative, invert) = match encoding {
        Encoding::MuLaw => (0x00, 0x80, 0xFF),
        _ => (0x80, 0x00, 0x55),
    };
    let mut code = 0_u8;
    let mut value = 0_i32;
    while value <= 32_768 {
        while code < 127 {
            let here = (value - magnitude(code, encoding)).abs();
            let next = (magnitude(code + 1, encoding) - value).abs();
            if next >= here {
                break;
            }
            code += 1;
        }
        if value < 32_768 {
            table[value as usize] = (code | positive) ^ invert;
        }
        if value > 0 {
            table[(65_536 - value) as usize] = (code | negative) ^ invert;
        }
        value += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(table: &[i16; 256], sample: i16) -> i32 {
        let distance = |value: &i16| (i32::from(*value) - i32::from(sample)).abs();
        table.iter().map(distance).min().unwrap_or(i32::MAX)
    }

    #[test]
    fn all_linear_values_get_the_nearest_code() {
        for sample in i16::MIN..=i16::MAX {
            let mulaw = mulaw_to_linear(linear_to_mulaw(sample));
            let alaw = alaw_to_linear(linear_to_alaw(sample));
            let off = |value: i16| (i32::from(value) - i32::from(sample)).abs();
            assert_eq!(
                off(mulaw),
                nearest(&MULAW_TO_LINEAR, sample),
                "µ-law of {sample}"
            );
            assert_eq!(
                off(alaw),
                nearest(&ALAW_TO_LINEAR, sample),
                "A-law of {sample}"
            );
        }
    }

    #[test]
    fn codes_survive_the_way_there_and_back() {
        for code in 0..=u8::MAX {
            assert_eq!(linear_to_alaw(alaw_to_linear(code)), code);
            // µ-law has two zeros; the positive one is written.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(linear_to_mulaw(mulaw_to_linear(code)), expected);
        }
    }

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!(mulaw_to_linear(0x80), 32_124);
        assert_eq!(mulaw_to_linear(0x00), -32_124);
        assert_eq!(mulaw_to_linear(0xFF), 0);
        assert_eq!(alaw_to_linear(0xAA), 32_256);
        assert_eq!(alaw_to_linear(0x2A), -32_256);
        assert_eq!(alaw_to_linear(0xD5), 8);
        assert_eq!(linear_to_mulaw(0), Encoding::MuLaw.silence_byte());
        assert_eq!(linear_to_alaw(0), Encoding::ALaw.silence_byte());
    }

    #[test]
    fn slices_convert_whole_samples_only() {
        let linear = [0x10, 0x27, 0xF0, 0xD8, 0x01];
        let mut codes = [0; 8];
        let written = convert(&linear, Encoding::S16Le, &mut codes, Encoding::MuLaw);
        assert_eq!(written, 2);
        assert_eq!(
            codes[..2],
            [linear_to_mulaw(10_000), linear_to_mulaw(-10_000)]
        );
        let mut back = [0; 3];
        assert_eq!(
            convert(&codes[..2], Encoding::MuLaw, &mut back, Encoding::S16Le),
            2
        );
        assert_eq!(
            convert(&linear, Encoding::S16Le, &mut codes, Encoding::S16Le),
            4
        );
        assert_eq!(
            convert(&[0xFF], Encoding::MuLaw, &mut codes, Encoding::ALaw),
            1
        );
        assert_eq!(codes[0], 0xD5);
        assert_eq!(sample(&[0x10, 0x27], Encoding::S16Le), 10_000);
    }
}
