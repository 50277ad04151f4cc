//! CPU a channel-hour of recording takes, beside a C program that writes each frame into a FILE
//! with a 32 KiB buffer. Both keep real time on the same file system and core. Ours journals and
//! syncs as it does with lines (every 350 to 450 ms), places gaps, and at the end seals: header,
//! hash, levels, index. The peer does none of that.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::args::Options;
use crate::commands::{compile_stdio_recorder, find, json};
use crate::error::Failure;
use crate::machine::{self, Cores, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};
use crate::simulate::{self, Job};

const PEER: &str = "C, 32 KiB stdio buffers";

/// CPU seconds of one run.
#[derive(Clone, Copy)]
struct Run {
    written: f64,
    closed: f64,
    machine: f64,
}

/// Who records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Peer,
    Plain,
    Metered,
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let peer = compile_stdio_recorder(dir.path())?;
    let mut report = Report {
        name: "recorder",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    let (steps, seconds): (&[u64], u64) = if options.quick {
        (&[8], 2)
    } else {
        (&[64, 512], 15)
    };
    for &channels in steps {
        let hours = hours(channels, seconds);
        let mut runs: [Vec<Run>; 3] = Default::default();
        for turn in 0..options.pairs {
            for step in 0..3 {
                let (which, who) = match (turn + step) % 3 {
                    0 => (0, Who::Peer),
                    1 => (1, Who::Plain),
                    _ => (2, Who::Metered),
                };
                let label = [PEER, "callreel", "callreel with level meters"][which];
                out::progress(&format!(
                    "{channels} channels for {seconds} s, turn {} of {}: {label}",
                    turn + 1,
                    options.pairs
                ));
                runs[which].push(one(who, &peer, dir.path(), channels, seconds, cores)?);
            }
        }
        add_rows(&mut report, channels, hours, &runs);
    }
    out::progress_end();
    report.notes.push(
        "whole machine: all that was not idle from start to after a sync, the kernel's write-back \
         and the process's start included"
            .into(),
    );
    Ok(report)
}

fn one(
    who: Who,
    peer: &Path,
    dir: &Path,
    channels: u64,
    seconds: u64,
    cores: Cores,
) -> Result<Run, Failure> {
    let store = dir.join("store");
    simulate::fresh(&store)?;
    nix::unistd::sync();
    let before = machine::busy();
    let said = if who == Who::Peer {
        let mut command = Command::new(peer);
        command
            .arg(&store)
            .arg(channels.to_string())
            .arg(seconds.to_string());
        pinned(cores.server, || json("C peer", &mut command))?
    } else {
        let metered = who == Who::Metered;
        simulate::in_child(
            &Job {
                dir: store,
                channels,
                seconds,
                metered,
            },
            cores.server,
        )?
    };
    nix::unistd::sync();
    let machine = machine::busy().saturating_sub(before);
    checked(&said, channels, who)?;
    let seconds = |name| {
        find(&said, name)
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    };
    Ok(Run {
        written: seconds("cpu_written_s"),
        closed: seconds("cpu_closed_s"),
        machine: Duration::as_secs_f64(&machine),
    })
}

/// A run that lost sound is not a cheaper run.
fn checked(said: &Value, channels: u64, who: Who) -> Result<(), Failure> {
    let count = |name| find(said, name).and_then(Value::as_u64).unwrap_or(0);
    let unsealed = who != Who::Peer && count("stored") != channels;
    if count("lost_frames") > 0 || count("failures") > 0 || unsealed {
        return Err(Failure::Program {
            what: "recording".into(),
            said: said.to_string(),
        });
    }
    Ok(())
}

fn add_rows(report: &mut Report, channels: u64, hours: f64, runs: &[Vec<Run>; 3]) {
    let mut add = |what: &str, goal, which: usize, figure: fn(&Run) -> f64| {
        let values = |which: usize| runs[which].iter().map(|run| figure(run) / hours).collect();
        report.rows.push(Row {
            what: format!("{channels} channels, {what}"),
            unit: "CPU s/channel-hour",
            goal,
            ours: values(which),
            peers: vec![Series {
                name: PEER.into(),
                values: values(0),
            }],
        });
    };
    let goal = Goal::AtMost {
        most: 1.0,
        aim: 0.6,
    };
    add("without sealing", goal, 1, |run| run.written);
    add("sealed", goal, 1, |run| run.closed);
    add("sealed, level meters", Goal::None, 2, |run| run.closed);
    add("sealed, whole machine", Goal::None, 1, |run| run.machine);
}

#[allow(clippy::cast_precision_loss, reason = "thousands of seconds")]
fn hours(channels: u64, seconds: u64) -> f64 {
    (channels * seconds) as f64 / 3_600.0
}
