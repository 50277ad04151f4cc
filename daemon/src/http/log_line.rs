//! The journal's line for a request. Secrets never get there: a query parameter's value is
//! written only if the parameter is known to hold none.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode, Uri};
use log::Level;

use super::error::Problem;

/// Parameters whose values may be written.
const OPEN: [&str; 4] = ["cursor", "limit", "live", "status"];

/// What a line tells of a request.
pub(super) struct Line<'a> {
    pub(super) id: &'a str,
    pub(super) peer: SocketAddr,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) status: StatusCode,
    pub(super) took: Duration,
    pub(super) bytes: u64,
}

/// Which level a status is worth: what works is the debug level's business.
const fn level(status: StatusCode) -> Level {
    match status.as_u16() {
        500.. => Level::Warn,
        400.. => Level::Info,
        _ => Level::Debug,
    }
}

impl Line<'_> {
    /// Writes the line; with the cause, if something went wrong.
    pub(super) fn write(&self, problem: Option<&Problem>) {
        let level = level(self.status);
        if !log::log_enabled!(target: TARGET, level) {
            return;
        }
        let mut why = String::new();
        if let Some(problem) = problem {
            let _ = write!(why, " {}", problem.code);
            let mut cause: Option<&dyn std::error::Error> = problem
                .cause
                .as_deref()
                .map(|cause| cause as &dyn std::error::Error);
            while let Some(error) = cause {
                let _ = write!(why, ": {error}");
                cause = error.source();
            }
        }
        log::log!(
            target: TARGET, level,
            "{} {} {} {} -> {} {} bytes in {} us{why}",
            self.id, self.peer, self.method, redacted(self.uri), self.status.as_u16(),
            self.bytes, self.took.as_micros(),
        );
    }
}

const TARGET: &str = "callreel::access";

/// Path and query with the values of unknown parameters left out.
fn redacted(uri: &Uri) -> String {
    let mut text = uri.path().to_owned();
    for (index, pair) in uri.query().unwrap_or_default().split('&').enumerate() {
        if pair.is_empty() {
            continue;
        }
        text.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if OPEN.contains(&name) => text.push_str(pair),
            Some((name, _)) => {
                let _ = write!(text, "{name}=***");
            }
            None => text.push_str("***"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_journal() {
        for (uri, expected) in [
            ("/a?api_key=vas_x&limit=5", "/a?api_key=***&limit=5"),
            ("/a?ticket=tkt_1", "/a?ticket=***"),
            ("/a?%61pi_key=x", "/a?%61pi_key=***"),
            ("/a?vas_secret", "/a?***"),
            ("/a", "/a"),
            ("/a?status=all&&x=1", "/a?status=all&x=***"),
        ] {
            assert_eq!(redacted(&uri.parse().unwrap()), expected);
        }
    }
}
