//! Every signal of every zone, under the conditions of a line.

use super::*;

/// Seconds in which all are recognised, and all but ring back.
const SECONDS: f64 = 14.0;
const SHORT: f64 = 6.0;

fn every(what: &str, made: Made, spoil: impl Fn(&[f64]) -> Vec<f64>) {
    for zone in FAMILIES.into_iter().filter_map(zone) {
        each(what, zone, made, &spoil);
    }
}

fn each(what: &str, zone: &ToneZone, made: Made, spoil: impl Fn(&[f64]) -> Vec<f64>) {
    for (expected, signal) in signals(zone) {
        if zone.code == "AU" && signal == zone.congestion {
            continue;
        }
        let mut sound = vec![0.0; made.hertz as usize / 3];
        let rings = expected == Supervision::RingBack;
        sound.extend(made.signal(signal, if rings { SECONDS } else { SHORT }));
        let told = heard(zone, made.hertz, &spoil(&sound));
        assert_eq!(told, [expected], "{what}: {} {signal:?}", zone.code);
    }
}

#[test]
fn every_signal_of_every_zone_is_told_once() {
    for zone in ZONES {
        each("plain", zone, PLAIN, <[f64]>::to_vec);
    }
}

#[test]
fn weak_and_strong_tones_are_heard() {
    for dbm in [-3.0, -40.0] {
        let made = Made { dbm, ..PLAIN };
        every(&format!("{dbm} dBm"), made, <[f64]>::to_vec);
    }
}

#[test]
fn noise_15_db_below_is_borne() {
    every("noise", PLAIN, |sound| {
        with_noise(sound, PLAIN.dbm - 15.0, 1)
    });
}

#[test]
fn tones_may_be_off_in_pitch_pace_and_slope() {
    for (pitch, pace, twist_db) in [(0.014, 0.1, 3.0), (-0.014, -0.1, -3.0), (0.0, 0.12, -5.0)] {
        let made = Made {
            pitch,
            pace,
            twist_db,
            ..PLAIN
        };
        every(&format!("pitch {pitch}, pace {pace}"), made, |sound| {
            with_noise(sound, made.dbm - 25.0, 7)
        });
    }
}

#[test]
fn tones_that_are_too_far_off_are_not_heard() {
    for (pitch, pace) in [(0.09, 0.0), (-0.09, 0.0), (0.0, -0.45)] {
        let made = Made {
            pitch,
            pace,
            ..PLAIN
        };
        for zone in FAMILIES.into_iter().filter_map(zone) {
            // In a cadence of another length, another signal of the zone may be meant.
            let signal = if pace == 0.0 {
                zone.busy
            } else {
                zone.ring_back
            };
            let told = heard(zone, 8_000, &made.signal(signal, SECONDS));
            assert_eq!(told, [], "{} {pitch} {pace}", zone.code);
        }
    }
}

#[test]
fn every_rate_of_a_line_will_do() {
    for hertz in [11_025, 16_000, 44_100, 48_000] {
        for code in ["US", "GB", "DE", "JP"] {
            let zone = zone(code).unwrap();
            let made = Made { hertz, ..PLAIN };
            for (expected, signal) in signals(zone) {
                let told = heard(zone, hertz, &made.signal(signal, SECONDS));
                assert_eq!(told, [expected], "{hertz} Hz: {code} {signal:?}");
            }
        }
    }
}

#[test]
fn australia_weakens_every_second_pulse() {
    let zone = zone("au").unwrap();
    let strong = PLAIN.signal(zone.congestion, SECONDS);
    let sound: Vec<f64> = strong
        .iter()
        .enumerate()
        .map(|(at, sample)| {
            if at / 6_000 % 2 == 1 {
                sample * 0.316
            } else {
                *sample
            }
        })
        .collect();
    assert_eq!(heard(zone, 8_000, &sound), [Supervision::Congestion]);
}
