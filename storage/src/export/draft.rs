//! A file that appears under its name only when all of it is on the disk. Until then it lies beside
//! that name under one of its own, locked by whoever writes it; what nobody locks any more was left
//! by a program that died, and the next export into the same folder removes it.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::steps::{Step, step};
use crate::paths::sync_dir;

/// What a draft's name begins and ends with; between them 16 hex digits.
const AROUND: (&str, &str) = (".callreel-export-", ".tmp");

/// How often another name is tried for a draft.
const TRIES: usize = 16;

/// A file that is not written, or not under its name.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The name is taken.
    #[error("'{}' exists; choose another name, or say that it may be replaced", .0.display())]
    Exists(PathBuf),
    /// The name is none.
    #[error("'{}' is no name of a file", .0.display())]
    NoName(PathBuf),
    /// The file system.
    #[error("{what} '{}': {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// A file on its way. Dropped before [`Draft::publish`], it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
    folder: PathBuf,
    replace: bool,
}

impl Draft {
    /// Begins a file that only its owner reads, and removes what died exports left in its folder.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn begin(target: &Path, replace: bool) -> Result<Self, DraftError> {
        if target.file_name().is_none() {
            return Err(DraftError::NoName(target.to_owned()));
        }
        if !replace && target.symlink_metadata().is_ok() {
            return Err(DraftError::Exists(target.to_owned()));
        }
        let parent = target.parent().filter(|path| *path != Path::new(""));
        let folder = parent.unwrap_or(Path::new(".")).to_owned();
        sweep(&folder).map_err(failed("listing", &folder))?;
        step(Step::Swept);
        let (file, path) = create(&folder).map_err(failed("creating a file in", &folder))?;
        step(Step::Created);
        Ok(Self {
            file,
            path,
            target: target.to_owned(),
            folder,
            replace,
        })
    }

    /// Makes the file durable and gives it its name, durably.
    ///
    /// # Errors
    /// [`DraftError`]: nothing is under the name then that was not there before, unless only the
    /// folder could not be synced.
    pub fn publish(mut self) -> Result<(), DraftError> {
        let writing = "writing";
        self.file.flush().map_err(failed(writing, &self.path))?;
        self.file.sync_all().map_err(failed(writing, &self.path))?;
        step(Step::Synced);
        if self.replace {
            std::fs::rename(&self.path, &self.target)
        } else {
            rename_new(&self.path, &self.target)
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => DraftError::Exists(self.target.clone()),
            _ => failed("naming", &self.target)(error),
        })?;
        step(Step::Named);
        // Its own name is gone, so that dropping it removes nothing.
        self.path = PathBuf::new();
        sync_dir(&self.folder).map_err(failed("syncing", &self.folder))?;
        step(Step::Done);
        Ok(())
    }

    /// Another handle that writes the file, for a thread of its own.
    ///
    /// # Errors
    /// [`DraftError::Io`].
    pub fn writer(&self) -> Result<File, DraftError> {
        self.file.try_clone().map_err(failed("opening", &self.path))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.path != Path::new("") {
            // If it stays, the next export removes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DraftError + use<> {
    let path = path.to_owned();
    move |source| DraftError::Io { what, path, source }
}

/// Renames to a name that must not be taken.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // A file system that cannot do it in one step: looked at just before.
        Err(nix::Error::EINVAL | nix::Error::ENOSYS) if to.symlink_metadata().is_err() => {
            std::fs::rename(from, to)
        }
        Err(nix::Error::EINVAL | nix::Error::ENOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        other => Ok(other?),
    }
}

/// A new file under a draft's name, locked.
fn create(folder: &Path) -> io::Result<(File, PathBuf)> {
    for _ in 0..TRIES {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let name = format!(
            "{}{:016x}{}",
            AROUND.0,
            u64::from_ne_bytes(random),
            AROUND.1
        );
        let path = folder.join(name);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        };
        // Another export that begins just now may take an unlocked draft for a dead one's.
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            _ if file.metadata()?.nlink() > 0 => return Ok((file, path)),
            _ => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes drafts that nobody writes any more.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !is_draft(&entry.file_name()) || !entry.file_type()?.is_file() {
            continue;
        }
        let path = entry.path();
        // Somebody else's file, or one that is gone by now, is nobody's business here.
        let Ok(file) = OpenOptions::new().write(true).open(&path) else {
            continue;
        };
        if file.try_lock().is_ok() {
            match std::fs::remove_file(&path) {
                Ok(()) => log::info!("removed '{}', which a died export left", path.display()),
                Err(error) => log::warn!("'{}' cannot be removed: {error}", path.display()),
            }
        }
    }
    Ok(())
}

fn is_draft(name: &OsStr) -> bool {
    let inside = name
        .to_str()
        .and_then(|name| name.strip_prefix(AROUND.0)?.strip_suffix(AROUND.1));
    inside.is_some_and(|inside| inside.len() == 16 && inside.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("export.tar");
        let mut draft = Draft::begin(&target, false).unwrap();
        draft.write_all(b"half").unwrap();
        assert!(!target.exists());
        drop(draft);
        assert_eq!(listed(folder.path()), Vec::<String>::new());
        let mut draft = Draft::begin(&target, false).unwrap();
        draft.write_all(b"whole").unwrap();
        draft.publish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        assert_eq!(listed(folder.path()), ["export.tar"]);
        let mode = std::fs::metadata(&target).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_name_that_is_taken_stays_as_it_is_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("export.tar");
        let mut late = Draft::begin(&target, false).unwrap();
        late.write_all(b"late").unwrap();
        std::fs::write(&target, b"first").unwrap();
        let told = Draft::begin(&target, false).unwrap_err();
        assert!(matches!(told, DraftError::Exists(_)), "{told}");
        assert!(matches!(late.publish(), Err(DraftError::Exists(_))));
        assert_eq!(std::fs::read(&target).unwrap(), b"first");
        let mut draft = Draft::begin(&target, true).unwrap();
        draft.write_all(b"second").unwrap();
        draft.publish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"second");
        assert_eq!(listed(folder.path()), ["export.tar"]);
        let root = Draft::begin(Path::new("/"), true);
        assert!(matches!(root, Err(DraftError::NoName(_))));
    }

    #[test]
    fn only_what_nobody_writes_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(".callreel-export-0123456789abcdef.tmp");
        std::fs::write(&dead, b"half").unwrap();
        let others = ["export.tar", ".callreel-export-0123.tmp", "notes.tmp"];
        for name in others {
            std::fs::write(folder.path().join(name), b"mine").unwrap();
        }
        let busy = Draft::begin(&folder.path().join("one.tar"), false).unwrap();
        assert!(!dead.exists());
        let second = Draft::begin(&folder.path().join("two.tar"), false).unwrap();
        assert!(busy.path.exists() && second.path.exists());
        drop((busy, second));
        assert_eq!(listed(folder.path()).len(), others.len());
    }
}
