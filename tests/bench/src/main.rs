//! `bench [NAME...] [--quick] [--json DIR] …`: the hot paths, each beside a named peer in the same
//! run. Runs of ours and of the peer take turns, the server is pinned to one core and the client
//! to another, figures are medians of at least seven pairs. See README.md.
//!
//! What is not here: pass or fail. A benchmark is never a timed test.

mod args;
mod audit;
mod calls;
mod card;
mod certificate;
mod channels;
mod check;
mod client;
mod commands;
mod convert;
mod daemon;
mod dtmf;
mod error;
mod first_byte;
mod index;
mod machine;
mod nginx;
mod out;
mod peaks;
mod ranges;
mod receiver;
mod recorder;
mod report;
mod search;
mod retention;
mod simulate;
mod sqlite;
mod sqlite_outbox;
mod stats;
mod telephony;
mod tls;
mod tls_client;
mod voice;
mod webhooks;

use std::process::ExitCode;

use args::{Asked, Options};
use error::Failure;
use report::Report;

/// A benchmark: its name on the command line, what it measures, and how.
struct Benchmark {
    name: &'static str,
    what: &'static str,
    run: fn(&Options) -> Result<Report, Failure>,
}

const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "ranges",
        what: "HTTP ranges of a warm file, beside nginx",
        run: ranges::run,
    },
    Benchmark {
        name: "tls",
        what: "HTTP ranges of a warm file over TLS 1.3, beside nginx",
        run: tls::run,
    },
    Benchmark {
        name: "first-byte",
        what: "first byte at the end of a large file, beside a small one",
        run: first_byte::run,
    },
    Benchmark {
        name: "convert",
        what: "MP3 and M4A of an hour, beside lame and ffmpeg",
        run: convert::run,
    },
    Benchmark {
        name: "peaks",
        what: "CPU of an hour's waveform peaks, beside sox and ffmpeg",
        run: peaks::run,
    },
    Benchmark {
        name: "recorder",
        what: "CPU of recording, beside a C program with stdio",
        run: recorder::run,
    },
    Benchmark {
        name: "channels",
        what: "channels on one core without a lost frame",
        run: channels::run,
    },
    Benchmark {
        name: "telephony",
        what: "CPU of driving a telephony card, beside a C program with poll",
        run: telephony::run,
    },
    Benchmark {
        name: "index",
        what: "look-up and page at a million rows, beside SQLite",
        run: index::run,
    },
    Benchmark {
        name: "search",
        what: "first pages of many searches at ten million rows",
        run: search::run,
    },
    Benchmark {
        name: "dtmf",
        what: "listening for digits, beside spandsp and multimon-ng",
        run: dtmf::run,
    },
    Benchmark {
        name: "calls",
        what: "from a command to what is heard, 64 calls at once",
        run: calls::run,
    },
    Benchmark {
        name: "webhooks",
        what: "events appended and delivered, beside an outbox in SQLite",
        run: webhooks::run,
    },
    Benchmark {
        name: "retention",
        what: "passes of retention over a million recordings",
        run: retention::run,
    },
    Benchmark {
        name: "check",
        what: "hashing of 'callreel check', beside b3sum",
        run: check::run,
    },
    Benchmark {
        name: "audit",
        what: "questions to an audit trail of ten million entries",
        run: audit::run,
    },
];

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<(), Failure> {
    match args::parse(std::env::args().skip(1))? {
        Asked::Help => {
            out::help(BENCHMARKS.iter().map(|b| (b.name, b.what)));
            Ok(())
        }
        Asked::Simulate(job) => simulate::child(&job),
        Asked::Card(job) => card::child(&job),
        Asked::Run(options) => run(&options),
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let known = |name: &String| BENCHMARKS.iter().any(|b| b.name == name);
    if let Some(unknown) = options.names.iter().find(|name| !known(name)) {
        return Err(Failure::UnknownBenchmark(unknown.clone()));
    }
    std::fs::create_dir_all(&options.work_dir).map_err(Failure::io(format!(
        "folder {}",
        options.work_dir.display()
    )))?;
    let mut reports = Vec::new();
    for benchmark in BENCHMARKS {
        if !options.names.is_empty() && !options.names.iter().any(|name| name == benchmark.name) {
            continue;
        }
        out::stage(benchmark.name, benchmark.what);
        let report = (benchmark.run)(options)?;
        report.write(&options.json_dir, options.quick)?;
        reports.push(report);
    }
    out::tables(&reports, &options.json_dir, options.quick);
    Ok(())
}
