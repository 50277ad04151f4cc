//! Runs a program that somebody configured: what it is told comes on standard input, no shell comes
//! between, and neither how long it takes nor what it writes is without bounds.

use std::io::{Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a program may take.
pub(crate) const COMMAND_WITHIN: Duration = Duration::from_secs(30);

/// So much of what a program complains of is told.
const COMPLAINT_BYTES: u64 = 512;

/// What the service manager tells the daemon is nobody else's business.
const DAEMONS_OWN: [&str; 6] = [
    "CREDENTIALS_DIRECTORY",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("no program is named")]
    Empty,
    #[error("'{program}' cannot be started: {source}")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("'{0}' cannot be waited for: {1}")]
    Wait(String, std::io::Error),
    #[error("'{program}' took longer than {} s and was ended", within.as_secs())]
    TooLong { program: String, within: Duration },
    #[error("'{program}' ended with {}{}", ending(*status), complaint(said))]
    Failed {
        program: String,
        status: ExitStatus,
        said: String,
    },
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "neither code nor signal".to_owned(),
    }
}

fn complaint(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

/// Runs a program and waits for its end, at most `within`; then it is killed, with all that it has
/// started.
pub(crate) fn run(command: &[String], input: &[u8], within: Duration) -> Result<(), CommandError> {
    let (program, arguments) = command.split_first().ok_or(CommandError::Empty)?;
    let mut ready = Command::new(program);
    ready
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    for name in DAEMONS_OWN {
        ready.env_remove(name);
    }
    let start = |source| CommandError::Start {
        program: program.clone(),
        source,
    };
    let mut child = ready.spawn().map_err(start)?;
    let group = i32::try_from(child.id()).ok().map(Pid::from_raw);
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let input = input.to_vec();
    // One that does not read must not hold up whoever runs it: both pipes have threads of their
    // own, which end with the program.
    let feed = move || {
        if let Some(mut stdin) = stdin {
            // A program that reads no further says so by how it ends.
            let _ = stdin.write_all(&input);
        }
    };
    let (ended, end) = sync_channel(1);
    let attend = move || {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = (&mut stderr).take(COMPLAINT_BYTES).read_to_end(&mut said);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        }
        let _ = ended.send((child.wait(), one_line(&said)));
    };
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        let builder = std::thread::Builder::new().name(name.into());
        builder.spawn(work).map(drop)
    };
    let threads =
        spawn("command-in", Box::new(feed)).and_then(|()| spawn("command-out", Box::new(attend)));
    let kill = || {
        if let Some(group) = group {
            // It may have ended by itself.
            let _ = killpg(group, Signal::SIGKILL);
        }
    };
    if let Err(error) = threads {
        kill();
        return Err(start(error));
    }
    match end.recv_timeout(within) {
        Ok((Ok(status), _)) if status.success() => Ok(()),
        Ok((Ok(status), said)) => Err(CommandError::Failed {
            program: program.clone(),
            status,
            said,
        }),
        Ok((Err(error), _)) => Err(CommandError::Wait(program.clone(), error)),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            kill();
            let program = program.clone();
            Err(CommandError::TooLong { program, within })
        }
    }
}

fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.trim().chars();
    plain
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, within: Duration) -> Result<(), CommandError> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        run(&command, b"hello\n", within)
    }

    #[test]
    fn what_is_told_comes_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        let script = format!("cat > '{}'", file.display());
        sh(&script, COMMAND_WITHIN).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"hello\n");
    }

    #[test]
    fn failures_say_what_the_program_said() {
        let error = sh("echo 'no paper' >&2; exit 3", COMMAND_WITHIN).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("code 3: no paper"), "{text}");
        let missing = run(&["/nonexistent/lp".to_owned()], b"", COMMAND_WITHIN);
        let text = missing.unwrap_err().to_string();
        assert!(
            text.contains("'/nonexistent/lp' cannot be started"),
            "{text}"
        );
        let noisy = sh("yes 1>&2 | head -c 3000000 1>&2; exit 1", COMMAND_WITHIN);
        assert!(noisy.is_err_and(|error| error.to_string().len() < 1_000));
    }

    #[test]
    fn one_that_hangs_is_ended_with_all_it_has_started() {
        let within = Duration::from_millis(300);
        let error = sh("sleep 600 & wait", within).unwrap_err();
        assert!(matches!(error, CommandError::TooLong { .. }), "{error}");
    }
}
