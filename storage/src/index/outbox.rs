//! The outbox's tables and what changes do to them. What applications and events mean is in
//! `crate::outbox`; reads are in `outbox/read.rs`.
//!
//! Every key begins with the tenant and the application's number (8 bytes, big-endian):
//!
//! | table | key after that | value |
//! |---|---|---|
//! | `outbox_apps` | | row |
//! | `outbox_events` | number (8) | row of a waiting event |
//! | `outbox_dead` | number (8) | row of a dead letter |
//! | `outbox_ids` | id (16) | 0 waiting or 1 dead (1), number (8) |
//! | `outbox_order` | session (16), sequence (8) | number (8) of a waiting event |
//! | `outbox_due` | next attempt (8), number (8) | nothing; only each session's earliest event |
//! | `outbox_sequences` | session (16) | last sequence and the day of it |
//! | `outbox_days` | day (4), session (16) | nothing; days on which a session had events |
//! | `outbox_counts` | | row |
//! | `outbox_notes` | session (16) | what is kept of a call while it is on, as it was given |

mod book;
pub(crate) mod keys;
pub(crate) mod read;

use std::sync::Arc;

use redb::{ReadableTable as _, StorageError, TableDefinition};
use uuid::Uuid;

use self::book::Book;
use super::apply::{Applied, Refusal, raise, read_u64};
use super::tables::Tables;
use super::values::{self, ValueError};
use crate::limits::{OUTBOX_AGE, OUTBOX_STEP, OUTBOX_WAITING_MAX};
use crate::outbox::{
    AppKey, Appended, Application, DeadCause, DeadLetter, Event, EventPlace, NewEvent,
    OutboxCounts, OutboxTime, SessionNote,
};
use crate::record::WallMillis;

type Bytes = &'static [u8];
type Definition = TableDefinition<'static, Bytes, Bytes>;

pub(crate) const APPS: Definition = TableDefinition::new("outbox_apps");
pub(crate) const EVENTS: Definition = TableDefinition::new("outbox_events");
pub(crate) const DEAD: Definition = TableDefinition::new("outbox_dead");
pub(crate) const IDS: Definition = TableDefinition::new("outbox_ids");
pub(crate) const ORDER: Definition = TableDefinition::new("outbox_order");
pub(crate) const DUE: Definition = TableDefinition::new("outbox_due");
pub(crate) const SEQUENCES: Definition = TableDefinition::new("outbox_sequences");
pub(crate) const DAYS: Definition = TableDefinition::new("outbox_days");
pub(crate) const COUNTS: Definition = TableDefinition::new("outbox_counts");
pub(crate) const NOTES: Definition = TableDefinition::new("outbox_notes");

/// All of them, for reindexing.
pub(crate) const ALL: [Definition; 10] = [
    APPS, EVENTS, DEAD, IDS, ORDER, DUE, SEQUENCES, DAYS, COUNTS, NOTES,
];

/// In `meta`; u64, big-endian: the highest number ever given to an application, the highest given
/// to an event, and the latest moment of the outbox's time that was written.
pub(crate) const APP_HIGH: &str = "outbox_app_high";
pub(crate) const EVENT_HIGH: &str = "outbox_event_high";
pub(crate) const TIME_HIGH: &str = "outbox_time_high";

