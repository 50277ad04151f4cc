//! The index at a million recordings: look-up by a name, and a page of fifty in order of time,
//! beside SQLite. Both give the same values with the same amount of cache, through what a caller
//! would use: one read of a consistent state each time.

use std::sync::Arc;

use audio_io::clock::SystemClock;
use audio_io::format::{Channels, StreamFormat};
use audio_io::units::{CentiDbfs, Frames, WallMillis};
use storage::handle::{Cursor, IoChoice, ListFilter, StorageHandle, StoreOptions};
use storage::ids::{
    CallSid, ExternalId, LineName, NameError, Names, Number, RecordingId, RecordingName, TenantId,
    TenantName,
};
use storage::record::{
    Container, EndCause, LegLevel, Recording, RecordingFacts, RecordingOutcome, RecordingState,
};
use uuid::Uuid;

use crate::args::Options;
use crate::error::Failure;
use crate::machine::{Cores, now, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};
use crate::sqlite::{Queries, Sqlite};
use crate::stats::{Random, percentile};

pub(crate) const CACHE_BYTES: usize = 64 << 20;
pub(crate) const PAGE_ROWS: usize = 50;
/// 2020-01-01, and a call every seven seconds from then on.
const FIRST_START_MS: u64 = 1_577_836_800_000;
const STEP_MS: u64 = 7_000;

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
    let name = TenantName::new("bench").map_err(named())?;
    let tenant = storage
        .add_tenant(name)
        .map_err(Failure::store("adding a tenant"))?
        .id;
    // A name that could not be made would show as a missing row below.
    let rows = || (1..=options.rows).filter_map(|number| recording(tenant, number).ok());

    out::progress(&format!(
        "filling callreel's index with {} recordings",
        options.rows
    ));
    storage
        .load_rows(rows())
        .map_err(Failure::store("filling the index"))?;
    out::progress(&format!("filling SQLite with {} recordings", options.rows));
    let sqlite = Sqlite::fill(&dir.path().join("peer.sqlite"), CACHE_BYTES, rows())?;

    let sides = Sides {
        storage: &storage,
        tenant,
        rows: options.rows,
    };
    let mut queries = sqlite.queries()?;
    sides.agree(&mut queries)?;
    let times = pinned(cores.server, || measure(&sides, &mut queries, options))?;
    out::progress_end();
    let mut report = report(&times, options.rows);
    report.notes.extend(cores.note());
    report.notes.push(format!(
        "cache {} MiB each; index {} MiB, SQLite {} MiB",
        CACHE_BYTES >> 20,
        storage.metrics().index_bytes >> 20,
        sqlite.size()? >> 20
    ));
    Ok(report)
}

/// Percentiles of one turn, in microseconds.
#[derive(Clone, Copy)]
struct Spread {
    p50: f64,
    p99: f64,
}

/// The turns of callreel and of SQLite.
#[derive(Default)]
struct Times {
    find: [Vec<Spread>; 2],
    page: [Vec<Spread>; 2],
}

struct Sides<'a> {
    storage: &'a StorageHandle,
    tenant: TenantId,
    rows: u64,
}

impl Sides<'_> {
    fn find(&self, number: u64) -> Result<Recording, Failure> {
        let name = RecordingName::Task(task_id(number));
        let found = self
            .storage
            .find(self.tenant, &name)
            .map_err(Failure::store("look-up"))?;
        found.ok_or_else(|| absent(number))
    }

    fn page(&self, number: u64) -> Result<Vec<Recording>, Failure> {
        let after = Some(cursor(number));
        let page = self
            .storage
            .list(self.tenant, &ListFilter::default(), after, PAGE_ROWS);
        Ok(page.map_err(Failure::store("page"))?.recordings)
    }

    /// Speed is of interest only where both give the same answers.
    fn agree(&self, queries: &mut Queries<'_>) -> Result<(), Failure> {
        let mut random = Random::new(3);
        for _ in 0..200 {
            let number = 1 + random.below(self.rows);
            let same_row = self.find(number)? == queries.find(self.tenant, task_id(number))?;
            let theirs = queries.page(self.tenant, cursor(number), PAGE_ROWS)?;
            if !same_row || self.page(number)? != theirs {
                return Err(absent(number));
            }
        }
        Ok(())
    }
}

fn absent(number: u64) -> Failure {
    let what = format!("recording {number} is missing, or not what SQLite has");
    Failure::Answer {
        server: "the index".into(),
        what,
    }
}

fn measure(
    sides: &Sides<'_>,
    queries: &mut Queries<'_>,
    options: &Options,
) -> Result<Times, Failure> {
    let (finds, pages) = if options.quick {
        (500, 100)
    } else {
        (20_000, 2_000)
    };
    let mut times = Times::default();
    for turn in 0..=options.pairs {
        for step in 0..2 {
            let side = (turn + step) % 2;
            out::progress(&format!(
                "turn {turn} of {}: {}",
                options.pairs,
                ["callreel", "SQLite"][side]
            ));
            let seed = turn as u64 + 1;
            let find = spread(finds, seed, sides.rows, |number| {
                Ok(if side == 0 {
                    sides.find(number)?
                } else {
                    queries.find(sides.tenant, task_id(number))?
                })
            })?;
            let page = spread(pages, seed, sides.rows, |number| {
                Ok(if side == 0 {
                    sides.page(number)?
                } else {
                    queries.page(sides.tenant, cursor(number), PAGE_ROWS)?
                })
            })?;
            // The first turn only warms up.
            if turn > 0 {
                times.find[side].push(find);
                times.page[side].push(page);
            }
        }
    }
    Ok(times)
}

