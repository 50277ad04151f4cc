//! A body that goes on: events of an application or of one session, as server-sent events (HTML
//! standard, section 9.2). Nothing is made before the connection asks for it, so a client that does
//! not read holds what the connection buffers and no more; what it misses meanwhile is looked up
//! in the hub's memory when it reads again, and what is not even there is told as `missed`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde::Serialize;
use storage::outbox::Application;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::event_streams::StreamPlace;
use super::service::Call;
use super::site::Site;
use super::{auth, limits};
use crate::engine::calls::{CallView, Told};
use crate::engine::session::CallState;

/// Where events come from.
pub(super) trait Pour {
    /// The next bytes, once there are any; nothing when all is told.
    fn next(self: Box<Self>) -> Pin<Box<dyn Future<Output = Step>>>;
}

/// The events of an answer.
pub(super) struct EventBody {
    state: State,
}

enum State {
    Waiting(Pin<Box<dyn Future<Output = Step>>>),
    Over,
}

/// What comes next, and who to ask for what follows it.
pub(super) type Step = Option<(Bytes, Box<dyn Pour>)>;

/// Which events, and how far they have been told.
pub(super) struct Source {
    site: Arc<Site>,
    app: Arc<Application>,
    /// Of one session only.
    session: Option<Uuid>,
    /// The number of the latest event that was told, or is not to be told.
    seen: u64,
    /// To be told before what is live.
    earlier: VecDeque<Arc<Told>>,
    /// What is to be said of events that nobody remembers.
    missed: Option<Missed>,
    live: Receiver<Arc<Told>>,
    /// Turns true when the server drains.
    stop: watch::Receiver<bool>,
    /// Whether it is time to ask whether the session is over.
    asks: bool,
    /// Whether it is: then only what is on its way is told.
    ends: bool,
    _place: StreamPlace,
}

/// The data of `missed`.
#[derive(Debug, Serialize)]
struct Missed {
    event: &'static str,
    /// Null where not even that is known: the reader was of another run.
    at_most: Option<u64>,
}

impl EventBody {
    /// A stream of a source.
    pub(super) fn new(source: impl Pour + 'static) -> Self {
        let source: Box<dyn Pour> = Box::new(source);
        let next = async move { Some((opening(), source)) };
        Self {
            state: State::Waiting(Box::pin(next)),
        }
    }

    /// What HEAD is answered with: a body that has no length, and nothing in it.
    pub(super) fn silent() -> Self {
        Self {
            state: State::Waiting(Box::pin(async { None })),
        }
    }

    /// Whether nothing follows.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// What comes next.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let State::Waiting(next) = &mut self.state else {
            return Poll::Ready(None);
        };
        match ready!(next.as_mut().poll(cx)) {
            None => {
                self.state = State::Over;
                Poll::Ready(None)
            }
            Some((bytes, source)) => {
                self.state = State::Waiting(source.next());
                Poll::Ready(Some(bytes))
            }
        }
    }
}

impl Source {
    /// Events of an application, or of one of its sessions: those that are remembered after the
    /// one of an id, if one is given, and all from now on.
    pub(super) fn new(
        call: &Call<'_>,
        app: Arc<Application>,
        session: Option<Uuid>,
        last_id: Option<&str>,
        place: StreamPlace,
    ) -> Self {
        let site = Arc::clone(&call.worker.site);
        let (after, is_strange) = match last_id.map(|id| number_of(site.run(), id)) {
            None => (None, false),
            Some(Ok(number)) => (Some(number), false),
            Some(Err(OtherRun)) => (Some(0), true),
        };
        let following = site.calls.follow(app.key.tenant, after);
        let missed = if is_strange {
            Some(Missed::of(None))
        } else {
            Missed::some(following.forgotten)
        };
        Self {
            site,
            app,
            session,
            seen: after.unwrap_or(following.newest),
            earlier: following.earlier.into(),
            missed,
            live: following.live,
            stop: call.connection.stop.clone(),
            asks: session.is_some(),
            ends: false,
            _place: place,
        }
    }

    /// Whether there is anything to tell at once.
    pub(super) fn has_news(&self) -> bool {
        let is_mine = |told: &Arc<Told>| self.concerns(told);
        self.missed.is_some() || self.earlier.iter().any(is_mine)
    }

