//! Recordings as the page shows them: rows of lists, and all that is known of one.

use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use storage::error::{ReadError, ViewError};
use storage::handle::StorageHandle;
use storage::ids::{RecordingId, RecordingName, Tag};
use storage::ledger::entry::Kind;
use storage::ledger::query::AuditFilter;
use storage::record::{CallDirection, MarkKind, Recording, RecordingState, TimeQuality};
use storage::retention::{Hold, Prospect};

use super::scope::agent_of;
use super::{Asked, no_such, notes, recording_id, unavailable};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming;
use crate::http::limits;
use crate::http::recordings::FindError;

/// A recording in a list.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: String,
    recid: String,
    tenant: String,
    line: Option<String>,
    from: Option<String>,
    to: Option<String>,
    direction: Option<CallDirection>,
    agent: Option<String>,
    started_at: u64,
    duration_ms: Option<u64>,
    /// `live`, `sealed`, `damaged`, `absent`.
    state: &'static str,
    channels: usize,
    rate: u32,
    container: &'static str,
    size_bytes: Option<u64>,
    tags: Vec<String>,
    held: bool,
    notes: u32,
    /// `synchronised`, `unsynchronised`, `stepped`, `implausible`, or null where nobody knows.
    time_quality: Option<&'static str>,
    gaps: usize,
    masked: usize,
}

/// What a list knows of a recording beside its row.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) tags: Vec<Tag>,
    pub(super) is_held: bool,
    pub(super) notes: u32,
}

impl Row {
    /// A row of a list.
    pub(super) fn new(asked: &Asked<'_>, row: &Recording, beside: &Beside) -> Self {
        let (facts, outcome) = (&row.facts, row.outcome.as_ref());
        let site = &asked.call.worker.site;
        let duration = match row.state {
            RecordingState::Live => site.engine.recorded(facts.id),
            _ => row.duration(),
        };
        let tenant = site.storage.tenant(facts.tenant);
        let marks = outcome.map(|outcome| outcome.marks.as_slice());
        let is_span = |kind: MarkKind| matches!(kind, MarkKind::Masked | MarkKind::Paused);
        let masked = marks.unwrap_or_default().iter();
        Self {
            id: facts.id.to_string(),
            recid: facts.id.to_string(),
            tenant: tenant.map_or_else(String::new, |tenant| tenant.name.to_string()),
            line: facts.line.as_ref().map(ToString::to_string),
            from: facts.from.as_ref().map(ToString::to_string),
            to: facts.to.as_ref().map(ToString::to_string),
            direction: facts.direction,
            agent: agent_of(facts).map(str::to_owned),
            started_at: facts.started_at.0,
            duration_ms: duration.map(|duration| duration.0),
            state: state_of(row.state),
            channels: facts.format.channels.count(),
            rate: facts.format.rate.hertz(),
            container: facts.container.extension(),
            size_bytes: outcome.map(|outcome| outcome.size_bytes),
            tags: beside.tags.iter().map(ToString::to_string).collect(),
            held: beside.is_held,
            notes: beside.notes,
            time_quality: facts.time.map(quality_of),
            gaps: outcome.map_or(0, |outcome| outcome.gaps.len()),
            masked: masked.filter(|mark| is_span(mark.kind)).count(),
        }
    }
}

pub(super) const fn state_of(state: RecordingState) -> &'static str {
    match state {
        RecordingState::Live => "live",
        RecordingState::Stored => "sealed",
        RecordingState::Failed => "damaged",
        RecordingState::Absent => "absent",
    }
}

fn quality_of(time: TimeQuality) -> &'static str {
    match time {
        _ if time.implausible => "implausible",
        TimeQuality {
            synchronised: Some(true),
            ..
        } => "synchronised",
        _ if time.stepped => "stepped",
        _ => "unsynchronised",
    }
}

/// Finds a recording within somebody's scope.
///
/// # Errors
/// 404, or 410 for one that was deleted.
pub(super) async fn find(asked: &Asked<'_>, id: RecordingId) -> Result<Recording, Problem> {
    let tenant = asked.scope.tenant;
    let found = asked.off_loop(move |storage| storage.find(tenant, &RecordingName::Recid(id)));
    match found.await?.map_err(Problem::internal)? {
        Some(row) if asked.scope.has(&row.facts) => Ok(row),
        Some(_) => Err(no_such("recording")),
        None => Err(gone_or_missing(asked, id).await),
    }
}

/// 410 for what was deleted, with when, by whom and why; else 404. Of whom only a part of the
/// tenant is, no more is told than that it was there: whose it was is not known any more.
pub(super) async fn gone_or_missing(asked: &Asked<'_>, id: RecordingId) -> Problem {
    let (tenant, all) = (asked.scope.tenant, asked.scope.is_whole());
    let told = asked.off_loop(move |storage| {
        let at = storage.purged_at(tenant, &RecordingName::Recid(id))?;
        let Some(at) = at else {
            return Ok::<_, ReadError>(None);
        };
        let filter = AuditFilter {
            recording: Some(id),
            tenant: Some(tenant),
            kinds: vec![Kind::Deleted],
            ..AuditFilter::default()
        };
        let entry = match all {
            true => storage.audit(&filter, None, 1)?.entries.pop(),
            false => None,
        };
        Ok(Some((at, entry)))
    });
    let told = match told.await {
        Ok(told) => told.map_err(Problem::internal),
        Err(problem) => return problem,
    };
    match told {
        Err(problem) => problem,
        Ok(None) => no_such("recording"),
        Ok(Some((at, entry))) => {
            let message = "The recording was deleted.";
            let problem = Problem::new(StatusCode::GONE, "gone", message).fact("deleted_at", at.0);
            let Some(entry) = entry else { return problem };
            let why = entry.details.get("why").cloned().unwrap_or_default();
            let by = entry.who.and_then(|who| who.name);
            problem.fact("why", why).fact("by", by)
        }
    }
}

