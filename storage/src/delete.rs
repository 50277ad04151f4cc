//! Deletes recordings: row to garbage, files unlinked, folder synced, conversions removed,
//! garbage dropped. A crash
//! anywhere in between is finished at the next start.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::{DeleteError, ReadError};
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::{Applied, Change, Refusal};
use crate::ledger::acts::Warrant;
use crate::paths::{converted_facts_of, facts_of, peaks_of, sync_dir, unlink_if_there};
use crate::shared::Shared;

pub(crate) fn delete(
    shared: &Shared,
    tenant: TenantId,
    id: RecordingId,
    warrant: Option<Arc<Warrant>>,
) -> Result<(), DeleteError> {
    let at = shared.clock.wall();
    let discard = Change::Discard(tenant, id, at);
    let row = match shared.committer.commit(discard.with(warrant))? {
        Applied::Discarded(row) => row,
        Applied::Refused(Refusal::StillLive) => return Err(DeleteError::Live(id)),
        Applied::Refused(Refusal::Unreadable) => return Err(ReadError::Row(id).into()),
        _ => return Err(DeleteError::NotFound(id)),
    };
    remove_files(&shared.layout.recording(&row.facts)).map_err(DeleteError::Io)?;
    shared.derived.forget(tenant, id).map_err(DeleteError::Io)?;
    shared.committer.commit(Change::DropGarbage(tenant, id))?;
    Ok(())
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
