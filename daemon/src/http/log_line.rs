//! The journal's line for a request. Secrets never get there: no header is written, and a query
//! parameter's value only if the parameter is known to hold none and the value looks harmless. Of
//! the tokens of family 000 the first ten characters may be seen (API.md section 1); they are
//! shown where that leaves most of the token unknown.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode, Uri};
use log::Level;

use super::error::Problem;

/// Parameters whose values may be written.
const OPEN: [&str; 17] = [
    "campaignId",
    "cdw_file",
    "cdw_id",
    "crtObjectId",
    "cursor",
    "disposition",
    "expires",
    "kid",
    "limit",
    "live",
    "maxreg",
    "noheader",
    "recid",
    "state",
    "status",
    "targetFormat",
    "type",
];
/// Parameters that hold a token of family 000.
const TOKENS: [&str; 2] = ["sid", "tsid"];
/// How much of such a token may be seen.
const TOKEN_SEEN: usize = 10;
/// How long a token must be for that.
const TOKEN_LONG: usize = 24;
/// How long a value may be to be written.
const VALUE_BYTES: usize = 64;

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
        let code = problem.map_or("-", |problem| problem.code);
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
            request = self.id, status = self.status.as_u16(), code = code;
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
            Some((name, value)) if OPEN.contains(&name) && is_plain(value) => {
                text.push_str(pair);
            }
            Some((name, value)) if TOKENS.contains(&name) && value.len() >= TOKEN_LONG => {
                // A token that is anything but plain letters is none: nothing of it is shown.
                let seen = value.get(..TOKEN_SEEN).filter(|_| is_plain(value));
                let _ = write!(text, "{name}={}***", seen.unwrap_or_default());
            }
            Some((name, _)) if name.len() <= VALUE_BYTES => {
                let _ = write!(text, "{name}=***");
            }
            Some(_) => text.push_str("***"),
            None => text.push_str("***"),
        }
    }
    text
}

/// Whether a value is short, and of characters that no encoding hides anything in.
fn is_plain(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.len() <= VALUE_BYTES && value.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_journal() {
        for (uri, expected) in [
            ("/a?api_key=vas_x&limit=5", "/a?api_key=***&limit=5"),
            ("/a?ticket=tkt_1", "/a?ticket=***"),
            (
                "/api/v1/events?app_id=acme&api_key=k",
                "/api/v1/events?app_id=***&api_key=***",
            ),
            ("/a?%61pi_key=x", "/a?%61pi_key=***"),
            ("/a?vas_secret", "/a?***"),
            ("/a", "/a"),
            ("/a?status=all&&x=1", "/a?status=all&x=***"),
            (
                "/media/1-2?expires=9&disposition=inline&kid=1&signature=00ff",
                "/media/1-2?expires=9&disposition=inline&kid=1&signature=***",
            ),
            (
                "/a?token=x&password=y&Sessionid=z",
                "/a?token=***&password=***&Sessionid=***",
            ),
            (
                "/a?filters={callId%d741-1}&recid=7",
                "/a?filters=***&recid=7",
            ),
            ("/a?recid=7%26tsid", "/a?recid=***"),
            ("/a?recid=vas_%61", "/a?recid=***"),
        ] {
            assert_eq!(redacted(&uri.parse().unwrap()), expected);
        }
        let long = "x".repeat(VALUE_BYTES + 1);
        for (uri, expected) in [
            (format!("/a?recid={long}"), "/a?recid=***"),
            (format!("/a?{long}=1"), "/a?***"),
        ] {
            assert_eq!(redacted(&uri.parse().unwrap()), expected);
        }
    }

    #[test]
    fn tokens_show_their_first_ten_characters_at_most() {
        let token = "paf_0123456789ABCDEFGHIJKLMNOPQRSTUV";
        for name in TOKENS {
            let shown = redacted(&format!("/a?{name}={token}").parse().unwrap());
            assert_eq!(shown, format!("/a?{name}=paf_012345***"));
        }
        for (uri, expected) in [
            ("/a?tsid=0123456789", "/a?tsid=***"),
            ("/a?tsid=0123456789%41012345678901234", "/a?tsid=***"),
            ("/a?TSID=paf_0123456789ABCDEFGHIJKLMNOPQ", "/a?TSID=***"),
            ("/a?stsid=paf_0123456789ABCDEFGHIJKLMNOPQ", "/a?stsid=***"),
        ] {
            assert_eq!(redacted(&uri.parse().unwrap()), expected);
        }
    }
}
