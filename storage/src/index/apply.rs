//! What a change does to the tables. Each change is checked whole before it touches anything, so
//! a refused one leaves its group's other changes alone.

use std::sync::Arc;

use redb::{ReadableTable as _, StorageError};

use super::keeping::{self, Fate, KeepingChange, Retire};
use super::keys::{self, RecordingKey};
use super::names;
use super::notes::{self, NoteChange};
use super::outbox::OutboxChange;
use super::prompts::PromptChange;
use super::purged::{self, PurgedRow};
use super::replaced::ReplaceChange;
use super::rows::{self, LateRows, RowChange};
use super::search;
use super::tables::{Tables, meta};
use super::values;
use crate::ids::{RecordingId, RecordingName, TenantId, TenantName};
use crate::ledger::acts::{ActQueue, Warrant};
use crate::ledger::entry::{Act, Kind};
use crate::limits::ID_MAX;
use crate::notes::Note;
use crate::outbox::Appended;
use crate::prompt::PromptRow;
use crate::record::{KeyRow, Recording, RecordingState, Tenant, WallMillis};
use crate::retention::Keeping;

/// A change to the index.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The recorder's row, new or again.
    Put(Box<Recording>),
    /// An imported row; refused when a name is taken.
    Import(Box<Recording>),
    /// Deletions with their reasons, of what nothing protects: row to garbage, names free but
    /// remembered as deleted.
    Retire(Box<Retire>),
    /// Holds, minimums, tags, policies, and what is known of time.
    Keeping(KeepingChange),
    /// The files are gone.
    DropGarbage(TenantId, RecordingId),
    /// A deleted recording that an older index remembers, for reindexing.
    RestorePurged(TenantId, RecordingId, Box<PurgedRow>),
    /// A recording's file is exchanged for one of another format.
    Replace(ReplaceChange),
    /// Notes of people.
    Note(Box<NoteChange>),
    /// The next rows of an older store go into the lists of search, so many.
    BuildSearch(usize),
    /// The prompt library.
    Prompt(PromptChange),
    /// The webhook outbox.
    Outbox(OutboxChange),
    /// Deleted recordings that the journal no longer knows.
    PruneTombstones {
        below: RecordingId,
    },
    /// Ids below this may be handed out.
    ReserveIds {
        below: u64,
    },
    AddTenant {
        name: TenantName,
        at: WallMillis,
    },
    /// A tenant's row under its known number, new or again.
    PutTenant(Tenant),
    /// A key's row, new or again.
    PutKey(Box<KeyRow>),
    /// A key's row goes.
    DropKey(u64),
    /// Rows of users, sessions, locks and signing keys.
    Rows(Vec<RowChange>),
    /// The same, asked for when the commit is made.
    Late(Arc<dyn LateRows>),
    /// An act for the ledger alone.
    Tell(Box<Act>),
    /// Acts that nobody waits for, asked for when the commit is made.
    Acts(Arc<ActQueue>),
    /// Rows of an older store, which the ledger takes in as they are, and the last one's key; with
    /// none, it has them all.
    Adopt(Vec<Recording>, Option<RecordingKey>),
    /// The ledger reached what an index before this one knew of it.
    ForgetFloor,
    /// A change with somebody's authority.
    For(Arc<Warrant>, Box<Change>),
    /// Several changes, none of which can be refused, in one commit.
    All(Vec<Change>),
}

/// What a change came to.
#[derive(Clone, Debug)]
pub(crate) enum Applied {
    Done,
    Tenant(Tenant),
    Discarded(Box<Recording>),
    /// One fate for each deletion, in order.
    Retired(Vec<Fate>),
    /// What was kept of a recording before and is now.
    Keeping(Box<(Keeping, Keeping)>),
    Prompt(Box<PromptRow>),
    /// A note as it was and as it is, where there is one.
    Note(Box<(Option<Note>, Option<Note>)>),
    Appended(Vec<Appended>),
    Moved(u64),
    Told(u64),
    Refused(Refusal),
}

