//! The tables of events, open for writing, and the steps that changes are made of. After each
//! step: an event waits in `outbox_events`, `outbox_ids` and `outbox_order`, or lies in
//! `outbox_dead` and `outbox_ids`; and `outbox_due` holds exactly each session's earliest one.

use redb::{ReadableTable as _, StorageError, Table};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::tables::Tables;
use super::super::values;
use super::{
    Bytes, COUNTS, DAYS, DEAD, DUE, EVENTS, IDS, ORDER, SEQUENCES, decode_counts, decode_dead,
    decode_event, keys,
};
use crate::index::keys::be64;
use crate::limits::{OUTBOX_DEAD_MAX, OUTBOX_FORGET_STEP, OUTBOX_SESSION_DAYS};
use crate::outbox::{
    AppKey, Appended, DeadCause, DeadLetter, Event, EventPlace, OutboxCounts, OutboxTime,
};
use crate::record::WallMillis;

/// The tables.
pub(super) struct Book<'t> {
    events: Table<'t, Bytes, Bytes>,
    dead: Table<'t, Bytes, Bytes>,
    ids: Table<'t, Bytes, Bytes>,
    order: Table<'t, Bytes, Bytes>,
    due: Table<'t, Bytes, Bytes>,
    sequences: Table<'t, Bytes, Bytes>,
    days: Table<'t, Bytes, Bytes>,
    counts: Table<'t, Bytes, Bytes>,
}

/// Where a session's numbers stand.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct SequenceRow {
    last: u64,
    /// Days since the outbox's time began.
    day: u32,
}

impl<'t> Book<'t> {
    pub(super) fn open(tables: &Tables<'t>) -> Result<Self, StorageError> {
        Ok(Self {
            events: tables.rare(EVENTS)?,
            dead: tables.rare(DEAD)?,
            ids: tables.rare(IDS)?,
            order: tables.rare(ORDER)?,
            due: tables.rare(DUE)?,
            sequences: tables.rare(SEQUENCES)?,
            days: tables.rare(DAYS)?,
            counts: tables.rare(COUNTS)?,
        })
    }

    /// What an id came to that still waits or lies dead.
    pub(super) fn known(&self, app: AppKey, id: Uuid) -> Result<Option<Appended>, StorageError> {
        let Some((is_dead, place)) = self.find(app, id)? else {
            return Ok(None);
        };
        let event = if is_dead {
            self.letter(place)?.map(|letter| letter.event)
        } else {
            self.waiting(place)?
        };
        Ok(event.map(|event| Appended::Numbered {
            sequence: event.sequence,
            waits: !is_dead,
        }))
    }

    pub(super) fn next_sequence(
        &mut self,
        app: AppKey,
        session: Uuid,
        now: OutboxTime,
    ) -> Result<u64, StorageError> {
        let key = keys::uuid(app, session);
        let held: Option<SequenceRow> = match self.sequences.get(key.as_slice())? {
            Some(bytes) => values::decode(bytes.value()).ok(),
            None => None,
        };
        let today = day_of(now);
        if held.is_none_or(|row| row.day != today) {
            let key = keys::day(app, today, session);
            self.days.insert(key.as_slice(), NOTHING)?;
        }
        let row = SequenceRow {
            last: held.unwrap_or_default().last + 1,
            day: today,
        };
        let bytes = values::encode(&row);
        self.sequences.insert(key.as_slice(), bytes.as_slice())?;
        Ok(row.last)
    }

    /// Forgets the numbers of a few sessions that had no event for long.
    pub(super) fn forget_sessions(
        &mut self,
        app: AppKey,
        now: OutboxTime,
    ) -> Result<(), StorageError> {
        let Some(end) = day_of(now).checked_sub(OUTBOX_SESSION_DAYS) else {
            return Ok(());
        };
        let first = keys::day(app, 0, Uuid::nil());
        let last = keys::day(app, end, Uuid::nil());
        let mut old = Vec::new();
        for entry in self.days.range(first.as_slice()..last.as_slice())? {
            old.push(entry?.0.value().to_vec());
            if old.len() == OUTBOX_FORGET_STEP {
                break;
            }
        }
        for key in old {
            self.days.remove(key.as_slice())?;
            let (day, session) = keys::split_day(&key);
            let key = keys::uuid(app, session);
            let row: Option<SequenceRow> = match self.sequences.get(key.as_slice())? {
                Some(bytes) => values::decode(bytes.value()).ok(),
                None => None,
            };
            if row.is_none_or(|row| row.day <= day) {
                self.sequences.remove(key.as_slice())?;
            }
        }
        Ok(())
    }

