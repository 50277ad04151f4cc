//! Walks the files below `recordings/`, `prompts/` and `derived/`, in order, without following
//! links, and reads their owners from their places.

use std::io;
use std::path::{Path, PathBuf};

use crate::derived::is_kept_name;
use crate::error::CheckError;
use crate::ids::{PromptId, RecordingId, TenantId};
use crate::paths::Layout;
use crate::record::Container;
use crate::retention::ID_FILE;

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Whose recording it belongs to by its place and name below `recordings/`; `None` for a
    /// stranger.
    pub(crate) owner: Option<(TenantId, RecordingId)>,
    /// Everything after the id: `wav`, `peaks`, `facts.json`, …
    pub(crate) ending: String,
    pub(crate) bytes: u64,
}

/// Hands every file to `visit`.
pub(crate) fn files(root: &Path, visit: &mut dyn FnMut(Found)) -> Result<(), CheckError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CheckError::Io { path, source }
    };
    let mut entries = match std::fs::read_dir(root) {
        Ok(entries) => entries
            .collect::<io::Result<Vec<_>>>()
            .map_err(failed(root))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(root)(error)),
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_dir() {
            files(&path, visit)?;
        } else if !is_store_id(&path) {
            let (owner, ending) = owner(&path);
            visit(Found {
                owner,
                ending,
                bytes: metadata.len(),
                path,
            });
        }
    }
    Ok(())
}

/// Whether a file is the one that names the store.
fn is_store_id(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    path.ends_with(ID_FILE) && folder.is_some_and(|name| name == "recordings")
}

fn owner(path: &Path) -> (Option<(TenantId, RecordingId)>, String) {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let (id, ending) = name.split_once('.').unwrap_or((name, ""));
    let tenant = path
        .ancestors()
        .nth(4)
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    let owner = tenant.and_then(|tenant| {
        Some((
            TenantId(tenant.parse().ok()?),
            RecordingId(id.parse().ok()?),
        ))
    });
    (owner, ending.to_owned())
}

/// Whose prompt a file below `prompts/` is by its place and name.
pub(crate) fn prompt(layout: &Layout, path: &Path) -> Option<(TenantId, PromptId)> {
    let place = path.strip_prefix(layout.prompts()).ok()?;
    let (tenant, name) = place.to_str()?.split_once('/')?;
    let (id, extension) = name.split_once('.')?;
    let (tenant, id) = (TenantId(tenant.parse().ok()?), PromptId(id.parse().ok()?));
    let container = Container::of_extension(extension)?;
    (layout.prompt(tenant, id, container) == path).then_some((tenant, id))
}

/// Whose recording's conversion a file below `derived/` is by its place and name.
pub(crate) fn derived(layout: &Layout, path: &Path) -> Option<(TenantId, RecordingId)> {
    let place = path.strip_prefix(layout.derived()).ok()?;
    let mut parts = place.to_str()?.splitn(3, '/');
    let tenant = TenantId(parts.next()?.parse().ok()?);
    let id = RecordingId(parts.next()?.parse().ok()?);
    let there = path.parent() == Some(&*layout.derived_of(tenant, id));
    (there && is_kept_name(path.file_name()?)).then_some((tenant, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_name_their_owner() {
        let (found, ending) = owner(Path::new("/d/recordings/3/2025/11/21/77.facts.json"));
        assert_eq!(found, Some((TenantId(3), RecordingId(77))));
        assert_eq!(ending, "facts.json");
        assert_eq!(owner(Path::new("/d/recordings/x")).0, None);
    }
}