/// Why a change was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NameTaken(RecordingName),
    TenantExists,
    NoTenant,
    NoRecording,
    StillLive,
    NoPrompt,
    NoApplication,
    NoHold,
    NoNote,
    BeyondEnd,
    TooMany,
    WouldShrink,
    RulesChanged,
    KeepingLost,
    Unreadable,
}

impl Change {
    /// The recording this change touches, for caches.
    pub(crate) fn recording(&self) -> Option<RecordingId> {
        match self {
            Self::Put(row) | Self::Import(row) => Some(row.facts.id),
            Self::DropGarbage(_, id) => Some(*id),
            Self::Replace(change) => change.recording(),
            Self::Keeping(change) => change.recording(),
            Self::Note(change) => Some(change.recording),
            Self::For(_, change) => change.recording(),
            _ => None,
        }
    }

    /// The same with somebody's authority, if there is one to tell of.
    pub(crate) fn with(self, warrant: Option<&Arc<Warrant>>) -> Self {
        match warrant {
            Some(warrant) => Self::For(Arc::clone(warrant), Box::new(self)),
            None => self,
        }
    }

    /// A key's row, new or again.
    pub(crate) fn put_key(row: &KeyRow) -> Self {
        Self::PutKey(Box::new(row.clone()))
    }

    /// Whether another change asks for the same rows, so that one of them is enough.
    pub(crate) fn is_asked_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Late(mine), Self::Late(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        }
    }

    /// Tells those who gather rows that theirs are durable.
    pub(crate) fn committed(&self) {
        match self {
            Self::Late(rows) => rows.committed(),
            Self::Acts(acts) => acts.committed(),
            Self::For(_, change) => change.committed(),
            Self::All(changes) => changes.iter().for_each(Self::committed),
            _ => {}
        }
    }

    /// Makes the change.
    pub(crate) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
        match self {
            Self::Put(row) => put(tables, row, Kind::Sealed),
            Self::Import(row) => match names::taken(tables, row)? {
                Some(name) => Ok(Applied::Refused(Refusal::NameTaken(name))),
                None => put(tables, row, Kind::Imported),
            },
            Self::Retire(retire) => retire.apply(tables),
            Self::Keeping(change) => change.apply(tables),
            Self::DropGarbage(tenant, id) => {
                tables.garbage.remove(&keys::recording(*tenant, *id))?;
                Ok(Applied::Done)
            }
            Self::RestorePurged(tenant, id, row) => {
                purged::remember(tables, *tenant, *id, row)?;
                Ok(Applied::Done)
            }
            Self::Replace(change) => change.apply(tables),
            Self::Note(change) => change.apply(tables),
            Self::BuildSearch(rows) => search::build(tables, *rows),
            Self::Prompt(change) => change.apply(tables),
            Self::Outbox(change) => change.apply(tables),
            Self::PruneTombstones { below } => prune(tables, *below),
            Self::ReserveIds { below } => raise(tables, meta::ID_HIGH, *below),
            Self::AddTenant { name, at } => add_tenant(tables, name, *at),
            Self::PutTenant(tenant) => put_tenant(tables, tenant),
            Self::PutKey(row) => put_key(tables, row),
            Self::DropKey(key_id) => {
                tables.keys.remove(&key_id.to_be_bytes())?;
                Ok(Applied::Done)
            }
            Self::Rows(changes) => rows::apply(tables, changes),
            Self::Late(rows) => rows::apply(tables, &rows.rows()),
            Self::Tell(act) => Ok(Applied::Told(tables.telling.tell((**act).clone()))),
            Self::Acts(acts) => {
                for act in acts.take() {
                    tables.telling.tell(act);
                }
                Ok(Applied::Done)
            }
            Self::Adopt(rows, last) => adopt(tables, rows, last.as_ref()),
            Self::ForgetFloor => {
                tables.meta.remove(meta::LEDGER_FLOOR)?;
                Ok(Applied::Done)
            }
            Self::For(warrant, change) => {
                let before = tables.telling.with(Some(Arc::clone(warrant)));
                let applied = change.apply(tables);
                tables.telling.with(before);
                applied
            }
            Self::All(changes) => {
                for change in changes {
                    change.apply(tables)?;
                }
                Ok(Applied::Done)
            }
        }
    }
}

