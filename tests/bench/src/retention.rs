//! Passes of retention over a store of a million recordings: one that finds nothing to do, as most
//! do, passes that delete a hundredth of all by age, and one that makes room on a disk that is low.
//! No peer does the same work; the figures stand by themselves.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use audio_io::clock::{Clock as _, SystemClock};
use audio_io::units::WallMillis;
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use storage::ids::{PolicyName, TenantId, TenantName};
use storage::record::{EndCause, Recording};
use storage::retention::{PassReport, PassRequest, Policy, Watermarks};

use crate::args::Options;
use crate::error::Failure;
use crate::index::recording;
use crate::machine::{Cores, now, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row};

const CACHE_BYTES: usize = 64 << 20;
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// Recordings begin ten minutes after each other; the newest an hour ago.
const STEP_MS: u64 = 600_000;
/// Of all recordings, what one pass deletes.
const SHARE: u64 = 100;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    pinned(cores.server, || measure(options, dir.path()))
}

/// A store, and its recordings from the oldest on.
struct Filled {
    storage: StorageHandle,
    rows: u64,
    began: u64,
    /// Deleted so far.
    gone: u64,
}

fn measure(options: &Options, dir: &Path) -> Result<Report, Failure> {
    let mut report = Report {
        name: "retention",
        ..Report::default()
    };
    let (storage, _recorder, _) = StorageHandle::open(
        StoreOptions {
            data_dir: dir.join("data"),
            index_cache_bytes: CACHE_BYTES,
            io: IoChoice::Auto,
        },
        Arc::new(SystemClock),
    )
    .map_err(Failure::store("opening the store"))?;
    let mut filled = fill(storage, options.rows)?;
    let rows = options.rows;
    let share = rows / SHARE;
    let mut times = Turns::default();
    // The first turn only warms up.
    for turn in 0..=options.pairs {
        out::progress(&format!("turn {turn} of {}", options.pairs));
        let mut timed = Turns::default();
        filled.keep_newer_than(filled.gone)?;
        let idle = filled.pass(0, 0)?;
        timed.idle.push_back(idle.0);
        filled.files(share)?;
        filled.keep_newer_than(filled.gone + share)?;
        let (took, aged) = filled.pass(0, share)?;
        timed.aged.push_back(took);
        timed.commits.push_back(number(aged.commits));
        timed.rate.push_back(number(aged.deleted) / took);
        filled.files(share)?;
        let (took, _) = filled.pass(share, share)?;
        timed.low.push_back(took);
        if turn > 0 {
            times.take(timed);
        }
    }
    out::progress_end();
    let mut add = |what: String, unit, goal, ours: VecDeque<f64>| {
        report.rows.push(Row {
            what,
            unit,
            goal,
            ours: ours.into(),
            peers: Vec::new(),
        });
    };
    let within = |most, aim| Goal::Within { most, aim };
    let idle = format!("a pass that deletes nothing, {rows} recordings");
    add(idle, "s", within(10.0, 2.0), times.idle);
    let aged = format!("a pass that deletes {share} of {rows} by age");
    add(aged, "s", Goal::None, times.aged);
    add("commits of that pass".into(), "", Goal::None, times.commits);
    add(
        "deletions of that pass".into(),
        "1/s",
        Goal::None,
        times.rate,
    );
    let low = format!("a pass that makes room for {share} of {rows}");
    add(low, "s", Goal::None, times.low);
    report.notes.push(format!(
        "index {} MiB with {} MiB of cache; each deletion is in the ledger, its files removed",
        filled.storage.metrics().index_bytes >> 20,
        CACHE_BYTES >> 20
    ));
    Ok(report)
}

/// What was measured, turn by turn.
#[derive(Default)]
struct Turns {
    idle: VecDeque<f64>,
    aged: VecDeque<f64>,
    commits: VecDeque<f64>,
    rate: VecDeque<f64>,
    low: VecDeque<f64>,
}

impl Turns {
    fn take(&mut self, mut turn: Self) {
        self.idle.append(&mut turn.idle);
        self.aged.append(&mut turn.aged);
        self.commits.append(&mut turn.commits);
        self.rate.append(&mut turn.rate);
        self.low.append(&mut turn.low);
    }
}

