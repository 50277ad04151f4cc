//! `devices test`: records from a PCM for a few seconds, through the same real-time loop as the
//! daemon, and tells what came.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use audio_io::alsa::AlsaCapture;
use audio_io::block::BlockKind;
use audio_io::capture::{
    CaptureSource, CaptureStats, CaptureStream, CaptureThread, RealtimeOptions,
};
use audio_io::clock::{Clock, SystemClock};
use audio_io::dsp::level::LevelMeter;
use audio_io::format::{Channels, Encoding, StreamFormat};
use audio_io::port::PortParams;
use audio_io::units::{Frames, Millis, SampleRate};
use serde::Serialize;

use super::DeviceError;
use crate::cli::args::{ChannelsArg, TestArgs};
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Wake-up period and buffer asked of the device: the defaults of a line.
const PERIOD: Millis = Millis(20);
const BUFFER: Millis = Millis(160);

/// Sound that waits to be measured.
const RING_MS: u64 = 2_000;

/// How often the ring is looked at: this far the time of an arrival may be off, which matters to
/// the measured rate.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long the device may take to bring its first sound, beyond the time of the test.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came.
#[derive(Debug, Serialize)]
struct Tested {
    device: String,
    format: String,
    rate_hz: u32,
    /// Frames that came, divided by the time they took.
    measured_rate_hz: f64,
    channels: usize,
    period_frames: u64,
    buffer_frames: u64,
    frames: u64,
    /// Since the first sound, as with the next two.
    lost_frames: u64,
    xruns: u64,
    stalls: u64,
    /// How long the device took to bring its first sound.
    waited_ms: u64,
    /// Caller's leg first.
    levels: Vec<Level>,
    realtime: bool,
}

#[derive(Debug, Serialize)]
struct Level {
    rms_dbfs: f64,
    peak_dbfs: f64,
}

pub(super) async fn test(wish: &TestArgs, output: Output) -> Result<(), CliError> {
    let rate = SampleRate::new(wish.rate).unwrap_or(SampleRate::TELEPHONE);
    let channels = match wish.channels {
        ChannelsArg::Mono => Channels::Mono,
        ChannelsArg::Stereo => Channels::Stereo,
    };
    let format = StreamFormat {
        rate,
        encoding: Encoding::S16Le,
        channels,
    };
    output.remark(&format!(
        "recording {} s from {} …",
        wish.seconds, wish.name
    ));
    let tested = record(&wish.name, format, Duration::from_secs(wish.seconds)).await?;
    output.show(&tested, describe)
}

async fn record(name: &str, format: StreamFormat, length: Duration) -> Result<Tested, DeviceError> {
    let opener = || AlsaCapture::opener(name, format, PERIOD, BUFFER);
    // Opened once by hand: the loop would try for ever and tell no more than an error number.
    let params = opener().open()?.params();
    let clock = Arc::new(SystemClock);
    let source = CaptureSource {
        label: name.into(),
        opener: opener(),
        format,
    };
    let options = RealtimeOptions {
        priority: Some(50),
        lock_memory: false,
        ring_ms: RING_MS,
    };
    let (thread, streams) = CaptureThread::spawn("devices-test", vec![source], options, clock)
        .map_err(DeviceError::Thread)?;
    let mut meter = LevelMeter::new(format);
    let mut span = Span::default();
    for stream in streams {
        span = listen(stream, &mut meter, length).await?;
    }
    Ok(span.told(name, params, &meter, thread.grant().fifo))
}

/// What the loop counted.
#[derive(Default)]
struct Span {
    frames: Frames,
    took: Duration,
    /// Until the first sound came.
    waited: Duration,
    losses: Losses,
}

/// What went missing. A device that is slow to start loses nothing by that.
#[derive(Clone, Copy, Default)]
struct Losses {
    frames: u64,
    xruns: u64,
    stalls: u64,
}

impl Losses {
    fn of(stats: &CaptureStats) -> Self {
        Self {
            frames: stats.lost_frames.load(Ordering::Relaxed),
            xruns: stats.overruns.load(Ordering::Relaxed),
            stalls: stats.stalls.load(Ordering::Relaxed),
        }
    }

