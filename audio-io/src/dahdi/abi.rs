//! The kernel's interface to DAHDI: numbers, names and layouts of `dahdi/user.h` (and of
//! `dahdi/wctdm_user.h`). A test of the suite compares all of them with Debian's headers.

use std::ffi::c_int;

use nix::sys::ioctl::ioctl_num_type;
use nix::{request_code_read, request_code_readwrite, request_code_write};

/// What all requests have in common.
pub const CODE: u8 = 0xDA;

/// The error number of a read or write that an event stands in the way of.
pub const ELAST: c_int = 500;

/// Events the driver keeps for one channel; more are lost.
pub const MAX_EVENTSIZE: usize = 64;
/// Spans there may be.
pub const MAX_SPANS: c_int = 128;
/// Channels there may be, pseudo channels included.
pub const MAX_CHANNELS: c_int = 1024;
/// Buffers one channel may have.
pub const MAX_NUM_BUFS: c_int = 32;
/// Samples all buffers of a channel may hold.
pub const MAX_BUF_SPACE: c_int = 32_768;
/// Samples one buffer may hold.
pub const MAX_BLOCKSIZE: c_int = 8_192;
/// Characters of a number that is dialled, with the zero at the end.
pub const MAX_DTMF_BUF: usize = 256;

/// [`struct@BufferInfo`]: sound is sent as soon as there is some.
pub const POLICY_IMMEDIATE: c_int = 0;

/// Signalling: not configured.
pub const SIG_NONE: c_int = 0;
/// What all signalling of FXO ports has in common ("FXS signalling").
pub const SIG_FXS: c_int = 1 << 13;
/// What all signalling of FXS ports has in common ("FXO signalling").
pub const SIG_FXO: c_int = 1 << 12;
/// FXS loop start.
pub const SIG_FXSLS: c_int = (1 << 0) | SIG_FXS;
/// FXS ground start.
pub const SIG_FXSGS: c_int = (1 << 1) | SIG_FXS;
/// FXS kewl start.
pub const SIG_FXSKS: c_int = (1 << 2) | SIG_FXS;
/// FXO loop start.
pub const SIG_FXOLS: c_int = (1 << 3) | SIG_FXO;
/// FXO ground start.
pub const SIG_FXOGS: c_int = (1 << 4) | SIG_FXO;
/// FXO kewl start.
pub const SIG_FXOKS: c_int = (1 << 5) | SIG_FXO;
/// Ear & mouth.
pub const SIG_EM: c_int = 1 << 6;
/// A clear channel: no signalling on it.
pub const SIG_CLEAR: c_int = 1 << 7;
/// HDLC as it comes.
pub const SIG_HDLCRAW: c_int = (1 << 8) | SIG_CLEAR;
/// HDLC with a checksum.
pub const SIG_HDLCFCS: c_int = (1 << 9) | SIG_HDLCRAW;
/// HDLC as a network.
pub const SIG_HDLCNET: c_int = (1 << 10) | SIG_HDLCFCS;
/// Part of another channel.
pub const SIG_SLAVE: c_int = 1 << 11;
/// A single frequency instead of bits.
pub const SIG_SF: c_int = 1 << 14;
/// Bits that the application interprets.
pub const SIG_CAS: c_int = 1 << 15;
/// Connected through to another channel.
pub const SIG_DACS: c_int = (1 << 16) | SIG_CLEAR;
/// Ear & mouth on E1.
pub const SIG_EM_E1: c_int = 1 << 17;
/// HDLC in the card's hardware.
pub const SIG_HARDHDLC: c_int = (1 << 19) | SIG_CLEAR;
/// SS7's link layer.
pub const SIG_MTP2: c_int = (1 << 20) | SIG_HDLCFCS;

/// The span's own law.
pub const LAW_DEFAULT: c_int = 0;
/// µ-law.
pub const LAW_MULAW: c_int = 1;
/// A-law.
pub const LAW_ALAW: c_int = 2;

