//! Starting and stopping the engine: devices, threads, and the handle that everyone else holds.
//! What plays is opened in `speakers.rs`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use audio_io::alsa::AlsaCapture;
use audio_io::capture::{CaptureSource, CaptureStream, CaptureThread, RealtimeOptions};
use audio_io::clock::Clock;
use audio_io::format::{Channels, StreamFormat};
use storage::handle::{IoChoice, RecorderSeed, StorageHandle};
use storage::ids::TenantId;
use tokio::sync::mpsc;

use super::calls::link::{LineNumber, News, Players};
use super::heartbeat::Heartbeat;
use super::legs::Pairing;
use super::limits::{COMMANDS_MAX, DEVICES_PER_THREAD_MAX};
use super::line::{Duplex, Inputs, Line, Played, Teller};
use super::live::LineLive;
use super::recorder::{Command, Parts, Totals, record};
use super::speakers::{Speaker, Speakers};
use super::{EngineHandle, Inner};
use crate::config::schema;

/// The running engine: its real-time threads and the recorder thread.
pub struct Engine {
    handle: EngineHandle,
    /// Stops before the recorder does, so that the last blocks are still drained.
    captures: Vec<CaptureThread>,
    recorder: Option<JoinHandle<()>>,
    speakers: Speakers,
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineOpenError {
    /// A thread could not be made.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// The thread's name.
        name: &'static str,
        /// Why.
        source: std::io::Error,
    },
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
    /// [`EngineOpenError`] when the system refuses a thread.
    pub(crate) fn start(
        lines: Vec<LineToOpen>,
        realtime: &schema::Realtime,
        storage: StorageHandle,
        seed: RecorderSeed,
        io: IoChoice,
        clock: Arc<dyn Clock>,
        news: mpsc::Sender<News>,
    ) -> Result<Self, EngineOpenError> {
        let options = RealtimeOptions {
            priority: (realtime.priority > 0).then_some(realtime.priority),
            lock_memory: realtime.lock_memory,
            ring_ms: realtime.ring_ms,
        };
        let (captures, mut streams) = capture_all(&lines, &options, &clock)?;
        let (speakers, opened) = Speakers::open(&lines, &options, &clock)?;
        let lines: Vec<Line> = (0..)
            .map(LineNumber)
            .zip(lines.into_iter().zip(opened))
            .filter_map(|(number, (line, speaker))| {
                let teller = Teller::new(number, news.clone());
                assemble(line, &mut streams, speaker, teller)
            })
            .collect();
        let wakeups: Vec<Arc<AtomicU64>> = captures
            .iter()
            .map(CaptureThread::wakeup_counter)
            .chain(speakers.wakeup_counters())
            .collect();
        let heartbeat = Arc::new(Heartbeat::new(clock.clone(), wakeups));
        let totals = Arc::new(Totals::default());
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let handle = EngineHandle {
            inner: Arc::new(Inner {
                storage: storage.clone(),
                lines: lines.iter().map(Line::shared).collect(),
                commands,
                totals: totals.clone(),
                heartbeat: heartbeat.clone(),
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
            captures,
            recorder: Some(recorder),
            speakers,
        })
    }

    /// The door to the running engine.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// The players of all lines; once. Later there are none.
    pub(crate) fn take_players(&mut self) -> Players {
        self.speakers.take_players()
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
        drop(self.speakers);
        drop(self.captures);
    }
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
        .map_err(|source| EngineOpenError::Thread { name, source })
}

/// One source a device, all lines in order; legs of one line follow each other.
fn capture_all(
    lines: &[LineToOpen],
    options: &RealtimeOptions,
    clock: &Arc<dyn Clock>,
) -> Result<(Vec<CaptureThread>, std::vec::IntoIter<CaptureStream>), EngineOpenError> {
    let mut sources: Vec<CaptureSource> = lines
        .iter()
        .flat_map(|line| sources_of(&line.config))
        .collect();
    let (mut threads, mut streams) = (Vec::new(), Vec::new());
    while !sources.is_empty() {
        let rest = sources.split_off(sources.len().min(DEVICES_PER_THREAD_MAX));
        let name = "capture";
        let (thread, opened) = CaptureThread::spawn(name, sources, options.clone(), clock.clone())
            .map_err(|source| EngineOpenError::Thread { name, source })?;
        threads.push(thread);
        streams.extend(opened);
        sources = rest;
    }
    Ok((threads, streams.into_iter()))
}

fn sources_of(line: &schema::Line) -> Vec<CaptureSource> {
    let two = line.capture_agent.is_some();
    let channels = if two { Channels::Mono } else { line.channels };
    let format = StreamFormat {
        rate: line.rate,
        encoding: line.encoding,
        channels,
    };
    let pcms = line.capture.iter().chain(&line.capture_agent);
    pcms.map(|pcm| CaptureSource {
        label: format!("{} ({pcm})", line.name),
        opener: AlsaCapture::opener(pcm, format, line.period_ms, line.buffer_ms),
        format,
    })
    .collect()
}

/// Joins a line with its streams; `None` only if a stream is missing, which `capture_all` rules
/// out.
fn assemble(
    line: LineToOpen,
    streams: &mut std::vec::IntoIter<CaptureStream>,
    speaker: Option<Speaker>,
    teller: Teller,
) -> Option<Line> {
    let LineToOpen { config, tenant } = line;
    let first = streams.next()?;
    let second = if config.capture_agent.is_some() {
        Some(streams.next()?)
    } else {
        None
    };
    let devices = std::iter::once(&first)
        .chain(&second)
        .map(|stream| stream.stats.clone());
    let devices = devices.collect();
    let channels = if second.is_some() || speaker.is_some() {
        Channels::Stereo
    } else {
        config.channels
    };
    let format = StreamFormat {
        rate: config.rate,
        encoding: config.encoding,
        channels,
    };
    let device = speaker.as_ref().map(|speaker| speaker.device.clone());
    let live = Arc::new(LineLive::new(config, tenant, format, devices, device));
    let inputs = match (second, speaker) {
        (None, None) => Inputs::One(first),
        (Some(second), _) => {
            let pairing = Pairing::new(format.rate, format.encoding);
            Inputs::Two(Box::new((first, second, pairing)))
        }
        (None, Some(speaker)) => {
            let Speaker { control, tap, .. } = speaker;
            let played = Played::new(format.rate, tap, control, first.stats.clone());
            Inputs::Duplex(Box::new(Duplex::new(first, played)))
        }
    };
    Some(Line::new(live, inputs, teller))
}
