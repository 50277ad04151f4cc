//! Policy: who records what, and when. The engine owns the lines: it opens their devices, runs
//! their triggers on the recorder thread, and tells everyone else how they stand.
//!
//! ```text
//!  real-time thread ──rings──▶ recorder thread: line ─▶ trigger ─▶ storage::Recorder
//!                                   ▲    │
//!                          commands │    └─ LineLive: counters and the open recording
//!                                   │                  │
//!                                 EngineHandle ◀───────┘
//! ```
//!
//! What is not here: how sound is read (`audio-io`), how it is written (`storage`), and every
//! protocol (`http`, `control`).

mod assemble;
pub mod calls;
mod captures;
mod channels;
pub mod fetch;
mod heartbeat;
mod legs;
mod limits;
mod line;
pub mod listen;
mod live;
mod open;
mod preroll;
pub mod prompts;
mod recorder;
mod roles;
pub mod session;
mod signalling;
pub(crate) mod sound_file;
mod spans;
mod speakers;
pub mod telephony;
pub mod transcode;
mod trigger;
pub mod webhook;

use std::sync::Arc;

use audio_io::format::StreamFormat;
use audio_io::units::{CentiDbfs, Millis, WallMillis};
use storage::handle::StorageHandle;
use storage::ids::{LineName, Number, RecordingId, TenantId};
use storage::record::{Recording, RecordingFacts};
use tokio::sync::{mpsc, oneshot};

pub use self::open::{Engine, EngineOpenError, LineToOpen};

use self::calls::link::{LineNumber, LineOrder};
use self::heartbeat::Heartbeat;
use self::listen::{ListenError, LiveListener};
use self::live::LineLive;
use self::recorder::{Command, Totals};
use self::spans::Seen;
use self::telephony::{ChannelFacts, ListenerFacts, SpanFacts};
use crate::config::schema::Trigger;

/// The only door to lines and calls. Cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    inner: Arc<Inner>,
}

struct Inner {
    storage: StorageHandle,
    lines: Vec<Arc<LineLive>>,
    commands: mpsc::Sender<Command>,
    totals: Arc<Totals>,
    heartbeat: Arc<Heartbeat>,
    seen: Arc<Seen>,
}

/// A line as it stands now.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LineSnapshot {
    /// Its name.
    pub name: LineName,
    /// Whose recordings it makes.
    pub tenant: String,
    /// The tenant's number.
    pub tenant_id: TenantId,
    /// What begins its recordings.
    pub trigger: Trigger,
    /// Rate, encoding and channels as stored.
    pub format: StreamFormat,
    /// `opening`, `running` or `lost`: the worst of its devices.
    pub state: &'static str,
    /// Why a device is not running, in words.
    pub error: Option<String>,
    /// The PCMs it captures; the caller's first.
    pub capture: Vec<String>,
    /// Frames its devices delivered.
    pub frames: u64,
    /// Frames its devices lost; each is a gap in a recording if one was open.
    pub lost_frames: u64,
    /// Overruns of its devices.
    pub overruns: u64,
    /// Times a device stopped without an error.
    pub stalls: u64,
    /// Times a device was opened.
    pub opens: u64,
    /// Frames dropped because a ring was full.
    pub ring_full_frames: u64,
    /// The most blocks that ever waited in a ring.
    pub ring_depth_max: u32,
    /// Frames that arrived while the disk refused to take them.
    pub unrecorded_frames: u64,
    /// Frames dropped because one leg's clock runs faster than the other's.
    pub slipped_frames: u64,
    /// RMS over the last window, caller's leg first.
    pub rms_dbfs: Vec<CentiDbfs>,
    /// Peak over the last window, caller's leg first.
    pub peak_dbfs: Vec<CentiDbfs>,
    /// Whether there is voice.
    pub voice: bool,
    /// The recording in progress.
    pub recording: Option<RecordingId>,
    /// The PCM it plays to.
    pub playback: Option<String>,
    /// The state of that device: `opening`, `running` or `lost`.
    pub playback_state: Option<&'static str>,
    /// Why it is not running, in words.
    pub playback_error: Option<String>,
    /// Times it ran dry.
    pub playback_underruns: u64,
    /// The call on it.
    pub session: Option<uuid::Uuid>,
    /// Its telephone channel or AudioSocket; none of a sound card.
    pub channel: Option<ChannelFacts>,
    /// What `[line.watch]` found: `silent`, `active`.
    pub alarms: Vec<&'static str>,
    /// Times that one of them was raised.
    pub alarms_total: u64,
    /// How many listen to it live.
    pub listening: u32,
    /// Pieces of 20 ms that were lost because a listener was too slow.
    pub listening_lost: u64,
}

/// A call in progress.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CallSnapshot {
    /// Names, numbers, format.
    pub recording: RecordingFacts,
    /// The line it is on.
    pub line: LineName,
    /// When its first frame was captured.
    pub started_at: WallMillis,
    /// Recorded so far.
    pub duration_ms: Millis,
}

