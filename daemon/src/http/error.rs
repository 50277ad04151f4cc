//! What went wrong, in two voices: the client's (status, code, message in its family's envelope)
//! and the journal's (cause).

use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use super::body::Payload;
use super::media::{Refusal, insert_text};
use super::metrics::Group;

/// A request that cannot be answered as asked.
#[derive(Debug)]
pub(super) struct Problem {
    /// Status.
    pub(super) status: StatusCode,
    /// What a program looks at.
    pub(super) code: &'static str,
    /// What a person reads: the field, and the remedy.
    pub(super) message: String,
    /// The remedy, where a family's envelope has a place of its own for it.
    pub(super) detail: Option<Box<str>>,
    /// What only the journal is told.
    pub(super) cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Further facts, for families whose envelope has places for them.
    pub(super) facts: Vec<(&'static str, serde_json::Value)>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem without extras.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
            detail: None,
            cause: None,
            facts: Vec::new(),
            retry_after: None,
            headers: Vec::new(),
        }
    }

    /// With the cause, for the journal.
    pub(super) fn because(
        mut self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// With the remedy apart from the message.
    pub(super) fn detail(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With one more fact.
    pub(super) fn fact(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// With `Retry-After`, rounded up to seconds.
    pub(super) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// With one more header.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// 400 for a parameter, named.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", message)
    }

    /// 404 for a path that is nobody's.
    pub(super) fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing at this path.",
        )
    }

    /// 405 with what is allowed.
    pub(super) fn method(allow: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("This path takes {allow}."),
        )
        .header(ALLOW, HeaderValue::from_static(allow))
    }

    /// 500 for what is this side's fault.
    pub(super) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "The server failed; its journal says why under this answer's X-Request-Id.",
        )
        .because(cause)
    }

    /// The envelope of a group of paths, for every status alike. Seed 004 documents codes; its
    /// envelope `{"error":{"code","message"}}` is API.md section 5's, and the rest of the daemon
    /// uses the same. Families whose seed differs get their own arm here.
    pub(super) fn answer(&self, group: Group, request_id: &str) -> Response<Payload> {
        let body = match group {
            Group::PlayAudioFile => super::api::play_audio_file::envelope(self),
            Group::CallRecording => super::api::call_recording::envelope(self),
            Group::SessionCommands => super::api::session_commands::envelope(self),
            Group::VoiceLog => super::api::voice_log::envelope(self),
            Group::Supervisor => super::api::supervisor::envelope(self, request_id),
            Group::TaskAudio | Group::Page | Group::Operations | Group::Unrouted => {
                serde_json::json!({ "error": { "code": self.code, "message": self.message } })
            }
        };
        let mut response = Response::new(Payload::text(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            insert_text(headers, RETRY_AFTER, &seconds.max(1).to_string());
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Precondition { etag } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "The recording is not in the state that If-Match or If-Unmodified-Since asks for.",
            )
            .header(http::header::ETAG, etag),
            Refusal::Cut => Self::internal(FileCut),
            Refusal::Unsatisfiable { size_bytes } => {
                let problem = Self::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "range_not_satisfiable",
                    format!("The recording has {size_bytes} bytes; the range lies outside it."),
                )
                .header(
                    http::header::ACCEPT_RANGES,
                    HeaderValue::from_static("bytes"),
                );
                match HeaderValue::from_str(&format!("bytes */{size_bytes}")) {
                    Ok(value) => problem.header(http::header::CONTENT_RANGE, value),
                    Err(_) => problem,
                }
            }
        }
    }
}

/// For the journal.
#[derive(Debug, thiserror::Error)]
#[error("the recording's file is shorter than when it was opened; run 'callreel check'")]
pub(super) struct FileCut;
