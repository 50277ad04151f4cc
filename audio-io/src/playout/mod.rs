//! Playout: one real-time thread feeds many devices, each from its own ring.
//!
//! ```text
//!  player ──▶ ring ──▶ PlayoutPump (real-time thread) ──▶ PlaybackPort ──▶ device
//! ```
//! A device that runs is never left without sound: where the ring has none, it gets silence.

mod pump;

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use pump::PlayoutPump;

use crate::capture::DeviceState;
use crate::clock::Clock;
use crate::drive::Driver;
use crate::format::StreamFormat;
use crate::opener::{Device, OpenReport};
use crate::port::{OpenError, PlaybackPort, PortOpener};
use crate::ring::{BlockProducer, blocks_for, ring};
use crate::rt::{RealtimeGrant, RealtimeOptions};
use crate::units::Millis;

/// One device to play to.
pub struct PlayoutSink {
    /// For logs and thread messages: the line and the PCM.
    pub label: String,
    /// Opens the device, again and again if it must.
    pub opener: Box<dyn PortOpener<dyn PlaybackPort>>,
    /// The format of every block; the port converts where the device differs.
    pub format: StreamFormat,
}

/// The feeding end of one device.
pub struct PlayoutStream {
    /// Takes sound, and gaps that are heard as silence. Positions are not looked at: what is
    /// pushed is played in that order. Frames in a block must be whole.
    pub blocks: BlockProducer,
    /// The format of every block.
    pub format: StreamFormat,
    /// Counters.
    pub stats: Arc<PlayoutStats>,
}

/// Counters of one device; written by the real-time thread (the state and the last error also by
/// the opener), read by anyone.
#[derive(Debug, Default)]
pub struct PlayoutStats {
    /// Frames from the ring that the device took, gaps included.
    pub frames: AtomicU64,
    /// Frames of silence that the device was given because the ring was empty.
    pub silence_frames: AtomicU64,
    /// Frames from the ring that were dropped because the device was away.
    pub dropped_frames: AtomicU64,
    /// Times the device ran dry.
    pub underruns: AtomicU64,
    /// Times the ring ran dry after sound. The end of what was played is one, too.
    pub ran_dry: AtomicU64,
    /// Times the device was opened.
    pub opens: AtomicU64,
    /// Frames written and not heard when last looked at.
    pub delay_frames: AtomicU32,
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

impl PlayoutStats {
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

impl OpenReport for PlayoutStats {
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

/// One running real-time thread; dropping it stops and joins the thread and its opener. What is
/// still in the rings and in the devices' buffers is not played then.
pub struct PlayoutThread(Driver);

impl PlayoutThread {
    /// Starts one real-time thread that feeds all sinks, and one ordinary thread beside it that
    /// opens and re-opens devices. The streams come in the order of the sinks. A device that
    /// cannot be opened is no error: it is tried again for ever.
    ///
    /// # Errors
    /// When there are more than [`crate::limits::STREAMS_PER_THREAD_MAX`] sinks, or the system
    /// has no thread or descriptor left.
    pub fn spawn(
        name: &str,
        sinks: Vec<PlayoutSink>,
        options: RealtimeOptions,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, Vec<PlayoutStream>)> {
        let now = clock.monotonic();
        let mut pumps = Vec::with_capacity(sinks.len());
        let mut devices = Vec::with_capacity(sinks.len());
        let mut streams = Vec::with_capacity(sinks.len());
        for sink in sinks {
            let PlayoutSink { opener, format, .. } = sink;
            let (blocks, consumer) = ring(blocks_for(format, Millis(options.ring_ms)));
            let stats = Arc::new(PlayoutStats::default());
            pumps.push(PlayoutPump::new(format, consumer, Arc::clone(&stats), now));
            devices.push(Device::new(
                opener,
                Arc::clone(&stats) as Arc<dyn OpenReport>,
            ));
            streams.push(PlayoutStream {
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

    /// Wake-ups since start; a watchdog sees from it that the loop lives.
    #[must_use]
    pub fn wakeups(&self) -> u64 {
        self.0.wakeups()
    }
}

#[cfg(test)]
mod tests;
