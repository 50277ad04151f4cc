//! `callreel`, the command line. See `callreel --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::cli::main(std::env::args_os()).into()
}
