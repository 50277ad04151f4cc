//! The command line, `callreel`. Each command is a thin client of the control socket; `check`,
//! `reindex`, `verify`, `devices`, `setup` and `doctor` also work without a daemon.
//!
//! ```text
//!  args ──▶ run ──▶ status, calls, watch, webhooks, access, users, ──▶ client.rs ──▶ daemon
//!              │    prompts, recordings, import, keeping, retention
//!              ├──▶ audit.rs ──▶ daemon, or the data folder
//!              ├──▶ upkeep.rs, backup.rs, restore.rs ──▶ daemon, or the data folder
//!              ├──▶ export.rs ──▶ daemon; verify.rs ──▶ an archive
//!              ├──▶ setup, doctor ──▶ the configuration, this machine
//!              └──▶ devices.rs ──▶ ALSA                      all ──▶ output.rs ──▶ terminal
//! ```

mod access;
pub mod args;
mod audit;
mod backup;
mod calls;
pub mod client;
pub mod daemon_args;
pub mod devices;
mod doctor;
pub mod error;
pub mod exit;
mod export;
mod import;
mod keeping;
mod lines;
pub mod output;
mod partial;
mod password;
mod prompts;
mod recordings;
mod restore;
mod retained;
mod retention;
mod setup;
mod status;
#[cfg(test)]
mod tests;
mod upkeep;
mod users;
mod verify;
mod watch;
mod webhooks;

use std::ffi::OsString;
use std::path::PathBuf;

use args::{Cli, Command, Common};
use clap::Parser;
use client::Client;
use error::CliError;
use exit::Exit;
use output::Output;

use crate::config::{self, Loaded, Origin};

/// What every command has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) output: Output,
    common: Common,
}

impl Context {
    fn new(common: Common, lenient: bool) -> Result<Self, CliError> {
        let socket = match &common.socket {
            Some(socket) => socket.clone(),
            None => configured_socket(&common, lenient)?,
        };
        Ok(Self {
            client: Client::new(socket),
            output: Output::new(common.json),
            common,
        })
    }

    /// The data folder of the configuration.
    pub(crate) fn configured_data_dir(&self) -> Result<PathBuf, CliError> {
        Ok(self.loaded()?.config.storage.data_dir)
    }

    /// The configuration.
    pub(crate) fn loaded(&self) -> Result<Loaded, CliError> {
        Ok(config::load(&self.origin())?)
    }

    /// Where it is read from.
    pub(crate) fn origin(&self) -> Origin {
        Origin::new(self.common.config.clone())
    }
}

/// The socket of the configuration. Members of the control group need not be allowed to read the
/// default file: for them it is where it is by default.
fn configured_socket(common: &Common, lenient: bool) -> Result<PathBuf, CliError> {
    match config::load(&Origin::new(common.config.clone())) {
        Ok(loaded) => Ok(loaded.config.control.socket),
        Err(error) if lenient || (common.config.is_none() && error.is_only_forbidden()) => {
            Ok(config::schema::Control::default().socket)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the driver's nodes are by the configuration, or by default where that cannot be used.
fn configured_dahdi(common: &Common) -> PathBuf {
    match config::load(&Origin::new(common.config.clone())) {
        Ok(loaded) => loaded.config.dahdi.folder,
        Err(_) => config::schema::Dahdi::default().folder,
    }
}

/// Runs the program with these arguments, the first being its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for = !error.use_stderr();
            // Help that cannot be written has nobody to read it.
            let _ = error.print();
            return if asked_for { Exit::Ok } else { Exit::Usage };
        }
    };
    let json = cli.common.json;
    match run(cli) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            let exit = error.exit();
            // What a check found has been printed as its report.
            let printed = matches!(
                error,
                CliError::Damage(_) | CliError::Unhealthy(_) | CliError::Flawed(_)
            );
            if !printed || !json {
                output::complain(&told(&error, exit, json));
            }
            exit
        }
    }
}

/// An error as text, or with `--json` as `{"error":{"code","message"}}`.
fn told(error: &CliError, exit: Exit, json: bool) -> String {
    if json {
        let error = serde_json::json!({ "code": exit.word(), "message": error.to_string() });
        return serde_json::json!({ "error": error }).to_string();
    }
    format!("callreel: {error}")
}

fn run(cli: Cli) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Output)?;
    let Cli { common, command } = cli;
    // Devices need neither a daemon nor a valid configuration.
    if let Command::Devices { command } = command {
        let dahdi = configured_dahdi(&common);
        let output = Output::new(common.json);
        return runtime.block_on(devices::run(command, output, &dahdi));
    }
    // Nor does what only reads an archive.
    if let Command::Verify(wish) = command {
        return verify::verify(Output::new(common.json), &wish);
    }
    // Nor does what looks for mistakes in it, or writes one; and restoring may be what mends it.
    let lenient = matches!(command, Command::Restore(_));
    match command {
        Command::Doctor(wish) => runtime.block_on(doctor::run(&common, &wish)),
        Command::Setup(wish) => runtime.block_on(setup::run(common, wish)),
        command => runtime.block_on(with_daemon(Context::new(common, lenient)?, command)),
    }
}

async fn with_daemon(context: Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Status => status::status(&context).await,
        Command::Lines => lines::lines(&context).await,
        Command::Calls { command, list } => match command {
            Some(command) => calls::run(&context, command).await,
            None => calls::list(&context, list).await,
        },
        Command::App(command) => webhooks::app(&context, command).await,
        Command::Webhooks(command) => webhooks::webhooks(&context, command).await,
        Command::Reload => status::reload(&context).await,
        Command::Tenant(command) => access::tenant(&context, command).await,
        Command::Key(command) => access::key(&context, command).await,
        Command::SigningKey(command) => access::signing_key(&context, command).await,
        Command::User(command) => users::run(&context, command).await,
        Command::Lock(command) => users::lock(&context, command).await,
        Command::Prompt(command) => prompts::run(&context, command).await,
        Command::Record(command) => recordings::record(&context, command).await,
        Command::Recordings(command) => recordings::run(&context, command).await,
        Command::Hold(command) => keeping::hold(&context, command).await,
        Command::Tag(command) => keeping::tag(&context, command).await,
        Command::Keep(wish) => keeping::keep(&context, wish).await,
        Command::Retention(command) => retention::run(&context, command).await,
        Command::Clock(command) => retention::clock(&context, command).await,
        Command::Audit { command, list } => match command {
            Some(command) => audit::run(&context, command).await,
            None => audit::list(&context, list).await,
        },
        Command::Check {
            upkeep,
            quick,
            trust,
        } => upkeep::check(&context, upkeep, quick, trust).await,
        Command::Reindex(options) => upkeep::reindex(&context, options).await,
        Command::Backup(wish) => backup::backup(&context, wish).await,
        Command::Restore(wish) => restore::restore(&context, wish).await,
        Command::Export(wish) => export::export(&context, wish).await,
        Command::Devices { .. } | Command::Verify(_) | Command::Doctor(_) | Command::Setup(_) => {
            Ok(())
        }
    }
}
