//! Questions to an audit trail of ten times as many entries as there are rows elsewhere: ten
//! million. Pages of fifty, newest first, at random places, by what auditors ask for.

use std::sync::Arc;

use audio_io::clock::SystemClock;
use audio_io::units::WallMillis;
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use storage::ids::{RecordingId, TenantId};
use storage::ledger::entry::{Act, Actor, ActorKind, Kind};
use storage::ledger::query::{AuditFilter, Person};

use crate::args::Options;
use crate::error::Failure;
use crate::machine::{Cores, now, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row};
use crate::stats::{Random, percentile};

const CACHE_BYTES: usize = 64 << 20;
const PAGE_ENTRIES: usize = 50;
/// Entries for each of the rows that other benchmarks of the index have.
const A_ROW: u64 = 10;
/// Entries to a recording, on the average.
const A_RECORDING: u64 = 8;
const PERSONS: u64 = 200;
const FIRST_MS: u64 = 1_577_836_800_000;
/// Between two entries.
const STEP_MS: u64 = 20_000;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let store = StoreOptions {
        data_dir: dir.path().join("data"),
        index_cache_bytes: CACHE_BYTES,
        io: IoChoice::Auto,
    };
    let opened = StorageHandle::open(store, Arc::new(SystemClock));
    let (storage, _recorder, _) = opened.map_err(Failure::store("opening the store"))?;
    let entries = options.rows * A_ROW;
    let filled = pinned(cores.server, || fill(&storage, entries))?;
    let mut report = Report {
        name: "audit",
        ..Report::default()
    };
    report.rows.push(Row {
        what: format!("entries appended, {entries} in all"),
        unit: "1/s",
        goal: Goal::None,
        ours: vec![number(entries) / filled],
        peers: Vec::new(),
    });
    pinned(cores.server, || {
        measure(&storage, entries, options, &mut report)
    })?;
    out::progress_end();
    report.notes.push(format!(
        "index {} MiB with {} MiB of cache; the ledger is in the page cache as far as it fits",
        storage.metrics().index_bytes >> 20,
        CACHE_BYTES >> 20
    ));
    Ok(report)
}

/// Tells the ledger of so many acts, as a daemon does but in large groups; answers the seconds.
fn fill(storage: &StorageHandle, entries: u64) -> Result<f64, Failure> {
    let begun = now();
    let mut random = Random::new(1);
    let group = 100_000;
    for first in (0..entries).step_by(100_000) {
        out::progress(&format!("telling of {entries} acts: {first}"));
        let acts = (first..entries.min(first + group)).map(|number| act(number, &mut random));
        let told = storage.record_acts_durably(acts);
        told.map_err(Failure::store("telling the ledger"))?;
    }
    Ok((now() - begun).as_secs_f64())
}

fn act(number: u64, random: &mut Random) -> Act {
    let kind = match random.below(1_000) {
        0 => Kind::Export,
        1..20 => Kind::Login,
        20..120 => Kind::Download,
        _ => Kind::Play,
    };
    let person = random.below(PERSONS);
    let name = format!("person{person}@example.org");
    // Recordings are listened to soon after they were made, and some again much later.
    let newest = number / A_RECORDING;
    let recording = if random.below(4) == 0 {
        random.below(newest + 1)
    } else {
        newest
    };
    Act::new(kind)
        .at(WallMillis(FIRST_MS + number * STEP_MS))
        .by(Actor::new(ActorKind::User, Some(person), Some(&name)))
        .from("192.0.2.200")
        .on(TenantId(1), RecordingId(recording + 1))
        .with("format", "wav")
}

/// Asks for a filter by chance.
type Question = fn(&mut Random, u64) -> AuditFilter;

fn any_time(random: &mut Random, entries: u64) -> AuditFilter {
    let until = FIRST_MS + random.below(entries) * STEP_MS;
    AuditFilter {
        until: Some(WallMillis(until)),
        ..AuditFilter::default()
    }
}

fn a_recording(random: &mut Random, entries: u64) -> AuditFilter {
    AuditFilter {
        recording: Some(RecordingId(1 + random.below(entries / A_RECORDING))),
        ..AuditFilter::default()
    }
}

fn a_person(random: &mut Random, entries: u64) -> AuditFilter {
    AuditFilter {
        who: Some(Person::Number(ActorKind::User, random.below(PERSONS))),
        ..any_time(random, entries)
    }
}

fn a_name(random: &mut Random, entries: u64) -> AuditFilter {
    let person = random.below(PERSONS);
    AuditFilter {
        who: Some(Person::Name(format!("person{person}@example.org"))),
        ..any_time(random, entries)
    }
}

fn a_kind(random: &mut Random, entries: u64) -> AuditFilter {
    AuditFilter {
        kinds: vec![Kind::Export],
        ..any_time(random, entries)
    }
}

const QUESTIONS: [(&str, Question); 5] = [
    ("before a time", any_time),
    ("of a recording", a_recording),
    ("of a person", a_person),
    ("of a name", a_name),
    ("of a rare kind", a_kind),
];

fn measure(
    storage: &StorageHandle,
    entries: u64,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let pages = if options.quick { 50 } else { 1_000 };
    for (name, question) in QUESTIONS {
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        let mut found = 0;
        // The first turn only warms up.
        for turn in 0..=options.pairs {
            out::progress(&format!("{name}, turn {turn} of {}", options.pairs));
            let mut random = Random::new(turn as u64 + 7);
            let mut millis = Vec::with_capacity(pages);
            for _ in 0..pages {
                let filter = question(&mut random, entries);
                let asked = now();
                let page = storage.audit(&filter, None, PAGE_ENTRIES);
                millis.push((now() - asked).as_secs_f64() * 1e3);
                let page = page.map_err(Failure::store("asking the ledger"))?;
                if !page.entries.iter().all(|entry| filter.takes(entry)) {
                    return Err(wrong(name));
                }
                found += page.entries.len();
            }
            if turn > 0 {
                p50.push(percentile(&millis, 50.0));
                p99.push(percentile(&millis, 99.0));
            }
        }
        if found == 0 {
            return Err(wrong(name));
        }
        for (which, most, aim, ours) in [("p50", 10.0, 2.0, p50), ("p99", 50.0, 10.0, p99)] {
            report.rows.push(Row {
                what: format!("page of {PAGE_ENTRIES} {name}, {which}"),
                unit: "ms",
                goal: Goal::Within { most, aim },
                ours,
                peers: Vec::new(),
            });
        }
    }
    Ok(())
}

fn wrong(name: &str) -> Failure {
    Failure::Answer {
        server: "the ledger".into(),
        what: format!("a page {name} has none, or others, of the entries that were asked for"),
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures shown to people")]
const fn number(count: u64) -> f64 {
    count as f64
}
