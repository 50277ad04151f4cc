//! What is remembered of deleted recordings: their names and when they were deleted, so that
//! "gone" can be told from "never was". Bounded per tenant by number and by age.

use redb::{ReadableTable as _, StorageError, TableDefinition};
use serde::{Deserialize, Serialize};

use super::keys::{self, CountKey, RecordingKey, TimeKey};
use super::tables::{self, Tables};
use super::values::{self, ValueError};
use super::{Index, read};
use crate::error::ReadError;
use crate::ids::{Names, RecordingId, RecordingName, TenantId};
use crate::limits::{PURGED_AGE, PURGED_MAX, PURGED_STEP};
use crate::record::WallMillis;

/// tenant, id → row.
const PURGED: TableDefinition<'static, &RecordingKey, &[u8]> = TableDefinition::new("purged");
/// tenant (4), kind (1), name → id.
const PURGED_NAMES: TableDefinition<'static, &[u8], u64> = TableDefinition::new("purged_names");
/// tenant, time of deletion, id: the oldest of a tenant first.
const PURGED_BY_TIME: TableDefinition<'static, &TimeKey, ()> =
    TableDefinition::new("purged_by_time");
/// tenant (4), 0 → how many.
const PURGED_COUNTS: TableDefinition<'static, &CountKey, u64> =
    TableDefinition::new("purged_counts");

/// A deleted recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PurgedRow {
    pub(crate) names: Names,
    pub(crate) started_at: WallMillis,
    pub(crate) deleted_at: WallMillis,
}

impl PurgedRow {
    fn keys(&self, tenant: TenantId) -> [Vec<u8>; 3] {
        [
            name(tenant, CALL_SID, self.names.call_sid.as_str().as_bytes()),
            name(
                tenant,
                CRT_OBJECT,
                self.names.crt_object_id.as_str().as_bytes(),
            ),
            name(tenant, TASK, self.names.task_id.as_bytes()),
        ]
    }
}

/// A row as bytes.
pub(crate) fn encode(row: &PurgedRow) -> Vec<u8> {
    values::encode(row)
}

/// A row from bytes; never panics, whatever the bytes are.
pub(crate) fn decode(bytes: &[u8]) -> Result<PurgedRow, ValueError> {
    values::decode(bytes)
}

/// Remembers a deleted recording, and forgets a few of those that there is no room for.
pub(super) fn remember(
    tables: &mut Tables<'_>,
    tenant: TenantId,
    id: RecordingId,
    row: &PurgedRow,
) -> Result<(), StorageError> {
    let mut purged = Purged::open(tables, tenant)?;
    // An import may have brought a deleted recording's id a second time.
    purged.forget(id)?;
    let key = keys::recording(tenant, id);
    purged.rows.insert(&key, encode(row).as_slice())?;
    purged
        .by_time
        .insert(&keys::by_time(tenant, row.deleted_at, id), ())?;
    for key in row.keys(tenant) {
        purged.names.insert(key.as_slice(), id.0)?;
    }
    purged.count(1)?;
    purged.prune(row.deleted_at, PURGED_MAX)
}

struct Purged<'t> {
    tenant: TenantId,
    rows: redb::Table<'t, &'static RecordingKey, &'static [u8]>,
    names: redb::Table<'t, &'static [u8], u64>,
    by_time: redb::Table<'t, &'static TimeKey, ()>,
    counts: redb::Table<'t, &'static CountKey, u64>,
}

impl<'t> Purged<'t> {
    fn open(tables: &Tables<'t>, tenant: TenantId) -> Result<Self, StorageError> {
        Ok(Self {
            tenant,
            rows: tables.rare(PURGED)?,
            names: tables.rare(PURGED_NAMES)?,
            by_time: tables.rare(PURGED_BY_TIME)?,
            counts: tables.rare(PURGED_COUNTS)?,
        })
    }

    fn held(&self) -> Result<u64, StorageError> {
        let held = self.counts.get(&count_key(self.tenant))?;
        Ok(held.map_or(0, |guard| guard.value()))
    }

    fn count(&mut self, more: i64) -> Result<(), StorageError> {
        let held = self.held()?.saturating_add_signed(more);
        self.counts.insert(&count_key(self.tenant), held)?;
        Ok(())
    }

