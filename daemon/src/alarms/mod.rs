//! Alarms: something must be done, or need not be any more. Each change is told once.
//!
//! ```text
//!             ┌─▶ the journal, at once
//!  Alarms ────┼─▶ queue ─▶ thread: the mail command, at most 30 s each
//!             └─▶ queue ─▶ thread: the webhook, tried for a day
//! ```
//! Whoever raises one never waits. What is counted for `/metrics` is `figures.rs`'s business.

pub(crate) mod command;
pub mod figures;
mod hook;
mod mail;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use audio_io::units::WallMillis;
use uuid::Uuid;

use crate::catalog;
use crate::config::schema::Config;

/// Alarms that wait for the command, or for the webhook.
const QUEUE_MAX: usize = 64;

/// What alarms are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// How full the disk is.
    Disk,
    /// Space is short, and nothing more may be deleted.
    Short,
    /// The disk refuses writes; nothing is recorded.
    Recording,
    /// The clock decides about deletions, and is not trusted.
    Clock,
    /// The configuration would shorten a minimum in force.
    Shrink,
    /// Nothing is deleted, for holds may be missing or the disk is not the store's.
    Deletions,
    /// The ledger is not what it was.
    Ledger,
    /// Checkpoints cannot be written.
    Checkpoints,
    /// Checkpoints do not reach the syslog server or the command.
    Outlet,
}

impl Kind {
    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Short => "retention_short",
            Self::Recording => "recording",
            Self::Clock => "clock",
            Self::Shrink => "retention_shrinks",
            Self::Deletions => "deletions",
            Self::Ledger => "ledger",
            Self::Checkpoints => "checkpoints",
            Self::Outlet => "checkpoint_outlet",
        }
    }

    /// What it is about, in words.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Disk => "disk space",
            Self::Short => "nothing more may be deleted",
            Self::Recording => "recording",
            Self::Clock => "the clock",
            Self::Shrink => "retention would shrink",
            Self::Deletions => "deletions",
            Self::Ledger => "the ledger",
            Self::Checkpoints => "checkpoints of the ledger",
            Self::Outlet => "where checkpoints are sent",
        }
    }

    const fn message_id(self) -> &'static str {
        match self {
            Self::Disk | Self::Short => catalog::DISK_LEVEL,
            Self::Recording => catalog::RECORDING_STOPPED,
            Self::Clock => catalog::CLOCK_DISTRUSTED,
            Self::Shrink | Self::Deletions => catalog::RETENTION_REFUSED,
            Self::Ledger => catalog::LEDGER_BROKEN,
            Self::Checkpoints | Self::Outlet => catalog::CHECKPOINTS_FAIL,
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Something must be done.
    Error,
    /// Something should be looked at.
    Warning,
    /// It is as it should be again.
    Over,
}

impl State {
    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Over => "over",
        }
    }
}

/// One alarm.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    pub(crate) text: String,
    pub(crate) at: WallMillis,
}

/// Where alarms go; cheap to clone. Its threads end when the last one is dropped, without waiting
/// for a command that is under way.
#[derive(Clone)]
pub(crate) struct Alarms {
    inner: Arc<Inner>,
}

struct Inner {
    config: Arc<ArcSwap<Config>>,
    clock: Arc<dyn Clock>,
    command: SyncSender<Alarm>,
    hook: tokio::sync::mpsc::Sender<Alarm>,
    /// Those that stand now.
    standing: Mutex<BTreeMap<Kind, ()>>,
}

impl Alarms {
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn start(config: Arc<ArcSwap<Config>>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let name = nix::unistd::gethostname().ok();
        let name = name.and_then(|name| name.into_string().ok());
        let host = name.filter(|name| !name.is_empty());
        let host = host.unwrap_or_else(|| "localhost".to_owned());
        let (command, commanded) = sync_channel(QUEUE_MAX);
        let (settings, own) = (config.clone(), host.clone());
        std::thread::Builder::new()
            .name("alarms".into())
            .spawn(move || mail(&commanded, &settings, &own))?;
        let (hook, hooked) = tokio::sync::mpsc::channel(QUEUE_MAX);
        let (settings, time) = (config.clone(), clock.clone());
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build()?;
        std::thread::Builder::new()
            .name("alarm-hook".into())
            .spawn(move || runtime.block_on(hook::run(hooked, settings, time, host)))?;
        let standing = Mutex::default();
        let inner = Inner {
            config,
            clock,
            command,
            hook,
            standing,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Says how something is: why it must be seen to, or `None` when it need not. Tells the change
    /// alone.
    pub(crate) fn set(&self, kind: Kind, trouble: Option<&dyn std::fmt::Display>) {
        let mut standing = self.lock();
        let change = match trouble {
            Some(text) => {
                let is_new = standing.insert(kind, ()).is_none();
                is_new.then(|| (State::Error, text.to_string()))
            }
            None => {
                let was = standing.remove(&kind).is_some();
                was.then(|| {
                    (
                        State::Over,
                        format!("{}: as it should be again", kind.title()),
                    )
                })
            }
        };
        drop(standing);
        if let Some((state, text)) = change {
            self.tell(kind, state, text);
        }
    }

    /// Tells a change.
    pub(crate) fn tell(&self, kind: Kind, state: State, text: String) {
        let (alarm, id) = (kind.name(), kind.message_id());
        match state {
            State::Error => log::error!(message_id = id, alarm = alarm; "{text}"),
            State::Warning => log::warn!(message_id = id, alarm = alarm; "{text}"),
            State::Over => log::info!(message_id = id, alarm = alarm; "{text}"),
        }
        let alarm = Alarm {
            id: Uuid::new_v4(),
            kind,
            state,
            text,
            at: self.inner.clock.wall(),
        };
        let settings = &self.inner.config.load().alarms;
        let no_room = |what: &str| log::error!("an alarm is not told to the {what}: too many wait");
        if !settings.command.is_empty() && self.inner.command.try_send(alarm.clone()).is_err() {
            no_room("command");
        }
        if settings.webhook.is_some() && self.inner.hook.try_send(alarm).is_err() {
            no_room("webhook");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Kind, ()>> {
        let standing = self.inner.standing.lock();
        standing.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mails alarms until nobody raises any.
fn mail(alarms: &Receiver<Alarm>, config: &ArcSwap<Config>, host: &str) {
    while let Ok(alarm) = alarms.recv() {
        let settings = config.load().alarms.clone();
        if settings.command.is_empty() {
            continue;
        }
        let mail = mail::message(&alarm, &settings, host);
        if let Err(error) = command::run(&settings.command, &mail, command::COMMAND_WITHIN) {
            log::error!("an alarm was not mailed: {error}");
        }
    }
}
