//! `hold`, `tag`, `keep`, `retention` and `clock`.

use clap::{Args, Subcommand};
use storage::ids::{LineName, Number, Tag, TenantName};

use super::time;

pub(super) const HOLD_HELP: &str = "\
While a recording has a hold, nothing deletes it: no retention, no command, no full disk. A hold
says why, and who set it; both are in the audit trail, and so is who lifted it and why.

EXAMPLE
  callreel hold set 65537 65541 --reason 'case 12/25'
  callreel hold list --tenant acme
  callreel hold lift 65537 1 --reason 'case 12/25 closed'";

const SET_HELP: &str = "\
Every recording that fits is held; --dry-run lists them first.

EXAMPLE
  callreel hold set 65537 --reason 'case 12/25'
  callreel hold set --tenant acme --number +15550100 --from 2026-01-01 --reason dispute --dry-run";

const LIFT_HELP: &str = "\
HOLD-ID is the hold's number among the recording's own; 'callreel hold list' and 'callreel
recordings show' tell it. Other holds of the recording stay.

EXAMPLE
  callreel hold lift 65537 1 --reason 'case 12/25 closed'
  callreel hold lift 1 --tag case-12 --tenant acme --reason 'case 12/25 closed' --dry-run";

pub(super) const TAG_HELP: &str = "\
Retention policies may apply to a tag. Removing one is refused where a policy's minimum would go
with it before it is reached.

EXAMPLE
  callreel tag add 65537 complaint contract
  callreel tag list 65537";

pub(super) const KEEP_HELP: &str = "\
The minimum only grows: to shorten it is refused, with what is in force. In lengths of time a year
counts 366 days and a month 31, never less than in the calendar.

EXAMPLE
  callreel keep 65537 --until 2031-12-31
  callreel keep 65537 65541 --for 5years
  callreel keep --tag contract --tenant acme --for 10years --dry-run";

pub(super) const RETENTION_HELP: &str = "\
Policies are those of the configuration, [[retention.policy]]. A hold beats everything; then
minimums count, of which the longest; then maximums, of which the shortest. Never deleted is what
is being recorded, held, or younger than its minimum, however full the disk is, nor what no policy
applies to.

EXAMPLE
  callreel retention show
  callreel retention plan
  callreel retention plan --free-bytes 1000000000";

const SHRINK_HELP: &str = "\
A configuration with shorter minimums than those in force is not put in force by itself: those
before it stay. This shows what would become shorter, and with --yes puts it in force.

EXAMPLE
  callreel retention accept-shrink
  callreel retention accept-shrink --yes";

const RESUME_HELP: &str = "\
Holds live in the index alone. After it was rebuilt, or restored from a backup, those that were set
since may be missing: so nothing is deleted until somebody has looked. The audit trail tells which
there were: callreel audit --kind hold_set,hold_lifted

EXAMPLE
  callreel retention resume
  callreel retention resume --yes";

pub(super) const CLOCK_HELP: &str = "\
Ages of recordings are measured by proven time: what a kept clock (NTP) or a person last confirmed,
carried on by the monotonic clock. A clock that is ahead of it does not count until it is confirmed;
while it is behind, or was never set, nothing is deleted.

EXAMPLE
  callreel clock show
  callreel clock confirm --dry-run";

const CONFIRM_HELP: &str = "\
Says that the wall clock is right. Shows what would be deleted because of it, and asks.

EXAMPLE
  callreel clock confirm --dry-run
  callreel clock confirm --yes";

/// Which recordings, where they are not named.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which recordings, instead of their names")]
pub struct WhichArgs {
    /// Only this tenant's
    #[arg(long)]
    pub tenant: Option<TenantName>,
    /// Those with this tag
    #[arg(long = "tag", value_name = "TAG")]
    pub with_tag: Option<Tag>,
    /// Those from or to this number
    #[arg(long)]
    pub number: Option<Number>,
    /// Those of this line
    #[arg(long)]
    pub line: Option<LineName>,
    /// Those started at or after this time (RFC 3339, or a day in UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<String>,
    /// Those started at or before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<String>,
}

/// `hold`
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Hold recordings: nothing deletes them until the hold is lifted
    #[command(after_help = SET_HELP)]
    Set {
        /// Any name of each recording
        #[arg(value_name = "RECORDING")]
        names: Vec<String>,
        /// Why; who will know in ten years?
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Which.
        #[command(flatten)]
        which: WhichArgs,
        /// List what would be held, and hold nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Lift a hold
    #[command(after_help = LIFT_HELP)]
    Lift {
        /// Any name of each recording, then the hold's number
        #[arg(value_name = "RECORDING... HOLD-ID", required = true)]
        names_and_hold: Vec<String>,
        /// Why it is needed no longer
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Which.
        #[command(flatten)]
        which: WhichArgs,
        /// List which recordings it would be, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List held recordings
    #[command(after_help = "EXAMPLE\n  callreel hold list --tenant acme")]
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<TenantName>,
    },
}