    fn forget(&mut self, id: RecordingId) -> Result<(), StorageError> {
        let key = keys::recording(self.tenant, id);
        let Some(held) = self.rows.remove(&key)?.map(|guard| decode(guard.value())) else {
            return Ok(());
        };
        self.count(-1)?;
        let Ok(row) = held else { return Ok(()) };
        self.by_time
            .remove(&keys::by_time(self.tenant, row.deleted_at, id))?;
        for key in row.keys(self.tenant) {
            let held = self.names.get(key.as_slice())?.map(|guard| guard.value());
            if held == Some(id.0) {
                self.names.remove(key.as_slice())?;
            }
        }
        Ok(())
    }

    /// Forgets the oldest, a few at a time: no deletion pays for many others.
    fn prune(&mut self, now: WallMillis, most: u64) -> Result<(), StorageError> {
        let first = keys::by_time(self.tenant, WallMillis(0), RecordingId(0));
        let last = keys::by_time(self.tenant, WallMillis(u64::MAX), RecordingId(u64::MAX));
        let age = u64::try_from(PURGED_AGE.as_millis()).unwrap_or(u64::MAX);
        for _ in 0..PURGED_STEP {
            let oldest = match self.by_time.range::<&TimeKey>(&first..=&last)?.next() {
                Some(entry) => *entry?.0.value(),
                None => return Ok(()),
            };
            let (_, at, id) = keys::split_time(&oldest);
            if self.held()? <= most && now.0.saturating_sub(at.0) <= age {
                return Ok(());
            }
            self.forget(id)?;
            self.by_time.remove(&oldest)?;
        }
        Ok(())
    }
}

impl Index {
    /// When a deleted recording of this name was deleted.
    pub(crate) fn purged_at(
        &self,
        tenant: TenantId,
        wanted: &RecordingName,
    ) -> Result<Option<WallMillis>, ReadError> {
        let reading = self.begin_read()?;
        let key = match wanted {
            RecordingName::Recid(id) => return purged_row(&reading, tenant, *id),
            RecordingName::CallSid(sid) => name(tenant, CALL_SID, sid.as_str().as_bytes()),
            RecordingName::CrtObject(object) => {
                name(tenant, CRT_OBJECT, object.as_str().as_bytes())
            }
            RecordingName::Task(task) => name(tenant, TASK, task.as_bytes()),
            // A session is no recording's name alone: others of it may be there.
            RecordingName::Session(_) => return Ok(None),
        };
        let Some(names) = tables::rare(&reading, PURGED_NAMES)? else {
            return Ok(None);
        };
        match names.get(key.as_slice())? {
            Some(id) => purged_row(&reading, tenant, RecordingId(id.value())),
            None => Ok(None),
        }
    }

    /// The readable rows after a key in key order, at most `limit`, and the last key looked at.
    #[allow(clippy::type_complexity, reason = "keys and what they lead to")]
    pub(crate) fn walk_purged(
        &self,
        after: Option<RecordingKey>,
        limit: usize,
    ) -> Result<
        (
            Vec<(TenantId, RecordingId, PurgedRow)>,
            Option<RecordingKey>,
        ),
        ReadError,
    > {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, PURGED)? else {
            return Ok((Vec::new(), None));
        };
        let (mut all, mut last) = (Vec::new(), None);
        for (key, bytes) in read::after(&table, after, limit)? {
            let (tenant, id) = keys::split_recording(&key);
            all.extend(decode(&bytes).ok().map(|row| (tenant, id, row)));
            last = Some(key);
        }
        Ok((all, last))
    }
}

fn purged_row(
    reading: &redb::ReadTransaction,
    tenant: TenantId,
    id: RecordingId,
) -> Result<Option<WallMillis>, ReadError> {
    let Some(table) = tables::rare(reading, PURGED)? else {
        return Ok(None);
    };
    match table.get(&keys::recording(tenant, id))? {
        Some(bytes) => decode(bytes.value())
            .map(|row| Some(row.deleted_at))
            .map_err(|_| ReadError::Row(id)),
        None => Ok(None),
    }
}

const CALL_SID: u8 = 0;
const CRT_OBJECT: u8 = 1;
const TASK: u8 = 2;

fn name(tenant: TenantId, kind: u8, name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(5 + name.len());
    key.extend_from_slice(&tenant.0.to_be_bytes());
    key.push(kind);
    key.extend_from_slice(name);
    key
}

fn count_key(tenant: TenantId) -> CountKey {
    let mut key = [0; 5];
    key[..4].copy_from_slice(&tenant.0.to_be_bytes());
    key
}
