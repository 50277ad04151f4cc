//! What can be configured, with its defaults. `packaging/callreel.toml` is this file's twin in
//! prose. Values are checked when they are parsed: a [`Config`] that exists is valid.

use std::net::SocketAddr;
use std::path::PathBuf;

use audio_io::format::{Channels, Encoding};
use audio_io::units::{Millis, SampleRate};
use serde::Deserialize;
use storage::account::SessionLimits;
use storage::ids::{LineName, TenantName};

use crate::http::limits;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[storage]`
    pub storage: Storage,
    /// `[http]`
    pub http: Http,
    /// `[control]`
    pub control: Control,
    /// `[realtime]`
    pub realtime: Realtime,
    /// `[log]`
    pub log: Log,
    /// `[access]`
    pub access: Access,
    /// `[convert]`
    pub convert: Convert,
    /// `[fetch]`
    pub fetch: Fetch,
    /// `[speech]`
    pub speech: Speech,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[admin]`
    pub admin: Admin,
    /// `[dahdi]`
    pub dahdi: Dahdi,
    /// `[audiosocket]`
    pub audiosocket: AudioSocket,
    /// `[[line]]`, one table a line.
    #[serde(rename = "line")]
    pub lines: Vec<Line>,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Where recordings, journal and index live.
    pub data_dir: PathBuf,
    /// Memory of the index's page cache, in MiB (8 to 4096).
    pub index_cache_mib: u32,
    /// How recordings are written.
    pub io: StorageIo,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/callreel".into(),
            index_cache_mib: 64,
            io: StorageIo::Auto,
        }
    }
}

/// How recordings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageIo {
    /// io_uring, or pwrite where the kernel refuses it.
    #[default]
    Auto,
    /// io_uring or nothing.
    Uring,
    /// pwrite.
    Blocking,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Addresses for plain HTTP.
    pub listen: Vec<SocketAddr>,
    /// Addresses for HTTPS; needs `tls`.
    pub listen_tls: Vec<SocketAddr>,
    /// Certificate and key.
    pub tls: Option<Tls>,
    /// Worker threads; 0 means one a core.
    pub workers: usize,
    /// Origins that browsers may call from (`https://host[:port]`), or `*`.
    pub allowed_origins: Vec<String>,
    /// Connections at once over all workers.
    pub max_connections: usize,
    /// Whether the plain first page is served.
    pub page: bool,
    /// Where clients reach this daemon (`https://host[:port]`), for links in answers; otherwise
    /// what their `Host` header says.
    pub public_url: Option<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            listen_tls: Vec::new(),
            tls: None,
            workers: 0,
            allowed_origins: Vec::new(),
            max_connections: 4_096,
            page: true,
            public_url: None,
        }
    }
}

/// `[http.tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file: the private key.
    pub key: PathBuf,
}

/// `[control]`: the Unix socket that `callreel` talks to.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// The socket's path.
    pub socket: PathBuf,
    /// A group whose members may use it, besides root and the daemon's own user.
    pub group: Option<String>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            socket: "/run/callreel/control.sock".into(),
            group: None,
        }
    }
}

/// `[realtime]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Realtime {
    /// SCHED_FIFO priority of capture threads, 1 to 99; 0 asks for none.
    pub priority: u8,
    /// Whether memory is locked against swapping.
    pub lock_memory: bool,
    /// Sound each ring can hold, in milliseconds (500 to 10000).
    pub ring_ms: u64,
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            priority: 50,
            lock_memory: true,
            ring_ms: 2_000,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least severe level that is logged.
    pub level: LogLevel,
}

/// A severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Only failures.
    Error,
    /// And things to look at.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And why.
    Debug,
}

