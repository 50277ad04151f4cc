//! Who asks: keys in a header or, for players, in the query, and tickets. Whether a key is right
//! is the store's business, which compares in constant time.

pub(super) mod organization;
pub(super) mod password;
pub(super) mod play_token;
pub(super) mod session;

use std::net::IpAddr;

use http::StatusCode;
use http::header::{FORWARDED, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use std::sync::atomic::Ordering;
use storage::account::Role;
use storage::ids::TenantId;
use storage::record::Family;
use uuid::Uuid;

use super::error::Problem;
use super::limits;
use super::request::Query;
use super::route::Access;
use super::site::Site;
use super::tickets::Holder;

/// Whose recordings a request may see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Principal {
    /// The tenant.
    pub(in crate::http) tenant: TenantId,
    /// The key that the credential is, or was issued for; 0 for a session.
    pub(in crate::http) key_id: u64,
    /// The user on whose behalf it is, if it is one's.
    pub(in crate::http) user_id: Option<u64>,
    /// What that user may do; keys of nobody may what supervisors may.
    pub(in crate::http) role: Role,
}

/// Lets a request in, or says why not. `task` is the recording it names, where it names one.
///
/// # Errors
/// 401, 403, or 429 after too many wrong credentials from one address.
pub(super) fn admit(
    site: &Site,
    access: Access,
    parts: &Parts,
    peer: IpAddr,
    task: Option<Uuid>,
) -> Result<Option<Principal>, Problem> {
    match access {
        Access::Public | Access::PlayToken | Access::Signature | Access::Password => Ok(None),
        Access::OrganizationKey => organization::admit(site, parts, peer).map(Some),
        Access::UserSession => session::admit(site, parts, peer).map(Some),
        Access::Local => {
            if peer.to_canonical().is_loopback() && !came_through_a_proxy(parts) {
                Ok(None)
            } else {
                Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "local_only",
                    "This path answers on the machine itself only; scrape it through 127.0.0.1.",
                ))
            }
        }
        Access::TaskKey => by_key(site, parts, peer, false).map(Some),
        Access::TaskKeyOrTicket => by_ticket(site, parts, peer, task)
            .unwrap_or_else(|| by_key(site, parts, peer, true))
            .map(Some),
    }
}

fn came_through_a_proxy(parts: &Parts) -> bool {
    parts.headers.contains_key(FORWARDED) || parts.headers.contains_key("x-forwarded-for")
}

/// `None` if the request shows no ticket, or shows a key in the header as well.
fn by_ticket(
    site: &Site,
    parts: &Parts,
    peer: IpAddr,
    task: Option<Uuid>,
) -> Option<Result<Principal, Problem>> {
    if parts.headers.contains_key(KEY_HEADER) {
        return None;
    }
    let ticket = Query::of(parts).get("ticket").ok()??;
    let now = site.clock.monotonic();
    let holder = task
        .and_then(|task| site.tickets.redeem(&ticket, task, peer, now))
        .filter(|holder| site.storage.is_key_valid(holder.key_id));
    Some(match holder {
        Some(Holder { tenant, key_id }) => Ok(Principal {
            tenant,
            key_id,
            user_id: None,
            role: Role::Supervisor,
        }),
        None => Err(wrong(
            site,
            peer,
            "The ticket is used up, expired, or for something else.",
        )),
    })
}

fn by_key(site: &Site, parts: &Parts, peer: IpAddr, in_query: bool) -> Result<Principal, Problem> {
    let mut values = parts.headers.get_all(KEY_HEADER).iter();
    let secret = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        (Some(_), Some(_)) => None,
        (None, _) if in_query => match Query::of(parts).get("api_key") {
            Ok(Some(secret)) => Some(secret.into_owned()),
            Ok(None) => return Err(missing(in_query)),
            Err(_) => None,
        },
        (None, _) => return Err(missing(in_query)),
    };
    let row = secret
        .filter(|secret| has_form(secret))
        .and_then(|secret| site.storage.authenticate(Family::TaskAudio, &secret));
    match row {
        Some(row) => Ok(Principal {
            tenant: row.tenant,
            key_id: row.key_id,
            user_id: row.user_id,
            role: Role::Supervisor,
        }),
        None => Err(wrong(site, peer, "The API key is not valid.")),
    }
}

/// `vas_` and 32 letters or digits (seed 004's example, API.md section 5).
fn has_form(secret: &str) -> bool {
    secret.strip_prefix("vas_").is_some_and(|rest| {
        rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn missing(in_query: bool) -> Problem {
    unauthorized(if in_query {
        "Send an API key in the header X-API-Key, or a ticket as ?ticket=."
    } else {
        "Send an API key in the header X-API-Key."
    })
}

fn unauthorized(message: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message).header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("ApiKey header=\"X-API-Key\""),
    )
}

fn wrong(site: &Site, peer: IpAddr, message: &'static str) -> Problem {
    site.metrics.auth_failures.fetch_add(1, Ordering::Relaxed);
    match site.failures.count(peer, site.clock.monotonic()) {
        Ok(()) => unauthorized(message),
        Err(wait) => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_failures",
            format!(
                "More than {} wrong credentials; wait.",
                limits::AUTH_FAILURES
            ),
        )
        .retry_after(wait),
    }
}

const KEY_HEADER: &str = "x-api-key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_form() {
        assert!(has_form("vas_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW"));
        for bad in [
            "",
            "vas_",
            "vas_short",
            "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vWxxxx",
            "vas_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1v-",
            "vas_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vWx",
        ] {
            assert!(!has_form(bad), "{bad}");
        }
    }
}
