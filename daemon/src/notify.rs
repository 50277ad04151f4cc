//! What the daemon tells its service manager (sd_notify(3)): ready, reloading, stopping, a line
//! of status, and the watchdog. Without a service manager nothing is sent.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sd_notify::NotifyState;

/// The daemon is ready: recordings run and the sockets listen.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What `systemctl status` shows.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("the monotonic clock cannot be read: {error}"),
    }
}

/// The daemon is stopping.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("the service manager cannot be told: {error}");
    }
}

/// Feeds the service manager's watchdog while the daemon makes progress; dropping it stops that.
#[derive(Debug)]
pub struct Watchdog {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts feeding at half of `WATCHDOG_USEC`, as long as `progress` says that progress is
    /// made. `None` when the service manager has set no watchdog for this process.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(progress: impl Fn() -> bool + Send + 'static) -> std::io::Result<Option<Self>> {
        let Some(within) = sd_notify::watchdog_enabled() else {
            return Ok(None);
        };
        let feed = || tell(&[NotifyState::Watchdog]);
        Self::feeding(within / 2, progress, feed).map(Some)
    }

    fn feeding(
        every: Duration,
        progress: impl Fn() -> bool + Send + 'static,
        feed: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(1);
        let thread = std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || {
                let mut fed = true;
                loop {
                    let progressing = progress();
                    if progressing {
                        feed();
                    } else if fed {
                        log::error!("no progress is made; the watchdog is not fed until it is");
                    }
                    fed = progressing;
                    if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook; there is nothing left to undo.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const EVERY: Duration = Duration::from_millis(1);

    #[test]
    fn the_watchdog_is_fed_while_there_is_progress() {
        let (fed, feeds) = sync_channel(8);
        let watchdog = Watchdog::feeding(
            EVERY,
            || true,
            move || {
                let _ = fed.try_send(());
            },
        );
        for _ in 0..3 {
            feeds.recv().expect("fed again and again");
        }
        drop(watchdog.expect("a thread"));
        while feeds.try_recv().is_ok() {}
        assert!(feeds.recv().is_err(), "stopped with its handle");
    }

    #[test]
    fn the_watchdog_starves_without_progress() {
        let (asked, asks) = sync_channel(1);
        let fed = Arc::new(AtomicBool::new(false));
        let feeding = fed.clone();
        let watchdog = Watchdog::feeding(
            EVERY,
            move || {
                let _ = asked.send(());
                false
            },
            move || feeding.store(true, Ordering::SeqCst),
        );
        for _ in 0..3 {
            asks.recv().expect("asked again and again");
        }
        drop(asks);
        drop(watchdog.expect("a thread"));
        assert!(!fed.load(Ordering::SeqCst));
    }
}
