//! The player under a manual clock, with scripted files and a scripted loudspeaker: what is heard,
//! when, and what is told of it. The worker runs between the device's turns, as a thread of its
//! own would.

mod ends;
mod files;
mod latency;
mod model;
mod smooth;
mod threads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use super::*;
use crate::capture::Turn;
use crate::clock::{Clock, ManualClock};
use crate::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use crate::fake::FakeSpeaker;
use crate::port::{PlaybackPort, PortOpener};
use crate::units::{Frames, WallMillis};

pub(super) const RATE: SampleRate = SampleRate::TELEPHONE;

/// A scripted file. Clones are the same one.
#[derive(Clone)]
pub(super) struct Scripted {
    format: PcmFormat,
    samples: Arc<Vec<i16>>,
    /// Reading past this frame is an error.
    cut: Option<usize>,
    /// Sources that are open, and the most that ever were.
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Scripted {
    pub(super) fn new(rate: SampleRate, samples: Vec<i16>) -> Self {
        let channels = Channels::Mono;
        Self {
            format: PcmFormat { rate, channels },
            samples: Arc::new(samples),
            cut: None,
            open: Arc::default(),
            most: Arc::default(),
        }
    }

    pub(super) fn cut_at(mut self, frame: usize) -> Self {
        self.cut = Some(frame);
        self
    }

    pub(super) fn most_open(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub(super) fn playlist(self) -> Playlist {
        Playlist {
            files: vec![Arc::new(self)],
            offset: Millis::ZERO,
        }
    }
}

impl SoundFile for Scripted {
    fn open(&self) -> Result<Box<dyn PcmSource>, DecodeError> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        let file = self.clone();
        Ok(Box::new(ScriptedSource { file, at: 0 }))
    }
}

struct ScriptedSource {
    file: Scripted,
    at: usize,
}

impl PcmSource for ScriptedSource {
    fn format(&self) -> PcmFormat {
        self.file.format
    }

