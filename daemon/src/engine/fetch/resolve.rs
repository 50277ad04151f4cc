//! From a host to the addresses that may be connected to: resolved once, every address checked,
//! and what was checked is what is connected to, whatever the name says a moment later.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use ipnet::IpNet;
use url::Host;

use super::target::Target;
use super::{FetchError, address};
use crate::engine::limits;

/// Looks names up.
pub(super) trait Resolver: Send + Sync {
    /// The addresses of a name.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// A look-up under way.
pub(super) type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// The system's resolver.
pub(super) struct System;

impl Resolver for System {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Which addresses count.
#[derive(Clone, Copy)]
pub(super) enum Rule<'a> {
    /// Whoever chose the URL is not to be trusted: public ones, and these.
    Checked(&'a [IpNet]),
    /// The configuration names the URL: any.
    Trusted,
}

/// The addresses of a target, all of them permitted.
///
/// # Errors
/// [`FetchError::Resolve`], [`FetchError::Refused`] if any one is not permitted.
pub(super) async fn addresses(
    resolver: &dyn Resolver,
    target: &Target,
    rule: Rule<'_>,
) -> Result<Vec<SocketAddr>, FetchError> {
    let found = match target.host()? {
        Host::Ipv4(v4) => vec![IpAddr::V4(v4)],
        Host::Ipv6(v6) => vec![IpAddr::V6(v6)],
        Host::Domain(name) => {
            let found = resolver.resolve(name).await;
            found.map_err(|error| FetchError::Resolve(Some(error)))?
        }
    };
    if found.is_empty() {
        return Err(FetchError::Resolve(None));
    }
    if let Rule::Checked(allow) = rule {
        // One that is refused among many is a name that is up to something.
        if let Some(refused) = found.iter().find(|one| !address::permits(allow, **one)) {
            return Err(FetchError::Refused(*refused));
        }
    }
    let port = target.port();
    let found = found.into_iter().take(limits::FETCH_ADDRESSES);
    Ok(found
        .map(|address| SocketAddr::new(address, port))
        .collect())
}
