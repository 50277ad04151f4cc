//! What telephone lines, spans and listeners show of themselves, as plain values: for the control
//! socket and for `/metrics`. Who gathers it is the engine; how it reads is theirs.

use std::net::SocketAddr;

use crate::config::schema::Role;

/// A telephone channel or an AudioSocket line, as it stands now.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ChannelFacts {
    /// The DAHDI channel's number; none of an AudioSocket line.
    pub number: Option<u32>,
    /// The span it belongs to, where that is known.
    pub span: Option<u32>,
    /// What Callreel is on it; none of an AudioSocket line.
    pub role: Option<Role>,
    /// How it signals: `fxo`, `fxs`, `em`, `cas`, `clear` or `socket`; none until it was open once.
    /// `fxo` is an FXO port, which the driver calls FXS-signalled.
    pub signalling: Option<&'static str>,
    /// Where an AudioSocket line's calls connect to.
    pub listen: Option<SocketAddr>,
    /// What its call is doing, such as `idle`, `ringing`, `dialling` or `talking`; none of a line
    /// without call signals.
    pub phase: Option<&'static str>,
    /// Whether the far end is off hook (a tap: the PBX's call; AudioSocket: somebody is connected).
    pub off_hook: bool,
    /// Alarms of the channel or its span, in words ([`alarm_words`]).
    pub alarms: Vec<&'static str>,
    /// Signals taken.
    pub events: u64,
    /// Times an alarm was raised.
    pub alarms_total: u64,
    /// Times the driver lost sound or had none to send.
    pub slips: u64,
    /// Orders that could not be carried out.
    pub refused: u64,
    /// How long it rang before calls were answered.
    pub ring_to_answer: RingToAnswer,
}

/// How long telephones rang before they were answered: a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RingToAnswer {
    /// Calls by the first bound of [`RingToAnswer::BOUNDS_MS`] that is not below their time, and
    /// in the last place those above all bounds.
    pub counts: [u64; Self::BOUNDS_MS.len() + 1],
    /// All those times together.
    pub sum_ms: u64,
}

impl RingToAnswer {
    /// The upper bounds of the histogram's steps.
    pub const BOUNDS_MS: [u64; 9] = [
        100, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000,
    ];

    /// Counts a call.
    pub fn add(&mut self, ms: u64) {
        let place = Self::BOUNDS_MS.iter().position(|bound| ms <= *bound);
        if let Some(count) = self.counts.get_mut(place.unwrap_or(Self::BOUNDS_MS.len())) {
            *count += 1;
        }
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// Adds what another line counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
    }

    /// Calls counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A span of a card, as the driver tells it (`DAHDI_SPANSTAT`).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SpanFacts {
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
    /// Its type: `E1`, `T1`, `analog`, …, as the driver writes it.
    pub kind: String,
    /// Alarms, in words ([`alarm_words`]).
    pub alarms: Vec<&'static str>,
    /// Times an alarm was seen to be raised.
    pub alarms_total: u64,
    /// Channels that the card has.
    pub channels: u32,
    /// Channels that are configured (`/etc/dahdi/system.conf`).
    pub configured: u32,
    /// Channels that are lines of the configuration.
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
    /// Why it cannot be asked now, in words.
    pub error: Option<String>,
}

/// A listener for AudioSocket connections.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ListenerFacts {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Lines that it gives connections to.
    pub lines: u32,
    /// Connections that became calls.
    pub calls: u64,
    /// Connections refused because every line had a call.
    pub busy: u64,
    /// Connections refused because their address is not in `audiosocket.allow`.
    pub denied: u64,
    /// Connections refused because they did not name a call in time, or not rightly.
    pub unidentified: u64,
}

/// Alarms in words, from `DAHDI_ALARM_*` bits; empty for none.
#[must_use]
pub fn alarm_words(bits: u32) -> Vec<&'static str> {
    let known = ALARMS.iter().filter(|(bit, _)| bits & bit != 0);
    let mut words: Vec<_> = known.map(|(_, word)| *word).collect();
    if bits & !ALARMS.iter().fold(0, |all, (bit, _)| all | bit) != 0 {
        words.push("other");
    }
    words
}

/// All words that [`alarm_words`] knows.
pub fn all_alarm_words() -> impl Iterator<Item = &'static str> {
    ALARMS.iter().map(|(_, word)| *word).chain(["other"])
}

/// The driver's alarm bits, and their words (ITU-T G.775, I.431).
const ALARMS: [(u32, &str); 9] = [
    (1 << 0, "recovering"),
    (1 << 1, "loopback"),
    (1 << 2, "yellow"),
    (1 << 3, "red"),
    (1 << 4, "blue"),
    (1 << 5, "not-open"),
    (1 << 8, "loss-of-signal"),
    (1 << 9, "loss-of-frame"),
    (1 << 10, "loss-of-multiframe"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_told_by_name_and_none_is_swallowed() {
        assert!(alarm_words(0).is_empty());
        assert_eq!(alarm_words(1 << 3 | 1 << 8), ["red", "loss-of-signal"]);
        assert_eq!(alarm_words(1 << 20), ["other"]);
        assert_eq!(alarm_words(u32::MAX), all_alarm_words().collect::<Vec<_>>());
    }

    #[test]
    fn times_are_counted_up_to_and_with_their_bound() {
        let mut one = RingToAnswer::default();
        one.add(100);
        one.add(101);
        one.add(60_001);
        assert_eq!((one.counts[0], one.counts[1], one.counts[9]), (1, 1, 1));
        let mut both = one;
        both.merge(&one);
        assert_eq!((both.total(), both.sum_ms), (6, 2 * 60_202));
    }
}
