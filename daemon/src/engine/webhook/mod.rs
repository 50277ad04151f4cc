//! Webhooks: the events of sessions, delivered to applications as Standard Webhooks.
//!
//! ```text
//!  engine ─▶ event.rs ─▶ storage's outbox ─▶ worker.rs: who is due ─┬▶ deliver.rs ─▶ receiver a
//!                              ▲                                    ├▶ deliver.rs ─▶ receiver a
//!                              └── delivered, failed, dead ◀────────┴▶ deliver.rs ─▶ receiver b
//! ```
//!
//! Each application has lanes of its own: a receiver that is slow or gone holds up nobody else's
//! events, and of its own only those of the same session. What waits, and in which order, is the
//! outbox's business (`storage::outbox`); nothing here holds up whoever appends.

pub(crate) mod alarm;
pub mod application;
mod deliver;
pub mod event;
mod pace;
pub mod sign;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use ipnet::IpNet;
use storage::outbox::Outbox;
use tokio::task::JoinHandle;

use self::pace::Pace;
use super::fetch::FetchError;
use super::fetch::post::Poster;

/// Deliveries under way. They end when this is dropped; what was not delivered waits on disk.
pub struct Webhooks {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

struct Shared {
    outbox: Outbox,
    clock: Arc<dyn Clock>,
    poster: Poster,
    allow: ArcSwap<Vec<IpNet>>,
    pace: Pace,
    figures: Figures,
}

#[derive(Default)]
struct Figures {
    delivered: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    under_way: AtomicU64,
}

/// Figures for `/metrics`, since the daemon was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookFigures {
    /// Events that a receiver took.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Events that became dead letters here.
    pub dead: u64,
    /// Attempts under way now.
    pub under_way: u64,
}

/// Why a URL cannot be a webhook's.
#[derive(Debug, thiserror::Error)]
pub enum WebhookUrlError {
    /// Not an absolute http or https URL, or with a user in it.
    #[error("webhook_url: not an absolute http or https URL without a user")]
    Url,
    /// It names an address that nothing is delivered to.
    #[error(
        "webhook_url: leads to {0}, which nothing may be delivered to unless [webhooks] allow \
        lists it"
    )]
    Refused(std::net::IpAddr),
}

impl Webhooks {
    /// Begins to deliver, on the runtime it is called on. `allow` lists networks that events may
    /// be delivered to although they are private or loopback.
    #[must_use]
    pub fn start(outbox: Outbox, clock: Arc<dyn Clock>, allow: Vec<IpNet>) -> Self {
        Self::start_at(outbox, clock, allow, Pace::default())
    }

    fn start_at(outbox: Outbox, clock: Arc<dyn Clock>, allow: Vec<IpNet>, pace: Pace) -> Self {
        let shared = Arc::new(Shared {
            outbox,
            clock,
            poster: Poster::system(),
            allow: ArcSwap::from_pointee(allow),
            pace,
            figures: Figures::default(),
        });
        let tasks = [
            tokio::spawn(worker::run(Arc::clone(&shared))),
            tokio::spawn(worker::sweep(Arc::clone(&shared))),
        ];
        Self { shared, tasks }
    }

    /// Puts another allow-list in force, from the next attempt on.
    pub fn reload(&self, allow: Vec<IpNet>) {
        self.shared.allow.store(Arc::new(allow));
    }

    /// Whether a URL may be an application's: its form, and its address where it names one.
    /// Names are resolved and checked at each delivery.
    ///
    /// # Errors
    /// [`WebhookUrlError`].
    pub fn check_url(&self, url: &str) -> Result<(), WebhookUrlError> {
        check_url(url, &self.shared.allow.load())
    }

    /// Figures for `/metrics`.
    #[must_use]
    pub fn figures(&self) -> WebhookFigures {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let figures = &self.shared.figures;
        WebhookFigures {
            delivered: read(&figures.delivered),
            failed: read(&figures.failed),
            dead: read(&figures.dead),
            under_way: read(&figures.under_way),
        }
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Whether a URL may be an application's under this allow-list.
///
/// # Errors
/// [`WebhookUrlError`].
pub fn check_url(url: &str, allow: &[IpNet]) -> Result<(), WebhookUrlError> {
    Poster::inspect(url, allow).map_err(|error| match error {
        FetchError::Refused(address) => WebhookUrlError::Refused(address),
        _ => WebhookUrlError::Url,
    })
}
