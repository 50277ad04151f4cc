//! Caller id by DTMF, played and heard again.

use super::super::{DtmfForm, Withheld, dtmf_codes};
use super::*;
use crate::dsp::dtmf::{Digit, DigitPlayer, PlayParams};
use crate::units::Millis;

/// Keys as they sound.
fn played(keys: &str, params: PlayParams) -> Vec<i16> {
    let mut player = DigitPlayer::new(SampleRate::TELEPHONE, params);
    let mut sound = vec![0; 1_600];
    let mut piece = [0; 160];
    for key in keys.chars() {
        player.push(Digit::try_from(key).unwrap()).unwrap();
        while !player.is_done() {
            let made = player.fill(&mut piece);
            sound.extend(&piece[..made]);
        }
    }
    sound.extend([0; 1_600]);
    sound
}

fn told(leg: &[i16]) -> Vec<CallerId> {
    heard(CallerIdMode::Dtmf, SampleRate::TELEPHONE, leg)
}

#[test]
fn every_form_is_heard() {
    let mut caller = CallerId {
        number: NumberText::try_from("0701234567").unwrap(),
        ..CallerId::default()
    };
    let quick = PlayParams {
        on: Millis(70),
        off: Millis(70),
        low_dbm: -20.0,
        ..PlayParams::default()
    };
    for form in [
        DtmfForm::Etsi,
        DtmfForm::Danish,
        DtmfForm::DToC,
        DtmfForm::Plain,
    ] {
        let codes = dtmf_codes(form, &caller);
        assert_eq!(told(&played(&codes, quick)), [caller.clone()], "{codes}");
        for withheld in [Withheld::Private, Withheld::Unavailable] {
            let caller = CallerId {
                withheld: Some(withheld),
                ..CallerId::default()
            };
            let codes = dtmf_codes(form, &caller);
            assert_eq!(told(&played(&codes, quick)), [caller], "{codes}");
        }
    }
    caller.called = Some(NumberText::try_from("08123456").unwrap());
    let codes = dtmf_codes(DtmfForm::Etsi, &caller);
    assert_eq!(told(&played(&codes, quick)), [caller], "{codes}");
}

#[test]
fn a_pause_ends_what_was_begun() {
    let leg = [
        played("A070", PlayParams::default()),
        vec![0; 12_000],
        played("1234567C", PlayParams::default()),
    ]
    .concat();
    let number = NumberText::try_from("1234567").unwrap();
    let plain = CallerId {
        number,
        ..CallerId::default()
    };
    assert_eq!(told(&leg), [plain]);
    assert_eq!(told(&played("0701234567", PlayParams::default())), []);
}
