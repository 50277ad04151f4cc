//! `X-App-ID` and `X-API-Key`, the session in the path, and what is said when one of them is
//! missing, wrong or used too often. Looking them up is the family's business.

use http::StatusCode;
use storage::ids::TenantName;
use uuid::Uuid;

use crate::engine::session::Refused;

/// The header with the application's id.
pub const APP_ID_HEADER: &str = "X-App-ID";
/// The header with the application's key.
pub const API_KEY_HEADER: &str = "X-API-Key";

/// Why a request is refused before its body is read, or for what the session says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessFault {
    /// No `X-App-ID`.
    #[error("Missing X-App-ID header")]
    MissingAppId,
    /// `X-App-ID` outside `^[a-zA-Z0-9_-]{1,64}$`.
    #[error("Invalid X-App-ID format")]
    InvalidAppId,
    /// No `X-API-Key`.
    #[error("Missing API key")]
    MissingKey,
    /// A key that is not this application's; an unknown application says the same.
    #[error("Invalid API key")]
    InvalidKey,
    /// No such session, or an ill-formed UUID.
    #[error("Session not found")]
    NotFound,
    /// The session is another application's.
    #[error("Session belongs to a different application")]
    NotYours,
    /// The application, or the address, asks too often.
    #[error("Rate limit exceeded")]
    RateLimited,
    /// The session's group has a pause.
    #[error("Command rate limit exceeded")]
    Cooldown(crate::engine::session::cooldown::Group),
    /// The call is over.
    #[error("Session has ended")]
    Ended,
}

impl AccessFault {
    /// The status it is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MissingAppId | Self::InvalidAppId => StatusCode::BAD_REQUEST,
            Self::MissingKey | Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotYours => StatusCode::FORBIDDEN,
            Self::RateLimited | Self::Cooldown(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Ended => StatusCode::CONFLICT,
        }
    }

    /// The remedy, for `detail`.
    #[must_use]
    pub fn detail(self) -> Option<String> {
        Some(match self {
            Self::MissingAppId => "Send the application's id in X-App-ID".into(),
            Self::InvalidAppId => "X-App-ID is 1 to 64 letters, digits, '_' or '-'".into(),
            Self::MissingKey => "Send the application's key in X-API-Key".into(),
            Self::InvalidKey | Self::NotYours | Self::NotFound => return None,
            Self::RateLimited => "Wait as long as Retry-After says".into(),
            Self::Cooldown(group) => format!(
                "One command of the group '{}' in {} ms on a session; wait as long as \
                 Retry-After says",
                group.as_str(),
                group.pause().as_millis()
            ),
            Self::Ended => "The call is over and takes no more commands".into(),
        })
    }
}

impl From<Refused> for AccessFault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Cooldown { group, .. } => Self::Cooldown(group),
            Refused::Ended => Self::Ended,
        }
    }
}

/// What a request shows, well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The application's id: its tenant's name.
    pub app_id: TenantName,
    /// The key, not checked yet.
    pub key: &'a str,
}

/// Reads both headers. A header that was sent twice, or is no text, is to be given as `Some("")`.
///
/// # Errors
/// The first of: 400 missing, 400 ill-formed id, 401 missing key. An empty header is a missing
/// key, and an ill-formed id.
pub fn read<'a>(app_id: Option<&str>, key: Option<&'a str>) -> Result<Shown<'a>, AccessFault> {
    let app_id = app_id.ok_or(AccessFault::MissingAppId)?;
    let app_id = TenantName::new(app_id).map_err(|_| AccessFault::InvalidAppId)?;
    let key = key.filter(|key| !key.is_empty());
    let key = key.ok_or(AccessFault::MissingKey)?;
    Ok(Shown { app_id, key })
}

/// The session in a path: a UUID in its hyphenated form, in either case.
///
/// # Errors
/// [`AccessFault::NotFound`]: anything else is nobody's session.
pub fn session_uuid(segment: &str) -> Result<Uuid, AccessFault> {
    (segment.len() == 36)
        .then(|| Uuid::try_parse(segment).ok())
        .flatten()
        .ok_or(AccessFault::NotFound)
}
