//! How often anybody may ask (`[access]`): buckets that hold one second's worth, by credential and
//! by address, over all workers and on the monotonic clock. Past them the answer is 429 with
//! `Retry-After`, in the family's envelope.
//!
//! ```text
//!                      address, before any work     credential, right after authentication
//!  Charge::Request     requests_per_address         requests_per_credential
//!  Charge::Media       only refused requests        media_per_credential
//!  Charge::Nothing     -                            -
//!  Charge::Application only refused requests        its own, requests a minute
//! ```
//!
//! An application of family `session_commands` may ask as often in a minute as its row says: a
//! bucket that holds a minute's worth and empties evenly, so that a burst is served at once. It is
//! counted over all workers. Who shows no right credential of that family gets
//! [`limits::STRANGER_REQUESTS`] a second, on loopback too; who shows one is never counted there.
//!
//! A player asks for many ranges of one recording, so what is answered with sound counts against
//! its credential alone, and by default against nothing. Requests for sound that are refused for
//! want of a credential count against their address like all others. API.md section 0 puts the
//! rate after existence; here it comes before, since it is there to save the look-up. Loopback is
//! exempt from the address's limit: a proxy on this machine speaks for everyone.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use storage::outbox::{AppKey, Application};

use super::address::Neighbour;
use super::auth::Principal;
use super::buckets::{Bucket, Buckets};
use super::error::Problem;
use super::limits;
use super::route::Charge;
use super::service::Call;
use super::site::Site;
use super::wire::session_commands::access::AccessFault;

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Credential {
    /// A key, by its public id.
    Key(u64),
    /// A user, over all sessions.
    User(u64),
    /// A signed link, by the beginning of its signature.
    Link(u64),
}

impl Credential {
    /// What a principal showed.
    pub(super) fn of(principal: &Principal) -> Self {
        match principal.user_id {
            Some(user_id) if principal.key_id == 0 => Self::User(user_id),
            _ => Self::Key(principal.key_id),
        }
    }
}

/// The buckets of a site.
pub(super) struct RateLimits {
    addresses: Buckets<Neighbour>,
    requests: Buckets<Credential>,
    media: Buckets<Credential>,
    applications: Buckets<AppKey>,
    strangers: Buckets<Neighbour>,
}

impl RateLimits {
    /// All empty.
    pub(super) fn new() -> Self {
        Self {
            addresses: Buckets::new(limits::RATE_ADDRESSES),
            requests: Buckets::new(limits::RATE_CREDENTIALS),
            media: Buckets::new(limits::RATE_CREDENTIALS),
            applications: Buckets::new(limits::RATE_APPLICATIONS),
            strangers: Buckets::new(limits::RATE_ADDRESSES),
        }
    }

    fn address(&self, peer: IpAddr, a_second: u32, now: Duration) -> Result<(), Duration> {
        match bucket(a_second) {
            Some(bucket) if !peer.to_canonical().is_loopback() => {
                self.addresses.fill(Neighbour::of(peer), bucket, now)
            }
            _ => Ok(()),
        }
    }
}

/// One second's worth of a rate; `None` is unlimited.
fn bucket(a_second: u32) -> Option<Bucket> {
    let drip = Duration::from_secs(1).checked_div(a_second)?;
    Some(Bucket {
        drops: a_second,
        drip,
    })
}

/// Counts a request against its address.
///
/// # Errors
/// 429.
pub(super) fn charge_address(site: &Site, peer: IpAddr) -> Result<(), Problem> {
    let a_second = site.config.load().access.requests_per_address;
    let now = site.clock.monotonic();
    let charged = site.rates.address(peer, a_second, now);
    charged.map_err(|wait| {
        let counter = &site.metrics.limited_address;
        refused(counter, "The address sends", a_second, wait)
    })
}

