//! The players of lines that play to sound cards, and the real-time threads that run them. Those
//! of telephone lines run with their channels.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;

use audio_io::alsa::AlsaPlayback;
use audio_io::capture::RealtimeOptions;
use audio_io::clock::Clock;
use audio_io::format::{Channels, StreamFormat};
use audio_io::player::{
    BUFFER, PERIOD, PlayerControl, PlayerEvent, PlayerLine, PlayerStream, PlayerThread,
};
use audio_io::playout::PlayoutStats;
use audio_io::ring::BlockConsumer;

use super::limits::{DEVICES_PER_THREAD_MAX, PLAYED_TAP};
use super::open::{EngineOpenError, LineToOpen};
use crate::config::schema;

/// Running players.
pub(super) struct Speakers {
    threads: Vec<PlayerThread>,
}

/// What a line needs of its player.
pub(super) struct Speaker {
    pub(super) control: PlayerControl,
    /// What was played.
    pub(super) tap: BlockConsumer,
    pub(super) device: Arc<PlayoutStats>,
}

impl Speaker {
    pub(super) fn of(stream: PlayerStream) -> Option<Self> {
        let PlayerStream {
            control,
            tap,
            device,
        } = stream;
        Some(Self {
            control,
            tap: tap?,
            device,
        })
    }
}

impl Speakers {
    /// Starts a player for each line that plays to a sound card. What the lines need comes in
    /// their order.
    pub(super) fn open(
        lines: &[LineToOpen],
        events: &SyncSender<PlayerEvent>,
        options: &RealtimeOptions,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Option<Speaker>>), EngineOpenError> {
        let mut wanted: Vec<PlayerLine> = (0..)
            .zip(lines)
            .filter_map(|(number, line)| player_line(number, &line.config))
            .collect();
        let (mut threads, mut streams) = (Vec::new(), Vec::new());
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(DEVICES_PER_THREAD_MAX));
            let (thread, opened) = spawn(wanted, events, options, clock)?;
            threads.push(thread);
            streams.extend(opened);
            wanted = rest;
        }
        let mut streams = streams.into_iter();
        let speakers = lines
            .iter()
            .map(|line| {
                line.config.playback.as_ref()?;
                Speaker::of(streams.next()?)
            })
            .collect();
        Ok((Self { threads }, speakers))
    }

    /// Counters that grow while the threads live.
    pub(super) fn wakeup_counters(&self) -> impl Iterator<Item = Arc<AtomicU64>> {
        self.threads.iter().filter_map(PlayerThread::wakeup_counter)
    }
}

fn spawn(
    lines: Vec<PlayerLine>,
    events: &SyncSender<PlayerEvent>,
    options: &RealtimeOptions,
    clock: &Arc<dyn Clock>,
) -> Result<(PlayerThread, Vec<PlayerStream>), EngineOpenError> {
    let name = "player";
    PlayerThread::spawn(name, lines, events, options.clone(), clock.clone())
        .map_err(|source| EngineOpenError::thread(name, source))
}

fn player_line(number: u32, line: &schema::Line) -> Option<PlayerLine> {
    let pcm = line.playback.as_ref()?;
    let format = StreamFormat {
        rate: line.rate,
        encoding: line.encoding,
        channels: Channels::Mono,
    };
    Some(PlayerLine {
        line: number,
        opener: AlsaPlayback::opener(pcm, format, PERIOD, BUFFER),
        format,
        tapped: Some(PLAYED_TAP),
    })
}
