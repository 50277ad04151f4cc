//! What all workers share, and the seam to the engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use audio_io::format::StreamFormat;
use audio_io::units::Millis;
use storage::handle::StorageHandle;
use storage::ids::{LineName, RecordingId};
use storage::record::RecordingFacts;
use tokio::sync::Semaphore;

use super::address::Connections;
use super::api::supervisor::Supervisors;
use super::auth::admin::AdminKey;
use super::auth::password::PasswordDesk;
use super::event_streams::EventStreams;
use super::failures::Failures;
use super::limits;
use super::metrics::HttpMetrics;
use super::ratelimit::RateLimits;
use super::tickets::Tickets;
use super::trail::listenings::Listenings;
use super::trail::refusals::Refusals;
use crate::app::App;
use crate::config::schema::Config;
use crate::engine::calls::Calls;
use crate::engine::listen::{Heard, ListenError, LiveListener};
use crate::engine::prompts::Prompts;
use crate::engine::telephony::{ListenerFacts, SpanFacts};
use crate::engine::transcode::Transcoder;
use crate::engine::{CallSnapshot, EngineHandle, EngineTotals, LineSnapshot};

/// What the HTTP side asks of the engine.
pub(super) trait Engine: Send + Sync {
    /// Whether capture, recorder and index make progress.
    fn is_progressing(&self) -> bool;
    /// The lines as they stand.
    fn lines(&self) -> Vec<LineSnapshot>;
    /// Spans of telephone cards.
    fn spans(&self) -> Vec<SpanFacts>;
    /// Listeners for AudioSocket connections.
    fn listeners(&self) -> Vec<ListenerFacts>;
    /// How much of a recording in progress there is.
    fn recorded(&self, id: RecordingId) -> Option<Millis>;
    /// Calls in progress.
    fn calls(&self) -> Vec<CallSnapshot>;
    /// Totals since the start.
    fn totals(&self) -> EngineTotals;
    /// The sound of a line as it comes.
    ///
    /// # Errors
    /// [`ListenError`].
    fn listen(&self, line: &LineName) -> Result<Box<dyn LiveSound>, ListenError>;
}

/// The sound of a line, for one listener. Whoever is slow misses some of it.
pub(super) trait LiveSound: Send {
    /// What is heard next. Nothing is lost when nobody waits for it any more.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Heard> + Send + '_>>;
    /// Rate and channels of what is heard.
    fn format(&self) -> StreamFormat;
    /// Whether the parties hear a tone while somebody listens.
    fn has_notice(&self) -> bool;
    /// The recording in progress.
    fn facts(&self) -> Option<RecordingFacts>;
}

impl LiveSound for LiveListener {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Heard> + Send + '_>> {
        Box::pin(Self::next(self))
    }

    fn format(&self) -> StreamFormat {
        Self::format(self)
    }

    fn has_notice(&self) -> bool {
        Self::has_notice(self)
    }

    fn facts(&self) -> Option<RecordingFacts> {
        Self::facts(self)
    }
}

impl Engine for EngineHandle {
    fn is_progressing(&self) -> bool {
        Self::is_progressing(self)
    }

    fn lines(&self) -> Vec<LineSnapshot> {
        Self::lines(self)
    }

    fn spans(&self) -> Vec<SpanFacts> {
        Self::spans(self)
    }

    fn listeners(&self) -> Vec<ListenerFacts> {
        Self::listeners(self)
    }

    fn recorded(&self, id: RecordingId) -> Option<Millis> {
        let mut calls = self.calls().into_iter();
        let call = calls.find(|call| call.recording.id == id)?;
        Some(call.duration_ms)
    }

    fn calls(&self) -> Vec<CallSnapshot> {
        Self::calls(self)
    }

    fn totals(&self) -> EngineTotals {
        Self::totals(self)
    }

    fn listen(&self, line: &LineName) -> Result<Box<dyn LiveSound>, ListenError> {
        Ok(Box::new(Self::listen(self, line)?))
    }
}

/// The services behind the families.
pub(super) struct Services {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) calls: Calls,
    pub(super) transcoder: Transcoder,
    pub(super) prompts: Prompts,
}

/// Shared by all workers.
pub(super) struct Site {
    pub(super) storage: StorageHandle,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) calls: Calls,
    pub(super) transcoder: Transcoder,
    pub(super) prompts: Prompts,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<HttpMetrics>,
    pub(super) connections: Arc<Connections>,
    pub(super) failures: Failures,
    pub(super) rates: RateLimits,
    pub(super) tickets: Tickets,
    pub(super) passwords: PasswordDesk,
    pub(super) admin: Arc<AdminKey>,
    /// Event streams that are open.
    pub(super) streams: Arc<EventStreams>,
    /// What family `supervisor` keeps.
    pub(super) supervisors: Supervisors,
    /// Who listens to what.
    pub(super) listenings: Listenings,
    /// Who was not let in.
    pub(super) refusals: Refusals,
    /// A permit for each file that may be under way.
    pub(super) uploads: Semaphore,
    /// Makes request ids of one run differ from another's.
    run: u32,
    requests: AtomicU64,
    /// When it was made, in monotonic time.
    began: Duration,
}

impl Site {
    /// The site of a daemon.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub(super) fn new(app: App) -> Result<Arc<Self>, getrandom::Error> {
        let App {
            storage,
            engine,
            calls,
            config,
            transcoder,
            prompts,
            fetcher: _,
            clock,
            served: _,
            http_metrics,
        } = app;
        let services = Services {
            engine: Arc::new(engine),
            calls,
            transcoder,
            prompts,
        };
        Self::assemble(storage, services, config, clock, http_metrics)
    }

    /// The site of its parts.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub(super) fn assemble(
        storage: StorageHandle,
        services: Services,
        config: Arc<ArcSwap<Config>>,
        clock: Arc<dyn Clock>,
        metrics: Arc<HttpMetrics>,
    ) -> Result<Arc<Self>, getrandom::Error> {
        let admin = Arc::new(AdminKey::new(&config.load().admin)?);
        let began = clock.monotonic();
        Ok(Arc::new(Self {
            storage,
            engine: services.engine,
            calls: services.calls,
            transcoder: services.transcoder,
            prompts: services.prompts,
            config,
            clock,
            metrics,
            connections: Connections::new(),
            failures: Failures::new(),
            rates: RateLimits::new(),
            tickets: Tickets::new()?,
            passwords: PasswordDesk::new(),
            admin,
            streams: EventStreams::new(),
            supervisors: Supervisors::new(),
            listenings: Listenings::new(),
            refusals: Refusals::new(),
            uploads: Semaphore::new(limits::UPLOADS),
            run: getrandom::u32()?,
            requests: AtomicU64::new(0),
            began,
        }))
    }

    /// How long it has served.
    pub(super) fn uptime(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.began)
    }

    /// What makes names given in one run differ from those of another.
    pub(super) const fn run(&self) -> u32 {
        self.run
    }

    /// An id that no other request of this or another run has.
    pub(super) fn request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-{number:08x}", self.run)
    }
}
