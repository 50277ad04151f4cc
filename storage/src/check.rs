//! The store's fsck: rows against files, files against their hashes and headers, names against
//! rows, and files that belong to nobody. It changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::dsp::peaks::Peaks;

use crate::accounts::is_readable;
use crate::error::{CheckError, OpenError, ReadError};
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, RecordingName, TenantId};
use crate::index::backend::FileOpener;
use crate::index::keys::split_recording;
use crate::index::rows::RowTable;
use crate::index::{Index, migrate, read};
use crate::limits::{CHECK_ROWS, FINDINGS_MAX};
use crate::open::{lock, open_error};
use crate::paths::{Layout, facts_of, peaks_of};
use crate::record::{EndCause, Recording, RecordingOutcome, RecordingState};
use crate::reserve::Reserve;
use crate::segment::facts::StoredFacts;
use crate::segment::sealed;
use crate::walk;
use crate::work::measure;

/// What to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Read every file and compare its BLAKE3; else only lengths, headers and facts.
    pub hashes: bool,
}

/// Something that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// A row without its file.
    #[error("recording {id}: file '{}' is missing", path.display())]
    MissingFile {
        /// Which.
        id: RecordingId,
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of another length.
    #[error("recording {id}: the file has {found} bytes instead of {expected}")]
    Size {
        /// Which.
        id: RecordingId,
        /// By its row.
        expected: u64,
        /// By the file system.
        found: u64,
    },
    /// A file of other bytes.
    #[error("recording {id}: the file's bytes are not those that were sealed")]
    Hash {
        /// Which.
        id: RecordingId,
    },
    /// A file whose header or facts are damaged or are not its row's.
    #[error("recording {id}: {problem}")]
    Header {
        /// Which.
        id: RecordingId,
        /// What is wrong with it.
        problem: sealed::SealedError,
    },
    /// A file whose own facts differ from its row.
    #[error("recording {id}: the facts in its file are not those in the index")]
    Facts {
        /// Which.
        id: RecordingId,
    },
    /// A file that cannot be read.
    #[error("recording {id}: {problem}")]
    Unreadable {
        /// Which.
        id: RecordingId,
        /// Why.
        problem: std::io::Error,
    },
    /// A row that cannot be read.
    #[error("the row of recording {id} of tenant {tenant} is unreadable; 'callreel reindex'")]
    Row {
        /// Whose.
        tenant: TenantId,
        /// Which.
        id: RecordingId,
    },
    /// A row of a tenant, key, user, session, lock-out or signing key that cannot be read.
    #[error("row {key} in '{table}' is unreadable; 'callreel reindex' drops it")]
    AccountRow {
        /// The table.
        table: &'static str,
        /// The row's key: a number, or bytes in hexadecimal.
        key: String,
    },
    /// A name that does not lead to its recording.
    #[error("recording {id}: its name {name:?} does not lead to it; 'callreel reindex'")]
    Name {
        /// Which.
        id: RecordingId,
        /// The name.
        name: RecordingName,
    },
    /// A name that leads to no recording.
    #[error(
        "a name in '{table}' leads to recording {id}, which does not exist; 'callreel reindex'"
    )]
    DanglingName {
        /// The table.
        table: &'static str,
        /// What it leads to.
        id: RecordingId,
    },
    /// A file that belongs to no row.
    #[error("'{}' belongs to no recording", path.display())]
    Orphan {
        /// The file.
        path: PathBuf,
    },
    /// Peaks that are missing or damaged; they can be made again.
    #[error("recording {id}: its waveform peaks are missing or damaged; they can be made again")]
    Peaks {
        /// Which.
        id: RecordingId,
    },
}

impl Finding {
    /// Whether what is missing can be made again from the recording.
    #[must_use]
    pub const fn is_rebuildable(&self) -> bool {
        matches!(self, Self::Peaks { .. })
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// Rows looked at.
    pub recordings: u64,
    /// Bytes of files looked at, or read when hashes were asked for.
    pub bytes: u64,
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more: u64,
}

impl CheckReport {
    /// Whether nothing is wrong that cannot be made again.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.more == 0 && self.findings.iter().all(Finding::is_rebuildable)
    }

