//! The command line of `callreel`: commands, options, help and examples. What they do is in the
//! files of their names.

mod access;
mod appliance;
mod audit;
mod calls;
mod evidence;
mod import;
mod keep;
mod keeping;
mod prompts;
mod values;
mod webhooks;

use std::path::PathBuf;

pub use access::*;
pub use appliance::*;
pub use audit::*;
pub use calls::*;
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use evidence::*;
pub use import::*;
pub use keep::*;
pub use keeping::*;
pub use prompts::*;
use storage::ids::{LineName, Number, Tag, TenantName};
pub use values::*;
pub use webhooks::*;

const EXIT_CODES: &str = "EXIT CODES
  0  done
  1  failed; 'check' found damage
  2  the command line or the configuration cannot be used
  3  the daemon is not running
  4  what was named does not exist
  5  this user may not do that
  6  not possible as things stand (busy, taken, running)
 10  an address or socket is in use, or not this machine's
 11  a file system is full, read-only or not mounted
 12  the index is of a version that this one does not know
 13  a certificate or its key has expired or cannot be used
 14  a sound card or telephone channel is missing

EXAMPLE
  callreel status";

const LINES_HELP: &str = "COLUMNS
  SOURCE   a PCM (> the PCM it plays to), a DAHDI channel with its span and role, or where a PBX
           connects to
  HOOK     of telephone lines: on-hook, off-hook, or what the call is doing
  ALARMS   of the channel or its span (red, yellow, blue, …), and of [line.watch] (silent, active)
  LEVEL    caller's leg first
  LOST     frames that the device lost: gaps in recordings
  ERROR    why there is no sound, and what to do

Below stand the spans of telephone cards and where AudioSocket connections are taken, if there are
any. --json has every counter.

EXAMPLE
  callreel lines
  callreel lines --json";

/// Where help lists the options of every command.
const COMMON: &str = "Options of every command";

