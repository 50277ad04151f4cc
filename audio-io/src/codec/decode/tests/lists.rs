//! Edit lists and discarded padding, by files with nothing else in them.

use super::super::file::FileReader;
use super::super::{mp4, webm};
use super::stored;
use crate::units::{Frames, SampleRate};

/// A box of an MP4 file.
fn a_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + body.len()).expect("small");
    [&size.to_be_bytes(), &kind[..], body].concat()
}

/// A body with 32-bit numbers at these places.
fn body(length: usize, numbers: &[(usize, u32)]) -> Vec<u8> {
    let mut body = vec![0; length];
    for (at, number) in numbers {
        body[*at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    body
}

fn track(id: u32, list: &[u8]) -> Vec<u8> {
    let head = a_box(b"tkhd", &body(84, &[(12, id)]));
    let media = a_box(b"mdia", &a_box(b"mdhd", &body(24, &[(12, 16_000)])));
    let edits = a_box(b"edts", &a_box(b"elst", list));
    a_box(b"trak", &[head, media, edits].concat())
}

/// Where the sound of track 2 begins and how long it is, at 48 kHz.
fn edit(list: &[u8]) -> Option<(Frames, Option<Frames>)> {
    let movie = a_box(b"mvhd", &body(100, &[(12, 1_000)]));
    let other = track(1, &body(20, &[(4, 1), (8, 7), (12, 7)]));
    let tracks = [movie, other, track(2, list)].concat();
    let file = [a_box(b"mdat", &[0; 99]), a_box(b"moov", &tracks)].concat();
    let reader = FileReader::new(stored(&file)).expect("a file");
    let found = mp4::edit(&reader, 2).expect("a readable file")?;
    let rate = SampleRate::MAX;
    let length = found.length.map(|length| length.in_frames(rate));
    Some((found.start.in_frames(rate), length))
}

#[test]
fn an_edit_list_says_where_the_sound_lies() {
    // 500 ms from the 1,024th of 16,000 ticks a second on.
    let plain = body(20, &[(4, 1), (8, 500), (12, 1_024)]);
    let wanted = Some((Frames(3_072), Some(Frames(24_000))));
    assert_eq!(edit(&plain), wanted);
    let long = [(0, 1 << 24), (4, 1), (12, 500), (20, 1_024)];
    assert_eq!(edit(&body(28, &long)), wanted);
    let paused = [(4, 2), (8, 40), (12, u32::MAX), (20, 500), (24, 1_024)];
    assert_eq!(edit(&body(32, &paused)), wanted);
    let cut = [(4, 2), (8, 500), (12, 1_024), (20, 100), (24, 9_000)];
    assert_eq!(edit(&body(32, &cut)), Some((Frames(3_072), None)));
    assert_eq!(
        edit(&body(20, &[(4, 1), (12, 1_024)])),
        Some((Frames(3_072), None))
    );
}

#[test]
fn an_edit_list_that_lies_is_harmless() {
    assert_eq!(edit(&[]), None);
    assert_eq!(edit(&body(8, &[(4, u32::MAX)])), None);
    assert_eq!(edit(&body(20, &[(4, 1), (12, u32::MAX)])), None);
    for file in [
        &b"\0\0\0\x01moov"[..],
        b"\0\0\0\x01moov\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\0\0\0\0mdat",
    ] {
        let reader = FileReader::new(stored(file)).expect("a file");
        assert_eq!(mp4::edit(&reader, 1).expect("a readable file"), None);
    }
    let endless = FileReader::new(stored(&a_box(b"free", &[]).repeat(70_000))).expect("a file");
    assert!(mp4::edit(&endless, 1).is_err());
}

/// The padding of track 1 in a file of these elements.
fn discarded(elements: &[&[u8]]) -> u64 {
    // A segment and a cluster of unknown size.
    let head: &[u8] = b"\x1A\x45\xDF\xA3\x80\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    let cluster: &[u8] = b"\x1F\x43\xB6\x75\xFF";
    let file = [&[head, cluster], elements].concat().concat();
    let reader = FileReader::new(stored(&file)).expect("a file");
    webm::discarded(&reader, 1).expect("a readable file").0
}

#[test]
fn padding_is_summed_for_the_track_alone() {
    let group: &[u8] = b"\xA0\x8B\xA1\x84\x81\0\0\0\x75\xA2\x82\x01\x02";
    let wide: &[u8] = b"\xA0\x8C\xA1\x85\x40\x01\0\0\0\x75\xA2\x82\x01\x02";
    let other: &[u8] = b"\xA0\x8B\xA1\x84\x82\0\0\0\x75\xA2\x82\x01\x02";
    let negative: &[u8] = b"\xA0\x8A\xA1\x84\x81\0\0\0\x75\xA2\x81\xFF";
    let simple: &[u8] = b"\xA3\x84\x81\0\0\0";
    assert_eq!(discarded(&[simple, group, simple]), 0x102);
    assert_eq!(discarded(&[wide, other, negative, group]), 0x204);
    assert_eq!(discarded(&[b"\x75\xA2\x82\x01\x02"]), 0);
    assert_eq!(
        discarded(&[group, b"\xEC\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFE", group]),
        0x102
    );
    assert_eq!(discarded(&[group, b"\xEC\xFF", group]), 0x102);
    assert_eq!(discarded(&[group, b"\0\0\0", group]), 0x102);
    assert_eq!(discarded(&[&group[..9]]), 0);
}
