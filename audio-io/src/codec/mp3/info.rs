//! The first frame of a file: silent itself, it tells decoders the length, the places, and how
//! much of the decoded sound is the encoder's run-up and run-out. Players know it as the "Info"
//! tag with LAME's extension.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | header of a frame without padding |
//! | 9 to 32 | side information, all zero |
//! | 4 | `Info`: constant bit rate |
//! | 4 | flags: frames, bytes, table and quality follow |
//! | 4 | frames that follow this one |
//! | 4 | bytes of the file |
//! | 100 | where in the file each hundredth of the sound begins, in 256ths |
//! | 4 | quality |
//! | 9 | encoder |
//! | 1 | revision 0, method 1: constant bit rate |
//! | 1 | lowest frequency cut off, in 100 Hz; 0: not told |
//! | 8 | peak and replay gains: not told |
//! | 1 | psychoacoustic model and threshold of hearing |
//! | 1 | kilobits a second |
//! | 3 | frames of sound to leave out at the start and at the end, 12 bits each |
//! | 1 | noise shaping, channel mode, source's rate |
//! | 1 + 2 | gain and preset: not used |
//! | 4 | bytes of the file, again |
//! | 2 | checksum of the sound: 0, it is not made yet when this frame is |
//! | 2 | CRC-16 of all before it |

use super::settings::Settings;
use crate::format::Channels;

/// What stands in the frame.
pub(super) struct Info {
    /// MP3 frames after it.
    pub(super) frames: u64,
    /// Bytes of the whole file.
    pub(super) file_bytes: u64,
    /// Frames of sound that decoding gives before the first of the source's, by LAME's count:
    /// decoders add the 529 of their own filter bank.
    pub(super) delay: u16,
    /// Frames of sound after the last of the source's.
    pub(super) padding: u16,
}

/// 9 letters; decoders believe the delay of encoders whose names begin with `LAME` only.
const ENCODER: &[u8; 9] = b"LAME3.100";

/// Makes the frame. `place_of` says where in the file an MP3 frame (counted from 0 after this
/// one) begins.
pub(super) fn frame(settings: &Settings, info: &Info, place_of: impl Fn(u64) -> u64) -> Vec<u8> {
    let mut out = settings.header().to_vec();
    out.resize(4 + settings.side_bytes(), 0);
    out.extend_from_slice(b"Info");
    out.extend_from_slice(&0x0F_u32.to_be_bytes());
    out.extend_from_slice(&capped(info.frames));
    out.extend_from_slice(&capped(info.file_bytes));
    for hundredth in 0..100 {
        let place = place_of(info.frames * hundredth / 100);
        let part = u128::from(place) * 256 / u128::from(info.file_bytes.max(1));
        out.push(u8::try_from(part).unwrap_or(u8::MAX));
    }
    out.extend_from_slice(&57_u32.to_be_bytes());
    out.extend_from_slice(ENCODER);
    out.extend_from_slice(&[0x01, 0]);
    out.extend_from_slice(&[0; 8]);
    out.push(0x14);
    out.push(u8::try_from(settings.kilobits).unwrap_or(u8::MAX));
    let [_, a, b, c] = (u32::from(info.delay) << 12 | u32::from(info.padding)).to_be_bytes();
    out.extend_from_slice(&[a, b, c]);
    let mode = match settings.channels {
        Channels::Mono => 0,
        Channels::Stereo => 1,
    };
    let source = match settings.rate.hertz() {
        ..44_100 => 0,
        44_100 => 1,
        _ => 2,
    };
    // Bit 5 says that the settings are not LAME's own choice.
    out.push(1 | mode << 2 | 1 << 5 | source << 6);
    out.extend_from_slice(&[0; 3]);
    out.extend_from_slice(&capped(info.file_bytes));
    out.extend_from_slice(&[0; 2]);
    let crc = crc16(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out.resize(
        usize::try_from(settings.frame_bytes()).unwrap_or(out.len()),
        0,
    );
    out
}

fn capped(value: u64) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes()
}

/// CRC-16 with the polynomial 0x8005, bits reversed, from 0 (as in ARC).
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc: u16, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xA001
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc16(b"123456789"), 0xBB3D);
    }
}
