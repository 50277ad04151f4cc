//! From a session's events to the outbox, and from there to whoever watches or waits. The exchange
//! never waits for the disk: what the index has no room for is kept here, in order, and offered
//! again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use storage::ids::TenantId;
use storage::limits::OUTBOX_APPEND_MAX;
use storage::outbox::{AppKey, Appended, NewEvent, OutboxError, SessionNote};
use uuid::Uuid;

use super::figures::{Counters, count};
use super::hub::{Hub, Published};
use super::ledger::{Ledger, data_of};
use super::limits;
use super::store::Store;
use crate::engine::session::event::SessionEvent;
use crate::engine::webhook::event::body;

/// Told once what an input led to is durable, or cannot be kept.
pub(super) type Reply = Box<dyn FnOnce(Result<(), NotKept>) + Send>;

/// Events could not be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotKept;

/// What one input led to.
pub(super) struct Batch {
    pub(super) owner: TenantId,
    /// Without an application, events are shown and not kept.
    pub(super) app: Option<AppKey>,
    pub(super) session: Uuid,
    pub(super) events: Vec<SessionEvent>,
    /// What is owed after these events.
    pub(super) ledger: Ledger,
    pub(super) reply: Option<Reply>,
}

/// Tells events in order.
pub(super) struct Teller {
    store: Arc<dyn Store>,
    shown: Arc<Shown>,
    /// Refused for want of room; the oldest first.
    waiting: VecDeque<Arc<Entry>>,
    /// Appends that were taken and are not durable yet.
    under_way: Arc<AtomicUsize>,
}

struct Shown {
    hub: Arc<Hub>,
    counters: Arc<Counters>,
}

/// One append.
struct Entry {
    owner: TenantId,
    app: AppKey,
    session: Uuid,
    events: Vec<NewEvent>,
    names: Vec<&'static str>,
    note: SessionNote,
    reply: Mutex<Option<Reply>>,
}

impl Teller {
    pub(super) fn new(store: Arc<dyn Store>, hub: Arc<Hub>, counters: Arc<Counters>) -> Self {
        Self {
            store,
            shown: Arc::new(Shown { hub, counters }),
            waiting: VecDeque::new(),
            under_way: Arc::default(),
        }
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Whether so much waits that nothing new should be begun.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting.len() > limits::BACKLOG_COMMANDS
    }

    /// Whether something is to be offered again after [`limits::RETRY`].
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether everything that was told is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.load(Ordering::Acquire) == 0
    }

    /// Tells what an input led to.
    pub(super) fn tell(&mut self, batch: Batch) {
        let Some(app) = batch.app else {
            self.shown.show_unkept(batch);
            return;
        };
        let names: Vec<_> = batch.events.iter().map(|told| told.event.name()).collect();
        let mut events: Vec<NewEvent> = batch
            .events
            .iter()
            .map(|told| new_event(batch.session, told))
            .collect();
        let mut reply = batch.reply;
        let mut told = 0;
        loop {
            let rest = events.split_off(events.len().min(OUTBOX_APPEND_MAX));
            let is_last = rest.is_empty();
            let until = told + events.len();
            self.push(Entry {
                owner: batch.owner,
                app,
                session: batch.session,
                names: names.get(told..until).unwrap_or_default().to_vec(),
                note: batch.ledger.note(&rest),
                events,
                reply: Mutex::new(reply.take_if(|_| is_last)),
            });
            if is_last {
                break;
            }
            (events, told) = (rest, until);
        }
        self.offer();
    }

    fn push(&mut self, entry: Entry) {
        if self.waiting.len() < limits::BACKLOG {
            self.waiting.push_back(Arc::new(entry));
            return;
        }
        log::error!(
            call = entry.session.to_string().as_str();
            "session {}: {} events are lost: the index has had no room for {} commits",
            entry.session,
            entry.events.len(),
            limits::BACKLOG
        );
        entry.answer(Err(NotKept));
    }

    /// Offers what waits, until the index has no room.
    pub(super) fn offer(&mut self) {
        while let Some(entry) = self.waiting.front() {
            let taken = self.append(entry);
            match taken {
                Err(OutboxError::Busy) => return,
                Err(error) => {
                    log::error!(
                        call = entry.session.to_string().as_str();
                        "session {}: events are lost: {error}", entry.session
                    );
                    entry.answer(Err(NotKept));
                }
                Ok(()) => {}
            }
            self.waiting.pop_front();
        }
    }

    fn append(&self, entry: &Arc<Entry>) -> Result<(), OutboxError> {
        let note = Some((entry.session, entry.note.clone()));
        let (kept, shown) = (Arc::clone(entry), Arc::clone(&self.shown));
        let ticket = Ticket::new(&self.under_way);
        let done = move |appended: Result<Vec<Appended>, OutboxError>| {
            kept.done(appended, &shown);
            drop(ticket);
        };
        let events = entry.events.clone();
        self.store
            .append_then(entry.app, events, note, Box::new(done))
    }
}

/// Counts an append for as long as it is under way, however it ends.
struct Ticket(Arc<AtomicUsize>);

impl Ticket {
    fn new(under_way: &Arc<AtomicUsize>) -> Self {
        under_way.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(under_way))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Entry {
    /// On the index's thread, in the order of commits.
    fn done(&self, appended: Result<Vec<Appended>, OutboxError>, shown: &Shown) {
        let appended = match appended {
            Ok(appended) => appended,
            Err(error) => {
                log::error!(
                    call = self.session.to_string().as_str();
                    "session {}: events are lost: {error}", self.session
                );
                return self.answer(Err(NotKept));
            }
        };
        let events = self.events.iter().zip(&self.names);
        for ((event, name), appended) in events.zip(appended) {
            // What the application's filter leaves out has no number, and is not told at all.
            if let Appended::Numbered { sequence, .. } = appended {
                shown.show(self.owner, event, name, sequence);
            }
        }
        self.answer(Ok(()));
    }

    fn answer(&self, kept: Result<(), NotKept>) {
        let mut reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = reply.take() {
            reply(kept);
        }
    }
}

impl Shown {
    fn show_unkept(&self, batch: Batch) {
        for told in &batch.events {
            let event = new_event(batch.session, told);
            self.show(batch.owner, &event, told.event.name(), told.sequence);
        }
        if let Some(reply) = batch.reply {
            reply(Ok(()));
        }
    }

    fn show(&self, owner: TenantId, event: &NewEvent, name: &'static str, sequence: u64) {
        count(&self.counters.events, 1);
        match body(name, event.session, sequence, &event.data) {
            Ok(body) => self.hub.publish(Published {
                id: event.id,
                owner,
                session: event.session,
                event: name,
                body,
            }),
            Err(error) => log::error!(
                call = event.session.to_string().as_str();
                "session {}: {name}: {error}", event.session
            ),
        }
    }
}

fn new_event(session: Uuid, told: &SessionEvent) -> NewEvent {
    NewEvent {
        id: Uuid::new_v4(),
        session,
        event: told.event.name().into(),
        data: data_of(&told.event),
    }
}
