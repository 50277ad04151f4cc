//! Deletes recordings: row to garbage, files unlinked, folder synced, conversions removed,
//! garbage dropped. A crash
//! anywhere in between is finished at the next start.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use crate::error::{DeleteError, ReadError};
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::{Applied, Change, Refusal};
use crate::index::keeping::{Fate, Retire};
use crate::ledger::acts::Warrant;
use crate::paths::{converted_facts_of, facts_of, peaks_of, sync_dir, unlink_if_there};
use crate::record::Recording;
use crate::retention::Protection;
use crate::shared::Shared;

pub(crate) fn delete(
    shared: &Shared,
    tenant: TenantId,
    id: RecordingId,
    warrant: Option<&Arc<Warrant>>,
) -> Result<(), DeleteError> {
    let deleting = shared.keeper.deleting.read();
    let _deleting = deleting.unwrap_or_else(PoisonError::into_inner);
    shared.keeper.guard.check()?;
    let row = discard(shared, tenant, id, warrant)?;
    remove_files(&shared.layout.recording(&row.facts)).map_err(DeleteError::Io)?;
    shared.derived.forget(tenant, id).map_err(DeleteError::Io)?;
    shared.committer.commit(Change::DropGarbage(tenant, id))?;
    Ok(())
}

/// Takes the row away, unless something keeps the recording.
fn discard(
    shared: &Shared,
    tenant: TenantId,
    id: RecordingId,
    warrant: Option<&Arc<Warrant>>,
) -> Result<Box<Recording>, DeleteError> {
    loop {
        let retire = Change::Retire(Box::new(Retire::by_command(shared, tenant, id)));
        let mut fates = match shared.committer.commit(retire.with(warrant))? {
            Applied::Retired(fates) => fates,
            // Other policies are in force since: they decide.
            Applied::Refused(Refusal::RulesChanged) => continue,
            _ => return Err(DeleteError::Suspended),
        };
        return match fates.pop() {
            Some(Fate::Retired(row, _)) => Ok(row),
            Some(Fate::Kept(Protection::Live)) => Err(DeleteError::Live(id)),
            Some(Fate::Kept(why)) => Err(DeleteError::Kept(id, why)),
            Some(Fate::Unreadable) => Err(ReadError::Row(id).into()),
            Some(Fate::Missing) | None => Err(DeleteError::NotFound(id)),
        };
    }
}

/// Removes a recording's file and its sidecars, durably.
pub(crate) fn remove_files(path: &Path) -> io::Result<()> {
    unlink_if_there(path)?;
    unlink_if_there(&peaks_of(path))?;
    unlink_if_there(&facts_of(path))?;
    unlink_if_there(&converted_facts_of(path))?;
    match path.parent() {
        Some(folder) if folder.is_dir() => sync_dir(folder),
        _ => Ok(()),
    }
}
