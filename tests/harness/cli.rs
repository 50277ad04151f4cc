//! Runs the `callreel` command line.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process;

/// What a command did.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command, for messages.
    pub command: String,
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Output {
    /// Insists on success.
    ///
    /// # Panics
    /// When the command failed.
    #[must_use]
    pub fn success(self) -> Self {
        assert_eq!(
            self.code, 0,
            "{} failed:\n{}{}",
            self.command, self.stdout, self.stderr
        );
        self
    }

    /// Insists on failure with a message, not with a panic.
    ///
    /// # Panics
    /// When the command succeeded, crashed or said nothing.
    #[must_use]
    pub fn failure(self) -> Self {
        assert!(
            self.code > 0 && self.code < 100,
            "{} ended with {}",
            self.command,
            self.code
        );
        assert!(
            !self.stderr.trim().is_empty(),
            "{} failed without a word",
            self.command
        );
        assert!(
            !self.stderr.contains("panicked"),
            "{}: {}",
            self.command,
            self.stderr
        );
        self
    }

    /// Its standard output as JSON.
    ///
    /// # Panics
    /// When it failed or printed something else.
    #[must_use]
    pub fn json(self) -> Value {
        let done = self.success();
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| {
            panic!(
                "{} did not print JSON ({error}): {}",
                done.command, done.stdout
            )
        })
    }
}

/// Runs one of the product's binaries to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run<S: AsRef<OsStr>>(binary: &str, arguments: &[S], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(process::binaries().join(binary));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CALLREEL__") {
            command.env_remove(name);
        }
    }
    command.envs(environment.iter().copied());
    let text = arguments
        .iter()
        .map(|argument| argument.as_ref().to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{binary}: {error}"));
    Output {
        command: format!("{binary} {text}"),
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