/// [`DialOperation`]: after what is being dialled.
pub const DIAL_OP_APPEND: c_int = 1;
/// [`DialOperation`]: instead of it.
pub const DIAL_OP_REPLACE: c_int = 2;
/// [`DialOperation`]: nothing any more.
pub const DIAL_OP_CANCEL: c_int = 3;

/// [`HOOK`]: on hook.
pub const ONHOOK: c_int = 0;
/// [`HOOK`]: off hook.
pub const OFFHOOK: c_int = 1;
/// [`HOOK`]: off hook for a moment.
pub const WINK: c_int = 2;
/// [`HOOK`]: on hook for a moment.
pub const FLASH: c_int = 3;
/// [`HOOK`]: start.
pub const START: c_int = 4;
/// [`HOOK`]: ring.
pub const RING: c_int = 5;
/// [`HOOK`]: stop ringing.
pub const RINGOFF: c_int = 6;

/// [`FLUSH`]: what was received.
pub const FLUSH_READ: c_int = 1;
/// [`FLUSH`]: what is to be sent.
pub const FLUSH_WRITE: c_int = 2;
/// [`FLUSH`]: events.
pub const FLUSH_EVENT: c_int = 4;
/// [`FLUSH`]: all of it.
pub const FLUSH_ALL: c_int = FLUSH_READ | FLUSH_WRITE | FLUSH_EVENT;

/// [`ConfInfo`]: in no conference.
pub const CONF_NORMAL: c_int = 0;
/// [`ConfInfo`]: hears what another channel receives.
pub const CONF_MONITOR: c_int = 1;
/// [`ConfInfo`]: hears what another channel sends.
pub const CONF_MONITORTX: c_int = 2;

/// Recovering from an alarm.
pub const ALARM_RECOVER: u32 = 1 << 0;
/// In loopback.
pub const ALARM_LOOPBACK: u32 = 1 << 1;
/// The other end has an alarm.
pub const ALARM_YELLOW: u32 = 1 << 2;
/// No signal, or no frames.
pub const ALARM_RED: u32 = 1 << 3;
/// The other end sends nothing but ones.
pub const ALARM_BLUE: u32 = 1 << 4;
/// The span is not started.
pub const ALARM_NOTOPEN: u32 = 1 << 5;
/// Why it is red: no signal.
pub const ALARM_LOS: u32 = 1 << 8;
/// Why it is red: no frames.
pub const ALARM_LFA: u32 = 1 << 9;
/// Why it is red: no multiframes.
pub const ALARM_LMFA: u32 = 1 << 10;

/// No event waits.
pub const EVENT_NONE: c_int = 0;
/// Went on hook.
pub const EVENT_ONHOOK: c_int = 1;
/// Went off hook, or a ring is over.
pub const EVENT_RINGOFFHOOK: c_int = 2;
/// A wink or a flash.
pub const EVENT_WINKFLASH: c_int = 3;
/// An alarm.
pub const EVENT_ALARM: c_int = 4;
/// No alarm any more.
pub const EVENT_NOALARM: c_int = 5;
/// The number is dialled.
pub const EVENT_DIALCOMPLETE: c_int = 9;
/// The ringer went on.
pub const EVENT_RINGERON: c_int = 10;
/// The ringer went off.
pub const EVENT_RINGEROFF: c_int = 11;
/// The hook has changed.
pub const EVENT_HOOKCOMPLETE: c_int = 12;
/// CAS bits changed.
pub const EVENT_BITSCHANGED: c_int = 13;
/// A pulse begins.
pub const EVENT_PULSE_START: c_int = 14;
/// The battery was reversed.
pub const EVENT_POLARITY: c_int = 17;
/// A ring begins.
pub const EVENT_RINGBEGIN: c_int = 18;
/// The echo canceller was disabled.
pub const EVENT_EC_DISABLED: c_int = 19;
/// The channel is gone.
pub const EVENT_REMOVED: c_int = 20;
/// Sound was lost: it was not read in time.
pub const EVENT_READ_OVERRUN: c_int = 29;
/// There was nothing to send.
pub const EVENT_WRITE_UNDERRUN: c_int = 30;
/// With the digit that was dialled by pulses.
pub const EVENT_PULSEDIGIT: c_int = 1 << 16;
/// With the digit whose key went down.
pub const EVENT_DTMFDOWN: c_int = 1 << 17;
/// With the digit whose key went up.
pub const EVENT_DTMFUP: c_int = 1 << 18;

