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
