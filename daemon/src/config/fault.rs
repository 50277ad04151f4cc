//! What can be wrong with a configuration, where it stands, and what to do about it. Finding it
//! is the business of `layer.rs` (each key) and `rules.rs` (keys against each other).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this line (from 1) of this file.
    File(Arc<Path>, usize),
    /// In this environment variable.
    Environment(String),
    /// Nowhere: it is the built-in default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Default => f.write_str("built-in default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The key, its tables before it: `http.tls.key`, `line.vox.stop_dbfs`. Empty for a file.
    pub key: String,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return write!(f, "{}: {}", self.place, self.fault);
        }
        write!(f, "{}: {}: {}", self.place, self.key, self.fault)
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("cannot read it: {0}; check that it exists and that this user may read it")]
    Unreadable(#[source] std::io::Error),
    /// The file is larger than any configuration needs to be.
    #[error("is larger than {0} bytes, the most a configuration file may be")]
    TooLarge(u64),
    /// The file is not TOML.
    #[error("is not valid TOML: {0}")]
    Syntax(String),
    /// No such key.
    #[error("unknown key{}; known here: {known}", Nearest(*nearest))]
    UnknownKey {
        /// A known key that looks like it.
        nearest: Option<&'static str>,
        /// All known keys of this table.
        known: String,
    },
    /// A value of another type.
    #[error("is {found}; it must be {wanted}")]
    WrongType {
        /// The type that was found.
        found: &'static str,
        /// What is allowed.
        wanted: String,
    },
    /// A value outside its range or form.
    #[error("{found} is not allowed; it must be {wanted}")]
    OutOfRange {
        /// The value that was found.
        found: String,
        /// What is allowed.
        wanted: String,
    },
    /// A required key is missing.
    #[error("is missing; it must be {wanted}")]
    Missing {
        /// What is allowed.
        wanted: String,
    },
    /// More entries than there may be.
    #[error("there are more than {most}")]
    TooMany {
        /// The most there may be.
        most: usize,
    },
    /// A relative path where there is no folder for it to be relative to.
    #[error("'{}' is relative; give an absolute path here", .0.display())]
    RelativePath(PathBuf),
    /// Arrays of tables cannot come from the environment.
    #[error("cannot be set by the environment; put {0} tables into a file")]
    TablesFromEnvironment(&'static str),
    /// Two values exclude each other, or one demands another.
    #[error(transparent)]
    Rule(#[from] Rule),
    /// The schema refused what the table of keys let pass.
    #[error("{0}")]
    Schema(#[from] config::ConfigError),
}

/// What keys must hold with respect to each other.
#[derive(Debug, thiserror::Error)]
pub enum Rule {
    /// Two lines with one name.
    #[error("'{name}' is also the name of the line at {other}; give each line its own name")]
    LineTwice {
        /// The name.
        name: String,
        /// The other line.
        other: Place,
    },
    /// Two groups with one name.
    #[error("'{name}' is also the name of the group at {other}; give each group its own name")]
    GroupTwice {
        /// The name.
        name: String,
        /// The other group.
        other: Place,
    },
    /// A group of a line that there is not.
    #[error("there is no line '{0}'; 'callreel lines' lists those there are")]
    GroupWithoutLine(String),
    /// Two lines on one PCM.
    #[error("PCM '{pcm}' is also used at {other}; a PCM can serve one line only")]
    PcmTwice {
        /// The PCM.
        pcm: String,
        /// The other use.
        other: Place,
    },
    /// No sound at all.
    #[error(
        "is missing, and so are dahdi and audiosocket: a line is a sound card (capture), telephone \
         channels (dahdi) or connections of a PBX (audiosocket); give one of the three"
    )]
    NoSource,
    /// Sound from two places.
    #[error("contradicts {first}: a line has one of capture, dahdi and audiosocket; remove one")]
    TwoSources {
        /// The other key.
        first: &'static str,
    },
    /// A key of another kind of line.
    #[error("is only for {to}; remove it")]
    BelongsTo {
        /// Which kind, in words.
        to: &'static str,
    },
    /// A sound card has no hook.
    #[error(
        "\"hook\" needs call signals, and a sound card has none; use \"always\", \"vox\" or \
         \"api\""
    )]
    HookOfSoundCard,
    /// A connection is a call.
    #[error(
        "a connection is a call from its beginning to its end: use \"hook\" to record every call, \
         or \"api\" to record by command"
    )]
    CallsOnly,
    /// A telephone channel has one rate.
    #[error("{rate} is not the rate of a telephone channel, which is 8000; remove it")]
    ChannelRate {
        /// `rate`
        rate: u32,
    },
    /// A rate that the protocol has no kind for.
    #[error(
        "{rate} is no rate of AudioSocket; use 8000, 12000, 16000, 24000, 32000, 44100 or 48000"
    )]
    SocketRate {
        /// `rate`
        rate: u32,
    },
    /// What comes from a channel is one leg.
    #[error(
        "\"stereo\" is for sound cards: one leg comes from here, and recordings have both legs \
         without it; remove it"
    )]
    ChannelIsMono,
    /// An echo canceller of a strange length.
    #[error("{0} is not a power of two from 32 to 1024; 0 switches the echo canceller off")]
    EchoTaps(u32),
    /// No country's tones.
    #[error("there is no tone zone '{zone}'; known: {known}")]
    NoSuchZone {
        /// `tone_zone`
        zone: String,
        /// All that there are.
        known: String,
    },
    /// A block that the driver refuses.
    #[error("{period} is above {most}, the longest block of a telephone channel")]
    BlockTooLong {
        /// `period_ms`
        period: u64,
        /// The most.
        most: u64,
    },
    /// More buffer than the driver has.
    #[error(
        "{buffer} is above {most}, the most that a telephone channel can hold with period_ms = \
         {period} (32 blocks and 4096 ms); raise that or lower this"
    )]
    TooManyBlocks {
        /// `buffer_ms`
        buffer: u64,
        /// `period_ms`
        period: u64,
        /// The most.
        most: u64,
    },
    /// Two lines on one channel.
    #[error("channel {channel} is also used at {other}; a channel can be one line only")]
    ChannelTwice {
        /// The channel.
        channel: u32,
        /// The other use.
        other: Place,
    },
    /// Two listeners at one address.
    #[error("{address} is listened on at {other} already; give each its own port")]
    AddressTaken {
        /// The other address.
        address: std::net::SocketAddr,
        /// Where it stands.
        other: Place,
    },
    /// A name that has no room for a number.
    #[error(
        "numbered, the name '{name}' is longer than 64 characters, the most of a line's name; \
         shorten it"
    )]
    NameTooLong {
        /// The longest name.
        name: String,
    },
    /// Too many lines, ranges counted out.
    #[error("with this table there are more than {most} lines, the most there may be")]
    TooManyLines {
        /// The most.
        most: usize,
    },
    /// A stereo capture and a second PCM.
    #[error(
        "contradicts channels = \"stereo\": either one stereo PCM holds both legs, or two mono \
         PCMs do; remove one of the two"
    )]
    StereoAndAgent,
    /// A line that plays has two captured legs.
    #[error(
        "contradicts playback: a line that plays captures one leg, the caller's, and records what \
         it played as the other; capture one mono PCM, or remove playback"
    )]
    PlaybackAndTwoLegs,
    /// A tone that nobody could hear.
    #[error(
        "nothing can be played to this line, so its parties cannot hear that somebody listens: a \
         tap and a PCM without playback only listen; remove it, or give the line a playback"
    )]
    NoticeWithoutPlayback,
    /// Silence begins above voice.
    #[error("{stop} is above start_dbfs = {start}; make it at most that")]
    StopAboveStart {
        /// `stop_dbfs`
        stop: f64,
        /// `start_dbfs`
        start: f64,
    },
    /// The period does not fit into the buffer.
    #[error("{period} is not below buffer_ms = {buffer}; a buffer holds at least two periods")]
    PeriodNotBelowBuffer {
        /// `period_ms`
        period: u64,
        /// `buffer_ms`
        buffer: u64,
    },
    /// The device's buffer is larger than the ring behind it.
    #[error("{buffer} is above realtime.ring_ms = {ring}; raise that or lower this")]
    BufferAboveRing {
        /// `buffer_ms`
        buffer: u64,
        /// `ring_ms`
        ring: u64,
    },
    /// Nothing could ever be long enough to keep.
    #[error("{min} ms is not below max_length_s = {max}; nothing would ever be kept")]
    MinNotBelowMax {
        /// `min_length_ms`
        min: u64,
        /// `max_length_s`
        max: u64,
    },
    /// HTTPS without a certificate.
    #[error(
        "needs a certificate: name it and its key in [http.tls], give the service the credentials \
         callreel_certificate.pem and callreel_certificate.key, or set certificate = true in \
         [first_start]"
    )]
    TlsMissing,
    /// Half of a pair.
    #[error("is missing; certificate and key go together, name both or none")]
    TlsHalf,
    /// A certificate or key that is not there.
    #[error("there is no file '{}'", .0.display())]
    NoSuchFile(PathBuf),
    /// One address twice.
    #[error("{address} is given twice; name each address once in listen and listen_tls")]
    AddressTwice {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// `*` beside named origins.
    #[error("\"*\" allows every origin; remove it or all the others")]
    StarAndOthers,
    /// A session would end before it could be idle.
    #[error("{idle} is above session_absolute_s = {absolute}; make it at most that")]
    IdleAboveAbsolute {
        /// `session_idle_s`
        idle: u64,
        /// `session_absolute_s`
        absolute: u64,
    },
    /// A network that nothing may be fetched from.
    #[error(
        "{network} can never be fetched from: it is unspecified, link-local or multicast; remove it"
    )]
    NeverFetched {
        /// The network.
        network: ipnet::IpNet,
    },
    /// What should survive the data folder's disk is on it.
    #[error(
        "lies in data_dir ('{}'), and is gone with it; choose another disk",
        data_dir.display()
    )]
    MarkerInside {
        /// `storage.data_dir`
        data_dir: PathBuf,
    },
    /// The data folder is elsewhere.
    #[error("data_dir ('{}') does not lie in it; correct one of the two", data_dir.display())]
    MountElsewhere {
        /// `storage.data_dir`
        data_dir: PathBuf,
    },
    /// A mark that is reached before the one above it.
    #[error("{mib} is not below {above_key} = {above}; make it less, or 0 to switch it off")]
    MarksOutOfOrder {
        /// This mark.
        mib: u64,
        /// The key of the mark above it.
        above_key: &'static str,
        /// The mark above it.
        above: u64,
    },
    /// Retention policies that cannot be.
    #[error(transparent)]
    Policy(#[from] storage::retention::PolicyError),
    /// The store does not take the policies.
    #[error("{}", refused(.0))]
    PoliciesRefused(#[source] crate::keeping::PoliciesError),
    /// Alarms would be posted unsigned.
    #[error(
        "is missing; alarms are signed: name a file that holds 'whsec_' and the base64 of 24 to \
         64 random bytes"
    )]
    NoAlarmSecret,
    /// A secret for nothing.
    #[error("is only for webhook; give that too, or remove it")]
    SecretWithoutWebhook,
    /// Nothing may be posted there.
    #[error("{0}")]
    AlarmUrl(#[source] crate::engine::webhook::WebhookUrlError),
    /// Nothing could speak.
    #[error("is empty, and there is no speech.url; give one of the two")]
    NoSpeech,
}

fn refused(error: &crate::keeping::PoliciesError) -> String {
    if error.is_shrink() {
        format!("{error}; 'callreel retention accept-shrink --yes' confirms it")
    } else {
        error.to_string()
    }
}

struct Nearest(Option<&'static str>);

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |name| write!(f, " (did you mean '{name}'?)"))
    }
}

/// A configuration that cannot be used: every problem that was found, in the order of reading.
#[derive(Debug)]
pub struct LoadError {
    /// The problems; at least one.
    pub problems: Vec<Problem>,
}

impl LoadError {
    /// Whether nothing is wrong but that this user may not read the files.
    #[must_use]
    pub fn is_only_forbidden(&self) -> bool {
        let denied = std::io::ErrorKind::PermissionDenied;
        let forbidden = |problem: &Problem| match &problem.fault {
            Fault::Unreadable(error) => error.kind() == denied,
            _ => false,
        };
        self.problems.iter().all(forbidden)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}
