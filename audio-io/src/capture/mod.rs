//! Capture: one real-time thread drives many devices and fills one ring for each.
//!
//! ```text
//!  opener thread ──ports──▶ real-time thread: poll ─▶ StreamPump ─▶ ring ──▶ recorder thread
//!       ▲                        │  (one a device: sound, gaps, stalls, counters)
//!       └────── ports that are gone
//! ```
//! Every stream's position advances in real time, whatever its device does: what is missing is
//! in the ring as a gap. What to do with the blocks is not this module's business.

mod backlog;
mod pump;

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use pump::StreamPump;
pub(crate) use pump::{duration, next_multiple};

use crate::clock::Clock;
use crate::drive::Driver;
pub use crate::drive::Turn;
use crate::format::StreamFormat;
use crate::opener::{Device, OpenReport};
use crate::port::{CapturePort, OpenError, PortOpener};
use crate::ring::{BlockConsumer, blocks_for, ring};
pub use crate::rt::{RealtimeGrant, RealtimeOptions};
use crate::units::Millis;

/// One device to capture: who opens it and the format its line wants.
pub struct CaptureSource {
    /// For logs and thread messages: the line and the PCM.
    pub label: String,
    /// Opens the device, again and again if it must.
    pub opener: Box<dyn PortOpener<dyn CapturePort>>,
    /// The format every block of this stream has; the port converts where the device differs.
    pub format: StreamFormat,
}

/// The consuming end of one captured device.
pub struct CaptureStream {
    /// Sound and gaps, in order, without holes.
    pub blocks: BlockConsumer,
    /// The format of every block.
    pub format: StreamFormat,
    /// Counters.
    pub stats: Arc<CaptureStats>,
}

/// Counters of one captured device; written by the real-time thread (the device's state and last
/// error also by the opener), read by anyone. `frames + lost_frames` is the stream's position.
#[derive(Debug, Default)]
pub struct CaptureStats {
    /// Frames that went into the ring.
    pub frames: AtomicU64,
    /// Frames known to be lost, of any cause.
    pub lost_frames: AtomicU64,
    /// Times the device overran its buffer.
    pub overruns: AtomicU64,
    /// Times the device went silent without an error.
    pub stalls: AtomicU64,
    /// Times the device was opened.
    pub opens: AtomicU64,
    /// Frames dropped because the ring was full; they are among `lost_frames` too.
    pub ring_full_frames: AtomicU64,
    /// Highest number of blocks seen waiting.
    pub ring_depth_max: AtomicU32,
    /// A [`DeviceState`] as u32.
    pub state: AtomicU32,
    /// errno of the last failed open or loss, 0 when none.
    pub last_errno: AtomicU32,
    /// Negotiated period in frames, 0 while not open.
    pub period_frames: AtomicU32,
    /// Negotiated buffer in frames, 0 while not open.
    pub buffer_frames: AtomicU32,
    /// The last failure to open, in words; only the opener thread and readers take this lock.
    open_error: Mutex<Option<OpenError>>,
}

/// Whether the device is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DeviceState {
    /// It has not been opened yet.
    Opening = 0,
    /// It is open.
    Running = 1,
    /// It could not be opened, or is gone. It is tried again.
    Lost = 2,
}

impl CaptureStats {
    /// Whether the device is there.
    #[must_use]
    pub fn device_state(&self) -> DeviceState {
        match self.state.load(Ordering::Relaxed) {
            0 => DeviceState::Opening,
            1 => DeviceState::Running,
            _ => DeviceState::Lost,
        }
    }

    /// Why the device could not be opened the last time that it could not.
    #[must_use]
    pub fn open_error(&self) -> Option<OpenError> {
        self.open_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl OpenReport for CaptureStats {
    fn failed(&self, error: OpenError) {
        self.last_errno
            .store(error.errno().unsigned_abs(), Ordering::Relaxed);
        *self
            .open_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.state
            .store(DeviceState::Lost as u32, Ordering::Relaxed);
    }
}

/// One running real-time thread; dropping it stops and joins the thread and its opener.
pub struct CaptureThread(Driver);

impl CaptureThread {
    /// Starts one real-time thread that captures all sources (poll over all of them), and one
    /// ordinary thread beside it that opens and re-opens devices. The streams come in the order
    /// of the sources. A device that cannot be opened is no error: it is tried again for ever.
    ///
    /// # Errors
    /// When there are more than [`crate::limits::STREAMS_PER_THREAD_MAX`] sources, or the system
    /// has no thread or descriptor left.
    pub fn spawn(
        name: &str,
        sources: Vec<CaptureSource>,
        options: RealtimeOptions,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, Vec<CaptureStream>)> {
        let now = clock.monotonic();
        let mut pumps = Vec::with_capacity(sources.len());
        let mut devices = Vec::with_capacity(sources.len());
        let mut streams = Vec::with_capacity(sources.len());
        for source in sources {
            let CaptureSource { opener, format, .. } = source;
            let (producer, blocks) = ring(blocks_for(format, Millis(options.ring_ms)));
            let stats = Arc::new(CaptureStats::default());
            pumps.push(StreamPump::new(format, producer, Arc::clone(&stats), now));
            devices.push(Device::new(
                opener,
                Arc::clone(&stats) as Arc<dyn OpenReport>,
            ));
            streams.push(CaptureStream {
                blocks,
                format,
                stats,
            });
        }
        let driver = Driver::spawn(name, pumps, devices, options, clock)?;
        Ok((Self(driver), streams))
    }

    /// What the scheduler granted.
    #[must_use]
    pub const fn grant(&self) -> RealtimeGrant {
        self.0.grant()
    }

    /// The counter behind [`CaptureThread::wakeups`], for a watchdog that lives longer than it.
    #[must_use]
    pub fn wakeup_counter(&self) -> Arc<AtomicU64> {
        self.0.wakeup_counter()
    }

    /// Wake-ups since start; a watchdog sees from it that the loop lives. It grows at least twice
    /// a second.
    #[must_use]
    pub fn wakeups(&self) -> u64 {
        self.0.wakeups()
    }
}

#[cfg(test)]
mod tests;
