//! Where things lie below the data folder, and the file-system steps that order them on disk.
//! No formats here.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use crate::ids::{PromptId, RecordingId, TenantId};
use crate::record::{Container, RecordingFacts, WallMillis};

/// The ledger's key, in the folder of keys.
pub(crate) const LEDGER_KEY: &str = "ledger.pem";

/// The data folder's lay-out.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index.redb")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// Copies of the index from before it was migrated.
    pub(crate) fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// Certificate and keys that the first start made.
    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The chained log of what must be provable.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// Where checkpoints of the ledger go unless another folder is told.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// What signs checkpoints unless another key is told.
    pub(crate) fn ledger_key(&self) -> PathBuf {
        self.keys().join(LEDGER_KEY)
    }

    /// What a restore puts together before it counts.
    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join("restore-staging")
    }

    /// What the next start takes over.
    pub(crate) fn pending(&self) -> PathBuf {
        self.root.join("restore-pending")
    }

    pub(crate) fn recordings(&self) -> PathBuf {
        self.root.join("recordings")
    }

    pub(crate) fn prompts(&self) -> PathBuf {
        self.root.join("prompts")
    }

    /// Where prompts' files are copied to before they get their names.
    pub(crate) fn prompt_drafts(&self) -> PathBuf {
        self.prompts().join("tmp")
    }

    /// `prompts/<tenant>/<id>.<extension>`.
    pub(crate) fn prompt(&self, tenant: TenantId, id: PromptId, container: Container) -> PathBuf {
        let mut path = self.prompts();
        path.push(format!("{tenant}"));
        path.push(format!("{id}.{}", container.extension()));
        path
    }

    pub(crate) fn derived(&self) -> PathBuf {
        self.root.join("derived")
    }

    /// Where conversions are while they are made.
    pub(crate) fn derived_drafts(&self) -> PathBuf {
        self.derived().join("tmp")
    }

    /// `derived/<tenant>/<id>`: the conversions of one recording.
    pub(crate) fn derived_of(&self, tenant: TenantId, id: RecordingId) -> PathBuf {
        let mut path = self.derived();
        path.push(format!("{tenant}"));
        path.push(format!("{id}"));
        path
    }

    /// `recordings/<tenant>/<yyyy>/<mm>/<dd>/<id>.<extension>`, by the UTC day of the start.
    pub(crate) fn recording(&self, facts: &RecordingFacts) -> PathBuf {
        self.file(facts.tenant, facts.started_at, facts.id, facts.container)
    }

    fn file(
        &self,
        tenant: TenantId,
        started_at: WallMillis,
        id: RecordingId,
        container: Container,
    ) -> PathBuf {
        let (year, month, day) = utc_date(started_at);
        let mut path = self.recordings();
        path.push(format!("{tenant}"));
        path.push(format!("{year:04}"));
        path.push(format!("{month:02}"));
        path.push(format!("{day:02}"));
        path.push(format!("{id}.{}", container.extension()));
        path
    }
}

/// The waveform peaks beside a recording; rebuildable.
pub(crate) fn peaks_of(recording: &Path) -> PathBuf {
    recording.with_extension("peaks")
}

/// The facts beside a recording whose file was exchanged for one of another format: the format is
/// in the name, so that the facts of the exchanged file are never overwritten.
pub(crate) fn converted_facts_of(recording: &Path) -> PathBuf {
    let mut name = recording.as_os_str().to_owned();
    name.push(".facts.json");
    PathBuf::from(name)
}

/// Removes every file of a folder that exists; folders in it are left.
pub(crate) fn clear(folder: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            unlink_if_there(&path)?;
        }
    }
    Ok(())
}

/// The facts beside an imported recording, whose own bytes are kept as they came.
pub(crate) fn facts_of(recording: &Path) -> PathBuf {
    recording.with_extension("facts.json")
}

/// The UTC calendar date; times past the year 9999 fall on its last day.
pub(crate) fn utc_date(at: WallMillis) -> (i32, u8, u8) {
    let when = utc(at);
    (when.year(), u8::from(when.month()), when.day())
}

/// UTC date and time; times past the year 9999 are its last second.
pub(crate) fn utc(at: WallMillis) -> OffsetDateTime {
    const LAST: i64 = 253_402_300_799;
    let seconds = i64::try_from(at.0 / 1_000).unwrap_or(LAST).min(LAST);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Makes a directory's entries durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Creates a folder and its missing parents up to `root`, and makes their entries durable.
pub(crate) fn create_dirs(root: &Path, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    if path != root {
        create_dirs(root, parent)?;
    } else {
        std::fs::create_dir_all(parent)?;
    }
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_dir(parent)
}

/// Removes a file that may be gone already.
pub(crate) fn unlink_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a small file whole, durably: temporary name, sync, rename. The caller syncs the folder.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let written = (|| {
        let file = File::create(&temporary)?;
        std::os::unix::fs::FileExt::write_all_at(&file, bytes, 0)?;
        file.sync_data()?;
        std::fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Writes a small file that can be made again: whole or not at all for this boot, unsynced.
pub(crate) fn write_rebuildable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let written =
        std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_never_overflow() {
        assert_eq!(utc_date(WallMillis(0)), (1970, 1, 1));
        assert_eq!(utc_date(WallMillis(1_763_700_000_000)), (2025, 11, 21));
        assert_eq!(utc_date(WallMillis(u64::MAX)), (9999, 12, 31));
    }
}
