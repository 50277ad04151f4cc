//! Fuzzes AudioSocket's frames: however the bytes are cut, they say the same, and no more sound
//! comes out than went in. The first byte is the length of the pieces.

#![no_main]

use audio_io::audiosocket::frame::{Decoder, Heard, SlinRate};
use libfuzzer_sys::fuzz_target;

/// What was said but sound, and all sound in a row.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    words: Vec<(usize, String)>,
    sound: Vec<u8>,
    rates: Vec<SlinRate>,
}

fn hear(bytes: &[u8], piece: usize) -> Said {
    let mut decoder = Decoder::default();
    let mut said = Said::default();
    for piece in bytes.chunks(piece) {
        let mut left = piece;
        while let Some(heard) = decoder.next(&mut left) {
            match heard {
                Heard::Sound { rate, split, whole } => {
                    assert!(whole.len() % 2 == 0, "half a sample");
                    assert!(split.is_some() || !whole.is_empty(), "no sound");
                    said.sound.extend(split.iter().flatten());
                    said.sound.extend(whole);
                    if said.rates.last() != Some(&rate) {
                        said.rates.push(rate);
                    }
                }
                word => said.words.push((said.sound.len(), format!("{word:?}"))),
            }
        }
        assert!(left.is_empty(), "bytes were left");
    }
    said
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let whole = hear(bytes, bytes.len().max(1));
    assert!(whole.sound.len() <= bytes.len(), "sound out of nothing");
    assert_eq!(hear(bytes, usize::from(*piece).max(1)), whole);
});