/// [`SENDTONE`]: no tone.
pub const TONE_STOP: c_int = -1;
/// [`SENDTONE`]: dial tone.
pub const TONE_DIALTONE: c_int = 0;
/// [`SENDTONE`]: busy.
pub const TONE_BUSY: c_int = 1;
/// [`SENDTONE`]: ringing.
pub const TONE_RINGTONE: c_int = 2;
/// [`SENDTONE`]: congestion.
pub const TONE_CONGESTION: c_int = 3;

/// What [`Params::rxhooksig`] says: on hook.
pub const RXSIG_ONHOOK: c_int = 0;
/// The same: off hook.
pub const RXSIG_OFFHOOK: c_int = 1;
/// The same: it is being rung or started.
pub const RXSIG_START: c_int = 2;
/// The same: it is being rung.
pub const RXSIG_RING: c_int = 3;
/// What [`Params::txhooksig`] says: on hook.
pub const TXSIG_ONHOOK: c_int = 0;
/// The same: off hook.
pub const TXSIG_OFFHOOK: c_int = 1;
/// The same: ringing, or starting.
pub const TXSIG_START: c_int = 2;

/// `struct dahdi_params`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Params {
    /// The channel's number.
    pub channo: c_int,
    /// Its span's.
    pub spanno: c_int,
    /// Its number in the span.
    pub chanpos: c_int,
    /// `SIG_*`
    pub sigtype: c_int,
    /// What else it could be.
    pub sigcap: c_int,
    /// Whether what comes is not idle.
    pub rxisoffhook: c_int,
    /// CAS bits that come; -1 where there are none.
    pub rxbits: c_int,
    /// CAS bits that go.
    pub txbits: c_int,
    /// `TXSIG_*`; -1 where the driver does not say.
    pub txhooksig: c_int,
    /// `RXSIG_*`; -1 where the driver does not say.
    pub rxhooksig: c_int,
    /// `LAW_MULAW` or `LAW_ALAW`.
    pub curlaw: c_int,
    /// CAS bits of an idle channel.
    pub idlebits: c_int,
    /// Its name, such as `DYN/loc/1:0/1`.
    pub name: [u8; 40],
    /// Milliseconds.
    pub prewinktime: c_int,
    /// Milliseconds.
    pub preflashtime: c_int,
    /// Milliseconds.
    pub winktime: c_int,
    /// Milliseconds.
    pub flashtime: c_int,
    /// Milliseconds.
    pub starttime: c_int,
    /// Milliseconds.
    pub rxwinktime: c_int,
    /// Milliseconds.
    pub rxflashtime: c_int,
    /// Milliseconds.
    pub debouncetime: c_int,
    /// Milliseconds.
    pub pulsebreaktime: c_int,
    /// Milliseconds.
    pub pulsemaketime: c_int,
    /// Milliseconds.
    pub pulseaftertime: c_int,
    /// `ALARM_*`
    pub chan_alarms: u32,
}

