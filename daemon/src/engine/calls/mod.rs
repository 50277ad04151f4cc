//! Calls under control (seed 001): the exchange, which owns every session and carries out what its
//! state machine wants, and the handle that HTTP and the control socket hold.
//!
//! ```text
//!  HTTP, control ──Ask──▶ ┌───────────── exchange (thread `calls`) ────────────┐ ──▶ PlayerControl
//!  lines ──────────News─▶ │ Session (engine/session) a call; one at a time     │ ──▶ LineOrder
//!  players ──PlayerEvent▶ │ timers; files of prompts (files.rs)                │ ──▶ Files
//!                         └───────────────┬────────────────────────────────────┘
//!                    events, durable first │ storage::outbox ──▶ webhooks
//!                                          └─▶ Hub ──▶ server-sent events, `callreel calls watch`
//! ```

mod actions;
mod asks;
mod call;
mod exchange;
mod figures;
mod files;
mod hub;
mod ledger;
mod limits;
pub mod link;
mod recover;
mod run;
mod speaker;
mod store;
mod teller;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audio_io::units::{Millis, WallMillis};
use bytes::Bytes;
use storage::ids::{LineName, RecordingId, TenantId};
use tokio::sync::{broadcast, mpsc, oneshot};
use uuid::Uuid;

use self::figures::Counters;
pub use self::hub::Following;
use self::hub::Hub;
#[cfg(test)]
pub(crate) use self::hub::Published;
use super::session::command::{CommandKind, CommandUid, HangupCause, Request};
use super::session::{Accepted, Refused, Snapshot};
use super::webhook::{WebhookFigures, Webhooks};

pub(crate) use exchange::RecordingUrl;
pub(crate) use limits::{ENDED_FOR, NEWS};
pub use run::CallsError;
pub(crate) use run::{Parts, Running, start};

/// The only door to sessions. Cheap to clone.
#[derive(Clone)]
pub struct Calls {
    inner: Arc<Inner>,
}

struct Inner {
    asks: mpsc::Sender<Ask>,
    hub: Arc<Hub>,
    counters: Arc<Counters>,
    /// None before they are started and after they were stopped.
    webhooks: Mutex<Option<Webhooks>>,
}

/// A call that is to be opened on a line whose trigger is `api`.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// Where.
    pub line: LineName,
    /// Who calls.
    pub caller_id: Option<String>,
    /// Who is called.
    pub did: Option<String>,
}

/// A session as it stands.
#[derive(Clone, Debug)]
pub struct CallView {
    /// Its name.
    pub uuid: Uuid,
    /// Whose it is.
    pub owner: TenantId,
    /// Its line.
    pub line: LineName,
    /// Who calls, if known.
    pub caller_id: Option<String>,
    /// Who is called, if known.
    pub did: Option<String>,
    /// Where it stands.
    pub snapshot: Snapshot,
    /// When it began.
    pub started_at: WallMillis,
    /// When it was answered.
    pub answered_at: Option<WallMillis>,
    /// When it ended.
    pub ended_at: Option<WallMillis>,
    /// How long it has lasted, whatever was done to the wall clock meanwhile.
    pub lasted: Millis,
    /// Why it ended.
    pub hangup_cause: Option<HangupCause>,
    /// What plays, and where it is heard now.
    pub playing: Option<PlayingView>,
    /// Its recordings, oldest first.
    pub recordings: Vec<RecordingView>,
}

/// What a session plays.
#[derive(Clone, Debug)]
pub struct PlayingView {
    /// Of the command that began it.
    pub command_uid: CommandUid,
    /// Where in its files.
    pub offset_ms: Millis,
}

/// A recording of a session.
#[derive(Clone, Debug)]
pub struct RecordingView {
    /// Of the `record/start`.
    pub command_uid: CommandUid,
    /// Its number: `recid`; none before it began.
    pub id: Option<RecordingId>,
    /// `recording`, `ending`, `completed`, `absent` or `failed`.
    pub state: &'static str,
}

/// An event that was told: durable where its application has a webhook.
#[derive(Clone, Debug)]
pub struct Told {
    /// Counts all events of this run, from 1.
    pub number: u64,
    /// Its id; the same as `webhook-id`.
    pub id: Uuid,
    /// Whose session it is of.
    pub owner: TenantId,
    /// Which session.
    pub session: Uuid,
    /// `call.answered`
    pub event: &'static str,
    /// `{event, session_uuid, sequence, data, …}`, the bytes that webhooks are sent.
    pub body: Bytes,
}

/// Why there is no session to speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such session (any more).
    #[error("no such session")]
    NotFound,
    /// It is another application's.
    #[error("the session is another application's")]
    NotYours,
    /// The daemon is being stopped.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Why a command was not taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No session for it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The session refused it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Its events could not be written: it may have been carried out.
    #[error("the index cannot be written; 'callreel status' says why")]
    Index,
}

/// Why a call could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenCallError {
    /// There is no such line, or it is another tenant's.
    #[error("no line '{0}'")]
    NoLine(LineName),
    /// Its calls begin by themselves.
    #[error("line '{0}' is not opened by command; set trigger = \"api\" in its [[line]] table")]
    NotApi(LineName),
    /// Nothing can be called on it: calls come from it alone.
    #[error("line '{0}' takes calls only: a tap listens, and a PBX connects to an AudioSocket")]
    InwardOnly(LineName),
    /// It has a call.
    #[error("line '{line}' has a call: session {session}")]
    Busy {
        /// The line.
        line: LineName,
        /// Its call.
        session: Uuid,
    },
    /// Its device is away.
    #[error("line '{0}' has no device at the moment; 'callreel lines' says why")]
    NoDevice(LineName),
    /// Its events could not be written.
    #[error("the index cannot be written; 'callreel status' says why")]
    Index,
    /// The daemon is being stopped.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Figures for `/metrics` and `status`, since the daemon was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallFigures {
    /// Sessions that are not over.
    pub active: u64,
    /// Sessions begun.
    pub started: u64,
    /// Commands taken on.
    pub commands: u64,
    /// Events told.
    pub events: u64,
    /// Digits heard during sessions.
    pub digits: u64,
    /// Playbacks begun.
    pub playbacks: u64,
    /// Times a decoder did not keep up with a line.
    pub underruns: u64,
    /// Files that could not be had.
    pub files_not_found: u64,
    /// Readers of events that were too slow and missed some.
    pub watchers_behind: u64,
}

