//! Applications, their webhooks, and the events that could not be delivered.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::ids::TenantName;
use uuid::Uuid;

/// An application, without its key and its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Application {
    /// Its name: `X-App-ID`.
    pub app_id: String,
    /// Whose it is: the tenant of the same name.
    pub tenant: String,
    /// Where its events go; null for nowhere.
    pub webhook_url: Option<String>,
    /// Requests a minute.
    pub rate_limit: u32,
    /// The events it hears of; all when empty.
    pub events: Vec<String>,
    /// When it was added, RFC 3339.
    pub created_at: String,
    /// When its receiver answered 410, RFC 3339: nothing is delivered until it is set again.
    pub stopped_at: Option<String>,
    /// What became of its events.
    pub webhooks: WebhookCounts,
}

/// How many events are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookCounts {
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
    /// Dead letters forgotten because there were too many, ever.
    pub forgotten: u64,
}

/// `POST /apps/{app_id}`; what is left out stays.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetApp {
    /// Where its events go; an empty text takes it away.
    #[serde(default)]
    pub webhook_url: Option<String>,
    /// Its key: 16 to 256 printable characters without spaces. A new application needs one.
    #[serde(default)]
    pub api_key: Option<String>,
    /// Requests a minute: 1 to 100000; 100 for a new one.
    #[serde(default)]
    pub rate_limit: Option<u32>,
    /// The events it hears of; all when empty.
    #[serde(default)]
    pub events: Option<Vec<String>>,
    /// Whether its webhooks are signed with a new secret from now on.
    #[serde(default)]
    pub new_secret: bool,
}

/// An application that was set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppWasSet {
    /// As it is now.
    pub application: Application,
    /// Whether there was none before.
    pub added: bool,
    /// Whether the tenant of its name was added too.
    pub tenant_added: bool,
    /// `whsec_…`, this once, where it is new.
    pub secret: Option<String>,
    /// Where the daemon serves it, as a base URL, when it listens.
    pub base_url: Option<String>,
}

/// An event that is not tried any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its id: `webhook-id`.
    pub id: Uuid,
    /// Whose.
    pub app_id: String,
    /// The call it tells of.
    pub session_uuid: Uuid,
    /// Its name.
    pub event: String,
    /// Its place among the session's events.
    pub sequence: u64,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// `age`, `overflow` or `undeliverable`.
    pub cause: String,
    /// When it was told first, RFC 3339.
    pub created_at: String,
    /// Since when it is not tried any more, RFC 3339.
    pub died_at: String,
    /// What is sent; only where a single one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// `GET /webhooks/dead`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetters {
    /// By application, oldest first.
    pub items: Vec<DeadLetter>,
    /// How many there are, shown or not.
    pub total: u64,
}

/// `POST /webhooks/replay`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Whose.
    pub tenant: TenantName,
    /// Which; all when null.
    #[serde(default)]
    pub ids: Option<Vec<Uuid>>,
    /// Whether to count only.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Whose.
    pub tenant: String,
    /// Dead letters that were meant.
    pub found: u64,
    /// Of those, how many wait again now.
    pub replayed: u64,
    /// Ids that are no dead letters.
    pub unknown: Vec<Uuid>,
}

/// Webhooks of all applications.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct WebhookTotals {
    /// Applications.
    pub applications: usize,
    /// Of those, stopped by their receiver.
    pub stopped: usize,
    /// Events that wait to be delivered.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// Delivered, since the daemon was started.
    pub delivered: u64,
    /// Attempts that failed, since the daemon was started.
    pub failed: u64,
}
