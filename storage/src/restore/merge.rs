//! Makes one index of two: who may do what is the backup's, what was recorded is the present one's
//! with what only the backup knows. Nothing that was recorded or deleted since is lost or comes
//! back, and no number is given twice.

use std::collections::HashSet;

use redb::{ReadableTable as _, WriteTransaction};

use super::RestoreError;
use crate::ids::{RecordingId, RecordingName, TenantId, TenantName};
use crate::index::apply::Change;
use crate::index::keeping::KeepingChange;
use crate::index::notes::{NoteChange, NoteEdit};
use crate::index::tables::{META, meta};
use crate::index::whole::{self, WalkError};
use crate::index::{Index, outbox};
use crate::limits::{CHECK_ROWS, COMMIT_GROUP_MAX};
use crate::record::{Recording, Tenant};

/// Tables that are the backup's.
const ACCOUNTS: [&str; 6] = [
    "tenants",
    "tenant_names",
    "keys",
    "users",
    "signing_keys",
    "outbox_apps",
];

/// Brings into `merged`, a copy of the present index, what the backup has.
pub(super) fn merge(backup: &Index, merged: &Index) -> Result<(), RestoreError> {
    let tenants = merged.tenants()?;
    let transaction = merged.begin_write()?;
    accounts(backup, &transaction)?;
    numbers(backup, &transaction)?;
    outbox_of_known(&transaction)?;
    transaction.commit().map_err(redb::Error::from)?;
    keep_tenants(tenants, merged)?;
    missing_rows(backup, merged)
}

