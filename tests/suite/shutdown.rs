//! Orderly ends: a signal seals what is being recorded, finishes what is being sent, and the next
//! start finds it all.

use std::time::Duration;

use harness::http::Connection;
use harness::wait;
use harness::wav::Wav;
use nix::sys::signal::Signal;

use crate::live;
use crate::support;

/// A stop takes less than this (issue: "stops in under 5 s"), whatever the machine does besides.
const STOP_MAX: Duration = Duration::from_secs(5);

fn seals_and_stops(signal: Signal) {
    let mut daemon = live::daemon_with_line("trigger = \"always\"\npre_roll_ms = 0");
    let key = support::key(&daemon);
    let (task, recid) = wait::until("a recording in progress", || {
        let calls = daemon.json(&["calls"]);
        let call = calls["items"].as_array()?.first()?.clone();
        Some((
            support::word(&call, "task_id"),
            support::word(&call, "recid"),
        ))
    });
    let (_, live) = live::snapshot(&daemon, &task, &key, 8_000);
    // An idle keep-alive connection must not hold the end back.
    let _idle = Connection::plain(daemon.endpoints().plain).expect("a connection");
    daemon.signal(signal);
    let (code, took) = wait::timed(|| daemon.wait_for_end());
    assert_eq!(code, 0, "{signal}:\n{}", daemon.log());
    assert!(took < STOP_MAX, "{signal} took {took:?}");

    daemon.start();
    let row = daemon.json(&["recordings", "show", &recid]);
    assert_eq!(support::word(&row, "state"), "stored", "{row}");
    assert_eq!(support::word(&row, "end_cause"), "shutdown", "{row}");
    let wav = Wav::parse(&daemon.ask(&support::get_audio(&task, &key)).body);
    assert_eq!(live::compare(&wav), live::compare(&live));
    assert!(wav.frames() >= live.frames());
    let list = daemon.json(&["recordings", "list"]);
    assert!(list.to_string().contains(&recid), "{list}");
}

/// Ctrl-C.
#[test]
fn sigint_seals_and_stops() {
    seals_and_stops(Signal::SIGINT);
}

/// What the service manager sends.
#[test]
fn sigterm_seals_and_stops() {
    seals_and_stops(Signal::SIGTERM);
}

/// A second daemon on the same data is refused and harms nothing.
#[test]
fn two_daemons_do_not_share_a_store() {
    let mut first = live::daemon_with_line("trigger = \"always\"\npre_roll_ms = 0");
    let config = first.config().to_string_lossy().into_owned();
    let second = harness::cli::run("callreeld", &["--config", &config], &[]).failure();
    assert!(!second.stderr.is_empty());
    first.insist_alive();
    assert_eq!(support::word(&first.json(&["lines"]), "state"), "running");
}
