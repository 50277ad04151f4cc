//! Failed authentications by address. A right credential always works, so that nobody behind the
//! same address is locked out by somebody's guessing; guesses past the limit are told 429 instead
//! of 401. The locks of families 000 and 003, which outlast a restart, are the store's business.

use std::net::IpAddr;
use std::time::Duration;

use super::address::Neighbour;
use super::buckets::{Bucket, Buckets};
use super::limits;

/// The table.
pub(super) struct Failures {
    buckets: Buckets<Neighbour>,
}

impl Failures {
    /// No failures.
    pub(super) fn new() -> Self {
        Self {
            buckets: Buckets::new(limits::AUTH_ADDRESSES),
        }
    }

    /// Counts a failure at `now` (monotonic time).
    ///
    /// # Errors
    /// How long to wait, when the address has had too many.
    pub(super) fn count(&self, from: IpAddr, now: Duration) -> Result<(), Duration> {
        self.buckets.fill(Neighbour::of(from), BUCKET, now)
    }
}

const BUCKET: Bucket = Bucket {
    drops: limits::AUTH_FAILURES,
    drip: limits::AUTH_FAILURE_FORGIVEN,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + last))
    }

    #[test]
    fn failures_fill_and_are_forgiven() {
        let failures = Failures::new();
        let now = Duration::from_secs(100);
        for _ in 0..limits::AUTH_FAILURES {
            assert_eq!(failures.count(ip(1), now), Ok(()));
        }
        assert_eq!(
            failures.count(ip(1), now),
            Err(limits::AUTH_FAILURE_FORGIVEN)
        );
        assert_eq!(failures.count(ip(2), now), Ok(()));
        let later = now + limits::AUTH_FAILURE_FORGIVEN;
        assert_eq!(failures.count(ip(1), later), Ok(()));
        assert!(failures.count(ip(1), later).is_err());
    }
}
