//! The only place that prints: text for people, JSON for programs, progress, and questions.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::error::CliError;
use crate::control::wire::Progress;

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Text, or JSON.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON is wanted.
    #[must_use]
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a value as JSON, or else the text made from it.
    ///
    /// # Errors
    /// [`CliError::Output`] when standard output refuses.
    pub fn show<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        if !self.json {
            return write(&text(value));
        }
        let json = serde_json::to_string_pretty(value).map_err(CliError::NotJson)?;
        write(&format!("{json}\n"))
    }

    /// Prints a remark that no program needs, to standard error; nothing with `--json`.
    pub fn remark(self, text: &str) {
        if !self.json {
            complain(text);
        }
    }

    /// Asks for a yes on the terminal.
    ///
    /// # Errors
    /// [`CliError::NoTerminal`] where there is nobody to ask.
    pub fn confirm(self, question: &str) -> Result<bool, CliError> {
        let input = std::io::stdin();
        if !input.is_terminal() || !std::io::stderr().is_terminal() {
            return Err(CliError::NoTerminal);
        }
        let mut errors = std::io::stderr().lock();
        write!(errors, "{question} [y/N] ")
            .and_then(|()| errors.flush())
            .map_err(CliError::Output)?;
        let mut answer = String::new();
        input.read_line(&mut answer).map_err(CliError::Output)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// A bar on a terminal, lines elsewhere, nothing with `--json`.
    #[must_use]
    pub fn meter(self) -> Meter {
        if self.json {
            Meter::Silent
        } else if std::io::stderr().is_terminal() {
            Meter::Bar(ProgressBar::no_length())
        } else {
            Meter::Lines {
                stage: String::new(),
                tenth: 0,
            }
        }
    }
}

/// Prints an error to standard error.
pub fn complain(text: &str) {
    // With standard error closed there is nobody to tell; the exit code remains.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes to standard output.
///
/// # Errors
/// [`CliError::Output`]; a reader that went away (as `| head` does) is no error.
pub fn write(text: &str) -> Result<(), CliError> {
    write_bytes(text.as_bytes())
}

/// Writes bytes to standard output.
///
/// # Errors
/// [`CliError::Output`], as for [`write`].
pub fn write_bytes(bytes: &[u8]) -> Result<(), CliError> {
    put(bytes).map(drop)
}

/// Writes to standard output for as long as there is a reader; false when it went away.
///
/// # Errors
/// [`CliError::Output`].
pub fn write_on(text: &str) -> Result<bool, CliError> {
    put(text.as_bytes())
}

fn put(bytes: &[u8]) -> Result<bool, CliError> {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true).map_err(CliError::Output),
    }
}

/// Shows how far a long job is, on standard error.
#[derive(Debug)]
pub enum Meter {
    /// A bar that moves.
    Bar(ProgressBar),
    /// A line for each stage, and for each tenth of it.
    Lines {
        /// The stage told last.
        stage: String,
        /// The tenth told last.
        tenth: u64,
    },
    /// Nothing.
    Silent,
}

impl Meter {
    /// Shows progress.
    pub fn show(&mut self, progress: &Progress) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                if bar.message() != progress.stage {
                    bar.set_style(style(progress.total > 0));
                    bar.set_message(progress.stage.clone());
                    bar.enable_steady_tick(Duration::from_millis(200));
                }
                if progress.total > 0 {
                    bar.set_length(progress.total);
                }
                bar.set_position(progress.done);
            }
            Self::Lines { stage, tenth } => {
                let now = (progress.done * 10)
                    .checked_div(progress.total)
                    .unwrap_or(0);
                if *stage == progress.stage && now <= *tenth {
                    return;
                }
                stage.clone_from(&progress.stage);
                *tenth = now;
                if progress.total > 0 {
                    complain(&format!(
                        "{}: {} of {}",
                        stage, progress.done, progress.total
                    ));
                } else {
                    complain(stage);
                }
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn style(bounded: bool) -> ProgressStyle {
    let template = if bounded {
        "{msg} [{bar:40}] {pos}/{len} {eta}"
    } else {
        "{msg} {spinner} {pos}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Rows under a heading, in columns as wide as they must be. Control characters are escaped: what
/// a device or a caller is named must not move the cursor.
#[must_use]
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| std::array::from_fn(|i| printable(&row[i])))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(heading);
    for row in &rows {
        text.push_str(&line(std::array::from_fn(|i| row[i].as_str())));
    }
    text
}

/// Text without control characters.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let (escaped, plain) = if c.is_control() {
                (Some(c.escape_default()), None)
            } else {
                (None, Some(c))
            };
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// `1:02:03`, or `2:03`.
#[must_use]
pub fn length(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `1.5 MiB`
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1_024;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// A value, or a dash.
#[must_use]
pub fn or_dash(value: Option<&str>) -> String {
    value.unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_cannot_move_the_cursor() {
        let rows = [["1".into(), "ab\u{1b}c".into()], ["222".into(), "d".into()]];
        let text = table(["ID", "NAME"], &rows);
        assert_eq!(text, "ID   NAME\n1    ab\\u{1b}c\n222  d\n");
    }

    #[test]
    fn lengths_and_sizes_read_well() {
        assert_eq!(length(59_999), "0:59");
        assert_eq!(length(3_723_000), "1:02:03");
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(1 << 31), "2.0 GiB");
    }
}
