//! A recording in progress over the wire: "not ready" as the seed says, a playable snapshot for
//! whoever asks for it, and the finished recording that it becomes.

use std::sync::OnceLock;
use std::time::Duration;

use harness::alsa::AlsaConfig;
use harness::daemon::{Daemon, Setup};
use harness::http::{Answer, Request};
use harness::wav::Wav;
use harness::{sound, wait};

use crate::support::{self, audio_path};

/// Seconds of known sound behind the line: more than any test takes.
const SECONDS: u64 = 600;

/// A daemon with one line on known sound.
pub(crate) fn daemon_with_line(rest: &str) -> Daemon {
    let setup = Setup::new();
    let samples = setup.folder().join("known.raw");
    std::fs::write(&samples, sound::to_bytes(&sound::noise(SECONDS * 8_000))).expect("known.raw");
    let alsa = AlsaConfig::default().file("known", &samples);
    let line = format!("capture = \"known\"\n{rest}");
    setup.alsa(alsa).line("desk", &line).start()
}

/// Starts a recording on the line and gives its task id and its number.
pub(crate) fn start(daemon: &Daemon) -> (String, String) {
    wait::until("the line's device", || {
        (support::word(&daemon.json(&["lines"]), "state") == "running").then_some(())
    });
    let started = daemon.json(&["record", "start", "--line", "desk"]);
    (
        support::word(&started, "task_id"),
        support::word(&started, "recid"),
    )
}

/// Waits until the recording has at least this much committed sound; gives the snapshot.
pub(crate) fn snapshot(daemon: &Daemon, task: &str, key: &str, frames: u64) -> (Answer, Wav) {
    wait::until("a snapshot of the recording in progress", || {
        let path = format!("{}?live=1", audio_path(task));
        let answer = daemon.ask(&Request::get(&path).with("X-API-Key", key));
        // A call that was only just told about may not be in the index yet.
        if answer.status == 404 || answer.status == 503 {
            return None;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let wav = Wav::parse(&answer.body);
        (wav.frames() >= frames).then_some((answer, wav))
    })
}

/// Waits until a recording is stored and gives its row.
pub(crate) fn stored(daemon: &Daemon, name: &str) -> serde_json::Value {
    wait::until("the recording's seal", || {
        let row = daemon.json(&["recordings", "show", name]);
        (support::word(&row, "state") != "live").then_some(row)
    })
}

/// Compares a recording with the known sound at its place, and gives where that begins.
pub(crate) fn compare(wav: &Wav) -> usize {
    static KNOWN: OnceLock<Vec<i16>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| sound::noise(SECONDS * 8_000));
    let heard = wav.samples();
    let start = sound::find(known, &heard).expect("the recording's beginning in the known sound");
    let expected = &known[start..start + heard.len()];
    let differs = heard
        .iter()
        .zip(expected)
        .position(|(heard, known)| heard != known);
    assert_eq!(
        differs,
        None,
        "of {} samples; it began at {start}",
        heard.len()
    );
    start
}

