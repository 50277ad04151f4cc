//! Nothing is written into an empty mount point, and nothing is deleted on a disk that is not the
//! store's. Each store has an id; it lies in the index and in `store.id` in the data folder and in
//! `recordings`, which may be a file system of its own.
//!
//! A missing `recordings` shows by the id. A missing data folder takes index and id with it: what
//! tells then is outside of it, the configuration (`expect_mount`) or a marker on another disk.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::OpenError;
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::rows::RowChange;
use crate::index::tables::meta;
use crate::open::open_error;
use crate::paths::{Layout, sync_dir, write_whole};

/// The file's name.
pub(crate) const FILE: &str = "store.id";

/// Why a store is not opened, or nothing is deleted in it: its disk is not there.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Nothing is mounted where something is expected.
    #[error(
        "nothing is mounted at '{}', where recordings are expected to be: mount it, then start \
         again; nothing was written there",
        .0.display()
    )]
    NotMounted(PathBuf),
    /// The data folder is not on what is mounted.
    #[error(
        "'{}' does not lie in '{}', where its disk is mounted",
        data_dir.display(),
        mount.display()
    )]
    Outside {
        /// The data folder.
        data_dir: PathBuf,
        /// The mount point.
        mount: PathBuf,
    },
    /// A folder without the store that should be there.
    #[error(
        "'{}' is not the folder of store {id}, which '{}' tells of: mount its disk, then start \
         again; if this is its folder, or everything in it is lost for good, write {id} into \
         '{}/{FILE}'",
        folder.display(),
        told_by.display(),
        folder.display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// What says that there should be a store.
        told_by: PathBuf,
        /// The store's id.
        id: String,
    },
    /// A folder of another store.
    #[error(
        "'{}' says that this is store {found}, but it should be {wanted}: mount the right disk, \
         then start again; if it is the right one, write {wanted} into that file",
        file.display()
    )]
    Other {
        /// The file that tells.
        file: PathBuf,
        /// What it tells.
        found: String,
        /// What it should.
        wanted: String,
    },
    /// A folder that has become another since the store was opened.
    #[error(
        "'{}' is not what it was when the store was opened: its disk was unmounted, or another \
         was mounted over it; nothing is deleted",
        .0.display()
    )]
    Changed(PathBuf),
    /// A folder or file that cannot be looked at.
    #[error("'{}': {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is known from outside about where a store lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// A folder that must be a mount point, with the data folder in it (or the same).
    pub expect_mount: Option<PathBuf>,
    /// A file on another file system; it remembers which store was opened, and no other is then.
    pub marker: Option<PathBuf>,
}

impl Place {
    /// Looks whether the data folder can be what it should be. Changes nothing.
    pub(crate) fn check(&self, data_dir: &Path) -> Result<(), PlaceError> {
        if let Some(mount) = &self.expect_mount {
            if !is_mount(mount).map_err(io_error(mount))? {
                return Err(PlaceError::NotMounted(mount.clone()));
            }
            if !is_inside(data_dir, mount).map_err(io_error(data_dir))? {
                let (data_dir, mount) = (data_dir.to_owned(), mount.clone());
                return Err(PlaceError::Outside { data_dir, mount });
            }
        }
        let Some(marker) = &self.marker else {
            return Ok(());
        };
        let Some(told) = read(marker)? else {
            return Ok(());
        };
        let found = read(&data_dir.join(FILE))?;
        let wanted = || told.lines().next().unwrap_or_default().to_owned();
        match found {
            Some(found) if told.lines().any(|line| line == found) => Ok(()),
            Some(found) => Err(PlaceError::Other {
                file: data_dir.join(FILE),
                found,
                wanted: wanted(),
            }),
            None => Err(PlaceError::Missing {
                folder: data_dir.to_owned(),
                told_by: marker.clone(),
                id: wanted(),
            }),
        }
    }
}

/// The file systems an open store lies on.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    id: String,
    folders: [(PathBuf, u64); 2],
}

