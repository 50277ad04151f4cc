//! What the handle, the recorder and the threads of one open store have in common.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audio_io::clock::Clock;
use tokio::sync::mpsc;

use crate::accounts::Accounts;
use crate::changes::Changes;
use crate::derived::Derived;
use crate::ids::{TenantId, TenantName};
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::commit::{Committer, Job};
use crate::ledger::acts::ActQueue;
use crate::ledger::checkpoints::Checkpoints;
use crate::library::Library;
use crate::metrics::Metrics;
use crate::naming::NameMaker;
use crate::outbox::OutboxState;
use crate::paths::Layout;
use crate::peaks::Maker;
use crate::record::RecordingFacts;
use crate::recorder::ViewRequest;
use crate::reserve::Reserve;
use crate::retention::Keeper;
use crate::search::thread::Search;
use crate::work::Worker;

/// One open store.
pub(crate) struct Shared {
    pub(crate) layout: Layout,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) index: Arc<Index>,
    /// Ends before the committer, which it hands changes to.
    pub(crate) search: Search,
    pub(crate) committer: Committer,
    /// Ends after the committer: the last checkpoint covers what it committed.
    pub(crate) ledger: LedgerParts,
    pub(crate) worker: Worker,
    pub(crate) names: NameMaker,
    pub(crate) changes: Arc<Changes>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) reserve: Arc<Reserve>,
    pub(crate) accounts: Accounts,
    pub(crate) library: Library,
    pub(crate) outbox: OutboxState,
    pub(crate) derived: Derived,
    pub(crate) keeper: Keeper,
    pub(crate) peaks: Maker,
    pub(crate) views: mpsc::Sender<ViewRequest>,
    /// The newest time in milliseconds that was shown by a clock to be trusted.
    pub(crate) time_seen: AtomicU64,
    /// Whether `syncfs` tells of failed writes (Linux 5.8 and later).
    pub(crate) syncfs_reports: bool,
    /// Held until everything else is gone.
    pub(crate) _lock: File,
}

/// The ledger's queue of acts and its thread.
pub(crate) struct LedgerParts {
    pub(crate) acts: Arc<ActQueue>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    /// The private key.
    pub(crate) key_file: PathBuf,
}

impl Drop for LedgerParts {
    fn drop(&mut self) {
        self.checkpoints.stop();
    }
}

impl Shared {
    pub(crate) fn count_written(&self, bytes: u64) {
        self.metrics
            .bytes_written
            .fetch_add(bytes, Ordering::Relaxed);
    }

    /// Sets more ids aside when the range runs low. Never waits.
    pub(crate) fn top_up_ids(&self) {
        if let Some(below) = self.names.wants_range() {
            let change = Change::ReserveIds { below };
            let job = Job {
                change,
                urgent: false,
                keep: true,
                reply: None,
            };
            if self.committer.offer(job).is_err() {
                self.names.range_refused();
            }
        }
    }

    /// A recording begins: where its time can be trusted, none before it can be from now on. The
    /// index remembers the same.
    pub(crate) fn saw(&self, facts: &RecordingFacts) {
        let started_at = facts.started_at.0;
        match facts.time {
            Some(time) if time.synchronised == Some(true) => {
                self.time_seen.store(started_at, Ordering::Relaxed);
            }
            Some(time) if time.is_trusted() => {
                self.time_seen.fetch_max(started_at, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    pub(crate) fn tenant_name(&self, tenant: TenantId) -> Option<TenantName> {
        let tenants = self.accounts.tenants.load();
        tenants.get(&tenant).map(|row| row.name.clone())
    }
}

/// Whether this kernel's `syncfs` reports write-back errors.
pub(crate) fn syncfs_reports() -> bool {
    let Ok(name) = nix::sys::utsname::uname() else {
        return false;
    };
    let mut numbers = name
        .release()
        .to_str()
        .unwrap_or_default()
        .split(['.', '-']);
    let mut next = || {
        numbers
            .next()
            .and_then(|number| number.parse::<u32>().ok())
            .unwrap_or(0)
    };
    (next(), next()) >= (5, 8)
}
