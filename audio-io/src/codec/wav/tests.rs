//! Headers against the parser, and the parser against files that lie.

use proptest::prelude::*;

use super::*;
use crate::format::{Channels, Encoding, StreamFormat};
use crate::units::{Frames, SampleRate, WallMillis};

fn bext() -> Bext {
    Bext {
        description: "Line desk-1, call_0123456789ab, caller Zoë".into(),
        originator: "callreel".into(),
        originator_reference: "42".into(),
        started_at: WallMillis(1_779_235_199_500),
    }
}

fn riff(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, size, content) in chunks {
        body.extend_from_slice(*id);
        body.extend_from_slice(&size.to_le_bytes());
        body.extend_from_slice(content);
    }
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&u32::try_from(body.len() + 4).unwrap_or(0).to_le_bytes());
    file.extend_from_slice(b"WAVE");
    file.extend_from_slice(&body);
    file
}

const FMT: [u8; 16] = [1, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 16, 0];

fn formats() -> impl Strategy<Value = StreamFormat> {
    let encoding = prop_oneof![
        Just(Encoding::S16Le),
        Just(Encoding::MuLaw),
        Just(Encoding::ALaw)
    ];
    let channels = prop_oneof![Just(Channels::Mono), Just(Channels::Stereo)];
    (8_000_u32..=48_000, encoding, channels).prop_filter_map(
        "rates",
        |(rate, encoding, channels)| {
            Some(StreamFormat {
                rate: SampleRate::new(rate).ok()?,
                encoding,
                channels,
            })
        },
    )
}

proptest! {
    #[test]
    fn a_sealed_file_is_parsed_as_it_was_meant(
        format in formats(), frames in 0_u64..4_000, trailer in 0_usize..5,
    ) {
        let data = format.bytes_of(Frames(frames));
        let mut end = Vec::new();
        if trailer > 0 {
            end.extend_from_slice(b"crel");
            end.extend_from_slice(&u32::try_from(2 * trailer).unwrap_or(0).to_le_bytes());
            end.extend_from_slice(&vec![b'x'; 2 * trailer]);
        }
        let mut file = WavHeader::sealed(format, data, end.len() as u64, &bext()).to_vec();
        let sound = usize::try_from(data + WavHeader::padding(data)).unwrap_or(0);
        file.resize(HEADER_BYTES + sound, 0);
        file.extend_from_slice(&end);
        prop_assert_eq!(file.len() as u64, WavHeader::file_bytes(data, end.len() as u64));
        let info = parse_bytes(&file)?;
        prop_assert_eq!(info.stream_format(), Some(format));
        prop_assert_eq!((info.data_offset, info.data_bytes), (4_096, data));
        prop_assert_eq!(info.frames(), Frames(frames));
        prop_assert!(!info.open_ended && !info.truncated && !info.rf64);
        let crel = info.chunk(*b"crel").map(|chunk| chunk.bytes);
        prop_assert_eq!(crel, (trailer > 0).then_some(2 * trailer as u64));
    }

    #[test]
    fn an_open_file_reaches_to_its_end(format in formats(), sound in 0_u64..4_000) {
        let mut file = WavHeader::open_ended(format, &bext()).to_vec();
        file.resize(HEADER_BYTES + usize::try_from(sound).unwrap_or(0), 0x55);
        let info = parse_bytes(&file)?;
        prop_assert!(info.open_ended);
        prop_assert_eq!(info.data_bytes, sound - sound % format.frame_bytes() as u64);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0_usize..4,
    ) {
        let heads: [&[u8]; 4] =
            [b"RIFF\xFF\xFF\xFF\xFFWAVEfmt ", b"RF64\0\0\0\0WAVEds64", b"", b"R"];
        bytes.splice(0..0, heads[kind].iter().copied());
        if let Ok(info) = parse_bytes(&bytes) {
            prop_assert!(info.data_offset + info.data_bytes <= bytes.len() as u64);
            for chunk in &info.chunks {
                prop_assert!(chunk.offset + chunk.bytes <= bytes.len() as u64);
            }
        }
    }

    #[test]
    fn no_damage_to_a_header_makes_the_parser_panic(at in 0_usize..720, value: u8) {
        let mut file = WavHeader::sealed(StreamFormat::TELEPHONE, 200, 0, &bext()).to_vec();
        file.resize(HEADER_BYTES + 200, 0);
        file[at] = value;
        if let Ok(info) = parse_bytes(&file) {
            prop_assert!(info.data_offset + info.data_bytes <= file.len() as u64);
        }
    }
}

#[test]
fn sizes_past_32_bits_make_it_rf64() {
    let data = 5_000_000_000;
    let header = WavHeader::sealed(StreamFormat::TELEPHONE, data, 100, &bext());
    assert_eq!(&header[..4], b"RF64");
    assert_eq!(header[4..8], [0xFF; 4]);
    assert_eq!(header[4_092..], [0xFF; 4]);
    assert_eq!(header[20..28], (4_088_u64 + data + 100).to_le_bytes());
    let info = parse_bytes(&header).expect("a header without its sound is parsed");
    assert!(info.rf64 && info.truncated && !info.open_ended);
    assert_eq!((info.data_offset, info.data_bytes), (4_096, 0));
    let largest = u64::from(u32::MAX) - 1 - 4_088;
    let just = WavHeader::sealed(StreamFormat::TELEPHONE, largest, 0, &bext());
    assert_eq!(&just[..4], b"RIFF");
    let over = WavHeader::sealed(StreamFormat::TELEPHONE, largest, 2, &bext());
    assert_eq!(&over[..4], b"RF64");
}

