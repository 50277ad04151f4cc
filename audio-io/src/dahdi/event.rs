//! The driver's events in this crate's words.

use std::ffi::c_int;

use super::abi;
use crate::channel::{ChannelEvent, HookKind};

/// What an event comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// No event waits.
    Nothing,
    /// Of no interest; there may be more.
    Skip,
    /// To be told.
    Tell(ChannelEvent),
    /// An alarm: which one must be asked.
    Alarm,
    /// CAS bits changed: to what must be asked.
    Bits,
    /// The channel is gone.
    Removed,
}

/// What an event of a channel with such a hook means.
pub(super) fn meaning(event: c_int, kind: HookKind) -> Meaning {
    let digit = u8::try_from(event & 0xFF).map_or('?', char::from);
    let told = match event {
        abi::EVENT_NONE => return Meaning::Nothing,
        abi::EVENT_ALARM => return Meaning::Alarm,
        abi::EVENT_BITSCHANGED => return Meaning::Bits,
        abi::EVENT_REMOVED => return Meaning::Removed,
        abi::EVENT_ONHOOK => ChannelEvent::OnHook,
        abi::EVENT_RINGOFFHOOK if kind == HookKind::Fxo => ChannelEvent::Ring,
        abi::EVENT_RINGOFFHOOK => ChannelEvent::OffHook,
        abi::EVENT_WINKFLASH => ChannelEvent::WinkFlash,
        abi::EVENT_NOALARM => ChannelEvent::AlarmOver,
        abi::EVENT_DIALCOMPLETE => ChannelEvent::DialComplete,
        abi::EVENT_RINGERON => ChannelEvent::RingerOn,
        abi::EVENT_RINGEROFF => ChannelEvent::RingerOff,
        abi::EVENT_HOOKCOMPLETE => ChannelEvent::HookComplete,
        abi::EVENT_POLARITY => ChannelEvent::Polarity,
        abi::EVENT_RINGBEGIN => ChannelEvent::RingBegin,
        abi::EVENT_READ_OVERRUN => ChannelEvent::ReadOverrun,
        abi::EVENT_WRITE_UNDERRUN => ChannelEvent::WriteUnderrun,
        // A digit is told when its key goes up; a pulse's, when it is complete.
        abi::EVENT_PULSE_START => return Meaning::Skip,
        held if held & abi::EVENT_DTMFDOWN != 0 => return Meaning::Skip,
        key if key & (abi::EVENT_DTMFUP | abi::EVENT_PULSEDIGIT) != 0 => ChannelEvent::Digit(digit),
        other => ChannelEvent::Other(other.cast_unsigned()),
    };
    Meaning::Tell(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_the_driver_has_its_word() {
        let told = |event| match meaning(event, HookKind::Fxs) {
            Meaning::Tell(told) => told,
            other => panic!("{event}: {other:?}"),
        };
        let known = [
            (abi::EVENT_ONHOOK, ChannelEvent::OnHook),
            (abi::EVENT_RINGOFFHOOK, ChannelEvent::OffHook),
            (abi::EVENT_WINKFLASH, ChannelEvent::WinkFlash),
            (abi::EVENT_NOALARM, ChannelEvent::AlarmOver),
            (abi::EVENT_DIALCOMPLETE, ChannelEvent::DialComplete),
            (abi::EVENT_RINGERON, ChannelEvent::RingerOn),
            (abi::EVENT_RINGEROFF, ChannelEvent::RingerOff),
            (abi::EVENT_HOOKCOMPLETE, ChannelEvent::HookComplete),
            (abi::EVENT_POLARITY, ChannelEvent::Polarity),
            (abi::EVENT_RINGBEGIN, ChannelEvent::RingBegin),
            (abi::EVENT_READ_OVERRUN, ChannelEvent::ReadOverrun),
            (abi::EVENT_WRITE_UNDERRUN, ChannelEvent::WriteUnderrun),
            (abi::EVENT_EC_DISABLED, ChannelEvent::Other(19)),
            (abi::EVENT_DTMFUP | 0x35, ChannelEvent::Digit('5')),
            (abi::EVENT_PULSEDIGIT | 0x30, ChannelEvent::Digit('0')),
        ];
        for (event, word) in known {
            assert_eq!(told(event), word);
        }
        assert_eq!(meaning(0, HookKind::Fxs), Meaning::Nothing);
        assert_eq!(meaning(abi::EVENT_ALARM, HookKind::Em), Meaning::Alarm);
        assert_eq!(meaning(abi::EVENT_REMOVED, HookKind::Em), Meaning::Removed);
        assert_eq!(
            meaning(abi::EVENT_BITSCHANGED, HookKind::Cas),
            Meaning::Bits
        );
        let held = abi::EVENT_DTMFDOWN | 0x31;
        assert_eq!(meaning(held, HookKind::Fxo), Meaning::Skip);
    }

    #[test]
    fn ring_and_off_hook_are_one_event_of_two_kinds_of_port() {
        let ring = meaning(abi::EVENT_RINGOFFHOOK, HookKind::Fxo);
        assert_eq!(ring, Meaning::Tell(ChannelEvent::Ring));
        for kind in [HookKind::Fxs, HookKind::Em, HookKind::Cas, HookKind::Clear] {
            let off = meaning(abi::EVENT_RINGOFFHOOK, kind);
            assert_eq!(off, Meaning::Tell(ChannelEvent::OffHook));
        }
    }
}
