//! Where log records go: the systemd journal with structured fields when standard error is
//! connected to it, readable lines on standard error elsewhere. What is logged is the business of
//! whoever logs it; but decoders, which log each unreadable prompt as their own failure, are heard
//! at level debug only.
//!
//! A record's keys are fields of the journal, in capitals: `journalctl LINE=front-desk`. The same
//! thing has the same name everywhere:
//!
//! | field | of records about | value |
//! |---|---|---|
//! | `LINE` | a line | its name |
//! | `TENANT` | what a tenant owns | its name (`TENANT_ID`: its number, where no more is known) |
//! | `RECORDING` | a recording | its recid |
//! | `CALL` | a call under control, or a connection of a PBX | the UUID of its session |
//! | `APP`, `EVENT` | an application, a webhook event of it | their ids |
//! | `PROMPT` | a prompt | its id |
//! | `SPAN` | a span of a telephone card | its number |
//! | `USER`, `KEY_ID`, `SIGNING_KEY` | who may do what | name, ids |
//! | `PEER`, `UID` | who is at the other end | address, or user of the control socket |
//! | `REQUEST`, `STATUS`, `CODE` | an answer over HTTP | X-Request-Id, status, error code or `-` |
//! | `CODE`, `EXIT_CODE` | why the daemon could not start | `cli::exit::Exit`: word and number |
//! | `STUCK` | what makes no progress | `capture`, `recorder`, `index`, `calls` |
//! | `MESSAGE_ID` | events to be woken for | [`crate::catalog`] |
//!
//! `PRIORITY` is 3 (an error: sound or data is lost, or will be), 4 (a warning: something is not as
//! it should be, and the daemon goes on), 5 (what happened) or 6 (for whoever looks for a fault).

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use audio_io::clock::Clock;
use audio_io::units::WallMillis;
use log::kv::{Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::JournalLog;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::config::schema::LogLevel;

/// The name that the journal shows for the daemon.
const IDENTIFIER: &str = "callreeld";

/// The longest line written to standard error; what is beyond it is cut off, with a mark.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// Logging that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The journal's socket cannot be used although standard error is connected to the journal.
    #[error("cannot reach the systemd journal: {0}")]
    Journal(#[source] std::io::Error),
    /// A logger is installed already.
    #[error("logging is set up already: {0}")]
    Twice(#[from] log::SetLoggerError),
}

/// Sets up logging for the process, once. The level can be changed later with [`set_level`].
///
/// # Errors
/// [`LoggingError`] when the journal refuses, or when called twice.
pub fn install(level: LogLevel, clock: Arc<dyn Clock>) -> Result<(), LoggingError> {
    if systemd_journal_logger::connected_to_journal() {
        let journal = JournalLog::empty().map_err(LoggingError::Journal)?;
        let journal = journal
            .with_syslog_identifier(IDENTIFIER.into())
            .with_extra_fields([("CALLREEL_VERSION", env!("CARGO_PKG_VERSION"))]);
        log::set_boxed_logger(Box::new(Quiet(journal)))?;
    } else {
        log::set_boxed_logger(Box::new(Quiet(StderrLog { clock })))?;
    }
    set_level(level);
    Ok(())
}

/// Changes the least severe level that is logged.
pub fn set_level(level: LogLevel) {
    log::set_max_level(match level {
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
    });
}

/// Lets through what an operator can use. Whoever calls a decoder tells what it could not read,
/// with the reason and the name of the file; its own lines say neither.
struct Quiet<L>(L);

impl<L: Log> Log for Quiet<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_heard = log::max_level() >= LevelFilter::Debug || !is_decoder(metadata.target());
        is_heard && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Whether a record's target is one of the crates that decode sound files.
fn is_decoder(target: &str) -> bool {
    target.starts_with("symphonia")
}

/// One record a line on standard error.
struct StderrLog {
    clock: Arc<dyn Clock>,
}

impl Log for StderrLog {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = line(record, self.clock.wall());
        // One write a line, so that lines of several threads do not mix. A closed standard error
        // must not stop recording: there is nobody to tell.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// `2026-11-21T06:14:09.123Z INFO  daemon::engine: line opened line=front rate_hz=8000`
fn line(record: &Record<'_>, now: WallMillis) -> String {
    let mut line = rfc3339(now);
    let level = match record.level() {
        Level::Error => "ERROR",
        Level::Warn => "WARN ",
        Level::Info => "INFO ",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    };
    let target = record.target();
    // Writing to a String cannot fail; a value whose Display fails is left out.
    let _ = write!(line, " {level} {target}: ");
    let start = line.len();
    let _ = write!(line, "{}", record.args());
    let _ = record.key_values().visit(&mut Pairs(&mut line));
    // A record is one line, whatever a caller's number or a device's name holds.
    let body = line.split_off(start);
    for character in body.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
        if line.len() > MAX_LINE_BYTES {
            line.push('…');
            break;
        }
    }
    line.push('\n');
    line
}

/// Writes ` key=value` pairs, values quoted where they hold a space.
struct Pairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        // A number for machines; the journal has it.
        if key.as_str() == "message_id" {
            return Ok(());
        }
        let value = value.to_string();
        let quoted = value.is_empty() || value.contains([' ', '"', '=']);
        let result = if quoted {
            write!(self.0, " {key}={value:?}")
        } else {
            write!(self.0, " {key}={value}")
        };
        result.map_err(log::kv::Error::from)
    }
}

/// Wall time as RFC 3339 in UTC with milliseconds; years past 9999 are shown as the last instant.
#[must_use]
pub fn rfc3339(at: WallMillis) -> String {
    const FORMAT: &[BorrowedFormatItem<'static>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let nanos = i128::from(at.0) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(FORMAT).ok())
        .unwrap_or_else(|| "9999-12-31T23:59:59.999Z".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallMillis = WallMillis(1_795_241_649_123);

    #[test]
    fn a_line_has_time_level_target_message_and_pairs() {
        let pairs = [("line", "front"), ("why", "no such device")];
        let record = Record::builder()
            .level(Level::Warn)
            .target("engine")
            .key_values(&pairs)
            .args(format_args!("line lost"))
            .build()
            .clone();
        assert_eq!(
            line(&record, NOW),
            "2026-11-21T06:14:09.123Z WARN  engine: line lost line=front why=\"no such device\"\n"
        );
    }

    #[test]
    fn a_record_stays_one_line_of_bounded_length() {
        let text = format!("a\nb\u{1b}[2J{}", "x".repeat(MAX_LINE_BYTES * 2));
        let line = line(
            &Record::builder()
                .args(format_args!("{text}"))
                .target("t")
                .build(),
            NOW,
        );
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.contains("a\\nb\\u{1b}[2J"));
        assert!(line.len() < MAX_LINE_BYTES + 16);
    }

    #[test]
    fn decoders_are_heard_at_level_debug_only() {
        let heard = |level, target: &str| {
            set_level(level);
            let mut metadata = Metadata::builder();
            let metadata = metadata.target(target).level(Level::Error).build();
            let clock = Arc::new(audio_io::clock::SystemClock);
            Quiet(StderrLog { clock }).enabled(&metadata)
        };
        for target in ["symphonia_core::formats::probe", "symphonia_bundle_mp3"] {
            assert!(!heard(LogLevel::Info, target), "{target}");
            assert!(heard(LogLevel::Debug, target), "{target}");
        }
        assert!(heard(LogLevel::Error, "daemon::engine"));
        log::set_max_level(LevelFilter::Off);
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(rfc3339(WallMillis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(WallMillis(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
