//! A small file system fills up while eight lines record and eight clients read: nothing that can
//! be read is lost, alarms arrive by each way there is, recording goes on by itself when there is
//! space again. And a disk that is low makes room by itself, where policies allow it.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use harness::alsa::AlsaConfig;
use harness::daemon::{Daemon, Setup};
use harness::http::{Request, Transport};
use harness::wav::Wav;
use harness::{sound, wait, wav};
use serde_json::Value;

use crate::live;
use crate::support;

const LINES: usize = 8;
const CLIENTS: usize = 8;

/// Recording resumes this soon after space returns (GOALS.md), plus what a poll may take.
const RESUMES_WITHIN: Duration = Duration::from_secs(6);

/// A task id for each client.
fn task(number: usize) -> String {
    format!("550e8400-e29b-41d4-a716-4466554400{number:02}")
}

/// Eight lines on known sound, each recording into a new file every three seconds, and a command
/// that keeps each alarm in a file beside the small disk.
fn eight_lines(disk_mib: u32, tables: &str) -> Daemon {
    let setup = Setup::new().small_disk(disk_mib);
    let samples = setup.folder().join("known.raw");
    std::fs::write(&samples, sound::to_bytes(&sound::noise(600 * 8_000))).expect("known.raw");
    let alarms = setup.folder().join("alarms");
    let command = format!(
        "[alarms]\ncommand = [\"sh\", \"-c\", \"cat >>{0}; echo >>{0}\"]\n\
         mail_to = [\"ops@example.org\"]\n",
        alarms.display()
    );
    let mut alsa = AlsaConfig::default();
    for line in 0..LINES {
        alsa = alsa.file(&format!("known{line}"), &samples);
    }
    let mut setup = setup.alsa(alsa).toml(&format!("{command}\n{tables}"));
    for line in 0..LINES {
        let rest = format!(
            "capture = \"known{line}\"\ntrigger = \"always\"\npre_roll_ms = 0\nrotate_s = 3"
        );
        setup = setup.line(&format!("desk{line}"), &rest);
    }
    setup.start()
}

fn alarms(daemon: &Daemon) -> String {
    std::fs::read_to_string(daemon.folder().join("alarms")).unwrap_or_default()
}

fn metric(daemon: &Daemon, name: &str) -> Option<f64> {
    let metrics = daemon.ask(&Request::get("/metrics")).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line?.trim().parse().ok()
}

