//! Who asks: keys in a header or, for players, in the query, and tickets. Whether a key is right
//! is the store's business, which compares in constant time.

pub(super) mod admin;
pub(super) mod application;
pub(super) mod organization;
pub(super) mod password;
pub(super) mod play_token;
pub(super) mod session;
pub(super) mod supervisor;

use std::net::IpAddr;

use http::StatusCode;
use http::header::{FORWARDED, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use std::sync::atomic::Ordering;
use storage::account::{KeyCheck, Role};
use storage::ids::TenantId;
use storage::record::{Family, KeyRow};
use uuid::Uuid;

use super::error::Problem;
use super::limits;
use super::metrics::Group;
use super::request::Query;
use super::route::Access;
use super::service::Call;
use super::site::Site;
use super::tickets::Holder;
use super::trail;
use super::trail::refusals::{Refusal, tell};

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
        Access::Public
        | Access::PlayToken
        | Access::Signature
        | Access::Password
        | Access::Application
        | Access::ApplicationInQuery
        | Access::Supervisor
        | Access::Admin => Ok(None),
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
        None => {
            tell(site, &refusal(parts, peer, "unknown ticket"));
            let message = "The ticket is used up, expired, or for something else.";
            Err(refuse(site, peer, unauthorized(message)))
        }
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
    let check = secret
        .filter(|secret| has_form(secret))
        .map(|secret| site.storage.check_key(Family::TaskAudio, &secret, peer));
    match check {
        Some(KeyCheck::Valid(row)) => principal(site, &row)
            .inspect_err(|_| tell(site, &refusal(parts, peer, ROLE).of_key(&row))),
        Some(KeyCheck::Address) => {
            tell(site, &refusal(parts, peer, ADDRESS));
            Err(forbidden("The API key is not for this address."))
        }
        Some(KeyCheck::Unknown | KeyCheck::Inactive) | None => {
            tell(site, &refusal(parts, peer, UNKNOWN_KEY));
            let problem = unauthorized("The API key is not valid.");
            Err(refuse(site, peer, problem))
        }
    }
}

fn refusal(parts: &Parts, peer: IpAddr, why: &'static str) -> Refusal {
    Refusal::new(parts, peer, Group::TaskAudio, why)
}

/// Why the ledger says that somebody is not let in.
const UNKNOWN_KEY: &str = "unknown key";
const INACTIVE: &str = "switched off";
const ADDRESS: &str = "address not allowed";
const ROLE: &str = "role not allowed";
const ANOTHER: &str = "another organization's";
const PASSWORD: &str = "wrong name or password";
const SESSION: &str = "unknown session";

/// Tells the ledger that somebody is known, and may not do this.
pub(super) fn not_allowed(call: &Call<'_>, principal: Principal) {
    let site = &call.worker.site;
    let peer = call.connection.peer.ip();
    let refusal = Refusal::new(call.parts, peer, call.policy.group, ROLE);
    let who = trail::actor(site, &principal);
    tell(site, &refusal.by(who).on(principal.tenant, None));
}

/// Who a key of families 002 and 004 lets in.
///
/// # Errors
/// 403 for keys of users who may not hear all calls of their tenant: no recording is known as a
/// certain user's, so they may hear none.
fn principal(site: &Site, row: &KeyRow) -> Result<Principal, Problem> {
    let role = match row.user_id {
        None => Role::Supervisor,
        Some(user_id) => match site.storage.user(user_id) {
            Some(user) => user.role,
            None => return Err(unauthorized("The API key is not valid.")),
        },
    };
    if !role.reads_all() {
        return Err(forbidden("The user of this key may not play recordings."));
    }
    Ok(Principal {
        tenant: row.tenant,
        key_id: row.key_id,
        user_id: row.user_id,
        role,
    })
}

/// Whether a tenant is there and not switched off.
pub(super) fn is_active(site: &Site, tenant: TenantId) -> bool {
    let row = site.storage.tenant(tenant);
    row.is_some_and(|row| row.disabled_at.is_none())
}

fn forbidden(message: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", message)
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

/// Counts a wrong key or session against its address, and says what to answer: the problem, or 429
/// once there were too many. The store's locks, which survive a restart and hold back right
/// credentials too, are for passwords and family 000's tokens: a script with an outdated key shall
/// not lock the logins of everybody behind its address.
pub(super) fn refuse(site: &Site, peer: IpAddr, problem: Problem) -> Problem {
    site.metrics.auth_failures.fetch_add(1, Ordering::Relaxed);
    match site.failures.count(peer, site.clock.monotonic()) {
        Ok(()) => problem,
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
