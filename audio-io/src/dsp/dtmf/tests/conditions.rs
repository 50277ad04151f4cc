//! Clean digits at and beyond the limits of each administration.

use super::*;

/// Whether all digits are heard, each once, or none; anything else fails.
fn all_or_none(administration: Administration, sound: &[i16], what: &str) -> bool {
    let heard = keys(&hear(params(administration), sound));
    assert!(
        heard == KEYS || heard.is_empty(),
        "{administration:?} {what}: {heard}"
    );
    !heard.is_empty()
}

/// In the middle of what is accepted in level and twist.
fn fair(limits: &Tolerances) -> PlayParams {
    PlayParams {
        low_dbm: (limits.level_operate_max_dbm + limits.level_operate_min_dbm) / 2.0,
        ..PLAIN
    }
}

#[test]
fn frequencies_off_by_what_is_allowed_are_heard_and_beyond_not() {
    for administration in Administration::ALL {
        let limits = Tolerances::of(administration);
        let check = |part: f64| {
            let sound = dial(
                PlayParams {
                    offset: part,
                    on: Millis(40),
                    ..fair(&limits)
                },
                KEYS,
            );
            all_or_none(administration, &sound, &format!("offset {part}"))
        };
        // What the hertz are to the highest frequency, all can be off by.
        let operate = limits.frequency_operate + limits.frequency_operate_hertz / 1_633.0;
        for sign in [-1.0, 1.0] {
            assert!(check(sign * operate), "{administration:?}");
            assert!(
                !check(sign * limits.frequency_reject.unwrap_or(0.06)),
                "{administration:?}"
            );
        }
    }
}

#[test]
fn one_frequency_off_is_enough_to_be_refused() {
    for (low, high) in [(697.0 * 1.036, 1_209.0), (697.0, 1_209.0 * 0.964)] {
        let mut sound = silence(TELEPHONE, 500);
        let (low, high) = (sine(low, -10.0), sine(high, -10.0));
        add(&mut sound[800..2_400], |index| low(index) + high(index));
        assert_eq!(hear(DetectorParams::default(), &sound), vec![]);
    }
}

#[test]
fn levels_within_the_limits_are_heard_and_below_not() {
    for administration in Administration::ALL {
        let limits = Tolerances::of(administration);
        let check = |low_dbm: f64| {
            let sound = dial(PlayParams { low_dbm, ..PLAIN }, KEYS);
            all_or_none(administration, &sound, &format!("{low_dbm} dBm"))
        };
        // At 0 dBm both together are clipped by the line's 16 bits.
        assert!(check(limits.level_operate_max_dbm));
        assert!(check(limits.level_operate_min_dbm));
        assert!(!check(limits.level_reject_dbm));
        assert!(!check(-70.0));
    }
}

#[test]
fn twist_within_the_limits_is_heard_and_far_beyond_not() {
    for administration in Administration::ALL {
        let limits = Tolerances::of(administration);
        let check = |twist_db: f64| {
            let low_dbm = -12.0 - twist_db / 2.0;
            let sound = dial(
                PlayParams {
                    low_dbm,
                    twist_db,
                    ..PLAIN
                },
                KEYS,
            );
            all_or_none(administration, &sound, &format!("twist {twist_db} dB"))
        };
        assert!(check(limits.twist_high_db) && check(-limits.twist_low_db));
        assert!(!check(limits.twist_high_db + 3.0) && !check(-limits.twist_low_db - 3.0));
    }
}

#[test]
fn signals_of_40_ms_are_heard_and_those_too_short_are_not() {
    for administration in Administration::ALL {
        let limits = Tolerances::of(administration);
        // Each start in relation to the windows.
        for shift in 0..8 {
            let check = |on: Millis| {
                let mut sound = vec![0; shift * 4];
                let off = limits.pause_operate;
                sound.extend(dial(
                    PlayParams {
                        on,
                        off,
                        ..fair(&limits)
                    },
                    KEYS,
                ));
                all_or_none(administration, &sound, &format!("{on}"))
            };
            assert!(check(limits.signal_operate));
            assert!(!check(limits.signal_reject));
        }
    }
}

#[test]
fn pauses_part_equal_digits_and_interruptions_do_not() {
    for administration in Administration::ALL {
        let limits = Tolerances::of(administration);
        for key in ["1", "D", "0"] {
            let two = key.repeat(2);
            let params_of = |off| PlayParams {
                off,
                ..fair(&limits)
            };
            let parted = dial(params_of(limits.pause_operate), &two);
            assert_eq!(keys(&hear(params(administration), &parted)), two);
            let joined = dial(params_of(limits.interruption), &two);
            assert_eq!(keys(&hear(params(administration), &joined)), key);
        }
    }
}

#[test]
fn digits_follow_each_other_as_fast_as_is_allowed_or_without_any_pause() {
    for administration in Administration::ALL {
        let limits = Tolerances::of(administration);
        let off = Millis(limits.digit_period.0 - limits.signal_operate.0);
        let fast = PlayParams {
            on: limits.signal_operate,
            off,
            ..fair(&limits)
        };
        assert!(all_or_none(administration, &dial(fast, KEYS), "fast"));
    }
    let joined = PlayParams {
        on: Millis(60),
        off: Millis(0),
        ..PLAIN
    };
    assert_eq!(
        keys(&hear(DetectorParams::default(), &dial(joined, KEYS))),
        KEYS
    );
}

#[test]
fn positions_levels_and_twist_are_told() {
    let plain = PlayParams {
        twist_db: 2.0,
        on: Millis(70),
        off: Millis(90),
        ..PLAIN
    };
    for hertz in [
        8_000, 11_025, 12_345, 16_000, 22_050, 32_000, 44_100, 48_000,
    ] {
        let rate = SampleRate::new(hertz).unwrap();
        let heard = hear_at(rate, DetectorParams::default(), &dial_at(rate, plain, KEYS));
        assert_eq!(keys(&heard), KEYS, "{hertz} Hz");
        let near = |frames: Frames, ms: u64| {
            let off = frames.0.abs_diff(rate.frames_in(Millis(ms)).0);
            assert!(
                off <= rate.frames_in(Millis(3)).0,
                "{hertz} Hz: {off} frames from {ms} ms"
            );
        };
        for (index, digit) in (0_u64..).zip(&heard) {
            near(digit.start, 103 + 160 * index);
            near(digit.end, 173 + 160 * index);
            assert!(digit.duration(rate).0.abs_diff(70) <= 3);
            // A sine's RMS is 3.01 dB below its peak.
            let low = -10.0 - FULL_SCALE_DBM0 - 3.01;
            assert!(
                (digit.low.decibels() - low).abs() < 0.5,
                "{hertz} Hz: {digit:?}"
            );
            assert!(
                (digit.twist_db() - 2.0).abs() < 0.5,
                "{hertz} Hz: {digit:?}"
            );
        }
    }
}
