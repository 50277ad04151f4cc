//! Wall time as text: RFC 3339, UTC, milliseconds.

use storage::record::WallMillis;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const FORMAT: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The time as text; `None` past the year 9999, which RFC 3339 cannot say.
pub(in crate::http) fn rfc3339(time: WallMillis) -> Option<String> {
    let nanos = i128::from(time.0).checked_mul(1_000_000)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()?
        .format(FORMAT)
        .ok()
}

/// A time that somebody typed: RFC 3339, `yyyy-mm-dd hh:mm:ss` or `yyyy-mm-dd`, the latter two in
/// UTC; `None` if it is none of these or lies before 1970.
pub(in crate::http) fn parse(text: &str) -> Option<WallMillis> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        19 => format!("{}Z", text.replacen(' ', "T", 1)),
        _ => text.to_owned(),
    };
    let time = OffsetDateTime::parse(&whole, &Rfc3339).ok()?;
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    u64::try_from(millis).ok().map(WallMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        let text = rfc3339(WallMillis(784_111_777_005));
        assert_eq!(text.as_deref(), Some("1994-11-06T08:49:37.005Z"));
        assert_eq!(rfc3339(WallMillis(u64::MAX)), None);
    }

    #[test]
    fn typed_times_have_three_forms() {
        for (text, expected) in [
            ("1994-11-06T08:49:37.005Z", Some(784_111_777_005)),
            ("1994-11-06T10:49:37+02:00", Some(784_111_777_000)),
            ("1994-11-06 08:49:37", Some(784_111_777_000)),
            ("1994-11-06", Some(784_080_000_000)),
            ("1969-12-31", None),
            ("1994-13-06", None),
            ("1994-11-0é", None),
            ("tomorrow", None),
            ("784111777", None),
            ("", None),
        ] {
            assert_eq!(parse(text).map(|at| at.0), expected, "{text}");
        }
    }
}
