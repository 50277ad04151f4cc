//! The samples of any file that [`super::probe`] knows: WAV by this crate (`wav`), the others
//! through symphonia and libopus (`packets`). `container` opens a compressed file, `extent` knows
//! which part of its decoded sound is the sound, `decoder` decodes a packet. Files come from
//! anybody: what a file says of itself sets no bound to memory or time here.

pub(super) mod container;
mod decoder;
pub(super) mod extent;
pub(super) mod file;
mod mp4;
mod packets;
mod wav;
mod webm;

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::pcm::{DecodeError, PcmSource};
use file::FileReader;

/// Opens a file's sound. WAV (PCM of 8 to 32 bits, float, G.711) is read by this crate, the others
/// through symphonia and libopus. The file is read with `pread`: it may be cut meanwhile, which is
/// an error, never a crash.
///
/// # Errors
/// [`DecodeError`] when the file cannot be read, is none of the kinds we know, or is damaged
/// where it says what it is.
pub fn open(file: File) -> Result<Box<dyn PcmSource>, DecodeError> {
    let mut head = [0; 4];
    let read = file.read_at(&mut head, 0)?;
    if matches!(&head[..read], b"RIFF" | b"RF64" | b"BW64") {
        return Ok(Box::new(wav::WavSource::open(file)?));
    }
    let file = FileReader::new(file)?;
    Ok(Box::new(packets::PacketSource::open(file)?))
}

#[cfg(test)]
mod tests;
