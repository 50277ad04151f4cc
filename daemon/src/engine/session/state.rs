//! What is known and said about a session: its facts, where it stands, and the answers to inputs.

use std::time::Duration;

use serde::Serialize;
use storage::ids::TenantId;
use uuid::Uuid;

use super::cooldown::Group;
use super::event::SessionEvent;
use super::signal::Action;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// It exists.
    New,
    /// The line rings.
    Ringing,
    /// Both sides can hear each other.
    Answered,
    /// It is over; nothing leads away from here.
    HungUp,
}

/// What does not change about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its name.
    pub uuid: Uuid,
    /// The application it belongs to.
    pub owner: TenantId,
    /// The line's name.
    pub line: String,
    /// Who calls, if known.
    pub caller_id: Option<String>,
    /// Who is called, if known.
    pub did: Option<String>,
    /// Whether the line has a device to play to.
    pub plays: bool,
}

/// What an input led to.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Output {
    /// To be done, in this order.
    pub actions: Vec<Action>,
    /// To be told, in this order.
    pub events: Vec<SessionEvent>,
}

/// A command that was taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The name that its result will have.
    pub operation: Uuid,
    /// The uid was known: this is the first one's operation, and nothing was done.
    pub repeated: bool,
}

/// Why a command was not taken on; nothing was done, and there will be no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too soon after another one of its group.
    #[error("a command of the group {} came too soon", .group.as_str())]
    Cooldown {
        /// Its group.
        group: Group,
        /// When to come again.
        wait: Duration,
    },
    /// The call is over.
    #[error("the session has ended")]
    Ended,
}

/// How a session stands, for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Of the call.
    pub state: CallState,
    /// Whether files or silence play, or are held.
    pub playing: bool,
    /// Whether what plays is held.
    pub paused: bool,
    /// Whether files are being fetched.
    pub fetching: bool,
    /// Whether digits are being collected.
    pub collecting: bool,
    /// Whether there is a recording in progress.
    pub recording: bool,
    /// Whether that recording is paused.
    pub recording_paused: bool,
    /// How many events were told.
    pub sequence: u64,
}
