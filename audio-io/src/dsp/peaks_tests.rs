//! Peaks against a count of sample by sample.

use proptest::prelude::*;

use super::*;

const STEREO: StreamFormat = StreamFormat {
    channels: Channels::Stereo,
    ..StreamFormat::TELEPHONE
};

/// One peak a stretch and track, sample by sample.
fn naive(samples: &[i16], channels: Channels, per_peak: usize) -> Vec<Peak> {
    let legs = channels.count();
    let mut peaks = Vec::new();
    for stretch in samples.chunks(per_peak * legs) {
        let of = |track: &dyn Fn(&[i16]) -> i16| {
            let values: Vec<i16> = stretch.chunks_exact(legs).map(track).collect();
            let (low, high) = (values.iter().min(), values.iter().max());
            Peak {
                low: *low.unwrap(),
                high: *high.unwrap(),
            }
        };
        peaks.push(of(&|frame| frame[0]));
        if legs == 2 {
            peaks.push(of(&|frame| frame[1]));
            peaks.push(of(&|frame| {
                i16::try_from((i32::from(frame[0]) + i32::from(frame[1])) / 2).unwrap()
            }));
        }
    }
    peaks
}

fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

#[test]
fn lows_and_highs_of_each_leg_and_of_both() {
    let mut meter = PeakMeter::bounded(STEREO, 2, usize::MAX);
    let bytes = bytes_of(&[256, -1, -512, 32_767, 1, 0]);
    meter.push(&bytes[..3]);
    meter.push(&bytes[..4]);
    meter.push(&bytes[4..]);
    let pyramid = meter.finish();
    assert_eq!(pyramid.frames, Frames(3));
    let pairs: Vec<_> = pyramid.levels[0]
        .peaks
        .iter()
        .map(|peak| (peak.low, peak.high))
        .collect();
    let first = [(-512, 256), (-1, 32_767), (127, 16_127)];
    let last = [(1, 1), (0, 0), (0, 0)];
    assert_eq!(pairs, [first, last].concat());
}

#[test]
fn mixing_cuts_towards_zero() {
    let peaks = stereo(&[-1, 0, -3, 0, 3, 0, i16::MIN, i16::MIN, i16::MAX, i16::MAX]);
    let extremes = Peak {
        low: i16::MIN,
        high: i16::MAX,
    };
    assert_eq!(peaks[2], extremes);
    let peaks = stereo(&[-1, 0, -3, 0]);
    assert_eq!(peaks[2], Peak { low: -1, high: 0 });
}

#[test]
fn silence_is_what_its_bytes_are() {
    for encoding in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
        let format = StreamFormat { encoding, ..STEREO };
        let mut told = PeakMeter::bounded(format, 128, usize::MAX);
        let mut heard = told.clone();
        told.push_silence(Frames(1_000));
        let silence = vec![encoding.silence_byte(); 1_000 * format.frame_bytes()];
        heard.push(&silence);
        assert_eq!(told.finish(), heard.finish());
    }
}

#[test]
fn a_day_stays_bounded() {
    let most = 3 * 4_096;
    let mut meter = PeakMeter::bounded(STEREO, FRAMES_PER_PEAK, most);
    for _ in 0..24 {
        meter.push_silence(Frames(8_000 * 3_600));
        meter.push(&bytes_of(&[5, 7]));
        assert!(meter.count() <= most);
    }
    let finest = meter.frames_per_peak();
    let pyramid = meter.finish();
    assert!(finest > FRAMES_PER_PEAK && pyramid.levels[0].frames_per_peak == finest);
    let peaks = pyramid.frames.0.div_ceil(u64::from(finest)) * 3;
    assert_eq!(pyramid.levels[0].peaks.len() as u64, peaks);
    assert!(pyramid.levels.len() <= LEVELS_MAX);
}

fn samples() -> impl Strategy<Value = Vec<i16>> {
    let loud = prop::collection::vec(any::<i16>(), 0..3_000);
    let edges = prop_oneof![Just(i16::MIN), Just(i16::MAX), Just(0), Just(-1)];
    prop_oneof![loud, prop::collection::vec(edges, 0..3_000)]
}

proptest! {
    #[test]
    fn every_level_is_that_of_a_naive_count(
        mut samples in samples(),
        stereo: bool,
        per_peak in 1_u32..70,
        cuts in prop::collection::vec(0_usize..3_000, 0..6),
    ) {
        let channels = if stereo { Channels::Stereo } else { Channels::Mono };
        samples.truncate(samples.len() - samples.len() % channels.count());
        let format = StreamFormat { channels, ..StreamFormat::TELEPHONE };
        let mut meter = PeakMeter::bounded(format, per_peak, usize::MAX);
        let bytes = bytes_of(&samples);
        let frame = format.frame_bytes();
        let mut cuts: Vec<usize> =
            cuts.into_iter().map(|cut| cut.min(bytes.len() / frame) * frame).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            meter.push(&bytes[from..cut]);
            from = cut;
        }
        let pyramid = meter.finish();
        let frames = (samples.len() / channels.count()) as u64;
        prop_assert_eq!(pyramid.frames, Frames(frames));
        let mut covered = per_peak;
        for level in &pyramid.levels {
            prop_assert_eq!(level.frames_per_peak, covered);
            let expected = naive(&samples, channels, covered as usize);
            prop_assert_eq!(&level.peaks, &expected);
            covered *= 4;
        }
        let last = &pyramid.levels.last().unwrap().peaks;
        prop_assert!(last.len() <= LAST_LEVEL_PEAKS * tracks_of(channels));
    }

    #[test]
    fn one_that_ran_out_of_room_is_one_that_was_coarse_from_the_start(
        mut samples in samples(), stereo: bool, most in 1_usize..200, snapshot in 0_usize..3_000,
    ) {
        let channels = if stereo { Channels::Stereo } else { Channels::Mono };
        samples.truncate(samples.len() - samples.len() % channels.count());
        let format = StreamFormat { channels, ..StreamFormat::TELEPHONE };
        let mut meter = PeakMeter::bounded(format, 3, most * 3);
        let at = snapshot.min(samples.len() / channels.count()) * channels.count();
        meter.push_samples(&samples[..at]);
        let mut looked_at = meter.clone();
        meter.push_samples(&samples[at..]);
        // Somebody who looked at it meanwhile sees what there was, as coarse as they like.
        looked_at.coarsen_to(50);
        let coarse = looked_at.frames_per_peak();
        prop_assert_eq!(
            &looked_at.finish().levels[0].peaks,
            &naive(&samples[..at], channels, coarse as usize)
        );
        let covered = meter.frames_per_peak();
        let pyramid = meter.finish();
        prop_assert_eq!(
            &pyramid.levels[0].peaks,
            &naive(&samples, channels, covered as usize)
        );
    }

    #[test]
    fn companded_sound_is_as_loud_as_its_linear_values(
        codes in prop::collection::vec(any::<u8>(), 0..2_000), alaw: bool,
    ) {
        let encoding = if alaw { Encoding::ALaw } else { Encoding::MuLaw };
        let format = StreamFormat { encoding, ..StreamFormat::TELEPHONE };
        let mut meter = PeakMeter::new(format);
        meter.push(&codes);
        let samples: Vec<i16> = codes.iter().map(|code| sample(&[*code], encoding)).collect();
        let expected = naive(&samples, Channels::Mono, FRAMES_PER_PEAK as usize);
        prop_assert_eq!(&meter.finish().levels[0].peaks, &expected);
    }
}
