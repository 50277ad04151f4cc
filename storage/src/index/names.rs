//! The names of recordings, each of which leads to one.

use redb::{ReadableTable as _, StorageError};

use super::keys;
use super::tables::Tables;
use crate::ids::RecordingName;
use crate::record::Recording;

pub(super) fn insert(tables: &mut Tables<'_>, row: &Recording) -> Result<(), StorageError> {
    let (tenant, id, names) = (row.facts.tenant, row.facts.id, &row.facts.names);
    tables
        .call_sids
        .insert(keys::text(tenant, names.call_sid.as_str()).as_slice(), id.0)?;
    let object = keys::text(tenant, names.crt_object_id.as_str());
    tables.crt_objects.insert(object.as_slice(), id.0)?;
    tables
        .tasks
        .insert(&keys::uuid(tenant, names.task_id), id.0)?;
    tables
        .sessions
        .insert(&keys::session(tenant, names.session_uuid, id), ())?;
    Ok(())
}

pub(super) fn remove(tables: &mut Tables<'_>, row: &Recording) -> Result<(), StorageError> {
    let (tenant, id, names) = (row.facts.tenant, row.facts.id, &row.facts.names);
    let key = keys::text(tenant, names.call_sid.as_str());
    if tables
        .call_sids
        .get(key.as_slice())?
        .is_some_and(|held| held.value() == id.0)
    {
        tables.call_sids.remove(key.as_slice())?;
    }
    let key = keys::text(tenant, names.crt_object_id.as_str());
    if tables
        .crt_objects
        .get(key.as_slice())?
        .is_some_and(|held| held.value() == id.0)
    {
        tables.crt_objects.remove(key.as_slice())?;
    }
    let key = keys::uuid(tenant, names.task_id);
    if tables
        .tasks
        .get(&key)?
        .is_some_and(|held| held.value() == id.0)
    {
        tables.tasks.remove(&key)?;
    }
    tables
        .sessions
        .remove(&keys::session(tenant, names.session_uuid, id))?;
    Ok(())
}

/// The first name of an import that another recording holds.
pub(super) fn taken(
    tables: &Tables<'_>,
    row: &Recording,
) -> Result<Option<RecordingName>, StorageError> {
    let (tenant, id, names) = (row.facts.tenant, row.facts.id, &row.facts.names);
    let garbage = tables.garbage.get(&keys::recording(tenant, id))?.is_some();
    if garbage || tables.recids.get(&id.0.to_be_bytes())?.is_some() {
        return Ok(Some(RecordingName::Recid(id)));
    }
    let key = keys::text(tenant, names.call_sid.as_str());
    if tables.call_sids.get(key.as_slice())?.is_some() {
        return Ok(Some(RecordingName::CallSid(names.call_sid.clone())));
    }
    let key = keys::text(tenant, names.crt_object_id.as_str());
    if tables.crt_objects.get(key.as_slice())?.is_some() {
        return Ok(Some(RecordingName::CrtObject(names.crt_object_id.clone())));
    }
    if tables
        .tasks
        .get(&keys::uuid(tenant, names.task_id))?
        .is_some()
    {
        return Ok(Some(RecordingName::Task(names.task_id)));
    }
    Ok(None)
}
