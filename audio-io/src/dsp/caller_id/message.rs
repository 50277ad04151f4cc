//! Messages: bytes into whole ones, and what is in them. SDMF and MDMF of Bellcore GR-30 (with
//! GR-31, GR-1188) and the call set-up message of ETSI EN 300 659-3.
//!
//! ```text
//!  type 0x04  length  month day hour minute, number                    checksum
//!  type 0x80  length  { parameter type, its length, its bytes } …      checksum
//!             └ of what follows, without the checksum                  all bytes sum up to 0
//! ```

use super::slicer::Character;
use super::{CallerId, NameText, NumberText, Withheld};

/// Which modem the message came by. The same parameter means different things in the two worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FskStandard {
    /// 1,200 and 2,200 Hz: North America and whoever follows Bellcore.
    Bell202,
    /// ITU-T V.23, 1,300 and 2,100 Hz: whoever follows ETSI.
    V23,
}

/// Puts characters together to messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Assembler {
    bytes: heapless::Vec<u8, MESSAGE_MAX>,
    unframed: u32,
}

impl Assembler {
    pub(super) fn reset(&mut self) {
        self.bytes.clear();
        self.unframed = 0;
    }

    /// Hears a character; a message when it is whole. Whether its checksum is right, [`parse`]
    /// says.
    pub(super) fn push(&mut self, character: Character) -> Option<&[u8]> {
        let Character {
            byte,
            framed,
            mark_bits,
        } = character;
        if self.is_whole() || mark_bits > MARK_INSIDE_MAX {
            self.reset();
        }
        self.unframed += u32::from(!framed);
        if self.unframed > UNFRAMED_MAX {
            self.reset();
            return None;
        }
        if self.bytes.is_empty() {
            let starts = framed && mark_bits >= MARK_BEFORE_MIN;
            if !starts || !matches!(byte, SDMF | MDMF) {
                self.unframed = 0;
                return None;
            }
        }
        let _ = self.bytes.push(byte);
        self.is_whole().then_some(self.bytes.as_slice())
    }

    fn is_whole(&self) -> bool {
        matches!(self.bytes.as_slice(), [_, length, rest @ ..] if rest.len() > usize::from(*length))
    }
}

/// What a message says, from its type to its checksum; `None` if it is no message of a call, its
/// checksum or form is wrong, or it says nothing of who calls.
#[must_use]
pub fn parse(message: &[u8], standard: FskStandard) -> Option<CallerId> {
    let sum = message
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let (kind, length, rest) = match message {
        [kind, length, rest @ ..] => (*kind, usize::from(*length), rest),
        _ => return None,
    };
    if sum != 0 || rest.len() != length + 1 {
        return None;
    }
    let body = &rest[..length];
    let caller = match kind {
        SDMF => single(body)?,
        MDMF => multiple(body, standard)?,
        _ => return None,
    };
    (!caller.is_empty()).then_some(caller)
}

fn single(body: &[u8]) -> Option<CallerId> {
    let (date, number) = body.split_at_checked(DATE_DIGITS)?;
    let mut caller = CallerId::default();
    check_date(date)?;
    take_number(&mut caller, number)?;
    Some(caller)
}

fn multiple(body: &[u8], standard: FskStandard) -> Option<CallerId> {
    let mut caller = CallerId::default();
    let (mut first_called, mut dialable) = (None, None);
    let mut rest = body;
    while let [kind, length, more @ ..] = rest {
        let (value, after) = more.split_at_checked(usize::from(*length))?;
        rest = after;
        match *kind {
            DATE => check_date(value)?,
            CALLING_NUMBER => take_number(&mut caller, value)?,
            ABSENCE_OF_NUMBER => caller.withheld = Some(reason(value)?),
            CALLING_NAME => take_name(&mut caller, value),
            ABSENCE_OF_NAME => {
                let _ = reason(value)?;
            }
            // Bellcore: the caller's number in the form in which it can be dialled.
            CALLED_NUMBER if standard == FskStandard::Bell202 => dialable = Some(digits(value)?),
            CALLED_NUMBER => caller.called = Some(digits(value)?),
            FIRST_CALLED_NUMBER => first_called = digits(value),
            _ => {}
        }
    }
    if !rest.is_empty() {
        return None;
    }
    caller.called = caller.called.or(first_called);
    if let Some(dialable) = dialable
        && caller.number.is_empty()
    {
        caller.number = dialable;
    }
    if !caller.number.is_empty() {
        caller.withheld = None;
    }
    Some(caller)
}

/// A number, or the reason for its absence in its place.
fn take_number(caller: &mut CallerId, value: &[u8]) -> Option<()> {
    match value {
        [] => {}
        [letter] if letter.is_ascii_alphabetic() => caller.withheld = Some(reason(value)?),
        _ => caller.number = digits(value)?,
    }
    Some(())
}

fn reason(value: &[u8]) -> Option<Withheld> {
    match value {
        [b'P'] => Some(Withheld::Private),
        // "Out of area", and others that only some networks have: coin, international, service.
        [letter] if letter.is_ascii_uppercase() => Some(Withheld::Unavailable),
        _ => None,
    }
}

/// What can be dialled; what is there to be read only is left out.
fn digits(value: &[u8]) -> Option<NumberText> {
    let mut text = NumberText::new();
    for byte in value {
        match byte {
            b'0'..=b'9' | b'*' | b'#' | b'+' => text.push(char::from(*byte)).ok()?,
            b' ' | b'-' | b'(' | b')' | b'.' | b'/' => {}
            _ => return None,
        }
    }
    Some(text)
}

/// A name in ISO 8859-1, of which ASCII is a part. What cannot be printed is left out, and so is
/// what does not fit.
fn take_name(caller: &mut CallerId, value: &[u8]) {
    let mut text = NameText::new();
    for byte in value.trim_ascii() {
        let letter = char::from(*byte);
        if !letter.is_control() && text.push(letter).is_err() {
            break;
        }
    }
    // Some exchanges put the reason for its absence in the name's place.
    if text != "P" && text != "O" {
        caller.name = text;
    }
}

/// Month, day, hour and minute. Exchanges whose clock is not set send zeros.
fn check_date(value: &[u8]) -> Option<()> {
    let right = value.len() == DATE_DIGITS && value.iter().all(u8::is_ascii_digit);
    right.then_some(())
}

pub(super) const SDMF: u8 = 0x04;
pub(super) const MDMF: u8 = 0x80;

pub(super) const DATE: u8 = 0x01;
pub(super) const CALLING_NUMBER: u8 = 0x02;
/// ETSI: the called line's identity.
pub(super) const CALLED_NUMBER: u8 = 0x03;
pub(super) const ABSENCE_OF_NUMBER: u8 = 0x04;
pub(super) const CALLING_NAME: u8 = 0x07;
const ABSENCE_OF_NAME: u8 = 0x08;
/// ETSI: the number called before the call was diverted.
const FIRST_CALLED_NUMBER: u8 = 0x12;

const DATE_DIGITS: usize = 8;

/// A type, a length, 255 bytes and a checksum.
const MESSAGE_MAX: usize = 258;

/// Bits of mark before a message. Exchanges send 55 to 180.
const MARK_BEFORE_MIN: f32 = 8.0;

/// Bits of mark between two characters of a message. Exchanges send up to ten.
const MARK_INSIDE_MAX: f32 = 20.0;

/// Characters of a message whose stop bit may be spoilt.
const UNFRAMED_MAX: u32 = 2;
