//! The webhook outbox: applications, and the events that wait to be delivered to them. What is
//! appended here is durable before the effect that it tells of is acknowledged.
//!
//! ```text
//!            append                delivered
//!  (nothing) ─────▶ waiting ─────────────────▶ (gone)
//!                   │  ▲ failed: waiting, later
//!    given up, full │  │ replay
//!    or too old     ▼  │
//!                  dead letter ── too many ──▶ (forgotten)
//! ```
//!
//! Of each session only the earliest waiting event is ever due, so that events are delivered in
//! the order of their sequence. Here lies what is kept; `outbox/` holds the operations, and who
//! makes requests of it is the daemon's business.

mod applications;
mod queue;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::{ReadError, WriteError};
use crate::handle::StorageHandle;
use crate::ids::{AppId, TenantId};
use crate::limits::{APP_KEY_MIN, WEBHOOK_SECRET_BYTES};
use crate::record::WallMillis;
use crate::shared::Shared;
use timeline::Timeline;

/// The door to the outbox. Cheap to clone, `Send + Sync`; the store stays open while one is held.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

impl StorageHandle {
    /// The webhook outbox.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// What an open store keeps of its outbox in memory; events are not among it.
pub(crate) struct OutboxState {
    applications: ArcSwap<Applications>,
    timeline: Timeline,
    /// Told after each commit that may have made an event due.
    changed: Arc<Notify>,
    /// Whoever changes an application holds it from the check until the map is changed.
    writing: Mutex<()>,
}

#[derive(Default)]
struct Applications {
    by_id: HashMap<AppId, Arc<Application>>,
    by_key: HashMap<AppKey, Arc<Application>>,
}

/// A moment on the outbox's own timeline, in milliseconds. It begins near the wall clock when the
/// store is opened and then goes on with the monotonic clock: setting the machine's clock moves
/// it neither forward nor back. It never lies before a moment that an earlier run has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OutboxTime(pub u64);

impl OutboxTime {
    /// So much later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(by))
    }

    /// How long it is until a later moment; zero when that has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// An application's tenant and number: how its events are found. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number, unique over all tenants.
    pub number: u32,
}

/// Where an event waits. A replayed event waits at another place, under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventPlace {
    /// Whose it is.
    pub app: AppKey,
    /// Counts appended and replayed events over all applications.
    pub number: u64,
}

/// A key that webhooks are signed with, 24 to 64 bytes. It is kept as it is, because signing
/// needs it; it is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// Takes the bytes of a secret, 24 to 64.
    ///
    /// # Errors
    /// [`OutboxError::Secret`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, OutboxError> {
        let (least, most) = WEBHOOK_SECRET_BYTES;
        if (least..=most).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(OutboxError::Secret)
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The secret is left out.
impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// An application of seed 001.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its tenant and number.
    pub key: AppKey,
    /// Its name on the wire.
    pub app_id: AppId,
    /// Where its events go; without one they are numbered and not kept.
    pub webhook_url: Option<String>,
    /// Keyed BLAKE3 of its API key.
    pub api_key_hash: [u8; 32],
    /// Requests a minute.
    pub rate_limit: u32,
    /// Names of the events it hears of; all when empty.
    pub events: Vec<String>,
    /// What its webhooks are signed with.
    pub secret: WebhookSecret,
    /// When it was added.
    pub created_at: WallMillis,
    /// When its receiver said 410: nothing is delivered until it is set again.
    pub stopped_at: Option<WallMillis>,
    /// Grows with every change of it.
    pub revision: u64,
}

impl Application {
    /// Whether it hears of an event of this name.
    #[must_use]
    pub fn wants(&self, event: &str) -> bool {
        self.events.is_empty() || self.events.iter().any(|name| name == event)
    }

    /// Whether anything is delivered to it.
    #[must_use]
    pub fn is_delivered_to(&self) -> bool {
        self.webhook_url.is_some() && self.stopped_at.is_none()
    }
}

/// What an application is set to.
#[derive(Clone)]
pub struct AppSettings {
    /// Where its events go, if anywhere: at most [`crate::limits::WEBHOOK_URL_MAX`] bytes, whose
    /// form the caller has checked.
    pub webhook_url: Option<String>,
    /// Its API key, at least [`APP_KEY_MIN`] bytes; the one it has when left out.
    pub api_key: Option<String>,
    /// Requests a minute.
    pub rate_limit: u32,
    /// Names of the events it hears of; all when empty.
    pub events: Vec<String>,
    /// What its webhooks are signed with; the one it has, or a new one, when left out.
    pub secret: Option<WebhookSecret>,
}

