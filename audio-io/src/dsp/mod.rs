//! Measurements of sound: levels, voice, peaks, and test tones. Pure functions on slices; none of
//! them waits, locks or reads a clock.

pub mod caller_id;
pub mod dtmf;
pub mod level;
pub mod peaks;
pub mod supervision;
pub mod tone;
pub mod vad;

use crate::codec::g711::{alaw_to_linear, mulaw_to_linear};
use crate::format::{Encoding, StreamFormat};

/// The most legs a stream has.
pub const LEGS_MAX: usize = 2;

/// Calls `f` with the leg and the 16-bit value of each sample, in the order they are heard.
/// Bytes of a frame that is not whole are ignored.
#[inline]
pub(crate) fn for_each_sample(sound: &[u8], format: StreamFormat, mut f: impl FnMut(usize, i16)) {
    for frame in sound.chunks_exact(format.frame_bytes()) {
        match format.encoding {
            Encoding::S16Le => {
                for (leg, sample) in frame.chunks_exact(2).enumerate() {
                    f(leg, i16::from_le_bytes([sample[0], sample[1]]));
                }
            }
            Encoding::MuLaw => {
                for (leg, code) in frame.iter().enumerate() {
                    f(leg, mulaw_to_linear(*code));
                }
            }
            Encoding::ALaw => {
                for (leg, code) in frame.iter().enumerate() {
                    f(leg, alaw_to_linear(*code));
                }
            }
        }
    }
}
