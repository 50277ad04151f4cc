//! How channels signal, and the two laws.

use std::ffi::c_int;
use std::fmt;

use super::abi;
use crate::channel::HookKind;
use crate::format::Encoding;

/// The law of a wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Law {
    /// The span's own.
    #[default]
    Auto,
    /// µ-law.
    MuLaw,
    /// A-law.
    ALaw,
}

impl Law {
    pub(super) const fn number(self) -> c_int {
        match self {
            Self::Auto => abi::LAW_DEFAULT,
            Self::MuLaw => abi::LAW_MULAW,
            Self::ALaw => abi::LAW_ALAW,
        }
    }

    /// The encoding of the wire, where the law is known.
    #[must_use]
    pub const fn encoding(self) -> Option<Encoding> {
        match self {
            Self::Auto => None,
            Self::MuLaw => Some(Encoding::MuLaw),
            Self::ALaw => Some(Encoding::ALaw),
        }
    }

    /// The law that an encoding is of.
    #[must_use]
    pub const fn of(encoding: Encoding) -> Option<Self> {
        match encoding {
            Encoding::S16Le => None,
            Encoding::MuLaw => Some(Self::MuLaw),
            Encoding::ALaw => Some(Self::ALaw),
        }
    }
}

/// How a channel signals, as the driver has it configured (`abi::SIG_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// Not configured.
    None,
    /// It signals, or is clear: there is sound on it.
    Voice(HookKind, c_int),
    /// It carries something else.
    Data(c_int),
}

impl SignalKind {
    /// What a number of the driver means.
    #[must_use]
    pub const fn of(number: c_int) -> Self {
        match number {
            abi::SIG_NONE => Self::None,
            abi::SIG_FXSLS | abi::SIG_FXSGS | abi::SIG_FXSKS => Self::Voice(HookKind::Fxo, number),
            abi::SIG_FXOLS | abi::SIG_FXOGS | abi::SIG_FXOKS => Self::Voice(HookKind::Fxs, number),
            abi::SIG_EM | abi::SIG_EM_E1 | abi::SIG_SF => Self::Voice(HookKind::Em, number),
            abi::SIG_CAS => Self::Voice(HookKind::Cas, number),
            abi::SIG_CLEAR => Self::Voice(HookKind::Clear, number),
            _ => Self::Data(number),
        }
    }

    /// What kind of hook it has, if there is sound on it.
    #[must_use]
    pub const fn hook(self) -> Option<HookKind> {
        match self {
            Self::Voice(kind, _) => Some(kind),
            Self::None | Self::Data(_) => None,
        }
    }
}

impl fmt::Display for SignalKind {
    /// As `/etc/dahdi/system.conf` names it, where it does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self {
            Self::None => return f.write_str("not configured"),
            Self::Voice(_, number) | Self::Data(number) => *number,
        };
        f.write_str(match number {
            abi::SIG_FXSLS => "fxsls",
            abi::SIG_FXSGS => "fxsgs",
            abi::SIG_FXSKS => "fxsks",
            abi::SIG_FXOLS => "fxols",
            abi::SIG_FXOGS => "fxogs",
            abi::SIG_FXOKS => "fxoks",
            abi::SIG_EM | abi::SIG_EM_E1 => "e&m",
            abi::SIG_SF => "sf",
            abi::SIG_CAS => "cas",
            abi::SIG_CLEAR => "clear (bchan)",
            abi::SIG_SLAVE => "slave of another channel",
            abi::SIG_DACS => "dacs",
            abi::SIG_HDLCRAW | abi::SIG_HDLCFCS | abi::SIG_HDLCNET => "HDLC",
            abi::SIG_HARDHDLC => "HDLC in hardware",
            abi::SIG_MTP2 => "MTP2",
            other => return write!(f, "signalling {other:#x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_the_other_side_of_their_signalling() {
        let kind = |number| SignalKind::of(number).hook();
        assert_eq!(kind(abi::SIG_FXSKS), Some(HookKind::Fxo));
        assert_eq!(kind(abi::SIG_FXOKS), Some(HookKind::Fxs));
        assert_eq!(kind(abi::SIG_CLEAR), Some(HookKind::Clear));
        assert_eq!(kind(abi::SIG_HDLCFCS), None);
        assert_eq!(kind(abi::SIG_NONE), None);
    }

    #[test]
    fn signalling_is_said_as_the_configuration_says_it() {
        assert_eq!(SignalKind::of(abi::SIG_FXSKS).to_string(), "fxsks");
        assert_eq!(SignalKind::of(abi::SIG_NONE).to_string(), "not configured");
        assert_eq!(SignalKind::of(1 << 29).to_string(), "signalling 0x20000000");
    }
}
