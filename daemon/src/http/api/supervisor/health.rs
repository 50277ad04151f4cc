//! How the appliance is, in one answer: for people who look after it without a shell.

use std::sync::atomic::Ordering;

use http::Response;
use serde_json::{Value, json};
use storage::error::ReadError;
use storage::handle::StorageHandle;
use storage::ids::TenantId;
use storage::retention::Standing;

use super::Asked;
use crate::alarms::figures::KeepingFigures;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json as answer;

/// What the store tells.
struct Store {
    recordings: u64,
    free_bytes: u64,
    index_bytes: u64,
    degraded: bool,
    entries: u64,
    failing: Option<String>,
    checkpoint: Option<(u64, String)>,
    key_id: Option<String>,
    suspended: bool,
}

impl Store {
    fn of(storage: &StorageHandle, tenant: TenantId) -> Result<Self, ReadError> {
        let figures = storage.metrics();
        let status = storage.ledger_status()?;
        // The last entries may wait for their checkpoint: then the one before them is shown.
        let checkpoint = storage.checkpoint_of(status.covered.max(1))?;
        Ok(Self {
            recordings: storage.count(tenant)?,
            free_bytes: figures.free_bytes,
            index_bytes: figures.index_bytes,
            degraded: figures.degraded,
            entries: status.end.seq,
            failing: status.failing,
            checkpoint: checkpoint.map(|it| (it.at.0, it.key.to_string())),
            key_id: storage.ledger_key().map(|key| key.id().to_string()),
            suspended: storage.deletions_suspended()?,
        })
    }
}

/// `health`
pub(super) async fn show(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let tenant = asked.scope.tenant;
    let store = asked.off_loop(move |storage| Store::of(storage, tenant));
    let store = store.await?.map_err(Problem::internal)?;
    let site = &asked.call.worker.site;
    let lines = site.supervisors.lines.look(&*site.engine, &*site.clock);
    let within: Vec<_> = lines
        .iter()
        .filter(|line| line.is_within(&asked.scope))
        .collect();
    let count = |state| within.iter().filter(|line| line.state() == state).count();
    let tick = site.storage.clock_now();
    let mut alarms = alarms(&store, site.engine.is_progressing(), tick.standing);
    alarms.extend(keeping_alarms(&site.metrics.keeping));
    let faults = within.iter().filter(|line| line.state() == "fault");
    let faults = faults.map(|line| {
        let text = format!("Line {} is at fault: {}", line.name, line.fault());
        json!({ "at": Value::Null, "level": "warning", "text": text })
    });
    let kept = site.clock.kept();
    let keeping = &site.metrics.keeping;
    let passed_at = keeping.passed_at_ms.load(Ordering::Relaxed);
    answer(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_ms": u64::try_from(site.uptime().as_millis()).unwrap_or(u64::MAX),
        "ready": site.engine.is_progressing() && !store.degraded,
        "store": {
            "recordings": store.recordings,
            "bytes": store.index_bytes,
            "free_bytes": store.free_bytes,
            "level": level_of(keeping, store.degraded),
        },
        "ledger": {
            "entries": store.entries,
            "checkpoint_at": store.checkpoint.as_ref().map(|(at, _)| *at),
            "key_id": store.key_id,
            "broken": store.failing,
        },
        "clock": {
            "standing": tick.standing.name(),
            "synchronised": kept.synchronised,
        },
        "lines": {
            "total": within.len(),
            "recording": count("recording"),
            "fault": count("fault"),
        },
        "retention": {
            "last_pass_at": (passed_at > 0).then_some(passed_at),
            "deleted": keeping.deleted.load(Ordering::Relaxed),
        },
        "alarms": alarms.into_iter().chain(faults).collect::<Vec<_>>(),
    }))
}

/// How full the disk is, in a word.
fn level_of(keeping: &KeepingFigures, degraded: bool) -> &'static str {
    match keeping.disk_level.load(Ordering::Relaxed) {
        _ if degraded => "full",
        0 => "normal",
        1 => "low",
        2 => "critical",
        _ => "full",
    }
}

/// What retention and the ledger want somebody to see to.
fn keeping_alarms(keeping: &KeepingFigures) -> Vec<Value> {
    let figures = [
        (
            &keeping.short_bytes,
            "critical",
            "Space is short although everything that may go is gone.",
        ),
        (
            &keeping.shrink_refused,
            "warning",
            "The configuration would shorten retention and is not in force: 'callreel retention \
             accept-shrink' shows how.",
        ),
        (
            &keeping.ledger_broken,
            "critical",
            "The ledger was found broken: run 'callreel check'.",
        ),
    ];
    let raised = figures
        .iter()
        .filter(|(figure, ..)| figure.load(Ordering::Relaxed) > 0);
    let alarm = |(_, level, text): &(_, &str, &str)| json!({ "at": Value::Null, "level": level, "text": text });
    raised.map(alarm).collect()
}

/// What somebody must see to, as it is now.
fn alarms(store: &Store, progresses: bool, standing: Standing) -> Vec<Value> {
    let mut alarms = Vec::new();
    let mut add = |level: &str, text: &str| {
        alarms.push(json!({ "at": Value::Null, "level": level, "text": text }));
    };
    if store.degraded {
        add(
            "critical",
            "The disk refuses writes: nothing is being recorded.",
        );
    }
    if !progresses {
        add(
            "critical",
            "Capture, recorder, index or calls make no progress.",
        );
    }
    if let Some(why) = &store.failing {
        add(
            "critical",
            &format!("Checkpoints of the ledger cannot be written: {why}"),
        );
    }
    if store.suspended {
        add(
            "warning",
            "Deletions are suspended: holds may have been lost with an index. Set them again, \
             then run 'callreel retention resume'.",
        );
    }
    match standing {
        Standing::Trusted => {}
        Standing::Ahead(_) => add(
            "warning",
            "The clock is ahead of what is proven; recordings are deleted later until it is \
             confirmed.",
        ),
        Standing::Behind(_) => add(
            "warning",
            "The clock is behind what is proven; nothing is deleted until it is confirmed.",
        ),
        Standing::Unknown => add("warning", "The clock was never set; nothing is deleted."),
    }
    alarms
}
