//! The file that `setup` owns. Its first line says so, with a hash of the rest: what somebody has
//! changed by hand since is never overwritten.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::config::DROP_IN_FOLDER;

const NAME: &str = "50-setup.toml";
const MARK: &str = "# Written by 'callreel setup', which replaces it; settings of your own go into \
                    another file. ";

/// Where the file goes.
pub(super) struct Target {
    pub(super) path: PathBuf,
}

impl Target {
    /// Beside the main configuration file.
    pub(super) fn beside(main: &Path) -> Self {
        let folder = main.parent().unwrap_or(Path::new("/"));
        Self {
            path: folder.join(DROP_IN_FOLDER).join(NAME),
        }
    }

    /// Refuses to go on where somebody wrote or changed the file by hand.
    ///
    /// # Errors
    /// [`CliError::HandMade`], [`CliError::File`].
    pub(super) fn refuse_hand_made(&self) -> Result<(), CliError> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) if is_ours(&text) => Ok(()),
            Ok(_) => Err(CliError::HandMade(self.path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(self.failed("read", source)),
        }
    }

    /// Writes it whole or not at all, and keeps the one before.
    ///
    /// # Errors
    /// [`CliError::File`].
    pub(super) fn write(&self, text: &str) -> Result<Option<PathBuf>, CliError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder).map_err(|source| CliError::File {
            what: "create the folder",
            path: folder.to_owned(),
            source,
        })?;
        // Its name does not end in .toml: it is not read.
        let backup = self.path.with_extension("toml.before");
        let kept = match std::fs::copy(&self.path, &backup) {
            Ok(_) => Some(backup),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(self.failed("keep a copy of", source)),
        };
        let draft = self.path.with_extension("draft");
        let _ = std::fs::remove_file(&draft);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&draft);
        file.and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| std::fs::rename(&draft, &self.path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|source| self.failed("write", source))?;
        Ok(kept)
    }

    fn failed(&self, what: &'static str, source: io::Error) -> CliError {
        CliError::File {
            what,
            path: self.path.clone(),
            source,
        }
    }
}

/// The text with its first line.
pub(super) fn marked(text: &str) -> String {
    format!("{MARK}({})\n{text}", hash(text))
}

fn is_ours(text: &str) -> bool {
    let Some((first, rest)) = text.split_once('\n') else {
        return false;
    };
    first.strip_prefix(MARK) == Some(format!("({})", hash(rest)).as_str())
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes())
        .to_hex()
        .chars()
        .take(16)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_changed_by_hand_is_not_ours() {
        let text = marked("\n[log]\nlevel = \"debug\"\n");
        assert!(is_ours(&text));
        assert!(!is_ours(&text.replace("debug", "info")));
        assert!(!is_ours("[log]\n") && !is_ours(""));
        let folder = tempfile::tempdir().expect("a folder");
        let target = Target::beside(&folder.path().join("callreel.toml"));
        target.refuse_hand_made().expect("nothing there");
        assert_eq!(target.write(&text).expect("written"), None);
        target.refuse_hand_made().expect("ours");
        let kept = target.write(&marked("")).expect("written").expect("a copy");
        assert_eq!(std::fs::read_to_string(kept).expect("read"), text);
        std::fs::write(&target.path, "[log]\n").expect("by hand");
        assert!(matches!(
            target.refuse_hand_made(),
            Err(CliError::HandMade(_))
        ));
    }
}
