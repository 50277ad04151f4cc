//! Applications of family `session_commands` (API.md section 2): `X-App-ID` and `X-API-Key`. The
//! two event streams take both from the query as well, since `EventSource` in a browser cannot send
//! headers. The administrator's key is `admin.rs`'s business.

use std::sync::Arc;

use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use storage::ids::AppId;
use storage::outbox::Application;

use super::{UNKNOWN_KEY, refuse};
use crate::http::error::Problem;
use crate::http::ratelimit;
use crate::http::request::Query;
use crate::http::route::Access;
use crate::http::service::Call;
use crate::http::trail::refusals::{Refusal, tell};
use crate::http::wire::session_commands::access::{self, AccessFault, Shown};

/// The application that asks.
///
/// # Errors
/// 400 and 401 as `access.rs` has them; 429 for an address that keeps asking without a right key.
pub(in crate::http) fn admit(call: &Call<'_>) -> Result<Arc<Application>, Problem> {
    look(call).or_else(|problem| {
        ratelimit::charge_stranger(&call.worker.site, call.connection.peer.ip())?;
        Err(problem)
    })
}

fn look(call: &Call<'_>) -> Result<Arc<Application>, Problem> {
    let parts = call.parts;
    let in_headers =
        parts.headers.contains_key(APP_ID_HEADER) || parts.headers.contains_key(super::KEY_HEADER);
    let checked = if in_headers || call.policy.access != Access::ApplicationInQuery {
        let app_id = header(parts, APP_ID_HEADER);
        check(
            call,
            access::read(app_id, header(parts, super::KEY_HEADER))?,
        )
    } else {
        let query = Query::of(parts);
        // What cannot be read is as good as ill-formed.
        let (app_id, key) = (query.get("app_id"), query.get("api_key"));
        let app_id = app_id.unwrap_or_else(|_| Some("".into()));
        let key = key.unwrap_or_else(|_| Some("".into()));
        check(call, access::read(app_id.as_deref(), key.as_deref())?)
    };
    checked.ok_or_else(|| {
        let peer = call.connection.peer.ip();
        let family = call.policy.group;
        tell(
            &call.worker.site,
            &Refusal::new(call.parts, peer, family, UNKNOWN_KEY),
        );
        refuse(&call.worker.site, peer, AccessFault::InvalidKey.into())
    })
}

fn check(call: &Call<'_>, shown: Shown<'_>) -> Option<Arc<Application>> {
    let app_id = AppId::new(shown.app_id.as_str()).ok()?;
    let outbox = call.worker.site.storage.outbox();
    outbox.check_application(&app_id, shown.key)
}

/// A header's only value; empty if it was sent twice or is no text.
pub(super) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let mut values = parts.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => Some(""),
    }
}

impl From<AccessFault> for Problem {
    fn from(fault: AccessFault) -> Self {
        let code = match fault {
            AccessFault::MissingAppId => "missing_app_id",
            AccessFault::InvalidAppId => "invalid_app_id",
            AccessFault::MissingKey => "missing_api_key",
            AccessFault::InvalidKey => "invalid_api_key",
            AccessFault::NotFound => "session_not_found",
            AccessFault::NotYours => "session_not_yours",
            AccessFault::RateLimited => "rate_limited",
            AccessFault::Cooldown(_) => "cooldown",
            AccessFault::Ended => "session_ended",
        };
        let mut problem = Self::new(fault.status(), code, fault.to_string());
        problem.detail = fault.detail().map(Into::into);
        if fault.status() == http::StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("ApiKey header=\"X-API-Key\"");
            problem = problem.header(WWW_AUTHENTICATE, scheme);
        }
        problem
    }
}

const APP_ID_HEADER: &str = "x-app-id";

const _: () = assert!(
    crate::engine::webhook::application::APP_KEY_MAX <= crate::http::limits::PARAMETER_BYTES,
    "a key fits into a query"
);