/// `struct dahdi_spaninfo`
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub struct SpanInfo {
    /// The span's number.
    pub spanno: c_int,
    /// Its name.
    pub name: [u8; 20],
    /// What it is.
    pub desc: [u8; 40],
    /// `ALARM_*`
    pub alarms: c_int,
    /// Level that is sent.
    pub txlevel: c_int,
    /// Level that is received.
    pub rxlevel: c_int,
    /// Bipolar violations.
    pub bpvcount: c_int,
    /// CRC-4 errors.
    pub crc4count: c_int,
    /// E-bit errors.
    pub ebitcount: c_int,
    /// Frame alignment errors.
    pub fascount: c_int,
    /// Framing errors.
    pub fecount: u32,
    /// Coding violations.
    pub cvcount: u32,
    /// Bit errors.
    pub becount: u32,
    /// A test pattern.
    pub prbs: u32,
    /// Seconds with errors.
    pub errsec: u32,
    /// Interrupts that came too late: slips.
    pub irqmisses: c_int,
    /// The span that the clock comes from, or 0.
    pub syncsrc: c_int,
    /// Configured channels.
    pub numchans: c_int,
    /// Channels.
    pub totalchans: c_int,
    /// Spans of the system.
    pub totalspans: c_int,
    /// Line build-out.
    pub lbo: c_int,
    /// Framing and coding.
    pub lineconfig: c_int,
    /// Line build-out in words.
    pub lboname: [u8; 40],
    /// Where the card is.
    pub location: [u8; 40],
    /// Who made it.
    pub manufacturer: [u8; 40],
    /// What it is called.
    pub devicetype: [u8; 40],
    /// Its interrupt.
    pub irq: c_int,
    /// Signalling of the whole span; 0 for analogue ones.
    pub linecompat: c_int,
    /// The kind of span in words.
    pub spantype: [u8; 6],
}

/// `struct dahdi_bufferinfo`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferInfo {
    /// `POLICY_*` of what is sent.
    pub txbufpolicy: c_int,
    /// Of what is received.
    pub rxbufpolicy: c_int,
    /// How many buffers.
    pub numbufs: c_int,
    /// How many samples each has.
    pub bufsize: c_int,
    /// Always -1.
    pub readbufs: c_int,
    /// Always -1.
    pub writebufs: c_int,
}

/// `struct dahdi_gains`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Gains {
    /// The channel, 0 for the one that is open.
    pub chan: c_int,
    /// What each code that comes becomes.
    pub rxgain: [u8; 256],
    /// What each code that goes becomes.
    pub txgain: [u8; 256],
}

/// `struct dahdi_confinfo`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfInfo {
    /// The channel, 0 for the one that is open.
    pub chan: c_int,
    /// The conference, or the channel that is listened to.
    pub confno: c_int,
    /// `CONF_*`
    pub confmode: c_int,
}

/// `struct dahdi_dialoperation`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DialOperation {
    /// `DIAL_OP_*`
    pub op: c_int,
    /// The number, ended by a zero.
    pub dialstr: [u8; MAX_DTMF_BUF],
}

/// `struct dahdi_versioninfo`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct VersionInfo {
    /// The driver's version.
    pub version: [u8; 80],
    /// Its echo cancellers.
    pub echo_canceller: [u8; 80],
}

/// `struct wctdm_stats`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WctdmStats {
    /// Millivolts of the tip.
    pub tipvolt: c_int,
    /// Millivolts of the ring.
    pub ringvolt: c_int,
    /// Millivolts of the battery.
    pub batvolt: c_int,
}

const INT: usize = size_of::<c_int>();

