//! A look once a day while the daemon runs: warns of certificates that end soon, and renews those
//! that were made here.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks.
pub const EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Looks again and again until it is dropped.
#[derive(Debug)]
pub struct Upkeep {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    /// Calls `look` after every `every`; the first look was the start's.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(every: Duration, look: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(1);
        let thread = std::thread::Builder::new()
            .name("certificates".into())
            .spawn(move || {
                while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    look();
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Upkeep {
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
    use super::*;

    #[test]
    fn it_looks_again_and_again_until_it_is_dropped() {
        let (looked, looks) = sync_channel(8);
        let upkeep = Upkeep::start(Duration::from_millis(1), move || {
            let _ = looked.try_send(());
        });
        for _ in 0..3 {
            looks.recv().expect("a look");
        }
        drop(upkeep.expect("a thread"));
        while looks.try_recv().is_ok() {}
        assert!(looks.recv().is_err(), "stopped with its handle");
    }
}
