//! Telephone channels, spans of cards, and listeners for AudioSocket connections.

use serde::{Deserialize, Serialize};

/// The telephone channel or AudioSocket of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The DAHDI channel's number; none of an AudioSocket line.
    pub number: Option<u32>,
    /// Its span, where that is known.
    pub span: Option<u32>,
    /// `terminate`, `station` or `tap`; none of an AudioSocket line.
    pub role: Option<String>,
    /// `fxo`, `fxs`, `em`, `cas`, `clear` or `socket`; none until it was open once.
    pub signalling: Option<String>,
    /// Where an AudioSocket line's calls connect to.
    pub listen: Option<String>,
    /// What its call is doing: `idle`, `ringing`, `talking`, …; none without call signals.
    pub phase: Option<String>,
    /// Whether the far end is off hook; of AudioSocket: whether somebody is connected.
    pub off_hook: bool,
    /// Alarms of the channel or its span: `red`, `yellow`, `blue`, …
    pub alarms: Vec<String>,
    /// Signals taken.
    pub events: u64,
    /// Times an alarm was raised.
    pub alarms_total: u64,
    /// Times the driver lost sound or had none to send.
    pub slips: u64,
    /// Orders that could not be carried out.
    pub refused: u64,
    /// Calls that rang and were answered.
    pub answered: u64,
    /// How long they rang, all together.
    pub ring_to_answer_ms: u64,
}

/// `GET /spans`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spans {
    /// Spans of telephone cards.
    pub items: Vec<Span>,
    /// Listeners for AudioSocket connections.
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// A span of a telephone card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its number.
    pub number: u32,
    /// Its name, such as `WCTDM/0`.
    pub name: String,
    /// What it is, in the driver's words.
    pub description: String,
    /// The card's maker.
    pub manufacturer: String,
    /// The card.
    pub device: String,
    /// `E1`, `T1`, `analog`, …, as the driver writes it.
    pub kind: String,
    /// `red`, `yellow`, `blue`, …
    pub alarms: Vec<String>,
    /// Times an alarm was seen to be raised.
    pub alarms_total: u64,
    /// Channels that the card has.
    pub channels: u32,
    /// Channels that are configured.
    pub configured: u32,
    /// Channels that are lines.
    pub used: u32,
    /// Interrupts that were missed.
    pub irq_misses: u64,
    /// Bipolar violations.
    pub bipolar_violations: u64,
    /// CRC-4 errors.
    pub crc4_errors: u64,
    /// E-bit errors.
    pub ebit_errors: u64,
    /// Errors of frame alignment.
    pub frame_errors: u64,
    /// Coding violations.
    pub coding_violations: u64,
    /// Errored seconds.
    pub errored_seconds: u64,
    /// Why it cannot be asked now.
    pub error: Option<String>,
}

/// A listener for AudioSocket connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Where it listens.
    pub listen: String,
    /// Lines that it gives connections to.
    pub lines: u32,
    /// Connections that became calls.
    pub calls: u64,
    /// Refused because every line had a call.
    pub busy: u64,
    /// Refused because of their address.
    pub denied: u64,
    /// Refused because they did not name a call in time, or not rightly.
    pub unidentified: u64,
}
