//! Starting and stopping the engine: devices, threads, and the handle that everyone else holds.
//! What is opened for a line is in `captures.rs`, `channels.rs` and `speakers.rs`; how it becomes
//! one, in `assemble.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use audio_io::capture::RealtimeOptions;
use audio_io::clock::Clock;
use audio_io::player::PlayerEvent;
use storage::handle::{IoChoice, RecorderSeed, StorageHandle};
use storage::ids::TenantId;
use tokio::sync::mpsc;

use super::assemble::{Assembly, Opened};
use super::calls::link::{News, Players};
use super::captures::Captures;
use super::channels::Channels;
use super::heartbeat::Heartbeat;
use super::limits::{COMMANDS_MAX, INDEX_WITHIN, PLAYER_EVENTS_MAX};
use super::line::Line;
use super::recorder::{Command, Parts, Totals, record};
use super::spans::{Lookout, Seen, SpanOf, Views};
use super::speakers::Speakers;
use super::telephony::ListenerFacts;
use super::{EngineHandle, Inner};
use crate::config::schema;

/// The running engine: its real-time threads and the recorder thread.
pub struct Engine {
    handle: EngineHandle,
    /// Stop before the recorder does, so that the last blocks are still drained.
    devices: Devices,
    recorder: Option<JoinHandle<()>>,
    players: Players,
    lookout: Lookout,
}

/// Everything that sound comes from and goes to.
struct Devices {
    captures: Captures,
    channels: Channels,
    speakers: Speakers,
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineOpenError {
    /// A thread could not be made.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// The thread's name.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// An address for AudioSocket cannot be had.
    #[error("cannot listen on {address} for AudioSocket (`audiosocket` of a [[line]]): {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl EngineOpenError {
    pub(super) fn thread(name: &str, source: std::io::Error) -> Self {
        let name = name.to_owned();
        Self::Thread { name, source }
    }
}

/// A line with its tenant looked up.
pub struct LineToOpen {
    /// Its configuration.
    pub config: schema::Line,
    /// Its tenant's number.
    pub tenant: TenantId,
}

impl Engine {
    /// Starts all threads. Devices that cannot be opened yet are tried again in the background.
    /// What happens in calls goes to `news`; nothing here waits for its receiver.
    ///
    /// # Errors
    /// [`EngineOpenError`] when the system refuses a thread, or an address that is listened at.
    pub(crate) fn start(
        lines: Vec<LineToOpen>,
        config: &schema::Config,
        storage: StorageHandle,
        seed: RecorderSeed,
        io: IoChoice,
        clock: Arc<dyn Clock>,
        news: mpsc::Sender<News>,
    ) -> Result<Self, EngineOpenError> {
        let (events, told) = sync_channel(PLAYER_EVENTS_MAX);
        let (mut devices, opened) = Devices::open(&lines, config, &events, &clock)?;
        let Assembly {
            lines,
            controls,
            taps,
            ..
        } = Assembly::of(lines, opened, &news, config.listen.notice_tone);
        let views = Views {
            folder: config.dahdi.folder.clone(),
            taps,
            lines: lines
                .iter()
                .map(Line::shared)
                .filter(|line| line.channel_number().is_some())
                .collect(),
            listeners: devices.take_listeners(),
        };
        let seen = Arc::new(Seen::default());
        let lookout = Lookout::start(views, seen.clone())
            .map_err(|source| EngineOpenError::thread("telephony", source))?;
        let heartbeat = Arc::new(Heartbeat::new(clock.clone(), devices.wakeup_counters()));
        let index = storage.clone();
        heartbeat.watch("index", INDEX_WITHIN, move || index.index_turns());
        let totals = Arc::new(Totals::default());
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let handle = EngineHandle {
            inner: Arc::new(Inner {
                storage: storage.clone(),
                lines: lines.iter().map(Line::shared).collect(),
                commands,
                totals: totals.clone(),
                heartbeat: heartbeat.clone(),
                seen,
            }),
        };
        let parts = Parts {
            lines,
            commands: inbox,
            storage,
            totals,
            heartbeat,
            clock,
        };
        let recorder = spawn_recorder(seed, io, parts)?;
        Ok(Self {
            handle,
            devices,
            recorder: Some(recorder),
            players: Players {
                controls,
                events: told,
            },
            lookout,
        })
    }

