//! Leaky buckets in bounded tables: how often something may happen for each of very many. What is
//! counted, and what happens when a bucket is full, is the business of `failures.rs` and
//! `ratelimit.rs`.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The size of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Drops it holds.
    pub(super) drops: u32,
    /// The time in which it loses one.
    pub(super) drip: Duration,
}

/// Buckets by what they count for. Empty ones take no space for long; when the table is full, the
/// bucket that is closest to empty is forgotten.
pub(super) struct Buckets<K> {
    most: usize,
    /// When each bucket will be empty, in monotonic time.
    empty_at: Mutex<HashMap<K, Duration>>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// All empty; at most `most` are remembered.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            empty_at: Mutex::new(HashMap::new()),
        }
    }

    /// Lets a drop fall into a bucket at `now` (monotonic time).
    ///
    /// # Errors
    /// How long until there is room for it.
    pub(super) fn fill(&self, key: K, bucket: Bucket, now: Duration) -> Result<(), Duration> {
        let mut table = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= self.most && !table.contains_key(&key) {
            table.retain(|_, empty_at| *empty_at > now);
            if table.len() >= self.most {
                let emptiest = table.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key);
                emptiest.and_then(|key| table.remove(&key));
            }
        }
        let empty_at = table.entry(key).or_insert(now);
        let filled = (*empty_at).max(now) + bucket.drip;
        let brim = now + bucket.drip * bucket.drops;
        if filled > brim {
            return Err(filled - brim);
        }
        *empty_at = filled;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: Bucket = Bucket {
        drops: 3,
        drip: Duration::from_secs(6),
    };

    #[test]
    fn buckets_fill_and_leak_each_on_its_own() {
        let buckets = Buckets::new(10);
        let now = Duration::from_secs(100);
        for _ in 0..BUCKET.drops {
            assert_eq!(buckets.fill(1, BUCKET, now), Ok(()));
        }
        assert_eq!(buckets.fill(1, BUCKET, now), Err(BUCKET.drip));
        assert_eq!(buckets.fill(2, BUCKET, now), Ok(()));
        let soon = now + Duration::from_secs(2);
        assert_eq!(buckets.fill(1, BUCKET, soon), Err(Duration::from_secs(4)));
        let later = now + BUCKET.drip;
        assert_eq!(buckets.fill(1, BUCKET, later), Ok(()));
        assert!(buckets.fill(1, BUCKET, later).is_err());
    }

    #[test]
    fn the_table_stays_bounded_and_remembers_the_fullest() {
        let most = 64;
        let buckets = Buckets::new(most);
        let mut now = Duration::ZERO;
        for _ in 0..BUCKET.drops {
            assert_eq!(buckets.fill(0, BUCKET, now), Ok(()));
        }
        for key in 1..200 {
            now += Duration::from_millis(1);
            assert_eq!(buckets.fill(key, BUCKET, now), Ok(()));
        }
        assert_eq!(buckets.empty_at.lock().unwrap().len(), most);
        assert!(buckets.fill(0, BUCKET, now).is_err());
    }
}
