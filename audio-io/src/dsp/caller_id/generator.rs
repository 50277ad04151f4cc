//! Making caller ids: for playing them into a line, and for tests. Allocates; not for the
//! real-time path.

use std::f64::consts::TAU;

use super::fsk::{BELL_MARK_HERTZ, BITS_PER_SECOND, V23_MARK_HERTZ};
use super::message::{
    ABSENCE_OF_NUMBER, CALLED_NUMBER, CALLING_NAME, CALLING_NUMBER, DATE, FskStandard, MDMF, SDMF,
};
use super::{CallerId, Withheld};
use crate::dsp::dtmf::FULL_SCALE_DBM0;
use crate::dsp::tone::Tone;
use crate::units::{Millis, SampleRate};

/// How a message is sent by FSK.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FskParams {
    /// Which frequencies.
    pub standard: FskStandard,
    /// The level of the stronger frequency, in dBm.
    pub level_dbm: f64,
    /// How much stronger space is than mark, in dB.
    pub twist_db: f64,
    /// Bits of channel seizure: zeros and ones in turn.
    pub seizure_bits: usize,
    /// Bits of mark before the message.
    pub mark_bits: usize,
    /// Bits of mark after each character, beside its stop bit.
    pub gap_bits: usize,
    /// How much faster bits come, as a part: 0.01 is 1 % too fast.
    pub speed: f64,
    /// How far both frequencies lie off, as a part of them.
    pub offset: f64,
}

impl Default for FskParams {
    /// As Bellcore's exchanges send between the first and the second ring.
    fn default() -> Self {
        Self {
            standard: FskStandard::Bell202,
            level_dbm: -13.5,
            twist_db: 0.0,
            seizure_bits: 300,
            mark_bits: 180,
            gap_bits: 0,
            speed: 0.0,
            offset: 0.0,
        }
    }
}

/// A single data message: month, day, hour and minute as eight digits, and the number.
#[must_use]
pub fn sdmf(date: &str, caller: &CallerId) -> Vec<u8> {
    let mut body = date.as_bytes().to_vec();
    match caller.withheld {
        Some(withheld) if caller.number.is_empty() => body.push(letter(withheld)),
        _ => body.extend(caller.number.as_bytes()),
    }
    seal(SDMF, &body)
}

/// A multiple data message with all that is known of a caller.
#[must_use]
pub fn mdmf(date: &str, caller: &CallerId) -> Vec<u8> {
    let name: Vec<u8> = caller
        .name
        .chars()
        .map(|letter| u8::try_from(letter).unwrap_or(b'?'))
        .collect();
    let withheld = caller.withheld.map(letter);
    let mut body = Vec::new();
    let mut put = |kind: u8, value: &[u8]| {
        if let Ok(length) = u8::try_from(value.len())
            && length > 0
        {
            body.extend([kind, length]);
            body.extend(value);
        }
    };
    put(DATE, date.as_bytes());
    put(CALLING_NUMBER, caller.number.as_bytes());
    put(ABSENCE_OF_NUMBER, withheld.as_slice());
    put(CALLING_NAME, &name);
    put(
        CALLED_NUMBER,
        caller.called.as_deref().unwrap_or_default().as_bytes(),
    );
    seal(MDMF, &body)
}

/// A message of a type around its body, of which no more than 255 bytes fit, and its checksum.
#[must_use]
pub fn seal(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let mut message = vec![kind, length];
    message.extend(body.iter().take(usize::from(length)));
    let sum = message
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    message.push(sum.wrapping_neg());
    message
}

