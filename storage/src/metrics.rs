//! Counters and latency histograms that threads of the store add to. Snapshots of them are the
//! plain values in `handle.rs`.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in seconds; what is longer counts only in the total.
pub(crate) const BOUNDS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// A latency histogram that any thread may add to.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; 12],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    pub(crate) fn record(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// Count, sum in seconds, and how many fell into each bucket (not cumulative).
    #[allow(clippy::cast_precision_loss, reason = "a sum shown to people")]
    pub(crate) fn snapshot(&self) -> (u64, f64, [u64; 12]) {
        let mut buckets = [0; 12];
        for (to, from) in buckets.iter_mut().zip(&self.buckets) {
            *to = from.load(Ordering::Relaxed);
        }
        let sum = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        (self.count.load(Ordering::Relaxed), sum, buckets)
    }
}

/// What the store counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) journal_sync: Histogram,
    pub(crate) index_commit: Histogram,
    pub(crate) seal: Histogram,
    pub(crate) bytes_written: AtomicU64,
    /// How often the index writer has come round, with or without work.
    pub(crate) index_turns: AtomicU64,
    pub(crate) recorder_refuses: AtomicBool,
    pub(crate) index_refuses: AtomicBool,
    backend: AtomicU8,
}

impl Metrics {
    pub(crate) fn set_backend(&self, name: &'static str) {
        let number = BACKENDS
            .iter()
            .position(|known| *known == name)
            .unwrap_or(0);
        self.backend
            .store(u8::try_from(number).unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn backend(&self) -> &'static str {
        BACKENDS[usize::from(self.backend.load(Ordering::Relaxed)).min(BACKENDS.len() - 1)]
    }

    pub(crate) fn degraded(&self) -> bool {
        self.recorder_refuses.load(Ordering::Relaxed) || self.index_refuses.load(Ordering::Relaxed)
    }
}

const BACKENDS: [&str; 3] = ["none", "io_uring", "blocking"];
