//! Puts files of configuration and keys from `restore-pending` in their places, which lie outside
//! of the store. What is replaced is kept beside it. Doing it again does no harm.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use audio_io::units::WallMillis;
use nix::unistd::{Gid, Uid, chown};

use super::kept::{aside, copy_file, new_private};
use super::stage::Target;
use super::{Plan, RestoreError, alone, io_error};
use crate::backup::Place;
use crate::paths::{Layout, sync_dir, unlink_if_there};

/// Where such files wait.
pub(crate) const FOLDER: &str = "placed";

/// A file that was put in its place, or went.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Which.
    pub path: PathBuf,
    /// Where what was there is kept.
    pub kept: Option<PathBuf>,
}

/// Puts the files that wait in a store in their places, all of which must lie in `folder`.
///
/// # Errors
/// [`RestoreError`]: those that are not in place yet go on waiting.
pub fn place(
    data_dir: &Path,
    folder: &Path,
    wall: WallMillis,
) -> Result<Vec<Placed>, RestoreError> {
    let layout = Layout::new(data_dir);
    let _alone = alone(&layout)?;
    let waiting = layout.pending().join(FOLDER);
    let plan = Plan::read(&layout.pending())?;
    let mut placed = Vec::new();
    let owner = std::fs::metadata(data_dir).map_err(io_error("looking at", data_dir))?;
    let owner = (owner.uid(), owner.gid());
    for target in &plan.files {
        let from = waiting.join(&target.name);
        if from.is_file() {
            placed.extend(one(target, &from, folder, owner, wall)?);
        }
    }
    for path in &plan.gone {
        if path.is_file() {
            inside(path, folder)?;
            let kept = aside(path, wall).map_err(io_error("making room beside", path))?;
            std::fs::rename(path, &kept)
                .and_then(|()| synced_parent(path))
                .map_err(io_error("moving aside", path))?;
            placed.push(Placed {
                path: path.clone(),
                kept: Some(kept),
            });
        }
    }
    super::stage::remove(&waiting)?;
    sync_dir(&layout.pending()).map_err(io_error("syncing", &waiting))?;
    if !plan.index && !plan.keys {
        super::take_over::done(&layout)?;
    }
    Ok(placed)
}

fn one(
    target: &Target,
    from: &Path,
    folder: &Path,
    owner: (u32, u32),
    wall: WallMillis,
) -> Result<Option<Placed>, RestoreError> {
    let to = &target.to;
    if !is_plain(to) || !to.starts_with(folder) {
        return Err(outside(to, folder));
    }
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(io_error("creating", parent))?;
    }
    inside(to, folder)?;
    let bytes = std::fs::read(from).map_err(io_error("reading", from))?;
    let done = |kept| {
        unlink_if_there(from).map_err(io_error("removing", from))?;
        let path = to.clone();
        Ok(Some(Placed { path, kept }))
    };
    let before = std::fs::read(to).ok();
    if before.as_ref() == Some(&bytes) {
        unlink_if_there(from).map_err(io_error("removing", from))?;
        return Ok(None);
    }
    let mut kept = None;
    if before.is_some() {
        let path = aside(to, wall).map_err(io_error("making room beside", to))?;
        copy_file(to, &path).map_err(io_error("keeping", to))?;
        kept = Some(path);
    }
    replace(to, &bytes, &rights(target, to, owner)).map_err(io_error("writing", to))?;
    done(kept)
}

struct Rights {
    mode: u32,
    owner: Option<(u32, u32)>,
}

/// A file keeps the rights that it has. A new one: what the configuration names is the daemon's,
/// what the service manager passes on is root's, the configuration itself is no secret.
fn rights(target: &Target, to: &Path, owner: (u32, u32)) -> Rights {
    if let Ok(held) = std::fs::metadata(to) {
        return Rights {
            mode: held.permissions().mode() & 0o777,
            owner: Some((held.uid(), held.gid())),
        };
    }
    match Place::of_member(&target.member) {
        Some(Place::Config | Place::DropIn(_)) => Rights {
            mode: 0o644,
            owner: None,
        },
        Some(Place::Named(_)) => Rights {
            mode: 0o600,
            owner: Some(owner),
        },
        _ => Rights {
            mode: 0o600,
            owner: None,
        },
    }
}

/// Writes a file whole or not at all, durably.
fn replace(to: &Path, bytes: &[u8], rights: &Rights) -> io::Result<()> {
    let mut name = to.as_os_str().to_owned();
    name.push(".restore-tmp");
    let temporary = PathBuf::from(name);
    let written = (|| {
        unlink_if_there(&temporary)?;
        let mut file = new_private(&temporary)?;
        file.write_all(bytes)?;
        if let Some((user, group)) = rights.owner
            && Uid::effective().is_root()
        {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            chown(&temporary, Some(user), Some(group))?;
        }
        file.set_permissions(Permissions::from_mode(rights.mode))?;
        file.sync_all()?;
        std::fs::rename(&temporary, to)?;
        synced_parent(to)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn synced_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes sure that a file lies in a folder, links and all.
fn inside(path: &Path, folder: &Path) -> Result<(), RestoreError> {
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    let real = folder.canonicalize().ok();
    let lies = match (parent, real) {
        (Some(parent), Some(real)) => parent.starts_with(real),
        _ => false,
    };
    if is_plain(path) && lies {
        Ok(())
    } else {
        Err(outside(path, folder))
    }
}

fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

fn outside(path: &Path, folder: &Path) -> RestoreError {
    RestoreError::Outside {
        path: path.to_owned(),
        folder: folder.to_owned(),
    }
}
