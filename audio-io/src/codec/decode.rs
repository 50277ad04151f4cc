//! SKELETON
//! The samples of any file that [`super::probe`] knows.
use std::fs::File;

use super::pcm::{DecodeError, PcmSource};

/// Opens a file's sound. WAV (PCM 8/16/24/32 bit, float, G.711) is read by this crate, the others
/// through symphonia and libopus. The file is read with `pread`: it may be cut meanwhile, which is
/// an error, never a crash.
///
/// # Errors
/// [`DecodeError`].
pub fn open(file: File) -> Result<Box<dyn PcmSource>, DecodeError> {
    let _ = file;
    todo!()
}
