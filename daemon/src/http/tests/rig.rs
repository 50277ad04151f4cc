//! A server to test against.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use audio_io::clock::ManualClock;
use audio_io::format::StreamFormat;
use audio_io::units::{Frames, Millis, WallMillis};
use storage::handle::{
    ImportNames, ImportRequest, IoChoice, RecorderSeed, StorageHandle, StoreOptions,
};
use storage::ids::{LineName, Number, RecordingId, TenantId, TenantName};
use storage::record::{Container, Family, Recording, RecordingFacts};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::config::schema::{Config, Tls};
use crate::engine::calls::{Ask, Calls};
use crate::engine::fetch::Fetcher;
use crate::engine::listen::{Heard, ListenError};
use crate::engine::prompts::Prompts;
use crate::engine::telephony::{ListenerFacts, SpanFacts};
use crate::engine::transcode::Transcoder;
use crate::engine::{CallSnapshot, EngineTotals, LineSnapshot};
use crate::http::metrics::HttpMetrics;
use crate::http::serve::HttpServer;
use crate::http::site::{Engine, LiveSound, Services, Site};
use crate::passed::Passed;

/// When the store's clock stands: so `Last-Modified` is known.
pub(super) const NOW: WallMillis = WallMillis(784_111_777_500);
/// The same, as HTTP says it.
pub(super) const NOW_TEXT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// An engine that does what it is told.
#[derive(Default)]
pub(super) struct Calm {
    pub(super) lines: Mutex<Vec<LineSnapshot>>,
    /// What whoever listens to a line hears; then nothing more comes.
    pub(super) heard: Mutex<Vec<Heard>>,
}

struct Scripted(VecDeque<Heard>);

impl LiveSound for Scripted {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Heard> + Send + '_>> {
        let next = self.0.pop_front();
        Box::pin(async move {
            match next {
                Some(heard) => heard,
                None => std::future::pending().await,
            }
        })
    }

    fn format(&self) -> StreamFormat {
        StreamFormat::TELEPHONE
    }

    fn has_notice(&self) -> bool {
        true
    }

    fn facts(&self) -> Option<RecordingFacts> {
        None
    }
}

impl Engine for Calm {
    fn spans(&self) -> Vec<SpanFacts> {
        Vec::new()
    }

    fn listeners(&self) -> Vec<ListenerFacts> {
        Vec::new()
    }

    fn recorded(&self, _: RecordingId) -> Option<Millis> {
        Some(Millis(7_400))
    }

    fn is_progressing(&self) -> bool {
        true
    }
    fn lines(&self) -> Vec<LineSnapshot> {
        self.lines.lock().unwrap().clone()
    }
    fn calls(&self) -> Vec<CallSnapshot> {
        Vec::new()
    }
    fn listen(&self, line: &LineName) -> Result<Box<dyn LiveSound>, ListenError> {
        let lines = self.lines.lock().unwrap();
        match lines.iter().any(|it| it.name == *line) {
            true => Ok(Box::new(Scripted(
                self.heard.lock().unwrap().clone().into(),
            ))),
            false => Err(ListenError::NoLine(line.clone())),
        }
    }
    fn totals(&self) -> EngineTotals {
        EngineTotals::default()
    }
}

/// A store with two tenants, and a server in front of it.
pub(super) struct Rig {
    pub(super) server: HttpServer,
    pub(super) site: Arc<Site>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) tenant: TenantId,
    pub(super) key: String,
    pub(super) key_id: u64,
    pub(super) stranger: String,
    pub(super) seed: Option<RecorderSeed>,
    /// What is asked of the exchange.
    pub(super) asked: Option<mpsc::Receiver<Ask>>,
    pub(super) certificate: rustls::pki_types::CertificateDer<'static>,
    pub(super) folder: tempfile::TempDir,
}

/// A configuration that serves plain and TLS on free ports with one worker.
pub(super) fn config(folder: &Path) -> (Config, rustls::pki_types::CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut config = Config::default();
    config.http.listen = vec![([127, 0, 0, 1], 0).into()];
    config.http.listen_tls = vec![([127, 0, 0, 1], 0).into()];
    config.http.tls = Tls {
        certificate: Some(certificate),
        key: Some(key),
        ..Tls::default()
    };
    config.http.workers = 1;
    config.http.allowed_origins = vec!["https://a.example".to_owned()];
    (config, made.cert.der().clone())
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(super) fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        Self::with_engine(adjust, Arc::default())
    }

    /// The same, with an engine that is told what to do.
    pub(super) fn with_engine(adjust: impl FnOnce(&mut Config), engine: Arc<Calm>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut config, certificate) = config(folder.path());
        adjust(&mut config);
        let clock = Arc::new(ManualClock::at(NOW));
        let options = StoreOptions {
            data_dir: folder.path().join("data"),
            index_cache_bytes: 8 * 1_024 * 1_024,
            io: IoChoice::Blocking,
        };
        let (storage, seed, _) = StorageHandle::open(options, clock.clone()).unwrap();
        let tenant = storage
            .add_tenant(TenantName::new("a").unwrap())
            .unwrap()
            .id;
        let other = storage
            .add_tenant(TenantName::new("b").unwrap())
            .unwrap()
            .id;
        let issued = storage
            .issue_key(tenant, Family::TaskAudio, "test")
            .unwrap();
        let stranger = storage
            .issue_key(other, Family::TaskAudio, "test")
            .unwrap()
            .secret;
        let (calls, asked) = Calls::pair();
        let site = Site::assemble(
            storage.clone(),
            services(&storage, &config, clock.clone(), (calls, engine)),
            Arc::new(ArcSwap::from_pointee(config)),
            clock.clone(),
            Arc::new(HttpMetrics::new()),
        )
        .unwrap();
        let server = HttpServer::start_site(Arc::clone(&site), Passed::default()).unwrap();
        Self {
            server,
            site,
            clock,
            tenant,
            key: issued.secret,
            key_id: issued.row.key_id,
            stranger,
            seed: Some(seed),
            asked: Some(asked),
            certificate,
            folder,
        }
    }

    /// Brings bytes in as a recording.
    pub(super) fn import(&self, bytes: &[u8], container: Container) -> Recording {
        self.import_to(bytes, container, None)
    }

    /// The same, of a call to a number.
    pub(super) fn import_to(
        &self,
        bytes: &[u8],
        container: Container,
        to: Option<Number>,
    ) -> Recording {
        let source = self.folder.path().join("source");
        std::fs::write(&source, bytes).unwrap();
        let request = ImportRequest {
            tenant: self.tenant,
            source,
            container,
            format: StreamFormat::TELEPHONE,
            frames: Frames(8_000),
            names: ImportNames {
                task_id: Some(Uuid::new_v4()),
                ..ImportNames::default()
            },
            line: None,
            from: None,
            to,
            started_at: None,
            agent: None,
            direction: None,
        };
        self.site.storage.import(request, &mut |_, _| ()).unwrap()
    }
}

fn services(
    storage: &StorageHandle,
    config: &Config,
    clock: Arc<ManualClock>,
    (calls, engine): (Calls, Arc<Calm>),
) -> Services {
    let fetcher = Fetcher::new(config.fetch.clone());
    Services {
        calls,
        engine,
        transcoder: Transcoder::start(storage.clone(), &config.convert).unwrap(),
        prompts: Prompts::new(storage.clone(), fetcher, config.speech.clone(), clock),
    }
}

/// Bytes that tell where they are from.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at / 251 + at) % 251).unwrap_or(0) + 1)
        .collect()
}