    fn found(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// Checks an open store beside its normal work. `progress` is told rows done and rows in all.
///
/// # Errors
/// [`CheckError`]: the check could not be carried out.
pub fn check(
    handle: &StorageHandle,
    options: CheckOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CheckReport, CheckError> {
    run(
        &handle.shared.layout,
        &handle.shared.index,
        options,
        &|| {
            if let Err(error) = handle.flush_index() {
                log::warn!("the index is behind while it is checked: {error}");
            }
        },
        progress,
    )
}

/// Checks a store that no daemon has open. What a crash left open is not repaired and not found.
///
/// # Errors
/// [`CheckError`]: the check could not be carried out.
pub fn check_offline(
    data_dir: &Path,
    options: CheckOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CheckReport, CheckError> {
    let layout = Layout::new(data_dir);
    let _lock = lock(&layout)?;
    let reserve = Arc::new(Reserve::new(layout.reserve()));
    let opener = Arc::new(FileOpener { reserve });
    let index = Index::open(opener, layout.index(), OFFLINE_CACHE).map_err(OpenError::from)?;
    migrate::migrate(&index)?;
    run(&layout, &index, options, &|| (), progress)
}

fn run(
    layout: &Layout,
    index: &Index,
    options: CheckOptions,
    settle: &dyn Fn(),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CheckReport, CheckError> {
    let mut check = Check {
        layout,
        index,
        options,
        report: CheckReport::default(),
    };
    let total = index.rows()?;
    let mut after = None;
    progress(0, total);
    loop {
        let rows = index.walk(after, CHECK_ROWS)?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(*last);
        for (key, row) in rows {
            let (tenant, id) = split_recording(&key);
            check.report.recordings += 1;
            match row {
                Ok(row) if (row.facts.tenant, row.facts.id) == (tenant, id) => check.row(&row)?,
                _ => check.report.found(Finding::Row { tenant, id }),
            }
            progress(check.report.recordings, total.max(check.report.recordings));
        }
    }
    check.accounts()?;
    for (table, id) in index.dangling_names()? {
        check.report.found(Finding::DanglingName { table, id });
    }
    check.orphans(settle)?;
    Ok(check.report)
}

struct Check<'s> {
    layout: &'s Layout,
    index: &'s Index,
    options: CheckOptions,
    report: CheckReport,
}

impl Check<'_> {
    fn accounts(&mut self) -> Result<(), CheckError> {
        let mut bad = |table, key| self.report.found(Finding::AccountRow { table, key });
        for (id, row) in self.index.tenant_rows()? {
            if row.is_err() {
                bad("tenants", id.to_string());
            }
        }
        for (id, row) in self.index.key_rows()? {
            if row.is_err() {
                bad("keys", id.to_string());
            }
        }
        for table in RowTable::ALL {
            for (key, value) in self.index.raw_rows(table)? {
                if !is_readable(table, &key, &value) {
                    let hex = key.iter().map(|byte| format!("{byte:02x}")).collect();
                    bad(table.name(), hex);
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &Recording) -> Result<(), CheckError> {
        self.names(row)?;
        let Some(outcome) = &row.outcome else {
            return Ok(());
        };
        let whole = row.state == RecordingState::Stored;
        if whole || (row.state == RecordingState::Failed && outcome.size_bytes > 0) {
            self.file(row, outcome, whole);
        }
        Ok(())
    }

    fn names(&mut self, row: &Recording) -> Result<(), CheckError> {
        let reading = self.index.begin_read()?;
        let (id, names) = (row.facts.id, &row.facts.names);
        for name in [
            RecordingName::CallSid(names.call_sid.clone()),
            RecordingName::CrtObject(names.crt_object_id.clone()),
            RecordingName::Task(names.task_id),
        ] {
            if read::resolve(&reading, row.facts.tenant, &name)? != Some(id) {
                self.report.found(Finding::Name { id, name });
            }
        }
        let name = RecordingName::Session(names.session_uuid);
        if read::resolve(&reading, row.facts.tenant, &name)?.is_none() {
            self.report.found(Finding::Name { id, name });
        }
        Ok(())
    }

    fn file(&mut self, row: &Recording, outcome: &RecordingOutcome, whole: bool) {
        let (id, path) = (row.facts.id, self.layout.recording(&row.facts));
        let found = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !self.is_gone(row) {
                    self.report.found(Finding::MissingFile { id, path });
                }
                return;
            }
            Err(problem) => return self.report.found(Finding::Unreadable { id, problem }),
        };
        self.report.bytes += found;
        let expected = outcome.size_bytes;
        if found != expected {
            return self.report.found(Finding::Size {
                id,
                expected,
                found,
            });
        }
        if self.options.hashes {
            match measure(&path, None, &mut |_| ()) {
                Ok(measured) if measured.hash == outcome.content_hash => {}
                Ok(_) => self.report.found(Finding::Hash { id }),
                Err(problem) => self.report.found(Finding::Unreadable { id, problem }),
            }
        }
        if whole {
            self.own_account(row, outcome, &path);
        }
    }

    /// What the file says of itself.
    fn own_account(&mut self, row: &Recording, outcome: &RecordingOutcome, path: &Path) {
        let id = row.facts.id;
        let told = if outcome.end_cause == EndCause::Imported {
            let sidecar = std::fs::read(facts_of(path)).map_err(sealed::SealedError::Io);
            sidecar.and_then(|json| Ok(StoredFacts::from_json(&json)?))
        } else {
            sealed::read(path).map(|sealed| sealed.facts)
        };
        match told {
            Err(problem) => self.report.found(Finding::Header { id, problem }),
            Ok(told) if told.facts != row.facts || told.frames != outcome.frames => {
                self.report.found(Finding::Facts { id });
            }
            Ok(_) => {}
        }
        if outcome.end_cause != EndCause::Imported {
            let peaks = std::fs::read(peaks_of(path)).ok();
            let good = peaks.and_then(|bytes| Peaks::decode(&bytes).ok());
            if good.is_none_or(|peaks| peaks.frames != outcome.frames) {
                self.report.found(Finding::Peaks { id });
            }
        }
    }

    /// Whether a recording was deleted while it was looked at.
    fn is_gone(&self, row: &Recording) -> bool {
        let name = RecordingName::Recid(row.facts.id);
        matches!(self.index.find(row.facts.tenant, &name), Ok(None))
    }

    /// `settle` returns when all changes that were under way are in the index.
    fn orphans(&mut self, settle: &dyn Fn()) -> Result<(), CheckError> {
        let mut strangers = Vec::new();
        walk::files(&self.layout.recordings(), &mut |found| {
            if !self.is_owned(&found) {
                strangers.push(found);
            }
        })?;
        if !strangers.is_empty() {
            settle();
        }
        for found in strangers {
            // It may have been deleted, or its row committed, since.
            if found.path.exists() && !self.is_owned(&found) {
                self.report.found(Finding::Orphan { path: found.path });
            }
        }
        Ok(())
    }

    fn is_owned(&self, found: &walk::Found) -> bool {
        let Some((tenant, id)) = found.owner else {
            return false;
        };
        let row = match self.index.find(tenant, &RecordingName::Recid(id)) {
            Ok(Some(row)) => row,
            Ok(None) => return false,
            // Whose row is unreadable is told already.
            Err(ReadError::Row(_)) => return true,
            Err(_) => return true,
        };
        let path = self.layout.recording(&row.facts);
        found.path == path || found.path == peaks_of(&path) || found.path == facts_of(&path)
    }
}

/// Page cache of an index that is opened for one pass, in bytes.
pub(crate) const OFFLINE_CACHE: usize = 32 * 1024 * 1024;

/// The error of a store that cannot be opened for reading its rows.
impl From<CheckError> for OpenError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Read(error) => open_error(error),
            CheckError::Open(error) => error,
            CheckError::Io { path, source } => Self::Io {
                what: "listing",
                path,
                source,
            },
        }
    }
}
