//! Time to the first byte at the end of a large recording, beside a small one: seeking must not
//! depend on the length of what is sought in.

use crate::args::Options;
use crate::client::{Patient, Target};
use crate::daemon::Daemon;
use crate::error::Failure;
use crate::machine::{Cores, pinned, warm};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};
use crate::stats::{median, percentile};

const SMALL_BYTES: u64 = 2 << 20;
const TAIL_BYTES: u64 = 4_096;

/// First-byte times of one run, in microseconds.
struct Times {
    median_us: f64,
    p99_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let daemon = Daemon::start(dir.path(), cores.server, None)?;
    out::progress(&format!("importing a file of {} MiB", options.file_mib));
    let large = daemon.import(options.file_mib << 20)?;
    let small = daemon.import(SMALL_BYTES)?;
    warm(&large.file)?;
    warm(&small.file)?;

    let asks = if options.quick { 200 } else { 5_000 };
    let (mut of_large, mut of_small) = (Vec::new(), Vec::new());
    pinned(cores.client, || {
        for turn in 0..=options.pairs {
            out::progress(&format!("turn {turn} of {}", options.pairs));
            let (a, b) = if turn % 2 == 0 {
                let a = times(&large.target, asks)?;
                (a, times(&small.target, asks)?)
            } else {
                let b = times(&small.target, asks)?;
                (times(&large.target, asks)?, b)
            };
            // The first turn only warms up.
            if turn > 0 {
                of_large.push(a);
                of_small.push(b);
            }
        }
        Ok(())
    })?;
    out::progress_end();

    let mut report = Report {
        name: "first-byte",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    let mut add = |what: &str, goal, figure: fn(&Times) -> f64| {
        report.rows.push(Row {
            what: format!("{what}, end of {} MiB", options.file_mib),
            unit: "us",
            goal,
            ours: of_large.iter().map(figure).collect(),
            peers: vec![Series {
                name: "end of 2 MiB".into(),
                values: of_small.iter().map(figure).collect(),
            }],
        });
    };
    add(
        "first byte, median",
        Goal::AtMost {
            most: 1.1,
            aim: 1.02,
        },
        |times| times.median_us,
    );
    add("first byte, p99", Goal::None, |times| times.p99_us);
    Ok(report)
}

fn times(target: &Target, asks: usize) -> Result<Times, Failure> {
    let mut patient = Patient::connect(target)?;
    let mut micros = Vec::with_capacity(asks);
    for _ in 0..asks {
        let (_, waited) = patient.fetch(target.len - TAIL_BYTES, TAIL_BYTES)?;
        micros.push(waited.as_secs_f64() * 1e6);
    }
    Ok(Times {
        median_us: median(&micros),
        p99_us: percentile(&micros, 99.0),
    })
}
