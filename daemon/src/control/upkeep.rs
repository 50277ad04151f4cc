//! Checking a store and rebuilding its index, in the wire's words. The daemon checks the store it
//! has open; the command line opens the data folder itself when no daemon runs.

use std::path::Path;

use storage::error::{CheckError, ReindexError};
use storage::handle::StorageHandle;

use super::wire::{CheckReport, Finding, Progress, ReindexReport};

/// Why a store could not be checked or its index not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// Checking.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Rebuilding.
    #[error(transparent)]
    Reindex(#[from] ReindexError),
}

/// Checks the store that this process has open.
pub(super) fn check_running(
    storage: &StorageHandle,
    progress: &mut dyn FnMut(Progress),
) -> Result<CheckReport, UpkeepError> {
    let report = storage::check::check(storage, &mut |now| progress(told(now)))?;
    Ok(report_of(report))
}

/// Checks a data folder that no daemon has open.
///
/// # Errors
/// [`UpkeepError::Check`]
pub fn check_offline(
    folder: &Path,
    progress: &mut dyn FnMut(&Progress),
) -> Result<CheckReport, UpkeepError> {
    let report = storage::check::check_offline(folder, &mut |now| progress(&told(now)))?;
    Ok(report_of(report))
}

/// Rebuilds the index of a data folder that no daemon has open.
///
/// # Errors
/// [`UpkeepError::Reindex`]
pub fn reindex(
    folder: &Path,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ReindexReport, UpkeepError> {
    let report = storage::reindex::reindex(folder, &mut |now| progress(&told(now)))?;
    Ok(ReindexReport {
        recordings: report.recordings,
        skipped: report.skipped,
    })
}

fn told(now: storage::check::Progress) -> Progress {
    Progress {
        stage: now.stage.to_owned(),
        done: now.done,
        total: now.total,
    }
}

fn report_of(report: storage::check::CheckReport) -> CheckReport {
    let findings = report.findings.iter().map(|finding| Finding {
        recid: finding.recording.map(|id| id.to_string()),
        path: finding.path.as_ref().map(|path| path.display().to_string()),
        problem: finding.problem.to_string(),
    });
    CheckReport {
        recordings: report.recordings,
        bytes: report.bytes,
        findings: findings.collect(),
        findings_total: report.findings_total,
    }
}
