//! `[[line]]`: what calls come from, and when it is recorded.

use std::net::SocketAddr;

use audio_io::format::{Channels, Encoding};
use audio_io::units::{Millis, SampleRate};
use serde::Deserialize;
use storage::ids::{LineName, TenantName};

use super::channel::{Channel, ChannelList, Role};

/// `[[line]]`: one thing that calls come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its name.
    pub name: LineName,
    /// Whose recordings it makes.
    pub tenant: TenantName,
    /// An ALSA PCM to capture. With `channels = "stereo"` left is the caller, right the agent.
    #[serde(default)]
    pub capture: Option<String>,
    /// A second mono PCM: `capture` is then the caller's leg, this one the agent's.
    pub capture_agent: Option<String>,
    /// An ALSA PCM to play to.
    pub playback: Option<String>,
    /// DAHDI channels, as numbers and ranges (`1-15,17-31`): one line each. A line that was made
    /// of them has exactly one.
    #[serde(default)]
    pub dahdi: Option<ChannelList>,
    /// What Callreel is on a DAHDI channel.
    #[serde(default)]
    pub role: Role,
    /// Where a PBX connects to with AudioSocket.
    #[serde(default)]
    pub audiosocket: Option<SocketAddr>,
    /// How many such lines there are: calls at once.
    #[serde(default = "defaults::lines")]
    pub lines: u32,
    /// How a telephone line behaves.
    #[serde(default)]
    pub channel: Channel,
    /// What is watched for.
    #[serde(default)]
    pub watch: Watch,
    /// Frames a second, 8000 to 48000.
    #[serde(default = "defaults::rate")]
    pub rate: SampleRate,
    /// Channels of `capture`.
    #[serde(default = "defaults::channels")]
    pub channels: Channels,
    /// How samples are stored.
    #[serde(default = "defaults::encoding")]
    pub encoding: Encoding,
    /// Wake-up period asked of the device.
    #[serde(default = "defaults::period_ms")]
    pub period_ms: Millis,
    /// Buffer asked of the device.
    #[serde(default = "defaults::buffer_ms")]
    pub buffer_ms: Millis,
    /// What starts and ends a recording.
    pub trigger: Trigger,
    /// `always`: a recording is closed and the next begun after this long.
    #[serde(default = "defaults::rotate_s")]
    pub rotate_s: u64,
    /// Shorter recordings are not kept.
    #[serde(default)]
    pub min_length_ms: Millis,
    /// Longer ones are ended (and, while the trigger holds, continued in a new one).
    #[serde(default = "defaults::max_length_s")]
    pub max_length_s: u64,
    /// Sound kept from before the trigger (0 to 10000 ms).
    #[serde(default = "defaults::pre_roll_ms")]
    pub pre_roll_ms: Millis,
    /// `vox`: when voice starts and ends.
    #[serde(default)]
    pub vox: Vox,
    /// Whether the caller's digits (DTMF) are heard, told and marked in recordings; on a line that
    /// can be played to they are unless this says no, on others only if it says yes.
    #[serde(default)]
    pub digits: Option<bool>,
    /// Whether the tones of digits are silenced in recordings, where a command does not say.
    #[serde(default)]
    pub mask_digits: bool,
    /// Whether the parties hear a tone while somebody listens live; as `[listen]` says if nothing
    /// is said here. Only on lines that can be played to.
    #[serde(default)]
    pub notice_tone: Option<bool>,
    /// Fixed numbers of the parties, where the line has them.
    #[serde(default)]
    pub from: Option<storage::ids::Number>,
    /// The called number.
    #[serde(default)]
    pub to: Option<storage::ids::Number>,
}

/// Where a line's sound comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Sound cards: a PCM to capture, perhaps a second one, perhaps one to play to.
    Alsa {
        /// The only PCM, or the caller's.
        capture: &'a str,
        /// The agent's.
        agent: Option<&'a str>,
        /// To play to.
        playback: Option<&'a str>,
    },
    /// A telephone channel.
    Dahdi {
        /// Its number.
        channel: u32,
        /// What Callreel is on it.
        role: Role,
    },
    /// Whatever connects.
    AudioSocket {
        /// Where.
        listen: SocketAddr,
    },
}

