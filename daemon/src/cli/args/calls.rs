//! Arguments of `calls`.

use clap::{Args, Subcommand};
use storage::ids::{LineName, Number, TenantName};

use super::values::SessionName;

/// `calls`
#[derive(Debug, Subcommand)]
pub enum CallsCommand {
    /// List sessions that are on, and what else is being recorded
    #[command(after_help = "EXAMPLE\n  callreel calls list --tenant acme\n  \
                      callreel calls list --ended")]
    List(CallsListArgs),
    /// Show everything known about a session; one that is over for an hour at most
    #[command(after_help = "EXAMPLE\n  callreel calls show 1f0c2d3e")]
    Show {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
    },
    /// Show the events of sessions as they happen, until Ctrl-C
    ///
    /// With --json each event's body is a line, the bytes that its webhook is sent. Ends with exit
    /// code 3 when the daemon stops. When events were missed because this was too slow, it says
    /// how many.
    #[command(after_help = "EXAMPLE\n  callreel calls watch --tenant acme\n  \
                      callreel calls watch --session 1f0c2d3e --json")]
    Watch {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<TenantName>,
        /// Only of this session: its UUID, or the beginning of it while it is on
        #[arg(long, value_name = "UUID")]
        session: Option<SessionName>,
    },
    /// Open a call on a line whose trigger is "api"; on telephone lines, "hook" too, call out: ring
    /// a station, or seize the line and dial --did
    #[command(after_help = "EXAMPLE\n  callreel calls open front-desk\n  \
                      callreel calls open front-desk --caller-id +15550100 --did +15550199\n  \
                      callreel calls open trunk-1 --did 0301234567")]
    Open {
        /// The line
        line: LineName,
        /// Who calls
        #[arg(long, value_name = "NUMBER")]
        caller_id: Option<Number>,
        /// Who is called; what is dialled
        #[arg(long, value_name = "NUMBER")]
        did: Option<Number>,
    },
    /// Answer a call
    #[command(after_help = "EXAMPLE\n  callreel calls answer 1f0c2d3e")]
    Answer {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
    },
    /// End a call
    #[command(after_help = "EXAMPLE\n  callreel calls hangup 1f0c2d3e\n  \
                      callreel calls hangup 1f0c2d3e --cause USER_BUSY")]
    Hangup {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
        /// Why, as call.hangup tells it: 1 to 64 of A-Z and '_' [default: NORMAL_CLEARING]
        #[arg(long)]
        cause: Option<String>,
    },
    /// Play files, one after the other, instead of what plays
    #[command(after_help = "EXAMPLE\n  \
                      callreel calls play 1f0c2d3e https://cdn.example.com/closed.wav\n  \
                      callreel calls play 1f0c2d3e --offset 30 https://cdn.example.com/tune.mp3")]
    Play {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
        /// The files, http or https
        #[arg(required = true, value_name = "URL")]
        urls: Vec<String>,
        /// Where in the only file to begin, in seconds
        #[arg(long, value_name = "SECONDS")]
        offset: Option<u32>,
    },
    /// Stop what plays; the call goes on
    #[command(after_help = "EXAMPLE\n  callreel calls stop 1f0c2d3e")]
    Stop {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
    },
    /// Start, stop, pause and resume the recording of a session
    #[command(
        subcommand,
        after_help = "EXAMPLE\n  callreel calls record start 1f0c2d3e"
    )]
    Record(CallRecordCommand),
}

/// `calls list`, and `calls` alone
#[derive(Debug, Default, Args)]
pub struct CallsListArgs {
    /// Only this tenant's
    #[arg(long)]
    pub tenant: Option<TenantName>,
    /// Those that are over for an hour at most, too
    #[arg(long)]
    pub ended: bool,
}

/// `calls record`
#[derive(Debug, Subcommand)]
pub enum CallRecordCommand {
    /// Record a session, from now on
    #[command(after_help = "EXAMPLE\n  callreel calls record start 1f0c2d3e\n  \
                      callreel calls record start 1f0c2d3e --mask-digits=false")]
    Start {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
        /// Silence the caller's digits in it, or not [default: mask_digits of the line]
        #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true",
              require_equals = true)]
        mask_digits: Option<bool>,
    },
    /// End the recording; the call goes on
    #[command(after_help = "EXAMPLE\n  callreel calls record stop 1f0c2d3e")]
    Stop {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
    },
    /// Leave what follows out of the recording; silence is in its place
    #[command(after_help = "EXAMPLE\n  callreel calls record pause 1f0c2d3e\n  \
                      callreel calls record pause 1f0c2d3e --skip")]
    Pause {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
        /// Leave the time out as well: positions after it are earlier than they were
        #[arg(long)]
        skip: bool,
    },
    /// Record again after a pause
    #[command(after_help = "EXAMPLE\n  callreel calls record resume 1f0c2d3e")]
    Resume {
        /// Which.
        #[command(flatten)]
        session: SessionArg,
    },
}

/// One session.
#[derive(Clone, Debug, Args)]
pub struct SessionArg {
    /// The session's UUID, or the beginning of it while it is on: at least 4 letters
    #[arg(value_name = "UUID")]
    pub session: SessionName,
}