/// The problems of opening a recording's file.
pub(super) fn find_problem(error: FindError) -> Problem {
    match &error {
        FindError::View(ViewError::Busy(_)) => {
            unavailable("The recording is just being written; try again.")
                .retry_after(limits::LINES_EVERY)
                .because(error)
        }
        _ => Problem::internal(error),
    }
}

/// `recordings/{id}`: all that is known of one.
pub(super) async fn show(asked: &Asked<'_>, raw: &str) -> Result<Response<Payload>, Problem> {
    let row = find(asked, recording_id(raw)?).await?;
    let known = {
        let row = row.clone();
        asked.off_loop(move |storage| Known::of(storage, &row))
    };
    let known = known.await?.map_err(Problem::internal)?;
    let beside = Beside {
        tags: known.prospect.keeping.tags.clone(),
        is_held: !known.prospect.keeping.holds.is_empty(),
        notes: u32::try_from(known.notes.len()).unwrap_or(u32::MAX),
    };
    let shown = Row::new(asked, &row, &beside);
    let mut shown = serde_json::to_value(shown).map_err(Problem::internal)?;
    detail(&mut shown, &row, known);
    incoming::json(&shown)
}

/// What is asked of the store about one recording.
struct Known {
    prospect: Prospect,
    notes: Vec<Value>,
    chain: Value,
}

impl Known {
    fn of(storage: &StorageHandle, row: &Recording) -> Result<Self, ReadError> {
        let notes = storage.notes_of(row.facts.tenant, row.facts.id)?;
        Ok(Self {
            prospect: storage.prospect(row)?,
            notes: notes.iter().flatten().map(notes::shown).collect(),
            chain: chain(storage, row)?,
        })
    }
}

/// Where the ledger tells of a recording's file, and which checkpoint covers that.
fn chain(storage: &StorageHandle, row: &Recording) -> Result<Value, ReadError> {
    let entries = storage.content_entries(row.facts.tenant, row.facts.id)?;
    let Some(seq) = entries.last().copied() else {
        return Ok(Value::Null);
    };
    let head = storage.ledger_status()?.end.seq;
    let checkpoint = storage.checkpoint_of(seq)?;
    let checkpoint = checkpoint.as_ref();
    Ok(json!({
        "seq": seq,
        "head": head,
        "checkpoint_seq": checkpoint.map(|it| it.end.seq),
        "checkpoint_at": checkpoint.map(|it| it.at.0),
        "key_id": checkpoint.map(|it| it.key.to_string()),
    }))
}

pub(super) fn hold_of(hold: &Hold) -> Value {
    json!({ "id": hold.id.to_string(), "reason": hold.reason, "by": hold.by, "at": hold.at.0 })
}

/// Adds to a row what only one recording shows.
fn detail(shown: &mut Value, row: &Recording, known: Known) {
    let rate = row.facts.format.rate;
    let prospect = known.prospect;
    let outcome = row.outcome.as_ref();
    let marks = outcome.map(|outcome| outcome.marks.as_slice());
    let marks = marks.unwrap_or_default();
    let ms = |frames| rate.duration_of(frames).0;
    let legs = outcome.map(|outcome| outcome.levels.iter()).into_iter();
    let legs = legs
        .flatten()
        .zip(["caller", "callee"])
        .map(|(level, name)| {
            json!({
                "name": name,
                "rms_db": level.rms.decibels(),
                "peak_db": level.peak.decibels(),
            })
        });
    let gaps = outcome.map(|outcome| outcome.gaps.iter()).into_iter();
    let gaps = gaps
        .flatten()
        .map(|gap| json!({ "at_ms": ms(gap.at), "ms": ms(gap.frames), "cause": gap.cause }));
    let spans = marks.iter().filter_map(|mark| {
        let kind = match mark.kind {
            MarkKind::Digit(_) => return None,
            MarkKind::Masked => "masked",
            MarkKind::Paused => "paused",
            MarkKind::Skipped => "skipped",
        };
        Some(json!({ "at_ms": ms(mark.at), "ms": ms(mark.frames), "kind": kind }))
    });
    let digits = marks.iter().filter_map(|mark| match mark.kind {
        MarkKind::Digit(digit) => Some(json!({ "at_ms": ms(mark.at), "digit": digit })),
        _ => None,
    });
    let hash = outcome.map(|outcome| blake3::Hash::from_bytes(outcome.content_hash));
    let because = prospect.protection.as_ref().map(ToString::to_string);
    let time = row.facts.time.map(|time| {
        json!({
            "synchronised": time.synchronised,
            "max_error_ms": time.max_error.map(|error| error.0),
            "stepped": time.stepped,
            "implausible": time.implausible,
        })
    });
    let keep_until = prospect.keeping.keep_until;
    let fields = [
        ("legs", legs.collect::<Value>()),
        ("gap_list", gaps.collect()),
        ("masked_list", spans.collect()),
        ("digits", digits.collect()),
        (
            "hash",
            json!({ "blake3": hash.map(|hash| hash.to_hex().to_string()) }),
        ),
        (
            "holds",
            prospect.keeping.holds.iter().map(hold_of).collect(),
        ),
        ("keep_until", json!((keep_until > 0).then_some(keep_until))),
        ("kept_because", json!(because)),
        ("deletable_at", json!(prospect.due)),
        ("end_cause", json!(outcome.map(|outcome| outcome.end_cause))),
        ("notes", known.notes.into()),
        ("time", json!(time)),
        ("chain", known.chain),
    ];
    for (name, value) in fields {
        shown[name] = value;
    }
}