    async fn tell(mut self: Box<Self>) -> Step {
        loop {
            if let Some(missed) = self.missed.take() {
                return Some((missed.written(), self as Box<dyn Pour>));
            }
            while let Some(told) = self.earlier.pop_front() {
                if self.is_news(&told) {
                    self.asks |= self.session.is_some() && is_an_end(told.event);
                    return Some((written(self.site.run(), &told), self as Box<dyn Pour>));
                }
            }
            if std::mem::take(&mut self.asks)
                && let Some(session) = self.session
            {
                let view = self.site.calls.look(Some(self.app.key.tenant), session);
                // One that is not there any more has been over for long.
                self.ends = view.await.as_ref().map_or(true, is_settled);
            }
            let quiet = if self.ends {
                limits::EVENT_LAST
            } else {
                limits::EVENT_HEARTBEAT
            };
            let mut stop = self.stop.clone();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return None,
                told = self.live.recv() => match told {
                    Ok(told) => self.earlier.push_back(told),
                    Err(RecvError::Lagged(_)) => self.catch_up(),
                    Err(RecvError::Closed) => return None,
                },
                () = sleep(quiet) => {
                    if self.ends || !self.is_welcome() {
                        return None;
                    }
                    self.asks = self.session.is_some();
                    return Some((Bytes::from_static(HEARTBEAT), self as Box<dyn Pour>));
                }
            }
        }
    }

    /// Whether the application's key is still what it was, and its tenant is not switched off.
    fn is_welcome(&self) -> bool {
        let row = self.site.storage.outbox().application_by_key(self.app.key);
        row.is_some_and(|row| row.api_key_hash == self.app.api_key_hash)
            && auth::is_active(&self.site, self.app.key.tenant)
    }

    /// Looks at what is remembered, since more came than could be kept for this reader.
    fn catch_up(&mut self) {
        let following = self.site.calls.follow(self.app.key.tenant, Some(self.seen));
        self.earlier = following.earlier.into();
        self.missed = Missed::some(following.forgotten);
        self.live = following.live;
    }

    /// Whether an event is to be told; notes that it was seen.
    fn is_news(&mut self, told: &Told) -> bool {
        let is_new = told.number > self.seen;
        self.seen = self.seen.max(told.number);
        is_new && self.concerns(told)
    }

    fn concerns(&self, told: &Told) -> bool {
        let session = self.session;
        told.owner == self.app.key.tenant && session.is_none_or(|session| session == told.session)
    }
}

impl Pour for Source {
    fn next(self: Box<Self>) -> Pin<Box<dyn Future<Output = Step>>> {
        Box::pin(self.tell())
    }
}

impl Missed {
    const fn of(at_most: Option<u64>) -> Self {
        Self {
            event: "missed",
            at_most,
        }
    }

    fn written(&self) -> Bytes {
        let data = serde_json::to_string(self).unwrap_or_default();
        format!("event: {}\ndata: {data}\n\n", self.event).into()
    }

    fn some(count: u64) -> Option<Self> {
        (count > 0).then(|| Self::of(Some(count)))
    }
}

/// Whether this can be the last event of a session.
fn is_an_end(event: &str) -> bool {
    matches!(
        event,
        "call.hangup" | "recording.completed" | "recording.absent" | "recording.failed"
    )
}

/// Whether nothing will be told of a session any more, beyond what is on its way.
pub(super) fn is_settled(view: &CallView) -> bool {
    let is_under_way = |state| matches!(state, "recording" | "ending");
    view.snapshot.state == CallState::HungUp
        && view.ended_at.is_some()
        && !view.recordings.iter().any(|it| is_under_way(it.state))
}

/// What a stream begins with: it tells at once that it is open.
fn opening() -> Bytes {
    format!("retry: {}\n: callreel\n\n", limits::EVENT_RETRY.as_millis()).into()
}

/// An event; its body is JSON on one line.
fn written(run: u32, told: &Told) -> Bytes {
    let mut text = Vec::with_capacity(told.body.len() + 96);
    let mut head = String::with_capacity(96);
    let _ = write!(
        head,
        "id: {}\nevent: {}\ndata: ",
        id(run, told.number),
        told.event
    );
    text.extend_from_slice(head.as_bytes());
    text.extend_from_slice(&told.body);
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// An event's id: its number and, since numbers begin anew with every start, which run it is of.
fn id(run: u32, number: u64) -> String {
    format!("{number}-{run:08x}")
}

/// The number of an id of this run, `Err` for one of another run; a bare number is of this one.
///
/// # Errors
/// It is of another run, or no id at all.
fn number_of(run: u32, id: &str) -> Result<u64, OtherRun> {
    let (number, of) = match id.split_once('-') {
        None => (id, run),
        Some((number, of)) => (number, u32::from_str_radix(of, 16).map_err(|_| OtherRun)?),
    };
    let number = number.parse().map_err(|_| OtherRun)?;
    if of == run { Ok(number) } else { Err(OtherRun) }
}

/// An id that this run did not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OtherRun;

const HEARTBEAT: &[u8] = b": alive\n\n";
