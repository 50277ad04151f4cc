//! The store's fsck: rows against files, files against their hashes and headers, names against
//! rows, and files that belong to nobody. It changes nothing.

#[cfg(test)]
mod bit_tests;
mod finding;
mod keeping;
mod ledger;
mod library;
mod sidecar;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use audio_io::clock::{Clock as _, SystemClock};

use crate::accounts::is_readable;
use crate::error::{CheckError, OpenError, ReadError};
use crate::handle::StorageHandle;
use crate::ids::RecordingName;
use crate::index::backend::{FileOpener, Opener};
use crate::index::keys::split_recording;
use crate::index::rows::RowTable;
use crate::index::{Index, migrate, read};
use crate::limits::{CHECK_ROWS, FINDINGS_MAX};
use crate::marks::are_within;
use crate::open::{lock, open_error};
use crate::paths::{Layout, converted_facts_of, facts_of, peaks_of};
use crate::peaks::{Sidecar, SidecarError, is_older};
use crate::record::{Container, EndCause, Recording, RecordingOutcome, RecordingState};
use crate::reserve::Reserve;
use crate::segment::facts::StoredFacts;
use crate::segment::sealed;
use crate::walk;
use crate::work::measure;
pub use finding::{BadCheckpoint, Finding, Ledgered};
pub use ledger::{LedgerReport, LedgerTrust, Proved, check_ledger};

pub use crate::index::keeping::KeepingFault;

/// What to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Read every file and compare its BLAKE3; else only lengths, headers and facts.
    pub hashes: bool,
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
    /// What the ledger proves; `None` where there is none yet.
    pub proved: Option<Proved>,
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
    check_with(handle, options, &LedgerTrust::default(), progress)
}

/// The same, with checkpoints that lie elsewhere, or keys and lines that were kept apart.
///
/// # Errors
/// [`CheckError`]: the check could not be carried out.
pub fn check_with(
    handle: &StorageHandle,
    options: CheckOptions,
    trust: &LedgerTrust,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CheckReport, CheckError> {
    let own = || handle.checkpoints_dir().to_owned();
    let trust = LedgerTrust {
        checkpoints: Some(trust.checkpoints.clone().unwrap_or_else(own)),
        ..trust.clone()
    };
    run(
        &handle.shared.layout,
        &handle.shared.index,
        (options, &trust),
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
    check_offline_with(data_dir, options, &LedgerTrust::default(), progress)
}

/// The same, with checkpoints that lie elsewhere, or keys and lines that were kept apart.
///
/// # Errors
/// [`CheckError`]: the check could not be carried out.
pub fn check_offline_with(
    data_dir: &Path,
    options: CheckOptions,
    trust: &LedgerTrust,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CheckReport, CheckError> {
    let layout = Layout::new(data_dir);
    let _lock = lock(&layout)?;
    let reserve = Arc::new(Reserve::new(layout.reserve()));
    let opener: Arc<dyn Opener> = Arc::new(FileOpener { reserve });
    let opened = survived(|| migrate::open(&opener, &layout, OFFLINE_CACHE, SystemClock.wall()))?;
    let (index, _) = opened?;
    let checked = survived(|| run(&layout, &index, (options, trust), &|| (), progress));
    if checked.is_err() {
        // Closing it would write what it believes in.
        std::mem::forget(index);
    } else {
        survived(|| drop(index))?;
    }
    checked?
}

/// The database gives up with a panic on some of the damage that there can be to its file. That is
/// a finding like others, not the end of the program.
fn survived<T>(work: impl FnOnce() -> T) -> Result<T, CheckError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let told = "its pages contradict each other; 'callreel reindex' makes a new one";
        CheckError::Open(OpenError::Index(redb::Error::Corrupted(told.to_owned())))
    })
}

