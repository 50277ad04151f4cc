//! Copies that are kept of what is about to be replaced: of the index before it is migrated, and
//! of what a restore takes the place of. All of them are bounded in number; the oldest goes.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use audio_io::units::WallMillis;
use nix::unistd::Uid;

use crate::error::OpenError;
use crate::limits::{INDEX_COPIES_MAX, REPLACED_MAX};
use crate::open::failed;
use crate::paths::{Layout, create_dirs, sync_dir, unlink_if_there, utc};
use crate::reserve::{free_bytes, free_wanted};

/// What a copy from before a migration is named, before its schema.
const COPY: &str = "index-schema";

/// What stands between a name and the time at which a restore replaced what had it.
const REPLACED: &str = ".before-restore-";

/// Copies the index, which nobody has open, before it is migrated from this schema. The copy and
/// its name are durable when this returns.
pub(crate) fn before_migration(
    layout: &Layout,
    schema: u32,
    wall: WallMillis,
) -> Result<PathBuf, OpenError> {
    let (folder, index) = (layout.backups(), layout.index());
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| failed(what, &path, source)
    };
    create_dirs(layout.root(), &folder).map_err(io("creating the folder", &folder))?;
    only_for_owner(&folder).map_err(io("setting the mode of", &folder))?;
    for left in names(&folder, "").filter(|path| path.extension().is_some_and(|e| e == "tmp")) {
        unlink_if_there(&left).map_err(io("removing", &left))?;
    }
    let bytes = std::fs::metadata(&index)
        .map_err(io("looking at", &index))?
        .len();
    let needed = bytes.saturating_add(free_wanted(&folder));
    let free = free_bytes(&folder);
    if free < needed {
        return Err(OpenError::NoRoom {
            folder,
            needed,
            free,
        });
    }
    prune(names(&folder, COPY).collect(), INDEX_COPIES_MAX - 1)
        .map_err(io("removing old copies in", &folder))?;
    let name = format!("{COPY}{schema}-{}", stamp(wall));
    let copy = free_name(&folder, &name, ".redb");
    copy_file(&index, &copy).map_err(io("copying the index to", &copy))?;
    hand_over(layout.root(), &folder).map_err(io("giving to the store's owner", &folder))?;
    Ok(copy)
}

/// Adds to the error of a newer index which copy this version could go back to.
pub(crate) fn with_way_back(error: OpenError, layout: &Layout) -> OpenError {
    let OpenError::NewerSchema { found, known, .. } = error else {
        return error;
    };
    let folder = layout.backups();
    let usable =
        names(&folder, COPY).filter(|path| schema_of(path).is_some_and(|schema| schema <= known));
    OpenError::NewerSchema {
        found,
        known,
        way_back: usable.max_by_key(|path| schema_of(path).zip(Some(path.clone()))),
    }
}

/// The schema that the name of a copy tells.
fn schema_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_prefix(COPY)?;
    name.split_once('-')?.0.parse().ok()
}

/// Copies a file so that the copy is there whole or not at all, durably, for its owner alone.
pub(crate) fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut name = to.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let copied = (|| {
        unlink_if_there(&temporary)?;
        let mut source = File::open(from)?;
        let mut target = new_private(&temporary)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        std::fs::rename(&temporary, to)?;
        to.parent().map_or(Ok(()), sync_dir)
    })();
    if copied.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    copied
}

/// A new file that only its owner reads.
pub(crate) fn new_private(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .read(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Takes a folder's rights from everybody but its owner.
pub(crate) fn only_for_owner(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

/// Gives what root made in a store to whoever the store belongs to: the daemon is not root.
pub(crate) fn hand_over(root: &Path, made: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(root)?;
    if !Uid::effective().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    // Links are not followed: the folder belongs to a user that root need not trust.
    visit(made, &mut |path| {
        std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()))
    })
}

/// Everything in a folder, then the folder.
pub(super) fn visit(path: &Path, each: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            visit(&entry?.path(), each)?;
        }
    }
    each(path)
}

/// Where what a restore replaces is kept, after making room for it: `NAME.before-restore-TIME`.
pub(crate) fn aside(path: &Path, wall: WallMillis) -> io::Result<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!("{name}{REPLACED}");
    prune(names(folder, &prefix).collect(), REPLACED_MAX - 1)?;
    Ok(free_name(folder, &format!("{prefix}{}", stamp(wall)), ""))
}

/// A name that nothing has yet.
fn free_name(folder: &Path, name: &str, ending: &str) -> PathBuf {
    let plain = folder.join(format!("{name}{ending}"));
    let numbered = (2_u32..).map(|n| folder.join(format!("{name}-{n}{ending}")));
    std::iter::once(plain.clone())
        .chain(numbered)
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or(plain)
}

/// What begins so in a folder; nothing where it cannot be listed.
fn names(folder: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let prefix = prefix.to_owned();
    entries
        .filter(move |entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
}

/// Removes all but the last so many, by when they were made.
fn prune(mut paths: Vec<PathBuf>, keep: usize) -> io::Result<()> {
    let changed = |path: &PathBuf| {
        let changed = path.symlink_metadata().and_then(|data| data.modified());
        (changed.ok(), path.clone())
    };
    paths.sort_by_key(changed);
    for path in paths.iter().rev().skip(keep) {
        log::info!("'{}' goes: {keep} newer ones are kept", path.display());
        if path.is_dir() {
            std::fs::remove_dir_all(path)?;
        } else {
            unlink_if_there(path)?;
        }
    }
    Ok(())
}

/// `20261130T151100Z`: sorts by time, and is a name on every file system.
pub(crate) fn stamp(wall: WallMillis) -> String {
    let at = utc(wall);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}