    const fn since(self, before: Self) -> Self {
        Self {
            frames: self.frames.saturating_sub(before.frames),
            xruns: self.xruns.saturating_sub(before.xruns),
            stalls: self.stalls.saturating_sub(before.stalls),
        }
    }
}

async fn listen(
    mut stream: CaptureStream,
    meter: &mut LevelMeter,
    length: Duration,
) -> Result<Span, DeviceError> {
    let clock = SystemClock;
    let begun = clock.monotonic();
    let mut first: Option<Duration> = None;
    let mut span = Span::default();
    let mut before = Losses::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = clock.monotonic();
        let mut came = Frames::ZERO;
        while let Some(frames) = stream.blocks.pop_with(|block| {
            meter.push(block.sound());
            match block.kind {
                BlockKind::Audio => stream.format.frames_in(block.sound().len() as u64),
                BlockKind::Gap(..) => Frames::ZERO,
            }
        }) {
            came += frames;
        }
        if came > Frames::ZERO {
            match first {
                // Time runs from here: what came by now was recorded before it.
                None => {
                    first = Some(now);
                    span.waited = now.saturating_sub(begun);
                    before = Losses::of(&stream.stats);
                }
                Some(first) => {
                    span.frames += came;
                    span.took = now.saturating_sub(first);
                }
            }
        }
        if span.took >= length {
            break;
        }
        if now.saturating_sub(begun) > length + PATIENCE {
            if let Some(error) = stream.stats.open_error() {
                return Err(error.into());
            }
            break;
        }
    }
    span.losses = Losses::of(&stream.stats).since(before);
    Ok(span)
}

impl Span {
    fn told(&self, name: &str, params: PortParams, meter: &LevelMeter, realtime: bool) -> Tested {
        let seconds = self.took.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a minute of frames is exact")]
        let measured = if seconds > 0.0 {
            self.frames.0 as f64 / seconds
        } else {
            0.0
        };
        let level = |level: &audio_io::dsp::level::Level| Level {
            rms_dbfs: level.rms.decibels(),
            peak_dbfs: level.peak.decibels(),
        };
        Tested {
            device: name.into(),
            format: params.format.to_string(),
            rate_hz: params.format.rate.hertz(),
            measured_rate_hz: (measured * 10.0).round() / 10.0,
            channels: params.format.channels.count(),
            period_frames: params.period.0,
            buffer_frames: params.buffer.0,
            frames: self.frames.0,
            lost_frames: self.losses.frames,
            xruns: self.losses.xruns,
            stalls: self.losses.stalls,
            waited_ms: u64::try_from(self.waited.as_millis()).unwrap_or(u64::MAX),
            levels: meter.levels().iter().map(level).collect(),
            realtime,
        }
    }
}

fn describe(tested: &Tested) -> String {
    let mut text = format!("{}: {}\n", tested.device, tested.format);
    for (leg, level) in tested.levels.iter().enumerate() {
        let name = match (tested.levels.len(), leg) {
            (1, _) => "level",
            (_, 0) => "caller (left)",
            _ => "agent (right)",
        };
        text.push_str(&format!(
            "{name:<14} {:.1} dBFS RMS, peak {:.1} dBFS\n",
            level.rms_dbfs, level.peak_dbfs
        ));
    }
    text.push_str(&format!(
        "{:<14} {:.1} Hz measured, {} Hz nominal\n{:<14} period {} frames, buffer {} frames\n",
        "rate",
        tested.measured_rate_hz,
        tested.rate_hz,
        "device",
        tested.period_frames,
        tested.buffer_frames
    ));
    text.push_str(&format!(
        "{:<14} {} frames came, {} lost, {} xruns, {} stalls; first sound after {} ms\n",
        "stream", tested.frames, tested.lost_frames, tested.xruns, tested.stalls, tested.waited_ms
    ));
    if tested.frames == 0 {
        text.push_str("no sound came: is something connected, and is the card's clock running?\n");
    }
    if !tested.realtime {
        text.push_str("without real-time priority: run as root to test as the daemon would\n");
    }
    text
}
