//! The threads of players: one real-time thread for many lines, the opener of their devices, and
//! a worker for each line.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::{JoinHandle, Thread};

use super::control::PlayerControl;
use super::event::PlayerEvent;
use super::{Player, PlayerWorker};
use crate::clock::Clock;
use crate::drive::Driver;
use crate::format::StreamFormat;
use crate::opener::{Device, OpenReport};
use crate::playout::PlayoutStats;
use crate::port::{PlaybackPort, PortOpener};
use crate::ring::BlockConsumer;
use crate::rt::{RealtimeGrant, RealtimeOptions};
use crate::units::Millis;

/// One line to play to.
pub struct PlayerLine {
    /// Goes into the line's events.
    pub line: u32,
    /// Opens the device, again and again if it must; best with [`super::PERIOD`] and
    /// [`super::BUFFER`].
    pub opener: Box<dyn PortOpener<dyn PlaybackPort>>,
    /// What the port is given; the port converts where the device differs.
    pub format: StreamFormat,
    /// How much of what was heard is kept for the tap's reader; no tap if `None`.
    pub tapped: Option<Millis>,
}

/// What is needed to use a line's player.
pub struct PlayerStream {
    /// Its commands.
    pub control: PlayerControl,
    /// What was heard: 16-bit mono at the line's rate, without holes.
    pub tap: Option<BlockConsumer>,
    /// Counters of its device.
    pub device: Arc<PlayoutStats>,
}

/// Running players. Dropping it ends all playbacks ([`super::EndReason::Closed`]) and joins all
/// threads; who listens to the events should go on until then.
pub struct PlayerThread {
    // Workers end first: what they begin after the pumps are gone would have no end.
    workers: Workers,
    driver: Option<Driver>,
}

impl PlayerThread {
    /// Starts the players of some lines. The streams come in the order of the lines. All events
    /// go into one channel; while it is full they wait, and no player takes new orders that would
    /// make more of them.
    ///
    /// # Errors
    /// When there are more than [`crate::limits::STREAMS_PER_THREAD_MAX`] lines, or the system
    /// has no thread or descriptor left.
    pub fn spawn(
        name: &str,
        lines: Vec<PlayerLine>,
        events: &SyncSender<PlayerEvent>,
        options: RealtimeOptions,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, Vec<PlayerStream>)> {
        let mut threads = Self {
            workers: Workers::default(),
            driver: None,
        };
        let mut pumps = Vec::with_capacity(lines.len());
        let mut devices = Vec::with_capacity(lines.len());
        let mut streams = Vec::with_capacity(lines.len());
        for PlayerLine {
            line,
            opener,
            format,
            tapped,
        } in lines
        {
            let player = Player::new(line, format, events, tapped, clock.monotonic());
            let mut pump = player.pump;
            let device = pump.device_stats();
            let worker = threads.workers.start(name, line, player.worker)?;
            pump.wakes(worker);
            pumps.push(pump);
            let report = Arc::clone(&device) as Arc<dyn OpenReport>;
            devices.push(Device::new(opener, report));
            streams.push(PlayerStream {
                control: player.control,
                tap: player.tap,
                device,
            });
        }
        threads.driver = Some(Driver::spawn(name, pumps, devices, options, clock)?);
        Ok((threads, streams))
    }

    /// What the scheduler granted.
    #[must_use]
    pub fn grant(&self) -> Option<RealtimeGrant> {
        self.driver.as_ref().map(Driver::grant)
    }

    /// The counter behind [`PlayerThread::wakeups`], for a watchdog that lives longer than it.
    #[must_use]
    pub fn wakeup_counter(&self) -> Option<Arc<AtomicU64>> {
        self.driver.as_ref().map(Driver::wakeup_counter)
    }

    /// Wake-ups since start; a watchdog sees from it that the loop lives.
    #[must_use]
    pub fn wakeups(&self) -> u64 {
        self.driver.as_ref().map_or(0, Driver::wakeups)
    }
}

/// The running workers of some lines. Dropping it stops and joins them.
#[derive(Default)]
pub(crate) struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts a line's worker; says which thread is to be woken.
    pub(crate) fn start(
        &mut self,
        name: &str,
        line: u32,
        worker: PlayerWorker,
    ) -> io::Result<Thread> {
        let stop = Arc::clone(&self.stop);
        let thread = std::thread::Builder::new()
            .name(format!("{name}-{line}"))
            .spawn(move || worker.run(&|| stop.load(Ordering::Acquire)))?;
        let handle = thread.thread().clone();
        self.threads.push(thread);
        Ok(handle)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for worker in &self.threads {
            worker.thread().unpark();
        }
        for worker in self.threads.drain(..) {
            // A thread that panicked has said so on standard error; there is nothing to add.
            let _ended = worker.join();
        }
    }
}