    /// Lets an event wait.
    pub(super) fn wait(&mut self, place: EventPlace, event: &Event) -> Result<(), StorageError> {
        let (app, session) = (place.app, event.session);
        // A replayed event may come before the one that was the session's earliest.
        if let Some(head) = self.head(app, session)? {
            self.hold(head)?;
        }
        let number = place.number.to_be_bytes();
        let order = keys::order(app, session, event.sequence);
        self.order.insert(order.as_slice(), number.as_slice())?;
        self.note(place, event.id, false)?;
        self.put(place, event)?;
        self.release(app, session)?;
        self.count(app, |counts| counts.waiting += 1)
    }

    /// Takes an event out; the next of its session is due then.
    pub(super) fn take(&mut self, place: EventPlace) -> Result<Option<Event>, StorageError> {
        let Some(event) = self.waiting(place)? else {
            return Ok(None);
        };
        let (app, session) = (place.app, event.session);
        self.hold(place)?;
        let order = keys::order(app, session, event.sequence);
        self.order.remove(order.as_slice())?;
        self.ids.remove(keys::uuid(app, event.id).as_slice())?;
        self.events.remove(keys::place(place).as_slice())?;
        self.release(app, session)?;
        self.count(app, |counts| {
            counts.waiting = counts.waiting.saturating_sub(1)
        })?;
        Ok(Some(event))
    }

    /// An event arrived, even if it became a dead letter while it was under way.
    pub(super) fn delivered(&mut self, place: EventPlace) -> Result<(), StorageError> {
        let was_there = match self.take(place)? {
            Some(_) => true,
            None => self.drop_letter(place)?.is_some(),
        };
        if was_there {
            self.count(place.app, |counts| counts.delivered += 1)?;
        }
        Ok(())
    }

    pub(super) fn failed(
        &mut self,
        place: EventPlace,
        error: &str,
        next_at: OutboxTime,
    ) -> Result<(), StorageError> {
        let Some(mut event) = self.waiting(place)? else {
            return Ok(());
        };
        self.hold(place)?;
        event.attempts = event.attempts.saturating_add(1);
        event.last_error = Some(error.to_owned());
        event.next_at = next_at;
        self.put(place, &event)?;
        self.release(place.app, event.session)
    }

    /// Puts an event that was taken out among the dead letters.
    pub(super) fn bury(
        &mut self,
        place: EventPlace,
        event: Event,
        cause: DeadCause,
        wall: WallMillis,
    ) -> Result<(), StorageError> {
        let app = place.app;
        if self.counts(app)?.dead >= OUTBOX_DEAD_MAX {
            let oldest = first(&self.dead, app)?;
            if let Some(oldest) = oldest
                && self.drop_letter(keys::split_place(&oldest))?.is_some()
            {
                self.count(app, |counts| counts.forgotten += 1)?;
            }
        }
        self.note(place, event.id, true)?;
        let letter = DeadLetter {
            event,
            cause,
            died_at: wall,
        };
        let (key, bytes) = (keys::place(place), values::encode(&letter));
        self.dead.insert(key.as_slice(), bytes.as_slice())?;
        self.count(app, |counts| {
            counts.dead += 1;
            match cause {
                DeadCause::Overflow => counts.overflowed += 1,
                DeadCause::Age | DeadCause::Undeliverable => counts.given_up += 1,
            }
        })
    }

    /// Takes a dead letter out by its id.
    pub(super) fn exhume(
        &mut self,
        app: AppKey,
        id: Uuid,
    ) -> Result<Option<DeadLetter>, StorageError> {
        match self.find(app, id)? {
            Some((true, place)) => self.drop_letter(place),
            _ => Ok(None),
        }
    }

    /// Makes room for one more.
    pub(super) fn overflow(&mut self, app: AppKey, wall: WallMillis) -> Result<(), StorageError> {
        let Some((place, _)) = self.oldest(app)? else {
            return Ok(());
        };
        if let Some(event) = self.take(place)? {
            self.bury(place, event, DeadCause::Overflow, wall)?;
        }
        Ok(())
    }

    /// The event that waits longest. One that cannot be read goes: it could never be delivered.
    pub(super) fn oldest(
        &mut self,
        app: AppKey,
    ) -> Result<Option<(EventPlace, Event)>, StorageError> {
        while let Some(key) = first(&self.events, app)? {
            let place = keys::split_place(&key);
            if let Some(event) = self.waiting(place)? {
                return Ok(Some((place, event)));
            }
            log::error!("webhook event {} is unreadable and dropped", place.number);
            self.events.remove(key.as_slice())?;
            self.count(app, |counts| {
                counts.waiting = counts.waiting.saturating_sub(1)
            })?;
        }
        Ok(None)
    }

