//! `export` and `verify`.

use std::path::PathBuf;

use clap::Args;
use storage::ids::{LineName, TenantName};

pub(super) const EXPORT_HELP: &str = "\
IN IT
  each recording's file, byte for byte as it was stored, with SHA-256 and BLAKE3
  manifest.json, signed (Ed25519): names, times, gaps, masked spans, digits, tags, holds
  the ledger's entries of each recording, and the way from each to a signed checkpoint
  the public key, the checkpoints, and verify.py, which checks all of it without Callreel

It is a plain tar, written beside FILE and renamed when it is whole and was checked. A recording
whose file is not what was sealed, or whose ledger says otherwise, is named, and there is no
archive.
Every export is in the ledger. The archive's mode is 0600.

Whoever checks it must get the public key (checkpoints/KEY-ID.pem in the data folder) or its SHA-256
from you, by another way than the archive.

EXAMPLE
  callreel export 65537 65541 --output case-12.tar --note 'case 12/25, request of 3 March'
  callreel export --tenant acme --since 2026-01-01 --until 2026-03-31 --output q1.tar";

pub(super) const VERIFY_HELP: &str = "\
Needs neither a daemon nor a configuration nor the network. The first thing that is wrong is named.
Without --key it is only known that the archive agrees with the key that is in it.

EXIT CODES
  0 all of it is what was signed, 1 something is wrong, 4 no such file, 12 a newer version made it

EXAMPLE
  callreel verify case-12.tar --key recorder.pem
  callreel verify - --key recorder.pem < case-12.tar";

pub(super) const CHECK_HELP: &str = "\
WHAT IS PROVED is told at the end: how many entries of the ledger form one chain, up to which signed
checkpoint, by which key. The first entry that is not as it should be is named. Whoever can write to
the whole machine can write a whole new chain with a new key: that is found with what was kept
elsewhere, the public key (--key) and checkpoints (--checkpoints, --checkpoint-line).

EXAMPLE
  callreel check
  callreel check --quick --data-dir /mnt/backup
  callreel check --key recorder.pem --checkpoints /mnt/other/checkpoints";

/// `export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Recordings, by any of their names
    #[arg(
        value_name = "NAME",
        required_unless_present_any = ["tenant", "line", "since", "until", "all"],
        conflicts_with_all = ["line", "since", "until", "all"]
    )]
    pub names: Vec<String>,
    /// Only this tenant's
    #[arg(long)]
    pub tenant: Option<TenantName>,
    /// Only those of this line
    #[arg(long)]
    pub line: Option<LineName>,
    /// Only those that started at or after this (RFC 3339 or a date)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only those that started at or before this
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// All there are
    #[arg(long)]
    pub all: bool,
    /// Where to write it; '-' for standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
    /// What the manifest and the ledger tell about it: a case, a reason
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Export recordings too that the ledger tells nothing of; they are told apart
    #[arg(long)]
    pub unproved: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The archive; '-' for standard input
    #[arg(value_name = "ARCHIVE")]
    pub archive: PathBuf,
    /// The public key, PEM, that it must be signed with
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}