/// `[access]`: logins, sessions, and how often anybody may ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// A session of seed 003 ends after this long without a request, in seconds (60 to 86400).
    pub session_idle_s: u64,
    /// And after this long whatever happens, in seconds (300 to 2592000).
    pub session_absolute_s: u64,
    /// Requests a second of one credential, but for those answered with sound; 0 is unlimited.
    pub requests_per_credential: u32,
    /// The same of one address (IPv6: one /64), whoever asks.
    pub requests_per_address: u32,
    /// Requests a second of one credential that are answered with sound; 0 is unlimited.
    pub media_per_credential: u32,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            session_idle_s: 1_800,
            session_absolute_s: 43_200,
            requests_per_credential: 100,
            requests_per_address: 200,
            media_per_credential: 0,
        }
    }
}

impl Access {
    /// How long sessions live, and how many a user has.
    #[must_use]
    pub const fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            idle_ms: self.session_idle_s.saturating_mul(1_000),
            absolute_ms: self.session_absolute_s.saturating_mul(1_000),
            per_user: limits::SESSIONS_A_USER,
        }
    }
}

/// `[convert]`: conversions to other formats.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Convert {
    /// Space that finished conversions may take, in MiB (16 to 1048576).
    pub cache_mib: u64,
    /// Threads that convert; 0 means one less than there are cores, at least one.
    pub workers: usize,
}

impl Default for Convert {
    fn default() -> Self {
        Self {
            cache_mib: 1_024,
            workers: 0,
        }
    }
}

/// `[fetch]`: URLs that the daemon fetches for others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fetch {
    /// Networks that may be fetched from although they are private or loopback (`10.1.0.0/16`).
    /// Link-local, multicast and metadata addresses can never be listed.
    pub allow: Vec<ipnet::IpNet>,
}

/// `[speech]`: what speaks texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speech {
    /// A program and its arguments. `{text}` in an argument is the text (without one it comes on
    /// standard input), `{voice}` the voice, `{output}` the file to write a WAV to (without one it
    /// comes on standard output).
    pub command: Vec<String>,
    /// An upstream that is asked instead: POST with JSON `{"text","voice"}`, answered by a sound.
    pub url: Option<String>,
    /// The voice of texts that name none.
    pub voice: String,
    /// Seconds one text may take (1 to 300).
    pub timeout_s: u64,
}

impl Default for Speech {
    fn default() -> Self {
        let command = ["espeak-ng", "-v", "{voice}", "-w", "{output}", "--stdin"];
        Self {
            command: command.map(str::to_owned).to_vec(),
            url: None,
            voice: "en-us".to_owned(),
            timeout_s: 30,
        }
    }
}

/// `[webhooks]`: events that are delivered to applications.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Networks that receivers may be in although they are private or loopback (`10.1.0.0/16`).
    /// Link-local, multicast and metadata addresses can never be listed.
    pub allow: Vec<ipnet::IpNet>,
}

/// `[admin]`: who may set applications over HTTP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// A file that holds the key of `X-Admin-API-Key`, 16 to 256 printable characters on one line.
    /// Without it `/admin` answers 503.
    pub key_file: Option<PathBuf>,
}

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
    /// has `playback` they are unless this says no, on others only if it says yes.
    #[serde(default)]
    pub digits: Option<bool>,
    /// Whether the tones of digits are silenced in recordings, where a command does not say.
    #[serde(default)]
    pub mask_digits: bool,
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
        let channel = self.dahdi.as_ref().and_then(|list| list.0.first());
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

    /// Whether its calls begin and end by signals of the line, not by voice or command alone.
    #[must_use]
    pub fn signals(&self) -> bool {
        let can = !matches!(self.source(), Source::Alsa { .. });
        can && matches!(self.trigger, Trigger::Hook | Trigger::Api)
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
            (Some(list), _) if list.0.len() > 1 => list
                .0
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
    /// The line answers by itself after so many rings (1 to 20); 0 for never.
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

/// `[line.watch]`: a line that behaves oddly is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// No voice for so long is an alarm; 0 for none.
    pub silent_after_s: u64,
    /// Voice or a call for so long without a pause is an alarm; 0 for none.
    pub active_after_s: u64,
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
