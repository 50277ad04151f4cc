//! The threads of calls under control, from the daemon's start to its stop.
//!
//! ```text
//!  players ─▶ `player-events` ─▶ ┌ `calls` ────┐ ──▶ lines (recorder thread)
//!  lines, asks, timers ────────▶ │ the exchange │ ◀── `net`: files of prompts, webhooks
//!                                └──────────────┘
//! ```
//! At the stop: [`Running::hang_up`] while lines and players still run, then the engine stops and
//! seals, then [`Running::stop`], which hears what became of recordings and lets the last events
//! reach the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use audio_io::player::PlayerEvent;
use storage::handle::StorageHandle;
use storage::outbox::OutboxError;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::exchange::{Exchange, LineFacts, RecordingUrl};
use super::files::{FileJobs, Files, FilesDone};
use super::link::{News, Players};
use super::teller::Teller;
use super::{Ask, Calls, limits, recover};
use crate::config::schema::Config;
use crate::engine::EngineHandle;
use crate::engine::fetch::Fetcher;
use crate::engine::limits::{CALLS_PULSE, PROGRESS_WITHIN};
use crate::engine::prompts::Prompts;
use crate::engine::webhook::Webhooks;

/// What calls need of the rest of the daemon.
pub(crate) struct Parts {
    pub(crate) storage: StorageHandle,
    pub(crate) engine: EngineHandle,
    pub(crate) news: mpsc::Receiver<News>,
    pub(crate) players: Players,
    pub(crate) prompts: Prompts,
    pub(crate) fetcher: Fetcher,
    pub(crate) config: Arc<ArcSwap<Config>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recording_url: RecordingUrl,
}

/// Why calls could not be started.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// A thread could not be made.
    #[error("cannot start a thread for calls: {0}")]
    Thread(#[from] io::Error),
    /// Calls of an earlier run could not be read.
    #[error("cannot read which calls an earlier run had open: {0}")]
    Notes(#[from] OutboxError),
}

/// Calls under way.
pub(crate) struct Running {
    calls: Calls,
    stop: mpsc::Sender<Stop>,
    exchange: JoinHandle<()>,
    net: Net,
}

enum Stop {
    HangUp(SyncSender<()>),
    End,
}

/// Ends the calls of an earlier run, then starts all threads.
///
/// # Errors
/// [`CallsError`]; nothing runs then.
pub(crate) fn start(parts: Parts) -> Result<Running, CallsError> {
    recover::recover(&parts.storage, &parts.recording_url)?;
    let (calls, asks) = Calls::pair();
    let net = Net::start()?;
    {
        let _net = net.handle.enter();
        let allow = parts.config.load().webhooks.allow.clone();
        let webhooks = Webhooks::start(parts.storage.outbox(), parts.clock.clone(), allow);
        calls.set_webhooks(Some(webhooks));
    }
    let (done, files_done) = mpsc::channel(limits::FILES_DONE);
    let files = FileJobs {
        files: Files::new(
            parts.storage.clone(),
            parts.prompts,
            parts.fetcher,
            parts.config,
            parts.clock.clone(),
        ),
        runtime: net.handle.clone(),
        done,
    };
    let (hub, counters) = (calls.hub(), calls.counters());
    let teller = Teller::new(Arc::new(parts.storage), hub, Arc::clone(&counters));
    let lines = lines(&parts.engine, parts.players.controls);
    let exchange = Exchange::new(
        lines,
        parts.clock,
        teller,
        counters,
        Box::new(files),
        parts.recording_url,
    );
    let (stop, stopping) = mpsc::channel(2);
    let inputs = Inputs {
        news: parts.news,
        players: forward(parts.players.events)?,
        files: files_done,
        asks,
        stop: stopping,
    };
    let engine = parts.engine;
    let runtime = runtime()?;
    let turns = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&turns);
    engine.watch("calls", PROGRESS_WITHIN, move || {
        count.load(Ordering::Relaxed)
    });
    let exchange = std::thread::Builder::new()
        .name("calls".into())
        .spawn(move || runtime.block_on(work(exchange, inputs, &engine, &turns)))?;
    Ok(Running {
        calls,
        stop,
        exchange,
        net,
    })
}

impl Running {
    /// The door to calls.
    pub(crate) fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Ends every call, and waits until that is told; no call and no command is taken on any more.
    pub(crate) fn hang_up(&self) {
        let (told, done) = sync_channel(1);
        let asked = self.stop.blocking_send(Stop::HangUp(told));
        if asked.is_err() || done.recv().is_err() {
            log::error!("the thread of calls has died; the next start ends its calls");
        }
    }

