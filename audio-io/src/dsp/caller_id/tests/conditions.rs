//! The conditions under which a message has to be received, one by one and together.

use std::f64::consts::TAU;

use super::super::{FskStandard, Withheld, alert, sdmf, seal};
use super::sound::{amplitude, mapped, with_noise};
use super::*;
use crate::units::Millis;

const STANDARDS: [FskStandard; 2] = [FskStandard::Bell202, FskStandard::V23];

fn with(standard: FskStandard) -> FskParams {
    FskParams {
        standard,
        ..FskParams::default()
    }
}

fn expect(what: &str, leg: &[i16]) {
    let heard = heard(CallerIdMode::Fsk, SampleRate::TELEPHONE, leg);
    assert_eq!(heard, [somebody()], "{what}");
}

#[test]
fn every_level_and_twist_is_received() {
    for standard in STANDARDS {
        for level_dbm in [-3.0, -9.0, -13.5, -25.0, -40.0] {
            for twist_db in [-10.0, -6.0, -3.0, 0.0, 3.0, 6.0, 10.0] {
                let params = FskParams {
                    level_dbm,
                    twist_db,
                    ..with(standard)
                };
                expect(
                    &format!("{standard:?}, {level_dbm} dBm, twist {twist_db} dB"),
                    &message(&params),
                );
            }
        }
    }
}

#[test]
fn noise_speed_and_offset_are_borne_together() {
    for standard in STANDARDS {
        for (seed, speed) in [(1, -0.01), (2, 0.0), (3, 0.01)] {
            for twist_db in [-6.0, 0.0, 6.0] {
                let params = FskParams {
                    speed,
                    offset: speed,
                    twist_db,
                    level_dbm: -20.0,
                    ..with(standard)
                };
                // 20 dB below the weaker of the two tones.
                let weaker = params.level_dbm - f64::abs(twist_db);
                let leg = with_noise(&message(&params), weaker - 20.0, seed);
                expect(
                    &format!("{standard:?}, speed {speed}, twist {twist_db} dB"),
                    &leg,
                );
            }
        }
    }
}

#[test]
fn seizure_may_be_missing_and_mark_be_short() {
    for standard in STANDARDS {
        for (seizure_bits, mark_bits) in [(300, 180), (300, 55), (0, 80), (0, 20), (96, 20)] {
            for gap_bits in [0, 3, 10] {
                let params = FskParams {
                    seizure_bits,
                    mark_bits,
                    gap_bits,
                    twist_db: 6.0,
                    ..with(standard)
                };
                expect(
                    &format!("{seizure_bits}, {mark_bits}, {gap_bits}"),
                    &message(&params),
                );
            }
        }
    }
}

#[test]
fn what_comes_before_does_not_matter() {
    let rate = SampleRate::TELEPHONE;
    // The end of a ring, heard through the card: 25 Hz and clipped.
    let ring: Vec<i16> = mapped(&[0; 8_000], |at, _| {
        60_000.0 * (TAU * 25.0 * at as f64 / 8_000.0).sin()
    });
    for standard in STANDARDS {
        let params = FskParams {
            seizure_bits: 0,
            mark_bits: 80,
            ..with(standard)
        };
        for (what, before) in [
            ("ring", ring.clone()),
            ("alert", alert(rate, -14.0, Millis(80))),
            (
                "alert, then a pause",
                [alert(rate, -14.0, Millis(110)), vec![0; 400]].concat(),
            ),
            ("noise", with_noise(&[0; 8_000], -30.0, 9)),
        ] {
            let leg = [before, message(&params)].concat();
            expect(&format!("{standard:?} after {what}"), &leg);
            let at_once = fsk(rate, &params, &mdmf(DATE, &somebody()));
            let leg = [
                leg[..leg.len() - message(&params).len()].to_vec(),
                at_once,
                vec![0; 99],
            ];
            expect(&format!("{standard:?} at once after {what}"), &leg.concat());
        }
    }
}

#[test]
fn direct_current_hum_and_clicks_are_borne() {
    for standard in STANDARDS {
        let leg = message(&with(standard));
        expect(
            "direct current",
            &mapped(&leg, |_, sample| sample + 3_000.0),
        );
        let hum = amplitude(-20.0);
        let hummed = mapped(&leg, |at, sample| {
            sample + hum * (TAU * 50.0 * at as f64 / 8_000.0).sin()
        });
        expect("hum", &hummed);
        // Clicks of one sample, a little weaker than the signal, every 9 ms.
        let click = amplitude(-15.0);
        let clicked = mapped(
            &leg,
            |at, sample| if at % 73 == 0 { sample + click } else { sample },
        );
        expect("clicks", &clicked);
    }
}

#[test]
fn every_rate_of_a_line_will_do() {
    for hertz in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000] {
        let rate = SampleRate::new(hertz).unwrap();
        for standard in STANDARDS {
            let mut leg = vec![0; 999];
            leg.extend(fsk(rate, &with(standard), &mdmf(DATE, &somebody())));
            leg.extend(vec![0; 9_999]);
            assert_eq!(
                heard(CallerIdMode::Fsk, rate, &leg),
                [somebody()],
                "{hertz} Hz"
            );
        }
    }
}

#[test]
fn what_a_parameter_means_goes_by_the_modem() {
    let mut caller = somebody();
    caller.called = Some(NumberText::try_from("5550100").unwrap());
    for (standard, called) in [
        (FskStandard::V23, caller.called.clone()),
        (FskStandard::Bell202, None),
    ] {
        for (level_dbm, offset) in [(-9.0, 0.0), (-40.0, 0.01), (-13.5, -0.01)] {
            let params = FskParams {
                level_dbm,
                offset,
                ..with(standard)
            };
            let leg = padded(fsk(SampleRate::TELEPHONE, &params, &mdmf(DATE, &caller)));
            let leg = with_noise(&leg, level_dbm - 20.0, 5);
            let heard = heard(CallerIdMode::Fsk, SampleRate::TELEPHONE, &leg);
            let called = called.clone();
            assert_eq!(
                heard,
                [CallerId {
                    called,
                    ..somebody()
                }],
                "{standard:?} {level_dbm} dBm"
            );
        }
    }
}

#[test]
fn short_messages_and_reasons_are_received() {
    let rate = SampleRate::TELEPHONE;
    let numbered = CallerId {
        number: NumberText::try_from("5550123").unwrap(),
        ..CallerId::default()
    };
    let withheld = |why| CallerId {
        withheld: Some(why),
        ..CallerId::default()
    };
    for caller in [
        numbered,
        withheld(Withheld::Private),
        withheld(Withheld::Unavailable),
    ] {
        for bytes in [sdmf(DATE, &caller), mdmf(DATE, &caller)] {
            let leg = padded(fsk(rate, &FskParams::default(), &bytes));
            assert_eq!(heard(CallerIdMode::Fsk, rate, &leg), [caller.clone()]);
        }
    }
}

#[test]
fn one_message_follows_another() {
    let waiting = seal(0x82, &[0x0B, 1, 0xFF]);
    let rate = SampleRate::TELEPHONE;
    let mut leg = padded(fsk(rate, &FskParams::default(), &waiting));
    leg.extend(message(&FskParams::default()));
    leg.extend(message(&FskParams::default()));
    assert_eq!(
        heard(CallerIdMode::Fsk, rate, &leg),
        [somebody(), somebody()]
    );
}
