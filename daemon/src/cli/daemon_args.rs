//! The command line of `callreeld`: options, signals and exit codes. The program reads it, its
//! manual page is made of it.

use std::path::PathBuf;

use clap::Parser;

const AFTER_HELP: &str = "SIGNALS
  SIGTERM, SIGINT  seal open recordings and stop; the third one stops at once
  SIGHUP           read the configuration again

SOCKETS
  Sockets that systemd passes (sd_listen_fds) named http, https and control replace http.listen,
  http.listen_tls and control.socket.

EXIT CODES (a unit should not start again on those from 2 on)
  0  stopped as asked, or the configuration is valid
  1  failed; the journal or standard error says why
  2  the command line, the configuration or a passed socket cannot be used
  5  this user may not use a file, folder or port
  6  another daemon uses the store or the control socket
 10  an address or socket is in use, or not this machine's
 11  a file system is full, read-only or not mounted
 12  the index is of a version that this one does not know, or unreadable; or the
     ledger's own key is gone or no key
 13  a certificate or its key has expired or cannot be used

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
