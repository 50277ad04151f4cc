//! The session of seed 003: header `Sessionid`, opened by `userLogin`. How sessions are kept, and
//! when they end, is the store's business.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use storage::account::Lock;
use storage::record::WallMillis;

use super::{Principal, SESSION, refuse};
use crate::http::api::voice_log::INVALID_TOKEN;
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::metrics::Group;
use crate::http::site::Site;
use crate::http::trail::refusals::{Refusal, tell};

/// Admits the `Sessionid` of seed 003. A session that is in force goes on whatever guesses its
/// address has made; guesses past the limit are told to wait.
///
/// # Errors
/// 401 and 429 in the family's words.
pub(in crate::http) fn admit(
    site: &Site,
    parts: &Parts,
    peer: IpAddr,
) -> Result<Principal, Problem> {
    let mut shown = parts.headers.get_all(HEADER).iter();
    let token = match (shown.next(), shown.next()) {
        (None, _) => {
            return Err(unauthorized(
                "Send the header Sessionid; userLogin gives one.",
            ));
        }
        (Some(value), None) => value.to_str().ok().filter(|token| has_form(token)),
        (Some(_), Some(_)) => None,
    };
    let within = site.config.load().access.session_limits();
    let session = token.and_then(|token| site.storage.use_session(token, peer, within));
    let Some(session) = session else {
        tell(site, &Refusal::new(parts, peer, Group::VoiceLog, SESSION));
        let wrong = unauthorized("The Sessionid is not valid, or has expired; log in again.");
        return Err(refuse(site, peer, wrong));
    };
    Ok(Principal {
        tenant: session.tenant,
        key_id: 0,
        user_id: Some(session.user_id),
        role: session.role,
    })
}

/// The token of a request that was admitted.
pub(in crate::http) fn token(parts: &Parts) -> Option<&str> {
    parts.headers.get(HEADER)?.to_str().ok()
}

/// 401 with the family's key and number.
pub(in crate::http) fn unauthorized(message: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, INVALID_TOKEN, message).header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Session header=\"Sessionid\""),
    )
}

/// 429 for an address or a name that is locked out (API.md section 1).
pub(in crate::http) fn locked(lock: &Lock, now: WallMillis) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "locked",
        "Too many wrong userIds, tokens or Sessionids; wait.",
    )
    .retry_after(Duration::from_millis(lock.until.0.saturating_sub(now.0)))
}

/// `<prefix>-ses-<user>-<random>` (seed 003's sample): only its length and letters are looked at,
/// so that no nonsense is hashed.
fn has_form(token: &str) -> bool {
    token.len() <= limits::SESSION_TOKEN_BYTES
        && token.contains("-ses-")
        && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The header's name; names of headers have no case (RFC 9110 section 5.1).
const HEADER: &str = "sessionid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_a_form() {
        assert!(has_form(
            "d741-6904fad1-ses-supervisor@exotel.in-w1pQnDRa9KNCQAXJrVhdxHXZcSCGQszWe24UWiNYBIFH"
        ));
        for bad in ["", "-", "d741-ses", "d741 -ses-a-b", "a-ses-\u{e9}"] {
            assert!(!has_form(bad), "{bad}");
        }
        assert!(!has_form(&format!(
            "a-ses-{}",
            "x".repeat(limits::SESSION_TOKEN_BYTES)
        )));
    }
}
