//! The measured process of the telephony benchmark: the real channel thread over a card's double,
//! with somebody who takes what comes. It runs by itself so that its CPU time is that of driving
//! channels and nothing else.
//!
//! ```text
//!  card (another process) ══packets══ CardPort ─ ChannelThread ──rings──▶ drained every 100 ms
//! ```

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use audio_io::capture::RealtimeOptions;
use audio_io::channel::{
    ChannelEvent, ChannelOrder, ChannelPort, ChannelSource, ChannelStream, ChannelThread, HookKind,
};
use audio_io::clock::{Clock, SystemClock};
use audio_io::format::StreamFormat;
use audio_io::port::{
    CapturePort, Captured, OpenError, Pacing, PlaybackPort, Played, PollEntry, PortOpener,
    PortParams,
};
use audio_io::units::{Frames, Millis};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::json;

use crate::error::Failure;
use crate::machine::{self, now, wait_until};
use crate::out;

/// What to drive.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Where the card listens.
    pub(crate) path: PathBuf,
    pub(crate) channels: u64,
    pub(crate) seconds: u64,
}

impl Job {
    /// The command line of the child that does this.
    pub(crate) fn words(&self) -> [String; 4] {
        [
            "--card".to_owned(),
            self.path.display().to_string(),
            self.channels.to_string(),
            self.seconds.to_string(),
        ]
    }

    /// Reads what [`Job::words`] wrote, after its first word.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let path = words
            .next()
            .ok_or_else(|| Failure::Usage("--card needs a path".into()))?;
        Ok(Self {
            path: path.into(),
            channels: crate::args::number("CHANNELS", words.next(), 1..=10_000)?,
            seconds: crate::args::number("SECONDS", words.next(), 1..=86_400)?,
        })
    }
}

/// Runs the job and prints one line of JSON.
pub(crate) fn child(job: &Job) -> Result<(), Failure> {
    machine::raise_open_files();
    let blocks_out = Arc::new(AtomicU64::new(0));
    let sources = (0..job.channels)
        .map(|channel| ChannelSource {
            label: format!("channel {channel}"),
            line: u32::try_from(channel).unwrap_or_default(),
            opener: Box::new(CardOpener {
                path: job.path.clone(),
                written: Arc::clone(&blocks_out),
            }),
            format: StreamFormat::TELEPHONE,
            tapped: Some(Millis(500)),
        })
        .collect();
    let options = RealtimeOptions {
        priority: None,
        lock_memory: false,
        ring_ms: 2_000,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (events, _told) = sync_channel(64);
    let (thread, mut streams) = ChannelThread::spawn("span", sources, &events, options, clock)
        .map_err(Failure::io("the channels' thread"))?;
    // Until every channel has been read, and a second more.
    let patience = now() + Duration::from_secs(60);
    while streams.iter().any(|stream| frames(stream) == 0) && now() < patience {
        drain(&mut streams);
        wait_until(now() + EVERY);
    }
    run(&mut streams, 1);
    let before = (total(&streams), blocks_out.load(Ordering::Relaxed), cpu());
    run(&mut streams, job.seconds);
    let used = cpu().saturating_sub(before.2);
    let lost: u64 = streams
        .iter()
        .map(|stream| stream.capture.stats.lost_frames.load(Ordering::Relaxed))
        .sum();
    out::result_line(&json!({
        "cpu_s": used.as_secs_f64(),
        "blocks_in": (total(&streams) - before.0) / BLOCK_FRAMES,
        "blocks_out": blocks_out.load(Ordering::Relaxed) - before.1,
        "lost_frames": lost,
    }));
    drop(thread);
    Ok(())
}

fn run(streams: &mut [ChannelStream], seconds: u64) {
    let start = now();
    for turn in 1..=seconds * 10 {
        wait_until(start + EVERY * u32::try_from(turn).unwrap_or(u32::MAX));
        drain(streams);
    }
}

/// Takes what the recorder would.
fn drain(streams: &mut [ChannelStream]) {
    for stream in streams {
        while stream.capture.blocks.pop_with(|_| ()).is_some() {}
        if let Some(tap) = stream
            .player
            .as_mut()
            .and_then(|player| player.tap.as_mut())
        {
            while tap.pop_with(|_| ()).is_some() {}
        }
        while stream.notices.try_recv().is_ok() {}
    }
}

fn frames(stream: &ChannelStream) -> u64 {
    stream.capture.stats.frames.load(Ordering::Relaxed)
}

fn total(streams: &[ChannelStream]) -> u64 {
    streams.iter().map(frames).sum()
}

fn cpu() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(Duration::ZERO, Duration::from)
}

