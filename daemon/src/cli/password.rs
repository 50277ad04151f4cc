//! Where a new password or key comes from: the terminal, without echo; standard input; or chance.
//! Never an argument, which other users of the machine can see.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use storage::limits::PASSWORD_BYTES;

use super::args::PasswordArgs;
use super::error::CliError;

/// A password that was obtained.
pub(super) struct Password {
    /// The password.
    pub(super) text: String,
    /// Whether it was made here, and nobody knows it yet.
    pub(super) made: bool,
}

/// Gets a password the way that was asked for.
///
/// # Errors
/// [`CliError::NoPassword`] where there is no terminal, [`CliError::PasswordsDiffer`],
/// [`CliError::PasswordLength`], [`CliError::Random`], and what reading fails with.
pub(super) fn obtain(source: PasswordArgs) -> Result<Password, CliError> {
    if source.generate {
        let text = make()?;
        return Ok(Password { text, made: true });
    }
    let text = if source.password_stdin {
        line(&mut std::io::stdin().lock()).map_err(CliError::Input)?
    } else {
        ask_twice()?
    };
    if !(PASSWORD_BYTES.0..=PASSWORD_BYTES.1).contains(&text.len()) {
        return Err(CliError::PasswordLength);
    }
    Ok(Password { text, made: false })
}

/// An application's key from standard input, or by chance; none where neither is asked for. Its
/// form is the daemon's business.
///
/// # Errors
/// [`CliError::Random`], and what reading fails with.
pub(super) fn api_key(from_stdin: bool, generate: bool) -> Result<Option<Password>, CliError> {
    if generate {
        let text = make()?;
        return Ok(Some(Password { text, made: true }));
    }
    if !from_stdin {
        return Ok(None);
    }
    let text = line(&mut std::io::stdin().lock()).map_err(CliError::Input)?;
    Ok(Some(Password { text, made: false }))
}

fn ask_twice() -> Result<String, CliError> {
    // A script whose input is not a terminal is not asked, whatever terminal it was started from.
    if !std::io::stdin().is_terminal() {
        return Err(CliError::NoPassword);
    }
    let opened = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let terminal = opened.map_err(|_| CliError::NoPassword)?;
    let first = ask(&terminal, "New password: ")?;
    let second = ask(&terminal, "The same again: ")?;
    if first != second {
        return Err(CliError::PasswordsDiffer);
    }
    Ok(first)
}

fn ask(mut terminal: &File, question: &str) -> Result<String, CliError> {
    let silence = Silence::begin(terminal).map_err(CliError::Input)?;
    let answered = terminal
        .write_all(question.as_bytes())
        .and_then(|()| line(&mut BufReader::new(terminal)));
    drop(silence);
    // The line's end was not echoed either.
    terminal.write_all(b"\n").map_err(CliError::Output)?;
    let answer = answered.map_err(CliError::Input)?;
    if answer.contains(INTERRUPT) {
        return Err(CliError::Cancelled);
    }
    Ok(answer)
}

/// Ctrl-C, which is a letter while signals are off.
const INTERRUPT: char = '\u{3}';

/// A terminal that shows nothing and sends no signals, so that nothing can leave it that way.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(terminal: &'a File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ISIG);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

/// One line without its end. What is too long for a password is not read to its end.
fn line(input: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    input.take(LINE_BYTES).read_line(&mut line)?;
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    Ok(line)
}

const LINE_BYTES: u64 = 4_096;

/// 24 letters and digits that look like no others: 139 bits.
fn make() -> Result<String, CliError> {
    let mut text = String::with_capacity(MADE_LETTERS);
    while text.len() < MADE_LETTERS {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(CliError::Random)?;
        let fair = u8::try_from(256 / ALPHABET.len() * ALPHABET.len() - 1).unwrap_or(u8::MAX);
        let letters = bytes.iter().filter(|byte| **byte <= fair);
        let letters = letters.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        text.extend(letters.take(MADE_LETTERS - text.len()));
    }
    Ok(text)
}

const MADE_LETTERS: usize = 24;
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_passwords_are_long_and_differ() {
        let (one, other) = (make().unwrap(), make().unwrap());
        assert_eq!((one.len(), other.len()), (MADE_LETTERS, MADE_LETTERS));
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert!(!one.contains(['0', 'O', '1', 'l', 'I']));
    }

    #[test]
    fn one_line_is_read_without_its_end() {
        let read = |text: &str| line(&mut text.as_bytes()).unwrap();
        assert_eq!(read("secret word\nmore\n"), "secret word");
        assert_eq!(read("secret\r\n"), "secret");
        assert_eq!(read(""), "");
        let long = "x".repeat(10_000);
        assert_eq!(read(&long).len(), 4_096);
    }
}
