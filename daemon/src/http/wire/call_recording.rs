//! JSON of family `call_recording` (seed 002; API.md section 3 for what the seed leaves open).
//! `openapi/call_recording.json` describes the same.

use serde::Serialize;

/// What every successful answer is wrapped in.
#[derive(Serialize)]
pub(in crate::http) struct Success<T> {
    /// Always true.
    success: bool,
    /// The answer.
    data: T,
}

impl<T> Success<T> {
    /// Wraps an answer.
    pub(in crate::http) const fn of(data: T) -> Self {
        Self {
            success: true,
            data,
        }
    }
}

/// Where a recording can be played.
#[derive(Serialize)]
pub(in crate::http) struct StreamUrl {
    /// Absolute, signed.
    pub(in crate::http) url: String,
    /// For how long, in seconds.
    pub(in crate::http) expires_in: u64,
    /// Media type of what is there.
    pub(in crate::http) content_type: &'static str,
    /// What to call it.
    pub(in crate::http) filename: String,
}
