//! Request bodies, read whole within bounds, and JSON answers.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::Serialize;

use super::body::Payload;
use super::error::Problem;
use super::limits;
use super::service::Call;

/// Reads a whole body of at most `most` bytes, within [`limits::REQUEST_BODY`].
///
/// # Errors
/// 400, 408 or 413.
pub(super) async fn read<B>(call: &Call<'_>, body: B, most: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_large = || {
        let message = format!("The body is longer than {most} bytes.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    // A length that is told is believed at once, so that nothing of it is read.
    let told = call
        .parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let told = told
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or_default();
    if told > most as u64 {
        return Err(too_large());
    }
    let limited = Limited::new(body, most);
    let collected = tokio::time::timeout(limits::REQUEST_BODY, limited.collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "The body ended before its length, or is not framed as HTTP says.",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "The body did not arrive in time.",
        )),
    }
}

/// The body's media type in lower case without parameters; empty if there is none.
pub(super) fn media_type(parts: &Parts) -> String {
    let value = parts.headers.get(CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok());
    let essence = text.and_then(|text| text.split(';').next());
    essence.unwrap_or_default().trim().to_ascii_lowercase()
}

/// A JSON answer.
///
/// # Errors
/// 500 if the value cannot be written as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Response<Payload>, Problem> {
    let text = serde_json::to_vec(value).map_err(Problem::internal)?;
    let mut response = Response::new(Payload::text(text));
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}
