//! What is remembered of deleted recordings: their names and when they were deleted, so that
//! "gone" can be told from "never was". Bounded per tenant by number and by age.

use redb::{ReadableTable as _, StorageError, TableDefinition};
use serde::{Deserialize, Serialize};

use super::apply;
use super::keys::{self, CountKey, RecordingKey, TimeKey};
use super::tables::{self, Tables, meta};
use super::values::{self, ValueError};
use super::{Index, read};
use crate::error::ReadError;
use crate::ids::{Names, RecordingId, RecordingName, TenantId};
use crate::limits::{PURGED_AGE, PURGED_MAX, PURGED_STEP};
use crate::record::WallMillis;

/// tenant, id → row.
pub(super) const PURGED: TableDefinition<'static, &RecordingKey, &[u8]> =
    TableDefinition::new("purged");
/// tenant (4), kind (1), name → id.
pub(super) const PURGED_NAMES: TableDefinition<'static, &[u8], u64> =
    TableDefinition::new("purged_names");
/// tenant, time of deletion, id: the oldest of a tenant first.
pub(super) const PURGED_BY_TIME: TableDefinition<'static, &TimeKey, ()> =
    TableDefinition::new("purged_by_time");
/// tenant (4), 0 → how many.
pub(super) const PURGED_COUNTS: TableDefinition<'static, &CountKey, u64> =
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
    // A clock that runs ahead by years must not make us forget: only what it is trusted for.
    let trusted = apply::read_u64(tables, meta::TIME_HIGH)?.saturating_add(PURGED_SLACK_MS);
    purged.prune(WallMillis(row.deleted_at.0.min(trusted)), PURGED_MAX)
}

/// How far ahead of the newest trusted time deletions are believed to be: 30 days.
const PURGED_SLACK_MS: u64 = 30 * 24 * 3_600 * 1_000;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TenantName;
    use crate::index::tables::Tables;
    use crate::reindex::reindex;
    use crate::testing::{Store, a_recording, scratch};

    fn all_names(id: u64, names: &Names) -> [RecordingName; 4] {
        [
            RecordingName::Recid(RecordingId(id)),
            RecordingName::CallSid(names.call_sid.clone()),
            RecordingName::CrtObject(names.crt_object_id.clone()),
            RecordingName::Task(names.task_id),
        ]
    }

    #[test]
    fn deleted_recordings_are_remembered_by_every_name() {
        let store = Store::open(scratch());
        let row = store.imported(1);
        let names = all_names(row.facts.id.0, &row.facts.names);
        let other = TenantName::new("other").unwrap();
        let other = store.handle.add_tenant(other).unwrap().id;
        for name in &names {
            assert_eq!(store.handle.purged_at(store.tenant, name).unwrap(), None);
        }
        let at = audio_io::clock::Clock::wall(&*store.clock);
        store.handle.delete(store.tenant, row.facts.id).unwrap();
        let told = |store: &Store| {
            for name in &names {
                let purged = |tenant| store.handle.purged_at(tenant, name).unwrap();
                assert_eq!(purged(store.tenant), Some(at), "{name:?}");
                assert_eq!(purged(other), None, "{name:?}");
            }
        };
        let store = store.reopen();
        told(&store);
        let folder = store.close();
        reindex(folder.path(), &mut |_, _| ()).unwrap();
        told(&Store::open(folder));
    }

    #[test]
    fn the_oldest_are_forgotten_a_few_at_a_time() {
        let store = Store::open(scratch());
        let index = &store.handle.shared.index;
        let tenant = store.tenant;
        let row = |id: u64, at: u64| PurgedRow {
            names: a_recording(tenant.0, id).facts.names,
            started_at: WallMillis(0),
            deleted_at: WallMillis(at),
        };
        let write = |work: &dyn Fn(&mut Tables<'_>) -> Result<(), StorageError>| {
            let transaction = index.begin_write().unwrap();
            work(&mut Tables::open(&transaction).unwrap()).unwrap();
            transaction.commit().unwrap();
        };
        write(&|tables| {
            (1..=40).try_for_each(|id| remember(tables, tenant, RecordingId(id), &row(id, id)))
        });
        // A name that a later recording had too stays with the later one.
        write(&|tables| {
            let mut later = row(41, 41);
            later.names = row(1, 1).names;
            remember(tables, tenant, RecordingId(41), &later)
        });
        write(&|tables| Purged::open(tables, tenant)?.prune(WallMillis(41), 30));
        let known = |id: u64| index.purged_at(tenant, &RecordingName::Recid(RecordingId(id)));
        let forgotten = (1..=41).filter(|id| known(*id).unwrap().is_none()).count();
        assert_eq!(forgotten, PURGED_STEP);
        let first = RecordingName::CallSid(row(1, 1).names.call_sid);
        assert_eq!(
            index.purged_at(tenant, &first).unwrap(),
            Some(WallMillis(41))
        );
        let second = RecordingName::CallSid(row(2, 2).names.call_sid);
        assert_eq!(index.purged_at(tenant, &second).unwrap(), None);
        for _ in 0..10 {
            write(&|tables| Purged::open(tables, tenant)?.prune(WallMillis(41), 30));
        }
        assert_eq!(
            (1..=41).filter(|id| known(*id).unwrap().is_some()).count(),
            30
        );
        // And what is too old, however few they are; deleted twice counts once.
        let late = u64::try_from(PURGED_AGE.as_millis()).unwrap() + 42;
        let deleted_again = || {
            for _ in 0..10 {
                write(&|tables| remember(tables, tenant, RecordingId(50), &row(50, late)));
            }
        };
        deleted_again();
        let held = (1..=50).filter(|id| known(*id).unwrap().is_some()).count();
        assert_eq!(held, 31, "a clock that nobody trusts makes nothing old");
        write(&|tables| apply::raise(tables, meta::TIME_HIGH, late).map(drop));
        deleted_again();
        let left: Vec<_> = (1..=50)
            .filter(|id| known(*id).unwrap().is_some())
            .collect();
        assert_eq!(left, [50]);
        write(&|tables| {
            assert_eq!(Purged::open(tables, tenant)?.held()?, 1);
            Ok(())
        });
    }

    #[test]
    fn version_1_rows_read_as_ever() {
        let row = PurgedRow {
            names: a_recording(3, 42).facts.names,
            started_at: WallMillis(1_763_700_000_000),
            deleted_at: WallMillis(1_763_800_000_000),
        };
        let stored = include_bytes!("../../golden/purged_v1.row");
        assert_eq!(decode(stored), Ok(row.clone()));
        assert_eq!(encode(&row), stored);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = decode(&bytes);
            let _ = crate::index::prompts::decode(&bytes);
        }
    }
}
