//! Work that is done once for all who ask for it while it is under way. It is finished even when
//! all of them have gone: what it makes will be wanted again.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::queue::{Level, Queue, Refused, Turn};
use super::{ConvertError, Trouble};

type Landed<T> = Option<Result<T, ConvertError>>;

/// What is under way, by what it is.
pub(super) struct Flights<K, T> {
    under_way: Mutex<HashMap<K, watch::Receiver<Landed<T>>>>,
}

/// One of them, seen by one who waits.
pub(super) struct Flight<T> {
    landed: watch::Receiver<Landed<T>>,
    /// Whether somebody else began it.
    pub(super) joined: bool,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self {
            under_way: Mutex::default(),
        }
    }
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the work of this name, or begins it.
    ///
    /// # Errors
    /// [`ConvertError::Busy`] when too much waits.
    pub(super) fn join(
        self: &Arc<Self>,
        queue: &Queue,
        level: Level,
        name: K,
        work: impl FnOnce(&Turn<'_>) -> Result<T, ConvertError> + Send + 'static,
    ) -> Result<Flight<T>, ConvertError> {
        let mut under_way = self.lock();
        if let Some(landed) = under_way.get(&name) {
            return Ok(Flight {
                landed: landed.clone(),
                joined: true,
            });
        }
        let (tell, landed) = watch::channel(None);
        let (flights, key) = (Arc::clone(self), name.clone());
        let job = move |turn: &Turn<'_>| {
            let result = catch_unwind(AssertUnwindSafe(|| work(turn)))
                .unwrap_or_else(|_| Err(Trouble::Panicked.into()));
            // In this order, so that nobody joins what is over.
            flights.lock().remove(&key);
            tell.send_replace(Some(result));
        };
        // Under the lock, so that the work cannot be over before it is noted.
        queue.offer(level, job).map_err(|refused| match refused {
            Refused::Full => ConvertError::Busy,
            Refused::Stopping => Trouble::Stopping.into(),
        })?;
        under_way.insert(name, landed.clone());
        Ok(Flight {
            landed,
            joined: false,
        })
    }

    /// How many are waiting or under way.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, watch::Receiver<Landed<T>>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Flight<T> {
    /// Waits for its end.
    pub(super) async fn end(mut self) -> Result<T, ConvertError> {
        match self.landed.wait_for(Option::is_some).await {
            Ok(landed) => landed
                .clone()
                .unwrap_or_else(|| Err(Trouble::Stopping.into())),
            // The work was dropped undone.
            Err(_) => Err(Trouble::Stopping.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::engine::transcode::queue::Workers;

    #[tokio::test]
    async fn what_is_under_way_is_shared_and_what_is_over_is_not() {
        let queue = Arc::new(Queue::default());
        let flights: Arc<Flights<u8, u32>> = Arc::default();
        let runs = Arc::new(AtomicU32::new(0));
        let ask = || {
            let runs = Arc::clone(&runs);
            let work = move |_: &Turn<'_>| Ok(runs.fetch_add(1, Ordering::SeqCst));
            flights.join(&queue, Level::Whole, 7, work).unwrap()
        };
        let both = [ask(), ask()];
        assert_eq!([both[0].joined, both[1].joined], [false, true]);
        assert_eq!(flights.len(), 1);
        let workers = Workers::start(&queue, 1).unwrap();
        for flight in both {
            assert_eq!(flight.end().await.unwrap(), 0);
        }
        assert_eq!(ask().end().await.unwrap(), 1);
        drop(workers);
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_a_panic_and_of_the_end() {
        let queue = Arc::new(Queue::default());
        let flights: Arc<Flights<u8, u32>> = Arc::default();
        let bad = flights.join(&queue, Level::Whole, 1, |_| panic!("on purpose"));
        let workers = Workers::start(&queue, 1).unwrap();
        assert!(matches!(
            bad.unwrap().end().await,
            Err(ConvertError::Failed(_))
        ));
        drop(workers);
        let late = flights.join(&queue, Level::Whole, 2, |_| Ok(1));
        assert!(matches!(late, Err(ConvertError::Failed(_))));

        let queue = Arc::new(Queue::default());
        let waiting = flights.join(&queue, Level::Whole, 3, |_| Ok(1)).unwrap();
        drop(Workers::start(&queue, 0).unwrap());
        assert!(matches!(waiting.end().await, Err(ConvertError::Failed(_))));
    }
}
