//! A request's parameters and upload, read from wherever its `Content-Type` says they stand. What
//! is wrong with them is told only after it is known who asks (API.md section 0).

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;

use super::form_data::{self, Upload};
use super::params::{Parameters, Place, Values};
use crate::http::error::Problem;
use crate::http::incoming;
use crate::http::limits;
use crate::http::service::Call;

/// What a request brings.
#[derive(Default)]
pub(super) struct Received {
    pub(super) parameters: Parameters,
    /// The uploaded file, where one is taken.
    pub(super) upload: Option<Upload>,
    /// The first thing that could not be read, for when it is known who asks.
    pub(super) problem: Option<Problem>,
}

/// Whether what is known so far entitles to upload a file; `None` where no file is taken.
pub(super) type Gate<'a> = Option<&'a dyn Fn(&Parameters) -> Result<(), Problem>>;

/// Reads a request.
///
/// # Errors
/// Only what `gate` says; everything else is in [`Received::problem`].
pub(super) async fn receive<B>(
    call: &Call<'_>,
    body: B,
    gate: Gate<'_>,
) -> Result<Received, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let query = call.parts.uri.query().unwrap_or_default();
    let (query, fault) = Values::of_encoded(query.as_bytes(), Place::Query);
    let mut received = Received::default();
    received.parameters.query = query;
    received.problem = fault.map(Problem::from);
    if body.is_end_stream() {
        return Ok(received);
    }
    let kind = incoming::media_type(call.parts);
    if kind == "multipart/form-data" {
        form_data::receive(call, body, gate, &mut received).await?;
        return Ok(received);
    }
    let parse = match kind.as_str() {
        "application/x-www-form-urlencoded" => |text: &[u8]| Values::of_encoded(text, Place::Body),
        "application/json" => Values::of_json,
        _ => {
            if incoming::read(call, body, 0).await.is_err() {
                received.note(unsupported());
            }
            return Ok(received);
        }
    };
    match incoming::read(call, body, limits::FORM_BODY_BYTES).await {
        Ok(text) if text.is_empty() => {}
        Ok(text) => {
            let (values, fault) = parse(&text);
            received.parameters.body = values;
            if let Some(fault) = fault {
                received.note(fault.into());
            }
        }
        Err(problem) => received.note(problem),
    }
    Ok(received)
}

impl Received {
    /// Remembers a problem, if it is the first.
    pub(super) fn note(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }
}

fn unsupported() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "The body is application/x-www-form-urlencoded, multipart/form-data or application/json; \
         say which in Content-Type.",
    )
}