fn put(tables: &mut Tables<'_>, row: &Recording, kind: Kind) -> Result<Applied, StorageError> {
    let facts = &row.facts;
    let (tenant, id) = (facts.tenant, facts.id);
    let key = keys::recording(tenant, id);
    let before = match tables.recordings.get(&key)? {
        Some(bytes) => values::decode_recording(bytes.value()).ok(),
        None => None,
    };
    tables.telling.ended(before.as_ref(), row, kind);
    search::put(tables, before.as_ref(), row)?;
    if let Some(before) = before {
        let time = keys::by_time(tenant, before.facts.started_at, id);
        tables.by_time.remove(&time)?;
        count(tables, tenant, before.state, false)?;
        if before.facts.names != facts.names {
            names::remove(tables, &before)?;
        }
    }
    tables
        .recordings
        .insert(&key, values::encode_recording(row).as_slice())?;
    tables.recids.insert(&id.0.to_be_bytes(), tenant.0)?;
    let line = facts.line.as_ref().map(crate::ids::LineName::as_str);
    let time = keys::by_time(tenant, facts.started_at, id);
    tables
        .by_time
        .insert(&time, &keys::summary(row.state, line))?;
    count(tables, tenant, row.state, true)?;
    if row.state == RecordingState::Live {
        tables.live.insert(&key, ())?;
    } else {
        tables.live.remove(&key)?;
    }
    names::insert(tables, row)?;
    if id.0 < ID_MAX {
        raise(tables, meta::ID_HIGH, id.0 + 1)?;
    }
    see_time(tables, row)?;
    Ok(Applied::Done)
}

/// Remembers the newest time that a trusted clock has shown. One that is kept right is believed
/// also where it shows less: then what was seen before was wrong.
fn see_time(tables: &mut Tables<'_>, row: &Recording) -> Result<(), StorageError> {
    let started_at = row.facts.started_at.0;
    match row.facts.time {
        Some(time) if row.state == RecordingState::Live && time.synchronised == Some(true) => {
            let seen = started_at.to_be_bytes();
            tables.meta.insert(meta::TIME_HIGH, seen.as_slice())?;
        }
        Some(time) if time.is_trusted() => {
            // Its length was not measured by the clock: the end is as good as the start.
            let length = row.duration().unwrap_or_default().0;
            raise(tables, meta::TIME_HIGH, started_at.saturating_add(length))?;
        }
        _ => {}
    }
    Ok(())
}

pub(crate) fn discard(
    tables: &mut Tables<'_>,
    tenant: TenantId,
    id: RecordingId,
    at: WallMillis,
) -> Result<Applied, StorageError> {
    let key = keys::recording(tenant, id);
    let Some(bytes) = tables
        .recordings
        .get(&key)?
        .map(|guard| guard.value().to_vec())
    else {
        return Ok(Applied::Refused(Refusal::NoRecording));
    };
    let Ok(row) = values::decode_recording(&bytes) else {
        return Ok(Applied::Refused(Refusal::Unreadable));
    };
    if row.state == RecordingState::Live {
        return Ok(Applied::Refused(Refusal::StillLive));
    }
    search::remove(tables, &row)?;
    tables.recordings.remove(&key)?;
    tables.recids.remove(&id.0.to_be_bytes())?;
    tables
        .by_time
        .remove(&keys::by_time(tenant, row.facts.started_at, id))?;
    count(tables, tenant, row.state, false)?;
    names::remove(tables, &row)?;
    tables.garbage.insert(&key, bytes.as_slice())?;
    tables.tombstones.insert(&id.0.to_be_bytes(), ())?;
    let memory = PurgedRow {
        names: row.facts.names.clone(),
        started_at: row.facts.started_at,
        deleted_at: at,
    };
    purged::remember(tables, tenant, id, &memory)?;
    keeping::forget(tables, tenant, id)?;
    notes::forget(tables, tenant, id)?;
    tables.telling.deleted(&row);
    Ok(Applied::Discarded(Box::new(row)))
}