/// Why a recording could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No such line.
    #[error("no line '{0}' is configured; 'callreel lines' lists them")]
    NoLine(LineName),
    /// The line's recordings begin by themselves.
    #[error("line '{0}' is not triggered by command; set trigger = \"api\" in its [[line]] table")]
    NotApi(LineName),
    /// There is one in progress.
    #[error("line '{line}' is being recorded already, as recording {id}")]
    Busy {
        /// The line.
        line: LineName,
        /// Its recording in progress.
        id: RecordingId,
    },
    /// The device is away.
    #[error("line '{0}' has no device at the moment; 'callreel lines' says why")]
    NoDevice(LineName),
    /// Writes fail.
    #[error("the disk refuses writes; 'callreel status' says why")]
    Disk,
    /// The daemon is being stopped.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Why a recording could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// It is not in progress.
    #[error("recording {0} is not in progress; 'callreel calls' lists those that are")]
    NotLive(RecordingId),
    /// The daemon is being stopped, and the recording with it.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Recordings since the daemon's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct EngineTotals {
    /// Begun. Each ends as exactly one of the next three.
    pub started: u64,
    /// Ended and kept.
    pub stored: u64,
    /// Ended too short to keep.
    pub absent: u64,
    /// Could not be written.
    pub failed: u64,
    /// Gaps in recordings.
    pub gaps: u64,
    /// Digits of callers that were heard.
    pub digits: u64,
    /// Frames of recordings in which digits were silenced.
    pub masked_frames: u64,
}

impl EngineHandle {
    /// Every line, in the configuration's order.
    #[must_use]
    pub fn lines(&self) -> Vec<LineSnapshot> {
        self.inner
            .lines
            .iter()
            .map(|line| line.snapshot())
            .collect()
    }

    /// Every span of telephone cards, as it was seen last.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanFacts> {
        self.inner.seen.spans()
    }

    /// Every listener for AudioSocket connections.
    #[must_use]
    pub fn listeners(&self) -> Vec<ListenerFacts> {
        self.inner.seen.listeners()
    }

    /// Every call in progress.
    #[must_use]
    pub fn calls(&self) -> Vec<CallSnapshot> {
        self.inner
            .lines
            .iter()
            .filter_map(|line| line.call())
            .collect()
    }

    /// Listens to a line: to what is recorded on it now, and then to what is recorded next. Whoever
    /// calls this decides who may, and tells the ledger ([`LiveListener::act`]).
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn listen(&self, line: &LineName) -> Result<LiveListener, ListenError> {
        let named = |live: &&Arc<LineLive>| live.config.name == *line;
        let live = self.inner.lines.iter().find(named);
        let live = live.ok_or_else(|| ListenError::NoLine(line.clone()))?;
        LiveListener::new(live.clone())
    }

    /// Starts a recording on a line whose trigger is `api`. When this returns, the recording
    /// answers to all its names.
    ///
    /// # Errors
    /// [`StartError`] says which line and why.
    pub async fn start(
        &self,
        line: LineName,
        from: Option<Number>,
        to: Option<Number>,
    ) -> Result<RecordingFacts, StartError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Start {
            line,
            from,
            to,
            reply,
        };
        self.inner
            .commands
            .send(command)
            .await
            .map_err(|_| StartError::Stopping)?;
        let facts = answer.await.unwrap_or(Err(StartError::Stopping))?;
        let storage = self.inner.storage.clone();
        match tokio::task::spawn_blocking(move || storage.flush_index()).await {
            Ok(Ok(())) => {}
            // The recording goes on; its journal has the names too.
            Ok(Err(error)) => log::error!(
                recording = facts.id.0; "recording {}: index: {error}", facts.id
            ),
            Err(error) => log::error!(
                recording = facts.id.0; "recording {}: index: {error}", facts.id
            ),
        }
        Ok(facts)
    }

    /// Stops a recording, whatever began it, and waits until it is sealed and indexed. On a line
    /// that records by itself the next recording begins when its trigger says so.
    ///
    /// # Errors
    /// [`StopError`] when it is not in progress.
    pub async fn stop(&self, id: RecordingId) -> Result<Recording, StopError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Stop { id, reply };
        self.inner
            .commands
            .send(command)
            .await
            .map_err(|_| StopError::Stopping)?;
        answer.await.unwrap_or(Err(StopError::Stopping))
    }

    /// Gives a line an order of the exchange.
    pub(crate) async fn order(&self, line: LineNumber, order: LineOrder) {
        // A recorder that has ended takes none; the lines have ended with it.
        let _ended = self
            .inner
            .commands
            .send(Command::Line { line, order })
            .await;
    }

    /// False once the recorder, a real-time thread, the index's writer or the thread of calls
    /// stopped making progress.
    #[must_use]
    pub fn is_progressing(&self) -> bool {
        self.inner.heartbeat.is_beating()
    }

    /// Which of them make no progress.
    #[must_use]
    pub fn stuck(&self) -> Vec<&'static str> {
        self.inner.heartbeat.stuck()
    }

    /// Adds a counter to those that must grow.
    pub(crate) fn watch(
        &self,
        whose: &'static str,
        within: std::time::Duration,
        count: impl Fn() -> u64 + Send + 'static,
    ) {
        self.inner.heartbeat.watch(whose, within, count);
    }

    /// What has become of recordings since the daemon's start.
    #[must_use]
    pub fn totals(&self) -> EngineTotals {
        self.inner.totals.snapshot()
    }
}