/// `tag`
#[derive(Debug, Subcommand)]
pub enum TagCommand {
    /// Add tags to a recording
    #[command(after_help = "EXAMPLE\n  callreel tag add 65537 complaint legal:2026")]
    Add {
        /// Any name of the recording
        #[arg(value_name = "RECORDING")]
        name: String,
        /// The tags: 1 to 64 letters, digits and '-_.:'
        #[arg(value_name = "TAG", required = true)]
        tags: Vec<Tag>,
        /// Search this tenant's recordings only
        #[arg(long)]
        tenant: Option<TenantName>,
    },
    /// Remove tags from a recording
    #[command(after_help = "EXAMPLE\n  callreel tag remove 65537 complaint")]
    Remove {
        /// Any name of the recording
        #[arg(value_name = "RECORDING")]
        name: String,
        /// The tags
        #[arg(value_name = "TAG", required = true)]
        tags: Vec<Tag>,
        /// Search this tenant's recordings only
        #[arg(long)]
        tenant: Option<TenantName>,
        /// Even where a policy's minimum goes with it before it is reached
        #[arg(long)]
        accept_shrink: bool,
    },
    /// List a recording's tags
    #[command(after_help = "EXAMPLE\n  callreel tag list 65537")]
    List(super::NameArgs),
}

/// `keep`
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Any name of each recording
    #[arg(value_name = "RECORDING")]
    pub names: Vec<String>,
    /// Until then at least (RFC 3339, or a day in UTC)
    #[arg(long, value_name = "DATE", value_parser = time,
          required_unless_present = "term", conflicts_with = "term")]
    pub until: Option<String>,
    /// For so long from now: 90days, 18months, '5 years', '1 year 6 months'
    #[arg(long = "for", value_name = "TERM")]
    pub term: Option<Term>,
    /// Which.
    #[command(flatten)]
    pub which: WhichArgs,
    /// List what would be kept, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `retention`
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Show the policies in force, who set them, the clock, and free space
    #[command(after_help = "EXAMPLE\n  callreel retention show --json")]
    Show,
    /// Show what the next pass would delete, and why; deletes nothing
    #[command(
        after_help = "EXAMPLE\n  callreel retention plan\n  callreel retention plan \
                      --free-bytes 1000000000 --all"
    )]
    Plan {
        /// As if so many bytes were free
        #[arg(long, value_name = "N")]
        free_bytes: Option<u64>,
        /// List all of them, not only the first 50
        #[arg(long)]
        all: bool,
    },
    /// Make a pass now: delete what the policies no longer keep
    #[command(after_help = "EXAMPLE\n  callreel retention run --yes")]
    Run {
        /// Do not ask; needed where there is no terminal to ask on
        #[arg(long)]
        yes: bool,
    },
    /// Put shorter minimums of the configuration in force
    #[command(after_help = SHRINK_HELP)]
    AcceptShrink {
        /// Put them in force; without this they are only shown
        #[arg(long)]
        yes: bool,
    },
    /// Say that all holds are set again after a rebuilt or restored index: deletions go on
    #[command(after_help = RESUME_HELP)]
    Resume {
        /// Do it; without this it is only told why they are suspended
        #[arg(long)]
        yes: bool,
    },
}

/// `clock`
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Show how the wall clock stands to proven time
    #[command(after_help = "EXAMPLE\n  callreel clock show --json")]
    Show,
    /// Say that the wall clock is right
    #[command(after_help = CONFIRM_HELP)]
    Confirm {
        /// Do not ask; needed where there is no terminal to ask on
        #[arg(long)]
        yes: bool,
        /// Show what would be deleted because of it, and confirm nothing
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
    },
}

/// How long something is kept, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term(pub u64);

/// A text that is no term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "give numbers with units: 90days, 12h, 18months, '5 years', '1 year 6 months'; at most a \
     hundred years"
)]
pub struct BadTerm;

impl std::str::FromStr for Term {
    type Err = BadTerm;

    fn from_str(text: &str) -> Result<Self, BadTerm> {
        let mut rest = text.trim();
        let mut sum: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (count, unit) = rest.split_at(digits);
            let count: u64 = count.parse().map_err(|_| BadTerm)?;
            let unit = unit.trim_start();
            let letters = unit.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, more) = unit.split_at(letters);
            let ms = count.checked_mul(unit_ms(unit).ok_or(BadTerm)?);
            sum = ms.and_then(|ms| sum.checked_add(ms)).ok_or(BadTerm)?;
            rest = more.trim_start();
        }
        let good = (1..=storage::limits::KEEP_MAX_MS).contains(&sum);
        if good { Ok(Self(sum)) } else { Err(BadTerm) }
    }
}

fn unit_ms(unit: &str) -> Option<u64> {
    const SECOND: u64 = 1_000;
    const DAY: u64 = 24 * 3_600 * SECOND;
    Some(match unit.to_ascii_lowercase().as_str() {
        "s" | "second" | "seconds" => SECOND,
        "m" | "min" | "minute" | "minutes" => 60 * SECOND,
        "h" | "hour" | "hours" => 3_600 * SECOND,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7 * DAY,
        "month" | "months" => 31 * DAY,
        "y" | "year" | "years" => 366 * DAY,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_sums_of_numbers_with_units() {
        const DAY: u64 = 24 * 3_600 * 1_000;
        for (text, ms) in [
            ("90days", 90 * DAY),
            ("5 years", 5 * 366 * DAY),
            ("1 year 6 months", (366 + 6 * 31) * DAY),
            ("1w2d", 9 * DAY),
            (" 30 S ", 30_000),
        ] {
            assert_eq!(text.parse(), Ok(Term(ms)), "{text}");
        }
        for bad in [
            "",
            "0d",
            "5",
            "years",
            "5 lightyears",
            "-1d",
            "1.5y",
            "101y",
            "1d,2h",
        ] {
            assert_eq!(bad.parse::<Term>(), Err(BadTerm), "{bad}");
        }
    }
}
