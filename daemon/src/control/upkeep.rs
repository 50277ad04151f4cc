//! Checking a store and rebuilding its index, in the wire's words. The daemon checks the store it
//! has open; the command line opens the data folder itself when no daemon runs.

use std::path::{Path, PathBuf};

use storage::check::{self, CheckOptions, LedgerTrust};
use storage::error::{CheckError, OpenError, ReindexError};
use storage::handle::StorageHandle;
use storage::ids::RecordingId;

use super::wire::{Check, CheckReport, Finding, Progress, ReindexReport, Skipped};

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

impl UpkeepError {
    /// Whether another process has the store open.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(
            self,
            Self::Check(CheckError::Open(OpenError::Locked(_)))
                | Self::Reindex(ReindexError::Open(OpenError::Locked(_)))
        )
    }
}

/// Checks the store that this process has open.
pub(super) fn check_running(
    storage: &StorageHandle,
    wish: Check,
    progress: &mut dyn FnMut(&Progress),
) -> Result<CheckReport, UpkeepError> {
    let mut told = |done, total| progress(&stage("recordings checked", done, total));
    Ok(report_of(&check::check(storage, options(wish), &mut told)?))
}

/// Checks a data folder that no daemon has open, whose ledger's checkpoints may lie elsewhere.
///
/// # Errors
/// [`UpkeepError::Check`]
pub fn check_offline(
    folder: &Path,
    wish: Check,
    checkpoints: Option<PathBuf>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<CheckReport, UpkeepError> {
    let mut told = |done, total| progress(&stage("recordings checked", done, total));
    let trust = LedgerTrust {
        checkpoints,
        ..LedgerTrust::default()
    };
    Ok(report_of(&check::check_offline_with(
        folder,
        options(wish),
        &trust,
        &mut told,
    )?))
}

/// Rebuilds the index of a data folder that no daemon has open.
///
/// # Errors
/// [`UpkeepError::Reindex`]
pub fn reindex(
    folder: &Path,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ReindexReport, UpkeepError> {
    let mut told = |done, total| progress(&stage("bytes read", done, total));
    let report = storage::reindex::reindex(folder, &mut told)?;
    let skipped = report.skipped.iter().map(|(path, problem)| Skipped {
        path: path.display().to_string(),
        problem: problem.to_string(),
    });
    Ok(ReindexReport {
        recordings: report.recordings,
        tenants: report.tenants,
        keys: report.keys,
        old_unreadable: report.old_unreadable,
        skipped: skipped.collect(),
        backup: report.backup.map(|path| path.display().to_string()),
    })
}

fn options(wish: Check) -> CheckOptions {
    CheckOptions {
        hashes: wish.hashes,
    }
}

fn stage(stage: &str, done: u64, total: u64) -> Progress {
    Progress {
        stage: stage.to_owned(),
        done,
        total,
    }
}

fn report_of(report: &check::CheckReport) -> CheckReport {
    let findings = report.findings.iter().map(|finding| Finding {
        recid: recording_of(finding).map(|id| id.to_string()),
        problem: finding.to_string(),
        rebuildable: finding.is_rebuildable(),
    });
    CheckReport {
        clean: report.is_clean(),
        recordings: report.recordings,
        bytes: report.bytes,
        findings_total: report.findings.len() as u64 + report.more,
        findings: findings.collect(),
    }
}

/// The recording that a finding is about.
const fn recording_of(finding: &check::Finding) -> Option<RecordingId> {
    use check::Finding;
    match finding {
        Finding::MissingFile { id, .. }
        | Finding::Size { id, .. }
        | Finding::Hash { id }
        | Finding::Header { id, .. }
        | Finding::Facts { id }
        | Finding::Marks { id }
        | Finding::Unreadable { id, .. }
        | Finding::Row { id, .. }
        | Finding::Name { id, .. }
        | Finding::DanglingName { id, .. }
        | Finding::Ledgered { id, .. }
        | Finding::Peaks { id } => Some(*id),
        Finding::Orphan { .. }
        | Finding::Ledger(_)
        | Finding::LedgerUnreadable { .. }
        | Finding::Checkpoint { .. }
        | Finding::AccountRow { .. }
        | Finding::PromptRow { .. }
        | Finding::MissingPrompt { .. }
        | Finding::PromptSize { .. }
        | Finding::PromptHash { .. }
        | Finding::PromptUnreadable { .. }
        | Finding::StrayPrompt { .. } => None,
    }
}
