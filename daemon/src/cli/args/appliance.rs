//! `setup` and `doctor`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use storage::ids::{TenantName, UserName};

pub(super) const SETUP_HELP: &str = "LINES
  --line 'NAME=SOURCE KEY=WORD …', where SOURCE is a PCM ('callreel devices' lists them),
  dahdi:CHANNELS or audiosocket:ADDRESS:PORT, and KEY one of trigger, channels, role, playback,
  encoding, capture_agent

ANSWERS
  A TOML file with the flags' names as keys: tenant, line (a list), data_dir, https, public_url,
  certificate, key, user

EXAMPLE
  callreel setup
  callreel setup --yes --tenant acme --line front-desk=plughw:1,0 --https [::]:443";

pub(super) const DOCTOR_HELP: &str = "EXIT CODES
  0 where there is no problem, else that of the worst, in this order:
  2 configuration, 11 disk, 12 index, 5 permissions, 13 certificate, 10 ports, 14 sound and
  telephone cards, 1 anything else (clock, service, io_uring). Warnings do not count.

EXAMPLE
  callreel doctor
  callreel doctor --json";

/// `setup`
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Ask nothing: write what the other options say
    #[arg(long)]
    pub yes: bool,
    /// A file of answers; nothing is asked then
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// Show the file and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Whose calls are recorded
    #[arg(long)]
    pub tenant: Option<TenantName>,
    /// A line to record; may be given again
    #[arg(long, value_name = "NAME=SOURCE …")]
    pub line: Vec<String>,
    /// Where recordings go
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Address and port of HTTPS
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub https: Option<SocketAddr>,
    /// URL that clients use
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Your certificate, PEM; without one it is made at first start
    #[arg(long, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// The first supervisor, who may play recordings
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Read the supervisor's password from standard input, one line
    #[arg(long, conflicts_with = "generate")]
    pub password_stdin: bool,
    /// Make the supervisor's password and show it, this once
    #[arg(long)]
    pub generate: bool,
    /// Restart the daemon where its new configuration needs that
    #[arg(long)]
    pub restart: bool,
}

impl SetupArgs {
    /// Whether everything is given and nothing is asked.
    #[must_use]
    pub const fn is_unattended(&self) -> bool {
        self.yes || self.answers.is_some()
    }
}

/// `doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Judge permissions for this user [default: the running daemon's; as root callreel, where
    /// that exists; else whoever asks]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}
