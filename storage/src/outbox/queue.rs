//! Events: appended, looked for, settled, given up and replayed.

use std::sync::Arc;

use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::{
    AppKey, Appended, DeadCause, DeadLetter, Due, EventPlace, NewEvent, NotedSession, Outbox,
    OutboxCounts, OutboxError, OutboxTime, SessionNote,
};
use crate::error::WriteError;
use crate::index::apply::{Applied, Change, Refusal};
use crate::index::commit::Job;
use crate::index::outbox::OutboxChange;
use crate::limits::{
    COMMIT_WINDOW, OUTBOX_APPEND_MAX, OUTBOX_DATA_MAX, OUTBOX_ERROR_MAX, OUTBOX_NAME_MAX, PAGE_MAX,
    SESSION_NOTE_MAX,
};

impl Outbox {
    /// The outbox's time.
    #[must_use]
    pub fn now(&self) -> OutboxTime {
        self.shared.outbox.timeline().now()
    }

    /// Told after each change that may have made an event due. One waiter is woken.
    #[must_use]
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(self.shared.outbox.changed())
    }

    /// Appends events in this order, all or none; durable when it returns. When
    /// [`crate::limits::OUTBOX_WAITING_MAX`] events wait already, the oldest becomes a dead
    /// letter for each. Blocks on the disk.
    ///
    /// # Errors
    /// [`OutboxError`]: `NoApplication`, `TooLong`, `Unreadable`, `Write`. After `Write` the same
    /// events, under the same ids, may be appended again.
    pub fn append(&self, app: AppKey, events: Vec<NewEvent>) -> Result<Vec<Appended>, OutboxError> {
        self.append_noted(app, events, None)
    }

    /// The same, and in the same commit changes what is kept of a call: also when there are no
    /// events, or the application hears of none of them.
    ///
    /// # Errors
    /// As [`Outbox::append`]; nothing is kept then.
    pub fn append_noted(
        &self,
        app: AppKey,
        events: Vec<NewEvent>,
        note: Option<(Uuid, SessionNote)>,
    ) -> Result<Vec<Appended>, OutboxError> {
        let change = self.append_change(app, events, note)?;
        let applied = self.shared.committer.commit(change)?;
        let appended = appended(applied)?;
        self.shared.outbox.changed().notify_one();
        Ok(appended)
    }

    /// What is kept of calls, ordered by application and session. Right after opening: of those
    /// that were on when the store was closed or the daemon died.
    ///
    /// # Errors
    /// [`OutboxError::Read`].
    pub fn noted_sessions(&self) -> Result<Vec<NotedSession>, OutboxError> {
        Ok(self.shared.index.session_notes()?)
    }

    /// [`Outbox::append_noted`] without waiting. `done` is told once, on the index's thread and
    /// when all is durable: only then may what the events tell of be acknowledged. A commit that
    /// fails is tried again until it is made; a store that closes meanwhile drops `done`.
    ///
    /// What is appended by one thread is committed in that order. All events of one command or
    /// signal are one append, with the note that goes with them.
    ///
    /// # Errors
    /// [`OutboxError`]: `TooLong`; `Busy` when [`crate::limits::COMMIT_QUEUE_MAX`] changes wait.
    /// `done` is not told then.
    pub fn append_then(
        &self,
        app: AppKey,
        events: Vec<NewEvent>,
        note: Option<(Uuid, SessionNote)>,
        done: impl FnOnce(Result<Vec<Appended>, OutboxError>) + Send + 'static,
    ) -> Result<(), OutboxError> {
        let change = self.append_change(app, events, note)?;
        let changed = self.changed();
        let job = Job {
            change,
            urgent: true,
            keep: true,
            reply: Some(Box::new(move |result| {
                let result = result.map_err(OutboxError::from).and_then(appended);
                changed.notify_one();
                done(result);
            })),
        };
        let offered = self.shared.committer.offer(job);
        offered.map_err(|_| OutboxError::Busy)
    }

    /// Events that may be delivered now, at most `per_app` of each application that is delivered
    /// to. Costs a look at each such application and one at each event answered, however many
    /// wait behind them.
    ///
    /// # Errors
    /// [`OutboxError::Read`].
    pub fn due(&self, now: OutboxTime, per_app: usize) -> Result<Due, OutboxError> {
        Ok(self.due_looked(now, per_app)?.0)
    }

    /// The same, and how many places were looked at.
    pub(super) fn due_looked(
        &self,
        now: OutboxTime,
        per_app: usize,
    ) -> Result<(Due, usize), OutboxError> {
        let applications = self.shared.outbox.applications.load();
        let wanted = |app: AppKey| {
            let row = applications.by_key.get(&app);
            row.is_some_and(|row| row.is_delivered_to())
        };
        Ok(self.shared.index.due_events(now, per_app, &wanted)?)
    }

    /// An event arrived; durable when it returns.
    ///
    /// # Errors
    /// [`OutboxError::Write`]: it will be delivered again, under the same id.
    pub async fn delivered(&self, place: EventPlace) -> Result<(), OutboxError> {
        self.settle(OutboxChange::Delivered(place)).await.map(drop)
    }

    /// An attempt failed; the event waits until `next_at`. Errors longer than
    /// [`OUTBOX_ERROR_MAX`] bytes are cut.
    ///
    /// # Errors
    /// [`OutboxError::Write`]: it stays due.
    pub async fn failed(
        &self,
        place: EventPlace,
        error: &str,
        next_at: OutboxTime,
    ) -> Result<(), OutboxError> {
        let error = cut(error);
        self.settle(OutboxChange::Failed {
            place,
            error,
            next_at,
        })
        .await
        .map(drop)
    }

    /// An event becomes a dead letter; the next of its session is due then.
    ///
    /// # Errors
    /// [`OutboxError::Write`]: it stays due.
    pub async fn dead(
        &self,
        place: EventPlace,
        error: &str,
        cause: DeadCause,
    ) -> Result<(), OutboxError> {
        let change = OutboxChange::Dead {
            place,
            error: Some(cut(error)),
            cause,
            wall: self.shared.outbox.timeline().wall(),
        };
        self.settle(change).await.map(drop)
    }

    /// Makes dead letters of what waits longer than [`crate::limits::OUTBOX_AGE`] for an
    /// application that is not delivered to; a step at a time. Answers how many; 0 when none are
    /// left. (Where deliveries are made, an event ends after an attempt, so that one that was
    /// kept through a long power cut is tried at least once.)
    ///
    /// # Errors
    /// [`OutboxError::Write`].
    pub async fn expire(&self, app: AppKey) -> Result<u64, OutboxError> {
        let row = self.application_by_key(app);
        if row.is_none_or(|row| row.is_delivered_to()) {
            return Ok(0);
        }
        let timeline = self.shared.outbox.timeline();
        let (now, wall) = (timeline.now(), timeline.wall());
        let applied = self.settle(OutboxChange::Expire { app, now, wall }).await?;
        Ok(moved(&applied))
    }

    /// An application's dead letters, oldest first, those after a place; at most `limit` (1 to
    /// [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`OutboxError::Read`].
    pub fn dead_letters(
        &self,
        app: AppKey,
        after: Option<EventPlace>,
        limit: usize,
    ) -> Result<Vec<(EventPlace, DeadLetter)>, OutboxError> {
        let after = after.map(|place| place.number);
        let limit = limit.clamp(1, PAGE_MAX);
        Ok(self.shared.index.dead_letters(app, after, limit)?)
    }

    /// Lets dead letters wait again, under their ids and sequences, with a fresh age: before later
    /// events of their session that still wait. Answers how many; of more than
    /// [`crate::limits::OUTBOX_STEP`] ids the first, and none where too many wait already.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`OutboxError`]: `NoApplication`, `Write`.
    pub fn replay(&self, app: AppKey, ids: &[Uuid]) -> Result<u64, OutboxError> {
        self.application_by_key(app)
            .ok_or(OutboxError::NoApplication)?;
        let change = Change::Outbox(OutboxChange::Replay {
            app,
            now: self.now(),
            ids: ids.into(),
        });
        let applied = self.shared.committer.commit(change)?;
        self.shared.outbox.changed().notify_one();
        Ok(moved(&applied))
    }

    /// How many of an application's events are where.
    ///
    /// # Errors
    /// [`OutboxError::Read`].
    pub fn counts(&self, app: AppKey) -> Result<OutboxCounts, OutboxError> {
        Ok(self.shared.index.outbox_counts(app)?)
    }

    fn append_change(
        &self,
        app: AppKey,
        events: Vec<NewEvent>,
        note: Option<(Uuid, SessionNote)>,
    ) -> Result<Change, OutboxError> {
        let too_long = |what, most| Err(OutboxError::TooLong { what, most });
        if events.len() > OUTBOX_APPEND_MAX {
            return too_long("events at once", OUTBOX_APPEND_MAX);
        }
        if events.iter().any(|new| new.event.len() > OUTBOX_NAME_MAX) {
            return too_long("event", OUTBOX_NAME_MAX);
        }
        if events.iter().any(|new| new.data.len() > OUTBOX_DATA_MAX) {
            return too_long("data", OUTBOX_DATA_MAX);
        }
        if let Some((_, SessionNote::Keep(bytes))) = &note
            && bytes.len() > SESSION_NOTE_MAX
        {
            return too_long("note", SESSION_NOTE_MAX);
        }
        let timeline = self.shared.outbox.timeline();
        Ok(Change::Outbox(OutboxChange::Append {
            app,
            now: timeline.now(),
            wall: timeline.wall(),
            events: events.into(),
            note: note.map(Arc::new),
        }))
    }

    /// Makes a change and waits for it without holding up a thread; a full queue is waited for.
    async fn settle(&self, change: OutboxChange) -> Result<Applied, OutboxError> {
        let (answer, answered) = oneshot::channel();
        let mut job = Job {
            change: Change::Outbox(change),
            urgent: true,
            keep: false,
            reply: Some(Box::new(move |result| {
                let _ = answer.send(result);
            })),
        };
        while let Err(back) = self.shared.committer.offer(job) {
            job = back;
            tokio::time::sleep(COMMIT_WINDOW).await;
        }
        let applied = answered.await.map_err(|_| WriteError::Closing)??;
        self.shared.outbox.changed().notify_one();
        Ok(applied)
    }
}

fn appended(applied: Applied) -> Result<Vec<Appended>, OutboxError> {
    match applied {
        Applied::Appended(appended) => Ok(appended),
        Applied::Refused(Refusal::Unreadable) => Err(OutboxError::Unreadable),
        _ => Err(OutboxError::NoApplication),
    }
}

fn moved(applied: &Applied) -> u64 {
    match applied {
        Applied::Moved(count) => *count,
        _ => 0,
    }
}

fn cut(error: &str) -> String {
    crate::accounts::cut(error, OUTBOX_ERROR_MAX).to_owned()
}