/// The whole life of a commanded recording, as a client sees it.
#[test]
fn a_recording_is_playable_while_it_grows() {
    let daemon = daemon_with_line("trigger = \"api\"\npre_roll_ms = 0");
    let key = support::key(&daemon);
    let (task, recid) = start(&daemon);

    let not_ready = daemon.ask(&support::get_audio(&task, &key));
    assert_eq!(not_ready.status, 422, "{}", not_ready.text());
    assert_eq!(
        not_ready.json()["error"]["code"],
        "recording_audio_not_ready"
    );
    let after = not_ready
        .header("retry-after")
        .expect("Retry-After")
        .to_owned();
    assert!(
        after.parse::<u64>().is_ok_and(|seconds| seconds > 0),
        "{after}"
    );

    let (first, early) = snapshot(&daemon, &task, &key, 4_000);
    assert_eq!(
        (early.tag, early.channels, early.rate, early.bits),
        (1, 1, 8_000, 16)
    );
    assert_eq!(
        early.stated_length,
        first.body.len() as u64,
        "a true header"
    );
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let began = compare(&early);

    let (second, later) = snapshot(&daemon, &task, &key, early.frames() + 4_000);
    assert_ne!(first.header("etag"), second.header("etag"));
    assert_eq!(compare(&later), began, "a snapshot only grows at its end");

    let tag = second.header("etag").expect("an ETag").to_owned();
    let path = format!("{}?live=1", audio_path(&task));
    let range = Request::get(&path)
        .with("X-API-Key", &key)
        .with("Range", "bytes=0-1");
    assert_eq!(daemon.ask(&range).status, 206);
    // The snapshot with that tag is gone: its continuation must not be mixed with a newer one.
    let (_, _) = snapshot(&daemon, &task, &key, later.frames() + 4_000);
    let stale = daemon.ask(&range.with("If-Range", &tag));
    assert_eq!(stale.status, 200, "a stale If-Range");

    let _ = daemon.json(&["record", "stop", &recid]);
    let row = stored(&daemon, &recid);
    assert_eq!(support::word(&row, "end_cause"), "command");
    let done = daemon.ask(&support::get_audio(&task, &key));
    assert_eq!(done.status, 200);
    let wav = Wav::parse(&done.body);
    assert_eq!(compare(&wav), began);
    assert!(wav.frames() >= later.frames() + 4_000);
    assert_eq!(wav.stated_length, done.body.len() as u64);
}

/// The look-back: sound from before the command is in the recording.
#[test]
fn look_back_keeps_what_came_before_the_command() {
    let daemon = daemon_with_line("trigger = \"api\"\npre_roll_ms = 2000");
    let key = support::key(&daemon);
    wait::until("three seconds of sound", || {
        (support::number(&daemon.json(&["lines"]), "frames") > 24_000).then_some(())
    });
    let (task, recid) = start(&daemon);
    let (_, _) = snapshot(&daemon, &task, &key, 17_000);
    let _ = daemon.json(&["record", "stop", &recid]);
    let _ = stored(&daemon, &recid);
    let wav = Wav::parse(&daemon.ask(&support::get_audio(&task, &key)).body);
    let began = compare(&wav);
    assert!(began > 0, "the look-back is bounded");
}

/// Too short a recording is told as absent and leaves no file.
#[test]
fn a_recording_below_the_minimum_is_absent() {
    let daemon = daemon_with_line("trigger = \"api\"\npre_roll_ms = 0\nmin_length_ms = 30000");
    let key = support::key(&daemon);
    let (task, recid) = start(&daemon);
    let _ = daemon.json(&["record", "stop", &recid]);
    let row = stored(&daemon, &recid);
    assert_eq!(support::word(&row, "state"), "absent");
    assert_eq!(daemon.ask(&support::get_audio(&task, &key)).status, 404);
    wait::until("the file's removal", || {
        support::stored_files(&daemon.data(), "wav")
            .is_empty()
            .then_some(())
    });
}

/// `max_length_s` and `rotate_s` end a recording and begin the next without losing a sample.
#[test]
fn rotation_loses_nothing() {
    let daemon = daemon_with_line("trigger = \"always\"\npre_roll_ms = 0\nrotate_s = 2");
    let key = support::key(&daemon);
    let rows = wait::until_within("three rotated recordings", Duration::from_secs(90), || {
        let page = daemon.json(&["recordings", "list"]);
        let rows = page["items"].as_array().expect("items").clone();
        let stored: Vec<_> = rows
            .into_iter()
            .filter(|row| row["state"] == "stored")
            .collect();
        (stored.len() >= 3).then_some(stored)
    });
    let mut pieces: Vec<(usize, u64)> = rows
        .iter()
        .map(|row| {
            assert_eq!(support::word(row, "end_cause"), "rotated");
            let task = support::word(row, "task_id");
            let wav = Wav::parse(&daemon.ask(&support::get_audio(&task, &key)).body);
            (compare(&wav), wav.frames())
        })
        .collect();
    pieces.sort_unstable();
    for pair in pieces.windows(2) {
        let end = pair[0].0 as u64 + pair[0].1;
        assert_eq!(
            end, pair[1].0 as u64,
            "one recording ends where the next begins: {pieces:?}"
        );
        assert_eq!(pair[0].1, 16_000, "two seconds each: {pieces:?}");
    }
}
