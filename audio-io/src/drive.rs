//! The loop of a real-time thread, the same for capture and playout: wait for descriptors and the
//! nearest point in time, give every port that needs it a turn, hand ports that are gone to the
//! opener and take new ones from it. In its steady state it allocates, locks and logs nothing.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::alsa::silence_this_thread;
use crate::clock::Clock;
use crate::limits::{
    DESCRIPTORS_PER_PORT_MAX, IDLE_WAKEUPS_MAX, MUTED_FOR, READ_BYTES, SLEEP_MAX,
    STREAMS_PER_THREAD_MAX,
};
use crate::opener::{Device, Opened, Opener, Retired};
use crate::port::PollEntry;
use crate::rt::{PollSet, RealtimeGrant, RealtimeOptions, Waker, become_realtime};

/// What one turn with a port came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Sound moved.
    Busy,
    /// Nothing moved.
    Idle,
    /// The device is gone; the port must be closed and opened anew.
    Gone,
}

/// What moves sound between one port and one ring.
pub(crate) trait Pump: Send + 'static {
    /// The port it moves sound through.
    type Port: ?Sized + Send;

    /// Takes a port that was just opened. `polled` says whether its descriptors are watched.
    fn attach(&mut self, port: &mut Self::Port, polled: bool, now: Duration);

    /// Moves what can be moved. `events` is what [`Pump::ready`] said; 0 when only time has come.
    fn turn(
        &mut self,
        port: &mut Self::Port,
        events: i16,
        scratch: &mut [u8],
        now: Duration,
    ) -> Turn;

    /// Keeps the stream's time while there is no port.
    fn absent(&mut self, now: Duration);

    /// When it needs a turn even if no descriptor asks for one.
    fn due(&self) -> Duration;

    /// The descriptors to watch; none where time alone decides.
    fn poll_entries(port: &Self::Port, out: &mut Vec<PollEntry>);

    /// What the descriptors' events mean.
    fn ready(port: &mut Self::Port, revents: &[i16]) -> i16;
}

/// A running real-time thread and its opener. Dropping it stops and joins both.
pub(crate) struct Driver {
    stop: Arc<AtomicBool>,
    waker: Waker,
    wakeups: Arc<AtomicU64>,
    grant: RealtimeGrant,
    threads: Vec<JoinHandle<()>>,
}

impl Driver {
    pub(crate) fn spawn<U: Pump>(
        name: &str,
        pumps: Vec<U>,
        devices: Vec<Device<U::Port>>,
        options: RealtimeOptions,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        if pumps.len() > STREAMS_PER_THREAD_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("more than {STREAMS_PER_THREAD_MAX} streams for one real-time thread"),
            ));
        }
        let waker = Waker::new()?;
        let room = pumps.len().max(1);
        let (retire, retired) = sync_channel(room);
        let (open, opened) = sync_channel(room);
        let stop = Arc::new(AtomicBool::new(false));
        let wakeups = Arc::new(AtomicU64::new(0));
        let work = Loop {
            slots: pumps.into_iter().map(Slot::new).collect(),
            poll: PollSet::new(waker.clone(), 2 * room),
            entries: Vec::with_capacity(DESCRIPTORS_PER_PORT_MAX),
            scratch: vec![0; READ_BYTES].into_boxed_slice(),
            opened,
            retire,
            clock: Arc::clone(&clock),
            stop: Arc::clone(&stop),
            wakeups: Arc::clone(&wakeups),
        };
        let (granted, grant) = sync_channel(1);
        let realtime = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                silence_this_thread();
                // The receiver waits for exactly this.
                let _sent = granted.send(become_realtime(&options));
                work.run();
            })?;
        let mut driver = Self {
            stop,
            waker: waker.clone(),
            wakeups,
            grant: RealtimeGrant {
                fifo: false,
                memory_locked: false,
            },
            threads: vec![realtime],
        };
        let opener = Opener {
            devices,
            retired,
            opened: open,
            waker,
            clock,
        };
        let name = format!("{name}-open");
        // Should this fail, dropping `driver` stops the first thread.
        driver.threads.push(
            std::thread::Builder::new()
                .name(name)
                .spawn(move || opener.run())?,
        );
        driver.grant = grant.recv().unwrap_or(driver.grant);
        Ok(driver)
    }

    pub(crate) const fn grant(&self) -> RealtimeGrant {
        self.grant
    }

    pub(crate) fn wakeups(&self) -> u64 {
        self.wakeups.load(Ordering::Relaxed)
    }

    pub(crate) fn wakeup_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.wakeups)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on standard error; there is nothing to add.
            let _ended = thread.join();
        }
    }
}

