//! `[ledger]`, `[retention]` and `[alarms]`: how long recordings are kept, where proof of that
//! goes, and who is told when something must be done.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use storage::ids::{PolicyName, Tag, TenantName};
use storage::limits::KEEP_MAX_MS;

/// `[ledger]`: the log of everything that must be provable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// The folder of signed checkpoints, best on another disk; `checkpoints` in the data folder
    /// when not told. One that is told is never made.
    pub checkpoints_dir: Option<PathBuf>,
    /// The private key that signs them (Ed25519, PKCS#8 PEM); one is made in the data folder when
    /// not told.
    pub key_file: Option<PathBuf>,
    /// A syslog server that each checkpoint is sent to.
    pub syslog: Option<SyslogTarget>,
    /// A program and its arguments that get each checkpoint on standard input: a printer.
    pub command: Vec<String>,
}

/// `[retention]`: when recordings are deleted. Without a policy none ever is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// With less free than this, in MiB, recordings past their minimum go, oldest first; 0 for
    /// never. By the size of the disk when not told, as are the next three.
    pub low_free_mib: Option<u64>,
    /// With less free than this, somebody must do something; 0 for no such alarm.
    pub critical_free_mib: Option<u64>,
    /// With less free than this, recording is about to stop; 0 for no such alarm.
    pub full_free_mib: Option<u64>,
    /// So much more than a mark must be free until its level is left.
    pub clear_by_mib: Option<u64>,
    /// The time between two passes, in seconds (1 to 86400).
    pub pass_every_s: u64,
    /// `[[retention.policy]]`
    #[serde(rename = "policy")]
    pub policies: Vec<RetentionPolicy>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            low_free_mib: None,
            critical_free_mib: None,
            full_free_mib: None,
            clear_by_mib: None,
            pass_every_s: 900,
            policies: Vec::new(),
        }
    }
}

/// `[[retention.policy]]`: how long some recordings are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Its name, which deletions name.
    pub name: PolicyName,
    /// Whose recordings it applies to; everybody's when not told.
    pub tenant: Option<TenantName>,
    /// Which of them; all when not told.
    pub tag: Option<Tag>,
    /// None of them is deleted before it is so old.
    pub keep_at_least: Option<Span>,
    /// Each of them is deleted when it is so old.
    pub keep_at_most: Option<Span>,
    /// When they take more than this, the oldest go that have reached their minimum.
    pub max_size: Option<ByteSize>,
}

/// `[alarms]`: who is told, beside the journal and `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alarms {
    /// A program and its arguments that get each alarm on standard input, as a mail.
    pub command: Vec<String>,
    /// Whom the mail is for.
    pub mail_to: Vec<String>,
    /// Whom it is from; `callreel@` and the machine's name when not told.
    pub mail_from: Option<String>,
    /// Where each alarm is posted to, as a Standard Webhook.
    pub webhook: Option<String>,
    /// A file with the secret that signs it, `whsec_…` on one line.
    pub webhook_secret_file: Option<PathBuf>,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            mail_to: vec!["root".to_owned()],
            mail_from: None,
            webhook: None,
            webhook_secret_file: None,
        }
    }
}

/// Why a text is none of the values here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a time.
    #[error("not a time such as \"90 days\"")]
    Span,
    /// Not a size.
    #[error("not a size such as \"500 GiB\"")]
    Size,
    /// Not a syslog server.
    #[error("not a syslog server such as \"udp://10.1.0.5:514\"")]
    Syslog,
}

/// A time in milliseconds, of at most a hundred years. A month has 31 days and a year 366, so that
/// nothing is kept for less time than the calendar's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub u64);

impl FromStr for Span {
    type Err = ValueError;

    /// `90 days`, `12h`, `1 year 6 months`: whole numbers, each with its unit.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut rest = text.trim();
        let mut sum = 0_u64;
        if rest.is_empty() {
            return Err(ValueError::Span);
        }
        while !rest.is_empty() {
            let (count, after) = number(rest).ok_or(ValueError::Span)?;
            let end = after.find(|c: char| !c.is_ascii_alphabetic());
            let (word, after) = after.split_at(end.unwrap_or(after.len()));
            let unit = unit_ms(word).ok_or(ValueError::Span)?;
            let part = count.checked_mul(unit).ok_or(ValueError::Span)?;
            sum = sum.checked_add(part).ok_or(ValueError::Span)?;
            rest = after.trim_start();
        }
        if sum > KEEP_MAX_MS {
            return Err(ValueError::Span);
        }
        Ok(Self(sum))
    }
}

/// The whole number that a text begins with, and what follows it and white space.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    Some((digits.parse().ok()?, rest.trim_start()))
}

