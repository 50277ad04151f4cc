//! SKELETON
#![allow(missing_docs, clippy::todo, unused_variables, dead_code, reason = "skeleton")]
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use crate::clock::Clock;
use crate::format::StreamFormat;
use crate::port::{CapturePort, PortOpener};
use crate::ring::BlockConsumer;

/// One device to capture: who opens it and the format its line wants.
pub struct CaptureSource {
    /// For logs and thread messages: the line and the PCM.
    pub label: String,
    pub opener: Box<dyn PortOpener<dyn CapturePort>>,
    /// The format every block of this stream has; the port converts where the device differs.
    pub format: StreamFormat,
}

/// The consuming end of one captured device.
pub struct CaptureStream {
    pub blocks: BlockConsumer,
    pub format: StreamFormat,
    pub stats: Arc<CaptureStats>,
}

/// Counters of one captured device; written by the real-time thread, read by anyone.
#[derive(Debug, Default)]
pub struct CaptureStats {
    /// Frames delivered.
    pub frames: AtomicU64,
    /// Frames known to be lost, of any cause.
    pub lost_frames: AtomicU64,
    pub overruns: AtomicU64,
    pub stalls: AtomicU64,
    /// Times the device was opened.
    pub opens: AtomicU64,
    /// Frames dropped because the ring was full.
    pub ring_full_frames: AtomicU64,
    /// Highest number of blocks seen waiting.
    pub ring_depth_max: AtomicU32,
    /// A `DeviceState` as u32.
    pub state: AtomicU32,
    /// errno of the last failed open or loss, 0 when none.
    pub last_errno: AtomicU32,
    /// Negotiated period and buffer in frames, 0 while not open.
    pub period_frames: AtomicU32,
    pub buffer_frames: AtomicU32,
}

/// Whether the device is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DeviceState { Opening = 0, Running = 1, Lost = 2 }

/// How the real-time thread behaves.
#[derive(Clone, Debug)]
pub struct RealtimeOptions {
    /// Wanted SCHED_FIFO priority; refused quietly (and reported) where not allowed.
    pub priority: Option<u8>,
    pub lock_memory: bool,
    /// Ring capacity per stream in milliseconds of sound.
    pub ring_ms: u64,
}

/// What the scheduler granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealtimeGrant { pub fifo: bool, pub memory_locked: bool }

/// One running real-time thread; dropping it stops the thread.
pub struct CaptureThread { _private: () }

impl CaptureThread {
    /// Starts one real-time thread that captures all sources (poll over all of them), and one
    /// ordinary thread beside it that opens and re-opens devices.
    pub fn spawn(
        name: &str, sources: Vec<CaptureSource>, options: RealtimeOptions, clock: Arc<dyn Clock>,
    ) -> std::io::Result<(Self, Vec<CaptureStream>)> { todo!() }
    #[must_use]
    pub fn grant(&self) -> RealtimeGrant { todo!() }
    /// Wake-ups since start; a watchdog sees from it that the loop lives.
    #[must_use]
    pub fn wakeups(&self) -> u64 { todo!() }
}
