//! One real-time thread for many channels, such as those of a span.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use super::event::{ChannelNotice, ChannelOrder};
use super::port::ChannelPort;
use crate::capture::{CaptureStream, RealtimeGrant, RealtimeOptions};
use crate::clock::Clock;
use crate::format::StreamFormat;
use crate::player::{PlayerEvent, PlayerStream};
use crate::port::PortOpener;
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
        let (orders, taken) = std::sync::mpsc::sync_channel(room);
        (Self { orders }, taken)
    }
}

/// A running real-time thread; dropping it ends all playbacks and joins all threads.
pub struct ChannelThread {}

impl ChannelThread {
    /// Starts one real-time thread for all sources, and an ordinary one that opens them. The
    /// streams come in the order of the sources. `events` is where players tell what they did.
    ///
    /// # Errors
    /// When there are too many sources, or the system has no thread or descriptor left.
    pub fn spawn(
        _name: &str,
        _sources: Vec<ChannelSource>,
        _events: &SyncSender<PlayerEvent>,
        _options: RealtimeOptions,
        _clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, Vec<ChannelStream>)> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// What the scheduler granted.
    #[must_use]
    pub const fn grant(&self) -> Option<RealtimeGrant> {
        None
    }

    /// The counter that grows while the thread lives, for a watchdog.
    #[must_use]
    pub const fn wakeup_counter(&self) -> Option<Arc<AtomicU64>> {
        None
    }
}