impl Guard {
    /// Makes sure that index and folders belong together, and that each has the id: a new store
    /// gets one, and so does one of an earlier version.
    pub(crate) fn settle(place: &Place, layout: &Layout, index: &Index) -> Result<Self, OpenError> {
        let (root, recordings) = (layout.root().to_owned(), layout.recordings());
        let id = agreed_id(layout, index)?;
        settle_files(place, [&root, &recordings], &id).map_err(OpenError::Place)?;
        if index_id(index)?.as_ref() != Some(&id) {
            index.commit(&[id_change(&id)])?;
        }
        let device = |folder: PathBuf| {
            let device = device(&folder).map_err(OpenError::Place)?;
            Ok::<_, OpenError>((folder, device))
        };
        Ok(Self {
            id,
            folders: [device(root)?, device(recordings)?],
        })
    }

    /// Whether the folders still are on the file systems they were on, with the store's id.
    pub(crate) fn check(&self) -> Result<(), PlaceError> {
        for (folder, before) in &self.folders {
            if device(folder)? != *before {
                return Err(PlaceError::Changed(folder.clone()));
            }
            match read(&folder.join(FILE))? {
                Some(found) if found == self.id => {}
                Some(found) => {
                    return Err(PlaceError::Other {
                        file: folder.join(FILE),
                        found,
                        wanted: self.id.clone(),
                    });
                }
                None => return Err(PlaceError::Changed(folder.clone())),
            }
        }
        Ok(())
    }
}

/// The id of index and `recordings`, or one for both where there is none yet. Changes nothing.
pub(crate) fn agreed_id(layout: &Layout, index: &Index) -> Result<String, OpenError> {
    let (root, folder) = (layout.root(), layout.recordings());
    let read = |folder: &Path| read(&folder.join(FILE)).map_err(OpenError::Place);
    let held = index_id(index)?;
    let [live, stored, _, failed] = index.count_all().map_err(open_error)?;
    let (id, has_files) = match (held, read(&folder)?) {
        (Some(wanted), Some(found)) if wanted != found => {
            let file = folder.join(FILE);
            return Err(OpenError::Place(PlaceError::Other {
                file,
                found,
                wanted,
            }));
        }
        (_, Some(here)) => return Ok(here),
        (Some(held), None) => (held, live + stored + failed > 0),
        // A store of an earlier version, whose recordings should be there.
        (None, None) => {
            let fresh = || Uuid::new_v4().simple().to_string();
            let id = read(root)?.unwrap_or_else(fresh);
            let is_empty = is_empty(&folder).map_err(OpenError::Place)?;
            (id, stored + failed > 0 && is_empty)
        }
    };
    if has_files {
        let told_by = layout.index();
        return Err(OpenError::Place(PlaceError::Missing {
            folder,
            told_by,
            id,
        }));
    }
    Ok(id)
}

/// What of index and folders does not have the store's id; nothing for a store that was never
/// opened by a version that knows of ids. Changes nothing.
pub(crate) fn store_id_flaws(layout: &Layout, index: &Index) -> Result<Vec<PlaceError>, OpenError> {
    let Some(wanted) = index_id(index)? else {
        return Ok(Vec::new());
    };
    let flaw = |folder: PathBuf| match read(&folder.join(FILE)) {
        Ok(Some(found)) if found == wanted => None,
        Ok(Some(found)) => Some(PlaceError::Other {
            file: folder.join(FILE),
            found,
            wanted: wanted.clone(),
        }),
        Ok(None) => Some(PlaceError::Missing {
            folder,
            told_by: layout.index(),
            id: wanted.clone(),
        }),
        Err(error) => Some(error),
    };
    let folders = [layout.root().to_owned(), layout.recordings()];
    Ok(folders.into_iter().filter_map(flaw).collect())
}

