//! The arithmetic, without a sound.

use proptest::prelude::*;

use super::super::*;
use crate::units::SampleRate;

fn formats() -> impl Strategy<Value = PcmFormat> {
    let channels = prop_oneof![Just(Channels::Mono), Just(Channels::Stereo)];
    let rate = prop_oneof![
        8_000_u32..=48_000,
        prop::sample::select(vec![8_000_u32, 11_025, 16_000, 22_050, 44_100, 48_000]),
    ];
    (rate, channels).prop_filter_map("rates", |(rate, channels)| {
        let rate = SampleRate::new(rate).ok()?;
        Some(PcmFormat { rate, channels })
    })
}

fn lengths() -> impl Strategy<Value = u64> {
    prop_oneof![0..10_000_u64, 0..50_000_000_u64, 0..1_u64 << 40]
}

proptest! {
    #[test]
    fn chunks_tile_the_file(format in formats(), frames in lengths()) {
        let layout = Mp3Layout::new(format, Frames(frames));
        let chunks = layout.chunks();
        let step = usize::try_from(chunks / 500 + 1)?;
        let mut end = 0;
        for chunk in (0..chunks).step_by(step) {
            let bytes = layout.bytes_of(chunk);
            prop_assert!(step > 1 || bytes.start == end);
            prop_assert!(bytes.start < bytes.end);
            prop_assert_eq!(layout.chunk_at(bytes.start), chunk);
            prop_assert_eq!(layout.chunk_at(bytes.end - 1), chunk);
            let next = layout.bytes_of(chunk + 1);
            prop_assert_eq!(next.start, bytes.end);
            end = bytes.end;
        }
        let last = layout.bytes_of(chunks - 1);
        prop_assert_eq!(last.end, layout.size_bytes());
        prop_assert_eq!(layout.chunk_at(layout.size_bytes()), chunks - 1);
        prop_assert_eq!(layout.chunk_at(u64::MAX), chunks - 1);
        prop_assert!(layout.bytes_of(chunks).is_empty());
        prop_assert!(layout.bytes_of(u64::MAX).is_empty());
    }

    #[test]
    fn the_bit_rate_is_kept(format in formats(), frames in lengths()) {
        let layout = Mp3Layout::new(format, Frames(frames));
        let coded = layout.mp3_frames * layout.settings.frame_samples();
        prop_assert!(coded >= layout.sound.0 + DELAY + PADDING_MIN);
        let padding = coded - layout.sound.0 - DELAY;
        prop_assert!(padding < 1 << 12, "twelve bits hold it: {}", padding);
        let front = TAG_BYTES + layout.settings.frame_bytes();
        let bytes = u128::from(layout.size_bytes() - front);
        let rate = u128::from(layout.settings.rate.hertz());
        let exact = u128::from(coded) * u128::from(layout.bit_rate()) / 8 / rate;
        prop_assert!(bytes.abs_diff(exact) <= 1, "{} bytes for {}", bytes, exact);
    }

    #[test]
    fn padding_is_what_counting_down_gives(format in formats(), count in 0_u64..2_000) {
        let settings = Settings::of(format);
        let rate = i64::from(settings.rate.hertz());
        let bytes = i64::try_from(settings.frame_samples() / 8 * 1_000)?;
        let remainder = bytes * i64::from(settings.kilobits) % rate;
        let (mut lag, mut padded) = (remainder, 0);
        for _ in 0..count {
            lag -= remainder;
            if lag < 0 {
                lag += rate;
                padded += 1;
            }
        }
        prop_assert_eq!(settings.padding_bytes(count), padded);
        let period = MP3_FIRST_CHUNK_FRAMES;
        let (before, after) = (count + 1, count + 1 + period);
        let repeated = settings.padding_bytes(after) - settings.padding_bytes(before);
        prop_assert_eq!(repeated, settings.padding_bytes(1 + period));
    }
}

#[test]
fn rates_become_the_next_that_mp3_has() {
    for (source, coded) in [
        (8_000, 8_000),
        (8_001, 11_025),
        (11_025, 11_025),
        (13_000, 16_000),
        (22_050, 22_050),
        (24_001, 32_000),
        (44_100, 44_100),
        (44_101, 48_000),
        (48_000, 48_000),
    ] {
        let source = SampleRate::new(source).expect("a rate");
        assert_eq!(settings::rate_for(source).hertz(), coded);
    }
}

#[test]
fn an_info_frame_has_room_for_its_tag() {
    for hertz in [
        8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
    ] {
        for channels in [Channels::Mono, Channels::Stereo] {
            let rate = SampleRate::new(hertz).expect("a rate");
            let layout = Mp3Layout::new(PcmFormat { rate, channels }, Frames(1_000_000));
            let frame = layout.info_frame();
            assert_eq!(frame.len() as u64, layout.settings.frame_bytes());
            let tag_end = 4 + layout.settings.side_bytes() + 120 + 36;
            assert!(tag_end <= frame.len(), "{hertz}");
            let (head, tail) = frame.split_at(tag_end - 2);
            assert_eq!(info::crc16(head).to_be_bytes(), tail[..2]);
        }
    }
}
