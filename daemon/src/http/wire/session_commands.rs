//! JSON of family `session_commands` (seed 001; API.md section 2 for what the seed leaves open).
//! `openapi/session_commands.json` describes the same. Here are the envelopes; bodies are read in
//! `session_commands/body.rs`, what may be wrong with them stands in `session_commands/fault.rs`.

pub mod access;
pub mod body;
pub(in crate::http) mod documents;
pub mod fault;
mod fields;
pub mod opening;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use crate::engine::session::event::SessionEvent;
use crate::engine::session::limits;
use crate::engine::webhook::event::{EventError, body};

/// Bytes of a command's body; 413. Two full lists of URLs fit, even where each character takes
/// several bytes or an escape of JSON.
pub const COMMAND_BODY_BYTES: usize = 1_024 * 1_024;

const _: () = assert!(COMMAND_BODY_BYTES > 2 * limits::URLS * (limits::URL_CHARS + 4));

/// Body of a 202: the command was taken on, and its outcome will be told by `command.result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CommandAccepted {
    /// The daemon's name for the command; that of the first one where a `command_uid` is repeated.
    pub operation_id: Uuid,
    /// Always `in_progress`.
    pub status: &'static str,
    /// The outcome is told within this time, in milliseconds.
    pub timeout_ms: u64,
}

impl CommandAccepted {
    /// The answer for a command.
    #[must_use]
    pub const fn new(operation_id: Uuid) -> Self {
        Self {
            operation_id,
            status: "in_progress",
            timeout_ms: limits::COMMAND_WITHIN.as_secs() * 1_000,
        }
    }
}

/// Body of every error of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorAnswer<'a> {
    success: bool,
    /// What is wrong; names the field.
    error: &'a str,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> ErrorAnswer<'a> {
    /// An error, with the remedy where there is one to tell.
    #[must_use]
    pub const fn new(error: &'a str, detail: Option<&'a str>) -> Self {
        Self {
            success: false,
            error,
            detail,
        }
    }
}

/// An event as it is delivered: `{event, session_uuid, sequence, data}` with the fields of `data`
/// repeated beside it. Webhooks have the same bytes.
///
/// # Errors
/// [`EventError`].
pub fn event(session: Uuid, told: &SessionEvent) -> Result<Bytes, EventError> {
    let data = serde_json::to_string(&told.event)?;
    body(told.event.name(), session, told.sequence, &data)
}