/// Lines that record now, with more than this much of a call.
fn recording_lines(daemon: &Daemon, longer_ms: u64) -> usize {
    let calls = daemon.json(&["calls"]);
    let calls = calls["items"].as_array().cloned().unwrap_or_default();
    let names: std::collections::BTreeSet<String> = calls
        .iter()
        .filter(|call| support::number(call, "duration_ms") > longer_ms)
        .map(|call| support::word(call, "line"))
        .collect();
    names.len()
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

/// Clients that read the same recordings over and over.
struct Readers {
    stop: AtomicBool,
    done: [AtomicUsize; CLIENTS],
}

impl Readers {
    fn new() -> Self {
        Self {
            stop: AtomicBool::new(false),
            done: [const { AtomicUsize::new(0) }; CLIENTS],
        }
    }

    fn read(&self, number: usize, daemon: &Daemon, key: &str, bytes: &[u8]) {
        let request = support::get_audio(&task(number), key);
        let mut client = daemon.client(Transport::Plain1);
        while !self.stop.load(Ordering::SeqCst) {
            let answer = client.send(&request);
            assert_eq!(answer.status, 200, "client {number}: {}", answer.text());
            assert!(answer.body == bytes, "client {number}: other bytes");
            self.done[number].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until each of them has read so many times more.
    fn go_on(&self, what: &str, times: usize) {
        let count = || self.done.each_ref().map(|done| done.load(Ordering::SeqCst));
        let before = count();
        wait::until(what, || {
            let now = count();
            let all = now.iter().zip(before).all(|(now, was)| *now >= was + times);
            all.then_some(())
        });
    }
}

/// Ends the readers even where the test fails, so that it fails at once.
struct Ending<'r>(&'r Readers);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

fn is_degraded(daemon: &Daemon) -> bool {
    let status = daemon.json(&["status"]);
    let value = support::field(&status, "degraded").and_then(Value::as_bool);
    value.expect("degraded")
}

#[test]
#[cfg_attr(
    not(can_mount),
    ignore = "needs a mount namespace: root, or user namespaces"
)]
fn eight_lines_and_eight_clients_live_through_a_full_disk() {
    let mut daemon = eight_lines(96, "");
    let stored: Vec<_> = (0..CLIENTS)
        .map(|number| support::noise_recording(&daemon, &task(number), 30_000).1)
        .collect();
    let key = support::key(&daemon);
    let readers = Readers::new();
    std::thread::scope(|scope| {
        let _ending = Ending(&readers);
        for (number, bytes) in stored.iter().enumerate() {
            let (readers, daemon, key) = (&readers, &daemon, &key);
            scope.spawn(move || readers.read(number, daemon, key, bytes));
        }
        wait::until("all lines to record", || {
            (recording_lines(&daemon, 500) == LINES).then_some(())
        });
        readers.go_on("the clients", 3);
        fill_and_free(&daemon, &readers);
    });
    daemon.insist_alive();
    for (number, bytes) in stored.iter().enumerate() {
        let answer = daemon.ask(&support::get_audio(&task(number), &key));
        assert!(answer.status == 200 && answer.body == *bytes, "{number}");
    }
    insist_on_recordings(&daemon, &key);
    let log = daemon.log();
    assert!(!log.contains("panicked"), "{log}");
}

fn fill_and_free(daemon: &Daemon, readers: &Readers) {
    let filler = daemon.data().join("filler");
    fill(&filler);
    wait::until("the full disk to be noticed", || {
        fill(&filler.with_extension("more"));
        is_degraded(daemon).then_some(())
    });
    assert_eq!(daemon.ask(&Request::get("/healthz")).status, 200);
    assert_ne!(daemon.ask(&Request::get("/readyz")).status, 200);
    assert_eq!(metric(daemon, "callreel_storage_degraded "), Some(1.0));
    wait::until("the alarm by command", || {
        let told = alarms(daemon);
        let is_mail = told.contains("To: ops@example.org") && told.contains("Subject: ");
        is_mail.then_some(())
    });
    readers.go_on("reading from a full disk", 5);
    wait::until("the end of what cannot be written", || {
        let calls = daemon.json(&["calls"]);
        calls["items"].as_array()?.is_empty().then_some(())
    });
    readers.go_on("reading while nothing is recorded", 5);
    std::fs::remove_file(&filler).expect("the filler's removal");
    let _ = std::fs::remove_file(filler.with_extension("more"));
    wait::until_within("all lines to record again", RESUMES_WITHIN, || {
        (recording_lines(daemon, 0) == LINES).then_some(())
    });
    wait::until("the alarm's end", || (!is_degraded(daemon)).then_some(()));
    readers.go_on("reading after it", 3);
}

/// Whatever was recorded has its sound, bit for bit, or had none.
fn insist_on_recordings(daemon: &Daemon, key: &str) {
    let is_full = |row: &Value| row["outcome"]["end_cause"] == "disk_full";
    let is_live = |row: &&Value| row["state"] == "live";
    let rows = wait::until("what ended on the full disk to be sealed", || {
        let page = daemon.json(&["recordings", "list", "--all"]);
        let rows = page["items"].as_array()?;
        let all = rows.iter().any(is_full) && rows.iter().filter(is_live).count() <= LINES;
        all.then(|| rows.clone())
    });
    let ours = |row: &&Value| {
        let line = row["line"].as_str().unwrap_or_default();
        line.starts_with("desk") && row["state"] != "live"
    };
    let mut compared = 0;
    for row in rows.iter().filter(ours) {
        let task = support::word(row, "task_id");
        let answer = daemon.ask(&support::get_audio(&task, key));
        if answer.status == 200 {
            let wav = Wav::parse(&answer.body);
            assert!(wav.frames() > 0, "an empty file is not a recording: {row}");
            let _ = live::compare(&wav);
            compared += 1;
        } else {
            let lost = support::number(row, "duration_ms");
            assert_eq!(lost, 0, "{lost} ms of sound have no file: {row}");
        }
    }
    assert!(compared >= LINES, "only {compared} recordings");
}