fn fill(storage: StorageHandle, rows: u64) -> Result<Filled, Failure> {
    let name = TenantName::new("bench").map_err(Failure::store("making a name"))?;
    let tenant = storage.add_tenant(name);
    let tenant = tenant.map_err(Failure::store("adding a tenant"))?.id;
    let began = SystemClock.wall().0 - HOUR_MS - rows * STEP_MS;
    out::progress(&format!("filling the store with {rows} recordings"));
    // A name that could not be made would show as a missing deletion below.
    let all = (1..=rows).filter_map(|number| row(tenant, began, number));
    let loaded = storage.load_rows(all);
    loaded.map_err(Failure::store("filling the index"))?;
    Ok(Filled {
        storage,
        rows,
        began,
        gone: 0,
    })
}

/// Imports are as old as they say, so that a store of years can be made in a minute.
fn row(tenant: TenantId, began: u64, number: u64) -> Option<Recording> {
    let mut row = recording(tenant, number).ok()?;
    row.facts.started_at = WallMillis(began + number * STEP_MS);
    let outcome = row.outcome.as_mut()?;
    outcome.end_cause = EndCause::Imported;
    outcome.size_bytes = 1_000;
    outcome.sealed_at = SystemClock.wall();
    Some(row)
}

impl Filled {
    /// Puts a policy in force by which the oldest so many must go.
    fn keep_newer_than(&self, count: u64) -> Result<(), Failure> {
        let now = SystemClock.wall().0;
        let newest_to_go = self.began + count * STEP_MS;
        // In the middle between that one and the next, which will not be due for five minutes.
        let most = now - newest_to_go - STEP_MS / 2;
        let policy = Policy {
            name: PolicyName::new("bench").map_err(Failure::store("making a name"))?,
            tenant: None,
            tag: None,
            keep_at_least: 0,
            keep_at_most: Some(most),
            max_bytes: None,
        };
        let set = self.storage.set_retention(vec![policy], true);
        set.map(drop).map_err(Failure::store("setting the policy"))
    }

    /// Puts the files of the next so many in their places, and what lies beside an import.
    fn files(&self, count: u64) -> Result<(), Failure> {
        let tenants = self.storage.tenants();
        let tenants = tenants.map_err(Failure::store("reading tenants"))?;
        let Some(tenant) = tenants.first() else {
            return Ok(());
        };
        for number in self.gone + 1..=self.gone + count {
            let Some(row) = row(tenant.id, self.began, number) else {
                continue;
            };
            let path = self.storage.path_of(&row);
            let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let written = written.and_then(|()| std::fs::write(&path, [0; 1_000]));
            let beside = path.with_extension("facts.json");
            let written = written.and_then(|()| std::fs::write(beside, b"{}"));
            written.map_err(Failure::io(format!("writing {}", path.display())))?;
        }
        Ok(())
    }

    /// Makes a pass on a disk where room for `short` of them is missing; it must delete `wanted`.
    fn pass(&mut self, short: u64, wanted: u64) -> Result<(f64, PassReport), Failure> {
        let low = u64::MAX / 2;
        let request = PassRequest {
            watermarks: Watermarks {
                low: if short > 0 { low } else { 0 },
                ..Watermarks::default()
            },
            free_bytes: Some(low - short * 1_000),
            stop: &|| false,
        };
        let begun = now();
        let (mut total, mut commits) = (PassReport::default(), 0);
        loop {
            let passed = self.storage.retention_pass(&request, &mut |_| ());
            let passed = passed.map_err(Failure::store("a pass"))?;
            total.deleted += passed.deleted;
            commits += passed.commits;
            if !passed.more || total.deleted >= wanted {
                total.survey = passed.survey;
                break;
            }
        }
        total.commits = commits;
        let took = (now() - begun).as_secs_f64();
        self.gone += total.deleted;
        if total.deleted != wanted {
            let what = format!(
                "{} of {wanted} were deleted of {}",
                total.deleted, self.rows
            );
            return Err(Failure::Answer {
                server: "the pass".into(),
                what,
            });
        }
        Ok((took, total))
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures shown to people")]
const fn number(count: u64) -> f64 {
    count as f64
}
