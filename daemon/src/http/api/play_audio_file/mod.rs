//! Family `play_audio_file`: seed 000 and API.md section 1. Parameters come from query, form, JSON
//! or multipart, so the family reads the request before it knows who asks; what is wrong with it
//! is told only to who may know.
//!
//! ```text
//!  body.rs, form_data.rs ─▶ params.rs ─▶ token ─▶ auth/play_token.rs
//!                                                   │
//!     play.rs   audios_list.rs   create.rs   call_status.rs      user_id.rs (HTTP Basic)
//! ```

mod audios_list;
mod body;
mod call_status;
mod create;
mod form_data;
mod params;
mod play;
mod user_id;

use std::borrow::Cow;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use storage::account::Role;

use self::params::Parameters;
use crate::http::auth::play_token::{self, Code, refused};
use crate::http::auth::{self, Principal};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::ratelimit::{self, Credential};
use crate::http::route::Route;
use crate::http::service::Call;
use crate::http::wire::play_audio_file::Failure;

/// Answers one of the family's endpoints.
///
/// # Errors
/// The codes of seed 000 and API.md section 1.
pub(in crate::http) async fn answer<B>(
    call: &Call<'_>,
    route: Route<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if route == Route::GetUserId {
        return user_id::answer(call, body).await;
    }
    let creates = route == Route::CreateAudioFile;
    let gate = |parameters: &Parameters| {
        let principal = admit(call, parameters)?;
        if creates && !may_write(&principal) {
            auth::not_allowed(call, principal);
            return Err(refused(Code::Permission));
        }
        Ok(principal)
    };
    let entitled = |parameters: &Parameters| gate(parameters).map(drop);
    let uploads: body::Gate<'_> = if creates { Some(&entitled) } else { None };
    let received = body::receive(call, body, uploads).await?;
    let parameters = &received.parameters;
    // A token may have been in what could not be read: then that is what is wrong.
    let (principal, problem) = match (gate(parameters), received.problem) {
        (Ok(principal), problem) => (principal, problem),
        (Err(_), Some(problem)) if token(call.parts, parameters).is_none() => return Err(problem),
        (Err(refusal), _) => return Err(refusal),
    };
    ratelimit::charge_credential(call, Credential::of(&principal))?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    match route {
        Route::GetAudiosList => audios_list::answer(call, principal, parameters).await,
        Route::GetCallStatus => call_status::answer(call, principal, parameters).await,
        Route::CreateAudioFile => {
            create::answer(call, principal, parameters, received.upload.as_ref()).await
        }
        _ => play::answer(call, principal, parameters).await,
    }
}

fn admit(call: &Call<'_>, parameters: &Parameters) -> Result<Principal, Problem> {
    let token = token(call.parts, parameters);
    play_token::admit(call, token.as_deref())
}

/// The token: `tsid`, a bearer token, `sid`, in this order (API.md section 1).
fn token<'a>(parts: &'a Parts, parameters: &'a Parameters) -> Option<Cow<'a, str>> {
    let bearer = || credentials(parts, "bearer").map(Cow::Borrowed);
    let given = |name| parameters.get(name).map(Cow::Borrowed);
    given("tsid").or_else(bearer).or_else(|| given("sid"))
}

/// What stands in the only `Authorization` behind this scheme (RFC 9110 section 11.4).
fn credentials<'a>(parts: &'a Parts, scheme: &str) -> Option<&'a str> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (found, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    found
        .eq_ignore_ascii_case(scheme)
        .then(|| rest.trim_start())
}

/// Whether the library may be added to: auditors change nothing, agents see their own calls only.
const fn may_write(principal: &Principal) -> bool {
    match principal.role {
        Role::Supervisor | Role::Admin => true,
        Role::AgentView | Role::Auditor => false,
    }
}

/// The seed's codes of assets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AssetError {
    /// 220
    NoId,
    /// 230
    NotValid,
    /// 240
    OutOfDate,
    /// 250
    NoFile,
    /// 260
    Failed,
}

impl From<AssetError> for Problem {
    fn from(error: AssetError) -> Self {
        let (code, text) = match error {
            AssetError::NoId => ("220", "No audio ID"),
            AssetError::NotValid => ("230", "Audio id is not valid"),
            AssetError::OutOfDate => ("240", "Audio out of date"),
            AssetError::NoFile => ("250", "No audio file"),
            AssetError::Failed => ("260", "Fail get audio"),
        };
        Self::new(StatusCode::BAD_REQUEST, code, text)
    }
}

/// A number on the wire: decimal digits alone. What is none, or does not fit, names no asset.
fn number(text: &str) -> Result<u64, AssetError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or(AssetError::NotValid)
}

/// `{"return":{"status":"...","status_code":"...","cd_id":"0"}}`, for every status alike. What the
/// vendor has no code for is told by its HTTP status.
pub(in crate::http) fn envelope(problem: &Problem) -> serde_json::Value {
    let is_vendors = problem.code.bytes().all(|byte| byte.is_ascii_digit());
    let code = if is_vendors {
        problem.code
    } else {
        problem.status.as_str()
    };
    Failure::of(&problem.message, code)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::params::{Place, Values};
    use super::*;

    fn parts(headers: &[&str]) -> Parts {
        let mut request = Request::builder();
        for value in headers {
            request = request.header(AUTHORIZATION, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn query(text: &str) -> Parameters {
        Parameters {
            query: Values::of_encoded(text.as_bytes(), Place::Query).0,
            body: Values::default(),
        }
    }

    #[test]
    fn tsid_wins_over_bearer_over_sid() {
        let bearer = parts(&["bEaReR  b"]);
        for (headers, text, expected) in [
            (&bearer, "tsid=t&sid=s", Some("t")),
            (&bearer, "tsid=&sid=s", Some("b")),
            (&bearer, "", Some("b")),
            (&parts(&[]), "sid=s", Some("s")),
            (&parts(&["Basic b"]), "sid=s", Some("s")),
            (&parts(&["Bearer a", "Bearer b"]), "", None),
            (&parts(&[]), "recid=1", None),
        ] {
            let parameters = query(text);
            assert_eq!(token(headers, &parameters).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_digits() {
        assert_eq!(number("0012"), Ok(12));
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
        for bad in [
            "",
            "-1",
            "+1",
            " 1",
            "1e3",
            "0x1",
            "1.0",
            "18446744073709551616",
            "100000000000000000000",
            "１２",
            "\u{202e}12",
        ] {
            assert_eq!(number(bad), Err(AssetError::NotValid), "{bad:?}");
        }
    }

    #[test]
    fn the_envelope_has_the_vendors_code_or_the_status() {
        let vendor = envelope(&AssetError::NoId.into());
        let expected = serde_json::json!({ "return": {
            "status": "No audio ID", "status_code": "220", "cd_id": "0",
        } });
        assert_eq!(vendor, expected);
        let other = envelope(&Problem::method("GET"));
        assert_eq!(other["return"]["status_code"], "405");
    }
}
