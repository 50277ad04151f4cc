//! What `/metrics` tells of keeping and proving.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters and gauges of the thread that keeps recordings.
#[derive(Debug, Default)]
pub struct KeepingFigures {
    /// How full the disk is: 0 normal, 1 low, 2 critical, 3 full.
    pub disk_level: AtomicU64,
    /// Recordings that retention deleted.
    pub deleted: AtomicU64,
    /// Bytes of their files.
    pub deleted_bytes: AtomicU64,
    /// Held recordings, as the last pass saw them.
    pub held: AtomicU64,
    /// Recordings younger than their minimum, as the last pass saw them.
    pub young: AtomicU64,
    /// Bytes that are short although everything that may go is gone.
    pub short_bytes: AtomicU64,
    /// Passes that ended.
    pub passes: AtomicU64,
    /// When the last of them ended, in milliseconds since 1970; 0 before the first.
    pub passed_at_ms: AtomicU64,
    /// Passes that failed.
    pub passes_failed: AtomicU64,
    /// Whether the configuration's policies are not in force, since they would shrink retention.
    pub shrink_refused: AtomicU64,
    /// Whether the last reload was refused because it would have shrunk retention.
    pub reload_shrinks: AtomicU64,
    /// Whether the ledger was found broken at the start.
    pub ledger_broken: AtomicU64,
    /// Whether the clock is trusted.
    pub clock_trusted: AtomicU64,
}

impl KeepingFigures {
    /// Each figure: its name, kind, what it is, and its value.
    pub(crate) fn all(&self) -> [(&'static str, &'static str, &'static str, u64); 11] {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        [
            (
                "callreel_disk_level",
                "gauge",
                "How full the disk of recordings is: 0 normal, 1 low, 2 critical, 3 full.",
                read(&self.disk_level),
            ),
            (
                "callreel_retention_deleted_total",
                "counter",
                "Recordings that retention deleted.",
                read(&self.deleted),
            ),
            (
                "callreel_retention_deleted_bytes_total",
                "counter",
                "Bytes of recordings that retention deleted.",
                read(&self.deleted_bytes),
            ),
            (
                "callreel_recordings_held",
                "gauge",
                "Recordings that are held, as the last retention pass saw them.",
                read(&self.held),
            ),
            (
                "callreel_recordings_young",
                "gauge",
                "Recordings younger than their minimum, as the last retention pass saw them.",
                read(&self.young),
            ),
            (
                "callreel_retention_short_bytes",
                "gauge",
                "Bytes that are short although everything that may be deleted is.",
                read(&self.short_bytes),
            ),
            (
                "callreel_retention_passes_total",
                "counter",
                "Retention passes that ended.",
                read(&self.passes),
            ),
            (
                "callreel_retention_passes_failed_total",
                "counter",
                "Retention passes that failed.",
                read(&self.passes_failed),
            ),
            (
                "callreel_retention_shrink_refused",
                "gauge",
                "Whether configured policies are not in force because retention would shrink.",
                read(&self.shrink_refused),
            ),
            (
                "callreel_ledger_broken",
                "gauge",
                "Whether the ledger was found broken at the start.",
                read(&self.ledger_broken),
            ),
            (
                "callreel_clock_trusted",
                "gauge",
                "Whether retention goes by the wall clock.",
                read(&self.clock_trusted),
            ),
        ]
    }
}
