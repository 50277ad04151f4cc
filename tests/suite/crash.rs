//! `kill -9` of the real daemon while it records known sound: what was recorded is found again,
//! byte for byte and short of at most a second, and nothing that was closed is touched.

use harness::daemon::Daemon;
use harness::wait;
use harness::wav::Wav;
use serde_json::Value;

use crate::live::{compare, daemon_with_line, snapshot};
use crate::support::{self, TASK};

/// At most this much of an open recording may be lost: one second (ARCHITECTURE.md).
const FRAMES_AT_RISK: u64 = 8_000;

/// The recording in progress, with what has been recorded of it by now.
fn in_progress(daemon: &Daemon) -> (String, String, u64) {
    wait::until("a recording in progress", || {
        let calls = daemon.json(&["calls"]);
        let call = calls["items"].as_array()?.first()?.clone();
        let recorded = support::number(&call, "duration_ms") * 8;
        Some((
            support::word(&call, "task_id"),
            support::word(&call, "recid"),
            recorded,
        ))
    })
}

fn assert_clean(report: &Value) {
    let problems = support::field(report, "problems").and_then(Value::as_array);
    assert!(problems.is_none_or(Vec::is_empty), "{report}");
}

/// The daemon dies several times over; each time the open recording survives.
#[test]
fn what_was_recorded_survives_kill_9() {
    let mut daemon = daemon_with_line("trigger = \"always\"\npre_roll_ms = 0");
    let (_, imported) = support::noise_recording(&daemon, TASK, 50_000);
    let key = support::key(&daemon);
    let mut survivors: Vec<(String, Vec<u8>)> = vec![(TASK.to_owned(), imported)];

    // Different lengths die at different points of ticks, journal and lazy writes.
    for frames in [2_000, 9_000, 17_500, 800, 26_000] {
        let (task, recid, _) = in_progress(&daemon);
        let (_, live) = snapshot(&daemon, &task, &key, frames);
        let (_, _, recorded) = in_progress(&daemon);
        daemon.kill();
        daemon.start();

        let row = daemon.json(&["recordings", "show", &recid]);
        assert_eq!(support::word(&row, "state"), "stored", "{row}");
        assert_eq!(support::word(&row, "end_cause"), "crash", "{row}");
        let answer = daemon.ask(&support::get_audio(&task, &key));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let wav = Wav::parse(&answer.body);
        assert_eq!(compare(&wav), compare(&live), "it begins where it began");
        assert!(
            wav.frames() + FRAMES_AT_RISK >= recorded,
            "{} of at least {recorded} frames survived",
            wav.frames()
        );
        survivors.push((task, answer.body));

        for (task, bytes) in &survivors {
            let answer = daemon.ask(&support::get_audio(task, &key));
            assert!(answer.body == *bytes, "closed recording {task} changed");
        }
    }
    assert_clean(&daemon.json(&["check"]));
}

/// A snapshot shows what is committed: whatever was served of a recording in progress is in the
/// recording after a crash.
#[test]
fn what_was_served_survives_kill_9() {
    let mut daemon = daemon_with_line("trigger = \"always\"\npre_roll_ms = 0");
    let key = support::key(&daemon);
    for frames in [3_000, 11_000, 5_500] {
        let (task, _, _) = in_progress(&daemon);
        let (served, live) = snapshot(&daemon, &task, &key, frames);
        daemon.kill();
        daemon.start();
        let answer = daemon.ask(&support::get_audio(&task, &key));
        let wav = Wav::parse(&answer.body);
        assert!(
            wav.data.starts_with(&live.data),
            "{} bytes were served, {} frames of {} survived",
            served.body.len(),
            wav.frames(),
            live.frames()
        );
    }
}

/// Dying while starting, or right after, is no worse than dying later.
#[test]
fn dying_during_repair_is_repaired() {
    let mut daemon = daemon_with_line("trigger = \"always\"\npre_roll_ms = 0");
    let key = support::key(&daemon);
    let (task, recid, _) = in_progress(&daemon);
    let (_, live) = snapshot(&daemon, &task, &key, 12_000);
    daemon.kill();
    for lines_of_log in 1..6 {
        let before = daemon.log().lines().count();
        daemon.launch();
        // Let it come a little further each time, by its own account.
        wait::until("the next lines of the log", || {
            let grown = daemon.log().lines().count() - before;
            (grown >= lines_of_log).then_some(())
        });
        daemon.kill();
    }
    daemon.start();
    let row = daemon.json(&["recordings", "show", &recid]);
    assert_eq!(support::word(&row, "state"), "stored", "{row}");
    let wav = Wav::parse(&daemon.ask(&support::get_audio(&task, &key)).body);
    assert_eq!(compare(&wav), compare(&live));
    assert!(wav.frames() + FRAMES_AT_RISK >= live.frames());
    assert_clean(&daemon.json(&["check"]));
}