/// What is asked of the exchange; each answers.
pub(crate) enum Ask {
    Open {
        owner: TenantId,
        call: NewCall,
        reply: oneshot::Sender<Result<CallView, OpenCallError>>,
    },
    Look {
        owner: Option<TenantId>,
        session: Uuid,
        reply: oneshot::Sender<Result<CallView, CallError>>,
    },
    Pause {
        owner: Option<TenantId>,
        session: Uuid,
        kind: CommandKind,
        reply: oneshot::Sender<Result<Option<Duration>, CallError>>,
    },
    List {
        owner: Option<TenantId>,
        reply: oneshot::Sender<Vec<CallView>>,
    },
    Command {
        owner: Option<TenantId>,
        session: Uuid,
        request: Request,
        reply: oneshot::Sender<Result<Accepted, CommandError>>,
    },
}

impl Calls {
    /// A handle, and where what is asked of it arrives.
    pub(crate) fn pair() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(limits::ASKS);
        let inner = Inner {
            asks,
            hub: Arc::default(),
            counters: Arc::default(),
            webhooks: Mutex::default(),
        };
        (
            Self {
                inner: Arc::new(inner),
            },
            asked,
        )
    }

    /// Opens a call on an API-driven line of this tenant. Durable when it returns.
    ///
    /// # Errors
    /// [`OpenCallError`].
    pub async fn open(&self, owner: TenantId, call: NewCall) -> Result<CallView, OpenCallError> {
        self.ask(|reply| Ask::Open { owner, call, reply })
            .await
            .unwrap_or(Err(OpenCallError::Stopping))
    }

    /// A session as it stands; one that is over for an hour at most. Without an owner: anybody's.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn look(
        &self,
        owner: Option<TenantId>,
        session: Uuid,
    ) -> Result<CallView, CallError> {
        self.ask(|reply| Ask::Look {
            owner,
            session,
            reply,
        })
        .await
        .unwrap_or(Err(CallError::Stopping))
    }

    /// How long a session's next command of this kind has to wait for its group's pause, if it
    /// has to. Nothing is counted.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn pause_of(
        &self,
        owner: Option<TenantId>,
        session: Uuid,
        kind: CommandKind,
    ) -> Result<Option<Duration>, CallError> {
        self.ask(|reply| Ask::Pause {
            owner,
            session,
            kind,
            reply,
        })
        .await
        .unwrap_or(Err(CallError::Stopping))
    }

    /// A tenant's sessions, or all, newest first: those that are on, and those over for an hour at
    /// most.
    pub async fn list(&self, owner: Option<TenantId>) -> Vec<CallView> {
        self.ask(|reply| Ask::List { owner, reply })
            .await
            .unwrap_or_default()
    }

    /// Gives a session a command. What it told at once is durable when this returns.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn command(
        &self,
        owner: Option<TenantId>,
        session: Uuid,
        request: Request,
    ) -> Result<Accepted, CommandError> {
        self.ask(|reply| Ask::Command {
            owner,
            session,
            request,
            reply,
        })
        .await
        .unwrap_or(Err(CallError::Stopping.into()))
    }

    /// Every event from now on. A reader that is too slow misses the oldest, and is told so.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Arc<Told>> {
        self.inner.hub.watch()
    }

    /// A tenant's events after the one of this number, as far as they are remembered, and all
    /// events from now on; without a number only the latter.
    #[must_use]
    pub fn follow(&self, owner: TenantId, after: Option<u64>) -> Following {
        self.inner.hub.follow(owner, after)
    }

    /// Counts a reader of events that was too slow and missed some.
    pub fn watcher_fell_behind(&self) {
        figures::count(&self.inner.counters.watchers_behind, 1);
    }

    /// What became of webhooks.
    #[must_use]
    pub fn webhook_figures(&self) -> WebhookFigures {
        let webhooks = self.webhooks();
        webhooks.as_ref().map(Webhooks::figures).unwrap_or_default()
    }

    /// Puts another list of networks that receivers may be in in force.
    pub fn reload_webhooks(&self, allow: Vec<ipnet::IpNet>) {
        if let Some(webhooks) = self.webhooks().as_ref() {
            webhooks.reload(allow);
        }
    }

    /// Figures.
    #[must_use]
    pub fn figures(&self) -> CallFigures {
        self.inner.counters.figures()
    }

    /// Where whoever stands in for the exchange publishes events.
    pub(crate) fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.inner.hub)
    }

    fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.inner.counters)
    }

    fn set_webhooks(&self, webhooks: Option<Webhooks>) {
        *self.webhooks() = webhooks;
    }

    fn webhooks(&self) -> std::sync::MutexGuard<'_, Option<Webhooks>> {
        let webhooks = self.inner.webhooks.lock();
        webhooks.unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.inner.asks.send(ask(reply)).await.ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
impl Calls {
    /// How many listen.
    pub(crate) fn watchers_in_test(&self) -> usize {
        self.inner.hub.watchers()
    }
}
