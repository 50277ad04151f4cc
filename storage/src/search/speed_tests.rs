//! How fast search is, and what its lists cost a commit. Not part of the ordinary run: `cargo test
//! --release -p callreel-storage --lib search::speed -- --ignored --nocapture`.

use std::time::Duration;

use audio_io::clock::{Clock as _, SystemClock};
use audio_io::units::Frames;

use super::{Digits, Order, Scope, SearchQuery};
use crate::ids::{AgentName, LineName, Number, RecordingId, Tag, TenantId};
use crate::index::apply::Change;
use crate::index::whole;
use crate::record::{CallDirection, Recording, RecordingState, WallMillis};
use crate::testing::{Store, a_recording, scratch, sealed};

/// Rows; `SEARCH_ROWS` tells another number.
const ROWS: u64 = 1_000_000;

/// A call every seven seconds, on 40 lines, by 200 agents, with ten million callers.
pub(super) fn row(tenant: TenantId, n: u64) -> Recording {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
    let mut row = sealed(a_recording(tenant.0, n));
    let facts = &mut row.facts;
    facts.started_at = WallMillis(1_577_836_800_000 + n * 7_000);
    facts.line = LineName::new(format!("trunk-{}", mixed % 40)).ok();
    facts.agent = AgentName::new(format!("agent-{}", mixed / 40 % 200)).ok();
    let way = [CallDirection::In, CallDirection::Out];
    facts.direction = Some(way[usize::from(mixed % 10 == 0)]);
    facts.from = Number::new(format!("+1555{:07}", mixed % 10_000_000)).ok();
    facts.to = Number::new(format!("+15550{:06}", 100_000 + mixed % 300)).ok();
    if let Some(outcome) = &mut row.outcome {
        outcome.frames = Frames(8_000 * (5 + mixed % 600));
        if n % 5_000 == 0 {
            outcome.frames = Frames(8_000 * 7_500);
        }
    }
    if n % 1_000 == 7 {
        row.state = RecordingState::Failed;
    }
    row
}

/// Combinations of filters: common, rare, and such as never meet.
pub(super) fn questions(count: u64) -> Vec<(&'static str, SearchQuery)> {
    let line = |n: u64| LineName::new(format!("trunk-{n}")).ok();
    let agent = |n: u64| AgentName::new(format!("agent-{n}")).ok();
    let number = |text: &str| Digits::new(text).ok();
    let base = SearchQuery::default;
    let middle = Some(WallMillis(1_577_836_800_000 + count * 3_500));
    vec![
        ("all", base()),
        (
            "oldest",
            SearchQuery {
                order: Order::OldestFirst,
                ..base()
            },
        ),
        (
            "until the middle",
            SearchQuery {
                until: middle,
                ..base()
            },
        ),
        (
            "line",
            SearchQuery {
                line: line(3),
                ..base()
            },
        ),
        (
            "agent",
            SearchQuery {
                agent: agent(17),
                ..base()
            },
        ),
        (
            "line and agent",
            SearchQuery {
                line: line(3),
                agent: agent(17),
                ..base()
            },
        ),
        (
            "line and agent that never meet",
            SearchQuery {
                line: line(3),
                agent: agent(999),
                ..base()
            },
        ),
        (
            "out",
            SearchQuery {
                direction: Some(CallDirection::Out),
                ..base()
            },
        ),
        (
            "out on a line that has none",
            SearchQuery {
                direction: Some(CallDirection::Out),
                line: line(3),
                ..base()
            },
        ),
        (
            "number, 3 digits at the end",
            SearchQuery {
                number: number("457"),
                ..base()
            },
        ),
        (
            "number, 4 digits at the beginning",
            SearchQuery {
                number: number("1555"),
                ..base()
            },
        ),
        (
            "number, 7 digits at the beginning",
            SearchQuery {
                number: number("1555123"),
                ..base()
            },
        ),
        (
            "number, 7 digits at the end",
            SearchQuery {
                number: number("1234567"),
                ..base()
            },
        ),
        (
            "number, whole",
            SearchQuery {
                number: number("15551234567"),
                ..base()
            },
        ),
        (
            "number that nobody has",
            SearchQuery {
                number: number("15551239999"),
                ..base()
            },
        ),
        (
            "number and agent",
            SearchQuery {
                number: number("15550100042"),
                agent: agent(17),
                ..base()
            },
        ),
        (
            "two hours",
            SearchQuery {
                min_ms: Some(7_200_000),
                ..base()
            },
        ),
        (
            "a minute to two",
            SearchQuery {
                min_ms: Some(60_000),
                max_ms: Some(120_000),
                ..base()
            },
        ),
        (
            "a length that nothing has",
            SearchQuery {
                min_ms: Some(700_000),
                max_ms: Some(900_000),
                ..base()
            },
        ),
        (
            "failed",
            SearchQuery {
                states: vec![RecordingState::Failed],
                ..base()
            },
        ),
        (
            "failed, of an agent",
            SearchQuery {
                states: vec![RecordingState::Failed],
                agent: agent(17),
                ..base()
            },
        ),
        (
            "tag",
            SearchQuery {
                tags: Tag::new("vip").into_iter().collect(),
                ..base()
            },
        ),
        (
            "tag on a line",
            SearchQuery {
                tags: Tag::new("vip").into_iter().collect(),
                line: line(3),
                ..base()
            },
        ),
        (
            "held",
            SearchQuery {
                held: Some(true),
                ..base()
            },
        ),
        (
            "scope of 30 lines",
            SearchQuery {
                scope: Scope::Of {
                    agents: Vec::new(),
                    lines: (0..30).filter_map(line).collect(),
                },
                ..base()
            },
        ),
        (
            "scope of an agent and a line, failed",
            SearchQuery {
                scope: Scope::Of {
                    agents: agent(17).into_iter().collect(),
                    lines: line(9).into_iter().collect(),
                },
                states: vec![RecordingState::Failed],
                ..base()
            },
        ),
    ]
}