/// Asks for `count` random recordings and times each.
fn spread<T>(
    count: usize,
    seed: u64,
    rows: u64,
    mut ask: impl FnMut(u64) -> Result<T, Failure>,
) -> Result<Spread, Failure> {
    let mut random = Random::new(seed);
    let mut micros = Vec::with_capacity(count);
    for _ in 0..count {
        let number = 1 + random.below(rows);
        let asked = now();
        let answer = ask(number)?;
        micros.push((now() - asked).as_secs_f64() * 1e6);
        // Freed outside the measured time, for both.
        drop(answer);
    }
    Ok(Spread {
        p50: percentile(&micros, 50.0),
        p99: percentile(&micros, 99.0),
    })
}

fn report(times: &Times, rows: u64) -> Report {
    let mut report = Report {
        name: "index",
        ..Report::default()
    };
    let mut add = |what: &str, goal, of: &[Vec<Spread>; 2], figure: fn(&Spread) -> f64| {
        let values = |side: usize| of[side].iter().map(figure).collect();
        report.rows.push(Row {
            what: format!("{what}, {rows} rows"),
            unit: "us",
            goal,
            ours: values(0),
            peers: vec![Series {
                name: "SQLite, prepared".into(),
                values: values(1),
            }],
        });
    };
    let goal = Goal::AtMost {
        most: 0.5,
        aim: 0.2,
    };
    add("look-up by name, p50", goal, &times.find, |spread| {
        spread.p50
    });
    add("look-up by name, p99", Goal::None, &times.find, |spread| {
        spread.p99
    });
    add("page of 50 by time, p50", goal, &times.page, |spread| {
        spread.p50
    });
    add(
        "page of 50 by time, p99",
        Goal::None,
        &times.page,
        |spread| spread.p99,
    );
    report
}

fn named() -> impl FnOnce(NameError) -> Failure {
    Failure::store("making a name")
}

fn cursor(number: u64) -> Cursor {
    Cursor {
        started_at: started_at(number),
        id: RecordingId(number),
    }
}

pub(crate) const fn started_at(number: u64) -> WallMillis {
    WallMillis(FIRST_START_MS + number * STEP_MS)
}

fn task_id(number: u64) -> Uuid {
    let mut random = Random::new(number);
    uuid::Builder::from_random_bytes(sixteen(&mut random)).into_uuid()
}

fn sixteen(random: &mut Random) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random.next().to_be_bytes());
    bytes[8..].copy_from_slice(&random.next().to_be_bytes());
    bytes
}

/// A stored stereo call of a few minutes, the same each time.
pub(crate) fn recording(tenant: TenantId, number: u64) -> Result<Recording, NameError> {
    let task_id = task_id(number);
    let mut random = Random::new(number ^ 0x5EED_0000_0000_0000);
    let node = random.next() >> 16;
    let format = StreamFormat {
        channels: Channels::Stereo,
        ..StreamFormat::TELEPHONE
    };
    let frames = Frames(8_000 * (20 + random.below(400)));
    let level = |rms| LegLevel {
        rms: CentiDbfs(rms),
        peak: CentiDbfs(-310),
    };
    let mut content_hash = [0; 32];
    content_hash[..16].copy_from_slice(&sixteen(&mut random));
    content_hash[16..].copy_from_slice(&sixteen(&mut random));
    let names = Names {
        call_sid: CallSid::new(format!(
            "call_{:032x}",
            u128::from_be_bytes(sixteen(&mut random))
        ))?,
        crt_object_id: ExternalId::new(format!("d741-{node:012x}-vce-{:016x}", random.next()))?,
        campaign_id: 1,
        call_id: ExternalId::new(format!("d741-{node:012x}-vcall-{:016x}", random.next()))?,
        task_id,
        session_uuid: uuid::Builder::from_random_bytes(sixteen(&mut random)).into_uuid(),
    };
    Ok(Recording {
        facts: RecordingFacts {
            tenant,
            id: RecordingId(number),
            names,
            line: Some(LineName::new(format!("trunk-{}", random.below(30)))?),
            from: Some(Number::new(format!(
                "+1555{:07}",
                random.below(10_000_000)
            ))?),
            to: Some(Number::new("+15550100")?),
            started_at: started_at(number),
            format,
            container: Container::Wav,
            time: None,
            agent: None,
            direction: None,
        },
        state: RecordingState::Stored,
        outcome: Some(RecordingOutcome {
            end_cause: EndCause::Silence,
            frames,
            gaps: Vec::new(),
            marks: Vec::new(),
            levels: vec![level(-2_310), level(-2_540)],
            size_bytes: 4_096 + format.bytes_of(frames),
            content_hash,
            sealed_at: WallMillis(started_at(number).0 + format.rate.duration_of(frames).0 + 40),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_gives_back_what_was_put_in() -> Result<(), Failure> {
        let dir = tempfile::tempdir().map_err(Failure::io("scratch"))?;
        let tenant = TenantId(7);
        let rows: Vec<Recording> = (1..=300)
            .filter_map(|n| recording(tenant, n).ok())
            .collect();
        assert_eq!(rows.len(), 300);
        let path = dir.path().join("peer.sqlite");
        let sqlite = Sqlite::fill(&path, CACHE_BYTES, rows.clone().into_iter())?;
        let mut queries = sqlite.queries()?;
        assert_eq!(queries.find(tenant, task_id(42))?, rows[41]);
        let page = queries.page(tenant, cursor(200), PAGE_ROWS)?;
        // Newest first, from the one before the cursor on.
        assert_eq!(page.len(), PAGE_ROWS);
        assert!(page.iter().eq(rows[149..199].iter().rev()));
        Ok(())
    }
}