/// One stream of the loop.
struct Slot<U: Pump> {
    pump: U,
    port: Option<Box<U::Port>>,
    /// Whether the pump has yet to hear of the port.
    fresh: bool,
    /// Where its descriptors stand in the poll set.
    place: Range<usize>,
    /// Wake-ups in a row that moved nothing.
    idle: u32,
    /// Until when its descriptors are ignored.
    muted_until: Option<Duration>,
}

impl<U: Pump> Slot<U> {
    const fn new(pump: U) -> Self {
        Self {
            pump,
            port: None,
            fresh: false,
            place: 0..0,
            idle: 0,
            muted_until: None,
        }
    }
}

struct Loop<U: Pump> {
    slots: Vec<Slot<U>>,
    poll: PollSet,
    entries: Vec<PollEntry>,
    scratch: Box<[u8]>,
    opened: Receiver<Opened<U::Port>>,
    retire: SyncSender<Retired<U::Port>>,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    wakeups: Arc<AtomicU64>,
}

impl<U: Pump> Loop<U> {
    fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            self.wakeups.fetch_add(1, Ordering::Relaxed);
            self.accept();
            let now = self.clock.monotonic();
            let mut next = now + SLEEP_MAX;
            for index in 0..self.slots.len() {
                next = next.min(self.visit(index, now));
            }
            let pause = next.saturating_sub(self.clock.monotonic());
            self.poll.wait(pause);
        }
    }

    /// Takes the ports that were opened meanwhile.
    fn accept(&mut self) {
        let mut taken = false;
        while let Ok(Opened { device, port }) = self.opened.try_recv() {
            let Some(slot) = self.slots.get_mut(device) else {
                continue;
            };
            slot.port = Some(port);
            slot.fresh = true;
            slot.idle = 0;
            slot.muted_until = None;
            taken = true;
        }
        if taken {
            self.watch_all();
        }
    }

    /// Builds the poll set anew, and attaches ports that are new in it.
    fn watch_all(&mut self) {
        let now = self.clock.monotonic();
        self.poll.clear();
        for slot in &mut self.slots {
            slot.place = 0..0;
            let Some(port) = &mut slot.port else { continue };
            self.entries.clear();
            U::poll_entries(port, &mut self.entries);
            let watched = self.entries.len().min(DESCRIPTORS_PER_PORT_MAX);
            let all = watched == self.entries.len() && watched > 0;
            slot.place = self.poll.add(&self.entries[..watched]);
            if slot.muted_until.is_some() {
                self.poll.mute(slot.place.clone(), true);
            }
            if std::mem::take(&mut slot.fresh) {
                slot.pump.attach(port, all, now);
            }
        }
    }

    /// Gives a slot its turn, if it needs one, and says when it needs the next.
    fn visit(&mut self, index: usize, now: Duration) -> Duration {
        let slot = &mut self.slots[index];
        let Some(port) = &mut slot.port else {
            if now >= slot.pump.due() {
                slot.pump.absent(now);
            }
            return slot.pump.due();
        };
        if slot.muted_until.is_some_and(|until| now >= until) {
            slot.muted_until = None;
            slot.idle = 0;
            self.poll.mute(slot.place.clone(), false);
        }
        let woken = self.poll.any(slot.place.clone());
        let events = if woken {
            let mut revents = [0; DESCRIPTORS_PER_PORT_MAX];
            let count = self.poll.revents(slot.place.clone(), &mut revents);
            U::ready(port, &revents[..count])
        } else {
            0
        };
        let turn = if events != 0 || now >= slot.pump.due() {
            slot.pump.turn(port, events, &mut self.scratch, now)
        } else {
            Turn::Idle
        };
        match turn {
            Turn::Busy => slot.idle = 0,
            Turn::Idle if woken => slot.idle += 1,
            Turn::Idle => {}
            Turn::Gone => {
                self.poll.mute(slot.place.clone(), true);
                slot.place = 0..0;
                if let Some(port) = slot.port.take() {
                    // The queue has room for one port of each device. If the opener died, the
                    // port is closed here.
                    let _handed = self.retire.try_send(Retired {
                        device: index,
                        port,
                    });
                }
                return slot.pump.due();
            }
        }
        if slot.idle > IDLE_WAKEUPS_MAX && slot.muted_until.is_none() {
            slot.muted_until = Some(now + MUTED_FOR);
            self.poll.mute(slot.place.clone(), true);
        }
        let due = slot.pump.due();
        slot.muted_until.map_or(due, |until| until.min(due))
    }
}
