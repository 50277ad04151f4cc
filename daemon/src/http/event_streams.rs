//! How many event streams are open: bounded over all, and for each tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::ids::TenantId;

use super::limits;

/// The open streams of a site.
pub(super) struct EventStreams {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// Why no more can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamsFull {
    /// [`limits::EVENT_STREAMS`] are open.
    All,
    /// [`limits::EVENT_STREAMS_A_TENANT`] of the tenant's are.
    Tenant,
}

impl EventStreams {
    /// None open.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
        })
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open().all
    }

    /// Takes a place for a stream, given back when it is dropped.
    ///
    /// # Errors
    /// [`StreamsFull`].
    pub(super) fn take(self: &Arc<Self>, tenant: TenantId) -> Result<StreamPlace, StreamsFull> {
        let mut open = self.open();
        if open.all >= limits::EVENT_STREAMS {
            return Err(StreamsFull::All);
        }
        let held = open.by_tenant.entry(tenant).or_default();
        if *held >= limits::EVENT_STREAMS_A_TENANT {
            return Err(StreamsFull::Tenant);
        }
        *held += 1;
        open.all += 1;
        Ok(StreamPlace {
            streams: Arc::clone(self),
            tenant,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream's place.
pub(super) struct StreamPlace {
    streams: Arc<EventStreams>,
    tenant: TenantId,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.all = open.all.saturating_sub(1);
        if let Some(held) = open.by_tenant.get_mut(&self.tenant) {
            *held -= 1;
            if *held == 0 {
                open.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_its_share_and_all_get_no_more_than_there_is() {
        let streams = EventStreams::new();
        let mut held = Vec::new();
        for tenant in 0.. {
            match streams.take(TenantId(tenant / 64)) {
                Ok(place) => held.push(place),
                Err(full) => {
                    assert_eq!(full, StreamsFull::All);
                    break;
                }
            }
        }
        assert_eq!((held.len(), streams.count()), (1_024, 1_024));
        held.truncate(64);
        assert_eq!(streams.take(TenantId(0)).err(), Some(StreamsFull::Tenant));
        assert!(streams.take(TenantId(1)).is_ok());
        held.clear();
        assert_eq!(streams.count(), 0);
        assert!(streams.open().by_tenant.is_empty());
    }
}
