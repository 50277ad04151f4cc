//! Conditional requests (RFC 9110 section 13): preconditions, their order, and `If-Range`. Pure
//! functions of request headers and a representation's validators.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE,
};
use storage::record::WallMillis;

/// What identifies a representation's present state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// The strong entity tag with its quotes.
    pub(crate) etag: &'a str,
    /// The last change, cut to whole seconds as `Last-Modified` tells it.
    pub(crate) last_modified: SystemTime,
}

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answer it.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// A wall time as HTTP can tell it: whole seconds, up to the end of the year 9999.
#[must_use]
pub(crate) fn whole_seconds(time: WallMillis) -> SystemTime {
    const LAST: u64 = 253_402_300_799;
    UNIX_EPOCH + Duration::from_secs((time.0 / 1_000).min(LAST))
}

/// Evaluates the preconditions in the order of RFC 9110 section 13.2.2. `safe` says whether the
/// method is GET or HEAD, which alone can be answered with 304.
#[must_use]
pub(crate) fn evaluate(headers: &HeaderMap, validators: Validators<'_>, safe: bool) -> Outcome {
    if headers.contains_key(IF_MATCH) {
        if !lists(headers, &IF_MATCH, validators.etag, Comparison::Strong) {
            return Outcome::Failed;
        }
    } else if let Some(date) = single_date(headers, &IF_UNMODIFIED_SINCE)
        && validators.last_modified > date
    {
        return Outcome::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if lists(headers, &IF_NONE_MATCH, validators.etag, Comparison::Weak) {
            return if safe {
                Outcome::NotModified
            } else {
                Outcome::Failed
            };
        }
    } else if safe
        && let Some(date) = single_date(headers, &IF_MODIFIED_SINCE)
        && validators.last_modified <= date
    {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// Whether `If-Range` lets the `Range` header count: it is absent, or the strong tag, or exactly
/// the date of `Last-Modified` (RFC 9110 section 13.1.5).
#[must_use]
pub(crate) fn range_counts(headers: &HeaderMap, validators: Validators<'_>) -> bool {
    let mut values = headers.get_all(IF_RANGE).iter();
    let Some(value) = values.next() else {
        return true;
    };
    let (None, Ok(text)) = (values.next(), value.to_str()) else {
        return false;
    };
    let text = text.trim_matches([' ', '\t']);
    if text.starts_with('"') || text.starts_with("W/") {
        return text == validators.etag;
    }
    httpdate::parse_http_date(text).is_ok_and(|date| date == validators.last_modified)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags, or `*`, names this one (RFC 9110 section 8.8.3.2).
fn lists(headers: &HeaderMap, name: &HeaderName, etag: &str, how: Comparison) -> bool {
    headers.get_all(name).iter().any(|value| {
        let mut rest = value.as_bytes().trim_ascii();
        if rest == b"*" {
            return true;
        }
        while let Some((weak, tag, after)) = next_tag(rest) {
            if tag == etag.as_bytes() && (how == Comparison::Weak || !weak) {
                return true;
            }
            rest = after;
        }
        false
    })
}

/// The next tag of a list: whether it is weak, itself with quotes, and what follows. A malformed
/// list ends at its first flaw.
fn next_tag(list: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let separators = |byte: &u8| !matches!(byte, b' ' | b'\t' | b',');
    let list = list.get(list.iter().position(separators)?..)?;
    let (weak, tag) = match list.strip_prefix(b"W/") {
        Some(tag) => (true, tag),
        None => (false, list),
    };
    if tag.first() != Some(&b'"') {
        return None;
    }
    let end = tag.iter().skip(1).position(|byte| *byte == b'"')? + 2;
    let (tag, after) = tag.split_at_checked(end)?;
    Some((weak, tag, after))
}

/// A date header that occurs once and is a date; else it is ignored, as the RFC demands.
fn single_date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const ETAG: &str = "\"abc\"";
    const DAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn validators() -> Validators<'static> {
        Validators {
            etag: ETAG,
            last_modified: whole_seconds(WallMillis(784_111_777_999)),
        }
    }

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn preconditions_follow_the_order_of_the_rfc() {
        use Outcome::{Failed, NotModified, Proceed};
        for (fields, expected) in [
            (vec![], Proceed),
            (vec![(IF_MATCH, ETAG)], Proceed),
            (vec![(IF_MATCH, "*")], Proceed),
            (vec![(IF_MATCH, "\"x\", \"abc\"")], Proceed),
            (vec![(IF_MATCH, "W/\"abc\"")], Failed),
            (vec![(IF_MATCH, "\"x\"")], Failed),
            (vec![(IF_MATCH, "")], Failed),
            (vec![(IF_UNMODIFIED_SINCE, DAY)], Proceed),
            (vec![(IF_UNMODIFIED_SINCE, BEFORE)], Failed),
            (vec![(IF_UNMODIFIED_SINCE, "yesterday")], Proceed),
            (
                vec![(IF_MATCH, ETAG), (IF_UNMODIFIED_SINCE, BEFORE)],
                Proceed,
            ),
            (vec![(IF_NONE_MATCH, ETAG)], NotModified),
            (vec![(IF_NONE_MATCH, "W/\"abc\"")], NotModified),
            (vec![(IF_NONE_MATCH, "\"x\",W/\"abc\"")], NotModified),
            (vec![(IF_NONE_MATCH, "*")], NotModified),
            (vec![(IF_NONE_MATCH, "\"x\"")], Proceed),
            (vec![(IF_NONE_MATCH, "abc")], Proceed),
            (vec![(IF_MODIFIED_SINCE, DAY)], NotModified),
            (vec![(IF_MODIFIED_SINCE, AFTER)], NotModified),
            (vec![(IF_MODIFIED_SINCE, BEFORE)], Proceed),
            (
                vec![(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, AFTER)],
                Proceed,
            ),
            (vec![(IF_MATCH, "\"x\""), (IF_NONE_MATCH, ETAG)], Failed),
            (vec![(IF_MATCH, ETAG), (IF_NONE_MATCH, ETAG)], NotModified),
            (
                vec![(IF_UNMODIFIED_SINCE, BEFORE), (IF_NONE_MATCH, ETAG)],
                Failed,
            ),
        ] {
            assert_eq!(
                evaluate(&headers(&fields), validators(), true),
                expected,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn unsafe_methods_never_see_304() {
        assert_eq!(
            evaluate(&headers(&[(IF_NONE_MATCH, ETAG)]), validators(), false),
            Outcome::Failed
        );
        let since = headers(&[(IF_MODIFIED_SINCE, DAY)]);
        assert_eq!(evaluate(&since, validators(), false), Outcome::Proceed);
    }

    #[test]
    fn if_range_needs_a_strong_tag_or_the_exact_date() {
        for (fields, expected) in [
            (vec![], true),
            (vec![(IF_RANGE, ETAG)], true),
            (vec![(IF_RANGE, "W/\"abc\"")], false),
            (vec![(IF_RANGE, "\"x\"")], false),
            (vec![(IF_RANGE, "\"abc\", \"x\"")], false),
            (vec![(IF_RANGE, "*")], false),
            (vec![(IF_RANGE, DAY)], true),
            (vec![(IF_RANGE, AFTER)], false),
            (vec![(IF_RANGE, BEFORE)], false),
            (vec![(IF_RANGE, "rubbish")], false),
        ] {
            assert_eq!(
                range_counts(&headers(&fields), validators()),
                expected,
                "{fields:?}"
            );
        }
        let mut twice = headers(&[(IF_RANGE, ETAG)]);
        twice.append(IF_RANGE, HeaderValue::from_static(ETAG));
        assert!(!range_counts(&twice, validators()));
    }
}
