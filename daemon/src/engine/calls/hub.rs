//! Where events go once they are told: to whoever follows them live, and into a short memory, so
//! that a reader that was cut off, or was too slow, goes on where it was. It is no queue: what must
//! not be lost is in the outbox.
//!
//! ```text
//!  exchange ──publish──▶ Hub ──broadcast──▶ readers, live
//!                         └──memory: the latest events of each tenant──▶ readers that come back
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use storage::ids::TenantId;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::Told;

/// Events that a reader may be behind; of more it misses the oldest, unless they are remembered.
const BEHIND: usize = 4_096;
/// Events remembered of a tenant; with one more the oldest is forgotten.
const REMEMBERED: usize = 1_024;
/// Bytes of all remembered bodies; past it the oldest event of all is forgotten.
const REMEMBERED_BYTES: usize = 32 * 1_024 * 1_024;

/// The events of this run.
pub(crate) struct Hub {
    live: broadcast::Sender<Arc<Told>>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// By number.
    events: BTreeMap<u64, Arc<Told>>,
    bytes: usize,
    /// Of each tenant that has had an event.
    tenants: HashMap<TenantId, Shelf>,
    newest: u64,
}

/// What is remembered of a tenant.
#[derive(Default)]
struct Shelf {
    /// Numbers, ascending.
    numbers: VecDeque<u64>,
    /// The newest event that was forgotten; 0 if none was.
    forgotten: u64,
}

/// An event on its way to whoever watches.
pub(crate) struct Published {
    pub(crate) id: Uuid,
    pub(crate) owner: TenantId,
    pub(crate) session: Uuid,
    pub(crate) event: &'static str,
    pub(crate) body: Bytes,
}

/// What a reader has not seen yet.
#[derive(Debug)]
pub struct Following {
    /// Remembered events after the one that was named, in order.
    pub earlier: Vec<Arc<Told>>,
    /// How many events after the one that was named are forgotten, at most: numbers count those of
    /// other tenants too.
    pub forgotten: u64,
    /// Every event after those, of all tenants.
    pub live: broadcast::Receiver<Arc<Told>>,
    /// The newest event of all when this was made.
    pub newest: u64,
}

impl Default for Hub {
    /// Without events.
    fn default() -> Self {
        let (live, _) = broadcast::channel(BEHIND);
        let memory = Mutex::default();
        Self { live, memory }
    }
}

impl Hub {
    /// Tells an event, under the next number.
    pub(crate) fn publish(&self, event: Published) {
        let mut memory = self.memory();
        let told = Arc::new(Told {
            number: memory.newest + 1,
            id: event.id,
            owner: event.owner,
            session: event.session,
            event: event.event,
            body: event.body,
        });
        memory.remember(&told);
        // Within the lock, so that who subscribes sees each event exactly once. Nobody listening is
        // no error.
        let _ = self.live.send(told);
    }

    /// Every event from now on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Arc<Told>> {
        self.live.subscribe()
    }

    /// A tenant's events after a number, as far as they are remembered, and everything from now
    /// on; without a number only the latter.
    pub(crate) fn follow(&self, owner: TenantId, after: Option<u64>) -> Following {
        let memory = self.memory();
        let (earlier, forgotten) =
            after.map_or((Vec::new(), 0), |after| memory.after(owner, after));
        Following {
            earlier,
            forgotten,
            live: self.live.subscribe(),
            newest: memory.newest,
        }
    }

    /// How many watch.
    #[cfg(test)]
    pub(crate) fn watchers(&self) -> usize {
        self.live.receiver_count()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn remember(&mut self, told: &Arc<Told>) {
        self.newest = self.newest.max(told.number);
        let shelf = self.tenants.entry(told.owner).or_default();
        shelf.numbers.push_back(told.number);
        self.bytes += told.body.len();
        self.events.insert(told.number, Arc::clone(told));
        if shelf.numbers.len() > REMEMBERED
            && let Some(oldest) = shelf.numbers.front().copied()
        {
            self.forget(oldest);
        }
        while self.bytes > REMEMBERED_BYTES
            && let Some(oldest) = self.events.keys().next().copied()
        {
            self.forget(oldest);
        }
    }

    /// Forgets the oldest event of its tenant.
    fn forget(&mut self, number: u64) {
        let Some(told) = self.events.remove(&number) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(told.body.len());
        if let Some(shelf) = self.tenants.get_mut(&told.owner) {
            shelf.numbers.pop_front();
            shelf.forgotten = number;
        }
    }

    fn after(&self, owner: TenantId, after: u64) -> (Vec<Arc<Told>>, u64) {
        let Some(shelf) = self.tenants.get(&owner) else {
            return (Vec::new(), 0);
        };
        let from = shelf.numbers.partition_point(|number| *number <= after);
        let numbers = shelf.numbers.range(from..);
        let events = numbers.filter_map(|number| self.events.get(number).cloned());
        (events.collect(), shelf.forgotten.saturating_sub(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: u64, owner: u32, bytes: usize) -> Published {
        Published {
            id: Uuid::from_u128(number.into()),
            owner: TenantId(owner),
            session: Uuid::nil(),
            event: "dtmf",
            body: Bytes::from(vec![b'x'; bytes]),
        }
    }

    fn numbers(events: &[Arc<Told>]) -> Vec<u64> {
        events.iter().map(|told| told.number).collect()
    }

    #[test]
    fn who_comes_back_goes_on_where_it_was() {
        let hub = Hub::default();
        for number in 1..=6 {
            hub.publish(told(number, u32::from(number % 2 == 0), 1));
        }
        let mut following = hub.follow(TenantId(1), Some(2));
        assert_eq!(
            (numbers(&following.earlier), following.forgotten),
            (vec![4, 6], 0)
        );
        assert_eq!(following.newest, 6);
        assert!(hub.follow(TenantId(1), None).earlier.is_empty());
        assert!(hub.follow(TenantId(9), Some(0)).earlier.is_empty());
        hub.publish(told(7, 1, 1));
        assert_eq!(following.live.try_recv().unwrap().number, 7);
        assert!(following.live.try_recv().is_err());
    }

    #[test]
    fn a_tenants_memory_is_bounded_and_a_gap_is_told() {
        let hub = Hub::default();
        let most = u64::try_from(REMEMBERED).unwrap();
        hub.publish(told(1, 2, 1));
        for number in 2..=most + 3 {
            hub.publish(told(number, 1, 1));
        }
        let following = hub.follow(TenantId(1), Some(2));
        assert_eq!(following.earlier.len(), REMEMBERED);
        assert_eq!(following.forgotten, 1);
        assert_eq!(hub.follow(TenantId(1), Some(3)).forgotten, 0);
        let other = hub.follow(TenantId(2), Some(0));
        assert_eq!((other.earlier.len(), other.forgotten), (1, 0));
    }

    #[test]
    fn bodies_of_all_tenants_together_are_bounded() {
        let hub = Hub::default();
        let size = REMEMBERED_BYTES / 4;
        for number in 1..=8 {
            hub.publish(told(number, u32::try_from(number).unwrap(), size));
        }
        assert!(hub.memory().bytes <= REMEMBERED_BYTES);
        assert_eq!(hub.memory().events.len(), 4);
        assert_eq!(hub.follow(TenantId(1), Some(0)).forgotten, 1);
        assert_eq!(numbers(&hub.follow(TenantId(8), Some(0)).earlier), [8]);
    }
}
