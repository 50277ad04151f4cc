//! SKELETON
use std::net::IpAddr;

use http::request::Parts;

use super::Principal;
use crate::http::error::Problem;
use crate::http::site::Site;

/// Admits the `Sessionid` of seed 003.
///
/// # Errors
/// 401 and 429 in the family's words.
pub(in crate::http) fn admit(
    site: &Site,
    parts: &Parts,
    peer: IpAddr,
) -> Result<Principal, Problem> {
    let _ = (site, parts, peer);
    todo!()
}
