//! Arguments of `tenant`, `key`, `signing-key`, `user` and `lock`.

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;
use storage::account::Role;
use storage::ids::{GroupName, LineName, TenantName, UserName};
use storage::record::Family;

use super::values::{Span, expiry, network};
use crate::control::wire::Expiry;

/// `tenant`
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Add a tenant
    #[command(after_help = "EXAMPLE\n  callreel tenant add acme")]
    Add {
        /// 1 to 64 letters, digits, '-' or '_'
        name: TenantName,
    },
    /// List tenants
    #[command(after_help = "EXAMPLE\n  callreel tenant list")]
    List,
    /// Choose the format its recordings are kept in, or switch it off and on
    ///
    /// The keys and users of a tenant that is off open nothing; its lines go on recording.
    #[command(after_help = "EXAMPLE\n  callreel tenant set acme --keep-as m4a\n  \
                      callreel tenant set acme --disable")]
    Set(TenantSetArgs),
}

/// `tenant set`
#[derive(Debug, Args)]
pub struct TenantSetArgs {
    /// The tenant
    pub name: TenantName,
    /// What recordings are converted to after they ended; wav keeps them as recorded
    #[arg(long, value_name = "FORMAT", required_unless_present_any = ["disable", "enable"],
          value_parser = ["wav", "mp3", "m4a", "flac", "ogg", "webm"])]
    pub keep_as: Option<String>,
    /// Switch it off
    #[arg(long)]
    pub disable: bool,
    /// Switch it on again
    #[arg(long, conflicts_with = "disable")]
    pub enable: bool,
}

/// `key`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Issue a key and show its secret, this once
    ///
    /// Family voice-log has no keys: add a user instead.
    #[command(
        after_help = "EXAMPLE\n  callreel key issue --tenant acme --family task-audio\n  \
                      callreel key issue --tenant acme --family call-recording --expires 90d \
                      --allow 10.1.0.0/16"
    )]
    Issue(KeyIssueArgs),
    /// List keys, without their secrets
    #[command(after_help = "EXAMPLE\n  callreel key list --tenant acme")]
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<TenantName>,
    },
    /// Issue a new secret for a key, under a new id, and let the old one run out
    #[command(after_help = "EXAMPLE\n  callreel key rotate 3\n  callreel key rotate 3 --grace 7d")]
    Rotate {
        /// The key's id, from 'callreel key list'
        #[arg(value_name = "KEY_ID")]
        id: u64,
        /// How long the old secret goes on working, such as 15m, 1h or 7d; 0s ends it at once
        #[arg(long, value_name = "TIME", default_value = "1h")]
        grace: Span,
    },
    /// Revoke a key at once and for good
    #[command(after_help = "EXAMPLE\n  callreel key revoke 3")]
    Revoke {
        /// The key's id, from 'callreel key list'
        #[arg(value_name = "KEY_ID")]
        id: u64,
    },
}

/// `key issue`
#[derive(Debug, Args)]
pub struct KeyIssueArgs {
    /// Whose recordings it opens
    #[arg(long)]
    pub tenant: TenantName,
    /// Which family of the API it opens
    #[arg(long, value_enum)]
    pub family: FamilyArg,
    /// A note for your own lists
    #[arg(long, default_value = "", hide_default_value = true)]
    pub label: String,
    /// Only from this address or network; may be given several times [default: from anywhere]
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub allow: Vec<IpNet>,
    /// When it stops: after a time such as 30d, on a day, or at an RFC 3339 time [default: never]
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
    pub expires: Option<Expiry>,
}

/// The families of the API that have keys; those of calls under control are the applications'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FamilyArg {
    /// `/api/v2/PlayAudioFile.php`
    #[value(alias = "play_audio_file")]
    PlayAudioFile,
    /// `/api/calls`
    #[value(alias = "call_recording")]
    CallRecording,
    /// `/ameyorestapi`
    #[value(alias = "voice_log")]
    VoiceLog,
    /// `/api/v1/tasks` and `/api/v1/sse/audio`
    #[value(alias = "task_audio")]
    TaskAudio,
    /// `/api/supervisor`
    Supervisor,
}

impl From<FamilyArg> for Family {
    fn from(family: FamilyArg) -> Self {
        match family {
            FamilyArg::PlayAudioFile => Self::PlayAudioFile,
            FamilyArg::CallRecording => Self::CallRecording,
            FamilyArg::VoiceLog => Self::VoiceLog,
            FamilyArg::TaskAudio => Self::TaskAudio,
            FamilyArg::Supervisor => Self::Supervisor,
        }
    }
}

/// `signing-key`
#[derive(Debug, Subcommand)]
pub enum SigningKeyCommand {
    /// List signing keys
    #[command(after_help = "EXAMPLE\n  callreel signing-key list")]
    List,
    /// Make a new signing key; links signed before go on working until they expire
    #[command(after_help = "EXAMPLE\n  callreel signing-key rotate\n  \
                      callreel signing-key rotate --retire-old")]
    Rotate {
        /// Retire all older ones: every link signed before stops working at once
        #[arg(long)]
        retire_old: bool,
    },
    /// Retire a signing key: links signed with it stop working at once
    #[command(after_help = "EXAMPLE\n  callreel signing-key retire 1")]
    Retire {
        /// Its number, from 'callreel signing-key list'
        id: u32,
    },
}

