//! Family `voice_log`: seed 003 and API.md section 4. Its words for what goes wrong; what it does
//! lies in `sessions.rs` (login and logout) and `download.rs`. Another tenant's recording or user
//! answers as one that does not exist.

mod download;
mod filters;
mod sessions;

use http::StatusCode;

use crate::http::error::Problem;
use crate::http::wire::voice_log::ErrorAnswer;

pub(in crate::http) use download::download;
pub(in crate::http) use sessions::{keep_alive, login, logout, terminate_all};

/// `{"message","code","info","status"}`, for every status alike. The words for 400, 401, 404, 405
/// are the vendor's, the others are ours.
pub(in crate::http) fn envelope(problem: &Problem) -> serde_json::Value {
    let (key, code) = words(problem.status);
    // What this family says itself is a key already; what the daemon says in general is not.
    let own = OWN_KEYS.contains(&problem.code);
    let answer = ErrorAnswer {
        message: if own { problem.code } else { key },
        code,
        info: &problem.message,
        status: problem.status.as_u16(),
    };
    serde_json::json!(answer)
}

/// The key and number of a status.
const fn words(status: StatusCode) -> (&'static str, u32) {
    match status {
        StatusCode::BAD_REQUEST => (INVALID_INPUT, 40_001),
        StatusCode::UNAUTHORIZED => (INVALID_TOKEN, 909_090),
        StatusCode::FORBIDDEN => (DENIED, 40_301),
        StatusCode::NOT_FOUND => (NOT_FOUND, 99_999),
        StatusCode::METHOD_NOT_ALLOWED => ("method.not.allowed", 40_501),
        StatusCode::REQUEST_TIMEOUT => ("request.timeout", 40_801),
        StatusCode::PRECONDITION_FAILED => ("precondition.failed", 41_201),
        StatusCode::PAYLOAD_TOO_LARGE => ("request.too.large", 41_301),
        StatusCode::URI_TOO_LONG => ("uri.too.long", 41_401),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported.media.type", 41_501),
        StatusCode::RANGE_NOT_SATISFIABLE => ("range.not.satisfiable", 41_601),
        StatusCode::TOO_MANY_REQUESTS => ("too.many.requests", 42_901),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ("headers.too.large", 43_101),
        StatusCode::SERVICE_UNAVAILABLE => ("service.unavailable", 50_301),
        _ => ("internal.server.error", 50_001),
    }
}

/// 400 for a parameter that must be there.
fn expected(name: &'static str) -> Problem {
    let message = format!("parameter expected in input: {name}");
    Problem::new(StatusCode::BAD_REQUEST, INVALID_INPUT, message)
}

/// 400 for a parameter that cannot be what it is.
fn invalid(name: &'static str, wanted: &str) -> Problem {
    let message = format!("invalid value of parameter: {name}; it is {wanted}");
    Problem::new(StatusCode::BAD_REQUEST, INVALID_INPUT, message)
}

/// 403 for what a role may not do.
fn denied(message: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, DENIED, message)
}

/// 404, whatever the reason.
fn not_found(message: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, NOT_FOUND, message)
}

const INVALID_INPUT: &str = "InvalidInput";
pub(in crate::http) const INVALID_TOKEN: &str = "invalid.authentication.token";
const DENIED: &str = "permission.denied";
const NOT_FOUND: &str = "requested.resource.not.found";
const NOT_READY: &str = "voicelog.not.ready";
const OWN_KEYS: [&str; 5] = [INVALID_INPUT, INVALID_TOKEN, DENIED, NOT_FOUND, NOT_READY];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_in_the_familys_words() {
        let told = |problem: &Problem| {
            let value = envelope(problem);
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            (text("message"), value["code"].as_u64(), text("info"))
        };
        let problem = expected("campaignId");
        let info = "parameter expected in input: campaignId".to_owned();
        assert_eq!(
            told(&problem),
            (INVALID_INPUT.to_owned(), Some(40_001), info)
        );
        let (key, code, _) = told(&Problem::method("GET, HEAD, OPTIONS"));
        assert_eq!((key.as_str(), code), ("method.not.allowed", Some(40_501)));
        let (key, code, _) = told(&Problem::no_route());
        assert_eq!((key.as_str(), code), (NOT_FOUND, Some(99_999)));
        let (key, code, _) = told(&Problem::internal(std::fmt::Error));
        assert_eq!(
            (key.as_str(), code),
            ("internal.server.error", Some(50_001))
        );
        let strange = Problem::new(StatusCode::IM_A_TEAPOT, "x", "x");
        assert_eq!(envelope(&strange)["status"], 418);
    }
}
