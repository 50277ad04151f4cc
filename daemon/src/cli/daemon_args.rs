//! The command line of `callreeld`: options, signals and exit codes. The program reads it, its manual
//! page is made of it.

use std::path::PathBuf;

use clap::Parser;

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
pub struct Arguments {
    /// The configuration file [default: /etc/callreel/callreel.toml, where it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration, print a verdict, and do nothing else
    #[arg(long)]
    pub check: bool,
}