fn run(
    layout: &Layout,
    index: &Index,
    (options, trust): (CheckOptions, &LedgerTrust),
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
    check.keeping()?;
    check.place()?;
    check.ledger(trust)?;
    check.prompts()?;
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
        if !are_within(&outcome.marks, outcome.frames) {
            self.report.found(Finding::Marks { id: row.facts.id });
        }
        let whole = row.state == RecordingState::Stored;
        if whole || (row.state == RecordingState::Failed && outcome.size_bytes > 0) {
            let before = self.report.findings.len();
            self.file(row, outcome, whole)?;
            // What was found may be due to an exchange of the file since the row was read.
            if self.report.findings.len() > before
                && let Some(now) = self.changed(row)?
            {
                self.report.findings.truncate(before);
                return self.row(&now);
            }
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

    fn file(
        &mut self,
        row: &Recording,
        outcome: &RecordingOutcome,
        whole: bool,
    ) -> Result<(), CheckError> {
        let (id, path) = (row.facts.id, self.layout.recording(&row.facts));
        let found = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !self.is_gone(row) {
                    self.report.found(Finding::MissingFile { id, path });
                }
                return Ok(());
            }
            Err(problem) => {
                self.report.found(Finding::Unreadable { id, problem });
                return Ok(());
            }
        };
        self.report.bytes += found;
        let expected = outcome.size_bytes;
        if found != expected {
            self.report.found(Finding::Size {
                id,
                expected,
                found,
            });
            return Ok(());
        }
        if self.options.hashes {
            match measure(&path, None, &mut |_| ()) {
                Ok(measured) if measured.hash == outcome.content_hash => {}
                Ok(_) => self.report.found(Finding::Hash { id }),
                Err(problem) => self.report.found(Finding::Unreadable { id, problem }),
            }
        }
        if whole {
            let before = self.report.findings.len();
            self.own_account(row, outcome, &path);
            let told = self.report.findings[before..].iter();
            let mut told = told.filter(|finding| !finding.is_rebuildable());
            if told.next().is_none() && !sidecar::is_as_written(self.index, row, outcome, &path)? {
                self.report.found(Finding::Facts { id });
            }
        }
        Ok(())
    }

    /// What the file says of itself.
    fn own_account(&mut self, row: &Recording, outcome: &RecordingOutcome, path: &Path) {
        let id = row.facts.id;
        let told = sealed::beside(path).and_then(|told| match told {
            Some(told) => Ok(told),
            None => sealed::read(path).map(|sealed| sealed.facts),
        });
        match told {
            Err(problem) => self.report.found(Finding::Header { id, problem }),
            Ok(told)
                if told.facts != row.facts
                    || told.frames != outcome.frames
                    || told.marks != outcome.marks =>
            {
                self.report.found(Finding::Facts { id });
            }
            Ok(StoredFacts {
                file: Some(file), ..
            }) if file.content_hash != outcome.content_hash => {
                self.report.found(Finding::Facts { id });
            }
            Ok(_) => {}
        }
        if outcome.end_cause != EndCause::Imported {
            let beside = peaks_of(path);
            let peaks = Sidecar::open(&beside, &outcome.content_hash);
            let peaks = peaks.and_then(|peaks| peaks.verify().map(|()| peaks.frames));
            let good = match peaks {
                Ok(frames) => frames == outcome.frames,
                // Those of the file that was exchanged for this one.
                Err(SidecarError::Foreign) => row.facts.container != Container::Wav,
                Err(_) => is_older(&beside),
            };
            if !good {
                self.report.found(Finding::Peaks { id });
            }
        }
    }

    /// The row of a recording whose file has become another while it was looked at.
    fn changed(&self, row: &Recording) -> Result<Option<Recording>, CheckError> {
        let name = RecordingName::Recid(row.facts.id);
        let now = self.index.find(row.facts.tenant, &name)?;
        Ok(now.filter(|now| now.facts.container != row.facts.container))
    }

    /// Whether a recording was deleted while it was looked at.
    fn is_gone(&self, row: &Recording) -> bool {
        let name = RecordingName::Recid(row.facts.id);
        matches!(self.index.find(row.facts.tenant, &name), Ok(None))
    }

    /// `settle` returns when all changes that were under way are in the index.
    fn orphans(&mut self, settle: &dyn Fn()) -> Result<(), CheckError> {
        let mut strangers = Vec::new();
        let layout = self.layout;
        for root in [layout.recordings(), layout.prompts(), layout.derived()] {
            walk::files(&root, &mut |found| {
                if !self.is_known(&found) {
                    strangers.push(found);
                }
            })?;
        }
        if !strangers.is_empty() {
            settle();
        }
        for found in strangers {
            // It may have been deleted, or its row committed, since.
            if found.path.exists() && !self.is_known(&found) {
                let path = found.path;
                let finding = if path.starts_with(layout.prompts()) {
                    Finding::StrayPrompt { path }
                } else {
                    Finding::Orphan { path }
                };
                self.report.found(finding);
            }
        }
        Ok(())
    }

    fn is_known(&self, found: &walk::Found) -> bool {
        let path = &found.path;
        if path.starts_with(self.layout.prompts()) {
            self.is_prompt(path)
        } else if path.starts_with(self.layout.derived()) {
            self.is_derived(path)
        } else {
            self.is_owned(found)
        }
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
        let own = [
            peaks_of(&path),
            facts_of(&path),
            converted_facts_of(&path),
            path,
        ];
        own.contains(&found.path) || self.is_under_way(row, &found.ending)
    }

    /// Whether a file of another format of the recording is known to come or to go.
    fn is_under_way(&self, mut row: Recording, ending: &str) -> bool {
        let extension = ending.split('.').next().unwrap_or_default();
        let Some(container) = Container::of_extension(extension) else {
            return false;
        };
        row.facts.container = container;
        self.index.is_leftover(&row).unwrap_or(true)
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