/// Controls the call recorder callreeld.
#[derive(Debug, Parser)]
#[command(name = "callreel", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Print JSON instead of text; errors too, to standard error
    #[arg(long, global = true, help_heading = COMMON)]
    pub json: bool,
    /// The daemon's control socket [default: control.socket of the configuration]
    #[arg(long, global = true, value_name = "PATH", help_heading = COMMON)]
    pub socket: Option<PathBuf>,
    /// The configuration file [default: /etc/callreel/callreel.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON)]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how the daemon is doing
    #[command(after_help = "EXAMPLE\n  callreel status --json")]
    Status,
    /// List lines: what they are, how they stand, alarms, levels, losses; spans of telephone cards
    #[command(after_help = LINES_HELP)]
    Lines,
    /// List calls, watch their events live, and control them by hand
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "EXAMPLE\n  callreel calls\n  callreel calls watch\n  \
                      callreel calls hangup 1f0c2d3e"
    )]
    Calls {
        /// What to do; without it, list them.
        #[command(subcommand)]
        command: Option<CallsCommand>,
        /// Which to list.
        #[command(flatten)]
        list: CallsListArgs,
    },
    /// Applications that control calls: their keys, webhooks and limits
    #[command(
        subcommand,
        after_help = "EXAMPLE\n  callreel app set acme --generate-key"
    )]
    App(AppCommand),
    /// Events on their way to applications, and those that could not be delivered
    #[command(subcommand, after_help = "EXAMPLE\n  callreel webhooks list")]
    Webhooks(WebhooksCommand),
    /// Add, list and change tenants, the owners of recordings, keys and users
    #[command(subcommand, after_help = "EXAMPLE\n  callreel tenant add acme")]
    Tenant(TenantCommand),
    /// Issue, list, rotate and revoke keys of the API
    #[command(
        subcommand,
        after_help = "EXAMPLE\n  callreel key issue --tenant acme --family task-audio"
    )]
    Key(KeyCommand),
    /// List, rotate and retire the keys that sign links to recordings
    ///
    /// The newest one signs; all that are not retired open links. 'callreel key' is about keys of
    /// the API.
    #[command(
        subcommand,
        name = "signing-key",
        after_help = "EXAMPLE\n  callreel signing-key rotate"
    )]
    SigningKey(SigningKeyCommand),
    /// Add, change and log out users, who log in with a name and a password
    #[command(
        subcommand,
        after_help = "EXAMPLE\n  callreel user add boss@acme --tenant acme --role supervisor"
    )]
    User(UserCommand),
    /// List and clear lock-outs after too many wrong keys, tokens or passwords
    #[command(subcommand, after_help = "EXAMPLE\n  callreel lock list")]
    Lock(LockCommand),
    /// The prompt library: sounds and texts that tenants play
    #[command(
        subcommand,
        after_help = "EXAMPLE\n  callreel prompt say --tenant acme --name closed We are closed."
    )]
    Prompt(PromptCommand),
    /// Start and stop recordings by hand
    #[command(
        subcommand,
        after_help = "EXAMPLE\n  callreel record start --line front-desk"
    )]
    Record(RecordCommand),
    /// List, show, export, delete and import recordings
    #[command(
        subcommand,
        after_help = "EXAMPLE\n  callreel recordings list --tenant acme"
    )]
    Recordings(RecordingsCommand),
    /// Hold recordings, so that nothing deletes them; list and lift holds
    #[command(subcommand, after_help = keeping::HOLD_HELP)]
    Hold(HoldCommand),
    /// Add, remove and list recordings' tags
    #[command(subcommand, after_help = keeping::TAG_HELP)]
    Tag(TagCommand),
    /// Keep recordings until a time, at least
    #[command(after_help = keeping::KEEP_HELP)]
    Keep(KeepArgs),
    /// What is kept how long: policies, what would be deleted and why, passes
    #[command(subcommand, after_help = keeping::RETENTION_HELP)]
    Retention(RetentionCommand),
    /// The clock by which recordings grow old
    #[command(subcommand, after_help = keeping::CLOCK_HELP)]
    Clock(ClockCommand),
    /// Who did what, when: the audit trail, its proofs, its key
    #[command(args_conflicts_with_subcommands = true, after_help = audit::AUDIT_HELP)]
    Audit {
        /// What to do; without it, list entries.
        #[command(subcommand)]
        command: Option<AuditCommand>,
        /// Which entries to list.
        #[command(flatten)]
        list: AuditArgs,
    },
    /// Verify index, files, hashes, headers and the ledger; changes nothing
    ///
    /// Asks the daemon where it runs; otherwise reads the data folder itself.
    #[command(after_help = evidence::CHECK_HELP)]
    Check {
        /// Which folder.
        #[command(flatten)]
        upkeep: Upkeep,
        /// Look at lengths, headers and facts only, without reading every file
        #[arg(long)]
        quick: bool,
        /// What the ledger is compared with.
        #[command(flatten)]
        trust: TrustArgs,
    },
    /// Rebuild the index from the recordings' files alone; the daemon must be stopped
    ///
    /// Keys live in the index alone: they are carried over where the old index can still be read.
    /// The old index is kept.
    #[command(after_help = "EXAMPLE\n  callreel reindex --data-dir /var/lib/callreel")]
    Reindex(Upkeep),
    /// Back up index, keys and configuration, while the daemon runs or not
    ///
    /// Asks the daemon where it runs; otherwise reads the data folder itself.
    #[command(after_help = keep::BACKUP_HELP)]
    Backup(BackupArgs),
    /// Show what a backup would change, and put it back
    #[command(after_help = keep::RESTORE_HELP)]
    Restore(RestoreArgs),
    /// Copy recordings out with proof: signed, checkable by anybody
    #[command(after_help = evidence::EXPORT_HELP)]
    Export(ExportArgs),
    /// Check an archive that 'export' made; needs no daemon
    #[command(after_help = evidence::VERIFY_HELP)]
    Verify(VerifyArgs),
    /// List, test and play to sound devices; needs no daemon
    #[command(after_help = "EXAMPLE\n  callreel devices\n  callreel devices test plughw:1,0")]
    Devices {
        /// What to do; without it, list them.
        #[command(subcommand)]
        command: Option<DevicesCommand>,
    },
    /// Ask the few questions of a new recorder and write its configuration
    ///
    /// Writes conf.d/50-setup.toml beside the configuration, nothing else, after it was checked as
    /// by 'callreeld --check'. Replaces what it wrote before, never what somebody wrote by hand.
    #[command(after_help = SETUP_HELP)]
    Setup(SetupArgs),
    /// Look at everything that recording needs, and say how to mend what is wrong
    ///
    /// Clock, disk, io_uring, real-time limits, memory, sound and telephone cards, permissions,
    /// certificate, ports, service, index. Works with and without a running daemon, changes
    /// nothing, and opens no sound card that a daemon may have. As root it sees more.
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Make the daemon read its configuration again
    #[command(after_help = "EXAMPLE\n  callreel reload")]
    Reload,
}

/// `record`
#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// Start a recording on a line whose trigger is "api"
    #[command(
        after_help = "EXAMPLE\n  callreel record start --line front-desk --from +15550100 --to 100"
    )]
    Start {
        /// The line
        #[arg(long)]
        line: LineName,
        /// The caller's number
        #[arg(long)]
        from: Option<Number>,
        /// The called number
        #[arg(long)]
        to: Option<Number>,
    },
    /// Stop a recording, whatever began it, and wait until it is stored
    #[command(after_help = "EXAMPLE\n  callreel record stop 65537")]
    Stop {
        /// Any name of the recording
        #[arg(value_name = "ID")]
        name: String,
    },
}