/// The slowest and the 99th of a hundred times of each question's first pages.
pub(super) fn ask(store: &Store, count: u64, show: bool) -> Duration {
    let mut slowest = Duration::ZERO;
    for (name, query) in questions(count) {
        let mut times = Vec::new();
        let mut found = 0;
        let mut pages = 0;
        let mut cursor: Option<String> = None;
        for _ in 0..100 {
            let begun = SystemClock.monotonic();
            let page = store
                .handle
                .search(store.tenant, &query, cursor.as_deref(), 50)
                .unwrap();
            times.push(SystemClock.monotonic() - begun);
            found += page.hits.len();
            pages += 1;
            cursor = page.next;
            if cursor.is_none() && pages > 20 {
                break;
            }
        }
        times.sort_unstable();
        let p99 = times[times.len() * 99 / 100];
        slowest = slowest.max(p99);
        if show {
            let (first, p99) = (times[times.len() / 2], p99);
            eprintln!("{name}: {found} in {pages} pages, p50 {first:.1?}, p99 {p99:.1?}");
        }
    }
    slowest
}

#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stderr, reason = "a measurement shows what it found")]
#[allow(clippy::cast_precision_loss, reason = "figures shown to people")]
fn a_page_of_anything() {
    let told = std::env::var("SEARCH_ROWS").ok();
    let count = told.and_then(|text| text.parse().ok()).unwrap_or(ROWS);
    let store = Store::open(scratch());
    let begun = SystemClock.monotonic();
    let tenant = store.tenant;
    store
        .handle
        .load_rows((1..=count).map(|n| row(tenant, n)))
        .unwrap();
    let took = (SystemClock.monotonic() - begun).as_secs_f64();
    let bytes = store.handle.metrics().index_bytes;
    eprintln!(
        "{count} rows: {:.0}/s, {} bytes a row",
        count as f64 / took,
        bytes / count
    );
    for n in (1..=count).step_by(997) {
        let tag = Tag::new("vip").unwrap();
        store
            .handle
            .add_tags(tenant, RecordingId(n), vec![tag])
            .unwrap();
    }
    let slowest = ask(&store, count, true);
    eprintln!("slowest p99: {slowest:.1?}");
}

/// What one seal costs with and without the lists: the same commit, of rows that are in no list
/// but those of an index whose `postings` are emptied after each.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stderr, reason = "a measurement shows what it found")]
fn a_commit_of_seals() {
    let store = Store::new();
    let (tenant, index) = (store.tenant, &store.handle.shared.index);
    store
        .handle
        .load_rows((1..=200_000).map(|n| row(tenant, n)))
        .unwrap();
    for group in [1, 8, 64, 512] {
        let mut next = 300_000 + group * 1_000;
        let mut times = Vec::new();
        for _ in 0..100 {
            let rows = (0..group).map(|_| {
                next += 1;
                Change::Put(Box::new(row(tenant, next)))
            });
            let changes: Vec<_> = rows.collect();
            let begun = SystemClock.monotonic();
            index.commit(&changes).unwrap();
            times.push(SystemClock.monotonic() - begun);
        }
        times.sort_unstable();
        let (median, slow) = (times[50], times[99]);
        eprintln!("{group} seals in a commit: p50 {median:.2?}, p99 {slow:.2?}");
    }
    let reading = index.begin_read().unwrap();
    let postings = whole::named("postings").unwrap().len(&reading).unwrap();
    eprintln!("{postings} postings of {} rows", index.rows().unwrap());
}

/// In each run: few enough rows for a debug build, a million for a release build.
#[test]
fn every_question_is_answered_within_its_work() {
    let count = if cfg!(debug_assertions) {
        20_000
    } else {
        1_000_000
    };
    let store = Store::open(scratch());
    let tenant = store.tenant;
    store
        .handle
        .load_rows((1..=count).map(|n| row(tenant, n)))
        .unwrap();
    let slowest = ask(&store, count, false);
    // Ten times what it takes on a quiet machine, so that a busy one passes.
    assert!(slowest < Duration::from_millis(400), "{slowest:?}");
}
