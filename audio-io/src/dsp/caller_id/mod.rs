//! Caller id: who calls, as an exchange tells it on an analogue line, by FSK (Bellcore GR-30,
//! ETSI EN 300 659) or by DTMF. Pure streaming code: no clock, no lock, no allocation after `new`.
//! When to listen, and whether a ring has to come with it, is not decided here.
//!
//! ```text
//!  FSK:  leg ─▶ decimate ─▶ loud? ─▶ mark and space ─┬▶ slicer ─▶ UART ─▶ message ─┬▶ CallerId
//!               8..16 kHz            envelopes       ├▶ slicer ─▶ UART ─▶ message ─┤  first that
//!                                                    └▶ slicer ─▶ UART ─▶ message ─┘  is right
//!  DTMF: leg ─▶ DtmfDetector ─▶ codes and digits ─▶ CallerId
//! ```

mod fsk;
mod generator;
mod keys;
mod message;
mod slicer;
#[cfg(test)]
pub(super) mod tests;

pub use generator::{DtmfForm, FskParams, alert, dtmf_codes, fsk, mdmf, sdmf, seal};
pub use message::{FskStandard, parse};

use self::fsk::FskReceiver;
use self::keys::KeyReceiver;
use crate::units::SampleRate;

/// The digits of a number, perhaps with `+`, `*` or `#`.
pub type NumberText = heapless::String<32>;

/// A name.
pub type NameText = heapless::String<128>;

/// How an exchange tells who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerIdMode {
    /// By FSK: Bell 202 and ITU-T V.23 alike.
    Fsk,
    /// By DTMF.
    Dtmf,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerId {
    /// The caller's number; empty if it was not told.
    pub number: NumberText,
    /// The caller's name; empty if it was not told.
    pub name: NameText,
    /// The number that was called first, where the exchange tells it.
    pub called: Option<NumberText>,
    /// Why there is no number.
    pub withheld: Option<Withheld>,
}

impl CallerId {
    /// Whether it tells nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a number is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// The caller does not want it told.
    Private,
    /// The network does not know it.
    Unavailable,
}

/// Listens to one leg for a caller id. Memory is taken when it is made, and none later.
#[derive(Clone, Debug)]
pub struct CallerIdReceiver {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Fsk(Box<FskReceiver>),
    Keys(Box<KeyReceiver>),
}

impl CallerIdReceiver {
    /// A receiver at the start of a leg.
    #[must_use]
    pub fn new(mode: CallerIdMode, rate: SampleRate) -> Self {
        Self {
            kind: match mode {
                CallerIdMode::Fsk => Kind::Fsk(Box::new(FskReceiver::new(rate))),
                CallerIdMode::Dtmf => Kind::Keys(Box::new(KeyReceiver::new(rate))),
            },
        }
    }

    /// Hears the leg. Tells a caller id once all of it was received and its checksum (by FSK) or
    /// its form (by DTMF) is right. Of two that end in one piece, the first is told.
    pub fn push(&mut self, leg: &[i16]) -> Option<CallerId> {
        match &mut self.kind {
            Kind::Fsk(receiver) => receiver.push(leg),
            Kind::Keys(receiver) => receiver.push(leg),
        }
    }

    /// Forgets what was heard; the leg goes on.
    pub fn reset(&mut self) {
        match &mut self.kind {
            Kind::Fsk(receiver) => receiver.reset(),
            Kind::Keys(receiver) => receiver.reset(),
        }
    }
}
