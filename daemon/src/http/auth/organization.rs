//! Keys of family `call_recording` (seed 002, API.md section 3): `X-API-Key` or
//! `Authorization: Bearer`, and `X-Organization-Id`, if sent.

use std::net::IpAddr;

use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use storage::account::KeyCheck;
use storage::ids::{TenantId, TenantName};
use storage::record::Family;

use super::{
    ADDRESS, ANOTHER, KEY_HEADER, Principal, ROLE, UNKNOWN_KEY, forbidden, principal, refuse,
};
use crate::http::error::Problem;
use crate::http::metrics::Group;
use crate::http::site::Site;
use crate::http::trail::refusals::{Refusal, tell};

/// Admits a key of family `call_recording`. `X-Organization-Id` names the key's tenant: by its
/// name, its number, or `org_` and its number.
///
/// # Errors
/// 401 without a right key or with two different ones; 403 from an address that the key is not for,
/// for another organization, and for users who may not hear all calls; 429 after too many wrong
/// keys from one address.
pub(in crate::http) fn admit(
    site: &Site,
    parts: &Parts,
    peer: IpAddr,
) -> Result<Principal, Problem> {
    let refusal = |why| Refusal::new(parts, peer, Group::CallRecording, why);
    let row = match shown(&parts.headers) {
        Shown::Nothing => return Err(unauthorized("Send an API key in the header X-API-Key.")),
        Shown::Unclear => None,
        Shown::Secret(secret) => match site.storage.check_key(FAMILY, secret, peer) {
            KeyCheck::Valid(row) => Some(row),
            KeyCheck::Address => {
                tell(site, &refusal(ADDRESS));
                return Err(forbidden("The API key is not for this address."));
            }
            KeyCheck::Unknown | KeyCheck::Inactive => None,
        },
    };
    let Some(row) = row else {
        tell(site, &refusal(UNKNOWN_KEY));
        let problem = unauthorized("The API key is not valid.");
        return Err(refuse(site, peer, problem));
    };
    let principal =
        principal(site, &row).inspect_err(|_| tell(site, &refusal(ROLE).of_key(&row)))?;
    if names_another(&parts.headers, principal.tenant, || {
        site.storage.tenant(principal.tenant).map(|row| row.name)
    }) {
        tell(site, &refusal(ANOTHER).of_key(&row));
        return Err(forbidden("The API key is not of this organization."));
    }
    Ok(principal)
}

const FAMILY: Family = Family::CallRecording;
/// Which organization is meant (seed 002's examples).
const ORGANIZATION_HEADER: &str = "x-organization-id";

/// What a request shows of a credential.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'a> {
    Nothing,
    /// Two credentials that differ, one header twice, or no text.
    Unclear,
    Secret(&'a str),
}

fn shown(headers: &HeaderMap) -> Shown<'_> {
    let mut bearers = headers.get_all(AUTHORIZATION).iter().filter_map(bearer);
    let mut keys = headers.get_all(KEY_HEADER).iter();
    let (key, bearer) = (keys.next(), bearers.next());
    if keys.next().is_some() || bearers.next().is_some() {
        return Shown::Unclear;
    }
    let key = key.map(|key| key.as_bytes().trim_ascii());
    match (key, bearer) {
        (None, None) => Shown::Nothing,
        (Some(key), Some(bearer)) if key != bearer => Shown::Unclear,
        (Some(secret), _) | (None, Some(secret)) => {
            str::from_utf8(secret).map_or(Shown::Unclear, Shown::Secret)
        }
    }
}

/// The token of a bearer credential; other schemes are none of this family's business.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(SCHEME.as_bytes());
    is_bearer.then(|| token.trim_ascii())
}

/// The scheme of RFC 6750 section 2.1, with the space that ends it.
const SCHEME: &str = "Bearer ";

/// Whether the request names an organization that is not this tenant.
fn names_another(
    headers: &HeaderMap,
    tenant: TenantId,
    name: impl FnOnce() -> Option<TenantName>,
) -> bool {
    let mut values = headers.get_all(ORGANIZATION_HEADER).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return false,
        (Some(value), None) => value.to_str().ok(),
        (Some(_), Some(_)) => None,
    };
    let Some(value) = value else {
        return true;
    };
    let number = value.strip_prefix("org_").unwrap_or(value);
    let is_number = number == tenant.to_string();
    !is_number && name().is_none_or(|name| name.as_str() != value)
}

fn unauthorized(message: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message).header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer, ApiKey header=\"X-API-Key\""),
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().map(field) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn one_credential_is_looked_for_in_two_places() {
        for (fields, expected) in [
            (&[][..], Shown::Nothing),
            (&[("x-api-key", "a")], Shown::Secret("a")),
            (&[("authorization", "Bearer a")], Shown::Secret("a")),
            (&[("authorization", "bearer  a")], Shown::Secret("a")),
            (&[("authorization", "Basic a")], Shown::Nothing),
            (&[("authorization", "Bearer")], Shown::Nothing),
            (
                &[("x-api-key", "a"), ("authorization", "Bearer a")],
                Shown::Secret("a"),
            ),
            (
                &[("x-api-key", "a"), ("authorization", "Basic b")],
                Shown::Secret("a"),
            ),
            (
                &[("x-api-key", "a"), ("authorization", "Bearer b")],
                Shown::Unclear,
            ),
            (&[("x-api-key", "a"), ("x-api-key", "a")], Shown::Unclear),
            (
                &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
                Shown::Unclear,
            ),
            (&[("x-api-key", "")], Shown::Secret("")),
        ] {
            assert_eq!(shown(&headers(fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn an_organization_has_a_name_and_a_number() {
        let another = |fields: &[_]| {
            let name = || TenantName::new("acme").ok();
            names_another(&headers(fields), TenantId(12), name)
        };
        for mine in ["acme", "12", "org_12"] {
            assert!(!another(&[("x-organization-id", mine)]), "{mine}");
        }
        assert!(!another(&[]));
        for other in [
            "",
            "ACME",
            "org_acme",
            "1",
            "org_1",
            "012",
            "org_012",
            "org_org_12",
            "1 2",
        ] {
            assert!(another(&[("x-organization-id", other)]), "{other:?}");
        }
        assert!(another(&[
            ("x-organization-id", "acme"),
            ("x-organization-id", "acme")
        ]));
    }
}
