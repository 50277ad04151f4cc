//! Facts that lie beside an imported or a converted recording. No hash covers them, so they must
//! say of everything what the row says, byte for byte as they are written.

use std::io;
use std::path::Path;

use crate::error::CheckError;
use crate::index::Index;
use crate::paths::{converted_facts_of, facts_of};
use crate::record::{Recording, RecordingOutcome};
use crate::segment::facts::{FileFacts, StoredFacts, VERSION};

/// Whether the facts beside a recording's file, if there are any, are as they were written.
pub(super) fn is_as_written(
    index: &Index,
    row: &Recording,
    outcome: &RecordingOutcome,
    path: &Path,
) -> Result<bool, CheckError> {
    let converted = std::fs::read(converted_facts_of(path));
    let is_converted = converted.is_ok();
    let json = match converted.or_else(|_| std::fs::read(facts_of(path))) {
        Ok(json) => json,
        // The file tells of itself; its hash covers that.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(_) => return Ok(false),
    };
    let tenants = index.tenants()?;
    let tenant = tenants.into_iter().find(|it| it.id == row.facts.tenant);
    let tenant = tenant.map(|tenant| tenant.name);
    let mut told = StoredFacts {
        version: VERSION,
        tenant_name: tenant,
        facts: row.facts.clone(),
        state: row.state,
        end_cause: outcome.end_cause,
        frames: outcome.frames,
        gaps: outcome.gaps.clone(),
        marks: outcome.marks.clone(),
        sealed_at: outcome.sealed_at,
        file: is_converted.then(|| FileFacts {
            size_bytes: outcome.size_bytes,
            content_hash: outcome.content_hash,
            levels: outcome.levels.clone(),
        }),
    };
    let named = is_spelled(&told, &json);
    told.tenant_name = None;
    Ok(named || is_spelled(&told, &json))
}

/// Programs before schema 4 did not write how good the time is.
fn is_spelled(told: &StoredFacts, json: &[u8]) -> bool {
    let now = told.to_json();
    if now == json {
        return true;
    }
    let now = String::from_utf8_lossy(&now);
    told.facts.time.is_none() && now.replacen(",\"time\":null", "", 1).as_bytes() == json
}