impl Line {
    /// Where its sound comes from.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        let channel = self.dahdi.as_ref().and_then(|list| list.numbers().first());
        match (channel, self.audiosocket) {
            (Some(channel), _) => Source::Dahdi {
                channel: *channel,
                role: self.role,
            },
            (None, Some(listen)) => Source::AudioSocket { listen },
            (None, None) => Source::Alsa {
                capture: self.capture.as_deref().unwrap_or_default(),
                agent: self.capture_agent.as_deref(),
                playback: self.playback.as_deref(),
            },
        }
    }

    /// Whether something can be played to it.
    #[must_use]
    pub fn plays(&self) -> bool {
        match self.source() {
            Source::Alsa { playback, .. } => playback.is_some(),
            Source::Dahdi { role, .. } => role != Role::Tap,
            Source::AudioSocket { .. } => true,
        }
    }

    /// Whether its parties are to hear that somebody listens, if `[listen]` says this of all.
    #[must_use]
    pub fn gives_notice(&self, of_all: bool) -> bool {
        self.notice_tone.unwrap_or(of_all)
    }

    /// Whether its parties can be told that somebody listens, and are to be.
    #[must_use]
    pub fn tells_parties(&self, of_all: bool) -> bool {
        self.gives_notice(of_all) && self.plays()
    }

    /// Whether a call can be made outwards by its signals.
    #[must_use]
    pub fn calls_out(&self) -> bool {
        let owned = match self.source() {
            Source::Dahdi { role, .. } => role != Role::Tap,
            Source::Alsa { .. } | Source::AudioSocket { .. } => false,
        };
        owned && self.signals()
    }

    /// Whether its calls begin and end by signals of the line, not by voice or command alone.
    #[must_use]
    pub fn signals(&self) -> bool {
        let can = !matches!(self.source(), Source::Alsa { .. });
        can && matches!(self.trigger, Trigger::Hook | Trigger::Api)
    }

    /// The line or lines of a table in words, as `callreeld --check` tells them.
    #[must_use]
    pub fn described(&self) -> String {
        let lines = self.expand();
        let names = match lines.as_slice() {
            [first, .., last] => format!("{} … {} ({} lines)", first.name, last.name, lines.len()),
            _ => self.name.to_string(),
        };
        let source = match (&self.dahdi, self.audiosocket) {
            (Some(list), _) => {
                let many = if lines.len() > 1 { "s" } else { "" };
                format!("DAHDI channel{many} {list}, {}", self.role.word())
            }
            (None, Some(listen)) => format!("AudioSocket {listen}"),
            (None, None) => {
                let pcms = [&self.capture, &self.capture_agent];
                let pcms: Vec<_> = pcms.into_iter().flatten().map(String::as_str).collect();
                match &self.playback {
                    Some(playback) => format!("PCM {}, plays to {playback}", pcms.join(" and ")),
                    None => format!("PCM {}", pcms.join(" and ")),
                }
            }
        };
        let trigger = self.trigger.word();
        format!("{names} of tenant {}: {source}, {trigger}", self.tenant)
    }

    /// The lines that a table stands for: one for each channel, or for each call at once. Where
    /// there are several, their names end in `-` and the channel's number, or a count from 1.
    #[must_use]
    pub fn expand(&self) -> Vec<Self> {
        let named = |number: u32| {
            let name = format!("{}-{number}", self.name);
            LineName::new(&name).unwrap_or_else(|_| self.name.clone())
        };
        match (&self.dahdi, self.audiosocket) {
            (Some(list), _) if list.numbers().len() > 1 => list
                .numbers()
                .iter()
                .map(|number| Self {
                    name: named(*number),
                    dahdi: Some(ChannelList::one(*number)),
                    ..self.clone()
                })
                .collect(),
            (None, Some(_)) if self.lines > 1 => (1..=self.lines)
                .map(|number| Self {
                    name: named(number),
                    lines: 1,
                    ..self.clone()
                })
                .collect(),
            _ => vec![self.clone()],
        }
    }
}

/// What starts and ends a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Record all the time, rotated by `rotate_s`.
    Always,
    /// Voice starts it, silence ends it.
    Vox,
    /// Commands start and stop it.
    Api,
    /// The call: from off-hook to on-hook.
    Hook,
}

impl Trigger {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Vox => "vox",
            Self::Api => "api",
            Self::Hook => "hook",
        }
    }
}

/// `[line.watch]`: a line that behaves oddly is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// No voice for so long is an alarm; 0 for none.
    pub silent_after_s: u64,
    /// Voice or a call for so long without a pause is an alarm; 0 for none.
    pub active_after_s: u64,
}

/// Voice activity thresholds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vox {
    /// RMS over 20 ms, in dBFS, at and above which there is voice (-70 to 0).
    pub start_dbfs: f64,
    /// RMS in dBFS below which there is silence; at most `start_dbfs`.
    pub stop_dbfs: f64,
    /// Voice this long starts a recording.
    pub attack_ms: Millis,
    /// Silence this long ends it.
    pub hang_ms: Millis,
}

impl Default for Vox {
    fn default() -> Self {
        Self {
            start_dbfs: -40.0,
            stop_dbfs: -46.0,
            attack_ms: Millis(60),
            hang_ms: Millis(3_000),
        }
    }
}

mod defaults {
    use audio_io::format::{Channels, Encoding};
    use audio_io::units::{Millis, SampleRate};

    pub(super) const fn rate() -> SampleRate {
        SampleRate::TELEPHONE
    }
    pub(super) const fn channels() -> Channels {
        Channels::Mono
    }
    pub(super) const fn encoding() -> Encoding {
        Encoding::S16Le
    }
    pub(super) const fn period_ms() -> Millis {
        Millis(20)
    }
    pub(super) const fn buffer_ms() -> Millis {
        Millis(160)
    }
    pub(super) const fn rotate_s() -> u64 {
        3_600
    }
    pub(super) const fn max_length_s() -> u64 {
        4 * 3_600
    }
    pub(super) const fn lines() -> u32 {
        1
    }
    pub(super) const fn pre_roll_ms() -> Millis {
        Millis(2_000)
    }
}