    /// The door to the running engine.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// The players of all lines; once. Later there are none.
    pub(crate) fn take_players(&mut self) -> Players {
        let nothing = Players {
            controls: Vec::new(),
            events: silent(),
        };
        std::mem::replace(&mut self.players, nothing)
    }

    /// Ends and seals every open recording, then stops all threads. Who listens to what players
    /// tell should go on until this returns.
    pub fn stop(mut self) {
        // A full queue only means that the recorder is still busy with commands before this one.
        let _ = self.handle.inner.commands.blocking_send(Command::Shutdown);
        if let Some(recorder) = self.recorder.take()
            && recorder.join().is_err()
        {
            log::error!("the recorder thread died; what it had open is repaired at the next start");
        }
        drop(self.lookout);
        drop(self.devices);
    }
}

impl Devices {
    /// Opens everything, and sorts it by lines.
    fn open(
        lines: &[LineToOpen],
        config: &schema::Config,
        events: &SyncSender<PlayerEvent>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Opened>), EngineOpenError> {
        let realtime = &config.realtime;
        let options = &RealtimeOptions {
            priority: (realtime.priority > 0).then_some(realtime.priority),
            lock_memory: realtime.lock_memory,
            ring_ms: realtime.ring_ms,
        };
        let folder = &config.dahdi.folder;
        let has_channels = lines.iter().any(|line| line.config.dahdi.is_some());
        let span_of = &SpanOf::ask(folder, has_channels);
        let (captures, legs) = Captures::open(lines, folder, span_of, options, clock)?;
        let (channels, opened) = Channels::open(lines, config, span_of, events, options, clock)?;
        let (speakers, players) = Speakers::open(lines, events, options, clock)?;
        let by_line = legs.into_iter().zip(opened).zip(players);
        let opened = by_line.map(|((legs, channel), speaker)| Opened {
            legs,
            channel,
            speaker,
        });
        let opened = opened.collect();
        let devices = Self {
            captures,
            channels,
            speakers,
        };
        Ok((devices, opened))
    }

    fn wakeup_counters(&self) -> Vec<Arc<AtomicU64>> {
        self.captures
            .wakeup_counters()
            .chain(self.channels.wakeup_counters())
            .chain(self.speakers.wakeup_counters())
            .collect()
    }

    /// What listeners tell, and what is known of them.
    fn take_listeners(
        &mut self,
    ) -> Vec<(
        ListenerFacts,
        Receiver<audio_io::audiosocket::ListenerEvent>,
    )> {
        let listeners = self.channels.listeners.iter_mut();
        listeners
            .filter_map(|(listener, lines)| {
                let facts = ListenerFacts {
                    listen: listener.address(),
                    lines: *lines,
                    calls: 0,
                    busy: 0,
                    denied: 0,
                    unidentified: 0,
                };
                Some((facts, listener.take_events()?))
            })
            .collect()
    }
}

/// Events of nobody.
fn silent() -> Receiver<PlayerEvent> {
    sync_channel(1).1
}

fn spawn_recorder(
    seed: RecorderSeed,
    io: IoChoice,
    parts: Parts,
) -> Result<JoinHandle<()>, EngineOpenError> {
    let name = "recorder";
    let run = move || {
        if let Err(error) = storage::recorder::run(seed, io, |recorder| record(recorder, parts)) {
            log::error!("the recorder cannot run: {error}");
        }
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|source| EngineOpenError::thread(name, source))
}