fn adopt(
    tables: &mut Tables<'_>,
    rows: &[Recording],
    last: Option<&RecordingKey>,
) -> Result<Applied, StorageError> {
    for row in rows {
        tables.telling.adopted(row);
    }
    match last {
        Some(last) => tables.meta.insert(meta::LEDGER_ADOPT, last.as_slice())?,
        None => tables.meta.remove(meta::LEDGER_ADOPT)?,
    };
    Ok(Applied::Done)
}

fn prune(tables: &mut Tables<'_>, below: RecordingId) -> Result<Applied, StorageError> {
    let end = below.0.to_be_bytes();
    tables
        .tombstones
        .retain_in::<&[u8; 8], _>(..&end, |_, ()| false)?;
    Ok(Applied::Done)
}

fn count(
    tables: &mut Tables<'_>,
    tenant: TenantId,
    state: RecordingState,
    more: bool,
) -> Result<(), StorageError> {
    let key = keys::count(tenant, state);
    let now = tables.counts.get(&key)?.map_or(0, |guard| guard.value());
    let then = if more {
        now.saturating_add(1)
    } else {
        now.saturating_sub(1)
    };
    tables.counts.insert(&key, then)?;
    Ok(())
}

/// Raises a u64 of the book-keeping; it never sinks.
pub(super) fn raise(tables: &mut Tables<'_>, name: &str, to: u64) -> Result<Applied, StorageError> {
    if read_u64(tables, name)? < to {
        tables.meta.insert(name, to.to_be_bytes().as_slice())?;
    }
    Ok(Applied::Done)
}

pub(super) fn read_u64(tables: &Tables<'_>, name: &str) -> Result<u64, StorageError> {
    Ok(tables
        .meta
        .get(name)?
        .map_or(0, |guard| keys::be64(guard.value())))
}

fn add_tenant(
    tables: &mut Tables<'_>,
    name: &TenantName,
    at: WallMillis,
) -> Result<Applied, StorageError> {
    if tables.tenant_names.get(name.as_str())?.is_some() {
        return Ok(Applied::Refused(Refusal::TenantExists));
    }
    let high = tables
        .meta
        .get(meta::TENANT_HIGH)?
        .map_or(0, |guard| keys::be32(guard.value()));
    let tenant = Tenant {
        id: TenantId(high + 1),
        name: name.clone(),
        created_at: at,
        disabled_at: None,
        keep_as: crate::record::Container::Wav,
    };
    put_tenant(tables, &tenant)
}

fn put_tenant(tables: &mut Tables<'_>, tenant: &Tenant) -> Result<Applied, StorageError> {
    let number = tenant.id.0;
    tables.tenants.insert(
        &number.to_be_bytes(),
        values::encode_tenant(tenant).as_slice(),
    )?;
    tables.tenant_names.insert(tenant.name.as_str(), number)?;
    let high = tables
        .meta
        .get(meta::TENANT_HIGH)?
        .map_or(0, |guard| keys::be32(guard.value()));
    if high < number {
        tables
            .meta
            .insert(meta::TENANT_HIGH, number.to_be_bytes().as_slice())?;
    }
    Ok(Applied::Tenant(tenant.clone()))
}

fn put_key(tables: &mut Tables<'_>, row: &KeyRow) -> Result<Applied, StorageError> {
    tables.keys.insert(
        &row.key_id.to_be_bytes(),
        values::encode_key(row).as_slice(),
    )?;
    raise(tables, meta::KEY_HIGH, row.key_id)
}
