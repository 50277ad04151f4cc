//! Everything that was told, for those who watch while it happens; and the exchange's figures.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use storage::ids::TenantId;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::{CallFigures, Told, limits};

/// Where events are published, in one order for all.
pub(crate) struct Hub {
    events: broadcast::Sender<Arc<Told>>,
    /// Events published; held while one is.
    number: Mutex<u64>,
}

/// An event on its way to whoever watches.
pub(crate) struct Published {
    pub(crate) id: Uuid,
    pub(crate) owner: TenantId,
    pub(crate) session: Uuid,
    pub(crate) event: &'static str,
    pub(crate) body: Bytes,
}

impl Default for Hub {
    fn default() -> Self {
        let (events, _) = broadcast::channel(limits::HUB);
        Self {
            events,
            number: Mutex::new(0),
        }
    }
}

impl Hub {
    pub(crate) fn watch(&self) -> broadcast::Receiver<Arc<Told>> {
        self.events.subscribe()
    }

    pub(crate) fn publish(&self, event: Published) {
        let mut number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        *number += 1;
        // Without a reader nobody misses anything.
        let _readers = self.events.send(Arc::new(Told {
            number: *number,
            id: event.id,
            owner: event.owner,
            session: event.session,
            event: event.event,
            body: event.body,
        }));
    }
}

/// What [`CallFigures`] shows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) active: AtomicU64,
    pub(super) started: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) digits: AtomicU64,
    pub(super) playbacks: AtomicU64,
    pub(super) underruns: AtomicU64,
    pub(super) files_not_found: AtomicU64,
    pub(super) watchers_behind: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn figures(&self) -> CallFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CallFigures {
            active: read(&self.active),
            started: read(&self.started),
            commands: read(&self.commands),
            events: read(&self.events),
            digits: read(&self.digits),
            playbacks: read(&self.playbacks),
            underruns: read(&self.underruns),
            files_not_found: read(&self.files_not_found),
            watchers_behind: read(&self.watchers_behind),
        }
    }
}
