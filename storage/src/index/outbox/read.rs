//! Reads of the outbox. Each is one snapshot and looks at no more rows than it answers, but for
//! one of each application.

use redb::ReadableTable as _;

use super::{ALL, APPS, COUNTS, DEAD, DUE, EVENTS, NOTES, decode_app, decode_counts, decode_dead};
use super::{TIME_HIGH, decode_event, keys};
use crate::error::ReadError;
use crate::index::keys::be64;
use crate::index::{Index, tables};
use crate::outbox::{
    AppKey, Application, DeadLetter, Due, EventPlace, NotedSession, OutboxCounts, OutboxTime,
};

/// Keys and what they lead to.
pub(crate) type RawRows = Vec<(Vec<u8>, Vec<u8>)>;

impl Index {
    /// All applications that can be read.
    pub(crate) fn applications(&self) -> Result<Vec<Application>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, APPS)? else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, bytes) = entry?;
            match decode_app(bytes.value()) {
                Ok(row) => all.push(row),
                Err(error) => {
                    let number = keys::split_app(key.value()).number;
                    log::error!("the row of application {number}: {error}");
                }
            }
        }
        Ok(all)
    }

    /// Due events of the applications wanted, at most `per_app` of each; and how many rows of
    /// `outbox_due` were looked at.
    pub(crate) fn due_events(
        &self,
        now: OutboxTime,
        per_app: usize,
        wanted: &dyn Fn(AppKey) -> bool,
    ) -> Result<(Due, usize), ReadError> {
        let reading = self.begin_read()?;
        let (mut found, mut looked) = (Due::default(), 0);
        let Some(due) = tables::rare(&reading, DUE)? else {
            return Ok((found, looked));
        };
        let Some(events) = tables::rare(&reading, EVENTS)? else {
            return Ok((found, looked));
        };
        let mut from = Some([0; 8]);
        while let Some(start) = from {
            let Some(entry) = due.range(start.as_slice()..)?.next() else {
                break;
            };
            let app = keys::split_app(entry?.0.value());
            from = keys::after(app);
            looked += 1;
            if !wanted(app) {
                continue;
            }
            let mut taken = 0;
            let first = keys::app(app);
            for entry in due.range(first.as_slice()..)? {
                let key = entry?.0.value().to_vec();
                let (at, place) = keys::split_due(&key);
                if place.app != app || taken == per_app {
                    break;
                }
                looked += 1;
                if at > now {
                    found.next_at = Some(found.next_at.map_or(at, |next| next.min(at)));
                    break;
                }
                let row = events.get(keys::place(place).as_slice())?;
                match row.map(|bytes| decode_event(bytes.value())) {
                    Some(Ok(event)) => {
                        taken += 1;
                        found.events.push((place, event));
                    }
                    _ => log::error!("webhook event {} is unreadable", place.number),
                }
            }
        }
        Ok((found, looked))
    }

    /// An application's dead letters, oldest first, those after a number.
    pub(crate) fn dead_letters(
        &self,
        app: AppKey,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(EventPlace, DeadLetter)>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, DEAD)? else {
            return Ok(Vec::new());
        };
        let number = after.map_or(0, |number| number.saturating_add(1));
        let first = keys::place(EventPlace { app, number });
        let mut all = Vec::new();
        for entry in table.range(first.as_slice()..)?.take(limit) {
            let (key, bytes) = entry?;
            let place = keys::split_place(key.value());
            if place.app != app {
                break;
            }
            match decode_dead(bytes.value()) {
                Ok(letter) => all.push((place, letter)),
                Err(error) => log::error!("dead letter {}: {error}", place.number),
            }
        }
        Ok(all)
    }

    /// All notes of calls, ordered by application and session.
    pub(crate) fn session_notes(&self) -> Result<Vec<NotedSession>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, NOTES)? else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, bytes) = entry?;
            all.push(NotedSession {
                app: keys::split_app(key.value()),
                session: keys::split_uuid(key.value()),
                note: bytes.value().to_vec(),
            });
        }
        Ok(all)
    }

    pub(crate) fn outbox_counts(&self, app: AppKey) -> Result<OutboxCounts, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, COUNTS)? else {
            return Ok(OutboxCounts::default());
        };
        let held = table.get(keys::app(app).as_slice())?;
        Ok(held.map_or_else(OutboxCounts::default, |bytes| decode_counts(bytes.value())))
    }

    /// The latest moment of the outbox's time that was written.
    pub(crate) fn outbox_time(&self) -> Result<OutboxTime, ReadError> {
        Ok(OutboxTime(self.outbox_high(TIME_HIGH)?))
    }

    /// A number of the outbox's book-keeping.
    pub(crate) fn outbox_high(&self, name: &str) -> Result<u64, ReadError> {
        let table = self.begin_read()?.open_table(tables::META)?;
        Ok(table.get(name)?.map_or(0, |guard| be64(guard.value())))
    }

    /// The rows of one of [`ALL`] after a key, undecoded, at most `limit`.
    pub(crate) fn walk_outbox(
        &self,
        table: usize,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<RawRows, ReadError> {
        let reading = self.begin_read()?;
        let Some(definition) = ALL.get(table) else {
            return Ok(Vec::new());
        };
        let Some(table) = tables::rare(&reading, *definition)? else {
            return Ok(Vec::new());
        };
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let range = table.range::<&[u8]>((start, std::ops::Bound::Unbounded))?;
        let mut all = Vec::new();
        for entry in range.take(limit) {
            let (key, bytes) = entry?;
            all.push((key.value().to_vec(), bytes.value().to_vec()));
        }
        Ok(all)
    }
}
