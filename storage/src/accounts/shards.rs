//! A map that is read without waiting and written rarely. It is kept in parts, so that a change
//! copies one part and not the whole.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Something that tells which part it lies in.
pub(crate) trait ShardKey: Copy + Eq + Hash {
    /// Any number, spread evenly.
    fn spread(&self) -> u8;
}

impl ShardKey for [u8; 32] {
    fn spread(&self) -> u8 {
        self[0]
    }
}

impl ShardKey for u64 {
    fn spread(&self) -> u8 {
        self.to_le_bytes()[0]
    }
}

type Shard<K, V> = ArcSwap<HashMap<K, Arc<V>>>;

/// The map. Its writers take turns by a lock that is held elsewhere.
pub(crate) struct Shards<K, V>(Box<[Shard<K, V>]>);

impl<K: ShardKey, V> Shards<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.shard(key).load().get(key).cloned()
    }

    pub(crate) fn put(&self, key: K, value: Arc<V>) {
        let mut fresh = HashMap::clone(&self.shard(&key).load());
        fresh.insert(key, value);
        self.shard(&key).store(Arc::new(fresh));
    }

    pub(crate) fn remove(&self, key: &K) {
        let held = self.shard(key).load();
        if held.contains_key(key) {
            let mut fresh = HashMap::clone(&held);
            fresh.remove(key);
            self.shard(key).store(Arc::new(fresh));
        }
    }

    /// Everything in it, in no order.
    pub(crate) fn values(&self) -> Vec<Arc<V>> {
        let mut all = Vec::new();
        for shard in &self.0 {
            all.extend(shard.load().values().cloned());
        }
        all
    }

    fn shard(&self, key: &K) -> &Shard<K, V> {
        &self.0[usize::from(key.spread()) % SHARDS]
    }
}

impl<K: ShardKey, V> FromIterator<(K, Arc<V>)> for Shards<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, Arc<V>)>>(entries: I) -> Self {
        let mut parts: Vec<HashMap<K, Arc<V>>> = (0..SHARDS).map(|_| HashMap::new()).collect();
        for (key, value) in entries {
            parts[usize::from(key.spread()) % SHARDS].insert(key, value);
        }
        Self(parts.into_iter().map(ArcSwap::from_pointee).collect())
    }
}

const SHARDS: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(
            steps in prop::collection::vec((any::<bool>(), 0u64..200, any::<u8>()), 300),
        ) {
            let mut plain = HashMap::new();
            let shards: Shards<u64, u8> = [].into_iter().collect();
            for (put, key, value) in steps {
                if put {
                    plain.insert(key, value);
                    shards.put(key, Arc::new(value));
                } else {
                    plain.remove(&key);
                    shards.remove(&key);
                }
                prop_assert_eq!(shards.get(&key).map(|held| *held), plain.get(&key).copied());
            }
            prop_assert_eq!(shards.values().len(), plain.len());
            let again: Shards<u64, u8> =
                plain.iter().map(|(key, value)| (*key, Arc::new(*value))).collect();
            for key in 0..200 {
                prop_assert_eq!(again.get(&key), shards.get(&key));
            }
        }
    }
}
