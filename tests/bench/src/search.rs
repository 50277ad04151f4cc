//! Search at ten million recordings with 64 MiB of cache: the first page of each of many
//! combinations of filters, from random moments. No peer: it is the bound that counts.

use std::sync::Arc;

use audio_io::clock::SystemClock;
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use storage::ids::{AgentName, LineName, Number, RecordingId, Tag, TenantId, TenantName};
use storage::record::{CallDirection, Recording, RecordingState, WallMillis};
use storage::search::{Digits, Order, Scope, SearchQuery};

use crate::args::Options;
use crate::error::Failure;
use crate::index::{CACHE_BYTES, PAGE_ROWS, recording, started_at};
use crate::machine::{Cores, now, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row};
use crate::stats::{Random, percentile};

/// So many times the rows of the index's benchmark.
const TIMES: u64 = 10;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let store = StoreOptions {
        data_dir: dir.path().join("data"),
        index_cache_bytes: CACHE_BYTES,
        io: IoChoice::Auto,
    };
    let (storage, _recorder, _) = StorageHandle::open(store, Arc::new(SystemClock))
        .map_err(Failure::store("opening the store"))?;
    let name = TenantName::new("bench").map_err(Failure::store("making a name"))?;
    let tenant = storage
        .add_tenant(name)
        .map_err(Failure::store("adding a tenant"))?
        .id;
    let rows = options.rows * TIMES;
    out::progress(&format!("filling the index with {rows} recordings"));
    let begun = now();
    storage
        .load_rows((1..=rows).filter_map(|number| row(tenant, number)))
        .map_err(Failure::store("filling the index"))?;
    let filled = (now() - begun).as_secs();
    let tag = Tag::new("vip").map_err(Failure::store("making a tag"))?;
    for number in (1..=rows).step_by(usize::try_from(rows / 500).unwrap_or(1).max(1)) {
        storage
            .add_tags(tenant, RecordingId(number), vec![tag.clone()])
            .map_err(Failure::store("tagging"))?;
    }
    let pages = if options.quick { 20 } else { 300 };
    let mut report = Report {
        name: "search",
        ..Report::default()
    };
    let mut slowest: Vec<f64> = Vec::new();
    for (what, query) in questions() {
        out::progress(what);
        let mut turns = Vec::new();
        for turn in 0..options.pairs {
            let seed = turn as u64 + 1;
            let ask = || ask(&storage, tenant, &query, rows, (pages, seed));
            turns.push(pinned(cores.server, ask)?);
        }
        slowest.push(turns.iter().copied().fold(0.0, f64::max));
        report.rows.push(Row {
            what: format!("{what}, p99, {rows} rows"),
            unit: "ms",
            goal: Goal::Within {
                most: 20.0,
                aim: 10.0,
            },
            ours: turns,
            peers: Vec::new(),
        });
    }
    out::progress_end();
    report.notes.extend(cores.note());
    let worst = slowest.iter().copied().fold(0.0, f64::max);
    report.notes.push(format!(
        "the slowest p99 of all is {worst:.1} ms, 20 ms are allowed; filled in {filled} s; cache \
         {} MiB; index {} MiB",
        CACHE_BYTES >> 20,
        storage.metrics().index_bytes >> 20
    ));
    Ok(report)
}

/// The 99th percentile of first pages, in milliseconds.
fn ask(
    storage: &StorageHandle,
    tenant: TenantId,
    query: &SearchQuery,
    rows: u64,
    (pages, seed): (usize, u64),
) -> Result<f64, Failure> {
    let mut random = Random::new(seed);
    let mut millis = Vec::with_capacity(pages);
    for _ in 0..pages {
        let mut query = query.clone();
        query.until = Some(started_at(1 + random.below(rows)));
        let asked = now();
        let page = storage.search(tenant, &query, None, PAGE_ROWS);
        millis.push((now() - asked).as_secs_f64() * 1e3);
        page.map_err(Failure::store("searching"))?;
    }
    Ok(percentile(&millis, 99.0))
}

/// The index's call, with what search goes by: 30 lines, 200 agents, 300 numbers of our own.
fn row(tenant: TenantId, number: u64) -> Option<Recording> {
    let mut row = recording(tenant, number).ok()?;
    let mut random = Random::new(number ^ 0x00A6_E275);
    let facts = &mut row.facts;
    facts.agent = AgentName::new(format!("agent-{}", random.below(200))).ok();
    let is_out = random.below(10) == 0;
    facts.direction = Some(if is_out {
        CallDirection::Out
    } else {
        CallDirection::In
    });
    facts.to = Number::new(format!("+15550{:06}", 100_000 + random.below(300))).ok();
    if random.below(1_000) == 0 {
        row.state = RecordingState::Failed;
    }
    Some(row)
}

fn questions() -> Vec<(&'static str, SearchQuery)> {
    let base = SearchQuery::default;
    let line = |n: u64| LineName::new(format!("trunk-{n}")).ok();
    let agent = |n: u64| AgentName::new(format!("agent-{n}")).ok();
    let number = |text: &str, query: SearchQuery| SearchQuery {
        number: Digits::new(text).ok(),
        ..query
    };
    let on = |n: u64, query: SearchQuery| SearchQuery {
        line: line(n),
        ..query
    };
    let by = |n: u64, query: SearchQuery| SearchQuery {
        agent: agent(n),
        ..query
    };
    let long = |min: u64, query: SearchQuery| SearchQuery {
        min_ms: Some(min),
        ..query
    };
    let failed = |query: SearchQuery| SearchQuery {
        states: vec![RecordingState::Failed],
        ..query
    };
    let tagged = |query: SearchQuery| SearchQuery {
        tags: Tag::new("vip").into_iter().collect(),
        ..query
    };
    let oldest = SearchQuery {
        order: Order::OldestFirst,
        since: Some(WallMillis(0)),
        ..base()
    };
    let group = SearchQuery {
        scope: Scope::Of {
            agents: agent(3).into_iter().collect(),
            lines: (0..12).filter_map(line).collect(),
        },
        ..base()
    };
    vec![
        ("all", base()),
        ("oldest first", oldest),
        ("a line", on(3, base())),
        ("an agent", by(17, base())),
        ("a line and an agent", on(3, by(17, base()))),
        ("a line and nobody", on(3, by(999, base()))),
        ("3 digits at the end", number("457", base())),
        ("4 digits at the beginning", number("1555", base())),
        ("7 digits at the beginning", number("1555123", base())),
        ("7 digits at the end", number("1234567", base())),
        ("a whole number", number("15551234567", base())),
        (
            "an own number and an agent",
            number("15550100042", by(17, base())),
        ),
        (
            "7 digits, a line, an agent",
            number("1555123", on(3, by(17, base()))),
        ),
        ("long", long(410_000, base())),
        ("longer than any", long(700_000, base())),
        ("long, an agent", long(410_000, by(17, base()))),
        ("failed", failed(base())),
        ("failed, a line, long", failed(on(3, long(410_000, base())))),
        ("a tag", tagged(base())),
        ("a tag on a line", tagged(on(3, base()))),
        ("a group of lines", group.clone()),
        (
            "a group of lines, failed, 4 digits",
            failed(number("0042", group)),
        ),
    ]
}