/// An event on its way into the outbox.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id, made once by whoever makes the event. Appending an id again that still waits or is
    /// a dead letter changes nothing and answers its sequence.
    pub id: Uuid,
    /// The call it tells of.
    pub session: Uuid,
    /// Its name: `call.answered`.
    pub event: String,
    /// Its data, a JSON object as text.
    pub data: String,
}

/// What is kept of a call while it is on, so that a start after a crash can end it: bytes of
/// whoever makes the events, written in the same commit as events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionNote {
    /// In place of the one before, at most [`crate::limits::SESSION_NOTE_MAX`] bytes.
    Keep(Vec<u8>),
    /// The call is over: nothing is kept.
    Drop,
}

/// A note of a call that was on when the store was closed or the daemon died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedSession {
    /// The application that it belongs to.
    pub app: AppKey,
    /// The call.
    pub session: Uuid,
    /// What was kept.
    pub note: Vec<u8>,
}

/// What became of an appended event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It has its place in the session's sequence.
    Numbered {
        /// From 1 for a session's first event, growing by one.
        sequence: u64,
        /// Whether it waits to be delivered: not where the application has no URL.
        waits: bool,
    },
    /// The application's filter leaves it out; it has no number.
    Unwanted,
}

/// An event that waits, or waited before it became a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same at every attempt and after a replay: `webhook-id`.
    pub id: Uuid,
    /// The call it tells of.
    pub session: Uuid,
    /// Its place among the session's events, from 1.
    pub sequence: u64,
    /// Its name.
    pub event: String,
    /// Its data, a JSON object.
    pub data: String,
    /// When it was appended.
    pub created_at: WallMillis,
    /// When it began to wait: its age counts from here.
    pub since: OutboxTime,
    /// Not before this.
    pub next_at: OutboxTime,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// Why an event is not tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadCause {
    /// It was tried for [`crate::limits::OUTBOX_AGE`].
    Age,
    /// Newer events needed its place.
    Overflow,
    /// It cannot be delivered at all.
    Undeliverable,
}

/// An event that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The event as it last waited.
    pub event: Event,
    /// Why.
    pub cause: DeadCause,
    /// Since when.
    pub died_at: WallMillis,
}

/// Events that may be delivered now.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// Grouped by application; within one, the longest due first. No two are of one session.
    pub events: Vec<(EventPlace, Event)>,
    /// When the next one is due that is not yet, of the applications that were not filled up.
    pub next_at: Option<OutboxTime>,
}

/// How many events of an application are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxCounts {
    /// Waiting to be delivered.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// Delivered, ever.
    pub delivered: u64,
    /// Became dead letters because too many waited, ever.
    pub overflowed: u64,
    /// Became dead letters for another reason, ever.
    pub given_up: u64,
    /// Dead letters that were forgotten because there were too many, ever.
    pub forgotten: u64,
}

/// Why the outbox did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// No such tenant.
    #[error("no tenant {0}")]
    NoTenant(TenantId),
    /// No such application.
    #[error("no such application")]
    NoApplication,
    /// The id belongs to another tenant.
    #[error("the application's id '{0}' is taken; choose another")]
    Taken(AppId),
    /// There are as many as there can be.
    #[error("there are {0} applications; that is the most there can be")]
    Full(usize),
    /// A new application without an API key, or with a short one.
    #[error("api_key: an application's key has at least {APP_KEY_MIN} bytes")]
    ApiKey,
    /// A webhook's secret of another length.
    #[error(
        "a webhook's secret has {} to {} bytes",
        WEBHOOK_SECRET_BYTES.0,
        WEBHOOK_SECRET_BYTES.1
    )]
    Secret,
    /// Something is longer than its maximum.
    #[error("{what}: at most {most}")]
    TooLong {
        /// What: the field's name.
        what: &'static str,
        /// The maximum.
        most: usize,
    },
    /// Too many changes wait for the disk.
    #[error("the index has too many changes waiting; try again")]
    Busy,
    /// A row cannot be read.
    #[error("a row of the outbox is unreadable; run 'callreel check'")]
    Unreadable,
    /// The system gave no random bytes.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
