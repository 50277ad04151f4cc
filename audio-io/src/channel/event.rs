//! What a channel signals, and what it can be ordered to do. All of it is plain values, so that
//! the real-time thread neither allocates nor frees.

use crate::units::Frames;

/// The digits of a number that is dialled.
pub type DialString = heapless::String<64>;

/// A signal of a channel, and where in its stream it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelNotice {
    /// The place of the captured stream that was reached when the signal was taken.
    pub at: Frames,
    /// What it was.
    pub event: ChannelEvent,
}

/// What a channel signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// The channel is open. Says how it stands, since signals before this are unknown.
    Opened {
        /// How it signals.
        kind: HookKind,
        /// Whether the far end is off hook.
        off_hook: bool,
        /// Alarms of the channel or its span, as `DAHDI_ALARM_*` bits; 0 for none.
        alarms: u32,
    },
    /// The channel is gone (unplugged, unloaded, or its span reset). It is opened again by itself.
    Gone {
        /// Why.
        errno: i32,
    },
    /// A ring has begun (where the driver tells it).
    RingBegin,
    /// A ring is over (`DAHDI_EVENT_RINGOFFHOOK` of an FXO port).
    Ring,
    /// The far end went off hook (the same event of other ports).
    OffHook,
    /// The far end went on hook, or the exchange disconnected.
    OnHook,
    /// Our ringer went on.
    RingerOn,
    /// Our ringer went off.
    RingerOff,
    /// A wink, or a flash.
    WinkFlash,
    /// The battery was reversed.
    Polarity,
    /// An alarm was raised, as `DAHDI_ALARM_*` bits.
    Alarm {
        /// The bits.
        alarms: u32,
    },
    /// No alarm any more.
    AlarmOver,
    /// A digit that the driver or the far end tells, beside what the sound holds.
    Digit(char),
    /// The number has been dialled.
    DialComplete,
    /// A change of our hook is complete.
    HookComplete,
    /// Bits of a CAS channel changed.
    Bits(u8),
    /// The driver lost sound because it was not read in time.
    ReadOverrun,
    /// The driver had nothing to send.
    WriteUnderrun,
    /// Somebody connected (AudioSocket).
    Connected {
        /// The call's name, as the peer gave it.
        uuid: [u8; 16],
    },
    /// The peer ended the connection (AudioSocket).
    Disconnected {
        /// Whether it was the protocol's hang-up; otherwise the connection broke or was wrong.
        orderly: bool,
    },
    /// An order could not be carried out.
    Refused {
        /// Which.
        order: RefusedOrder,
        /// Why.
        errno: i32,
    },
    /// Something that this crate has no word for, as the driver numbers it.
    Other(u32),
}

/// An order without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedOrder {
    /// [`ChannelOrder::OffHook`]
    OffHook,
    /// [`ChannelOrder::OnHook`]
    OnHook,
    /// [`ChannelOrder::Ring`]
    Ring,
    /// [`ChannelOrder::Dial`]
    Dial,
    /// Any other.
    Other,
}

/// How a channel signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// An FXO port (kernel: FXS signalling): it is rung, and goes off hook to answer.
    Fxo,
    /// An FXS port (kernel: FXO signalling): a telephone hangs on it.
    Fxs,
    /// Ear & mouth: either side seizes by going off hook.
    Em,
    /// CAS bits that this crate does not interpret.
    Cas,
    /// None: a clear channel. There is only sound.
    Clear,
    /// A connection (AudioSocket).
    Socket,
}

/// What a channel is ordered to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Go off hook: seize or answer. Nothing to do on an AudioSocket.
    OffHook,
    /// Go on hook: hang up. On an AudioSocket: tell the peer and close.
    OnHook,
    /// A flash (`DAHDI_FLASH`).
    Flash,
    /// A wink (`DAHDI_WINK`).
    Wink,
    /// Ring a telephone (FXS).
    Ring,
    /// Stop ringing.
    RingOff,
    /// Dial a number with DTMF (`T…`) or pulses (`P…`).
    Dial(DialString),
    /// Stop dialling.
    StopDial,
    /// Cancel echo, or do not.
    EchoCancel(bool),
    /// Play a tone of the tone zone (`DAHDI_TONE_*`), or stop with -1.
    Tone(i32),
}

impl ChannelOrder {
    /// The order without what it holds.
    #[must_use]
    pub const fn refused(&self) -> RefusedOrder {
        match self {
            Self::OffHook => RefusedOrder::OffHook,
            Self::OnHook => RefusedOrder::OnHook,
            Self::Ring => RefusedOrder::Ring,
            Self::Dial(_) => RefusedOrder::Dial,
            Self::Flash
            | Self::Wink
            | Self::RingOff
            | Self::StopDial
            | Self::EchoCancel(_)
            | Self::Tone(_) => RefusedOrder::Other,
        }
    }
}
