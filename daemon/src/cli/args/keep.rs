//! `backup` and `restore`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const BACKUP_HELP: &str = "\
IN IT
  the index: recordings' names and facts, tenants, users, keys, prompts, webhooks, signing keys
  certificates and keys: those the configuration names, those of the first start, credentials
  the configuration: callreel.toml and conf.d

It holds secrets: keep it as safe as the appliance itself. Its mode is 0600. It is a plain tar with
a manifest of BLAKE3 hashes and is checked while it is written; compress it with any tool, and
uncompress it before it is restored. Environment variables CALLREEL__* are not in it.

RECORDINGS AND PROMPTS are files below the data folder. A sealed one never changes again: copy them
with any tool, as often as you like, for example
  rsync -a --include='recordings/***' --include='prompts/***' --exclude='*' \\
    /var/lib/callreel/ backup-host:callreel/

EVERY NIGHT, the last 14 kept (/etc/cron.d/callreel-backup):
  30 2 * * * root mkdir -p /var/backups/callreel && cd /var/backups/callreel && callreel backup \\
    --json >/dev/null && ls -t callreel-backup-*.tar | tail -n +15 | xargs -r rm --

EXAMPLE
  callreel backup /var/backups/callreel.tar
  callreel backup - | zstd | ssh backup-host 'cat > callreel.tar.zst'
  callreel backup --verify /var/backups/callreel.tar";

pub(super) const RESTORE_HELP: &str = "\
The backup is read to its end and checked before anything is changed. Without --yes that is all:
what would be done is shown, and nothing is done. With --yes it is prepared beside the store and
taken over at the daemon's next start, while it may go on recording until then.

WHAT COMES BACK   who may do what (tenants, users, keys, applications, signing keys), certificates,
                  keys and configuration, as they were
WHAT STAYS        every recording and prompt, those made since included; what was deleted since
                  stays deleted. On a machine whose index is gone or empty, recordings come back
                  from the backup, and those made since from their files
WHAT IS KEPT      the replaced index.redb, keys and files, as NAME.before-restore-TIME beside them

Users log in again afterwards. Revoke keys again that were revoked since: they are named.
On a new machine: install, copy recordings/ and prompts/ into the data folder, then restore.

GOING BACK to the version before an upgrade: --index-backup puts the copy of the index back that
the upgrade made (in backups/ of the data folder). With the daemon stopped:
  callreel restore --index-backup /var/lib/callreel/backups/index-schema2-TIME.redb --yes
  (install the earlier version)
  callreel reindex        # adopts what was recorded since, from its files

EXAMPLE
  callreel restore callreel.tar                  # what it would do
  callreel restore callreel.tar --yes --restart  # do it, and restart the daemon
  callreel restore callreel.tar --only keys --yes";

/// `backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where to write it; '-' for standard output [default: callreel-backup-HOST-TIME.tar]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
    /// Check a backup instead of making one
    #[arg(long, requires = "file", conflicts_with_all = ["force", "data_dir"])]
    pub verify: bool,
    /// Read this data folder, without the daemon [default: storage.data_dir of the configuration]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(
        value_name = "FILE",
        required_unless_present_any = ["cancel", "finish", "index_backup"],
        conflicts_with_all = ["cancel", "finish", "index_backup"]
    )]
    pub file: Option<PathBuf>,
    /// Do it; without this, only show what would be done
    #[arg(long)]
    pub yes: bool,
    /// Only these parts, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    pub only: Vec<Part>,
    /// Restart the daemon at once, with systemctl
    #[arg(long, requires = "yes")]
    pub restart: bool,
    /// Give up a restore that waits for the daemon's next start
    #[arg(long, conflicts_with = "index_backup")]
    pub cancel: bool,
    /// Put configuration files in place that an interrupted restore left waiting
    #[arg(long, conflicts_with_all = ["cancel", "index_backup"])]
    pub finish: bool,
    /// Put a copy of the index from before an upgrade back; the daemon must be stopped
    #[arg(long, value_name = "COPY")]
    pub index_backup: Option<PathBuf>,
    /// Restore index and keys into this data folder [default: storage.data_dir of the
    /// configuration, and the configuration too]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// A part of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Recordings' rows, tenants, users, keys of the API
    Index,
    /// Certificates, private keys and the administrator's key
    Keys,
    /// callreel.toml and conf.d
    Config,
}
