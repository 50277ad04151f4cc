//! `restore`: shows what a backup would change, and prepares it for the daemon's next start. It
//! works on files; the daemon may run meanwhile.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::clock::{Clock as _, SystemClock};
use serde::Serialize;
use storage::backup::{Checked, KeyBrief};
use storage::restore;

use super::Context;
use super::args::{Part, RestoreArgs};
use super::backup::{checked, describe, opened, told};
use super::error::CliError;
use super::output::complain;
use crate::backup::{Fate, Plan, plan};
use crate::config::schema::Storage;
use crate::control::wire::{Items, Key, Progress};
use crate::logging::rfc3339;

/// What a restore does or would do.
#[derive(Serialize)]
struct Report {
    backup: super::backup::Told,
    data_dir: PathBuf,
    index: bool,
    files: Vec<crate::backup::FilePlan>,
    /// Keys that would no longer open anything, as they were issued since.
    keys_going: Vec<u64>,
    /// Keys that were revoked since and would open again.
    keys_coming_back: Vec<u64>,
    done: bool,
    daemon_runs: bool,
}

pub(super) async fn restore(context: &Context, wish: RestoreArgs) -> Result<(), CliError> {
    if let Some(copy) = &wish.index_backup {
        return go_back(context, &wish, copy).await;
    }
    if wish.cancel {
        let folder = folder(context, &wish)?;
        restore::cancel(&folder)?;
        let answer = serde_json::json!({ "cancelled": folder });
        return context.output.show(&answer, |_| {
            "the restore is given up; nothing was changed\n".into()
        });
    }
    if wish.finish {
        let folder = folder(context, &wish)?;
        return finish(context, &folder, true);
    }
    let file = wish.file.clone().unwrap_or_default();
    let found = checked(context, &file)?;
    let plan = planned(context, &wish, &found)?;
    if let Some(at) = restore::pending(&plan.data_dir) {
        let when = rfc3339(at);
        complain(&format!("a restore of the backup of {when} waits already"));
        return Err(restore::RestoreError::Pending(plan.data_dir).into());
    }
    let daemon_runs = context.client.answers().await;
    let present = present_keys(context, &plan, daemon_runs).await?;
    let (keys_going, keys_coming_back) = differences(&present, &found, plan.wanted.index);
    if wish.yes {
        staged(context, &file, found.bytes, &plan)?;
        finish(context, &plan.data_dir, false)?;
    }
    let report = Report {
        backup: told(Some(file), &found),
        data_dir: plan.data_dir,
        index: plan.wanted.index,
        files: plan.files,
        keys_going,
        keys_coming_back,
        done: wish.yes,
        daemon_runs,
    };
    context
        .output
        .show(&report, |report| text(report, wish.restart))?;
    if wish.restart { restart() } else { Ok(()) }
}

fn folder(context: &Context, wish: &RestoreArgs) -> Result<PathBuf, CliError> {
    let given = wish.data_dir.clone();
    given.map_or_else(|| context.configured_data_dir(), Ok)
}

/// What is wanted. A data folder that is named is restored by itself, without the configuration.
fn planned(context: &Context, wish: &RestoreArgs, found: &Checked) -> Result<Plan, CliError> {
    let wants = |part| match wish.only.as_slice() {
        [] => part != Part::Config || wish.data_dir.is_none(),
        only => only.contains(&part),
    };
    let folder = match &wish.data_dir {
        Some(folder) => folder.clone(),
        // The configuration may be what is broken, and the backup brings a whole one.
        None if wants(Part::Config) => context
            .configured_data_dir()
            .unwrap_or_else(|_| Storage::default().data_dir),
        None => context.configured_data_dir()?,
    };
    let parts = (wants(Part::Index), wants(Part::Keys), wants(Part::Config));
    Ok(plan(found, &context.origin(), folder, parts)?)
}

/// The keys that open something now; none where that cannot be told.
async fn present_keys(
    context: &Context,
    plan: &Plan,
    daemon_runs: bool,
) -> Result<Vec<KeyBrief>, CliError> {
    if !plan.wanted.index {
        return Ok(Vec::new());
    }
    if daemon_runs && context.configured_data_dir().ok().as_ref() == Some(&plan.data_dir) {
        let keys: Items<Key> = context.client.get("/keys").await?;
        let brief = |key: &Key| {
            Some(KeyBrief {
                key_id: key.key_id.parse().ok()?,
                created_at_ms: crate::control::parse_time(&key.created_at).ok()?.0,
                revoked: key.revoked_at.is_some(),
            })
        };
        return Ok(keys.items.iter().filter_map(brief).collect());
    }
    // An index that cannot be read has nothing to compare with.
    Ok(restore::keys_offline(&plan.data_dir).unwrap_or_default())
}