struct CardOpener {
    path: PathBuf,
    written: Arc<AtomicU64>,
}

impl PortOpener<dyn ChannelPort> for CardOpener {
    fn open(&mut self) -> Result<Box<dyn ChannelPort>, OpenError> {
        let fd = channel(&self.path).map_err(|errno| OpenError::Device {
            device: self.path.display().to_string(),
            errno: errno as i32,
            said: String::new(),
        })?;
        Ok(Box::new(CardPort {
            fd,
            opened: true,
            held: [0; BLOCK_BYTES],
            holds: 0,
            written: 0,
            heard: 0,
            blocks: Arc::clone(&self.written),
        }))
    }
}

fn channel(path: &Path) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(fd)
}

/// A channel that is read and written in blocks, as a DAHDI channel is.
struct CardPort {
    fd: OwnedFd,
    opened: bool,
    held: [u8; BLOCK_BYTES],
    holds: usize,
    /// Bytes written, and bytes that the card has played since: as many as came from it.
    written: u64,
    heard: u64,
    blocks: Arc<AtomicU64>,
}

impl ChannelPort for CardPort {
    fn params(&self) -> PortParams {
        PARAMS
    }

    fn poll_entries(&self, out: &mut Vec<PollEntry>) {
        out.push(PollEntry {
            fd: self.fd.as_raw_fd(),
            events: libc::POLLIN,
        });
    }

    fn capture(&mut self) -> &mut dyn CapturePort {
        self
    }

    fn playback(&mut self) -> Option<&mut dyn PlaybackPort> {
        Some(self)
    }

    fn event(&mut self) -> Option<ChannelEvent> {
        std::mem::take(&mut self.opened).then_some(ChannelEvent::Opened {
            kind: HookKind::Clear,
            off_hook: false,
            alarms: 0,
        })
    }

    fn order(&mut self, _order: &ChannelOrder) -> Result<(), i32> {
        Ok(())
    }
}

impl CapturePort for CardPort {
    fn params(&self) -> PortParams {
        PARAMS
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn read(&mut self, buffer: &mut [u8]) -> Captured {
        match nix::unistd::read(&self.fd, buffer) {
            Ok(0) => Captured::Gone(libc::ENODEV),
            Ok(count) => {
                self.heard += count as u64;
                Captured::Frames(StreamFormat::TELEPHONE.frames_in(count as u64))
            }
            Err(Errno::EAGAIN) => Captured::Idle,
            Err(errno) => Captured::Gone(errno as i32),
        }
    }

    fn restart(&mut self) -> Result<(), i32> {
        Ok(())
    }
}

impl PlaybackPort for CardPort {
    fn params(&self) -> PortParams {
        PARAMS
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn write(&mut self, buffer: &[u8]) -> Played {
        let count = buffer.len().min(BLOCK_BYTES - self.holds);
        self.held[self.holds..self.holds + count].copy_from_slice(&buffer[..count]);
        self.holds += count;
        if self.holds == BLOCK_BYTES {
            match nix::unistd::write(&self.fd, &self.held) {
                Ok(_) => {
                    self.blocks.fetch_add(1, Ordering::Relaxed);
                }
                Err(Errno::EAGAIN) => return Played::Full,
                Err(errno) => return Played::Gone(errno as i32),
            }
            self.holds = 0;
        }
        self.written += count as u64;
        Played::Frames(StreamFormat::TELEPHONE.frames_in(count as u64))
    }

    fn delay(&mut self) -> Frames {
        self.heard = self.heard.min(self.written);
        StreamFormat::TELEPHONE.frames_in(self.written - self.heard)
    }

    fn discard(&mut self) -> Result<(), i32> {
        Ok(())
    }
}

const BLOCK_BYTES: usize = 320;
const BLOCK_FRAMES: u64 = 160;
/// The recorder's.
const EVERY: Duration = Duration::from_millis(100);
const PARAMS: PortParams = PortParams {
    format: StreamFormat::TELEPHONE,
    period: Frames(BLOCK_FRAMES),
    buffer: Frames(2 * BLOCK_FRAMES),
    pacing: Pacing::Device,
};