/// A change to the outbox.
#[derive(Clone, Debug)]
pub(crate) enum OutboxChange {
    /// An application's row, new or again.
    PutApp(Box<Application>),
    /// Events, in this order, and what is kept of a call from then on.
    Append {
        app: AppKey,
        now: OutboxTime,
        wall: WallMillis,
        events: Arc<[NewEvent]>,
        note: Option<Arc<(Uuid, SessionNote)>>,
    },
    /// It was delivered; nothing if it is gone.
    Delivered(EventPlace),
    /// It was not, and waits until then; nothing if it is gone.
    Failed {
        place: EventPlace,
        error: String,
        next_at: OutboxTime,
    },
    /// It is not tried again; nothing if it is gone.
    Dead {
        place: EventPlace,
        error: Option<String>,
        cause: DeadCause,
        wall: WallMillis,
    },
    /// These dead letters wait again, as far as there is room.
    Replay {
        app: AppKey,
        now: OutboxTime,
        ids: Arc<[Uuid]>,
    },
    /// What is too old becomes dead letters, [`OUTBOX_STEP`] at most.
    Expire {
        app: AppKey,
        now: OutboxTime,
        wall: WallMillis,
    },
    /// Rows of an older index as they are, for one of [`ALL`], for reindexing.
    Restore(usize, Arc<read::RawRows>),
    /// Numbers of an older index, for reindexing.
    Pass(&'static str, u64),
}

impl OutboxChange {
    pub(super) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
        match self {
            Self::PutApp(row) => {
                let bytes = values::encode(&**row);
                let key = keys::app(row.key);
                tables
                    .rare(APPS)?
                    .insert(key.as_slice(), bytes.as_slice())?;
                raise(tables, APP_HIGH, row.key.number.into())
            }
            Self::Append {
                app,
                now,
                wall,
                events,
                note,
            } => {
                let appended = append(tables, *app, *now, *wall, events)?;
                if let (Applied::Appended(_), Some(note)) = (&appended, note) {
                    keep(tables, *app, note)?;
                }
                Ok(appended)
            }
            Self::Delivered(place) => {
                Book::open(tables)?.delivered(*place)?;
                Ok(Applied::Done)
            }
            Self::Failed {
                place,
                error,
                next_at,
            } => {
                Book::open(tables)?.failed(*place, error, *next_at)?;
                Ok(Applied::Done)
            }
            Self::Dead {
                place,
                error,
                cause,
                wall,
            } => {
                let mut book = Book::open(tables)?;
                if let Some(mut event) = book.take(*place)? {
                    event.last_error = error.clone().or(event.last_error);
                    book.bury(*place, event, *cause, *wall)?;
                }
                Ok(Applied::Done)
            }
            Self::Replay { app, now, ids } => replay(tables, *app, *now, ids),
            Self::Expire { app, now, wall } => expire(tables, *app, *now, *wall),
            Self::Restore(table, rows) => {
                let Some(table) = ALL.get(*table) else {
                    return Ok(Applied::Done);
                };
                let mut table = tables.rare(*table)?;
                for (key, value) in rows.iter() {
                    table.insert(key.as_slice(), value.as_slice())?;
                }
                Ok(Applied::Done)
            }
            Self::Pass(name, to) => raise(tables, name, *to),
        }
    }
}

fn append(
    tables: &mut Tables<'_>,
    app: AppKey,
    now: OutboxTime,
    wall: WallMillis,
    events: &[NewEvent],
) -> Result<Applied, StorageError> {
    let held = tables.rare(APPS)?;
    let row = held.get(keys::app(app).as_slice())?;
    let row = row.map(|guard| decode_app(guard.value()));
    let application = match row {
        None => return Ok(Applied::Refused(Refusal::NoApplication)),
        Some(Err(_)) => return Ok(Applied::Refused(Refusal::Unreadable)),
        Some(Ok(row)) => row,
    };
    let mut number = read_u64(tables, EVENT_HIGH)?;
    let mut book = Book::open(tables)?;
    book.forget_sessions(app, now)?;
    let mut appended = Vec::with_capacity(events.len());
    for new in events {
        if !application.wants(&new.event) {
            appended.push(Appended::Unwanted);
            continue;
        }
        if let Some(known) = book.known(app, new.id)? {
            appended.push(known);
            continue;
        }
        let sequence = book.next_sequence(app, new.session, now)?;
        let waits = application.webhook_url.is_some();
        appended.push(Appended::Numbered { sequence, waits });
        if !waits {
            continue;
        }
        number += 1;
        let event = Event {
            id: new.id,
            session: new.session,
            sequence,
            event: new.event.clone(),
            data: new.data.clone(),
            created_at: wall,
            since: now,
            next_at: now,
            attempts: 0,
            last_error: None,
        };
        if book.counts(app)?.waiting >= OUTBOX_WAITING_MAX {
            book.overflow(app, wall)?;
        }
        book.wait(EventPlace { app, number }, &event)?;
    }
    drop(book);
    raise(tables, EVENT_HIGH, number)?;
    raise(tables, TIME_HIGH, now.0)?;
    Ok(Applied::Appended(appended))
}

/// Changes the note of a call.
fn keep(
    tables: &mut Tables<'_>,
    app: AppKey,
    (session, note): &(Uuid, SessionNote),
) -> Result<(), StorageError> {
    let mut notes = tables.rare(NOTES)?;
    let key = keys::uuid(app, *session);
    match note {
        SessionNote::Keep(bytes) => notes.insert(key.as_slice(), bytes.as_slice())?,
        SessionNote::Drop => notes.remove(key.as_slice())?,
    };
    Ok(())
}

