//! Chunks against one encoder that makes everything, and the windows of neighbours.

use super::super::*;
use super::signals::*;

/// Frames of sound for the first three chunks and a part of the fourth.
fn enough(format: PcmFormat) -> usize {
    let settings = Settings::of(format);
    let mp3_frames = MP3_FIRST_CHUNK_FRAMES + 2 * MP3_CHUNK_FRAMES + 60;
    usize::try_from(mp3_frames * settings.frame_samples()).expect("small")
}

/// What is coded in the tests: sound of every sort, in the formats that differ.
fn sources() -> Vec<Memory> {
    use Channels::{Mono, Stereo};
    let mut sources = Vec::new();
    for hertz in [8_000, 11_025, 16_000, 44_100] {
        let format = format(hertz, Mono);
        let frames = enough(format);
        let layout = Mp3Layout::new(format, Frames(frames as u64));
        sources.push(Memory::new(format, speech(hertz, frames, false)));
        sources.push(Memory::new(format, clicks(&layout, frames)));
        sources.push(Memory::new(format, tones(hertz, frames)));
    }
    for hertz in [8_000, 22_050, 48_000] {
        let format = format(hertz, Stereo);
        let frames = enough(format);
        let layout = Mp3Layout::new(format, Frames(frames as u64));
        let (caller, agent) = (speech(hertz, frames, false), speech(hertz, frames, true));
        sources.push(Memory::new(format, legs(&caller, &agent)));
        let hits = clicks(&layout, frames);
        sources.push(Memory::new(format, legs(&hits, &tones(hertz, frames))));
    }
    sources
}

/// The whole file, its chunks made in this order.
fn made(layout: &Mp3Layout, source: &mut Memory, order: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut file = vec![0; usize::try_from(layout.size_bytes()).expect("small")];
    for chunk in order {
        let bytes = layout.encode_chunk(source, chunk).expect("a chunk");
        let place = layout.bytes_of(chunk);
        assert_eq!(bytes.len() as u64, place.end - place.start);
        let start = usize::try_from(place.start).expect("small");
        file[start..start + bytes.len()].copy_from_slice(&bytes);
    }
    file
}

/// The block types of a frame: granule by granule, channel by channel (ISO 11172-3 section
/// 2.4.1.7, ISO 13818-3 section 2.4.1.7).
fn block_types(settings: &Settings, frame: &[u8]) -> Vec<Vec<u8>> {
    let side = &frame[4..4 + settings.side_bytes()];
    let bits = |at: usize, count: usize| {
        (at..at + count).fold(0, |value, at| {
            value << 1 | (side[at / 8] >> (7 - at % 8) & 1)
        })
    };
    let channels = settings.channels.count();
    // main_data_begin, private bits, scfsi; then per granule and channel part2_3_length,
    // big_values, global_gain, scalefac_compress, and whether there is a window to speak of.
    let (begin_bits, start, granules, switch, size) = match (settings.is_mpeg1(), channels) {
        (true, 1) => (9, 9 + 5 + 4, 2, 33, 59),
        (true, _) => (9, 9 + 3 + 8, 2, 33, 59),
        (false, 1) => (8, 8 + 1, 1, 38, 63),
        (false, _) => (8, 8 + 2, 1, 38, 63),
    };
    let borrowed = (0..begin_bits).any(|at| bits(at, 1) == 1);
    assert!(!borrowed, "a frame borrows from the frame before it");
    (0..granules)
        .map(|granule| {
            (0..channels)
                .map(|channel| start + (granule * channels + channel) * size + switch)
                .map(|at| if bits(at, 1) == 0 { 0 } else { bits(at + 1, 2) })
                .collect()
        })
        .collect()
}

/// The frames after the Info frame, by what their headers say.
fn frames<'a>(settings: &Settings, file: &'a [u8]) -> Vec<&'a [u8]> {
    let whole = usize::try_from(settings.frame_bytes()).expect("small");
    let mut rest = &file[TAG.len() + whole..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let header = settings.header();
        let padding = rest[2] & 2;
        assert_eq!(
            (&rest[..2], rest[2] ^ padding, rest[3]),
            (&header[..2], header[2], header[3])
        );
        let (frame, after) = rest.split_at(whole + usize::from(padding >> 1));
        frames.push(frame);
        rest = after;
    }
    frames
}

