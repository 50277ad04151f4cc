//! The ordinary thread beside a real-time one: it opens devices, closes those that are gone, and
//! tries again with a growing pause until they return.
//!
//! ```text
//!                  Retired(device, port)
//!   real-time  ───────────────────────────▶  opener ── open, backoff, hot-plug
//!     thread   ◀───────────────────────────  thread
//!                  Opened(device, port)
//! ```
//! Both queues hold one entry a device, and no device ever has two on the way, so neither is full.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, SystemTime};

use crate::clock::Clock;
use crate::limits::{HOTPLUG_EVERY, OPEN_BACKOFF_MAX, OPEN_BACKOFF_MIN, OPEN_STEADY, SLEEP_MAX};
use crate::port::{OpenError, PortOpener};
use crate::rt::Waker;

/// A port that is to be closed, and its device opened anew.
pub(crate) struct Retired<P: ?Sized> {
    pub(crate) device: usize,
    pub(crate) port: Box<P>,
}

/// A port that was opened.
pub(crate) struct Opened<P: ?Sized> {
    pub(crate) device: usize,
    pub(crate) port: Box<P>,
}

/// Hears about failures to open.
pub(crate) trait OpenReport: Send + Sync {
    fn failed(&self, error: OpenError);
}

/// One device of the thread.
pub(crate) struct Device<P: ?Sized> {
    opener: Box<dyn PortOpener<P>>,
    report: Arc<dyn OpenReport>,
    state: State,
    backoff: Duration,
}

enum State {
    /// To be opened at this time.
    Due(Duration),
    /// Opened at this time.
    Open(Duration),
}

impl<P: ?Sized> Device<P> {
    pub(crate) fn new(opener: Box<dyn PortOpener<P>>, report: Arc<dyn OpenReport>) -> Self {
        Self {
            opener,
            report,
            state: State::Due(Duration::ZERO),
            backoff: OPEN_BACKOFF_MIN,
        }
    }
}

/// The opener thread's work.
pub(crate) struct Opener<P: ?Sized> {
    pub(crate) devices: Vec<Device<P>>,
    pub(crate) retired: Receiver<Retired<P>>,
    pub(crate) opened: SyncSender<Opened<P>>,
    pub(crate) waker: Waker,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<P: ?Sized + Send> Opener<P> {
    /// Works until the real-time thread is gone.
    pub(crate) fn run(mut self) {
        let mut folders = Folders::of(&self.devices);
        loop {
            if !self.open_due() {
                return;
            }
            match self.retired.recv_timeout(self.pause()) {
                Ok(retired) => self.retire(retired),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if folders.changed() {
                self.hurry();
            }
        }
    }

    /// Opens what is due. Says false when nobody wants ports any more.
    fn open_due(&mut self) -> bool {
        for (index, device) in self.devices.iter_mut().enumerate() {
            let now = self.clock.monotonic();
            if !matches!(device.state, State::Due(at) if at <= now) {
                continue;
            }
            match device.opener.open() {
                Ok(port) => {
                    device.state = State::Open(self.clock.monotonic());
                    if self
                        .opened
                        .send(Opened {
                            device: index,
                            port,
                        })
                        .is_err()
                    {
                        return false;
                    }
                    self.waker.wake();
                }
                Err(error) => {
                    device.report.failed(error);
                    device.state = State::Due(self.clock.monotonic() + device.backoff);
                    device.backoff = (device.backoff * 2).min(OPEN_BACKOFF_MAX);
                }
            }
        }
        true
    }

    /// Closes a port, and plans when its device is opened again: at once if it had been steady,
    /// after a pause if it keeps going away.
    fn retire(&mut self, retired: Retired<P>) {
        drop(retired.port);
        let now = self.clock.monotonic();
        let Some(device) = self.devices.get_mut(retired.device) else {
            return;
        };
        let steady = matches!(device.state, State::Open(at) if now >= at + OPEN_STEADY);
        if steady {
            device.backoff = OPEN_BACKOFF_MIN;
            device.state = State::Due(now);
        } else {
            device.state = State::Due(now + device.backoff);
            device.backoff = (device.backoff * 2).min(OPEN_BACKOFF_MAX);
        }
    }

    /// Something was plugged in or out: whatever is away is tried now.
    fn hurry(&mut self) {
        let now = self.clock.monotonic();
        for device in &mut self.devices {
            if let State::Due(at) = &mut device.state {
                *at = now;
                device.backoff = OPEN_BACKOFF_MIN;
            }
        }
    }

    /// How long there is nothing to do.
    fn pause(&self) -> Duration {
        let now = self.clock.monotonic();
        let due = self.devices.iter().filter_map(|device| match device.state {
            State::Due(at) => Some(at.saturating_sub(now).min(HOTPLUG_EVERY)),
            State::Open(_) => None,
        });
        due.min().unwrap_or(SLEEP_MAX)
    }
}

/// The folders that udev makes and removes the devices' nodes in.
struct Folders(Vec<(PathBuf, Option<SystemTime>)>);

impl Folders {
    fn of<P: ?Sized>(devices: &[Device<P>]) -> Self {
        let mut paths: Vec<_> = devices
            .iter()
            .map(|device| device.opener.folder())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let known = |path: PathBuf| {
            let at = changed_at(&path);
            (path, at)
        };
        Self(paths.into_iter().map(known).collect())
    }

    /// Whether one of them has changed since this was asked last.
    fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, known) in &mut self.0 {
            let now = changed_at(path);
            changed |= now != *known;
            *known = now;
        }
        changed
    }
}

fn changed_at(folder: &Path) -> Option<SystemTime> {
    std::fs::metadata(folder)
        .and_then(|facts| facts.modified())
        .ok()
}
