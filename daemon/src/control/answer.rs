//! Answers of the control socket: JSON, refusals with a code and a remedy, and streams. Which
//! failure becomes which code is decided here and nowhere else.

use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use hyper::{Response, StatusCode};
use serde::Serialize;
use storage::error::{
    AccountError, DeleteError, ImportError, KeyError, PromptError, ReadError, TenantError,
    ViewError,
};
use tokio::sync::mpsc;

use super::wire::{ErrorAnswer, ErrorBody, ErrorCode};
use crate::engine::prompts::PromptFailure;
use crate::engine::{StartError, StopError};

/// The body of every answer.
pub(super) type Stream = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// An answer.
pub(super) type Answer = Response<Stream>;

/// A request that was not carried out.
#[derive(Clone, Debug)]
pub(super) struct Refusal(pub(super) ErrorBody);

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(ErrorBody {
            code,
            message: message.into(),
        })
    }

    /// A failure that is the daemon's own; its cause goes to the journal too.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        log::error!("control request failed: {error}");
        Self::new(ErrorCode::Internal, error.to_string())
    }

    pub(super) fn answer(self) -> Answer {
        let status = match self.0.code {
            ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
            ErrorCode::Denied => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::Unusable => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        json(status, &ErrorAnswer { error: self.0 })
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::internal(&error)
    }
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        let code = match error {
            StartError::NoLine(_) => ErrorCode::NotFound,
            StartError::NotApi(_) | StartError::Busy { .. } => ErrorCode::Conflict,
            StartError::NoDevice(_) | StartError::Disk | StartError::Stopping => {
                ErrorCode::Unavailable
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<StopError> for Refusal {
    fn from(error: StopError) -> Self {
        let code = match error {
            StopError::NotLive(_) => ErrorCode::Conflict,
            StopError::Stopping => ErrorCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<DeleteError> for Refusal {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NotFound(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            DeleteError::Live(_)
            | DeleteError::Kept(..)
            | DeleteError::Suspended
            | DeleteError::Place(_) => Self::new(ErrorCode::Conflict, error.to_string()),
            other => Self::internal(&other),
        }
    }
}

impl From<TenantError> for Refusal {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Exists(_) => Self::new(ErrorCode::Conflict, error.to_string()),
            other => Self::internal(&other),
        }
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotFound(_) | KeyError::NoTenant | KeyError::NoUser(_) => {
                Self::new(ErrorCode::NotFound, error.to_string())
            }
            KeyError::Ended(_) => Self::new(ErrorCode::Conflict, error.to_string()),
            other => Self::internal(&other),
        }
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let code = match error {
            AccountError::UserExists(_) | AccountError::Full(_) => ErrorCode::Conflict,
            AccountError::NoUser(_) | AccountError::NoTenant(_) | AccountError::NoSigningKey(_) => {
                ErrorCode::NotFound
            }
            AccountError::Password | AccountError::Groups => ErrorCode::BadRequest,
            other => return Self::internal(&other),
        };
        Self::new(code, error.to_string())
    }
}

impl From<PromptError> for Refusal {
    fn from(error: PromptError) -> Self {
        let code = match &error {
            PromptError::NotFound(_) | PromptError::NoTenant(_) => ErrorCode::NotFound,
            PromptError::Name => ErrorCode::BadRequest,
            PromptError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
                ErrorCode::Unavailable
            }
            other => return Self::internal(other),
        };
        Self::new(code, error.to_string())
    }
}

impl From<PromptFailure> for Refusal {
    fn from(error: PromptFailure) -> Self {
        match error {
            PromptFailure::Store(error) => error.into(),
            // A URL or an engine that fails is the operator's business, who is told why.
            told => Self::new(ErrorCode::Unusable, told.to_string()),
        }
    }
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::NameTaken(_) => Self::new(ErrorCode::Conflict, error.to_string()),
            ImportError::NoTenant(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            ImportError::Io { ref source, .. } if source.kind() == ErrorKind::StorageFull => {
                Self::new(ErrorCode::Unavailable, error.to_string())
            }
            other => Self::internal(&other),
        }
    }
}

impl From<ViewError> for Refusal {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::NoFile(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            ViewError::Busy(_) => Self::new(ErrorCode::Unavailable, error.to_string()),
            other => Self::internal(&other),
        }
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let (status, bytes) = match serde_json::to_vec(value) {
        Ok(bytes) => (status, bytes),
        Err(error) => {
            log::error!("an answer cannot be written as JSON: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    };
    let body = Full::new(Bytes::from(bytes))
        .map_err(|never| match never {})
        .boxed_unsync();
    with_type(status, "application/json", body)
}

/// A success.
pub(super) fn ok(value: &impl Serialize) -> Result<Answer, Refusal> {
    Ok(json(StatusCode::OK, value))
}

/// An answer whose pieces come through a queue.
pub(super) fn streamed(media_type: &str, pieces: Pieces) -> Answer {
    with_type(StatusCode::OK, media_type, pieces.boxed_unsync())
}

fn with_type(status: StatusCode, media_type: &str, body: Stream) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    if let Ok(value) = hyper::header::HeaderValue::from_str(media_type) {
        answer
            .headers_mut()
            .insert(hyper::header::CONTENT_TYPE, value);
    }
    answer
}

/// The receiving end of a streamed answer. An error cuts the answer off.
pub(super) struct Pieces(pub(super) mpsc::Receiver<std::io::Result<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