#[test]
fn chunks_are_what_one_encoder_makes_to_the_byte() {
    for mut source in sources() {
        let layout = Mp3Layout::new(source.format, source.frames());
        assert_eq!(layout.chunks(), 4);
        let forwards = made(&layout, &mut source, 0..4);
        let backwards = made(&layout, &mut source, (0..4).rev());
        assert!(
            forwards == backwards,
            "a chunk depends on what was made before it"
        );
        let mut whole = [TAG, &layout.info_frame()[..]].concat();
        let all = 0..layout.mp3_frames;
        layout
            .encode_frames(&mut source, all, &mut whole)
            .expect("all frames");
        assert!(forwards == whole, "{:?}: a seam shows", source.format);
    }
}

#[test]
fn windows_fit_their_neighbours_everywhere() {
    let mut switched = 0;
    for mut source in sources() {
        let layout = Mp3Layout::new(source.format, source.frames());
        let file = made(&layout, &mut source, 0..4);
        let frames = frames(&layout.settings, &file);
        assert_eq!(frames.len() as u64, layout.mp3_frames);
        let granules: Vec<_> = frames
            .iter()
            .flat_map(|frame| block_types(&layout.settings, frame))
            .collect();
        for pair in granules.windows(2) {
            for (before, after) in pair[0].iter().zip(&pair[1]) {
                // Long or stop, then long or start; start or short, then short or stop.
                let fits = match before {
                    0 | 3 => matches!(after, 0 | 1),
                    _ => matches!(after, 2 | 3),
                };
                assert!(fits, "{before} before {after}");
            }
        }
        let per_frame = granules.len() / frames.len();
        for chunk in 1..4 {
            let seam = usize::try_from(layout.frames_of(chunk).start).expect("small") * per_frame;
            switched += usize::from(granules[seam].iter().any(|kind| *kind != 0));
        }
    }
    assert!(switched >= 10, "short blocks lie on {switched} seams only");
}

#[test]
fn a_chunk_reads_its_own_part_of_the_source_only() {
    let format = format(8_000, Channels::Mono);
    let mut source = Memory::new(format, tones(8_000, enough(format)));
    let layout = Mp3Layout::new(format, source.frames());
    layout.encode_chunk(&mut source, 2).expect("a chunk");
    let frames = MP3_CHUNK_FRAMES + MP3_WARM_UP_FRAMES + 1;
    assert!(source.given <= frames * 576, "{} frames read", source.given);
}

#[test]
fn sound_of_any_length_is_made_whole() {
    for (hertz, channels) in [
        (8_000, Channels::Mono),
        (44_100, Channels::Stereo),
        (9_000, Channels::Mono),
    ] {
        let format = format(hertz, channels);
        let chunk = u64::from(hertz / 8_000 * 576) * MP3_FIRST_CHUNK_FRAMES;
        for frames in [
            0,
            1,
            575,
            576,
            577,
            1_152,
            5_000,
            chunk - 1_153,
            chunk - 1_152,
            chunk,
        ] {
            let count = usize::try_from(frames).expect("small") * channels.count();
            let mut source = Memory::new(format, vec![100; count]);
            let layout = Mp3Layout::new(format, Frames(frames));
            let file = made(&layout, &mut source, 0..layout.chunks());
            let found = super::seams::frames(&layout.settings, &file).len();
            assert_eq!(found as u64, layout.mp3_frames, "{frames} at {hertz}");
        }
    }
}

#[test]
fn what_does_not_fit_the_layout_is_refused() {
    let mut source = Memory::new(format(8_000, Channels::Mono), vec![0; 9_000]);
    let layout = |hertz, channels, frames| Mp3Layout::new(format(hertz, channels), Frames(frames));
    let mut refused = |layout: Mp3Layout, chunk| layout.encode_chunk(&mut source, chunk).is_err();
    assert!(!refused(layout(8_000, Channels::Mono, 9_000), 0));
    assert!(refused(layout(8_000, Channels::Mono, 9_000), 1));
    assert!(refused(layout(8_000, Channels::Mono, 9_000), u64::MAX));
    assert!(refused(layout(8_000, Channels::Mono, 9_001), 0));
    assert!(refused(layout(8_000, Channels::Stereo, 9_000), 0));
    assert!(refused(layout(16_000, Channels::Mono, 9_000), 0));
}

#[test]
fn the_encoder_names_itself() {
    let id = encoder_id();
    assert!(id.starts_with("lame-3."), "{id}");
    assert!(id.ends_with(std::env::consts::ARCH), "{id}");
}
