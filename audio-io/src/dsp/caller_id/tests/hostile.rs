//! Messages that are wrong: none of them tells a number, and none does harm.

use proptest::prelude::*;

use super::super::{FskStandard, NumberText, parse, sdmf, seal};
use super::*;

#[test]
fn a_wrong_checksum_never_tells_a_number() {
    let rate = SampleRate::TELEPHONE;
    let right = mdmf(DATE, &somebody());
    for standard in [FskStandard::Bell202, FskStandard::V23] {
        for (bad, bit) in (1..right.len()).flat_map(|bad| [(bad, bad % 8), (bad, (bad + 3) % 8)]) {
            let mut bytes = right.clone();
            bytes[bad] ^= 1 << bit;
            let params = FskParams {
                standard,
                ..FskParams::default()
            };
            let leg = padded(fsk(rate, &params, &bytes));
            assert_eq!(
                heard(CallerIdMode::Fsk, rate, &leg),
                [],
                "byte {bad}, bit {bit}"
            );
        }
    }
}

#[test]
fn a_message_cut_short_or_with_a_lie_about_its_length_is_none() {
    let rate = SampleRate::TELEPHONE;
    let right = mdmf(DATE, &somebody());
    for length in 0..right.len() {
        assert_eq!(
            parse(&right[..length], FskStandard::V23),
            None,
            "{length} bytes"
        );
    }
    let cut = fsk(rate, &FskParams::default(), &right[..20]);
    // The rest of it does not come: the next message counts.
    let leg = [padded(cut), message(&FskParams::default())].concat();
    assert_eq!(heard(CallerIdMode::Fsk, rate, &leg), [somebody()]);
    // The length says 255; mark follows, and then a message.
    let mut lie = right[..1].to_vec();
    lie.push(0xFF);
    let lie = fsk(rate, &FskParams::default(), &lie);
    let whole = fsk(rate, &FskParams::default(), &right);
    assert_eq!(
        heard(
            CallerIdMode::Fsk,
            rate,
            &[lie, whole, vec![0; 400]].concat()
        ),
        [somebody()]
    );
}

#[test]
fn parameters_that_do_not_fit_spoil_the_message() {
    for body in [
        &[0x02, 40, b'1'][..],
        &[0x02][..],
        &[0x02, 3, b'1', b'x', b'3'][..],
        &[0x01, 2, b'1', b'1', 0x02, 1, b'5'][..],
        &[0x04, 1, b'7'][..],
        &[0x04, 2, b'P', b'P'][..],
    ] {
        assert_eq!(parse(&seal(0x80, body), FskStandard::V23), None, "{body:?}");
    }
    let long = [[0x02, 40].as_slice(), &[b'1'; 40]].concat();
    assert_eq!(parse(&seal(0x80, &long), FskStandard::V23), None);
    let exotic = [0x55, 2, 1, 2, 0x02, 3, b'1', b'2', b'3', 0xE1, 0];
    let told = parse(&seal(0x80, &exotic), FskStandard::V23).unwrap();
    assert_eq!(told.number, "123");
}

proptest! {
    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for standard in [FskStandard::Bell202, FskStandard::V23] {
            let _ = parse(&bytes, standard);
            for kind in [0x04, 0x80] {
                let told = parse(&seal(kind, &bytes), standard);
                prop_assert!(told.is_none_or(|told| !told.is_empty()));
            }
        }
    }

    #[test]
    fn what_is_sent_is_read(
        number in "[0-9]{2,20}",
        name in "[A-Za-z][A-Za-z .&-]{0,20}[a-z]",
        called in proptest::option::of("[0-9]{2,20}"),
    ) {
        let caller = CallerId {
            number: NumberText::try_from(number.as_str()).unwrap(),
            name: NameText::try_from(name.as_str()).unwrap(),
            called: called.map(|called| NumberText::try_from(called.as_str()).unwrap()),
            withheld: None,
        };
        prop_assert_eq!(parse(&mdmf(DATE, &caller), FskStandard::V23), Some(caller.clone()));
        let short = CallerId { number: caller.number.clone(), ..CallerId::default() };
        prop_assert_eq!(parse(&sdmf(DATE, &caller), FskStandard::Bell202), Some(short));
    }

    #[test]
    fn any_sound_is_borne(leg in prop::collection::vec(any::<i16>(), 0..4_000)) {
        for mode in [CallerIdMode::Fsk, CallerIdMode::Dtmf] {
            prop_assert_eq!(heard(mode, SampleRate::TELEPHONE, &leg), []);
        }
    }
}