    /// Hears what became of recordings and ends all threads, webhooks last. The engine has been
    /// stopped before.
    pub(crate) fn stop(self) {
        // If it has died, there is nobody to stop.
        let _asked = self.stop.blocking_send(Stop::End);
        if self.exchange.join().is_err() {
            log::error!("the thread of calls died; the next start ends its calls");
        }
        self.calls.set_webhooks(None);
        self.net.stop();
    }
}

fn lines(
    engine: &EngineHandle,
    players: Vec<Option<audio_io::player::PlayerControl>>,
) -> Vec<LineFacts> {
    let players = players.into_iter().chain(std::iter::repeat(None));
    let lines = engine.inner.lines.iter().zip(players);
    let facts = lines.map(|(live, player)| {
        let line = Arc::clone(live);
        LineFacts {
            name: live.config.name.clone(),
            tenant: live.tenant,
            trigger: live.config.trigger,
            signals: live.config.signals(),
            calls_out: live.config.calls_out(),
            has_device: Box::new(move || line.has_device()),
            player,
        }
    });
    facts.collect()
}

/// Players tell through a channel of the standard library, which a runtime cannot wait for.
fn forward(
    events: std::sync::mpsc::Receiver<PlayerEvent>,
) -> io::Result<mpsc::Receiver<PlayerEvent>> {
    let (sender, receiver) = mpsc::channel(limits::PLAYER_EVENTS);
    // It ends with the players, or with the exchange; nobody need wait for it.
    std::thread::Builder::new()
        .name("player-events".into())
        .spawn(move || {
            for event in events {
                if sender.blocking_send(event).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(limits::DISK_THREADS)
        .build()
}

/// The runtime that slow servers are waited for on.
struct Net {
    handle: tokio::runtime::Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Net {
    fn start() -> io::Result<Self> {
        let runtime = runtime()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("net".into())
            .spawn(move || {
                let _stopped = runtime.block_on(stopped);
                // Work that waits for the disk ends by itself.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            handle,
            stop,
            thread,
        })
    }

    fn stop(self) {
        let _stopped = self.stop.send(());
        if self.thread.join().is_err() {
            log::error!("the thread of webhooks died");
        }
    }
}

struct Inputs {
    news: mpsc::Receiver<News>,
    players: mpsc::Receiver<PlayerEvent>,
    files: mpsc::Receiver<FilesDone>,
    asks: mpsc::Receiver<Ask>,
    stop: mpsc::Receiver<Stop>,
}

/// What lines and players tell goes before what is asked.
async fn work(
    mut exchange: Exchange,
    mut inputs: Inputs,
    engine: &EngineHandle,
    turns: &AtomicU64,
) {
    let clock = exchange.clock.clone();
    let mut hanging_up: Option<(SyncSender<()>, Duration)> = None;
    loop {
        turns.fetch_add(1, Ordering::Relaxed);
        while let Some((line, order)) = exchange.orders.pop_front() {
            engine.order(line, order).await;
        }
        let now = clock.monotonic();
        if hanging_up
            .as_ref()
            .is_some_and(|(_, until)| exchange.is_hung_up() || *until <= now)
            && let Some((told, _)) = hanging_up.take()
        {
            let _told = told.send(());
        }
        let latest = hanging_up.as_ref().map(|(_, until)| *until);
        let due = exchange.next_due().into_iter().chain(latest).min();
        let pause = due.map_or(Duration::MAX, |due| due.saturating_sub(now));
        tokio::select! {
            biased;
            Some(event) = inputs.players.recv() => exchange.player(event),
            Some(news) = inputs.news.recv() => exchange.news(news),
            stop = inputs.stop.recv() => match stop {
                Some(Stop::HangUp(told)) => {
                    exchange.hang_up();
                    hanging_up = Some((told, now + limits::HANG_UP_WITHIN));
                }
                Some(Stop::End) | None => break,
            },
            () = tokio::time::sleep(pause), if due.is_some() => exchange.pass(),
            Some(done) = inputs.files.recv() => exchange.files(done),
            Some(ask) = inputs.asks.recv() => exchange.ask(ask),
            () = tokio::time::sleep(CALLS_PULSE) => {}
        }
    }
    finish(exchange, inputs).await;
}

/// The engine has stopped: what it has told is heard, and the last events reach the disk.
async fn finish(mut exchange: Exchange, mut inputs: Inputs) {
    while let Ok(event) = inputs.players.try_recv() {
        exchange.player(event);
    }
    while let Ok(news) = inputs.news.try_recv() {
        exchange.news(news);
    }
    let clock = exchange.clock.clone();
    let until = clock.monotonic() + limits::FLUSH_WITHIN;
    while !exchange.teller.is_idle() && clock.monotonic() < until {
        tokio::time::sleep(limits::RETRY).await;
        exchange.teller.offer();
    }
    if !exchange.teller.is_idle() {
        log::error!("the index took too long: the next start tells what is missing");
    }
}
