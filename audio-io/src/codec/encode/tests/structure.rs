//! Files taken apart, box by box, element by element, page by page, to their last byte.

use super::*;

fn be(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn at(bytes: &[u8], place: u64, length: usize) -> u64 {
    let place = usize::try_from(place).expect("a place in memory");
    be(&bytes[place..place + length])
}

mod mp4 {
    use super::*;

    /// Name, begin and end of the content of each box, in order; those of boxes are entered.
    fn walk(file: &[u8], from: usize, to: usize, found: &mut Vec<(String, usize, usize)>) {
        const OF_BOXES: [&str; 7] = ["moov", "trak", "edts", "mdia", "minf", "dinf", "stbl"];
        let mut begin = from;
        while begin < to {
            let length = be(&file[begin..begin + 4]) as usize;
            let end = begin + length;
            let name = String::from_utf8_lossy(&file[begin + 4..begin + 8]).into_owned();
            assert!(
                length >= 8 && end <= to,
                "{name} at {begin} is {length} long"
            );
            found.push((name.clone(), begin + 8, end));
            if OF_BOXES.contains(&name.as_str()) {
                walk(file, begin + 8, end, found);
            }
            begin = end;
        }
        assert_eq!(begin, to);
    }

    #[test]
    fn boxes_fill_the_file_and_tables_point_at_the_sound() {
        for (hertz, frames) in [
            (8_000, 80_001),
            (8_000, 14_336),
            (8_000, 5),
            (44_100, 99_999),
        ] {
            let sound = Sound::new(hertz, &[tone(hertz, 440.0, frames)]);
            let file = bytes_of(&make(&sound, Target::M4a).expect("a file is made"));
            let mut found = Vec::new();
            walk(&file, 0, file.len(), &mut found);
            let content = |name: &str| {
                let found = found.iter().find(|(found, ..)| found == name);
                let (_, begin, end) = found.unwrap_or_else(|| panic!("no {name}"));
                (*begin, &file[*begin..*end])
            };
            let top = ["ftyp", "moov", "mdat"].map(|name| content(name).0);
            assert!(top.is_sorted(), "moov comes first: {top:?}");
            let (sound_at, coded) = content("mdat");
            let sizes: Vec<_> = content("stsz").1[12..].chunks(4).map(be).collect();
            assert_eq!(sizes.iter().sum::<u64>(), coded.len() as u64);
            assert_eq!(be(&content("stsz").1[8..12]), sizes.len() as u64);
            let elst = content("elst").1;
            assert_eq!((be(&elst[4..8]), be(&elst[8..12])), (1, frames as u64));
            let run_up = be(&elst[12..16]);
            assert_eq!(sizes.len() as u64, (frames as u64 + run_up).div_ceil(1_024));
            let durations: u64 = content("stts").1[8..]
                .chunks(8)
                .map(|entry| be(&entry[..4]) * be(&entry[4..]))
                .sum();
            assert_eq!(durations, frames as u64 + run_up);
            assert_eq!(be(&content("mdhd").1[16..20]), durations);
            assert_eq!(be(&content("mvhd").1[12..16]), u64::from(hertz));
            assert_eq!(be(&content("mvhd").1[16..20]), frames as u64);
            let per_chunk = (hertz as usize).div_ceil(1_024);
            let mut place = sound_at as u64;
            let offsets: Vec<_> = content("stco").1[8..].chunks(4).map(be).collect();
            assert_eq!(offsets.len(), sizes.len().div_ceil(per_chunk));
            for (offset, chunk) in offsets.iter().zip(sizes.chunks(per_chunk)) {
                assert_eq!(*offset, place);
                place += chunk.iter().sum::<u64>();
            }
            let stsc = content("stsc").1;
            let last = &stsc[stsc.len() - 12..];
            let in_last = sizes.len() - per_chunk * (offsets.len() - 1);
            assert_eq!(be(&last[4..8]), in_last as u64);
        }
    }
}

mod webm {
    use super::*;

    /// Identifier, begin and end of the content of each element; those of elements are entered.
    fn walk(file: &[u8], from: usize, to: usize, found: &mut Vec<(u64, usize, usize)>) {
        const OF_ELEMENTS: [u64; 13] = [
            0x1A45_DFA3,
            0x1853_8067,
            0x114D_9B74,
            0x4DBB,
            0x1549_A966,
            0x1654_AE6B,
            0xAE,
            0xE1,
            0x1C53_BB6B,
            0xBB,
            0xB7,
            0x1F43_B675,
            0xA0,
        ];
        let mut begin = from;
        while begin < to {
            let id_bytes = file[begin].leading_zeros() as usize + 1;
            let id = be(&file[begin..begin + id_bytes]);
            let size_at = begin + id_bytes;
            let size_bytes = file[size_at].leading_zeros() as usize + 1;
            let marked = be(&file[size_at..size_at + size_bytes]);
            let size = marked & ((1 << (7 * size_bytes)) - 1);
            assert_ne!(size, (1 << (7 * size_bytes)) - 1, "{id:x} has no size");
            let content = size_at + size_bytes;
            let end = content + size as usize;
            assert!(end <= to, "{id:x} at {begin} ends at {end}, past {to}");
            found.push((id, content, end));
            if OF_ELEMENTS.contains(&id) {
                walk(file, content, end, found);
            }
            begin = end;
        }
        assert_eq!(begin, to);
    }

    #[test]
    fn elements_fill_the_file_and_cues_point_at_clusters() {
        for frames in [80_003, 40_000, 1] {
            let sound = Sound::new(8_000, &[tone(8_000, 440.0, frames)]);
            let file = bytes_of(&make(&sound, Target::WebM).expect("a file is made"));
            let mut found = Vec::new();
            walk(&file, 0, file.len(), &mut found);
            let all = |id: u64| found.iter().filter(move |(found, ..)| *found == id);
            let content = |id: u64| {
                let (_, begin, end) = all(id).next().unwrap_or_else(|| panic!("no {id:x}"));
                &file[*begin..*end]
            };
            let segment = all(0x1853_8067).next().expect("a segment");
            assert_eq!(segment.2, file.len());
            let lies_at = |place: u64, id: &[u8]| {
                let place = segment.1 + place as usize;
                assert_eq!(&file[place..place + id.len()], id, "at {place}");
            };
            for (id, place) in all(0x53AB).zip(all(0x53AC)) {
                lies_at(be(&file[place.1..place.2]), &file[id.1..id.2]);
            }
            let clusters = all(0x1F43_B675).count();
            let cues: Vec<_> = all(0xB3).zip(all(0xF1)).collect();
            assert_eq!(cues.len(), clusters);
            assert!(
                all(0x1C53_BB6B).map(|cues| cues.1).max() < all(0x1F43_B675).map(|c| c.1).min()
            );
            for ((time, place), begin) in cues.into_iter().zip(all(0xE7)) {
                lies_at(be(&file[place.1..place.2]), b"\x1F\x43\xB6\x75");
                assert_eq!(be(&file[time.1..time.2]), be(&file[begin.1..begin.2]));
            }
            let seconds = frames as f64 / 8_000.0;
            let duration = f64::from_bits(be(content(0x4489)));
            assert!((duration - 1_000.0 * seconds).abs() < 1e-9);
            // All that is decoded, less the run-up and the padding, is the sound.
            let blocks = (all(0xA3).count() + all(0xA1).count()) as f64;
            let padding = all(0x75A2).map(|p| be(&file[p.1..p.2])).sum::<u64>() as f64;
            let run_up = be(content(0x56AA)) as f64;
            let heard = 0.02 * blocks - (padding + run_up) / 1e9;
            assert!((heard - seconds).abs() < 2e-9, "{heard} {seconds}");
            assert_eq!(
                clusters,
                blocks as usize / 250 + usize::from(blocks as usize % 250 > 0)
            );
        }
    }
}

mod ogg {
    use super::*;

    #[test]
    fn pages_fill_the_file_and_end_where_the_sound_does() {
        for frames in [80_003, 7_948, 1] {
            let legs = [tone(8_000, 440.0, frames), tone(8_000, 1_000.0, frames)];
            let sound = Sound::new(8_000, &legs);
            let file = bytes_of(&make(&sound, Target::Ogg).expect("a file is made"));
            let (mut place, mut pages, mut packets) = (0, Vec::new(), 0);
            while place < file.len() {
                let head = &file[place..place + 27];
                assert_eq!(&head[..5], b"OggS\0", "at {place}");
                let granule = u64::from_le_bytes(*head[6..].first_chunk().expect("8 bytes"));
                let number = u32::from_le_bytes(*head[18..].first_chunk().expect("4 bytes"));
                assert_eq!(number as usize, pages.len());
                let lacing = &file[place + 27..place + 27 + usize::from(head[26])];
                let in_page = lacing.iter().filter(|length| **length < 255).count();
                assert!(in_page <= 50, "a page of more than a second");
                packets += in_page;
                pages.push((head[5], granule));
                place += 27 + lacing.len();
                place += lacing
                    .iter()
                    .map(|length| usize::from(*length))
                    .sum::<usize>();
            }
            assert_eq!(place, file.len());
            let head = &file[28..47];
            assert_eq!(
                (&head[..10], at(head, 12, 4)),
                (&b"OpusHead\x01\x02"[..], 0x401F_0000)
            );
            let run_up = u64::from(u16::from_le_bytes([head[10], head[11]]));
            assert_eq!(pages[..2], [(2, 0), (0, 0)]);
            let end = run_up + 6 * frames as u64;
            assert_eq!(pages.last(), Some(&(4, end)));
            assert_eq!(packets as u64, 2 + end.div_ceil(960));
            for (number, (_, granule)) in pages[2..pages.len() - 1].iter().enumerate() {
                assert_eq!(*granule, 48_000 * (number as u64 + 1));
            }
            // The crate's reader checks the checksums.
            let mut reader = ::ogg::PacketReader::new(std::io::Cursor::new(file));
            let mut read = 0;
            while reader.read_packet().expect("whole pages").is_some() {
                read += 1;
            }
            assert_eq!(read, packets);
        }
    }
}

mod flac {
    use super::*;

    #[test]
    fn seek_points_begin_at_frames() {
        let frames = 8_000 * 35 + 17;
        let sound = Sound::new(8_000, &[tone(8_000, 440.0, frames)]);
        let file = bytes_of(&make(&sound, Target::Flac).expect("a file is made"));
        assert_eq!(&file[..4], b"fLaC");
        let (mut place, mut blocks) = (4, Vec::new());
        loop {
            let (kind, length) = (file[place], at(&file, place as u64 + 1, 3) as usize);
            blocks.push((kind & 0x7F, place + 4, place + 4 + length));
            place += 4 + length;
            if kind & 0x80 != 0 {
                break;
            }
        }
        assert_eq!(
            blocks.iter().map(|block| block.0).collect::<Vec<_>>(),
            [0, 3, 4]
        );
        assert_eq!(at(&file, 18, 8) & ((1 << 36) - 1), frames as u64);
        let points: Vec<_> = file[blocks[1].1..blocks[1].2].chunks(18).collect();
        assert_eq!(points.len(), 4);
        for (number, point) in points.into_iter().enumerate() {
            let (begin, length) = (be(&point[..8]), be(&point[16..]));
            let wanted = number as u64 * 80_000;
            assert!(
                (begin..begin + length).contains(&wanted),
                "{begin} {length}"
            );
            let frame = &file[place + be(&point[8..16]) as usize..];
            assert_eq!(frame[..2], [0xFF, 0xF8], "a frame's mark, fixed block size");
            // Few enough that their number is one byte.
            assert_eq!(u64::from(frame[4]), begin / 4_096);
        }
    }
}
