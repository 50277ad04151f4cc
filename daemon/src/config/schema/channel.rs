//! Telephone channels: `[dahdi]`, `[audiosocket]` and `[line.channel]`.

use std::path::PathBuf;

use audio_io::units::Millis;
use serde::Deserialize;

/// `[dahdi]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dahdi {
    /// Where the driver's nodes are.
    pub folder: PathBuf,
}

impl Default for Dahdi {
    fn default() -> Self {
        Self {
            folder: "/dev/dahdi".into(),
        }
    }
}

/// `[audiosocket]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioSocket {
    /// Networks that PBXs may connect from: the protocol has no password.
    pub allow: Vec<ipnet::IpNet>,
}

impl Default for AudioSocket {
    fn default() -> Self {
        Self {
            allow: ["127.0.0.0/8", "::1/128"]
                .into_iter()
                .filter_map(|network| network.parse().ok())
                .collect(),
        }
    }
}

/// What Callreel is on a DAHDI channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The end of an exchange's line (FXO): it rings, Callreel answers.
    #[default]
    Terminate,
    /// The exchange of a telephone (FXS).
    Station,
    /// A listener on a channel that a PBX owns, or on a pair of wires.
    Tap,
}

impl Role {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Station => "station",
            Self::Tap => "tap",
        }
    }
}

/// `[line.channel]`: how a telephone line behaves.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channel {
    /// The law of the wire; `auto` is what the span has.
    pub law: Law,
    /// Gain of what comes, in dB (-24 to 24).
    pub rx_gain_db: f64,
    /// Gain of what goes, in dB (-24 to 24).
    pub tx_gain_db: f64,
    /// The kernel's echo canceller: its taps (32 to 1024, a power of two), 0 for none.
    pub echo_taps: u32,
    /// How the caller's number comes.
    pub caller_id: CallerIdKind,
    /// How long after the first ring it is waited for.
    pub caller_id_wait_ms: Millis,
    /// Whether busy, congestion and dial tone end a call.
    pub hangup_tones: bool,
    /// Whose tones those are: a country's code in two letters (ISO 3166).
    pub tone_zone: String,
    /// No ring for this long: the caller gave up.
    pub ring_timeout_ms: Millis,
    /// Answered by itself after this many rings; 0 leaves it to applications.
    pub answer_after_rings: u32,
    /// How a tap listens.
    pub tap: TapKind,
    /// `parallel`: below this many volts the line is off hook.
    pub off_hook_volts: u32,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            law: Law::Auto,
            rx_gain_db: 0.0,
            tx_gain_db: 0.0,
            echo_taps: 128,
            caller_id: CallerIdKind::Off,
            caller_id_wait_ms: Millis(3_500),
            hangup_tones: true,
            tone_zone: "us".into(),
            ring_timeout_ms: Millis(8_000),
            answer_after_rings: 0,
            tap: TapKind::Auto,
            off_hook_volts: 20,
        }
    }
}

/// The law of a wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// The span's own.
    #[default]
    Auto,
    /// µ-law.
    Mulaw,
    /// A-law.
    Alaw,
}

/// How a caller's number comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerIdKind {
    /// It does not, or is not wanted.
    #[default]
    Off,
    /// As FSK: Bell 202 or V.23, before or after the first ring.
    Fsk,
    /// As DTMF digits, before or after the first ring.
    Dtmf,
}

/// How a tap listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TapKind {
    /// By mirror if the kernel has it, otherwise by monitor.
    #[default]
    Auto,
    /// `DAHDI_RXMIRROR` and `DAHDI_TXMIRROR`: a kernel built with `CONFIG_DAHDI_MIRROR`.
    Mirror,
    /// Pseudo channels in the conference modes `MONITOR` and `MONITORTX`: any kernel.
    Monitor,
    /// An FXO port of our own, in parallel to the wires; it never goes off hook.
    Parallel,
}

/// Numbers of DAHDI channels, in the order they are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ChannelList(Vec<u32>);

/// Why a text is no list of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("channels are numbers from 1 to 1023 and ranges of them, such as \"1-15,17-31\"")]
pub struct NoChannels;

impl ChannelList {
    /// The highest number of a channel (`DAHDI_MAX_CHANNELS` is 1,024).
    pub const HIGHEST: u32 = 1_023;

    /// A list of one.
    #[must_use]
    pub fn one(number: u32) -> Self {
        Self(vec![number])
    }

    /// The numbers.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }
}

/// As numbers and ranges, in the order they were written.
impl std::fmt::Display for ChannelList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0.as_slice();
        while let Some((&first, _)) = rest.split_first() {
            let run = (first..).zip(rest).take_while(|(a, b)| a == *b).count();
            let (now, later) = rest.split_at(run);
            if rest.len() < self.0.len() {
                f.write_str(",")?;
            }
            match now {
                [_, .., last] => write!(f, "{first}-{last}")?,
                _ => write!(f, "{first}")?,
            }
            rest = later;
        }
        Ok(())
    }
}

impl std::str::FromStr for ChannelList {
    type Err = NoChannels;

    fn from_str(text: &str) -> Result<Self, NoChannels> {
        let number = |text: &str| match text.trim().parse::<u32>() {
            Ok(number @ 1..=Self::HIGHEST) => Ok(number),
            _ => Err(NoChannels),
        };
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(NoChannels);
            }
            for number in first..=last {
                if numbers.contains(&number) {
                    return Err(NoChannels);
                }
                numbers.push(number);
            }
        }
        Ok(Self(numbers))
    }
}

impl TryFrom<String> for ChannelList {
    type Error = NoChannels;
    fn try_from(text: String) -> Result<Self, NoChannels> {
        text.parse()
    }
}
