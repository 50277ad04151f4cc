//! Everything that is printed.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the benchmarks' output module"
)]

use std::io::{IsTerminal, Write};
use std::path::Path;

use crate::error::Failure;
use crate::report::{Goal, Report, Row};
use crate::stats::median;

pub(crate) fn help<'a>(benchmarks: impl Iterator<Item = (&'a str, &'a str)>) {
    println!(
        "bench [NAME...] [--quick] [--json DIR] [--dir DIR] [--file-mib N] [--rows N] [--pairs N]"
    );
    println!();
    for (name, what) in benchmarks {
        println!("  {name:<12} {what}");
    }
    println!();
    println!("  --quick      small and short: shows that everything works, figures mean nothing");
    println!("  --json DIR   where <name>.json is written (target/bench)");
    println!("  --dir DIR    where files and databases are made and removed (target/bench/work)");
    println!("  --file-mib N size of the large file (2048)");
    println!("  --rows N     recordings in the index (1000000)");
    println!("  --pairs N    runs of ours and of the peer, in turns (7)");
}

pub(crate) fn failure(failure: &Failure) {
    eprintln!("error: {failure}");
}

pub(crate) fn stage(name: &str, what: &str) {
    println!("==> {name}: {what}");
}

/// A line of progress: rewritten on a terminal, one after another elsewhere.
pub(crate) fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K    {text}");
        let _ = std::io::stderr().flush();
    } else {
        eprintln!("    {text}");
    }
}

/// Ends a rewritten line of progress.
pub(crate) fn progress_end() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
        let _ = std::io::stderr().flush();
    }
}

/// A result as the measured process hands it to its parent.
pub(crate) fn result_line(value: &serde_json::Value) {
    println!("{value}");
}

/// The tables of all benchmarks that ran.
pub(crate) fn tables(reports: &[Report], json_dir: &Path, quick: bool) {
    for report in reports {
        println!();
        println!("{}", report.name);
        println!(
            "  {:<62} {:>10} {:>10} {:<23} {:>6}  goal (aim)",
            "", "callreel", "peer", "", "ratio"
        );
        for row in &report.rows {
            println!("{}", line(row, quick));
        }
        for note in &report.notes {
            println!("  - {note}");
        }
    }
    println!();
    if quick {
        println!("A quick run: its figures mean nothing.");
    }
    println!("JSON: {}", json_dir.display());
}

fn line(row: &Row, quick: bool) -> String {
    let peer = row.best_peer();
    let theirs = peer.map_or_else(|| "-".to_owned(), |peer| figure(median(&peer.values)));
    let ratio = row
        .ratio()
        .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let goal = match row.goal {
        Goal::More { least, aim } | Goal::LessBy { least, aim } => {
            format!(">= {least:.2}x ({aim:.2}x)")
        }
        Goal::AtMost { most, aim } => format!("<= {most:.2} ({aim:.2})"),
        Goal::Within { most, aim } => format!("<= {most:.0} ({aim:.0})"),
        Goal::Reach { least, aim } => format!(">= {least:.0} ({aim:.0})"),
        Goal::None => String::new(),
    };
    let verdict = match row.reached().filter(|_| !quick) {
        Some(true) => " reached",
        Some(false) => " MISSED",
        None => "",
    };
    format!(
        "  {:<62} {:>10} {:>10} {:<23} {:>6}  {goal}{verdict}",
        format!("{} [{}]", row.what, row.unit),
        figure(median(&row.ours)),
        theirs,
        peer.map_or("", |peer| peer.name.as_str()),
        ratio,
    )
}

/// Four significant figures or so.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 10_000.0 => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}
