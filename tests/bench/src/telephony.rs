//! CPU a telephony channel takes, 20 ms blocks both ways, beside a C program with a plain poll,
//! read and write loop. The card is a double: another process, on another core, that gives and
//! takes blocks by the clock. Ours places gaps, takes orders and signals, mixes what is played and
//! hands everything on through rings; the peer throws away what it reads and writes zeros.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::args::Options;
use crate::card::Job;
use crate::commands::{compile_peer, find, json};
use crate::error::Failure;
use crate::machine::{Cores, Running, now, pinned, wait_until};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};

const PEER: &str = "C, poll, read, write";

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let peer = compile_peer(
        dir.path(),
        "card_channels",
        include_str!("../peer/card_channels.c"),
    )?;
    let mut report = Report {
        name: "telephony",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    let (steps, seconds): (&[u64], u64) = if options.quick {
        (&[8], 2)
    } else {
        (&[30, 120, 480], 15)
    };
    for &channels in steps {
        let mut runs: [Vec<f64>; 2] = Default::default();
        for turn in 0..options.pairs {
            for step in 0..2 {
                let which = (turn + step) % 2;
                let label = ["callreel", PEER][which];
                out::progress(&format!(
                    "{channels} channels for {seconds} s, turn {} of {}: {label}",
                    turn + 1,
                    options.pairs
                ));
                let path = dir.path().join(format!("card-{channels}-{turn}-{step}"));
                let job = Job {
                    path,
                    channels,
                    seconds,
                };
                runs[which].push(one(&peer, &job, which == 0, cores)?);
            }
        }
        let hours = hours(channels, seconds);
        let [ours, theirs] = runs.map(|run| run.into_iter().map(|cpu| cpu / hours).collect());
        report.rows.push(Row {
            what: format!("{channels} channels, blocks of 20 ms both ways"),
            unit: "CPU s/channel-hour",
            goal: Goal::AtMost {
                most: 2.0,
                aim: 1.3,
            },
            ours,
            peers: vec![Series {
                name: PEER.into(),
                values: theirs,
            }],
        });
    }
    out::progress_end();
    report
        .notes
        .push("the card's own CPU time, on the other core, is nobody's".into());
    Ok(report)
}

/// CPU seconds of one run.
fn one(peer: &Path, job: &Job, ours: bool, cores: Cores) -> Result<f64, Failure> {
    let mut card = Command::new(peer);
    card.arg("card")
        .arg(&job.path)
        .arg(job.channels.to_string());
    let mut card = Running::start("the card", &mut card, cores.client)?;
    let patience = now() + std::time::Duration::from_secs(10);
    while !job.path.exists() && now() < patience {
        card.check()?;
        wait_until(now() + std::time::Duration::from_millis(5));
    }
    let mut command = if ours {
        let mut command = Command::new(own_path()?);
        command.args(job.words());
        command
    } else {
        let mut command = Command::new(peer);
        command
            .arg("loop")
            .arg(&job.path)
            .arg(job.channels.to_string())
            .arg(job.seconds.to_string());
        command
    };
    let said = pinned(cores.server, || json("driving the card", &mut command))?;
    let count = |name| find(&said, name).and_then(Value::as_u64).unwrap_or(0);
    let wanted = job.channels * job.seconds * 50;
    let short = |blocks: u64| blocks * 100 < wanted * 95;
    // A run that lost sound is not a cheaper run.
    if count("lost_frames") > 0 || short(count("blocks_in")) || short(count("blocks_out")) {
        return Err(Failure::Program {
            what: "driving the card".into(),
            said: format!("{said}, of {wanted} blocks"),
        });
    }
    let used = find(&said, "cpu_s").and_then(Value::as_f64);
    used.ok_or_else(|| Failure::Program {
        what: "driving the card".into(),
        said: said.to_string(),
    })
}

fn own_path() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(Failure::io("own path"))
}

#[allow(clippy::cast_precision_loss, reason = "thousands of seconds")]
fn hours(channels: u64, seconds: u64) -> f64 {
    (channels * seconds) as f64 / 3_600.0
}
