//! The daemon's life: open the store, start engine, HTTP and control socket, say READY, wait for
//! signals, and stop in the order that loses nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use storage::handle::{IoChoice, RecorderSeed, RecoveryReport, StorageHandle, StoreOptions};
use storage::ids::{TenantId, TenantName};
use storage::ledger::entry::{Act, Actor, Kind};

use crate::app::App;
use crate::clock_watch;
use crate::config::Loaded;
use crate::config::schema::{Config, StorageIo};
use crate::control::wire::Reloaded;
use crate::control::{ControlServer, ReloadHook};
use crate::engine::calls;
use crate::engine::fetch::Fetcher;
use crate::engine::prompts::Prompts;
use crate::engine::transcode::Transcoder;
use crate::engine::{Engine, LineToOpen};
use crate::failure::RunError;
use crate::http::metrics::HttpMetrics;
use crate::http::recording_link;
use crate::http::serve::HttpServer;
use crate::keeping::{self, StepBook};
use crate::material::{self, Upkeep};
use crate::notify::{self, Patience, StatusLine, Watchdog};
use crate::passed::Passed;
use crate::reload::Files;
use crate::shutdown::{Request, Signals};

/// How long answers in flight may take to end after the daemon was told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs until told to stop.
///
/// # Errors
/// [`RunError`] when a part cannot be started; parts started before it are stopped again.
pub fn run(loaded: Loaded, passed: Passed) -> Result<(), RunError> {
    let signals = Signals::install().map_err(RunError::Signals)?;
    raise_open_files();
    let http_metrics = Arc::new(HttpMetrics::default());
    let book = StepBook::default();
    let watched = clock_watch::system(http_metrics.clone(), book.clone());
    let clock: Arc<dyn Clock> = watched.clone();
    let mut config = loaded.config.clone();
    notify::status("opening the store");
    let io = io_choice(config.storage.io);
    let patience = patience("opening the store");
    let (storage, seed, repaired) = open_store(&config, io, &clock)?;
    let book = book.open(storage.clone());
    tell_start(&storage, &repaired);
    material::resolve(&mut config, &*clock)?;
    let lines = with_tenants(&config, &storage)?;
    keeping::keep_by_policies(&config, &storage)?;
    let (news, told) = tokio::sync::mpsc::channel(calls::NEWS);
    let (store, time) = (storage.clone(), clock.clone());
    let mut engine = Engine::start(lines, &config, store, seed, io, time, news)?;
    let transcoder =
        Transcoder::start(storage.clone(), &config.convert).map_err(RunError::Thread)?;
    let fetcher = Fetcher::new(config.fetch.clone());
    let prompts = Prompts::new(
        storage.clone(),
        fetcher.clone(),
        config.speech.clone(),
        clock.clone(),
    );
    let config = Arc::new(ArcSwap::from_pointee(config));
    let served = Arc::new(OnceLock::new());
    let expected = passed.first();
    let running = calls::start(calls::Parts {
        storage: storage.clone(),
        engine: engine.handle(),
        news: told,
        players: engine.take_players(),
        prompts: prompts.clone(),
        fetcher: fetcher.clone(),
        config: config.clone(),
        clock: clock.clone(),
        recording_url: recording_url(&storage, &config, (&served, expected)),
    });
    let running = match running {
        Ok(running) => running,
        Err(error) => {
            engine.stop();
            return Err(error.into());
        }
    };
    let app = App {
        storage,
        engine: engine.handle(),
        calls: running.calls(),
        transcoder,
        prompts,
        fetcher,
        config,
        clock,
        served,
        http_metrics,
    };
    drop(patience);
    let watch = clock_watch::start(watched);
    let keeping = keeping::start_all(&app, repaired.ledger.broken.as_ref());
    let served = serve(&app, &loaded, signals, passed);
    drop((watch, keeping, book));
    wind_down(running, engine, &app.storage);
    served
}

/// Ends calls and seals what is open.
fn wind_down(running: calls::Running, engine: Engine, storage: &StorageHandle) {
    notify::stopping("ending calls, sealing open recordings");
    let _patience = patience("sealing recordings");
    running.hang_up();
    engine.stop();
    running.stop();
    tell_ledger(storage, Kind::Stopped);
    log::info!("stopped; every recording is sealed");
}

/// Tells the ledger of the daemon itself.
fn tell_ledger(storage: &StorageHandle, kind: Kind) {
    let act = Act::new(kind).by(Actor::system("daemon"));
    let act = act.with("version", env!("CARGO_PKG_VERSION"));
    if let Err(error) = storage.record_act_durably(act) {
        log::error!("the ledger cannot be told of start and stop: {error}");
    }
}

