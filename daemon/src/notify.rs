//! What the daemon tells its service manager (sd_notify(3)): ready, reloading, stopping, a line
//! of status, the watchdog, and that a long start or stop goes on. Without a service manager
//! nothing is sent.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::catalog;

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
pub struct Watchdog(#[allow(dead_code, reason = "its end is what counts")] Repeated);

impl Watchdog {
    /// Starts feeding six times in `WATCHDOG_USEC`, as long as `stuck` names nobody: a hang that
    /// was over before the time was up costs one or two meals and no restart. `None` when the
    /// service manager has set no watchdog for this process.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        stuck: impl Fn() -> Vec<&'static str> + Send + 'static,
    ) -> io::Result<Option<Self>> {
        let Some(within) = sd_notify::watchdog_enabled() else {
            return Ok(None);
        };
        let feed = || tell(&[NotifyState::Watchdog]);
        Self::feeding(within / 6, stuck, feed).map(Some)
    }

    fn feeding(
        every: Duration,
        stuck: impl Fn() -> Vec<&'static str> + Send + 'static,
        feed: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let mut fed = true;
        let meal = move || {
            let stuck = stuck();
            if stuck.is_empty() {
                if !fed {
                    log::warn!("progress is made again; the watchdog is fed");
                }
                feed();
            } else if fed {
                let stuck = stuck.join(", ");
                log::error!(
                    message_id = catalog::STARVING, stuck = stuck.as_str();
                    "no progress is made ({stuck}); the watchdog is not fed until it is"
                );
            }
            fed = stuck.is_empty();
        };
        Repeated::start("watchdog", every, meal).map(Self)
    }
}

/// Keeps the line of `systemctl status` true; dropping it stops that.
#[derive(Debug)]
pub struct StatusLine(#[allow(dead_code, reason = "its end is what counts")] Repeated);

impl StatusLine {
    /// Tells every ten seconds what `text` says, if that has changed. `None` without a service
    /// manager.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(text: impl Fn() -> String + Send + 'static) -> io::Result<Option<Self>> {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(None);
        }
        let mut told = String::new();
        let tell = move || {
            let now = text();
            if now != told {
                status(&now);
                told = now;
            }
        };
        Repeated::start("status", STATUS_EVERY, tell).map(|thread| Some(Self(thread)))
    }
}

/// Asks the service manager for more time while long work goes on, at start or stop; dropping it
/// stops that.
#[derive(Debug)]
pub struct Patience(#[allow(dead_code, reason = "its end is what counts")] Repeated);

impl Patience {
    /// Looks every five seconds whether `steps` has grown, and asks for half a minute more then.
    /// `None` without a service manager.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        what: &'static str,
        steps: impl Fn() -> u64 + Send + 'static,
    ) -> io::Result<Option<Self>> {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(None);
        }
        Self::asking(PATIENCE_EVERY, steps, move |steps| {
            let text = format!("{what}: it goes on, {steps} steps so far");
            tell(&[
                NotifyState::ExtendTimeoutUsec(PATIENCE_US),
                NotifyState::Status(&text),
            ]);
        })
        .map(Some)
    }

    fn asking(
        every: Duration,
        steps: impl Fn() -> u64 + Send + 'static,
        ask: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let first = steps();
        let mut seen = first;
        let look = move || {
            let now = steps();
            if now != seen {
                ask(now.wrapping_sub(first));
                seen = now;
            }
        };
        Repeated::start("patience", every, look).map(Self)
    }
}

/// How often the line of status is looked at.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// How often it is looked whether long work goes on.
const PATIENCE_EVERY: Duration = Duration::from_secs(5);

/// How much time is asked for then, in microseconds.
const PATIENCE_US: u32 = 30_000_000;

/// A thread that does something again and again until it is dropped.
#[derive(Debug)]
pub(crate) struct Repeated {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Repeated {
    /// Does the work now, and again after every `every`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(
        name: &str,
        every: Duration,
        mut work: impl FnMut() + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(1);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                loop {
                    work();
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

impl Drop for Repeated {
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
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    const EVERY: Duration = Duration::from_millis(1);

    #[test]
    fn the_watchdog_is_fed_while_there_is_progress() {
        let (fed, feeds) = sync_channel(8);
        let watchdog = Watchdog::feeding(EVERY, Vec::new, move || {
            let _ = fed.try_send(());
        });
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
                vec!["index"]
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

    #[test]
    fn more_time_is_asked_for_only_while_work_goes_on() {
        const SEEN: [u64; 6] = [5, 5, 12, 12, 12, 12];
        let looks = AtomicU64::new(0);
        let (over, is_over) = sync_channel(1);
        let (asked, asks) = sync_channel(8);
        let patience = Patience::asking(
            EVERY,
            move || {
                let look = looks.fetch_add(1, Ordering::SeqCst);
                let Some(steps) = usize::try_from(look).ok().and_then(|look| SEEN.get(look)) else {
                    let _ = over.try_send(());
                    return 12;
                };
                *steps
            },
            move |steps| {
                let _ = asked.send(steps);
            },
        );
        is_over.recv().expect("it looks again and again");
        drop(patience.expect("a thread"));
        assert_eq!(asks.iter().collect::<Vec<_>>(), [7]);
    }
}
