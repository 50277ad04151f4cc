//! Bodies of requests: JSON objects, strictly.

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use serde::de::DeserializeOwned;

use super::invalid;
use crate::http::error::Problem;
use crate::http::incoming;
use crate::http::limits;
use crate::http::service::Call;

/// Reads a body.
///
/// # Errors
/// 400, 408, 413, 415.
pub(super) async fn read<B, T>(call: &Call<'_>, body: B) -> Result<T, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T: DeserializeOwned,
{
    read_within(call, body, limits::FORM_BODY_BYTES).await
}

/// Reads a body that may hold a list of very many recordings.
///
/// # Errors
/// 400, 408, 413, 415.
pub(super) async fn read_long<B, T>(call: &Call<'_>, body: B) -> Result<T, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T: DeserializeOwned,
{
    read_within(call, body, limits::LIST_BODY_BYTES).await
}

async fn read_within<B, T>(call: &Call<'_>, body: B, most: usize) -> Result<T, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T: DeserializeOwned,
{
    // A form can be sent by any site without asking first; JSON cannot.
    if incoming::media_type(call.parts) != "application/json" {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as application/json.",
        ));
    }
    let body = incoming::read(call, body, most).await?;
    serde_json::from_slice(&body).map_err(|error| explain(&error))
}

/// The parser's own words can hold what was sent, a password perhaps: only the names of fields are
/// told, which are ours.
fn explain(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let told = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|known| text.starts_with(known));
    if told {
        let end = text.find(" at line").unwrap_or(text.len());
        let said: String = text.chars().take(end.min(SAID_CHARS)).collect();
        return invalid("body", said);
    }
    let (line, column) = (error.line(), error.column());
    invalid(
        "body",
        format_args!(
            "it is not the JSON object that is expected, from line {line} column {column} on"
        ),
    )
}

/// Characters of what is said of a field: a name that is unknown comes from outside.
const SAID_CHARS: usize = 256;
