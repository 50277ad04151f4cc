//! Gains: the tables by which the driver makes each code another one.

use super::Law;
use crate::codec::g711::{alaw_to_linear, linear_to_alaw, linear_to_mulaw, mulaw_to_linear};

/// What each code of a law becomes when its sound is made louder by so many decibels. With 0 dB
/// every code stays what it is; what would be too loud becomes the loudest code.
#[must_use]
pub fn table(law: Law, decibels: f64) -> [u8; 256] {
    let factor = 10_f64.powf(decibels / 20.0);
    let mut table = [0; 256];
    for (code, place) in (0..=u8::MAX).zip(table.iter_mut()) {
        *place = if decibels == 0.0 {
            code
        } else if law == Law::ALaw {
            linear_to_alaw(louder(alaw_to_linear(code), factor))
        } else {
            linear_to_mulaw(louder(mulaw_to_linear(code), factor))
        };
    }
    table
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "clamped to 16 bits before the conversion"
)]
fn louder(sample: i16, factor: f64) -> i16 {
    let wanted = (f64::from(sample) * factor).round();
    wanted.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_gain_changes_no_code() {
        for law in [Law::MuLaw, Law::ALaw] {
            for (code, made) in (0..=u8::MAX).zip(table(law, 0.0)) {
                assert_eq!(code, made);
            }
        }
    }

    #[test]
    fn gains_are_what_they_say_within_the_laws_steps() {
        for law in [Law::MuLaw, Law::ALaw] {
            let linear = |code: u8| {
                f64::from(match law {
                    Law::ALaw => alaw_to_linear(code),
                    _ => mulaw_to_linear(code),
                })
            };
            for decibels in [-24.0, -6.0, -0.5, 0.5, 6.0, 24.0] {
                let made = table(law, decibels);
                let factor = 10_f64.powf(decibels / 20.0);
                for code in 0..=u8::MAX {
                    let wanted = (linear(code) * factor).clamp(-32_124.0, 32_124.0);
                    let got = linear(made[usize::from(code)]);
                    // Half a step of the segment the result lies in, or of the smallest.
                    let step = (wanted.abs() / 33.0).max(8.0);
                    assert!(
                        (got - wanted).abs() <= step,
                        "{law:?} {decibels} dB: {code}"
                    );
                }
            }
        }
    }
}
