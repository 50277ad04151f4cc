//! `check` and `reindex`: through the daemon where it runs, otherwise on the data folder itself.

use std::path::PathBuf;

use super::Context;
use super::args::{TrustArgs, Upkeep};
use super::error::CliError;
use super::output::{length, or_dash, printable, size, table};
use super::{import, verify};
use crate::control::wire::{Check, CheckReport, Finding, Progress, Proved, ReindexReport};
use crate::control::{check_offline, reindex as rebuild};

pub(super) async fn check(
    context: &Context,
    options: Upkeep,
    quick: bool,
    trust: TrustArgs,
) -> Result<(), CliError> {
    let wish = wish(quick, trust)?;
    let mut meter = context.output.meter();
    let report: Result<CheckReport, CliError> = match options.data_dir {
        None if context.client.answers().await => {
            context
                .client
                .job("/check", &wish, |now| meter.show(now))
                .await
        }
        folder => {
            // Another folder than the configured one has its checkpoints in it.
            let checkpoints = match &folder {
                None => context.loaded()?.config.ledger.checkpoints_dir,
                Some(_) => None,
            };
            let folder = folder_of(context, folder)?;
            let mut show = |now: &Progress| meter.show(now);
            let checkpoints = checkpoints.map(|path| path.display().to_string());
            let wish = Check {
                checkpoints: wish.checkpoints.clone().or(checkpoints),
                ..wish
            };
            check_offline(&folder, &wish, &mut show).map_err(CliError::from)
        }
    };
    meter.finish();
    let report = report?;
    context.output.show(&report, describe)?;
    if !report.clean {
        return Err(CliError::Damage(report.findings_total));
    }
    Ok(())
}

/// The daemon may have another working folder: it gets whole paths, and keys themselves.
fn wish(quick: bool, trust: TrustArgs) -> Result<Check, CliError> {
    let keys = trust.key.iter().map(|path| {
        let key = verify::key(path)?;
        Ok(key.to_pem())
    });
    let checkpoints = trust.checkpoints.as_deref().map(import::absolute);
    Ok(Check {
        hashes: !quick,
        keys: keys.collect::<Result<_, CliError>>()?,
        checkpoints: checkpoints.transpose()?,
        lines: trust.checkpoint_line,
    })
}

pub(super) fn folder_of(context: &Context, given: Option<PathBuf>) -> Result<PathBuf, CliError> {
    let folder = given.map_or_else(|| context.configured_data_dir(), Ok)?;
    // An empty folder would be found in perfect order.
    std::fs::metadata(&folder).map_err(|source| CliError::File {
        what: "open",
        path: folder.clone(),
        source,
    })?;
    Ok(folder)
}

fn describe(report: &CheckReport) -> String {
    let mut text = String::new();
    if !report.findings.is_empty() {
        let row = |finding: &Finding| {
            let severity = if finding.rebuildable {
                "minor"
            } else {
                "damage"
            };
            [
                or_dash(finding.recid.as_deref()),
                severity.into(),
                finding.problem.clone(),
            ]
        };
        let rows: Vec<_> = report.findings.iter().map(row).collect();
        text.push_str(&table(["RECID", "SEVERITY", "PROBLEM"], &rows));
    }
    text.push_str(&format!(
        "{} recordings, {} read, {} problems\n",
        report.recordings,
        size(report.bytes),
        report.findings_total
    ));
    if let Some(proved) = &report.ledger {
        text.push_str(&proved_text(proved));
    }
    text
}

/// What is known of the ledger, and by what.
fn proved_text(proved: &Proved) -> String {
    let mut text = format!(
        "ledger: {} of {} entries in one chain",
        proved.entries, proved.end
    );
    match &proved.newest {
        Some(newest) => {
            let behind = proved.end.saturating_sub(newest.seq);
            text.push_str(&format!(
                ", {} signed checkpoints, the last of entry {} at {} with key {}",
                proved.checkpoints, newest.seq, newest.at, newest.key_id
            ));
            if let Some(age) = newest.age_ms {
                let age = length(age);
                text.push_str(&format!(" ({age} ago; {behind} entries since)"));
            }
            text.push('\n');
        }
        None => text.push_str("; NO SIGNED CHECKPOINT says that it is the right one\n"),
    }
    if !proved.key_expected {
        text.push_str(
            "NOT CHECKED: whether that is the right key; compare it with one that was kept \
             elsewhere, or give --key\n",
        );
    }
    text
}

pub(super) async fn reindex(context: &Context, options: Upkeep) -> Result<(), CliError> {
    // Another folder than the daemon's can be rebuilt while it runs; the store's own lock guards
    // against a mistake.
    if options.data_dir.is_none() && context.client.answers().await {
        return Err(CliError::DaemonRuns(context.client.socket().to_owned()));
    }
    let folder = folder_of(context, options.data_dir)?;
    let mut meter = context.output.meter();
    let report = rebuild(&folder, &mut |now| meter.show(now));
    meter.finish();
    context.output.show(&report?, describe_rebuilt)
}

fn describe_rebuilt(report: &ReindexReport) -> String {
    let mut text = format!(
        "the new index has {} recordings, {} tenants and {} keys\n",
        report.recordings, report.tenants, report.keys
    );
    if report.old_unreadable {
        text.push_str("the old index could not be read: issue new keys\n");
    }
    for skipped in &report.skipped {
        let (path, problem) = (printable(&skipped.path), printable(&skipped.problem));
        text.push_str(&format!("left out: {path}: {problem}\n"));
    }
    if let Some(backup) = &report.backup {
        text.push_str(&format!("the old index is kept as {}\n", printable(backup)));
    }
    text
}
