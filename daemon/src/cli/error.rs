//! Why a command failed, in words that say what to do, and with which exit code.

use std::io::ErrorKind;
use std::path::PathBuf;

use storage::backup::BackupError;
use storage::error::OpenError;
use storage::export::{DraftError, Flaw};
use storage::ledger::key::KeyError;
use storage::limits::PASSWORD_BYTES;
use storage::restore::RestoreError;

use super::exit::Exit;
use crate::config::LoadError;
use crate::control::wire::{ErrorBody, ErrorCode, NoFrame};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used.
    #[error("the configuration cannot be used:\n{0}")]
    Config(#[from] LoadError),
    /// Nobody answers on the socket.
    #[error(
        "the daemon is not running: nothing answers at '{}' ({source}); start it with 'systemctl \
         start callreeld' or 'callreeld', or name its socket with --socket",
        socket.display()
    )]
    NotRunning {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket does not let this user connect.
    #[error(
        "this user may not connect to '{}': become root or the daemon's own user, or join the \
         group that [control].group names",
        .0.display()
    )]
    Denied(PathBuf),
    /// The daemon said no.
    #[error("{}", .0.message)]
    Refused(ErrorBody),
    /// The conversation broke off.
    #[error("the daemon stopped answering: {0}; 'journalctl -u callreeld' may say why")]
    Broken(#[source] hyper::Error),
    /// The daemon said something else than this version expects.
    #[error("the daemon's answer is not understood ({0}); are both of the same version?")]
    NotUnderstood(#[source] serde_json::Error),
    /// The answer ended before it was whole.
    #[error("the daemon's answer ended early; 'journalctl -u callreeld' may say why")]
    Cut,
    /// A request could not be written.
    #[error("the request cannot be written: {0}")]
    Request(#[from] http::Error),
    /// A value could not be shown.
    #[error("cannot write JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// A file of this command.
    #[error("cannot {what} '{}': {source}", path.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that is there already.
    #[error("'{}' exists; choose another name or give --force", .0.display())]
    Exists(PathBuf),
    /// Standard output or the terminal.
    #[error("cannot write: {0}")]
    Output(#[source] std::io::Error),
    /// Nobody to ask.
    #[error("there is no terminal to ask on; give --yes to go ahead, or --dry-run to look")]
    NoTerminal,
    /// Nobody to ask for a password.
    #[error("there is no terminal to ask for the password on; give --password-stdin or --generate")]
    NoPassword,
    /// Two different ones were typed.
    #[error("the two passwords differ; nothing was changed")]
    PasswordsDiffer,
    /// Too short, or too long.
    #[error("a password has {} to {} bytes; nothing was changed",
            PASSWORD_BYTES.0, PASSWORD_BYTES.1)]
    PasswordLength,
    /// Ctrl-C at a question.
    #[error("cancelled; nothing was changed")]
    Cancelled,
    /// Standard input or the terminal.
    #[error("cannot read: {0}")]
    Input(#[source] std::io::Error),
    /// No random bytes.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
    /// An option that names one recording, with several files.
    #[error("{0} names a single recording; give one FILE with it")]
    SingleOnly(&'static str),
    /// The data folder is in use.
    #[error(
        "the daemon is running (it answers at '{}'): stop it first, with 'systemctl stop \
         callreeld'; the index cannot be rebuilt while it is in use",
        .0.display()
    )]
    DaemonRuns(PathBuf),
    /// `setup` without answers.
    #[error(
        "there is no terminal to ask on; give --yes with --tenant, --line and so on, or --answers \
         FILE"
    )]
    SetupNeedsAnswers,
    /// An answer of `setup` that cannot be.
    #[error("{key}: '{found}' will not do; it must be {wanted}")]
    Answer {
        /// The flag's or key's name.
        key: &'static str,
        /// What was given.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A file of answers that cannot be read.
    #[error("'{}': {source}; 'callreel setup --help' lists its keys", path.display())]
    AnswersFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ::config::ConfigError,
    },
    /// A file that `setup` would replace.
    #[error(
        "'{}' was written or changed by hand, and setup replaces only what it wrote itself; \
         rename it (to 60-own.toml) to keep its settings, or delete it", .0.display()
    )]
    HandMade(PathBuf),
    /// The doctor found problems.
    #[error("problems were found; each says how to mend it")]
    Unhealthy(Exit),
    /// The check found something.
    #[error("{0} problems were found")]
    Damage(u64),
    /// Some of several could not be done; each has been told.
    #[error("{failed} of {all} failed")]
    Some {
        /// So many failed.
        failed: usize,
        /// Of so many.
        all: usize,
    },
    /// A session did not do what it was told to.
    #[error("{command} failed: {error}")]
    CommandFailed {
        /// The command.
        command: String,
        /// Why.
        error: String,
    },
    /// A command was taken on, and nothing more was heard of it.
    #[error("{0} was taken on, but its outcome was not told in time; 'callreel calls' shows more")]
    NoOutcome(String),
    /// No session's UUID begins like this.
    #[error("no session begins with '{0}'; 'callreel calls' lists those that are on")]
    NoSession(String),
    /// Several do.
    #[error("{count} sessions begin with '{beginning}'; give more of the UUID")]
    SeveralSessions {
        /// The letters.
        beginning: String,
        /// How many there are.
        count: usize,
    },
    /// The daemon went away while it was listened to.
    #[error("the daemon has stopped; begin again when it runs")]
    DaemonWent,
    /// Checking or rebuilding.
    #[error(transparent)]
    Upkeep(#[from] crate::control::UpkeepError),
    /// A backup that was not made.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A backup that is not whole, or was not put back.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The file of an export.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// An archive of an export that is not what it must be, told by its report.
    #[error("the archive: {0}")]
    Flawed(Flaw),
    /// A key that cannot be used or made.
    #[error("the key '{}': {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// The daemon's answer is not in frames.
    #[error(transparent)]
    Frames(#[from] NoFrame),
    /// Files of a backup that cannot be read.
    #[error(transparent)]
    Source(#[from] crate::backup::SourceError),
    /// Files of a backup that cannot be put in place.
    #[error(transparent)]
    Plan(#[from] crate::backup::PlanError),
    /// systemctl.
    #[error(
        "the restore is prepared, but the daemon was not restarted{}: restart it by hand",
        .0.as_ref().map_or_else(String::new, |error| format!(" (systemctl: {error})"))
    )]
    NoRestart(Option<std::io::Error>),
    /// A sound device.
    #[error(transparent)]
    Device(#[from] super::devices::DeviceError),
}

impl CliError {
    /// The exit code that tells it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::NoTerminal
            | Self::NoPassword
            | Self::PasswordsDiffer
            | Self::PasswordLength
            | Self::SeveralSessions { .. }
            | Self::SetupNeedsAnswers
            | Self::Answer { .. }
            | Self::AnswersFile { .. }
            | Self::Key { .. }
            | Self::SingleOnly(_) => Exit::Usage,
            Self::Backup(error) => of_backup(error),
            Self::Restore(error) => of_restore(error),
            Self::Plan(crate::backup::PlanError::Config(_)) => Exit::Usage,
            Self::Draft(DraftError::Exists(_)) => Exit::Conflict,
            Self::Draft(DraftError::NoName(_)) => Exit::Usage,
            Self::Draft(DraftError::Io { source, .. }) | Self::Flawed(Flaw::Io(source)) => {
                of_io(source)
            }
            Self::Flawed(Flaw::Newer { .. }) => Exit::Foreign,
            Self::Unhealthy(exit) => *exit,
            Self::NoSession(_) => Exit::NotFound,
            Self::NotRunning { .. } | Self::DaemonWent => Exit::NotRunning,
            Self::Denied(_) => Exit::Denied,
            Self::Exists(_) | Self::HandMade(_) | Self::DaemonRuns(_) => Exit::Conflict,
            Self::Upkeep(error) if error.is_locked() => Exit::Conflict,
            Self::Refused(body) => match body.code {
                ErrorCode::NotFound => Exit::NotFound,
                ErrorCode::Denied => Exit::Denied,
                ErrorCode::Conflict => Exit::Conflict,
                ErrorCode::BadRequest | ErrorCode::MethodNotAllowed | ErrorCode::TooLarge => {
                    Exit::Usage
                }
                ErrorCode::Unusable | ErrorCode::Unavailable | ErrorCode::Internal => Exit::Failed,
            },
            Self::File { source, .. } => match source.kind() {
                ErrorKind::NotFound => Exit::NotFound,
                ErrorKind::PermissionDenied => Exit::Denied,
                _ => Exit::Failed,
            },
            _ => Exit::Failed,
        }
    }
}

