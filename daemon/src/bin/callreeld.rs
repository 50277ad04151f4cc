//! `callreeld`, the daemon: reads its configuration, sets up logging, and runs.

use std::process::ExitCode;
use std::sync::Arc;

use audio_io::clock::SystemClock;
use clap::Parser;
use daemon::cli::daemon_args::Arguments;
use daemon::cli::exit::Exit;
use daemon::cli::output::{complain, write};
use daemon::config::{self, Loaded, Origin};
use daemon::{logging, run};

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
            Exit::Failed.into()
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
    match write(&text) {
        Ok(()) => Exit::Ok,
        Err(_) => Exit::Failed,
    }
}
