//! Failed authentications by address: a leaky bucket each, in a bounded table. A right credential
//! always works, so that nobody behind the same address is locked out by somebody's guessing;
//! guesses past the limit are told 429 instead of 401.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::address::Neighbour;
use super::limits;

/// The table.
pub(super) struct Failures {
    /// When each address's bucket will be empty, in monotonic time.
    empty_at: Mutex<HashMap<Neighbour, Duration>>,
}

impl Failures {
    /// No failures.
    pub(super) fn new() -> Self {
        Self {
            empty_at: Mutex::new(HashMap::new()),
        }
    }

    /// Counts a failure at `now` (monotonic time).
    ///
    /// # Errors
    /// How long to wait, when the address has had too many.
    pub(super) fn count(&self, from: IpAddr, now: Duration) -> Result<(), Duration> {
        let neighbour = Neighbour::of(from);
        let mut table = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= limits::AUTH_ADDRESSES && !table.contains_key(&neighbour) {
            table.retain(|_, empty_at| *empty_at > now);
            if table.len() >= limits::AUTH_ADDRESSES {
                let forgiven = table.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key);
                forgiven.and_then(|key| table.remove(&key));
            }
        }
        let empty_at = table.entry(neighbour).or_insert(now);
        let filled = (*empty_at).max(now) + limits::AUTH_FAILURE_FORGIVEN;
        let full = limits::AUTH_FAILURE_FORGIVEN * limits::AUTH_FAILURES;
        if filled > now + full {
            return Err(filled - now - full);
        }
        *empty_at = filled;
        Ok(())
    }
}

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

    #[test]
    fn the_table_stays_bounded() {
        let failures = Failures::new();
        let mut now = Duration::ZERO;
        for n in 0..u32::try_from(limits::AUTH_ADDRESSES).unwrap() + 50 {
            now += Duration::from_millis(1);
            assert_eq!(failures.count(ip(n), now), Ok(()));
        }
        let table = failures.empty_at.lock().unwrap();
        assert_eq!(table.len(), limits::AUTH_ADDRESSES);
    }
}