/// Counts a request against what it was let in with. Families that authenticate by themselves call
/// this right after; for the others `service.rs` does.
///
/// # Errors
/// 429.
pub(super) fn charge_credential(call: &Call<'_>, credential: Credential) -> Result<(), Problem> {
    let site = &call.worker.site;
    let config = site.config.load();
    let (buckets, a_second) = match call.policy.charge {
        Charge::Nothing | Charge::Application => return Ok(()),
        Charge::Request => (&site.rates.requests, config.access.requests_per_credential),
        Charge::Media => (&site.rates.media, config.access.media_per_credential),
    };
    let Some(bucket) = bucket(a_second) else {
        return Ok(());
    };
    let charged = buckets.fill(credential, bucket, site.clock.monotonic());
    charged.map_err(|wait| {
        let counter = &site.metrics.limited_credential;
        refused(counter, "The credential is used for", a_second, wait)
    })
}

/// Counts a request against its application.
///
/// # Errors
/// 429.
pub(super) fn charge_application(site: &Site, app: &Application) -> Result<(), Problem> {
    let Some(drip) = MINUTE.checked_div(app.rate_limit) else {
        return Ok(());
    };
    let bucket = Bucket {
        drops: app.rate_limit,
        drip,
    };
    let now = site.clock.monotonic();
    let charged = site.rates.applications.fill(app.key, bucket, now);
    charged.map_err(|wait| {
        let counter = &site.metrics.limited_credential;
        let most = app.rate_limit;
        too_often(
            counter,
            wait,
            &format!("The application may send {most} requests a minute"),
        )
    })
}

/// Counts a request that showed no right credential of family `session_commands`.
///
/// # Errors
/// 429.
pub(super) fn charge_stranger(site: &Site, peer: IpAddr) -> Result<(), Problem> {
    let Some(bucket) = bucket(limits::STRANGER_REQUESTS) else {
        return Ok(());
    };
    let now = site.clock.monotonic();
    let charged = site.rates.strangers.fill(Neighbour::of(peer), bucket, now);
    charged.map_err(|wait| {
        let counter = &site.metrics.limited_address;
        let most = limits::STRANGER_REQUESTS;
        let why = format!("An address without a right key may send {most} requests a second");
        too_often(counter, wait, &why)
    })
}

fn too_often(counter: &AtomicU64, wait: Duration, why: &str) -> Problem {
    counter.fetch_add(1, Ordering::Relaxed);
    Problem::from(AccessFault::RateLimited)
        .detail(format!("{why}; wait as long as Retry-After says"))
        .retry_after(wait)
}

const MINUTE: Duration = Duration::from_secs(60);

fn refused(counter: &AtomicU64, who: &str, a_second: u32, wait: Duration) -> Problem {
    counter.fetch_add(1, Ordering::Relaxed);
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        format!("{who} more than {a_second} requests a second; wait."),
    )
    .retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_a_seconds_worth_and_loopback_all() {
        let rates = RateLimits::new();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut now = Duration::from_secs(7);
        for _ in 0..5 {
            assert_eq!(rates.address(ip("192.0.2.1"), 5, now), Ok(()));
        }
        let wait = Duration::from_millis(200);
        assert_eq!(rates.address(ip("192.0.2.1"), 5, now), Err(wait));
        assert_eq!(rates.address(ip("::ffff:192.0.2.1"), 5, now), Err(wait));
        assert_eq!(rates.address(ip("192.0.2.2"), 5, now), Ok(()));
        now += wait;
        assert_eq!(rates.address(ip("192.0.2.1"), 5, now), Ok(()));
        assert_eq!(rates.address(ip("192.0.2.1"), 5, now), Err(wait));
        for loopback in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"] {
            for _ in 0..10 {
                assert_eq!(rates.address(ip(loopback), 5, now), Ok(()), "{loopback}");
            }
        }
        for _ in 0..10 {
            assert_eq!(
                rates.address(ip("192.0.2.1"), 0, now),
                Ok(()),
                "0: no limit"
            );
        }
    }

    #[test]
    fn one_neighbour_of_ipv6_is_a_network() {
        let rates = RateLimits::new();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(rates.address(ip("2001:db8::1"), 1, Duration::ZERO), Ok(()));
        assert!(rates.address(ip("2001:db8::2"), 1, Duration::ZERO).is_err());
        assert_eq!(
            rates.address(ip("2001:db8:0:1::1"), 1, Duration::ZERO),
            Ok(())
        );
    }
}
