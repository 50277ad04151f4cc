//! One real-time thread for many channels, such as those of a span.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::event::{ChannelNotice, ChannelOrder};
use super::port::ChannelPort;
use super::pump::ChannelPump;
use crate::capture::{CaptureStats, CaptureStream, RealtimeGrant, RealtimeOptions, StreamPump};
use crate::clock::Clock;
use crate::drive::Driver;
use crate::format::StreamFormat;
use crate::limits::{CHANNEL_NOTICES_MAX, CHANNEL_ORDERS_MAX};
use crate::opener::{Device, OpenReport};
use crate::player::{Player, PlayerEvent, PlayerStream, PlayerWorker, Workers};
use crate::playout::PlayoutStats;
use crate::port::{OpenError, PortOpener};
use crate::ring::{blocks_for, ring};
use crate::units::Millis;

/// One channel to open.
pub struct ChannelSource {
    /// For logs and thread messages.
    pub label: String,
    /// Goes into the events of its player.
    pub line: u32,
    /// Opens it, again and again if it must.
    pub opener: Box<dyn PortOpener<dyn ChannelPort>>,
    /// The format of every block that comes and goes; mono.
    pub format: StreamFormat,
    /// How much of what was played is kept for the tap's reader. Without it nothing is played.
    pub tapped: Option<Millis>,
}

/// What is needed to use a channel.
pub struct ChannelStream {
    /// What comes from it.
    pub capture: CaptureStream,
    /// What goes to it, if anything does.
    pub player: Option<PlayerStream>,
    /// Its orders.
    pub control: ChannelControl,
    /// Its signals, in order. While it is full they stay in the device.
    pub notices: Receiver<ChannelNotice>,
    /// Counters.
    pub stats: Arc<ChannelStats>,
}

/// Counters of one channel, written by the real-time thread and read by anyone. Those of its sound
/// are in its streams.
#[derive(Debug, Default)]
pub struct ChannelStats {
    /// Signals taken.
    pub events: AtomicU64,
    /// Times an alarm was raised.
    pub alarms: AtomicU64,
    /// Times the driver lost sound or had none to send.
    pub slips: AtomicU64,
    /// Alarms that are on, as `DAHDI_ALARM_*` bits.
    pub alarm_bits: AtomicU32,
    /// Whether the far end is off hook: 0 no, 1 yes.
    pub off_hook: AtomicU32,
    /// Orders that could not be carried out.
    pub refused: AtomicU64,
}

/// A channel's orders, for any thread. Cheap to clone.
#[derive(Clone)]
pub struct ChannelControl {
    orders: SyncSender<ChannelOrder>,
}

/// Why an order was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Too many wait.
    #[error("too many orders wait for the channel")]
    Busy,
    /// The channel's thread has ended.
    #[error("the channel's thread has ended")]
    Closed,
}

impl ChannelControl {
    /// Hands an order on; it is carried out within a period. What fails is told as
    /// [`super::ChannelEvent::Refused`].
    ///
    /// # Errors
    /// [`OrderError`]
    pub fn order(&self, order: ChannelOrder) -> Result<(), OrderError> {
        self.orders
            .try_send(order)
            .map_err(|refused| match refused {
                TrySendError::Full(_) => OrderError::Busy,
                TrySendError::Disconnected(_) => OrderError::Closed,
            })
    }

    /// Orders that nobody carries out, and where they arrive: for tests.
    #[must_use]
    pub fn pair(room: usize) -> (Self, Receiver<ChannelOrder>) {
        let (orders, taken) = sync_channel(room);
        (Self { orders }, taken)
    }
}

/// A running real-time thread; dropping it ends all playbacks and joins all threads.
pub struct ChannelThread {
    // Workers end first: what they begin after the pumps are gone would have no end.
    workers: Workers,
    driver: Option<Driver>,
}

