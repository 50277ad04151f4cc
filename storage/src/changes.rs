//! Which recordings changed lately, so that caches drop only what they must.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::ids::RecordingId;
use crate::limits::CHANGES_MAX;

/// A counter of commits and the recordings of the latest of them.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    generation: AtomicU64,
    recent: Mutex<VecDeque<(u64, RecordingId)>>,
}

impl Changes {
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Notes one commit and the recordings it touched.
    pub(crate) fn committed(&self, touched: impl Iterator<Item = RecordingId>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation.load(Ordering::Acquire) + 1;
        for id in touched {
            if recent.len() == CHANGES_MAX {
                recent.pop_front();
            }
            recent.push_back((generation, id));
        }
        self.generation.store(generation, Ordering::Release);
    }

    /// The recordings of all commits after `generation`; `None` when they are no longer known.
    pub(crate) fn since(&self, generation: u64) -> Option<Vec<RecordingId>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = recent.len() < CHANGES_MAX
            || recent
                .front()
                .is_some_and(|(oldest, _)| *oldest <= generation);
        whole.then(|| {
            let newer = recent.iter().filter(|(at, _)| *at > generation);
            newer.map(|(_, id)| *id).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_not_denied() {
        let changes = Changes::default();
        changes.committed([RecordingId(1)].into_iter());
        changes.committed([RecordingId(2)].into_iter());
        assert_eq!(changes.since(1), Some(vec![RecordingId(2)]));
        assert_eq!(changes.since(0), Some(vec![RecordingId(1), RecordingId(2)]));
        for id in 0..CHANGES_MAX as u64 {
            changes.committed([RecordingId(id)].into_iter());
        }
        assert_eq!(changes.since(0), None);
        assert_eq!(changes.since(changes.generation()), Some(vec![]));
    }
}
