//! `callreeld`, the daemon: reads its configuration, sets up logging, and runs.

#![allow(
    unsafe_code,
    reason = "sockets that are passed are taken before there are threads"
)]

use std::process::ExitCode;
use std::sync::Arc;

use audio_io::clock::SystemClock;
use clap::Parser;
use daemon::cli::daemon_args::Arguments;
use daemon::cli::exit::Exit;
use daemon::cli::output::{complain, write};
use daemon::config::{self, Loaded, Origin};
use daemon::passed::Passed;
use daemon::{catalog, failure, logging, material, notify, run};

fn main() -> ExitCode {
    // SAFETY: the first thing the process does, before it has threads or opens anything.
    let passed = unsafe { Passed::take() };
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
            return failure::of_config(&error).into();
        }
    };
    if arguments.check {
        return verdict(&loaded).into();
    }
    let waits = |error: &dyn std::fmt::Display| {
        complain(&format!(
            "callreeld: a restored configuration waits and the present one is used: {error}; \
             'callreel restore --finish' as root puts it in place"
        ));
    };
    let loaded = match daemon::backup::finish_at_start(loaded, waits) {
        Ok(loaded) => loaded,
        Err(error) => {
            complain(&format!(
                "{error}\ncallreeld: the restored configuration cannot be used"
            ));
            return Exit::Usage.into();
        }
    };
    if let Err(error) = logging::install(loaded.config.log.level, Arc::new(SystemClock)) {
        complain(&format!("callreeld: {error}"));
        return Exit::Failed.into();
    }
    let passed = match passed {
        Ok(passed) => passed,
        Err(error) => {
            log::error!("{error}");
            return Exit::Usage.into();
        }
    };
    match run::run(loaded, passed) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            tell(&error);
            error.exit().into()
        }
    }
}

/// The last line of the journal says what to do, and `systemctl status` shows it too.
fn tell(error: &failure::RunError) {
    let exit = error.exit();
    let text = match error.remedy() {
        Some(remedy) => format!("{error}; to mend it: {remedy}"),
        None => error.to_string(),
    };
    log::error!(
        message_id = catalog::START_REFUSED, code = exit.word(), exit_code = exit.code();
        "{text}"
    );
    notify::status(&text);
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
        if table.gives_notice(loaded.config.listen.notice_tone) && !table.plays() {
            text.push_str(&format!(
                "note: line {}: nothing can be played to it, so its parties hear no notice tone \
                 while somebody listens\n",
                table.name
            ));
        }
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
