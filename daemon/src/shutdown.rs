//! Signals that tell the daemon to stop or to read its configuration again. They are blocked in
//! every thread and read from a descriptor, so that no code ever runs inside a signal handler.
//!
//! SIGTERM and SIGINT stop the daemon, SIGHUP reloads. While it stops, a second SIGTERM or SIGINT
//! is answered with a message, and the third ends the process at once: what was being recorded is
//! then repaired at the next start, as after a crash.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::cli::exit::Exit;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Seal what is open and stop.
    Stop,
    /// Read the configuration again.
    Reload,
}

/// The blocked signals.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Blocks SIGTERM, SIGINT and SIGHUP in this thread. To be called before any other thread is
    /// started: threads inherit what is blocked.
    ///
    /// # Errors
    /// When the kernel refuses, which it does only without memory or descriptors.
    pub fn install() -> std::io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        let descriptor = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { descriptor })
    }

    /// Waits for the next request.
    ///
    /// # Errors
    /// When the descriptor cannot be read.
    pub fn wait(&self) -> std::io::Result<Request> {
        loop {
            match self.descriptor.read_signal() {
                Ok(Some(info)) if info.ssi_signo == Signal::SIGHUP as u32 => {
                    return Ok(Request::Reload);
                }
                Ok(Some(_)) => return Ok(Request::Stop),
                Ok(None) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Answers further signals while the daemon stops, on a thread of its own that lives until
    /// the process ends.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn watch_stopping(self) -> std::io::Result<()> {
        let watch = move || {
            let mut asked = 1;
            while let Ok(request) = self.wait() {
                match request {
                    Request::Reload => log::info!("stopping; the reload is ignored"),
                    Request::Stop if asked == 1 => {
                        asked = 2;
                        log::warn!("open recordings are being sealed; once more to stop at once");
                    }
                    Request::Stop => {
                        log::error!("stopped at once; the next start repairs open recordings");
                        std::process::exit(i32::from(Exit::Failed.code()));
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(watch)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signals raised in a thread that blocks them stay pending for that thread alone.
    #[test]
    fn signals_become_requests() {
        let signals = Signals::install().expect("signals");
        for (signal, request) in [
            (Signal::SIGHUP, Request::Reload),
            (Signal::SIGTERM, Request::Stop),
            (Signal::SIGINT, Request::Stop),
        ] {
            nix::sys::signal::raise(signal).expect("raise");
            assert_eq!(signals.wait().expect("a signal"), request);
        }
    }
}
