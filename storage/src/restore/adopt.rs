//! Takes recordings into an index that does not know them yet, from their files alone: what was
//! recorded after a backup, where no other index tells of it.

use std::path::Path;

use crate::error::ReadError;
use crate::ids::{RecordingId, RecordingName, TenantId};
use crate::index::Index;
use crate::index::apply::Change;
use crate::limits::COMMIT_GROUP_MAX;
use crate::paths::Layout;
use crate::record::RecordingState;
use crate::reindex::Adopter;
use crate::walk::{self, Found};

use super::RestoreError;

/// Adopts; answers how many recordings. What is unsealed is left to the repair that follows.
pub(crate) fn adopt(layout: &Layout, index: &Index) -> Result<u64, RestoreError> {
    let mut found: Vec<Found> = Vec::new();
    let mut failed = None;
    walk::files(&layout.recordings(), &mut |file| {
        let ending = &file.ending;
        let sidecar = ending == "peaks" || ending.ends_with("facts.json");
        let (true, Some(owner)) = (!sidecar && !ending.ends_with("tmp"), file.owner) else {
            return;
        };
        match wants(layout, index, owner, &file.path) {
            Ok(true) => found.push(file),
            Ok(false) => {}
            Err(error) => failed = Some(error),
        }
    })
    .map_err(crate::error::OpenError::from)?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if found.is_empty() {
        return Ok(0);
    }
    let bytes: u64 = found.iter().map(|file| file.bytes).sum();
    log::info!(
        "{} files of {bytes} bytes are not in the index yet",
        found.len()
    );
    let mut adopter = Adopter::new(index.tenants()?);
    for files in found.chunk_by(|a, b| a.owner == b.owner) {
        let paths = files.iter().map(|file| &*file.path);
        adopter.recording(layout, paths, &mut |_| ());
        if adopter.group.len() >= COMMIT_GROUP_MAX {
            commit(index, &mut adopter.group)?;
        }
    }
    commit(index, &mut adopter.group)?;
    for (path, error) in &adopter.skipped {
        log::warn!(
            "'{}' is not taken into the index now: {error}",
            path.display()
        );
    }
    Ok(adopter.recordings)
}

fn commit(index: &Index, group: &mut Vec<Change>) -> Result<(), RestoreError> {
    index.commit(&std::mem::take(group))?;
    Ok(())
}

/// Whether a file's recording is not in the index, or only as one that was being recorded or had
/// another file, which is gone; and was not deleted.
fn wants(
    layout: &Layout,
    index: &Index,
    (tenant, id): (TenantId, RecordingId),
    path: &Path,
) -> Result<bool, ReadError> {
    let row = match index.by_id(id) {
        Err(ReadError::Row(_)) => None,
        found => found?,
    };
    let Some(row) = row else {
        let name = RecordingName::Recid(id);
        return Ok(!index.is_deleted(id)? && index.purged_at(tenant, &name)?.is_none());
    };
    if row.facts.tenant != tenant {
        return Ok(false);
    }
    let own = layout.recording(&row.facts);
    Ok(row.state == RecordingState::Live || (own != *path && !own.exists()))
}