/// Opens the store and repairs what a crash left.
fn open_store(
    config: &Config,
    io: IoChoice,
    clock: &Arc<dyn Clock>,
) -> Result<(StorageHandle, RecorderSeed, RecoveryReport), RunError> {
    let wanted = keeping::surroundings(config);
    let options = StoreOptions {
        data_dir: config.storage.data_dir.clone(),
        index_cache_bytes: config.storage.index_cache_mib as usize * 1024 * 1024,
        io,
    };
    StorageHandle::open_with(options, &wanted, clock.clone()).map_err(|source| RunError::Store {
        data_dir: config.storage.data_dir.display().to_string(),
        source,
    })
}

/// What is served: scheme and address.
type Served = (&'static str, SocketAddr);

/// Where clients find a call's recording: a signed link on `http.public_url`, or else on the first
/// address that is served; before anything is, on the one that is going to be.
fn recording_url(
    storage: &StorageHandle,
    config: &Arc<ArcSwap<Config>>,
    (served, expected): (&Arc<OnceLock<Vec<Served>>>, Option<Served>),
) -> calls::RecordingUrl {
    let (storage, config) = (storage.clone(), config.clone());
    let served = served.clone();
    Arc::new(move |recording| {
        let http = &config.load().http;
        let first = served.get().and_then(|all| all.first().copied());
        let configured = || {
            let plain = http.listen.first().map(|address| ("http", *address));
            plain.or_else(|| http.listen_tls.first().map(|address| ("https", *address)))
        };
        let base = match (&http.public_url, first.or(expected).or_else(configured)) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some((scheme, address))) => format!("{scheme}://{}", reachable(address)),
            (None, None) => String::new(),
        };
        recording_link(&storage, &base, &recording.facts)
    })
}

/// An address that this machine at least can be reached at.
const fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Everything between the engine's start and its stop.
fn serve(app: &App, loaded: &Loaded, signals: Signals, mut passed: Passed) -> Result<(), RunError> {
    let control: Option<UnixListener> = passed.control.take();
    let held = Held::of(&passed, control.is_some());
    let http = Arc::new(HttpServer::start_with(app.clone(), passed)?);
    app.served.get_or_init(|| http.local_addrs().to_vec());
    let reload = Files::new(app.clone(), loaded.origin.clone(), http.clone());
    let reload: ReloadHook = Arc::new(reload);
    let control = ControlServer::start_with(app.clone(), reload.clone(), control)?;
    let upkeep = certificate_upkeep(app.clone(), http.clone())
        .inspect_err(|error| log::error!("certificates are not looked at: {error}"));
    tell_expiry(app);
    let engine = app.engine.clone();
    let watchdog = Watchdog::start(move || engine.stuck())
        .inspect_err(|error| log::error!("no watchdog: {error}"))
        .unwrap_or_default();
    announce(app, &http, held);
    let told = app.clone();
    let status = StatusLine::start(move || summary(&told))
        .inspect_err(|error| log::warn!("the status stays as it is: {error}"))
        .unwrap_or_default();
    while signals.wait().map_err(RunError::Signals)? == Request::Reload {
        notify::reloading();
        match reload.reload() {
            Ok(done) => tell_reload(app, &done),
            Err(error) => log::error!("the old configuration stays in force: {error}"),
        }
        notify::ready(&summary(app));
    }
    log::info!("stopping");
    drop(status);
    signals.watch_stopping().map_err(RunError::Signals)?;
    drop(upkeep);
    drop(control);
    http.shutdown(DRAIN);
    drop(watchdog);
    Ok(())
}

/// Tells the ledger of a reload that a signal asked for; others are told with who asked.
fn tell_reload(app: &App, done: &Reloaded) {
    let act = Act::new(Kind::ConfigChanged).by(Actor::system("signal"));
    app.storage
        .record_act(act.with("applied", done.applied.join(", ")));
}

/// Looks at the certificate once a day, and renews one that was made here.
fn certificate_upkeep(app: App, http: Arc<HttpServer>) -> std::io::Result<Upkeep> {
    Upkeep::start(material::EVERY, move || {
        let config = app.config.load_full();
        match material::look(&config, &*app.clock) {
            Ok(false) => {}
            Ok(true) => {
                if let Err(error) = http.reload() {
                    log::error!("the old certificate stays in force: {error}");
                }
                tell_expiry(&app);
            }
            Err(error) => log::error!("{error}"),
        }
    })
}

/// Puts the certificate's end where `/metrics` finds it.
pub(crate) fn tell_expiry(app: &App) {
    let ends = material::expiry_s(&app.config.load());
    app.http_metrics
        .certificate_expiry_s
        .store(ends, Ordering::Relaxed);
}

/// Which sockets the service manager holds.
#[derive(Clone, Copy)]
struct Held {
    http: bool,
    https: bool,
    control: bool,
}