/// `recordings`
#[derive(Debug, Subcommand)]
pub enum RecordingsCommand {
    /// List recordings, newest first
    #[command(after_help = "EXAMPLE\n  callreel recordings list --tenant acme --since 2026-11-01")]
    List(ListArgs),
    /// Show everything known about a recording
    #[command(after_help = "EXAMPLE\n  callreel recordings show 65537")]
    Show(NameArgs),
    /// Copy a recording's file out of the store
    #[command(after_help = "EXAMPLE\n  callreel recordings export 65537 --output call.wav")]
    Export {
        /// Which recording.
        #[command(flatten)]
        name: NameArgs,
        /// Where to write it; '-' for standard output [default: RECID.EXTENSION]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Replace a file that exists
        #[arg(long)]
        force: bool,
    },
    /// Delete recordings for good
    #[command(after_help = "EXAMPLE\n  callreel recordings delete 65537 65538 --dry-run")]
    Delete {
        /// Any name of each recording
        #[arg(required = true, value_name = "ID")]
        names: Vec<String>,
        /// Search this tenant's recordings only
        #[arg(long)]
        tenant: Option<TenantName>,
        /// Do not ask; needed where there is no terminal to ask on
        #[arg(long)]
        yes: bool,
        /// Show what would be deleted and delete nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Bring in WAV, MP3, M4A, WebM, Ogg and FLAC files
    ///
    /// The daemon opens the files itself: they must be readable for its user. They are copied and
    /// left where they are.
    #[command(
        after_help = "EXAMPLE\n  callreel recordings import --tenant acme old/1.mp3 old/2.wav\n  \
                      callreel recordings import --tenant acme --recid 12345 --start \
                      2026-11-21T08:00:00Z a.wav"
    )]
    Import(ImportArgs),
}

/// One recording.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// Any name of the recording: recid, call_sid, taskId, session or crtObjectId
    #[arg(value_name = "ID")]
    pub name: String,
    /// Search this tenant's recordings only
    #[arg(long)]
    pub tenant: Option<TenantName>,
}

/// `recordings list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this tenant's
    #[arg(long)]
    pub tenant: Option<TenantName>,
    /// Only from this line
    #[arg(long)]
    pub line: Option<LineName>,
    /// Only in these states, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = ["live", "stored", "absent", "failed"])]
    pub state: Vec<String>,
    /// Only those started at or after this time (RFC 3339, or a day in UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<String>,
    /// Only those started before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<String>,
    /// Only those with this tag
    #[arg(long)]
    pub tag: Option<Tag>,
    /// Only those from or to this number
    #[arg(long)]
    pub number: Option<Number>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Go on after an earlier list, with its 'next'
    #[arg(long)]
    pub cursor: Option<String>,
}

/// `check` and `reindex`
#[derive(Debug, Args)]
pub struct Upkeep {
    /// Read this data folder, without the daemon [default: storage.data_dir of the configuration]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// `devices`
#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// List PCMs with what they can do, and telephone channels with what to write for them
    #[command(after_help = "EXAMPLE\n  callreel devices list --json")]
    List,
    /// Record from a PCM and tell level, rate, xruns and lost frames
    #[command(after_help = "EXAMPLE\n  callreel devices test plughw:1,0 --channels stereo")]
    Test(TestArgs),
    /// Play a WAV file or a tone to a PCM
    #[command(
        after_help = "EXAMPLE\n  callreel devices play plughw:1,0 --tone 440\n  \
                      callreel devices play plughw:1,0 greeting.wav"
    )]
    Play(PlayArgs),
}

/// `devices test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The PCM's name
    pub name: String,
    /// Frames a second
    #[arg(long, default_value_t = 8_000, value_name = "HZ",
          value_parser = clap::value_parser!(u32).range(8_000..=48_000))]
    pub rate: u32,
    /// Channels
    #[arg(long, value_enum, default_value_t = ChannelsArg::Mono)]
    pub channels: ChannelsArg,
    /// How long to record
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
}

/// Mono or stereo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChannelsArg {
    /// One leg
    Mono,
    /// Left the caller, right the agent
    Stereo,
}

/// `devices play`
#[derive(Debug, Args)]
pub struct PlayArgs {
    /// The PCM's name
    pub name: String,
    /// A WAV file: PCM16, µ-law or A-law
    #[arg(required_unless_present = "tone", conflicts_with = "tone")]
    pub file: Option<PathBuf>,
    /// A sine tone at -20 dBFS
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(20..=20_000))]
    pub tone: Option<u32>,
    /// How long the tone lasts
    #[arg(long, default_value_t = 3, conflicts_with = "file",
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,
    /// Frames a second of the tone
    #[arg(long, default_value_t = 8_000, value_name = "HZ", conflicts_with = "file",
          value_parser = clap::value_parser!(u32).range(8_000..=48_000))]
    pub rate: u32,
}

/// Refuses a bad time before the daemon is asked.
fn time(text: &str) -> Result<String, crate::control::BadTime> {
    crate::control::parse_time(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests;
