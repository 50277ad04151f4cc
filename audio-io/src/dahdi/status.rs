//! What the driver says of channels and spans, in words and typed numbers.

use super::abi::{self, Params, SpanInfo};
use super::{Law, SignalKind};

/// A channel and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Its number.
    pub number: u32,
    /// Its span's number; 0 for pseudo channels.
    pub span: u32,
    /// Its place in the span, from 1.
    pub position: u32,
    /// What the driver calls it.
    pub name: String,
    /// How it signals.
    pub signalling: SignalKind,
    /// Its law: never [`Law::Auto`].
    pub law: Law,
    /// Its own alarms, as `ALARM_*` bits; its span may have more.
    pub alarms: u32,
    /// Whether what it receives is not idle.
    pub rx_off_hook: bool,
    /// What it receives (`abi::RXSIG_*`), where the driver says so.
    pub rx_signal: Option<i32>,
    /// What it sends (`abi::TXSIG_*`), where the driver says so.
    pub tx_signal: Option<i32>,
}

impl From<&Params> for ChannelStatus {
    fn from(params: &Params) -> Self {
        let plain = |value: i32| u32::try_from(value).unwrap_or_default();
        Self {
            number: plain(params.channo),
            span: plain(params.spanno),
            position: plain(params.chanpos),
            name: words(&params.name),
            signalling: SignalKind::of(params.sigtype),
            law: if params.curlaw == abi::LAW_ALAW {
                Law::ALaw
            } else {
                Law::MuLaw
            },
            alarms: params.chan_alarms,
            rx_off_hook: params.rxisoffhook != 0,
            rx_signal: (params.rxhooksig >= 0).then_some(params.rxhooksig),
            tx_signal: (params.txhooksig >= 0).then_some(params.txhooksig),
        }
    }
}

/// A span and how it stands. Counters run since the driver was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanStatus {
    /// Its number.
    pub number: u32,
    /// What the driver calls it.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its kind in a word: `E1`, `T1`, `FXO`, …
    pub kind: String,
    /// Who made the card.
    pub manufacturer: String,
    /// The card.
    pub device: String,
    /// Where the card is.
    pub location: String,
    /// As `ALARM_*` bits.
    pub alarms: u32,
    /// Channels it has.
    pub channels: u32,
    /// Those that are configured.
    pub configured: u32,
    /// The span that its clock comes from, 0 if none.
    pub sync_source: u32,
    /// Interrupts that came too late.
    pub irq_misses: u64,
    /// Bipolar violations.
    pub bipolar_violations: u64,
    /// CRC-4 errors.
    pub crc4_errors: u64,
    /// E-bit errors.
    pub e_bit_errors: u64,
    /// Frame alignment errors.
    pub frame_errors: u64,
    /// Coding violations.
    pub coding_violations: u64,
    /// Seconds with errors.
    pub errored_seconds: u64,
    /// Spans of the system.
    pub spans: usize,
}

impl From<&SpanInfo> for SpanStatus {
    fn from(info: &SpanInfo) -> Self {
        let plain = |value: i32| u32::try_from(value).unwrap_or_default();
        let count = |value: i32| u64::from(value.cast_unsigned());
        Self {
            number: plain(info.spanno),
            name: words(&{ info.name }),
            description: words(&{ info.desc }),
            kind: words(&{ info.spantype }),
            manufacturer: words(&{ info.manufacturer }),
            device: words(&{ info.devicetype }),
            location: words(&{ info.location }),
            alarms: { info.alarms }.cast_unsigned(),
            channels: plain(info.totalchans),
            configured: plain(info.numchans),
            sync_source: plain(info.syncsrc),
            irq_misses: count(info.irqmisses),
            bipolar_violations: count(info.bpvcount),
            crc4_errors: count(info.crc4count),
            e_bit_errors: count(info.ebitcount),
            frame_errors: count(info.fascount),
            coding_violations: info.cvcount.into(),
            errored_seconds: info.errsec.into(),
            spans: usize::try_from(info.totalspans).unwrap_or_default(),
        }
    }
}

/// The driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its version.
    pub driver: String,
    /// The echo cancellers it has.
    pub echo_cancellers: String,
}

/// Alarms in words: `RED (no signal), YELLOW`; `none` for none.
#[must_use]
pub fn alarm_words(alarms: u32) -> String {
    let names = [
        (abi::ALARM_RED, "RED"),
        (abi::ALARM_YELLOW, "YELLOW"),
        (abi::ALARM_BLUE, "BLUE"),
        (abi::ALARM_RECOVER, "recovering"),
        (abi::ALARM_LOOPBACK, "in loopback"),
        (abi::ALARM_NOTOPEN, "not started"),
        (abi::ALARM_LOS, "no signal"),
        (abi::ALARM_LFA, "no frame alignment"),
        (abi::ALARM_LMFA, "no multiframe alignment"),
    ];
    let known: u32 = names.iter().map(|(bit, _)| bit).sum();
    let mut said: Vec<String> = names
        .iter()
        .filter(|(bit, _)| alarms & bit != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    if alarms & !known != 0 {
        said.push(format!("{:#x}", alarms & !known));
    }
    if said.is_empty() {
        "none".to_owned()
    } else {
        said.join(", ")
    }
}

/// A text of the kernel: up to its first zero.
pub(super) fn words(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_said_in_words() {
        assert_eq!(alarm_words(0), "none");
        let red = abi::ALARM_RED | abi::ALARM_LOS | abi::ALARM_YELLOW;
        assert_eq!(alarm_words(red), "RED, YELLOW, no signal");
        assert_eq!(alarm_words(1 << 20), "0x100000");
    }

    #[test]
    fn texts_end_at_their_zero_or_their_room() {
        assert_eq!(words(b"E1\0\0\0junk"), "E1");
        assert_eq!(words(b"filled"), "filled");
    }
}