    pub(super) fn counts(&self, app: AppKey) -> Result<OutboxCounts, StorageError> {
        let held = self.counts.get(keys::app(app).as_slice())?;
        Ok(held.map_or_else(OutboxCounts::default, |bytes| decode_counts(bytes.value())))
    }

    fn count(
        &mut self,
        app: AppKey,
        change: impl FnOnce(&mut OutboxCounts),
    ) -> Result<(), StorageError> {
        let mut counts = self.counts(app)?;
        change(&mut counts);
        let bytes = values::encode(&counts);
        self.counts
            .insert(keys::app(app).as_slice(), bytes.as_slice())?;
        Ok(())
    }

    fn find(&self, app: AppKey, id: Uuid) -> Result<Option<(bool, EventPlace)>, StorageError> {
        let held = self.ids.get(keys::uuid(app, id).as_slice())?;
        Ok(held.and_then(|bytes| {
            let (kind, number) = bytes.value().split_first()?;
            let number = be64(number);
            Some((*kind == 1, EventPlace { app, number }))
        }))
    }

    fn note(&mut self, place: EventPlace, id: Uuid, is_dead: bool) -> Result<(), StorageError> {
        let mut value = vec![u8::from(is_dead)];
        value.extend_from_slice(&place.number.to_be_bytes());
        self.ids
            .insert(keys::uuid(place.app, id).as_slice(), value.as_slice())?;
        Ok(())
    }

    fn waiting(&self, place: EventPlace) -> Result<Option<Event>, StorageError> {
        let held = self.events.get(keys::place(place).as_slice())?;
        Ok(held.and_then(|bytes| decode_event(bytes.value()).ok()))
    }

    fn letter(&self, place: EventPlace) -> Result<Option<DeadLetter>, StorageError> {
        let held = self.dead.get(keys::place(place).as_slice())?;
        Ok(held.and_then(|bytes| decode_dead(bytes.value()).ok()))
    }

    fn drop_letter(&mut self, place: EventPlace) -> Result<Option<DeadLetter>, StorageError> {
        let letter = self.letter(place)?;
        if let Some(letter) = &letter {
            let id = keys::uuid(place.app, letter.event.id);
            self.ids.remove(id.as_slice())?;
        }
        let key = keys::place(place);
        let was_there = self.dead.remove(key.as_slice())?.is_some();
        if was_there {
            self.count(place.app, |counts| {
                counts.dead = counts.dead.saturating_sub(1)
            })?;
        }
        Ok(letter)
    }

    fn put(&mut self, place: EventPlace, event: &Event) -> Result<(), StorageError> {
        let (key, bytes) = (keys::place(place), values::encode(event));
        self.events.insert(key.as_slice(), bytes.as_slice())?;
        Ok(())
    }

    /// The earliest waiting event of a session.
    fn head(&self, app: AppKey, session: Uuid) -> Result<Option<EventPlace>, StorageError> {
        let (first, last) = (
            keys::order(app, session, 0),
            keys::order(app, session, u64::MAX),
        );
        let mut range = self.order.range(first.as_slice()..=last.as_slice())?;
        let Some(entry) = range.next() else {
            return Ok(None);
        };
        let number = be64(entry?.1.value());
        Ok(Some(EventPlace { app, number }))
    }

    /// An event is not due for now, if it was.
    fn hold(&mut self, place: EventPlace) -> Result<(), StorageError> {
        if let Some(event) = self.waiting(place)? {
            let key = keys::due(place.app, event.next_at, place.number);
            self.due.remove(key.as_slice())?;
        }
        Ok(())
    }

    /// The earliest event of a session becomes due at its time.
    fn release(&mut self, app: AppKey, session: Uuid) -> Result<(), StorageError> {
        let Some(place) = self.head(app, session)? else {
            return Ok(());
        };
        if let Some(event) = self.waiting(place)? {
            let key = keys::due(app, event.next_at, place.number);
            self.due.insert(key.as_slice(), NOTHING)?;
        }
        Ok(())
    }
}

/// An application's first key in a table.
fn first(table: &Table<'_, Bytes, Bytes>, app: AppKey) -> Result<Option<Vec<u8>>, StorageError> {
    let start = keys::app(app);
    let Some(entry) = table.range(start.as_slice()..)?.next() else {
        return Ok(None);
    };
    let key = entry?.0.value().to_vec();
    Ok((keys::split_app(&key) == app).then_some(key))
}

fn day_of(at: OutboxTime) -> u32 {
    u32::try_from(at.0 / DAY_MS).unwrap_or(u32::MAX)
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const NOTHING: &[u8] = &[];
