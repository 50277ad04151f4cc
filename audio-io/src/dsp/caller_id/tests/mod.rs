//! Messages made by the generator, spoilt as lines spoil them, and heard again.

mod conditions;
mod hostile;
mod keys;
mod sound;
pub(in crate::dsp) mod talk_off;

use super::{CallerId, CallerIdMode, CallerIdReceiver, FskParams, NameText, NumberText, fsk, mdmf};
use crate::units::SampleRate;

/// A caller with all that a message may hold.
fn somebody() -> CallerId {
    CallerId {
        number: NumberText::try_from("02079460123").unwrap(),
        name: NameText::try_from("J\u{f6}rg Example").unwrap(),
        ..CallerId::default()
    }
}

/// What a fresh receiver makes of a leg that comes in pieces of 20 ms.
fn heard(mode: CallerIdMode, rate: SampleRate, leg: &[i16]) -> Vec<CallerId> {
    let mut receiver = CallerIdReceiver::new(mode, rate);
    let piece = rate.hertz() as usize / 50;
    leg.chunks(piece)
        .filter_map(|piece| receiver.push(piece))
        .collect()
}

/// A message between silences, at 8 kHz.
fn message(params: &FskParams) -> Vec<i16> {
    padded(fsk(SampleRate::TELEPHONE, params, &mdmf(DATE, &somebody())))
}

fn padded(sound: Vec<i16>) -> Vec<i16> {
    let mut leg = vec![0; 2_000];
    leg.extend(sound);
    leg.extend([0; 2_000]);
    leg
}

const DATE: &str = "11301159";