/// After a restore: the index that is about to be put in place is that of the store whose files
/// are here, or of the one it was where there are none yet.
pub(crate) fn restored(layout: &Layout, index: &Index) -> Result<(), OpenError> {
    let here = read(&layout.recordings().join(FILE)).map_err(OpenError::Place)?;
    match (here, index_id(index)?) {
        (Some(here), held) if held.as_ref() != Some(&here) => {
            index.commit(&[id_change(&here)])?;
        }
        (None, Some(held)) => {
            let folders = [layout.root(), &layout.recordings()];
            settle_files(&Place::default(), folders, &held).map_err(OpenError::Place)?;
        }
        _ => {}
    }
    Ok(())
}

fn index_id(index: &Index) -> Result<Option<String>, OpenError> {
    let held = index.meta(meta::STORE_ID).map_err(open_error)?;
    match held.map(String::from_utf8) {
        None => Ok(None),
        Some(Ok(id)) if !id.is_empty() => Ok(Some(id)),
        Some(_) => Err(OpenError::Meta(meta::STORE_ID)),
    }
}

fn id_change(id: &str) -> Change {
    Change::Rows(vec![RowChange::Meta(
        meta::STORE_ID,
        id.as_bytes().to_vec(),
    )])
}

/// Writes the id wherever it is not. While files differ, the marker names the old one too, so that
/// a cut in between leaves a store that can be opened.
fn settle_files(place: &Place, folders: [&Path; 2], id: &str) -> Result<(), PlaceError> {
    let [root, _] = folders;
    if let Some(marker) = &place.marker {
        let before = read(&root.join(FILE))?;
        if let Some(before) = before.filter(|before| before != id) {
            mark(marker, &format!("{id}\n{before}\n"));
        }
    }
    // That in the data folder comes last: it is what the marker is compared with.
    for folder in folders.into_iter().rev() {
        let file = folder.join(FILE);
        if read(&file)?.as_deref() != Some(id) {
            write_whole(&file, format!("{id}\n").as_bytes())
                .and_then(|()| sync_dir(folder))
                .map_err(io_error(&file))?;
        }
    }
    if let Some(marker) = &place.marker
        && read(marker)?.as_deref() != Some(id)
    {
        mark(marker, &format!("{id}\n"));
    }
    Ok(())
}

/// Without the marker the store is only less guarded: calls are recorded all the same.
fn mark(marker: &Path, text: &str) {
    let folder = marker.parent().unwrap_or(marker);
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| write_whole(marker, text.as_bytes()))
        .and_then(|()| sync_dir(folder));
    if let Err(error) = written {
        log::error!("'{}' cannot be written: {error}", marker.display());
    }
}

/// A file's text without white space around it; `None` when there is none.
fn read(path: &Path) -> Result<Option<String>, PlaceError> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(path)(error)),
    }
}

fn is_empty(folder: &Path) -> Result<bool, PlaceError> {
    let mut entries = std::fs::read_dir(folder).map_err(io_error(folder))?;
    Ok(entries.next().is_none())
}

fn device(folder: &Path) -> Result<u64, PlaceError> {
    let metadata = std::fs::metadata(folder).map_err(io_error(folder))?;
    Ok(metadata.dev())
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> PlaceError {
    let path = path.to_owned();
    move |source| PlaceError::Io {
        path: path.clone(),
        source,
    }
}

/// Whether something is mounted at a folder.
fn is_mount(folder: &Path) -> io::Result<bool> {
    let folder = folder.canonicalize()?;
    let Some(parent) = folder.parent() else {
        return Ok(true);
    };
    if std::fs::metadata(&folder)?.dev() != std::fs::metadata(parent)?.dev() {
        return Ok(true);
    }
    // A folder of the same file system that is mounted a second time.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let here = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(here.map(unescaped).any(|mount| Path::new(&mount) == folder))
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (octal, character) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        plain = plain.replace(octal, character);
    }
    plain
}

/// Whether a folder, which may not be there yet, lies in another.
fn is_inside(folder: &Path, outer: &Path) -> io::Result<bool> {
    let outer = outer.canonicalize()?;
    let absolute = std::path::absolute(folder)?;
    for ancestor in absolute.ancestors() {
        match ancestor.canonicalize() {
            Ok(found) => return Ok(found.starts_with(&outer)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
