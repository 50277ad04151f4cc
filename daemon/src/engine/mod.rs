//! SKELETON: policy: who records what, when.
#![allow(
    missing_docs,
    clippy::todo,
    unused_variables,
    dead_code,
    clippy::unused_async,
    reason = "skeleton"
)]
use crate::config::schema::Trigger;
use audio_io::format::StreamFormat;
use audio_io::units::{CentiDbfs, Millis, WallMillis};
use std::sync::Arc;
use storage::ids::{LineName, Number, RecordingId, TenantId};
use storage::record::RecordingFacts;

pub struct HttpMetricsPlaceholder;

#[derive(Clone)]
pub struct EngineHandle {
    inner: Arc<()>,
}

/// A line as it stands now.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LineSnapshot {
    pub name: LineName,
    pub tenant: String,
    pub tenant_id: TenantId,
    pub trigger: Trigger,
    pub format: StreamFormat,
    /// "opening", "running", "lost"
    pub state: &'static str,
    /// Last error of the device in words, if it is not running.
    pub error: Option<String>,
    pub capture: Vec<String>,
    pub frames: u64,
    pub lost_frames: u64,
    pub overruns: u64,
    pub stalls: u64,
    pub opens: u64,
    pub ring_depth_max: u32,
    pub ring_full_frames: u64,
    /// Caller's leg first.
    pub rms_dbfs: Vec<CentiDbfs>,
    pub peak_dbfs: Vec<CentiDbfs>,
    pub voice: bool,
    pub recording: Option<RecordingId>,
}
/// A call in progress.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CallSnapshot {
    pub recording: RecordingFacts,
    pub line: LineName,
    pub started_at: WallMillis,
    pub duration_ms: Millis,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("no line '{0}'")]
    NoLine(LineName),
    #[error("line '{line}' is triggered by {trigger}; only 'api' lines start by command")]
    NotApi {
        line: LineName,
        trigger: &'static str,
    },
    #[error("line '{0}' is being recorded already")]
    Busy(LineName),
    #[error("line '{0}' has no device at the moment")]
    NoDevice(LineName),
    #[error("the disk refuses writes")]
    Disk,
    #[error("the engine is stopping")]
    Stopping,
}
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    #[error("recording {0} is not being recorded")]
    NotLive(RecordingId),
    #[error("the engine is stopping")]
    Stopping,
}

impl EngineHandle {
    #[must_use]
    pub fn lines(&self) -> Vec<LineSnapshot> {
        todo!()
    }
    #[must_use]
    pub fn calls(&self) -> Vec<CallSnapshot> {
        todo!()
    }
    pub async fn start(
        &self,
        line: LineName,
        from: Option<Number>,
        to: Option<Number>,
    ) -> Result<RecordingFacts, StartError> {
        todo!()
    }
    /// Ends it; resolves when the sound is on disk and sealing has begun.
    pub async fn stop(&self, id: RecordingId) -> Result<RecordingFacts, StopError> {
        todo!()
    }
    /// False once capture, recorder or index stopped making progress: the watchdog is then not fed.
    #[must_use]
    pub fn is_progressing(&self) -> bool {
        todo!()
    }
    /// Xruns, ring depth and so on as Prometheus text is the http side's job; totals here.
    #[must_use]
    pub fn totals(&self) -> EngineTotals {
        todo!()
    }
}
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct EngineTotals {
    pub started: u64,
    pub stored: u64,
    pub absent: u64,
    pub failed: u64,
    pub gaps: u64,
}