impl Held {
    const fn of(passed: &Passed, control: bool) -> Self {
        Self {
            http: !passed.http.is_empty(),
            https: !passed.https.is_empty(),
            control,
        }
    }
}

fn announce(app: &App, http: &HttpServer, held: Held) {
    for (scheme, address) in http.local_addrs() {
        let (is_held, key) = match *scheme {
            "https" => (held.https, "http.listen_tls"),
            _ => (held.http, "http.listen"),
        };
        if is_held {
            log::info!("serving {scheme}://{address}, the service manager's socket, not {key}");
        } else {
            log::info!("serving {scheme}://{address}");
        }
    }
    if held.control {
        log::info!("controlled through the service manager's socket, not control.socket");
    }
    let summary = summary(app);
    log::info!("ready: {summary}");
    notify::ready(&summary);
}

/// One line for `systemctl status`: `8 lines (1 in trouble: front-desk), 3 recordings under way,
/// 112.4 GB free in /var/lib/callreel`.
fn summary(app: &App) -> String {
    let lines = app.engine.lines();
    let mut text = format!("{} lines", lines.len());
    let troubled: Vec<&str> = lines
        .iter()
        .filter(|line| line.state != "running" || !line.alarms.is_empty())
        .map(|line| line.name.as_str())
        .collect();
    if !troubled.is_empty() {
        let shown = troubled[..troubled.len().min(TROUBLED_SHOWN)].join(", ");
        let more = if troubled.len() > TROUBLED_SHOWN {
            ", …"
        } else {
            ""
        };
        text.push_str(&format!(" ({} in trouble: {shown}{more})", troubled.len()));
    }
    let open = lines.iter().filter(|line| line.recording.is_some()).count();
    text.push_str(&format!(", {open} recordings under way"));
    let metrics = app.storage.metrics();
    let free = metrics.free_bytes / 100_000_000;
    text.push_str(&format!(
        ", {}.{} GB free in {}",
        free / 10,
        free % 10,
        app.storage.data_dir().display()
    ));
    if metrics.degraded {
        text.push_str(", WHICH REFUSES WRITES");
    }
    text
}

/// Lines whose trouble `systemctl status` names.
const TROUBLED_SHOWN: usize = 3;

/// Asks the service manager for more time while the store works.
fn patience(what: &'static str) -> Option<Patience> {
    Patience::start(what, storage::progress::steps)
        .inspect_err(|error| log::warn!("more time cannot be asked for: {error}"))
        .unwrap_or_default()
}

fn io_choice(configured: StorageIo) -> IoChoice {
    match configured {
        StorageIo::Auto => IoChoice::Auto,
        StorageIo::Uring => IoChoice::Uring,
        StorageIo::Blocking => IoChoice::Blocking,
    }
}

fn tell_start(storage: &StorageHandle, report: &RecoveryReport) {
    tell_ledger(storage, Kind::Started);
    let (sealed, absent, failed) = (&report.sealed, &report.absent, &report.failed);
    if !(sealed.is_empty() && absent.is_empty() && failed.is_empty()) {
        log::warn!(
            "repaired after a crash: sealed {sealed:?}, too short {absent:?}, failed {failed:?}"
        );
    }
    if let Some(problem) = &report.ledger.broken {
        log::error!("ledger: {problem}; somebody may have tampered with it: run 'callreel check'");
    }
}

/// Every open recording and every connection holds a descriptor; the usual soft limit of 1,024 is
/// for programs that use select(2), which this one does not.
fn raise_open_files() {
    let limit = Resource::RLIMIT_NOFILE;
    let raised = getrlimit(limit).and_then(|(_, hard)| setrlimit(limit, hard, hard));
    if let Err(errno) = raised {
        log::warn!("the limit of open files stays as it is: {}", errno.desc());
    }
}

/// Looks up each line's tenant, and adds those that only the configuration knows so far.
fn with_tenants(config: &Config, storage: &StorageHandle) -> Result<Vec<LineToOpen>, RunError> {
    let known = storage.tenants()?;
    let mut ids: HashMap<TenantName, TenantId> = known
        .into_iter()
        .map(|tenant| (tenant.name, tenant.id))
        .collect();
    let mut lines = Vec::with_capacity(config.lines.len());
    for line in &config.lines {
        let tenant = match ids.get(&line.tenant) {
            Some(id) => *id,
            None => {
                let name = line.tenant.clone();
                let added =
                    storage
                        .add_tenant(name.clone())
                        .map_err(|source| RunError::Tenant {
                            name: name.clone(),
                            source,
                        })?;
                log::info!(
                    "tenant '{name}' was added, as line '{}' names it",
                    line.name
                );
                ids.insert(name, added.id);
                added.id
            }
        };
        lines.push(LineToOpen {
            config: line.clone(),
            tenant,
        });
    }
    Ok(lines)
}