impl ChannelThread {
    /// Starts one real-time thread for all sources, an ordinary one that opens them, and one for
    /// each that is played to. The streams come in the order of the sources. `events` is where
    /// players tell what they did. A channel that cannot be opened is no error: it is tried again
    /// for ever.
    ///
    /// # Errors
    /// When there are more than [`crate::limits::STREAMS_PER_THREAD_MAX`] sources, or the system
    /// has no thread or descriptor left.
    pub fn spawn(
        name: &str,
        sources: Vec<ChannelSource>,
        events: &SyncSender<PlayerEvent>,
        options: RealtimeOptions,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, Vec<ChannelStream>)> {
        let now = clock.monotonic();
        let mut threads = Self {
            workers: Workers::default(),
            driver: None,
        };
        let mut pumps = Vec::with_capacity(sources.len());
        let mut devices = Vec::with_capacity(sources.len());
        let mut streams = Vec::with_capacity(sources.len());
        for source in sources {
            let mut parts = Parts::new(&source, events, Millis(options.ring_ms), now);
            if let Some(worker) = parts.worker {
                let worker = threads.workers.start(name, source.line, worker)?;
                parts.pump.wakes(worker);
            }
            pumps.push(parts.pump);
            devices.push(Device::new(source.opener, parts.report));
            streams.push(parts.stream);
        }
        threads.driver = Some(Driver::spawn(name, pumps, devices, options, clock)?);
        Ok((threads, streams))
    }

    /// What the scheduler granted.
    #[must_use]
    pub fn grant(&self) -> Option<RealtimeGrant> {
        self.driver.as_ref().map(Driver::grant)
    }

    /// The counter that grows while the thread lives, for a watchdog.
    #[must_use]
    pub fn wakeup_counter(&self) -> Option<Arc<AtomicU64>> {
        self.driver.as_ref().map(Driver::wakeup_counter)
    }
}

/// A channel in its parts, to be run by [`ChannelThread`] or, with a clock of its own, by a test.
pub(super) struct Parts {
    /// Moves sound and signals; the real-time thread.
    pub(super) pump: ChannelPump,
    /// Opens and decodes what is played; an ordinary thread.
    pub(super) worker: Option<PlayerWorker>,
    /// What its user gets.
    pub(super) stream: ChannelStream,
    /// Hears why it cannot be opened.
    report: Arc<dyn OpenReport>,
}

impl Parts {
    pub(super) fn new(
        source: &ChannelSource,
        events: &SyncSender<PlayerEvent>,
        held: Millis,
        now: Duration,
    ) -> Self {
        let format = source.format;
        let (producer, blocks) = ring(blocks_for(format, held));
        let captured = Arc::new(CaptureStats::default());
        let capture = StreamPump::new(format, producer, Arc::clone(&captured), now);
        let player = source
            .tapped
            .map(|kept| Player::new(source.line, format, events, Some(kept), now));
        let (played, worker, player) = match player {
            None => (None, None, None),
            Some(player) => {
                let stream = PlayerStream {
                    control: player.control,
                    tap: player.tap,
                    device: player.pump.device_stats(),
                };
                (Some(player.pump), Some(player.worker), Some(stream))
            }
        };
        let (orders, taken) = sync_channel(CHANNEL_ORDERS_MAX);
        let (notices, told) = sync_channel(CHANNEL_NOTICES_MAX);
        let stats = Arc::new(ChannelStats::default());
        let report = BothWays {
            capture: Arc::clone(&captured),
            playout: player.as_ref().map(|player| Arc::clone(&player.device)),
        };
        let pump = ChannelPump::new(
            (capture, Arc::clone(&captured)),
            played,
            taken,
            notices,
            Arc::clone(&stats),
            now,
        );
        Self {
            pump,
            worker,
            stream: ChannelStream {
                capture: CaptureStream {
                    blocks,
                    format,
                    stats: captured,
                },
                player,
                control: ChannelControl { orders },
                notices: told,
                stats,
            },
            report: Arc::new(report),
        }
    }
}

/// What cannot be opened is missing both ways.
struct BothWays {
    capture: Arc<CaptureStats>,
    playout: Option<Arc<PlayoutStats>>,
}

impl OpenReport for BothWays {
    fn failed(&self, error: OpenError) {
        if let Some(playout) = &self.playout {
            playout.failed(error.clone());
        }
        self.capture.failed(error);
    }
}
