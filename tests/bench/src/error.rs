//! Why a benchmark could not be run.

use std::io;

/// Everything that stops a run. Nothing here is a slow result: those are reported, not failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A command line that makes no sense.
    Usage(String),
    /// No benchmark of this name.
    UnknownBenchmark(String),
    /// A program that is needed is missing.
    Missing {
        program: String,
        remedy: &'static str,
    },
    /// The system refused something.
    Io { what: String, source: io::Error },
    /// A program that was started did not do its work.
    Program { what: String, said: String },
    /// A server answered wrongly; its speed is then of no interest.
    Answer { server: String, what: String },
    /// Our own store refused something.
    Store {
        what: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Keys, certificates or TLS could not be made.
    Tls {
        what: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The peer's database refused something.
    Sqlite(rusqlite::Error),
}

impl Failure {
    /// For `map_err`: an I/O error while doing `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// For `map_err`: a system call's error while doing `what`.
    pub(crate) fn errno(what: impl Into<String>) -> impl FnOnce(nix::errno::Errno) -> Self {
        let what = what.into();
        move |errno| Self::Io {
            what,
            source: errno.into(),
        }
    }

    /// For `map_err`: the store's error while doing `what`.
    pub(crate) fn store<E>(what: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::Store {
            what,
            source: Box::new(source),
        }
    }

    /// For `map_err`: an error of keys, certificates or TLS while doing `what`.
    pub(crate) fn tls<E>(what: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::Tls {
            what,
            source: Box::new(source),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}; 'bench --help' explains"),
            Self::UnknownBenchmark(name) => {
                write!(f, "no benchmark '{name}'; 'bench --help' lists them")
            }
            Self::Missing { program, remedy } => write!(f, "{program} is missing; {remedy}"),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Program { what, said } => write!(f, "{what} failed: {said}"),
            Self::Answer { server, what } => write!(f, "{server} answered wrongly: {what}"),
            Self::Store { what, source } | Self::Tls { what, source } => {
                write!(f, "{what}: {source}")
            }
            Self::Sqlite(error) => write!(f, "SQLite: {error}"),
        }
    }
}