fn unit_ms(word: &str) -> Option<u64> {
    const SECOND: u64 = 1_000;
    const DAY: u64 = 24 * 3_600 * SECOND;
    // "m" is nothing: some mean minutes by it and some months.
    Some(match word {
        "s" | "sec" | "second" | "seconds" => SECOND,
        "min" | "minute" | "minutes" => 60 * SECOND,
        "h" | "hour" | "hours" => 3_600 * SECOND,
        "d" | "day" | "days" => DAY,
        "week" | "weeks" => 7 * DAY,
        "month" | "months" => 31 * DAY,
        "year" | "years" => 366 * DAY,
        _ => return None,
    })
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = ValueError;

    /// `500 GiB`, `2TiB`, `750 MB`: a whole number and its unit.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (count, unit) = number(text.trim()).ok_or(ValueError::Size)?;
        let unit = match unit {
            "B" => 1,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(ValueError::Size),
        };
        count.checked_mul(unit).map(Self).ok_or(ValueError::Size)
    }
}

/// A syslog server that is reached over UDP (RFC 5426).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SyslogTarget {
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port, 514 when not told.
    pub port: u16,
}

impl FromStr for SyslogTarget {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = ValueError::Syslog;
        let authority = text.strip_prefix("udp://").ok_or(wrong)?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong)?;
                let port = match port {
                    "" => None,
                    port => Some(port.strip_prefix(':').ok_or(wrong)?),
                };
                (host, port)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = match port {
            None => 514,
            Some(port) if is_port(port) => port.parse().map_err(|_| wrong)?,
            Some(_) => return Err(wrong),
        };
        if host.is_empty() || host.len() > 253 || !host.chars().all(plain) || port == 0 {
            return Err(wrong);
        }
        let host = host.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') {
            write!(f, "udp://[{host}]:{port}")
        } else {
            write!(f, "udp://{host}:{port}")
        }
    }
}

macro_rules! from_text {
    ($($kind:ty),*) => { $(
        impl TryFrom<String> for $kind {
            type Error = ValueError;

            fn try_from(text: String) -> Result<Self, ValueError> {
                text.parse()
            }
        }
    )* };
}
from_text!(Span, ByteSize, SyslogTarget);

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000;

    #[test]
    fn times_are_sums_of_numbers_with_units() {
        for (text, ms) in [
            ("90 days", 90 * DAY),
            ("12 h", DAY / 2),
            ("30 s", 30_000),
            ("5min", 300_000),
            ("1 year 6 months", (366 + 186) * DAY),
            ("1week2d", 9 * DAY),
            ("0 s", 0),
            ("100 years", KEEP_MAX_MS),
        ] {
            assert_eq!(text.parse(), Ok(Span(ms)), "{text}");
        }
        for bad in [
            "",
            "90",
            "days",
            "90 m",
            "-1 d",
            "1.5 h",
            "1 d,",
            "1 d and 2 h",
            "101 years",
            "18446744073709551615 s",
            "99999999999999999999 s",
            "90 Tage",
        ] {
            assert_eq!(bad.parse::<Span>(), Err(ValueError::Span), "{bad}");
        }
        let ms = |text: &str| text.parse::<Span>().map(|span| span.0).ok();
        assert!(ms("12 months") >= ms("1 year"));
    }

    #[test]
    fn sizes_are_a_number_with_a_unit() {
        for (text, bytes) in [
            ("500 GiB", 500 << 30),
            ("2TiB", 2 << 40),
            ("750 MB", 750_000_000),
            ("1 B", 1),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for bad in ["", "5", "GiB", "5 gib", "1 GiB 2 MiB", "99999999 TiB"] {
            assert_eq!(bad.parse::<ByteSize>(), Err(ValueError::Size), "{bad}");
        }
    }

    #[test]
    fn syslog_servers_are_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("udp://10.1.0.5:514", "10.1.0.5", 514),
            ("udp://loghost", "loghost", 514),
            ("udp://[fd00::1]:5140", "fd00::1", 5_140),
            ("udp://[::1]", "::1", 514),
        ] {
            let target: SyslogTarget = text.parse().expect(text);
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        for bad in [
            "loghost:514",
            "tcp://loghost",
            "udp://",
            "udp://:514",
            "udp://a:0",
            "udp://a:65536",
            "udp://a:+1",
            "udp://a/b",
            "udp://a b",
            "udp://[x]",
            "udp://[::1]5",
        ] {
            let parsed = bad.parse::<SyslogTarget>();
            assert_eq!(parsed, Err(ValueError::Syslog), "{bad}");
        }
    }
}
