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
}

impl Exit {
    /// Every code with its meaning.
    pub const ALL: [(Self, &'static str); 7] = [
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
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
