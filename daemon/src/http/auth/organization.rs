//! SKELETON
use std::net::IpAddr;

use http::request::Parts;

use super::Principal;
use crate::http::error::Problem;
use crate::http::site::Site;

/// Admits a key of family `call_recording`: `X-API-Key` or `Authorization: Bearer`, and
/// `X-Organization-Id`, if sent, must be the key's tenant.
///
/// # Errors
/// 401, 403, 429 in the family's words.
pub(in crate::http) fn admit(
    site: &Site,
    parts: &Parts,
    peer: IpAddr,
) -> Result<Principal, Problem> {
    let _ = (site, parts, peer);
    todo!()
}