/// Two MiB each.
const LARGE: u64 = 1 << 20;

/// Recordings that may go once they are a few seconds old, and those of another tenant that may not
/// for fifty years.
const LOW: &str = "[retention]\nlow_free_mib = 40\ncritical_free_mib = 10\nfull_free_mib = 4\n\
    clear_by_mib = 6\npass_every_s = 1\n\
    [[retention.policy]]\nname = \"short\"\ntenant = \"acme\"\nkeep_at_least = \"2 s\"\n\
    [[retention.policy]]\nname = \"careful\"\ntenant = \"careful\"\nkeep_at_least = \"50 years\"\n\
    [[line]]\nname = \"spare\"\ntenant = \"careful\"\ncapture = \"spare\"\ntrigger = \"api\"\n";

fn free_mib(folder: &Path) -> u64 {
    let stat = nix::sys::statvfs::statvfs(folder).expect("the file system");
    (stat.blocks_available() * stat.fragment_size()) >> 20
}

#[test]
#[cfg_attr(
    not(can_mount),
    ignore = "needs a mount namespace: root, or user namespaces"
)]
fn a_disk_that_is_low_makes_room_with_the_oldest_that_may_go() {
    let mut daemon = eight_lines(96, LOW);
    let large = daemon.folder().join("large.wav");
    let bytes = wav::write(&sound::noise(LARGE), 1, 8_000);
    std::fs::write(&large, bytes).expect("a file to import");
    let path = large.to_string_lossy();
    let import = |tenant: &str, year: u32| {
        let start = format!("{year}-03-01T00:00:00Z");
        let arguments = [
            "recordings",
            "import",
            &*path,
            "--tenant",
            tenant,
            "--start",
            &start,
        ];
        support::word(&daemon.json(&arguments), "recid")
    };
    let careful = import("careful", 2_001);
    let old: Vec<String> = (0..6)
        .map(|number| import("acme", 2_010 + number))
        .collect();
    let free = free_mib(&daemon.data());
    assert!(free > 44, "{free} MiB are free");
    // Two MiB under the mark.
    let filler = daemon.data().join("filler");
    let size = usize::try_from((free - 38) << 20).expect("a size");
    std::fs::write(&filler, vec![0xA5; size]).expect("the filler");
    wait::until("room to be made", || {
        (free_mib(&daemon.data()) >= 44).then_some(())
    });
    let listed = |tenant: &str| {
        let list = daemon.json(&["recordings", "list", "--tenant", tenant, "--all"]);
        list.to_string()
    };
    let is_there = |recid: &String| listed("acme").contains(&format!("\"{recid}\""));
    let left: Vec<bool> = old.iter().map(is_there).collect();
    let gone = left.iter().filter(|there| !**there).count();
    assert!(gone >= 3, "{left:?}");
    assert!(
        left[..gone].iter().all(|there| !there),
        "oldest first: {left:?}"
    );
    assert!(
        listed("careful").contains(&careful),
        "it is too young for its tenant"
    );
    assert_eq!(recording_lines(&daemon, 0), LINES, "nobody was disturbed");
    wait::until("the alarm and its end", || {
        let told = alarms(&daemon);
        (told.to_lowercase().contains("low") && told.matches("Subject: ").count() >= 2)
            .then_some(())
    });
    assert!(!is_degraded(&daemon));
    let _ = daemon.cli(&["check"]).success();
    daemon.insist_alive();
}
