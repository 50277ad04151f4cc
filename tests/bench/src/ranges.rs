//! Ranges and a whole file over plain HTTP/1.1, beside nginx. Both servers send the very same file,
//! the recording as callreeld stored it, from the page cache. callreeld checks an API key on each
//! request; nginx checks nothing.

use std::time::Duration;

use crate::args::Options;
use crate::client::{self, Load, Patient, Tally, Target};
use crate::daemon::Daemon;
use crate::error::Failure;
use crate::machine::{Cores, cpu_of, pinned, warm};
use crate::nginx::Nginx;
use crate::out;
use crate::report::{Goal, Report, Row, Series};
use crate::stats::{Random, median};

/// One load that is put on every server.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// Bytes of a range; `None` is the whole file.
    pub(crate) range: Option<u64>,
    pub(crate) connections: usize,
    pub(crate) requests_goal: Goal,
    pub(crate) cpu_goal: Goal,
}

const CASES: [Case; 4] = [
    Case {
        what: "4 KiB ranges",
        range: Some(4 << 10),
        connections: 16,
        requests_goal: Goal::More {
            least: 1.0,
            aim: 1.3,
        },
        cpu_goal: Goal::None,
    },
    Case {
        what: "64 KiB ranges",
        range: Some(64 << 10),
        connections: 16,
        requests_goal: Goal::More {
            least: 1.0,
            aim: 1.5,
        },
        cpu_goal: Goal::LessBy {
            least: 1.0,
            aim: 1.5,
        },
    },
    Case {
        what: "1 MiB ranges",
        range: Some(1 << 20),
        connections: 16,
        requests_goal: Goal::None,
        cpu_goal: Goal::LessBy {
            least: 1.0,
            aim: 1.2,
        },
    },
    Case {
        what: "whole file",
        range: None,
        connections: 1,
        requests_goal: Goal::None,
        cpu_goal: Goal::LessBy {
            least: 1.0,
            aim: 1.2,
        },
    },
];

/// What one run on one server gave.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    tally: Tally,
    cpu: Duration,
    client_cpu: Duration,
}

pub(crate) struct Server<'a> {
    pub(crate) target: Target,
    pub(crate) cpu: Box<dyn Fn() -> Duration + 'a>,
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let daemon = Daemon::start(dir.path(), cores.server, None)?;
    out::progress(&format!("importing a file of {} MiB", options.file_mib));
    let imported = daemon.import(options.file_mib << 20)?;
    warm(&imported.file)?;
    let nginx = Nginx::start(dir.path(), &imported.file, cores.server, None)?;
    let [off, on] = nginx.targets(imported.target.len);
    let servers = [
        Server {
            target: imported.target.clone(),
            cpu: Box::new(|| daemon.cpu()),
        },
        Server {
            target: off,
            cpu: Box::new(|| nginx.cpu()),
        },
        Server {
            target: on,
            cpu: Box::new(|| nginx.cpu()),
        },
    ];
    same_bytes(&servers)?;

    let mut report = Report {
        name: "ranges",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    for case in &CASES {
        let runs = pinned(cores.client, || measure(case, &servers, options))?;
        add_rows(&mut report, case, &servers, &runs);
    }
    out::progress_end();
    Ok(report)
}

/// A folder for this benchmark that goes away with it.
pub(crate) fn scratch(options: &Options) -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir_in(&options.work_dir).map_err(Failure::io("scratch folder"))
}

/// A server that answers other bytes is not worth measuring.
pub(crate) fn same_bytes(servers: &[Server<'_>]) -> Result<(), Failure> {
    let mut random = Random::new(99);
    for len in [1, 4_096, 65_536, 1 << 20] {
        let from = random.below(servers[0].target.len - len + 1);
        let (first, _) = Patient::connect(&servers[0].target)?.fetch(from, len)?;
        for other in &servers[1..] {
            let (bytes, _) = Patient::connect(&other.target)?.fetch(from, len)?;
            if bytes != first {
                let what = format!("other bytes than {} at {from}", servers[0].target.server);
                return Err(Failure::Answer {
                    server: other.target.server.clone(),
                    what,
                });
            }
        }
    }
    Ok(())
}

/// Runs of all servers in turns; the first turn only warms up.
pub(crate) fn measure(
    case: &Case,
    servers: &[Server<'_>],
    options: &Options,
) -> Result<Vec<Vec<Run>>, Failure> {
    let duration = if options.quick { 200 } else { 2_000 };
    // A whole file: one answer a run, however long it takes.
    let duration = Duration::from_millis(if case.range.is_some() { duration } else { 0 });
    let mut runs: Vec<Vec<Run>> = servers.iter().map(|_| Vec::new()).collect();
    for turn in 0..=options.pairs {
        for step in 0..servers.len() {
            // Each turn begins with another server, so that none always follows the same.
            let which = (turn + step) % servers.len();
            let server = &servers[which];
            out::progress(&format!(
                "{}, turn {turn} of {}: {}",
                case.what, options.pairs, server.target.server
            ));
            let load = Load {
                range: case.range,
                connections: case.connections,
                duration,
                seed: turn as u64 + 1,
            };
            let (before, client_before) = ((server.cpu)(), cpu_of(std::process::id()));
            let tally = client::run(&server.target, load)?;
            let run = Run {
                tally,
                cpu: (server.cpu)().saturating_sub(before),
                client_cpu: cpu_of(std::process::id()).saturating_sub(client_before),
            };
            if turn > 0 {
                runs[which].push(run);
            }
        }
    }
    Ok(runs)
}

pub(crate) fn add_rows(
    report: &mut Report,
    case: &Case,
    servers: &[Server<'_>],
    runs: &[Vec<Run>],
) {
    let mut add = |what: &str, unit, goal, figure: fn(&Run) -> f64| {
        let values = |which: usize| runs[which].iter().map(figure).collect::<Vec<f64>>();
        let peers = (1..servers.len())
            .map(|which| Series {
                name: servers[which].target.server.clone(),
                values: values(which),
            })
            .collect();
        report.rows.push(Row {
            what: format!("{}, {what}", case.what),
            unit,
            goal,
            ours: values(0),
            peers,
        });
    };
    if case.range.is_some() {
        add("requests", "1/s", case.requests_goal, requests_per_second);
        add("CPU a request", "us", Goal::None, cpu_us_per_request);
    } else {
        add("throughput", "GB/s", Goal::None, gigabytes_per_second);
    }
    add("CPU", "s/GB", case.cpu_goal, cpu_seconds_per_gigabyte);
    let busy: Vec<f64> = runs
        .iter()
        .flatten()
        .map(|run| run.client_cpu.as_secs_f64() / run.tally.elapsed.as_secs_f64() * 100.0)
        .collect();
    report.notes.push(format!(
        "{}: the client's core was {:.0} % busy",
        case.what,
        median(&busy)
    ));
}

fn requests_per_second(run: &Run) -> f64 {
    per(run.tally.requests, run.tally.elapsed)
}

fn gigabytes_per_second(run: &Run) -> f64 {
    per(run.tally.bytes, run.tally.elapsed) / 1e9
}

fn cpu_us_per_request(run: &Run) -> f64 {
    1e6 / per(run.tally.requests, run.cpu)
}

fn cpu_seconds_per_gigabyte(run: &Run) -> f64 {
    1e9 / per(run.tally.bytes, run.cpu)
}

#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
fn per(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
