//! The exit codes of both programs, in one place.

use std::process::ExitCode;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Tried and failed; standard error says why. `check` found damage.
    Failed,
    /// The command line or the configuration cannot be used.
    Usage,
    /// The daemon is not running, or cannot be reached.
    NotRunning,
    /// What was named does not exist.
    NotFound,
    /// Not allowed for this user.
    Denied,
    /// Not possible as things stand: the line is busy, the name is taken, the daemon runs.
    Conflict,
    /// An address or a socket is somebody else's, or not this machine's.
    Address,
    /// A file system is full, read-only or not mounted.
    Disk,
    /// The index is of a version that this one does not know.
    Foreign,
    /// A certificate or its key cannot be used, or has expired.
    Certificate,
    /// A sound card, a telephone channel or what drives it is not there.
    Device,
}

impl Exit {
    /// Every code with its meaning.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Ok, "done"),
        (Self::Failed, "failed; 'check' found damage"),
        (
            Self::Usage,
            "the command line or the configuration cannot be used",
        ),
        (Self::NotRunning, "the daemon is not running"),
        (Self::NotFound, "what was named does not exist"),
        (Self::Denied, "this user may not do that"),
        (
            Self::Conflict,
            "not possible as things stand (busy, taken, running)",
        ),
        (
            Self::Address,
            "an address or socket is in use, or not this machine's",
        ),
        (
            Self::Disk,
            "a file system is full, read-only or not mounted",
        ),
        (
            Self::Foreign,
            "the index is of a version that this one does not know",
        ),
        (
            Self::Certificate,
            "a certificate or its key has expired or cannot be used",
        ),
        (Self::Device, "a sound card or telephone channel is missing"),
    ];

    /// The word that `--json` prints for a failure.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotRunning => "not_running",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::Address => "address",
            Self::Disk => "disk",
            Self::Foreign => "foreign",
            Self::Certificate => "certificate",
            Self::Device => "device",
        }
    }

    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::NotFound => 4,
            Self::Denied => 5,
            Self::Conflict => 6,
            Self::Address => 10,
            Self::Disk => 11,
            Self::Foreign => 12,
            Self::Certificate => 13,
            Self::Device => 14,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
