//! Wall time as text: RFC 3339, UTC, milliseconds.

use storage::record::WallMillis;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        let text = rfc3339(WallMillis(784_111_777_005));
        assert_eq!(text.as_deref(), Some("1994-11-06T08:49:37.005Z"));
        assert_eq!(rfc3339(WallMillis(u64::MAX)), None);
    }
}
