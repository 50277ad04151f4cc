//! Writes the manual: man pages of both programs, of each command and of the configuration file,
//! and the same with the documents of the repository as HTML that needs nothing from elsewhere.
//!
//! `cargo run -p callreel-daemon --example manual -- FOLDER` fills `FOLDER/man1`, `man5`, `man8`
//! and `FOLDER/html`. The date in the pages is that of `SOURCE_DATE_EPOCH`.

mod html;
mod man;
mod settings;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use daemon::cli::args::Cli;
use daemon::cli::daemon_args;

/// A program or a command of it, with its full name in both spellings.
struct Program {
    /// As it is typed: `callreel calls open`.
    typed: &'static str,
    /// As its page is called: `callreel-calls-open`.
    page: &'static str,
    /// The manual's section: 1 for users' commands, 8 for the daemon.
    section: u8,
    command: Command,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("usage: manual FOLDER")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("the crate has no folder above it")?;
    let programs = programs();
    let settings = settings::parse(&fs::read_to_string(root.join("packaging/callreel.toml"))?);
    let date = date()?;
    man::write(&folder, &programs, &settings, &date)?;
    html::write(&folder.join("html"), root, &programs, &settings)?;
    Ok(())
}

/// The daemon, the command line, and all its commands, outer ones first.
fn programs() -> Vec<Program> {
    let mut daemon = daemon_args::Arguments::command();
    daemon.build();
    let mut all = vec![Program {
        typed: "callreeld",
        page: "callreeld",
        section: 8,
        command: daemon,
    }];
    let mut line = Cli::command();
    line.build();
    add(&mut all, "callreel", &line);
    all
}

fn add(all: &mut Vec<Program>, typed: &str, command: &Command) {
    // clap keeps names for as long as the program runs, and so does this one.
    let page: &'static str = typed.replace(' ', "-").leak();
    all.push(Program {
        typed: typed.to_owned().leak(),
        page,
        section: 1,
        command: command.clone().name(page),
    });
    for inner in command.get_subcommands() {
        if inner.get_name() != "help" && !inner.is_hide_set() {
            add(all, &format!("{typed} {}", inner.get_name()), inner);
        }
    }
}

/// The day that the pages bear, `2026-11-30`: of the sources, or none where nobody says it.
fn date() -> Result<String, Box<dyn Error>> {
    let Some(seconds) = std::env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(String::new());
    };
    let seconds: i64 = seconds
        .to_str()
        .ok_or("SOURCE_DATE_EPOCH is no number")?
        .parse()?;
    let day = time::OffsetDateTime::from_unix_timestamp(seconds)?.date();
    Ok(day.to_string())
}
