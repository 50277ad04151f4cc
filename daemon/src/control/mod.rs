//! The control socket: HTTP/1.1 and JSON on a Unix socket, for the command line and for scripts
//! on this machine. Who may use it is decided by the kernel's word about the peer.
//!
//! ```text
//!  callreel ──▶ Unix socket ──▶ peer's uid checked ──▶ Route ──▶ engine (async)
//!                                                          └──▶ storage (blocking threads)
//! ```
//!
//! It runs on a thread of its own, so that neither HTTP load nor a stuck disk keeps an operator
//! out. What is not here: the public API (`http`), and how answers are shown (`cli`).

mod acts;
mod answer;
mod audit;
mod backup;
mod calls;
mod convert;
mod events;
mod export;
mod import;
mod jobs;
mod keeping;
mod keys;
pub(crate) mod limits;
mod lines;
mod peer;
mod prompts;
mod recordings;
mod retention;
mod route;
mod select;
mod serve;
mod socket;
mod telephony;
mod tenants;
#[cfg(test)]
pub(crate) mod tests;
mod upkeep;
mod users;
mod wanted;
mod webhooks;
pub mod wire;

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::app::App;
use crate::config::LoadError;
use crate::config::schema::RetentionPolicy;

pub use audit::{AuditWish, OfflineTrail};
pub use convert::{BadTime, parse_time};

/// Values as `--json` shows them, for whoever else shows them.
pub(crate) mod show {
    pub(crate) use super::convert::{key, tenant, user, word};
}
use serve::Desk;
use socket::Listener;
pub use upkeep::{UpkeepError, check_offline, reindex};

/// Reads the configuration again and puts in force what can be; says what could not be.
pub type ReloadHook = Arc<dyn Reading>;

/// Reads the configuration again.
pub trait Reading: Send + Sync {
    /// Puts it in force, as far as that goes without a restart.
    ///
    /// # Errors
    /// [`LoadError`]: what was in force before stays so.
    fn reload(&self) -> Result<wire::Reloaded, LoadError>;

    /// The retention policies that are in the files now.
    ///
    /// # Errors
    /// [`LoadError`]
    fn policies(&self) -> Result<Vec<RetentionPolicy>, LoadError>;
}

#[cfg(test)]
impl<F: Fn() -> Result<wire::Reloaded, LoadError> + Send + Sync> Reading for F {
    fn reload(&self) -> Result<wire::Reloaded, LoadError> {
        self()
    }

    fn policies(&self) -> Result<Vec<RetentionPolicy>, LoadError> {
        Ok(Vec::new())
    }
}

/// Why the control socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon answers there.
    #[error(
        "a daemon is running already: '{}' answers; stop it, or set control.socket to another path",
        .0.display()
    )]
    Running(PathBuf),
    /// Something else is in the way.
    #[error("'{}' is not a socket; remove it or set control.socket to another path", .0.display())]
    NotASocket(PathBuf),
    /// The configured group does not exist.
    #[error("control.group: there is no group '{0}'; add it with 'groupadd --system {0}'")]
    NoGroup(String),
    /// The system refused something.
    #[error("control.socket '{}': cannot {what}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// The socket.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// The running server; dropping it stops it too.
pub struct ControlServer {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Opens the socket that `app.config` names and serves it on a thread of its own.
    ///
    /// # Errors
    /// [`ControlError`] when another daemon answers there, the path is taken by something else,
    /// the group does not exist, or the system refuses the socket or the thread.
    pub fn start(app: App, reload: ReloadHook) -> Result<Self, ControlError> {
        Self::start_with(app, reload, None)
    }

    /// The same, on a socket that is open already: its path, mode and end are those of whoever
    /// opened it.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn start_with(
        app: App,
        reload: ReloadHook,
        passed: Option<UnixListener>,
    ) -> Result<Self, ControlError> {
        let config = app.config.load().control.clone();
        let io = |what, source| ControlError::Io {
            what,
            path: config.socket.clone(),
            source,
        };
        let group = config
            .group
            .as_deref()
            .map(socket::group_by_name)
            .transpose()?;
        let listener = match passed {
            Some(socket) => Listener::passed(socket, &config.socket)?,
            None => Listener::bind(&config.socket, group)?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(limits::BLOCKING_THREADS_MAX)
            .thread_name("control-work")
            .build()
            .map_err(|source| io("start a runtime", source))?;
        let (stop, stopped) = watch::channel(false);
        let desk = Arc::new(Desk::new(app, reload, group, stopped.clone()));
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                runtime.block_on(serve::serve(listener, desk, stopped));
                // A blocking job such as a check may take hours; stopping does not wait for it.
                runtime.shutdown_background();
            })
            .map_err(|source| io("start a thread", source))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Closes the socket, lets open answers finish for a moment and stops the thread.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the control thread died");
        }
    }
}