const fn of_open(error: &OpenError) -> Exit {
    match error {
        OpenError::Locked(_) => Exit::Conflict,
        OpenError::NewerSchema { .. } => Exit::Foreign,
        OpenError::NoRoom { .. } => Exit::Disk,
        _ => Exit::Failed,
    }
}

fn of_io(error: &std::io::Error) -> Exit {
    match error.kind() {
        ErrorKind::PermissionDenied => Exit::Denied,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem => {
            Exit::Disk
        }
        _ => Exit::Failed,
    }
}

fn of_backup(error: &BackupError) -> Exit {
    match error {
        BackupError::Open(error) => of_open(error),
        BackupError::NoIndex(_) => Exit::NotFound,
        BackupError::Write(error) => of_io(error),
        _ => Exit::Failed,
    }
}

fn of_restore(error: &RestoreError) -> Exit {
    match error {
        RestoreError::Archive(error) if error.is_foreign() => Exit::Foreign,
        RestoreError::Open(error) => of_open(error),
        RestoreError::Io { source, .. } => of_io(source),
        RestoreError::NoRoom { .. } => Exit::Disk,
        RestoreError::Pending(_) | RestoreError::Busy(_) | RestoreError::Journal(_) => {
            Exit::Conflict
        }
        RestoreError::NonePending(_) => Exit::NotFound,
        _ => Exit::Failed,
    }
}
