//! A speech engine that is a program on this machine: started without a shell, with placeholders
//! filled in, at the lowest priority, and ended with all that it started when it takes too long.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::speech::quietly;
use crate::engine::limits;
use crate::spool::{Spool, SpoolError, off_loop};

/// Why a command gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// It is not there, or cannot be run.
    #[error("[speech] command '{program}' cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It failed.
    #[error("[speech] command ended with {status}; it said: {said}")]
    Failed {
        /// How.
        status: ExitStatus,
        /// What it wrote to standard error, the beginning of it.
        said: String,
    },
    /// It took too long and was ended.
    #[error("[speech] command took longer than {} s and was ended", .0.as_secs())]
    TimedOut(Duration),
    /// It wrote too much and was ended.
    #[error("[speech] command wrote more than {0} bytes and was ended")]
    TooLong(u64),
    /// Its input or output.
    #[error("[speech] command: {0}")]
    Io(#[from] io::Error),
}

impl From<SpoolError> for CommandError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::TooLarge(most) => Self::TooLong(most),
            SpoolError::Io(error) => Self::Io(error),
        }
    }
}

/// Lets a command speak a text into a file that exists.
///
/// # Errors
/// [`CommandError`].
pub(super) async fn run(
    template: &[String],
    text: &str,
    voice: &str,
    output: &Path,
    within: Duration,
) -> Result<(), CommandError> {
    let filled = Filled::of(template, text, voice, output);
    let writes_file = filled.writes_file;
    let input = (!filled.takes_text).then(|| Bytes::copy_from_slice(text.as_bytes()));
    let (child, group) = start(filled).await?;
    let spoken = tokio::select! {
        done = timeout(within, attend(child, &group, input, (!writes_file).then_some(output))) => {
            done.unwrap_or(Err(CommandError::TimedOut(within)))
        }
        grown = outgrown(output) => Err(grown),
    };
    drop(group);
    spoken
}

/// A command line with its placeholders filled in.
struct Filled {
    program: String,
    arguments: Vec<OsString>,
    takes_text: bool,
    writes_file: bool,
}

impl Filled {
    fn of(template: &[String], text: &str, voice: &str, output: &Path) -> Self {
        let (program, rest) = match template.split_first() {
            Some((program, rest)) => (program.clone(), rest),
            None => (String::new(), template),
        };
        let uses = |name: &str| rest.iter().any(|argument| argument.contains(name));
        Self {
            program,
            takes_text: uses(TEXT),
            writes_file: uses(OUTPUT),
            arguments: rest
                .iter()
                .map(|argument| fill(argument, text, voice, output))
                .collect(),
        }
    }
}

/// Fills one argument in, once from left to right: what is put in is not looked at again.
fn fill(template: &str, text: &str, voice: &str, output: &Path) -> OsString {
    let mut filled = OsString::new();
    let mut rest = template;
    // A text that begins like an option shall not be one; nobody hears a space.
    if rest.starts_with(TEXT) && text.starts_with('-') {
        filled.push(" ");
    }
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push(before);
        let known = [
            (TEXT, text.as_ref()),
            (VOICE, voice.as_ref()),
            (OUTPUT, output.as_os_str()),
        ];
        match known.iter().find(|(name, _)| from.starts_with(name)) {
            Some((name, value)) => {
                filled.push(value);
                rest = &from[name.len()..];
            }
            None => {
                filled.push("{");
                rest = &from[1..];
            }
        }
    }
    filled.push(rest);
    filled
}

const TEXT: &str = "{text}";
const VOICE: &str = "{voice}";
const OUTPUT: &str = "{output}";

/// The process group of a command: all that it starts, unless it takes pains.
struct Group(Option<Pid>);

impl Group {
    fn end(&self) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

async fn start(filled: Filled) -> Result<(Child, Group), CommandError> {
    let program = filled.program.clone();
    let runtime = Handle::current();
    let started = quietly(move || {
        let _runtime = runtime.enter();
        let mut command = Command::new(&filled.program);
        command
            .args(&filled.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for name in DAEMONS_OWN {
            command.env_remove(name);
        }
        command.spawn()
    });
    let child = started
        .await?
        .map_err(|source| CommandError::Start { program, source })?;
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    Ok((child, Group(group.map(Pid::from_raw))))
}

/// What the service manager tells the daemon is nobody else's business.
const DAEMONS_OWN: [&str; 6] = [
    "CREDENTIALS_DIRECTORY",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Feeds a command, takes what it writes, and waits for its end.
async fn attend(
    mut child: Child,
    group: &Group,
    input: Option<Bytes>,
    output: Option<&Path>,
) -> Result<(), CommandError> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A command that reads no further says so by how it ends.
            let _ = stdin.write_all(&input).await;
        }
    };
    let wait = async {
        let status = child.wait().await;
        // What it left behind would keep the pipes open.
        group.end();
        status
    };
    let take = async {
        let taken = take(stdout, output).await;
        if taken.is_err() {
            group.end();
        }
        taken
    };
    let (status, (), taken, said) = tokio::join!(wait, feed, take, complaint(stderr));
    let status = status?;
    // What is not taken any more makes a command fail: that comes first.
    taken?;
    if status.success() {
        Ok(())
    } else {
        Err(CommandError::Failed { status, said })
    }
}

/// Takes standard output into the file, if that is where the sound comes.
async fn take(
    stdout: Option<impl AsyncRead + Unpin>,
    output: Option<&Path>,
) -> Result<(), CommandError> {
    let Some(mut stdout) = stdout else {
        return Ok(());
    };
    let Some(output) = output else {
        tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await?;
        return Ok(());
    };
    let mut spool = Spool::open(output, limits::FETCH_BYTES).await?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match stdout.read(&mut piece).await? {
            0 => break,
            count => spool.push(&Bytes::copy_from_slice(&piece[..count])).await?,
        }
    }
    spool.finish().await?;
    Ok(())
}

const PIECE_BYTES: usize = 64 * 1_024;

/// The beginning of what a command complains of, on one line; the rest is read and dropped.
async fn complaint(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else {
        return String::new();
    };
    let mut said = Vec::new();
    let most = limits::SPEECH_COMPLAINT_BYTES as u64;
    let _ = (&mut stderr).take(most).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    let text = String::from_utf8_lossy(&said);
    let one_line = text.trim().chars();
    one_line
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Ends when a file has become too long.
async fn outgrown(output: &Path) -> CommandError {
    let mut look = interval(limits::SPEECH_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let output = output.to_owned();
        let length = off_loop(move || Ok(std::fs::metadata(output)?.len())).await;
        if length.is_ok_and(|length| length > limits::FETCH_BYTES) {
            return CommandError::TooLong(limits::FETCH_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once() {
        let output = Path::new("/o/1.wav");
        let fill = |template: &str, text: &str| fill(template, text, "en", output);
        assert_eq!(fill("{text}", "a {voice} {output}"), "a {voice} {output}");
        assert_eq!(fill("-v{voice}", ""), "-ven");
        assert_eq!(fill("{output}", ""), "/o/1.wav");
        assert_eq!(fill("a{b}{text}{", "x"), "a{b}x{");
        assert_eq!(fill("{text}", "-w/etc/x"), " -w/etc/x");
        assert_eq!(fill("--text={text}", "-x"), "--text=-x");
        let template = ["say", "{text}", "-o", "{output}"].map(str::to_owned);
        let filled = Filled::of(&template, "t", "en", output);
        assert_eq!(filled.program, "say");
        assert_eq!(filled.arguments, ["t", "-o", "/o/1.wav"]);
        assert!(filled.takes_text && filled.writes_file);
    }
}