fn differences(now: &[KeyBrief], backup: &Checked, index: bool) -> (Vec<u64>, Vec<u64>) {
    if !index {
        return (Vec::new(), Vec::new());
    }
    let held = |key: &KeyBrief| {
        let same = |old: &&KeyBrief| {
            // The wire tells times to the second.
            (old.key_id, old.created_at_ms / 1_000) == (key.key_id, key.created_at_ms / 1_000)
        };
        backup.keys.iter().find(same)
    };
    let going = now.iter().filter(|key| !key.revoked && held(key).is_none());
    let back = now
        .iter()
        .filter(|key| key.revoked && held(key).is_some_and(|old| !old.revoked));
    let ids = |keys: Vec<&KeyBrief>| keys.iter().map(|key| key.key_id).collect();
    (ids(going.collect()), ids(back.collect()))
}

fn staged(context: &Context, file: &Path, bytes: u64, plan: &Plan) -> Result<(), CliError> {
    let from = BufReader::with_capacity(1 << 18, opened(file)?);
    let mut meter = context.output.meter();
    let mut show = |done, total| {
        meter.show(&Progress {
            stage: "rows prepared".to_owned(),
            done,
            total,
        });
    };
    let wall = SystemClock.wall();
    let staged = restore::stage(&plan.data_dir, from, bytes, &plan.wanted, wall, &mut show);
    meter.finish();
    staged?;
    Ok(())
}

/// Puts the configuration's files in place.
fn finish(context: &Context, data_dir: &Path, asked: bool) -> Result<(), CliError> {
    if !restore::files_wait(data_dir) {
        if asked {
            return Err(restore::RestoreError::NonePending(data_dir.to_owned()).into());
        }
        return Ok(());
    }
    let origin = context.origin();
    let folder = origin.file().parent().unwrap_or(Path::new("/"));
    let placed = restore::place(data_dir, folder, SystemClock.wall())?;
    if !asked {
        return Ok(());
    }
    let paths: Vec<_> = placed.iter().map(|placed| &placed.path).collect();
    context
        .output
        .show(&serde_json::json!({ "placed": paths }), |_| {
            placed
                .iter()
                .map(|placed| format!("{} is in place\n", placed.path.display()))
                .collect()
        })
}

async fn go_back(context: &Context, wish: &RestoreArgs, copy: &Path) -> Result<(), CliError> {
    if wish.data_dir.is_none() && context.client.answers().await {
        return Err(CliError::DaemonRuns(context.client.socket().to_owned()));
    }
    let folder = folder(context, wish)?;
    if !wish.yes {
        let answer = serde_json::json!({ "done": false, "index_backup": copy });
        return context.output.show(&answer, |_| {
            format!(
                "'{}' would take the place of the index in '{}', which is kept aside\nnothing was \
                 changed: give --yes to do it\n",
                copy.display(),
                folder.display()
            )
        });
    }
    let went = restore::put_back_index(&folder, copy, Arc::new(SystemClock))?;
    let answer = serde_json::json!({ "done": true, "schema": went.schema, "kept": went.kept });
    context.output.show(&answer, |_| {
        let kept = went.kept.as_deref().unwrap_or(Path::new("nothing"));
        format!(
            "the index with schema {} is in place; the one it replaced is kept as {}\nnow install \
             the version that wrote it, and run 'callreel reindex' with it before it starts: that \
             adopts what was recorded since\n",
            went.schema,
            kept.display()
        )
    })
}

fn restart() -> Result<(), CliError> {
    let command = ["systemctl", "restart", "callreeld"];
    let status = std::process::Command::new(command[0])
        .args(&command[1..])
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(CliError::NoRestart(None)),
        Err(error) => Err(CliError::NoRestart(Some(error))),
    }
}

fn text(report: &Report, restarts: bool) -> String {
    let mut text = describe(&report.backup);
    let will = if report.done { "" } else { "would be " };
    if report.index {
        let folder = report.data_dir.display();
        text.push_str(&format!(
            "  {folder}/index.redb {will}merged with the backup's\n"
        ));
    }
    for file in &report.files {
        let what = match file.fate {
            Fate::Same => "is the same".to_owned(),
            Fate::New => format!("{will}made"),
            Fate::Replaced => format!("{will}replaced; the present one is kept beside it"),
            Fate::Removed => format!("{will}moved aside: the backup has none of this name"),
            Fate::LeftOut => "is left alone: it is outside of the configuration's folder; take it \
                              from the backup with tar"
                .to_owned(),
        };
        text.push_str(&format!("  {} {what}\n", file.path.display()));
    }
    let list = |ids: &[u64]| {
        let ids: Vec<_> = ids.iter().take(50).map(u64::to_string).collect();
        ids.join(", ")
    };
    if !report.keys_going.is_empty() {
        let ids = list(&report.keys_going);
        text.push_str(&format!(
            "keys issued since, which open nothing afterwards: {ids}\n"
        ));
    }
    if !report.keys_coming_back.is_empty() {
        let ids = list(&report.keys_coming_back);
        text.push_str(&format!(
            "keys revoked since, which OPEN AGAIN afterwards: {ids}\n"
        ));
    }
    text.push_str(if !report.done {
        "nothing was changed: give --yes to do it\n"
    } else if restarts {
        "prepared; restarting the daemon\n"
    } else if report.daemon_runs {
        "prepared; it is taken over when the daemon starts: 'systemctl restart callreeld'\n"
    } else {
        "prepared; it is taken over when the daemon starts: 'systemctl start callreeld'\n"
    });
    text
}
