//! `recordings import`.

use std::path::Path;

use serde::Serialize;

use super::Context;
use super::args::ImportArgs;
use super::error::CliError;
use super::output::{complain, length};
use crate::control::wire::{ErrorBody, Import, Recording};

/// What became of one file.
#[derive(Serialize)]
struct Imported {
    file: String,
    recording: Option<Recording>,
    error: Option<ErrorBody>,
}

pub(super) async fn import(context: &Context, wish: ImportArgs) -> Result<(), CliError> {
    if let Some(option) = wish.single_only().filter(|_| wish.files.len() > 1) {
        return Err(CliError::SingleOnly(option));
    }
    let mut results = Vec::new();
    for file in &wish.files {
        let mut meter = context.output.meter();
        let wire = wire(&wish, file)?;
        let result = context
            .client
            .job("/recordings/import", &wire, |now| meter.show(now))
            .await;
        meter.finish();
        let file = file.display().to_string();
        results.push(match result {
            Ok(recording) => Imported {
                file,
                recording: Some(recording),
                error: None,
            },
            Err(CliError::Refused(error)) if wish.files.len() > 1 => {
                if !context.output.is_json() {
                    complain(&format!("callreel: {file}: {}", error.message));
                }
                Imported {
                    file,
                    recording: None,
                    error: Some(error),
                }
            }
            Err(error) => return Err(error),
        });
    }
    context.output.show(&results, |results| {
        let line = |imported: &Imported| {
            imported.recording.as_ref().map(|recording| {
                let length = recording.outcome.as_ref().map(|o| length(o.duration_ms));
                format!(
                    "{} is recording {} ({}, {})\n",
                    imported.file,
                    recording.recid,
                    recording.container,
                    length.unwrap_or_default()
                )
            })
        };
        results.iter().filter_map(line).collect()
    })?;
    let failed = results
        .iter()
        .filter(|result| result.error.is_some())
        .count();
    if failed > 0 {
        return Err(CliError::Some {
            failed,
            all: results.len(),
        });
    }
    Ok(())
}

/// The request for one file.
fn wire(wish: &ImportArgs, file: &Path) -> Result<Import, CliError> {
    let path = absolute(file)?;
    Ok(Import {
        path,
        tenant: wish.tenant.clone(),
        recid: wish.recid.map(|recid| recid.to_string()),
        call_sid: wish.call_sid.clone(),
        crt_object_id: wish.crt_object_id.clone(),
        campaign_id: wish.campaign_id,
        call_id: wish.call_id.clone(),
        task_id: wish.task_id,
        line: wish.line.clone(),
        from: wish.from.clone(),
        to: wish.to.clone(),
        started_at: wish.start.clone(),
    })
}

/// A file's path as the daemon, which has another working folder, can use it.
pub(super) fn absolute(file: &Path) -> Result<String, CliError> {
    let absolute = std::fs::canonicalize(file).map_err(|source| CliError::File {
        what: "open",
        path: file.to_owned(),
        source,
    })?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|path| CliError::File {
            what: "name in JSON",
            path: path.into(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "its path is not UTF-8"),
        })
}
