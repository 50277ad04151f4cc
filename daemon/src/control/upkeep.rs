//! Checking a store and rebuilding its index, in the wire's words. The daemon checks the store it
//! has open; the command line opens the data folder itself when no daemon runs.

use std::path::{Path, PathBuf};

use audio_io::clock::{Clock as _, SystemClock};
use storage::check::{self, CheckOptions, LedgerTrust};
use storage::error::{CheckError, OpenError, ReindexError};
use storage::handle::StorageHandle;
use storage::ids::RecordingId;
use storage::ledger::key::{KeyError, PublicKey};

use super::wire::{
    Check, CheckReport, Finding, NewestCheckpoint, Progress, Proved, ReindexReport, Skipped,
};
use crate::logging::rfc3339;

/// Why a store could not be checked or its index not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// Checking.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Rebuilding.
    #[error(transparent)]
    Reindex(#[from] ReindexError),
    /// A key to check with.
    #[error("a key to check with is none: {0}")]
    Key(#[from] KeyError),
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
    wish: &Check,
    progress: &mut dyn FnMut(&Progress),
) -> Result<CheckReport, UpkeepError> {
    let mut told = |done, total| progress(&stage("recordings checked", done, total));
    let trust = trust(wish)?;
    let report = check::check_with(storage, options(wish), &trust, &mut told)?;
    Ok(report_of(&report, wish))
}

/// Checks a data folder that no daemon has open, whose ledger's checkpoints may lie elsewhere.
///
/// # Errors
/// [`UpkeepError::Check`]
pub fn check_offline(
    folder: &Path,
    wish: &Check,
    progress: &mut dyn FnMut(&Progress),
) -> Result<CheckReport, UpkeepError> {
    let mut told = |done, total| progress(&stage("recordings checked", done, total));
    let trust = trust(wish)?;
    let report = check::check_offline_with(folder, options(wish), &trust, &mut told)?;
    Ok(report_of(&report, wish))
}

fn trust(wish: &Check) -> Result<LedgerTrust, KeyError> {
    let keys = wish.keys.iter().map(|pem| PublicKey::from_pem(pem));
    Ok(LedgerTrust {
        checkpoints: wish.checkpoints.as_ref().map(PathBuf::from),
        keys: keys.collect::<Result<_, _>>()?,
        lines: wish
            .lines
            .iter()
            .map(|line| line.trim().to_owned())
            .collect(),
    })
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

const fn options(wish: &Check) -> CheckOptions {
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

fn report_of(report: &check::CheckReport, wish: &Check) -> CheckReport {
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
        ledger: report.proved.as_ref().map(|proved| told(proved, wish)),
    }
}

fn told(proved: &check::Proved, wish: &Check) -> Proved {
    let now = SystemClock.wall();
    let newest = proved.newest.as_ref().map(|newest| NewestCheckpoint {
        seq: newest.end.seq,
        at: rfc3339(newest.at),
        age_ms: now.0.checked_sub(newest.at.0),
        key_id: newest.key.to_string(),
    });
    Proved {
        entries: proved.entries,
        end: proved.end,
        checkpoints: proved.checkpoints,
        newest,
        key_expected: !wish.keys.is_empty(),
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
        | Finding::Keeping { id, .. }
        | Finding::Peaks { id } => Some(*id),
        Finding::Orphan { .. }
        | Finding::StoreId { .. }
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
