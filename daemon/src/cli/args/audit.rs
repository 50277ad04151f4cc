//! `audit`, and what `check` compares the ledger with.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use storage::ids::TenantName;

use super::time;

pub(super) const AUDIT_HELP: &str = "\
Every play, download, export, change, deletion, login and failed login is an entry of one chain;
'callreel check' finds what was changed, taken out or cut off. Newest first.

--person is a name (a user's, a key's, a system user's), or a kind and a number: user:3, key:7,
command:1000. --kind is one or more of
  sealed imported exchanged deleted undone hold_set hold_lifted kept_until tagged policy play
  download export link_made login login_failed logout key_issued key_revoked user_added user_changed
  user_removed tenant_added tenant_changed config_changed clock_step signing_key started stopped
  recovered broken lost

Asks the daemon where it runs; otherwise reads the data folder itself.

EXAMPLE
  callreel audit --recording 65537
  callreel audit --person boss@acme --from 2026-11-01 --kind play,download --all --json
  callreel audit show 4711
  callreel audit key";

/// `audit`, without a subcommand.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// Only what this person did: a name, or user:N, key:N, link:N, command:UID
    #[arg(long, value_name = "WHO")]
    pub person: Option<String>,
    /// Only what concerns this recording: its number, be it deleted too, or any of its names
    #[arg(long, value_name = "ID")]
    pub recording: Option<String>,
    /// Only what concerns this tenant
    #[arg(long)]
    pub tenant: Option<TenantName>,
    /// Only what happened at or after this time (RFC 3339, or a day in UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<String>,
    /// Only what happened at or before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<String>,
    /// Only these kinds, separated by commas
    #[arg(long, value_name = "KINDS")]
    pub kind: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// All of them, as they are read; with --json one a line
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    pub all: bool,
    /// Go on after an earlier list, with its 'next'
    #[arg(long)]
    pub cursor: Option<String>,
    /// Then show new entries as they come, one a line, until interrupted; needs the daemon
    #[arg(long, short, conflicts_with_all = ["all", "cursor", "to", "data_dir"])]
    pub follow: bool,
    /// Read this data folder, without the daemon [default: storage.data_dir of the configuration]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// `audit`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show an entry, and what proves that it is in the chain
    ///
    /// The proof is its place, the hashes that lead from it to a checkpoint, and the checkpoint's
    /// signature.
    #[command(after_help = "EXAMPLE\n  callreel audit show 4711 --json")]
    Show {
        /// The entry's number
        #[arg(value_name = "SEQ")]
        seq: u64,
        /// Read this data folder, without the daemon
        #[arg(long, value_name = "FOLDER")]
        data_dir: Option<PathBuf>,
    },
    /// Show the public key that signs checkpoints and exports, PEM
    ///
    /// Give it, or its SHA-256, to whoever checks: by another way than what is checked.
    #[command(after_help = "EXAMPLE\n  callreel audit key")]
    Key {
        /// Read this data folder, without the daemon
        #[arg(long, value_name = "FOLDER")]
        data_dir: Option<PathBuf>,
    },
    /// Make a key that signs from now on, in place of one that is lost for good
    ///
    /// A key that is there is never overwritten. The ledger tells of the new one; what the lost one
    /// signed stays proved by its public key, which lies beside the checkpoints.
    #[command(after_help = "EXAMPLE\n  callreel audit new-key\n  \
                            callreel audit new-key --output /etc/callreel/ledger.pem")]
    NewKey {
        /// The store's data folder [default: storage.data_dir of the configuration]
        #[arg(long, value_name = "FOLDER", conflicts_with = "output")]
        data_dir: Option<PathBuf>,
        /// The file that ledger.key_file names, where it does
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Sign how far the ledger is now, and print the line: to be kept elsewhere, on paper too
    #[command(
        after_help = "'callreel check --checkpoint-line' compares one that was kept.\n\n\
                      EXAMPLE\n  callreel audit checkpoint"
    )]
    Checkpoint,
}

/// What `check` compares the ledger with, beside what the store has itself.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What was kept elsewhere")]
pub struct TrustArgs {
    /// A public key, PEM, that signs for the ledger; no other does then
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// The folder of checkpoints, where it is another than in the configuration
    #[arg(long, value_name = "DIR")]
    pub checkpoints: Option<PathBuf>,
    /// A checkpoint's line that was kept elsewhere: on paper, on a log host
    #[arg(long, value_name = "LINE")]
    pub checkpoint_line: Vec<String>,
}