/// `user`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user; asks for the password twice, unless it comes from elsewhere
    #[command(
        after_help = "EXAMPLE\n  callreel user add boss@acme --tenant acme --role supervisor\n  \
                      callreel user add nightly --tenant acme --role auditor --generate --allow \
                      10.1.2.3"
    )]
    Add(UserAddArgs),
    /// List users
    #[command(after_help = "EXAMPLE\n  callreel user list --tenant acme")]
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<TenantName>,
    },
    /// Give a user a new password, which ends the user's sessions
    #[command(after_help = "EXAMPLE\n  callreel user passwd boss@acme\n  \
                      callreel user passwd boss@acme --generate")]
    Passwd {
        /// The user
        name: UserName,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Change a user's role or networks, or switch a user off and on
    ///
    /// A new role, and switching off, end the user's sessions.
    #[command(after_help = "EXAMPLE\n  callreel user set boss@acme --role admin\n  \
                      callreel user set boss@acme --allow 10.1.0.0/16 --allow 10.2.0.0/16\n  \
                      callreel user set boss@acme --disable")]
    Set(UserSetArgs),
    /// Remove a user with its sessions and the keys issued for it
    #[command(after_help = "EXAMPLE\n  callreel user remove boss@acme --yes")]
    Remove {
        /// The user
        name: UserName,
        /// Do not ask; needed where there is no terminal to ask on
        #[arg(long)]
        yes: bool,
    },
    /// List who is logged in
    #[command(after_help = "EXAMPLE\n  callreel user sessions\n  callreel user sessions boss@acme")]
    Sessions {
        /// Only this user's
        name: Option<UserName>,
    },
    /// End all sessions of a user
    #[command(after_help = "EXAMPLE\n  callreel user logout boss@acme")]
    Logout {
        /// The user
        name: UserName,
    },
}

/// `user add`
#[derive(Debug, Args)]
pub struct UserAddArgs {
    /// What is typed at login: 1 to 64 letters, digits or any of '-_.@+'; upper and lower case
    /// are alike
    pub name: UserName,
    /// Whose recordings it may see
    #[arg(long)]
    pub tenant: TenantName,
    /// What it may do
    #[arg(long, value_enum)]
    pub role: RoleArg,
    /// Only from this address or network; may be given several times [default: from anywhere]
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub allow: Vec<IpNet>,
    /// A group of lines ([[group]] of the configuration) that it looks after; may be given several
    /// times [default: a supervisor looks after all lines of the tenant]
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupName>,
    /// The line whose calls are its own, for the role agent-view
    #[arg(long)]
    pub line: Option<LineName>,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Where a password comes from. Never from an argument: other users see those.
#[derive(Clone, Copy, Debug, Args)]
pub struct PasswordArgs {
    /// Read the password from standard input, one line, instead of asking
    #[arg(long, conflicts_with = "generate")]
    pub password_stdin: bool,
    /// Make a password and show it, this once
    #[arg(long)]
    pub generate: bool,
}

/// `user set`
#[derive(Debug, Args)]
pub struct UserSetArgs {
    /// The user
    pub name: UserName,
    /// What it may do
    #[arg(long, value_enum,
          required_unless_present_any = [
              "allow", "allow_any", "disable", "enable", "groups", "all_lines", "line", "no_line"
          ])]
    pub role: Option<RoleArg>,
    /// Only from this address or network, and no longer from others; may be given several times
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub allow: Vec<IpNet>,
    /// From anywhere
    #[arg(long, conflicts_with = "allow")]
    pub allow_any: bool,
    /// Switch it off
    #[arg(long)]
    pub disable: bool,
    /// Switch it on again
    #[arg(long, conflicts_with = "disable")]
    pub enable: bool,
    /// Looks after this group of lines, and no longer after others; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupName>,
    /// Has no groups: a supervisor looks after all lines
    #[arg(long, conflicts_with = "groups")]
    pub all_lines: bool,
    /// The line whose calls are its own
    #[arg(long)]
    pub line: Option<LineName>,
    /// Has no line of its own
    #[arg(long, conflicts_with = "line")]
    pub no_line: bool,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Sees own calls only; downloads nothing of others
    #[value(alias = "agent_view")]
    AgentView,
    /// Plays and downloads the tenant's recordings
    Supervisor,
    /// Reads everything of the tenant, changes nothing
    Auditor,
    /// Everything of the tenant, other users' sessions too
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::AgentView => Self::AgentView,
            RoleArg::Supervisor => Self::Supervisor,
            RoleArg::Auditor => Self::Auditor,
            RoleArg::Admin => Self::Admin,
        }
    }
}

/// `lock`
#[derive(Debug, Subcommand)]
pub enum LockCommand {
    /// List who is locked out, why and until when
    #[command(after_help = "EXAMPLE\n  callreel lock list")]
    List,
    /// Forget the failures of an address or a user's name, which ends its lock-out
    #[command(
        after_help = "EXAMPLE\n  callreel lock clear 203.0.113.7\n  callreel lock clear boss@acme"
    )]
    Clear {
        /// An address, or a user's name
        #[arg(value_name = "ADDRESS|USER")]
        subject: String,
    },
}