/// The sound of a message by FSK, its phase continuous. Ends with ten bits of mark.
#[must_use]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "seconds of samples, clamped to 16 bits"
)]
pub fn fsk(rate: SampleRate, params: &FskParams, message: &[u8]) -> Vec<i16> {
    let bits = bits_of(params, message);
    let (mark, space) = match params.standard {
        FskStandard::Bell202 => (BELL_MARK_HERTZ, 2_200.0),
        FskStandard::V23 => (V23_MARK_HERTZ, 2_100.0),
    };
    let level = |db: f64| 10_f64.powf((params.level_dbm + db.min(0.0) - FULL_SCALE_DBM0) / 20.0);
    let (mark_level, space_level) = (level(-params.twist_db), level(params.twist_db));
    let hertz = f64::from(rate.hertz());
    let bit = hertz / (BITS_PER_SECOND * (1.0 + params.speed));
    let length = (bits.len() as f64 * bit) as usize;
    let mut phase = 0.0_f64;
    (0..length)
        .map(|at| {
            let one = bits
                .get((at as f64 / bit) as usize)
                .copied()
                .unwrap_or(true);
            let (tone, amplitude) = if one {
                (mark, mark_level)
            } else {
                (space, space_level)
            };
            phase = (phase + TAU * tone * (1.0 + params.offset) / hertz) % TAU;
            (phase.sin() * amplitude * 32_767.0).round() as i16
        })
        .collect()
}

/// Seizure, mark, and characters with the lowest bit first.
fn bits_of(params: &FskParams, message: &[u8]) -> Vec<bool> {
    let mut bits: Vec<bool> = (0..params.seizure_bits).map(|bit| bit % 2 == 1).collect();
    bits.extend(std::iter::repeat_n(true, params.mark_bits));
    for byte in message {
        bits.push(false);
        bits.extend((0..8).map(|bit| byte >> bit & 1 == 1));
        bits.extend(std::iter::repeat_n(true, 1 + params.gap_bits));
    }
    bits.extend([true; 10]);
    bits
}

/// The alerting tone that comes before a message to a line in use, or before the first ring:
/// 2,130 and 2,750 Hz, each of this level.
#[must_use]
pub fn alert(rate: SampleRate, level_dbm: f64, length: Millis) -> Vec<i16> {
    let amplitude = 10_f64.powf((level_dbm - FULL_SCALE_DBM0) / 20.0);
    let mut tones = [2_130.0, 2_750.0].map(|hertz| Tone::new(rate, hertz, amplitude));
    (0..rate.frames_in(length).0)
        .map(|_| {
            let [low, high] = &mut tones;
            low.next_sample().saturating_add(high.next_sample())
        })
        .collect()
}

/// A form of caller id by DTMF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfForm {
    /// `A number D called C`, `B00C`, `B10C`.
    Etsi,
    /// `A number #`, `D1#`, `D2#`.
    Danish,
    /// `D number C`.
    DToC,
    /// `number #`.
    Plain,
}

/// The keys that tell a caller, as a [`crate::dsp::dtmf::DigitPlayer`] plays them.
#[must_use]
pub fn dtmf_codes(form: DtmfForm, caller: &CallerId) -> String {
    let number = &caller.number;
    match (form, caller.withheld) {
        (DtmfForm::Etsi, Some(Withheld::Private)) => "B10C".into(),
        (DtmfForm::Etsi, Some(Withheld::Unavailable)) => "B00C".into(),
        (DtmfForm::Etsi, None) => match &caller.called {
            Some(called) => format!("A{number}D{called}C"),
            None => format!("A{number}C"),
        },
        (DtmfForm::DToC, Some(Withheld::Unavailable)) => "D0000000000C".into(),
        (_, Some(Withheld::Private)) => "D1#".into(),
        (_, Some(Withheld::Unavailable)) => "D2#".into(),
        (DtmfForm::Danish, None) => format!("A{number}#"),
        (DtmfForm::DToC, None) => format!("D{number}C"),
        (DtmfForm::Plain, None) => format!("{number}#"),
    }
}

const fn letter(withheld: Withheld) -> u8 {
    match withheld {
        Withheld::Private => b'P',
        Withheld::Unavailable => b'O',
    }
}