#[test]
fn the_broadcast_extension_stands_where_the_standard_says() {
    let header = WavHeader::sealed(StreamFormat::TELEPHONE, 0, 0, &bext());
    let info = parse_bytes(&header).expect("our own header");
    let ids: Vec<_> = info.chunks.iter().map(|chunk| chunk.id).collect();
    assert_eq!(ids, [*b"JUNK", *b"fmt ", *b"bext", *b"JUNK", *b"data"]);
    let chunk = info.chunk(*b"bext").expect("a bext chunk");
    assert_eq!(chunk.bytes, 602);
    let start = usize::try_from(chunk.offset).expect("in the header");
    let bext = &header[start..start + 602];
    assert!(bext.starts_with(b"Line desk-1, call_0123456789ab, caller Zo?\0"));
    assert_eq!(&bext[256..265], b"callreel\0");
    assert_eq!(&bext[320..338], b"2026-05-1923:59:59");
    let since_midnight = 8 * (86_400_000_u64 - 500);
    assert_eq!(bext[338..346], since_midnight.to_le_bytes());
    assert_eq!(bext[346..348], [1, 0]);
}

#[test]
fn companded_headers_carry_a_fact() {
    let format = StreamFormat {
        encoding: Encoding::MuLaw,
        ..StreamFormat::TELEPHONE
    };
    let mut file = WavHeader::sealed(format, 3, 0, &bext()).to_vec();
    file.resize(HEADER_BYTES + 4, 0);
    let info = parse_bytes(&file).expect("our own header");
    let fact = info.chunk(*b"fact").expect("a fact chunk");
    let at = usize::try_from(fact.offset).expect("in the header");
    assert_eq!(file[at..at + 4], [3, 0, 0, 0]);
    assert_eq!((info.fmt.tag, info.fmt.bits), (TAG_MULAW, 8));
}

#[test]
fn lies_about_sizes_are_cut_off_at_the_file() {
    let sound = [7; 10];
    let lying = parse_bytes(&riff(&[(b"fmt ", 16, &FMT), (b"data", 1_000_000, &sound)]));
    let lying = lying.expect("the sound that is there");
    assert!(lying.truncated && !lying.open_ended);
    assert_eq!(lying.data_bytes, 10);
    let mut streaming = riff(&[(b"fmt ", 16, &FMT), (b"data", 0, &sound)]);
    let honest = parse_bytes(&streaming).expect("an empty file followed by rubbish");
    assert_eq!((honest.data_bytes, honest.open_ended), (0, false));
    for riff_size in [0, 36, u32::MAX] {
        streaming[4..8].copy_from_slice(&riff_size.to_le_bytes());
        let info = parse_bytes(&streaming).expect("a file whose writer died");
        assert_eq!(
            (info.data_bytes, info.open_ended),
            (10, true),
            "{riff_size}"
        );
    }
}

#[test]
fn odd_chunks_are_found_with_and_without_their_padding() {
    let padded = riff(&[
        (b"LIST", 3, b"abc\0"),
        (b"fmt ", 16, &FMT),
        (b"data", 4, &[0; 4]),
    ]);
    let bare = riff(&[
        (b"LIST", 3, b"abc"),
        (b"fmt ", 16, &FMT),
        (b"data", 4, &[0; 4]),
    ]);
    for file in [padded, bare] {
        let info = parse_bytes(&file).expect("a file with an odd chunk");
        assert_eq!(info.data_bytes, 4);
        assert_eq!(info.stream_format(), Some(StreamFormat::TELEPHONE));
    }
}

#[test]
fn files_without_their_parts_are_refused() {
    let data = (b"data", 4, &[0_u8; 4][..]);
    let refused = |file: &[u8]| parse_bytes(file).expect_err("not a usable file");
    assert!(matches!(refused(b""), WavError::NotWav));
    assert!(matches!(refused(b"RIFF\0\0\0\0AVI LIST"), WavError::NotWav));
    assert!(matches!(
        refused(&riff(&[data, (b"fmt ", 16, &FMT)])),
        WavError::NoFormat
    ));
    assert!(matches!(
        refused(&riff(&[(b"fmt ", 16, &FMT)])),
        WavError::NoData
    ));
    assert!(matches!(
        refused(&riff(&[(b"fmt ", 8, &FMT[..8]), data])),
        WavError::Format(_)
    ));
    assert!(matches!(
        refused(&riff(&[(b"fmt ", 16, &[0; 16]), data])),
        WavError::Format(_)
    ));
    assert!(matches!(
        refused(b"RF64\xFF\xFF\xFF\xFFWAVEdata\0\0\0\0"),
        WavError::NoDs64
    ));
    let many = vec![(b"junk", 0, &[][..]); 2_000];
    assert!(matches!(refused(&riff(&many)), WavError::TooManyChunks));
}

#[test]
fn the_tag_of_an_extensible_format_is_the_one_inside() {
    let mut fmt = [0; 40];
    fmt[..16].copy_from_slice(&FMT);
    fmt[..2].copy_from_slice(&TAG_EXTENSIBLE.to_le_bytes());
    fmt[24] = 1;
    let info = parse_bytes(&riff(&[(b"fmt ", 40, &fmt), (b"data", 4, &[0; 4])]));
    let info = info.expect("an extensible file");
    assert_eq!(info.fmt.tag, TAG_PCM);
    assert_eq!(info.stream_format(), Some(StreamFormat::TELEPHONE));
}
