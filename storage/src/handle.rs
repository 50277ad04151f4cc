//! SKELETON
#![allow(
    missing_docs,
    clippy::todo,
    unused_variables,
    dead_code,
    clippy::unused_async,
    reason = "skeleton"
)]
use crate::error::{
    DeleteError, ImportError, KeyError, OpenError, ReadError, TenantError, ViewError,
};
use crate::ids::{
    CallSid, ExternalId, LineName, Number, RecordingId, RecordingName, TenantId, TenantName,
};
use crate::record::{Container, Family, KeyRow, Recording, RecordingState, Tenant, WallMillis};
use crate::view::RecordingView;
use audio_io::clock::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The only door to the store. Cheap to clone, `Send + Sync`.
#[derive(Clone)]
pub struct StorageHandle {
    inner: Arc<()>,
}

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub data_dir: PathBuf,
    pub index_cache_bytes: usize,
    pub io: IoChoice,
}

/// Which way recordings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoChoice {
    Auto,
    Uring,
    Blocking,
}

/// The part of the store that the recorder thread takes with it (`Send`).
pub struct RecorderSeed {
    _private: (),
}

/// What start-up repair did.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    pub sealed: Vec<RecordingId>,
    pub absent: Vec<RecordingId>,
    pub failed: Vec<RecordingId>,
    pub deletions_finished: u64,
    pub journal_bytes: u64,
}

/// Which recordings to list; newest first.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    pub states: Vec<RecordingState>, // empty: all
    pub line: Option<LineName>,
    pub since: Option<WallMillis>,
    pub until: Option<WallMillis>,
}
/// Where a page ended; opaque text on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub started_at: WallMillis,
    pub id: RecordingId,
}
#[derive(Clone, Debug)]
pub struct Page {
    pub recordings: Vec<Recording>,
    pub next: Option<Cursor>,
}

/// A file to bring in. Type and duration are probed by the caller (audio-io::codec::probe).
pub struct ImportRequest {
    pub tenant: TenantId,
    pub source: PathBuf,
    pub container: Container,
    pub format: audio_io::format::StreamFormat,
    pub frames: audio_io::units::Frames,
    pub names: ImportNames,
    pub line: Option<LineName>,
    pub from: Option<Number>,
    pub to: Option<Number>,
    pub started_at: Option<WallMillis>,
}
/// Names an imported recording brings; missing ones are made.
#[derive(Clone, Debug, Default)]
pub struct ImportNames {
    pub recid: Option<RecordingId>,
    pub call_sid: Option<CallSid>,
    pub crt_object_id: Option<ExternalId>,
    pub campaign_id: Option<u32>,
    pub call_id: Option<ExternalId>,
    pub task_id: Option<uuid::Uuid>,
    pub session_uuid: Option<uuid::Uuid>,
}

/// A freshly issued key: the secret is shown once and kept nowhere.
pub struct IssuedKey {
    pub row: KeyRow,
    pub secret: String,
}

impl StorageHandle {
    /// Opens (creates) the store, repairs what a crash left, starts index writer and work thread.
    pub fn open(
        options: StoreOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, RecorderSeed, RecoveryReport), OpenError> {
        todo!()
    }

    // Synchronous reads (redb read transactions; call them off the event loop or through a cache).
    pub fn find(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<Recording>, ReadError> {
        todo!()
    }
    pub fn list(
        &self,
        tenant: TenantId,
        filter: &ListFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        todo!()
    }
    pub fn count(&self, tenant: TenantId) -> Result<u64, ReadError> {
        todo!()
    }
    /// Bumped at every committed change of this recording's row or file; caches compare it.
    pub fn generation(&self) -> u64 {
        todo!()
    }

    /// The bytes of a recording: mapped file when stored, snapshot of what is committed when live.
    pub async fn view(&self, recording: &Recording) -> Result<RecordingView, ViewError> {
        todo!()
    }

    // Synchronous writes; each returns when it is durable.
    pub fn import(
        &self,
        request: ImportRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Recording, ImportError> {
        todo!()
    }
    pub fn delete(&self, tenant: TenantId, id: RecordingId) -> Result<(), DeleteError> {
        todo!()
    }
    pub fn add_tenant(&self, name: TenantName) -> Result<Tenant, TenantError> {
        todo!()
    }
    pub fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        todo!()
    }
    pub fn issue_key(
        &self,
        tenant: TenantId,
        family: Family,
        label: &str,
    ) -> Result<IssuedKey, KeyError> {
        todo!()
    }
    pub fn revoke_key(&self, key_id: u64) -> Result<KeyRow, KeyError> {
        todo!()
    }
    pub fn keys(&self) -> Result<Vec<KeyRow>, ReadError> {
        todo!()
    }
    /// Looks a secret up (keyed BLAKE3, in memory, constant time in the secret); revoked: None.
    #[must_use]
    pub fn authenticate(&self, family: Family, secret: &str) -> Option<KeyRow> {
        todo!()
    }

    /// A fresh recording id (never reused) and all its names, without touching the disk.
    pub fn new_names(&self, tenant: TenantId) -> (RecordingId, crate::ids::Names) {
        todo!()
    }
    #[must_use]
    pub fn path_of(&self, recording: &Recording) -> PathBuf {
        todo!()
    }
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        todo!()
    }
    /// Commit and sync latency histograms, sizes, counters for /metrics.
    #[must_use]
    pub fn metrics(&self) -> StorageMetrics {
        todo!()
    }
}

/// Figures for `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct StorageMetrics {
    pub io_backend: &'static str,
    pub recordings_stored: u64,
    pub recordings_absent: u64,
    pub recordings_failed: u64,
    pub bytes_written: u64,
    pub journal_sync: Latency,
    pub index_commit: Latency,
    pub seal: Latency,
    pub index_bytes: u64,
    pub free_bytes: u64,
    /// True while writes fail (EIO, ENOSPC) — readiness and alarms look at it.
    pub degraded: bool,
}
/// A fixed-bucket latency histogram (bounds in seconds in `Latency::BOUNDS`).
#[derive(Clone, Debug, Default)]
pub struct Latency {
    pub count: u64,
    pub sum_seconds: f64,
    pub buckets: [u64; 12],
}
