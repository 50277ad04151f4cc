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
    /// Lines cannot come from the environment.
    #[error("lines cannot be set by the environment; put [[line]] tables into a file")]
    LineFromEnvironment,
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
    /// Two lines on one PCM.
    #[error("PCM '{pcm}' is also used at {other}; a PCM can serve one line only")]
    PcmTwice {
        /// The PCM.
        pcm: String,
        /// The other use.
        other: Place,
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
    #[error("needs [http.tls] with certificate and key")]
    TlsMissing,
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
    /// Nothing could speak.
    #[error("is empty, and there is no speech.url; give one of the two")]
    NoSpeech,
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