    fn frames(&self) -> Frames {
        Frames((self.file.samples.len() / self.file.format.channels.count()) as u64)
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        let channels = self.file.format.channels.count();
        let left = &self.file.samples[self.at * channels..];
        // Uneven parts, as decoders give them.
        let count = left.len().min(out.len() - out.len() % channels).min(230);
        if self.file.cut.is_some_and(|cut| self.at + count > cut) {
            return Err(DecodeError::Damaged("it was cut"));
        }
        out[..count].copy_from_slice(&left[..count]);
        self.at += count / channels;
        Ok(count / channels)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        self.at = usize::try_from(to.min(self.frames()).0).expect("a place in memory");
        Ok(())
    }
}

impl Drop for ScriptedSource {
    fn drop(&mut self) {
        self.file.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A command of a playback.
pub(super) type Command = fn(&PlayerControl) -> Result<PlaybackId, PlayerError>;

/// Samples whose value is their number from `first` on: where the sound stands can be read from
/// what is heard.
pub(super) fn count(first: i16, frames: i16) -> Vec<i16> {
    (first..first + frames).collect()
}

/// A line with all its parts.
pub(super) struct Rig {
    pub(super) clock: Arc<ManualClock>,
    pub(super) speaker: FakeSpeaker,
    pub(super) control: PlayerControl,
    pub(super) worker: PlayerWorker,
    /// Whether the worker gets any time.
    pub(super) working: bool,
    pub(super) tap: BlockConsumer,
    pub(super) told: Receiver<PlayerEvent>,
    pub(super) rate: SampleRate,
    opener: Box<dyn PortOpener<dyn PlaybackPort>>,
    port: Option<Box<dyn PlaybackPort>>,
    pub(super) pump: PlayerPump,
}

impl Rig {
    pub(super) fn new(rate: SampleRate) -> Self {
        Self::with_room(rate, 64)
    }

    pub(super) fn with_room(rate: SampleRate, events: usize) -> Self {
        let clock = Arc::new(ManualClock::at(WallMillis(0)));
        let speaker = FakeSpeaker::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            decoded(rate),
            PERIOD,
            BUFFER,
        );
        let (events, told) = sync_channel(events);
        let player = Player::new(
            7,
            decoded(rate),
            &events,
            Some(Millis(60_000)),
            clock.monotonic(),
        );
        let mut rig = Self {
            opener: speaker.opener(),
            clock,
            speaker,
            control: player.control,
            worker: player.worker,
            working: true,
            tap: player.tap.expect("a tap"),
            told,
            rate,
            port: None,
            pump: player.pump,
        };
        rig.run(5);
        rig
    }

    /// Lets the worker do all that it can.
    pub(super) fn work(&mut self) {
        while self.working && self.worker.step() {}
    }

    /// Lets some time pass, and gives the device its turn.
    pub(super) fn step(&mut self, time: Duration) {
        self.work();
        self.clock.advance(time);
        let now = self.clock.monotonic();
        if self.port.is_none()
            && let Ok(port) = self.opener.open()
        {
            self.pump.attach(port.params(), now);
            self.port = Some(port);
        }
        let Some(port) = &mut self.port else {
            return self.pump.absent(now);
        };
        if self.pump.turn(port.as_mut(), now) == Turn::Gone {
            self.port = None;
        }
        self.work();
    }

    /// So many periods of the device.
    pub(super) fn run(&mut self, periods: u64) {
        for _ in 0..periods {
            self.step(PERIOD.into());
        }
    }

    pub(super) fn run_for(&mut self, time: Millis) {
        self.run(time.0 / PERIOD.0);
    }

    pub(super) fn written(&self) -> Vec<i16> {
        let written = self.speaker.written();
        let (samples, _) = written.as_chunks::<2>();
        samples.iter().copied().map(i16::from_le_bytes).collect()
    }

    /// The number of the frame that is heard now.
    pub(super) fn hearing(&self) -> usize {
        let heard = self.control.stats().heard.load(Ordering::Acquire);
        usize::try_from(heard).expect("a short test")
    }

    pub(super) fn frames(&self, time: Millis) -> usize {
        usize::try_from(self.rate.frames_in(time).0).expect("a short test")
    }

    /// What was told so far; the events of all playbacks, in order.
    pub(super) fn events(&self) -> Vec<(u64, Happened)> {
        let events = self.told.try_iter();
        events
            .map(|event| {
                assert_eq!(event.line, 7);
                (event.playback.0, event.what)
            })
            .collect()
    }

    /// How the only playback that has ended since the last look ended.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        let ends: Vec<Stopped> = self
            .events()
            .into_iter()
            .filter_map(|(_, what)| match what {
                Happened::Stopped(stopped) | Happened::Failed { stopped, .. } => Some(stopped),
                Happened::Started | Happened::FileNotFound { .. } => None,
            })
            .collect();
        assert!(ends.len() <= 1, "{ends:?}");
        ends.first().copied()
    }
}

/// How often each playback was told to have ended.
pub(super) fn ends_of(events: &[(u64, Happened)]) -> BTreeMap<u64, usize> {
    let mut ends = BTreeMap::new();
    for (id, what) in events {
        let ends = ends.entry(*id).or_default();
        match what {
            Happened::Started => assert_eq!(*ends, 0, "playback {id} starts after its end"),
            _ => *ends += 1,
        }
    }
    ends
}

/// The runs of numbers that follow each other, without zeroes: first number, place, length.
pub(super) fn runs(heard: &[i16]) -> Vec<(i16, usize, usize)> {
    let mut runs: Vec<(i16, usize, usize)> = Vec::new();
    for (place, number) in heard.iter().enumerate().filter(|(_, number)| **number != 0) {
        match runs.last_mut() {
            Some((first, begin, length))
                if *begin + *length == place
                    && usize::try_from(*number - *first) == Ok(*length) =>
            {
                *length += 1;
            }
            _ => runs.push((*number, place, 1)),
        }
    }
    runs
}
