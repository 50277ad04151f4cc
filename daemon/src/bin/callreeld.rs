//! `callreeld`, the daemon: reads its configuration, sets up logging, and runs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use audio_io::clock::SystemClock;
use clap::Parser;
use daemon::cli::exit::Exit;
use daemon::cli::output::{complain, write};
use daemon::config::{self, Loaded, Origin};
use daemon::{logging, material, run};

const AFTER_HELP: &str = "SIGNALS
  SIGTERM, SIGINT  seal open recordings and stop; the third one stops at once
  SIGHUP           read the configuration again

EXIT CODES
  0  stopped as asked, or the configuration is valid
  1  failed; the journal or standard error says why
  2  the command line or the configuration cannot be used

EXAMPLE
  callreeld --config /etc/callreel/callreel.toml --check";

/// Records calls from sound cards and serves the recordings.
#[derive(Debug, Parser)]
#[command(name = "callreeld", version, after_help = AFTER_HELP)]
struct Arguments {
    /// The configuration file [default: /etc/callreel/callreel.toml, where it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, print a verdict, and do nothing else
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // Help that cannot be written has nobody to read it.
            let _ = error.print();
            return exit.into();
        }
    };
    let loaded = match config::load(&Origin::new(arguments.config)) {
        Ok(loaded) => loaded,
        Err(error) => {
            complain(&format!(
                "{error}\ncallreeld: the configuration cannot be used"
            ));
            return Exit::Usage.into();
        }
    };
    if arguments.check {
        return verdict(&loaded).into();
    }
    if let Err(error) = logging::install(loaded.config.log.level, Arc::new(SystemClock)) {
        complain(&format!("callreeld: {error}"));
        return Exit::Failed.into();
    }
    match run::run(loaded) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            log::error!("{error}");
            error.exit().into()
        }
    }
}

fn verdict(loaded: &Loaded) -> Exit {
    let mut text = String::from("the configuration is valid\n");
    if loaded.files.is_empty() {
        text.push_str(&format!(
            "there is no {}: built-in defaults hold\n",
            loaded.origin.file().display()
        ));
    }
    for file in &loaded.files {
        text.push_str(&format!("read: {}\n", file.display()));
    }
    for table in &loaded.tables {
        text.push_str(&format!("line: {}\n", table.described()));
    }
    let certificate = material::verdict(&loaded.config, &SystemClock);
    if let Ok(Some(about)) = &certificate {
        text.push_str(&format!("certificate: {about}\n"));
    }
    match (write(&text), certificate) {
        (_, Err(error)) => {
            complain(&format!("callreeld: {error}"));
            error.exit()
        }
        (Ok(()), Ok(_)) => Exit::Ok,
        (Err(_), Ok(_)) => Exit::Failed,
    }
}
