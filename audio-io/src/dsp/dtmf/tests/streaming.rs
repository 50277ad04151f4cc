//! Pieces of any length, gaps, ends, playing and masking.

use proptest::prelude::*;

use super::*;

#[test]
fn the_length_of_the_pieces_makes_no_difference() {
    let rate = SampleRate::new(44_100).unwrap();
    let sound = dial_at(rate, PLAIN, "159D");
    let whole = hear_at(rate, DetectorParams::default(), &sound);
    assert_eq!(keys(&whole), "159D");
    for length in [1, 7, 441, 100_000] {
        let mut ear = Ear::default();
        let mut detector = DtmfDetector::new(rate, DetectorParams::default());
        for piece in sound.chunks(length) {
            detector.push(piece, |event| ear.take(event));
        }
        assert_eq!(ear.heard, whole, "{length}");
    }
}

#[test]
fn a_digit_is_told_while_it_sounds_and_ends_with_the_leg() {
    let sound = dial(
        PlayParams {
            on: Millis(500),
            ..PLAIN
        },
        "5",
    );
    let mut events = Vec::new();
    let mut detector = DtmfDetector::new(TELEPHONE, DetectorParams::default());
    // The tone begins at 103 ms.
    detector.push(&sound[..8 * 150], |event| events.push(event));
    assert!(
        matches!(events[..], [DtmfEvent::Began { .. }]),
        "{events:?}"
    );
    detector.push(&sound[8 * 150..8 * 300], |event| events.push(event));
    assert!(detector.hears_digit());
    detector.finish(|event| events.push(event));
    assert!(!detector.hears_digit());
    let [_, DtmfEvent::Ended(heard)] = events[..] else {
        panic!("{events:?}")
    };
    assert!(
        heard.end <= Frames(8 * 300) && heard.end >= Frames(8 * 292),
        "{heard:?}"
    );
}

#[test]
fn a_gap_of_years_costs_nothing_and_keeps_the_positions() {
    let mut ear = Ear::default();
    let mut detector = DtmfDetector::new(TELEPHONE, DetectorParams::default());
    let gap = 8_000 * 86_400 * 3_650;
    let sound = dial(PLAIN, "7");
    detector.push(&sound[..8 * 160], |event| ear.take(event));
    detector.push_silence(Frames(gap), |event| ear.take(event));
    detector.push(&sound, |event| ear.take(event));
    assert_eq!(keys(&ear.heard), "77");
    assert!(ear.heard[0].start.0.abs_diff(8 * 103) <= 16);
    assert!(ear.heard[1].start.0.abs_diff(8 * 160 + gap + 8 * 103) <= 16);
}

#[test]
fn a_player_is_bounded_and_stops() {
    let mut player = DigitPlayer::new(TELEPHONE, PlayParams::default());
    assert!(player.is_done());
    let five = Digit::try_from('5').unwrap();
    let taken = (0..200).take_while(|_| player.push(five).is_ok()).count();
    assert_eq!(taken, 128);
    assert_eq!(player.push(five), Err(DigitQueueFull));
    let mut out = [1; 2_000];
    assert_eq!(player.fill(&mut out), 2_000);
    assert!(out[800..1_600].iter().all(|x| *x == 0) && out[1_600..].iter().any(|x| *x != 0));
    player.stop();
    assert!(player.is_done());
    assert_eq!(player.fill(&mut out), 0);
    let nothing = PlayParams {
        on: Millis(0),
        off: Millis(0),
        ..PLAIN
    };
    assert_eq!(
        keys(&hear(DetectorParams::default(), &dial(nothing, KEYS))),
        ""
    );
}

#[test]
fn keys_are_read_in_either_case() {
    assert_eq!(Digit::try_from('d').map(Digit::as_char), Ok('D'));
    assert_eq!(Digit::try_from('E'), Err(NotADigit('E')));
    assert_eq!(
        Digit::ALL.map(Digit::as_char).iter().collect::<String>(),
        "123A456B789C*0#D"
    );
}

#[test]
fn masks_cover_the_tones_and_join_when_near() {
    let guard = MaskGuard {
        before: Millis(20),
        after: Millis(30),
        join: Millis(100),
    };
    let sound = dial(
        PlayParams {
            off: Millis(90),
            ..PLAIN
        },
        "12",
    );
    let mut heard = hear(DetectorParams::default(), &sound);
    let later = heard.iter().map(|digit| DigitHeard {
        start: digit.start + Frames(8_000),
        end: digit.end + Frames(8_000),
        ..*digit
    });
    heard.extend(later.collect::<Vec<_>>());
    let ranges = mask_ranges(&heard, guard, TELEPHONE, Frames(8_000 + 8 * 285));
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    // Tones from 103 to 293 ms, the guard around them, the recording's end.
    assert!(ranges[0].start <= Frames(8 * 85) && ranges[0].end >= Frames(8 * 320));
    assert_eq!(ranges[1].end, Frames(8_000 + 8 * 285));
    let beyond = mask_ranges(&heard, guard, TELEPHONE, Frames(8));
    assert_eq!(beyond, vec![]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_sound_breaks_it(
        hertz in 8_000_u32..=48_000,
        leg in prop::collection::vec(any::<i16>(), 0..6_000),
        played in prop::collection::vec(any::<i16>(), 0..6_000),
    ) {
        let rate = SampleRate::new(hertz).unwrap();
        let mut ear = Ear::default();
        let mut detector = DtmfDetector::new(rate, DetectorParams::default());
        detector.push(&leg, |event| ear.take(event));
        detector.push_with_played(&leg, &played, |event| ear.take(event));
        detector.finish(|event| ear.take(event));
        prop_assert_eq!(ear.open, None);
        for digit in ear.heard {
            prop_assert!(digit.start <= digit.end);
        }
    }
}
