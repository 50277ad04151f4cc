//! The frames, cut in every way, and bytes that are none.

use proptest::prelude::*;

use crate::audiosocket::frame::{self, Decoder, ErrorCode, Heard, SlinRate};

/// What was heard, with sound joined into one row per rate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Uuid([u8; 16]),
    Digit(char),
    Sound(u32, Vec<i16>),
    HangUp,
    Error(Option<u8>),
    Wrong,
}

fn hear(pieces: &[&[u8]]) -> (Vec<Word>, Decoder) {
    let mut decoder = Decoder::default();
    let mut words = Vec::new();
    for piece in pieces {
        let mut bytes = *piece;
        while let Some(heard) = decoder.next(&mut bytes) {
            let word = match heard {
                Heard::Uuid(uuid) => Word::Uuid(uuid),
                Heard::Digit(digit) => Word::Digit(digit),
                Heard::HangUp => Word::HangUp,
                Heard::Error(code) => Word::Error(code),
                Heard::Wrong => Word::Wrong,
                Heard::Sound { rate, split, whole } => {
                    let mut all = split.map_or(Vec::new(), |pair| pair.to_vec());
                    all.extend_from_slice(whole);
                    let pairs = all.chunks_exact(2);
                    assert!(pairs.remainder().is_empty() && !all.is_empty());
                    let more = pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                    match words.last_mut() {
                        Some(Word::Sound(last, samples)) if *last == rate.hertz() => {
                            samples.extend(more);
                            continue;
                        }
                        _ => Word::Sound(rate.hertz(), more.collect()),
                    }
                }
            };
            words.push(word);
        }
        assert!(bytes.is_empty(), "all is used up");
    }
    (words, decoder)
}

#[test]
fn the_published_kinds_are_understood() {
    let mut bytes = vec![0x01, 0, 16];
    bytes.extend(1..=16_u8);
    bytes.extend([
        0x03, 0, 1, b'7', 0x03, 0, 1, b'd', 0x03, 0, 1, b'x', 0x03, 0, 0,
    ]);
    bytes.extend([0x10, 0, 4, 0x34, 0x12, 0xFF, 0xFF]);
    bytes.extend([0x12, 0, 2, 0x01, 0x00]);
    // Sound of no length, sound with half a sample, and kinds that nobody knows.
    bytes.extend([
        0x10, 0, 0, 0x10, 0, 3, 0x02, 0x00, 0x77, 0x10, 0, 2, 0x03, 0x00,
    ]);
    bytes.extend([0x02, 0, 2, 9, 9, 0x19, 0, 1, 9, 0xFE, 0, 0]);
    bytes.extend([0xFF, 0, 1, 4, 0xFF, 0, 0, 0x00, 0, 0]);
    let uuid = std::array::from_fn(|index| u8::try_from(index + 1).expect("small"));
    let expected = [
        Word::Uuid(uuid),
        Word::Digit('7'),
        Word::Digit('D'),
        Word::Sound(8_000, vec![0x1234, -1]),
        Word::Sound(16_000, vec![1]),
        Word::Sound(8_000, vec![2, 3]),
        Word::Error(Some(4)),
        Word::Error(None),
        Word::HangUp,
    ];
    let (whole, decoder) = hear(&[&bytes]);
    assert_eq!(whole, expected);
    assert!(!decoder.is_amid());
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(hear(&single).0, expected);
    assert_eq!(hear(&[&[0x01, 0, 2, 1, 1]]).0, [Word::Wrong]);
    assert!(hear(&[&[0x10, 0]]).1.is_amid());
}

#[test]
fn the_rates_are_those_of_the_protocol() {
    let known = [
        (0x10, 8_000),
        (0x11, 12_000),
        (0x12, 16_000),
        (0x13, 24_000),
        (0x14, 32_000),
        (0x15, 44_100),
        (0x16, 48_000),
        (0x17, 96_000),
        (0x18, 192_000),
    ];
    for (kind, hertz) in known {
        let rate = SlinRate::of_hertz(hertz).expect("a rate");
        let mut out = [0xAA; frame::SOUND_FRAME_BYTES_MAX];
        let samples = vec![-2; rate.frame_samples()];
        let length = frame::sound(rate, samples.iter().copied(), &mut out);
        assert_eq!(length, 3 + 2 * hertz as usize / 50);
        assert_eq!(out[0], kind);
        assert_eq!(hear(&[&out[..length]]).0, [Word::Sound(hertz, samples)]);
    }
    assert_eq!(SlinRate::of_hertz(11_025), None);
    assert_eq!(frame::hang_up(), [0, 0, 0]);
    assert_eq!(frame::error(ErrorCode::NoLine), [0xFF, 0, 1, 0x10]);
}

proptest! {
    #[test]
    fn however_bytes_are_cut_they_say_the_same(
        frames in prop::collection::vec(
            (prop_oneof![any::<u8>(), 0x0F..0x19_u8, Just(1), Just(3)],
             prop::collection::vec(any::<u8>(), 0..40)),
            0..20,
        ),
        tail in prop::collection::vec(any::<u8>(), 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let mut bytes = Vec::new();
        for (kind, payload) in &frames {
            bytes.extend([*kind, 0, u8::try_from(payload.len()).expect("short")]);
            bytes.extend(payload);
        }
        bytes.extend(tail);
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let pieces: Vec<_> = places.windows(2).map(|two| &bytes[two[0]..two[1]]).collect();
        prop_assert_eq!(hear(&pieces).0, hear(&[&bytes]).0);
    }
}
