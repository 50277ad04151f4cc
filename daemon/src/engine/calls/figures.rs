//! Figures of the exchange, for `/metrics` and `status`.

use std::sync::atomic::{AtomicU64, Ordering};

use super::CallFigures;

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
