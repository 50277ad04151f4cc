//! Caller id by DTMF (ETSI EN 300 659-3, annex on DTMF; what exchanges send, country by country).
//!
//! ```text
//!  A number [D redirected from] [B information] C   Sweden, Finland, Brazil, Iceland, China …
//!  A number #,  D reason #                          Denmark
//!  D number C                                       the Netherlands, India, Taiwan, Kuwait
//!  number #,  number C                              the Netherlands, Denmark before
//! ```

use super::{CallerId, NumberText, Withheld};
use crate::dsp::dtmf::{DetectorParams, DtmfDetector, DtmfEvent};
use crate::units::{Frames, Millis, SampleRate};

/// Collects keys.
#[derive(Clone, Debug)]
pub(super) struct KeyReceiver {
    rate: SampleRate,
    detector: DtmfDetector,
    collector: Collector,
}

impl KeyReceiver {
    pub(super) fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            detector: DtmfDetector::new(rate, DetectorParams::default()),
            collector: Collector::default(),
        }
    }

    pub(super) fn reset(&mut self) {
        self.collector.reset();
    }

    pub(super) fn push(&mut self, leg: &[i16]) -> Option<CallerId> {
        let mut told = None;
        let (collector, rate) = (&mut self.collector, self.rate);
        self.detector.push(leg, |event| match event {
            DtmfEvent::Began { digit, start } => {
                let found = collector.push(digit.as_char(), start, rate);
                told = told.take().or(found);
            }
            DtmfEvent::Ended(heard) => collector.last_end = heard.end,
        });
        told
    }
}

/// The keys since the first of a caller id.
#[derive(Clone, Debug, Default)]
struct Collector {
    keys: heapless::String<KEYS_MAX>,
    last_end: Frames,
}

impl Collector {
    fn reset(&mut self) {
        self.keys.clear();
    }

    fn push(&mut self, key: char, start: Frames, rate: SampleRate) -> Option<CallerId> {
        let pause = rate.duration_of(start.saturating_sub(self.last_end));
        if pause > PAUSE_MAX || key == 'A' {
            self.reset();
        }
        if key != 'C' && key != '#' {
            if self.keys.push(key).is_err() {
                self.reset();
            }
            return None;
        }
        let told = read(&self.keys, key);
        self.reset();
        told
    }
}

/// What keys say that an end code follows.
fn read(keys: &str, end: char) -> Option<CallerId> {
    let mut caller = CallerId::default();
    let first = keys.chars().next()?;
    if first.is_ascii_digit() {
        // A single digit or two is what somebody pressed.
        caller.number = (keys.len() >= PLAIN_MIN).then(|| number(keys))??;
        return Some(caller);
    }
    let mut rest = keys;
    while let Some(code) = rest.chars().next() {
        let fields = &rest[code.len_utf8()..];
        let length = fields
            .find(|key: char| !key.is_ascii_digit())
            .unwrap_or(fields.len());
        let (field, after) = fields.split_at(length);
        rest = after;
        match code {
            'A' => caller.number = number(field)?,
            'D' if first == 'A' => caller.called = Some(number(field)?),
            'D' => match field {
                "1" => caller.withheld = Some(Withheld::Private),
                "2" | "3" => caller.withheld = Some(Withheld::Unavailable),
                zeros if zeros.len() >= ZEROS && zeros.bytes().all(|key| key == b'0') => {
                    caller.withheld = Some(Withheld::Unavailable);
                }
                field if end == 'C' || field.len() >= PLAIN_MIN => caller.number = number(field)?,
                _ => return None,
            },
            'B' => match field {
                "00" => caller.withheld = Some(Withheld::Unavailable),
                "10" => caller.withheld = Some(Withheld::Private),
                _ => {}
            },
            _ => return None,
        }
    }
    caller.called = caller.called.filter(|called| !called.is_empty());
    if !caller.number.is_empty() {
        caller.withheld = None;
    }
    (!caller.is_empty()).then_some(caller)
}

fn number(digits: &str) -> Option<NumberText> {
    let right = digits.len() <= NUMBER_MAX && digits.bytes().all(|key| key.is_ascii_digit());
    right.then(|| NumberText::try_from(digits).ok())?
}

/// Keys of a caller id: two numbers, the information, and their codes.
const KEYS_MAX: usize = 64;

/// Digits of a number (ITU-T E.164 has 15, and prefixes may precede them).
const NUMBER_MAX: usize = 24;

/// Digits of a number that no code announces.
const PLAIN_MIN: usize = 3;

/// The Netherlands: so many zeros are no number.
const ZEROS: usize = 10;

/// The longest pause between two keys. Exchanges pause for 50 to 100 ms.
const PAUSE_MAX: Millis = Millis(1_000);

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: &str, called: Option<&str>, withheld: Option<Withheld>) -> CallerId {
        CallerId {
            number: NumberText::try_from(number).unwrap(),
            called: called.map(|called| NumberText::try_from(called).unwrap()),
            withheld,
            ..CallerId::default()
        }
    }

    #[test]
    fn every_national_form_is_read() {
        let (private, unavailable) = (Some(Withheld::Private), Some(Withheld::Unavailable));
        for (keys, end, told) in [
            ("A0701234567", 'C', caller("0701234567", None, None)),
            ("A33112233", '#', caller("33112233", None, None)),
            (
                "A0701234567D08123456",
                'C',
                caller("0701234567", Some("08123456"), None),
            ),
            ("A0701234567B11", 'C', caller("0701234567", None, None)),
            ("B00", 'C', caller("", None, unavailable)),
            ("B10", 'C', caller("", None, private)),
            ("AB10", 'C', caller("", None, private)),
            ("D1", '#', caller("", None, private)),
            ("D2", '#', caller("", None, unavailable)),
            ("D3", '#', caller("", None, unavailable)),
            ("D0201234567", 'C', caller("0201234567", None, None)),
            ("D0000000000", 'C', caller("", None, unavailable)),
            ("33112233", '#', caller("33112233", None, None)),
            ("33112233", 'C', caller("33112233", None, None)),
        ] {
            assert_eq!(read(keys, end), Some(told), "{keys}{end}");
        }
    }

    #[test]
    fn what_is_no_caller_id_is_not_told() {
        for (keys, end) in [
            ("", 'C'),
            ("", '#'),
            ("A", 'C'),
            ("12", '#'),
            ("*21*123456", '#'),
            ("A12*34", 'C'),
            ("B77", 'C'),
            ("D4", '#'),
            ("A1234567890123456789012345", 'C'),
            ("1234A", '#'),
        ] {
            assert_eq!(read(keys, end), None, "{keys}{end}");
        }
    }
}
