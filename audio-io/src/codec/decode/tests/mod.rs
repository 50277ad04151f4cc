//! WAV files of every width, and the compressed files that others write.

mod lists;
mod packets;
mod wav;

use std::fs::File;
use std::io::Write;

use crate::codec::pcm::PcmSource;

pub(super) fn stored(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    file
}

pub(super) fn all(source: &mut dyn PcmSource) -> Vec<i16> {
    let channels = source.format().channels.count();
    let mut sound = Vec::new();
    let mut part = vec![0; 999 * channels];
    loop {
        let frames = source.read(&mut part).expect("sound");
        if frames == 0 {
            return sound;
        }
        sound.extend_from_slice(&part[..frames * channels]);
    }
}
