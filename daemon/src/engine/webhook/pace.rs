//! When an event is tried again. Pure.

use std::time::{Duration, UNIX_EPOCH};

use audio_io::units::WallMillis;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use storage::limits::OUTBOX_AGE;

use crate::engine::limits;

/// How retries are spread; tests are in more of a hurry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Before the second attempt, at most.
    pub(super) first: Duration,
    /// Between two attempts, at most.
    pub(super) most: Duration,
    /// From an event's beginning to its last attempt, at most.
    pub(super) age: Duration,
    /// For one attempt.
    pub(super) attempt: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: limits::WEBHOOK_RETRY_MIN,
            most: limits::WEBHOOK_RETRY_MAX,
            age: OUTBOX_AGE,
            attempt: limits::WEBHOOK_ATTEMPT,
        }
    }
}

impl Pace {
    /// How long to wait after so many failures: twice as long each time up to the maximum, of
    /// which the second half is left to chance (`random`: any number), so that what failed
    /// together does not come back together.
    pub(super) fn delay(&self, failures: u32, random: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.most);
        let half = full / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// What an answer asks for with `Retry-After`, in seconds or as a date, but at most
/// [`limits::WEBHOOK_RETRY_AFTER_MAX`].
pub(super) fn retry_after(headers: &HeaderMap, wall: WallMillis) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // A number past u64 is a long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let until = until.duration_since(UNIX_EPOCH).ok()?;
        until.saturating_sub(Duration::from_millis(wall.0))
    };
    Some(asked.min(limits::WEBHOOK_RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn delays_double_within_bounds_and_are_spread() {
        let pace = Pace::default();
        let mut before = Duration::ZERO;
        for failures in 1..100 {
            let (least, most) = (pace.delay(failures, 0), pace.delay(failures, u32::MAX));
            assert_eq!(least * 2, most, "{failures}");
            assert!(most >= before && most <= pace.most, "{failures}: {most:?}");
            before = most;
        }
        assert_eq!(pace.delay(1, u32::MAX), pace.first);
        assert_eq!(before, pace.most);
        let tries = (1..).scan(Duration::ZERO, |sum, failures| {
            *sum += pace.delay(failures, u32::MAX);
            (*sum < pace.age).then_some(())
        });
        assert!((20..100).contains(&tries.count()), "in 24 hours");
    }

    #[test]
    fn retry_after_is_honoured_within_bounds() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, WallMillis(784_111_717_000))
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(asked("120"), seconds(120));
        assert_eq!(asked(" 0 "), seconds(0));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), seconds(60));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), seconds(0));
        let most = Some(limits::WEBHOOK_RETRY_AFTER_MAX);
        assert_eq!(asked("999999"), most);
        assert_eq!(asked("99999999999999999999999"), most);
        for bad in ["", "-1", "soon", "1.5"] {
            assert_eq!(asked(bad), None, "{bad}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), WallMillis(0)), None);
    }
}
