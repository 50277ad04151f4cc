//! Files that commands write.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::CliError;

/// A file that appears under its name only when it is whole.
pub(super) struct Partial {
    file: File,
    partial: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// Begins a file.
    ///
    /// # Errors
    /// [`CliError::Exists`] unless it may be replaced, [`CliError::File`].
    pub(super) fn create(target: PathBuf, force: bool) -> Result<Self, CliError> {
        if !force && target.exists() {
            return Err(CliError::Exists(target));
        }
        let mut partial = target.clone().into_os_string();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&partial);
        let file = file.map_err(|source| failed("create", &partial, source))?;
        Ok(Self {
            file,
            partial,
            target,
        })
    }

    /// Begins a file that only its owner reads.
    ///
    /// # Errors
    /// As [`Partial::create`].
    pub(super) fn create_private(target: PathBuf, force: bool) -> Result<Self, CliError> {
        use std::os::unix::fs::PermissionsExt as _;
        let begun = Self::create(target, force)?;
        begun
            .file
            .set_permissions(std::fs::Permissions::from_mode(0o600))
            .map_err(|source| failed("set the mode of", &begun.partial, source))?;
        Ok(begun)
    }

    /// Another handle that writes it, for a thread of its own.
    ///
    /// # Errors
    /// [`CliError::File`]
    pub(super) fn writer(&self) -> Result<File, CliError> {
        let writer = self.file.try_clone();
        writer.map_err(|source| failed("open", &self.partial, source))
    }

    /// Writes some of it.
    ///
    /// # Errors
    /// [`CliError::File`]
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), CliError> {
        self.file
            .write_all(piece)
            .map_err(|source| failed("write", &self.partial, source))
    }

    /// Gives it its name, and tells that.
    ///
    /// # Errors
    /// As [`Partial::create`].
    pub(super) fn publish(mut self, force: bool) -> Result<PathBuf, CliError> {
        self.file
            .sync_all()
            .map_err(|source| failed("write", &self.partial, source))?;
        if !force && self.target.exists() {
            return Err(CliError::Exists(std::mem::take(&mut self.target)));
        }
        std::fs::rename(&self.partial, &self.target)
            .map_err(|source| failed("rename", &self.partial, source))?;
        let folder = self.target.parent().filter(|path| *path != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| failed("sync", folder, source))?;
        Ok(std::mem::take(&mut self.target))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when it was published; otherwise it is of no use to anyone.
        let _ = std::fs::remove_file(&self.partial);
    }
}

fn failed(what: &'static str, path: &Path, source: std::io::Error) -> CliError {
    CliError::File {
        what,
        path: path.to_owned(),
        source,
    }
}
