//! What travels over the control socket, as typed JSON. The daemon writes these and the command
//! line reads them; `--json` prints them as they are. Numbers with a unit end in that unit. What
//! all answers share is here, the rest lies in a file a subject.

mod access;
mod audit;
mod calls;
mod export;
mod keeping;
mod prompts;
mod recordings;
mod status;
mod telephony;
mod upkeep;
mod webhooks;

use serde::{Deserialize, Serialize};

pub use access::*;
pub use audit::*;
pub use calls::*;
pub use export::*;
pub use keeping::*;
pub use prompts::*;
pub use recordings::*;
pub use status::*;
pub use telephony::*;
pub use upkeep::*;
pub use webhooks::*;

/// What every path begins with.
pub const PREFIX: &str = "/control/v1";

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// Why.
    pub error: ErrorBody,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub message: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request cannot be understood.
    BadRequest,
    /// This user may not use the socket.
    Denied,
    /// No such path, or what was named does not exist.
    NotFound,
    /// The path knows other methods.
    MethodNotAllowed,
    /// Not possible as things stand.
    Conflict,
    /// The body is too long.
    TooLarge,
    /// The file or configuration that was named cannot be used.
    Unusable,
    /// Not at the moment: the disk refuses writes, or the daemon is stopping.
    Unavailable,
    /// The daemon failed; its journal says more.
    Internal,
}

/// A list of things, `{"items": […]}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Items<T> {
    /// The things.
    pub items: Vec<T>,
}

/// One line of a long answer (NDJSON): progress, then exactly one end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<T> {
    /// How far it is.
    Progress(Progress),
    /// Finished, with this result.
    Done(T),
    /// Failed.
    Error(ErrorBody),
}

/// How far a long job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub stage: String,
    /// Done so far.
    pub done: u64,
    /// Of this many; 0 when that is not known.
    pub total: u64,
}