/// Users log in again: nobody who logged out since is let in by an old session.
fn accounts(backup: &Index, transaction: &WriteTransaction) -> Result<(), RestoreError> {
    let reading = backup.begin_read()?;
    for name in ["user_sessions"].into_iter().chain(ACCOUNTS) {
        let Some(table) = whole::named(name) else {
            continue;
        };
        table.clear(transaction)?;
        if name == "user_sessions" {
            continue;
        }
        let mut group: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut failed = None;
        let mut put = |group: &mut Vec<(Vec<u8>, Vec<u8>)>| {
            let rows: Vec<_> = group.iter().map(|(k, v)| (&k[..], &v[..])).collect();
            let result = table.put(transaction, &rows);
            group.clear();
            result.map_err(|error| {
                failed = Some(error);
                std::io::Error::from(std::io::ErrorKind::Other)
            })
        };
        let walked = table.each(&reading, &mut |key, value| {
            group.push((key.to_vec(), value.to_vec()));
            if group.len() >= COMMIT_GROUP_MAX {
                put(&mut group)?;
            }
            Ok(())
        });
        let walked = walked.and_then(|()| put(&mut group).map_err(WalkError::Visit));
        if let Some(error) = failed {
            return Err(error.into());
        }
        match walked {
            Ok(()) | Err(WalkError::Visit(_)) => {}
            Err(WalkError::Read(error)) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The book-keeping: secrets are the backup's, numbers the higher ones.
fn numbers(backup: &Index, transaction: &WriteTransaction) -> Result<(), RestoreError> {
    let reading = backup.begin_read()?;
    let theirs = reading.open_table(META).map_err(redb::Error::from)?;
    let mut mine = transaction.open_table(META).map_err(redb::Error::from)?;
    for entry in theirs.iter().map_err(redb::Error::from)? {
        let (name, value) = entry.map_err(redb::Error::from)?;
        let (name, value) = (name.value(), value.value());
        let wanted = match name {
            meta::SCHEMA | meta::STORE_ID => false,
            // Of its own lists and notes.
            meta::SEARCH | meta::NOTES_ID | meta::NOTES_HIGH => false,
            // How far the ledger is, the present index knows.
            name if name.starts_with("ledger_") => false,
            // What is in force here stays so.
            meta::RETENTION | meta::RETENTION_NUMBER => {
                let held = mine.get(name).map_err(redb::Error::from)?;
                held.is_none()
            }
            meta::HASH_SECRET | meta::TOKEN_PREFIX => true,
            _ => {
                let held = mine.get(name).map_err(redb::Error::from)?;
                // Big endian and of one width: the order of bytes is that of numbers.
                held.is_none_or(|held| held.value() < value)
            }
        };
        if wanted {
            mine.insert(name, value).map_err(redb::Error::from)?;
        }
    }
    Ok(())
}

/// Drops events of applications that are not there any more.
fn outbox_of_known(transaction: &WriteTransaction) -> Result<(), RestoreError> {
    let mut known = HashSet::new();
    {
        let apps = transaction
            .open_table(outbox::APPS)
            .map_err(redb::Error::from)?;
        for entry in apps.iter().map_err(redb::Error::from)? {
            let (key, _) = entry.map_err(redb::Error::from)?;
            known.insert(key.value().to_vec());
        }
    }
    for definition in outbox::ALL.iter().skip(1) {
        let mut table = transaction
            .open_table(*definition)
            .map_err(redb::Error::from)?;
        table
            .retain(|key, _| key.get(..8).is_some_and(|app| known.contains(app)))
            .map_err(redb::Error::from)?;
    }
    Ok(())
}

/// Tenants that were added since stay: recordings may be theirs.
fn keep_tenants(before: Vec<Tenant>, merged: &Index) -> Result<(), RestoreError> {
    let now = merged.tenants()?;
    let ids: HashSet<TenantId> = now.iter().map(|tenant| tenant.id).collect();
    let names: HashSet<TenantName> = now.into_iter().map(|tenant| tenant.name).collect();
    let mut group = Vec::new();
    for mut tenant in before {
        if ids.contains(&tenant.id) {
            continue;
        }
        if names.contains(&tenant.name) {
            tenant.name = TenantName::made(format!("tenant-{}", tenant.id));
        }
        group.push(Change::PutTenant(tenant));
    }
    merged.commit(&group)?;
    Ok(())
}

/// Recordings that only the backup knows, unless they were deleted since.
fn missing_rows(backup: &Index, merged: &Index) -> Result<(), RestoreError> {
    let garbage: HashSet<(TenantId, RecordingId)> =
        merged.garbage()?.into_iter().map(|(key, _)| key).collect();
    let (mut after, mut group) = (None, Vec::new());
    let (mut brought, mut others) = (0_u64, 0_u64);
    loop {
        let rows = backup.walk(after, CHECK_ROWS)?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(*last);
        for (_, row) in rows {
            let Ok(row) = row else { continue };
            let key = (row.facts.tenant, row.facts.id);
            if let Some(known) = known(merged, row.facts.id)? {
                others += u64::from(known.facts.names != row.facts.names);
                continue;
            }
            let name = RecordingName::Recid(row.facts.id);
            if !garbage.contains(&key) && merged.purged_at(key.0, &name)?.is_none() {
                brought += 1;
                let keeping = backup.keeping(key.0, key.1)?.unwrap_or_default();
                group.push(Change::Put(Box::new(row)));
                let keeping = KeepingChange::Restore(key.0, key.1, Box::new(keeping));
                group.push(Change::Keeping(keeping));
                let (notes, last) = backup.note_rows(key.0, key.1)?;
                if last > 0 {
                    group.push(Change::Note(Box::new(NoteChange {
                        tenant: key.0,
                        recording: key.1,
                        edit: NoteEdit::Restore(notes, last),
                        seen: 0,
                    })));
                }
            }
        }
        if group.len() >= COMMIT_GROUP_MAX {
            merged.commit(&std::mem::take(&mut group))?;
        }
    }
    merged.commit(&group)?;
    if brought > 0 {
        log::info!("{brought} recordings that only the backup knew are back in the index");
    }
    if others > 0 {
        log::warn!(
            "{others} recordings of the backup are left out: their numbers are those of others here"
        );
    }
    Ok(())
}

/// The row of this number; one that cannot be read is taken for none.
fn known(index: &Index, id: RecordingId) -> Result<Option<Recording>, RestoreError> {
    match index.by_id(id) {
        Err(crate::error::ReadError::Row(_)) => Ok(None),
        found => Ok(found?),
    }
}