/// `DAHDI_GET_BLOCKSIZE`
pub const GET_BLOCKSIZE: ioctl_num_type = request_code_read!(CODE, 1, INT);
/// `DAHDI_SET_BLOCKSIZE`
pub const SET_BLOCKSIZE: ioctl_num_type = request_code_write!(CODE, 1, INT);
/// `DAHDI_FLUSH`
pub const FLUSH: ioctl_num_type = request_code_write!(CODE, 3, INT);
/// `DAHDI_GET_PARAMS`
pub const GET_PARAMS: ioctl_num_type = request_code_readwrite!(CODE, 5, size_of::<Params>());
/// `DAHDI_SET_PARAMS`
pub const SET_PARAMS: ioctl_num_type = request_code_write!(CODE, 5, size_of::<Params>());
/// `DAHDI_HOOK`
pub const HOOK: ioctl_num_type = request_code_write!(CODE, 7, INT);
/// `DAHDI_GETEVENT`
pub const GETEVENT: ioctl_num_type = request_code_read!(CODE, 8, INT);
/// `DAHDI_SPANSTAT`
pub const SPANSTAT: ioctl_num_type = request_code_readwrite!(CODE, 10, size_of::<SpanInfo>());
/// `DAHDI_GETCONF`
pub const GETCONF: ioctl_num_type = request_code_readwrite!(CODE, 12, size_of::<ConfInfo>());
/// `DAHDI_SETCONF`
pub const SETCONF: ioctl_num_type = request_code_readwrite!(CODE, 13, size_of::<ConfInfo>());
/// `DAHDI_GETGAINS`
pub const GETGAINS: ioctl_num_type = request_code_readwrite!(CODE, 16, size_of::<Gains>());
/// `DAHDI_SETGAINS`
pub const SETGAINS: ioctl_num_type = request_code_write!(CODE, 16, size_of::<Gains>());
/// `DAHDI_SENDTONE`
pub const SENDTONE: ioctl_num_type = request_code_write!(CODE, 21, INT);
/// `DAHDI_GETTONEZONE`
pub const GETTONEZONE: ioctl_num_type = request_code_read!(CODE, 22, INT);
/// `DAHDI_SETTONEZONE`
pub const SETTONEZONE: ioctl_num_type = request_code_write!(CODE, 22, INT);
/// `DAHDI_GET_BUFINFO`
pub const GET_BUFINFO: ioctl_num_type = request_code_read!(CODE, 27, size_of::<BufferInfo>());
/// `DAHDI_SET_BUFINFO`
pub const SET_BUFINFO: ioctl_num_type = request_code_write!(CODE, 27, size_of::<BufferInfo>());
/// `DAHDI_DIAL`
pub const DIAL: ioctl_num_type = request_code_write!(CODE, 31, size_of::<DialOperation>());
/// `DAHDI_AUDIOMODE`
pub const AUDIOMODE: ioctl_num_type = request_code_write!(CODE, 32, INT);
/// `DAHDI_ECHOCANCEL`
pub const ECHOCANCEL: ioctl_num_type = request_code_write!(CODE, 33, INT);
/// `DAHDI_CHANNO`
pub const CHANNO: ioctl_num_type = request_code_read!(CODE, 34, INT);
/// `DAHDI_DIALING`
pub const DIALING: ioctl_num_type = request_code_read!(CODE, 35, INT);
/// `DAHDI_SPECIFY`
pub const SPECIFY: ioctl_num_type = request_code_write!(CODE, 38, INT);
/// `DAHDI_SETLAW`
pub const SETLAW: ioctl_num_type = request_code_write!(CODE, 39, INT);
/// `DAHDI_SETLINEAR`
pub const SETLINEAR: ioctl_num_type = request_code_write!(CODE, 40, INT);
/// `DAHDI_GETRXBITS`
pub const GETRXBITS: ioctl_num_type = request_code_read!(CODE, 43, INT);
/// `DAHDI_GETVERSION`
pub const GETVERSION: ioctl_num_type = request_code_read!(CODE, 57, size_of::<VersionInfo>());
/// `DAHDI_RXMIRROR`; only where the driver was built with `CONFIG_DAHDI_MIRROR`.
pub const RXMIRROR: ioctl_num_type = request_code_write!(CODE, 103, INT);
/// `DAHDI_TXMIRROR`; the same.
pub const TXMIRROR: ioctl_num_type = request_code_write!(CODE, 104, INT);
/// `DAHDI_BUFFER_EVENTS`
pub const BUFFER_EVENTS: ioctl_num_type = request_code_write!(CODE, 105, INT);
/// `WCTDM_GET_STATS`
pub const WCTDM_GET_STATS: ioctl_num_type = request_code_read!(CODE, 60, size_of::<WctdmStats>());
