//! The webhook outbox: events appended durably, and events delivered to a receiver on the
//! loopback, beside an outbox in SQLite that posts over connections it keeps.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audio_io::clock::SystemClock;
use daemon::engine::webhook::Webhooks;
use ipnet::IpNet;
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use storage::ids::{AppId, TenantName};
use storage::outbox::{AppKey, AppSettings, NewEvent, Outbox};
use uuid::Uuid;

use crate::args::Options;
use crate::error::Failure;
use crate::machine::{Cores, now, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::receiver::Receiver;
use crate::report::{Goal, Report, Row, Series};
use crate::sqlite_outbox::SqliteOutbox;

/// Calls whose events are mixed, and connections that the peer posts over: as many as callreeld
/// uses for one application.
const SESSIONS: u128 = 64;
const LANES: u128 = 8;

/// Events that the peer reads, posts and removes at once.
const PEER_AT_ONCE: usize = 32;

const PEER: &str = "SQLite, synchronous FULL";
const DATA: &str =
    r#"{"command_uid":"3f0c1f0e-8a59-4b1e-9a63-0a3d4f0a7c11","digit":"5","duration_ms":80}"#;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let events = if options.quick { 256 } else { 4_096 };
    let mut report = Report {
        name: "webhooks",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    for batch in [1, 16] {
        let events = events * batch / 16;
        let mut rates = [Vec::new(), Vec::new()];
        for turn in 0..options.pairs {
            out::progress(&format!("append, {batch} a commit, turn {}", turn + 1));
            for step in 0..2 {
                let which = (turn + step) % 2;
                let at = dir.path().join(format!("append-{batch}-{turn}-{which}"));
                rates[which].push(pinned(cores.server, || match which {
                    0 => append_ours(&at, events, batch),
                    _ => append_theirs(&at, events, batch),
                })?);
            }
        }
        let what = format!("append, {batch} a commit, one commit after the other");
        report.rows.push(row(what, rates));
    }
    let mut rates = [Vec::new(), Vec::new()];
    for turn in 0..options.pairs {
        out::progress(&format!("deliver {events}, turn {}", turn + 1));
        for step in 0..2 {
            let which = (turn + step) % 2;
            let at = dir.path().join(format!("deliver-{turn}-{which}"));
            rates[which].push(match which {
                0 => deliver_ours(&at, events, cores)?,
                _ => deliver_theirs(&at, events, cores)?,
            });
        }
    }
    out::progress_end();
    report.rows.push(row(
        format!("deliver, {SESSIONS} calls to one receiver"),
        rates,
    ));
    report.notes.push(format!(
        "the peer is an outbox table: {LANES} kept connections, each reading, posting and removing \
         {PEER_AT_ONCE} events with one commit; a crash sends up to that many again. Ours connects \
         anew for each event, since addresses are checked at each delivery, signs it, and removes \
         it by a commit of its own that others may share"
    ));
    Ok(report)
}

fn row(what: String, [ours, theirs]: [Vec<f64>; 2]) -> Row {
    Row {
        what,
        unit: "events/s",
        goal: Goal::None,
        ours,
        peers: vec![Series {
            name: PEER.into(),
            values: theirs,
        }],
    }
}

/// Our outbox with one application.
struct Ours {
    _storage: StorageHandle,
    outbox: Outbox,
    app: AppKey,
}

impl Ours {
    fn open(at: &Path, to: SocketAddr) -> Result<Self, Failure> {
        let store = StoreOptions {
            data_dir: at.to_owned(),
            index_cache_bytes: 64 << 20,
            io: IoChoice::Auto,
        };
        let (storage, _recorder, _) = StorageHandle::open(store, Arc::new(SystemClock))
            .map_err(Failure::store("opening the store"))?;
        let name = TenantName::new("bench").map_err(Failure::store("a name"))?;
        let tenant = storage
            .add_tenant(name)
            .map_err(Failure::store("adding a tenant"))?;
        let app = AppId::new("bench").map_err(Failure::store("a name"))?;
        let settings = AppSettings {
            webhook_url: Some(format!("http://{to}/hook")),
            api_key: Some("bench-bench-bench-bench".into()),
            rate_limit: 1_000,
            events: Vec::new(),
            secret: None,
        };
        let outbox = storage.outbox();
        let app = outbox
            .put_application(tenant.id, &app, settings)
            .map_err(Failure::store("setting an application"))?
            .key;
        Ok(Self {
            _storage: storage,
            outbox,
            app,
        })
    }

    fn append(&self, numbers: &[u128]) -> Result<(), Failure> {
        let events = numbers.iter().map(|number| NewEvent {
            id: Uuid::from_u128(number + 1),
            session: Uuid::from_u128(number % SESSIONS + 1),
            event: "dtmf".into(),
            data: DATA.into(),
        });
        self.outbox
            .append(self.app, events.collect())
            .map(drop)
            .map_err(Failure::store("appending events"))
    }
}

fn append_ours(at: &Path, events: usize, batch: usize) -> Result<f64, Failure> {
    let ours = Ours::open(at, SocketAddr::from(([127, 0, 0, 1], 9)))?;
    let numbers = numbers(events);
    let start = now();
    for some in numbers.chunks(batch) {
        ours.append(some)?;
    }
    Ok(rate(events, now().saturating_sub(start)))
}

fn append_theirs(at: &Path, events: usize, batch: usize) -> Result<f64, Failure> {
    let theirs = SqliteOutbox::open(at)?;
    let numbers = numbers(events);
    let start = now();
    for some in numbers.chunks(batch) {
        append_some(&theirs, some)?;
    }
    Ok(rate(events, now().saturating_sub(start)))
}

fn append_some(theirs: &SqliteOutbox, numbers: &[u128]) -> Result<(), Failure> {
    let events = numbers.iter().map(|number| (number % SESSIONS, DATA));
    theirs.append(&events.collect::<Vec<_>>(), LANES)
}

fn deliver_ours(at: &Path, events: usize, cores: Cores) -> Result<f64, Failure> {
    let receiver = Receiver::start(cores.client)?;
    pinned(cores.server, || {
        let ours = Ours::open(at, receiver.address())?;
        for some in numbers(events).chunks(64) {
            ours.append(some)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::io("a runtime"))?;
        let used = runtime.block_on(delivered(&ours, &receiver, events))?;
        Ok(rate(events, used))
    })
}

/// How long it takes until the receiver has them all and none waits any more.
async fn delivered(ours: &Ours, receiver: &Receiver, events: usize) -> Result<Duration, Failure> {
    let loopback = IpNet::from(std::net::IpAddr::from([127, 0, 0, 1]));
    let start = now();
    let _webhooks = Webhooks::start(ours.outbox.clone(), Arc::new(SystemClock), vec![loopback]);
    let waiting = || {
        let counts = ours.outbox.counts(ours.app);
        Ok::<_, Failure>(counts.map_err(Failure::store("counting"))?.waiting)
    };
    while receiver.taken() < events || waiting()? > 0 {
        if now() > start + PATIENCE {
            return Err(Failure::Answer {
                server: "callreel's outbox".into(),
                what: format!("{} of {events} events delivered", receiver.taken()),
            });
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(now().saturating_sub(start))
}

fn deliver_theirs(at: &Path, events: usize, cores: Cores) -> Result<f64, Failure> {
    let receiver = Receiver::start(cores.client)?;
    pinned(cores.server, || {
        let theirs = SqliteOutbox::open(at)?;
        for some in numbers(events).chunks(64) {
            append_some(&theirs, some)?;
        }
        let start = now();
        let delivered = std::thread::scope(|scope| {
            let lanes: Vec<_> = (0..i64::try_from(LANES).unwrap_or_default())
                .map(|lane| {
                    let (theirs, to) = (&theirs, receiver.address());
                    scope.spawn(move || theirs.deliver(lane, to, PEER_AT_ONCE))
                })
                .collect();
            let done = lanes.into_iter().map(|lane| {
                lane.join().unwrap_or_else(|_| {
                    Err(Failure::Answer {
                        server: PEER.into(),
                        what: "a lane died".into(),
                    })
                })
            });
            done.sum::<Result<usize, Failure>>()
        })?;
        let used = now().saturating_sub(start);
        if delivered != events || receiver.taken() != events {
            return Err(Failure::Answer {
                server: PEER.into(),
                what: format!("{delivered} of {events} events delivered"),
            });
        }
        Ok(rate(events, used))
    })
}

fn numbers(events: usize) -> Vec<u128> {
    (0..events as u128).collect()
}

#[allow(clippy::cast_precision_loss, reason = "thousands of events")]
fn rate(events: usize, used: Duration) -> f64 {
    events as f64 / used.as_secs_f64()
}

const PATIENCE: Duration = Duration::from_secs(120);