fn replay(
    tables: &mut Tables<'_>,
    app: AppKey,
    now: OutboxTime,
    ids: &[Uuid],
) -> Result<Applied, StorageError> {
    let mut number = read_u64(tables, EVENT_HIGH)?;
    let mut book = Book::open(tables)?;
    let mut moved = 0;
    for id in ids.iter().take(OUTBOX_STEP) {
        if book.counts(app)?.waiting >= OUTBOX_WAITING_MAX {
            break;
        }
        let Some(letter) = book.exhume(app, *id)? else {
            continue;
        };
        number += 1;
        moved += 1;
        let event = Event {
            since: now,
            next_at: now,
            attempts: 0,
            ..letter.event
        };
        book.wait(EventPlace { app, number }, &event)?;
    }
    drop(book);
    raise(tables, EVENT_HIGH, number)?;
    raise(tables, TIME_HIGH, now.0)?;
    Ok(Applied::Moved(moved))
}

fn expire(
    tables: &mut Tables<'_>,
    app: AppKey,
    now: OutboxTime,
    wall: WallMillis,
) -> Result<Applied, StorageError> {
    let mut book = Book::open(tables)?;
    let mut moved = 0;
    while moved < OUTBOX_STEP as u64 {
        let Some((place, event)) = book.oldest(app)? else {
            break;
        };
        if event.since.plus(OUTBOX_AGE) > now {
            break;
        }
        if let Some(event) = book.take(place)? {
            book.bury(place, event, DeadCause::Age, wall)?;
        }
        moved += 1;
    }
    Ok(Applied::Moved(moved))
}

/// An application's row from bytes; never panics, whatever the bytes are.
pub(crate) fn decode_app(bytes: &[u8]) -> Result<Application, ValueError> {
    values::decode(bytes)
}

fn decode_event(bytes: &[u8]) -> Result<Event, ValueError> {
    values::decode(bytes)
}

fn decode_dead(bytes: &[u8]) -> Result<DeadLetter, ValueError> {
    values::decode(bytes)
}

fn decode_counts(bytes: &[u8]) -> OutboxCounts {
    values::decode(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AppId, TenantId};
    use crate::outbox::WebhookSecret;

    #[test]
    fn version_1_rows_read_as_ever() {
        let key = AppKey {
            tenant: TenantId(3),
            number: 5,
        };
        let application = Application {
            key,
            app_id: AppId::new("crm").unwrap(),
            webhook_url: Some("https://example.org/hook".into()),
            api_key_hash: [0xC3; 32],
            rate_limit: 100,
            events: vec!["dtmf".into()],
            secret: WebhookSecret::new(vec![7; 32]).unwrap(),
            created_at: WallMillis(1_763_700_000_000),
            stopped_at: Some(WallMillis(1_763_700_000_500)),
            revision: 2,
        };
        let event = Event {
            id: Uuid::from_u128(1),
            session: Uuid::from_u128(2),
            sequence: 3,
            event: "dtmf".into(),
            data: r#"{"digit":"5"}"#.into(),
            created_at: WallMillis(1_763_700_000_000),
            since: OutboxTime(1_763_700_000_000),
            next_at: OutboxTime(1_763_700_001_000),
            attempts: 1,
            last_error: Some("503".into()),
        };
        let letter = DeadLetter {
            event: event.clone(),
            cause: DeadCause::Overflow,
            died_at: WallMillis(1_763_700_002_000),
        };
        let counts = OutboxCounts {
            waiting: 1,
            dead: 2,
            delivered: 3,
            overflowed: 4,
            given_up: 5,
            forgotten: 6,
        };
        let rows = [
            values::encode(&application),
            values::encode(&event),
            values::encode(&letter),
            values::encode(&counts),
        ];
        assert_eq!(decode_app(&rows[0]), Ok(application));
        assert_eq!(decode_event(&rows[1]), Ok(event));
        assert_eq!(decode_dead(&rows[2]), Ok(letter));
        assert_eq!(decode_counts(&rows[3]), counts);
        let stored = include_bytes!("../../golden/outbox_v1.rows");
        assert_eq!(rows.concat(), stored);
    }
}
