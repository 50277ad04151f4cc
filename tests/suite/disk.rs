//! A disk that fills up or fails while a line records: the daemon lives, what was closed stays
//! readable, the alarm is raised, and recording resumes by itself.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use harness::alsa::AlsaConfig;
use harness::daemon::{Daemon, Setup};
use harness::http::Request;
use harness::wav::Wav;
use harness::{sound, wait};

use crate::live;
use crate::support::{self, TASK};

/// Recording resumes this soon after space returns (GOALS.md), plus what a poll may take.
const RESUMES_WITHIN: Duration = Duration::from_secs(6);

/// Short recordings: each one needs a new file, and space for it.
fn always_on_a_small_disk() -> Daemon {
    let setup = Setup::new().small_disk(96);
    let samples = setup.folder().join("known.raw");
    std::fs::write(&samples, sound::to_bytes(&sound::noise(600 * 8_000))).expect("known.raw");
    let alsa = AlsaConfig::default().file("known", &samples);
    let line = "capture = \"known\"\ntrigger = \"always\"\npre_roll_ms = 0\nrotate_s = 3";
    setup.alsa(alsa).line("desk", line).start()
}

fn is_degraded(daemon: &Daemon) -> bool {
    let status = daemon.json(&["status"]);
    support::field(&status, "degraded")
        .and_then(|value| value.as_bool())
        .expect("degraded")
}

/// Writes until there is no byte left.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("the filler");
    let mut piece = vec![0xA5_u8; 1 << 20];
    while !piece.is_empty() {
        if file.write_all(&piece).is_err() {
            piece.truncate(piece.len() / 2);
        }
    }
}

/// The disk fills while a call is recorded, and is freed again.
#[test]
#[cfg_attr(
    not(can_mount),
    ignore = "needs a mount namespace: root, or user namespaces"
)]
fn a_full_disk_ends_recordings_and_nothing_else() {
    let mut daemon = always_on_a_small_disk();
    let (_, imported) = support::noise_recording(&daemon, TASK, 50_000);
    let key = support::key(&daemon);
    wait::until("sound on the disk", || {
        let calls = daemon.json(&["calls"]);
        let call = calls["items"].as_array()?.first()?.clone();
        (support::number(&call, "duration_ms") > 1_000).then_some(())
    });

    let filler = daemon.data().join("filler");
    fill(&filler);
    wait::until("the alarm", || {
        fill(&filler.with_extension("more"));
        is_degraded(&daemon).then_some(())
    });
    daemon.insist_alive();
    assert_eq!(daemon.ask(&Request::get("/healthz")).status, 200);
    assert_ne!(
        daemon.ask(&Request::get("/readyz")).status,
        200,
        "readiness tells the alarm"
    );
    let metrics = daemon.ask(&Request::get("/metrics")).text();
    assert!(metrics.contains("callreel_storage_degraded 1"), "{metrics}");
    let old = daemon.ask(&support::get_audio(TASK, &key));
    assert_eq!(old.status, 200);
    assert!(
        old.body == imported,
        "what was stored before reads as before"
    );

    wait::until("the end of what cannot be written", || {
        daemon.json(&["calls"])["items"]
            .as_array()?
            .is_empty()
            .then_some(())
    });
    std::fs::remove_file(&filler).expect("the filler's removal");
    let _ = std::fs::remove_file(filler.with_extension("more"));
    let resumed = wait::until_within("recording to resume", RESUMES_WITHIN, || {
        let calls = daemon.json(&["calls"]);
        let call = calls["items"].as_array()?.first()?.clone();
        (support::number(&call, "duration_ms") > 0).then(|| support::word(&call, "recid"))
    });
    wait::until("the alarm's end", || (!is_degraded(&daemon)).then_some(()));
    let rows = wait::until("what the full disk ended", || {
        let page = daemon.json(&["recordings", "list", "--all"]);
        let rows = page["items"].as_array()?.clone();
        let full = rows
            .iter()
            .any(|row| row["outcome"]["end_cause"] == "disk_full");
        full.then_some(rows)
    });
    for row in rows
        .iter()
        .filter(|row| row["line"] == "desk" && row["state"] != "live")
    {
        assert_ne!(support::word(row, "recid"), resumed);
        let answer = daemon.ask(&support::get_audio(&support::word(row, "task_id"), &key));
        if answer.status == 200 {
            let wav = Wav::parse(&answer.body);
            assert!(wav.frames() > 0, "an empty file is not a recording: {row}");
            let _ = live::compare(&wav);
        } else {
            let lost = support::number(row, "duration_ms");
            assert!(lost == 0, "{lost} ms of sound have no file: {row}");
        }
    }
}

/// Every fdatasync fails from some moment on: nothing is acknowledged that is not on the disk, the
/// daemon lives and serves.
#[test]
fn a_failing_sync_is_told_and_survived() {
    let setup = Setup::new().under(&[
        "strace",
        "--follow-forks",
        "--quiet=all",
        "--output=/dev/null",
        "--trace=fdatasync",
        "--inject=fdatasync:error=EIO:when=40+",
    ]);
    let samples = setup.folder().join("known.raw");
    std::fs::write(&samples, sound::to_bytes(&sound::noise(600 * 8_000))).expect("known.raw");
    let alsa = AlsaConfig::default().file("known", &samples);
    let line = "capture = \"known\"\ntrigger = \"always\"\npre_roll_ms = 0";
    // The ring's own syncs are no system calls: only the blocking path can be made to fail so.
    let mut daemon = setup
        .storage("io = \"blocking\"")
        .alsa(alsa)
        .line("desk", line)
        .start();
    wait::until("the alarm", || is_degraded(&daemon).then_some(()));
    daemon.insist_alive();
    assert_eq!(daemon.ask(&Request::get("/healthz")).status, 200);
    let log = daemon.log();
    assert!(!log.contains("panicked"), "{log}");
}
