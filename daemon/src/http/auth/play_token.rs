//! SKELETON
use std::net::IpAddr;

use super::Principal;
use crate::http::error::Problem;
use crate::http::site::Site;

/// Admits a token of seed 000, found by the family in query, body or header.
///
/// # Errors
/// Codes 100 to 199 of API.md section 1, as 401.
pub(in crate::http) fn admit(
    site: &Site,
    token: Option<&str>,
    peer: IpAddr,
) -> Result<Principal, Problem> {
    let _ = (site, token, peer);
    todo!()
}
