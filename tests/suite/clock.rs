//! The wall clock may show anything and be set to anything: lengths, the order of numbers and the
//! end of links stay right, and each recording tells how far its time can be trusted. The clock is
//! libfaketime's, which reads what to show from a file at every look; the monotonic one is the
//! machine's.

use std::path::PathBuf;

use harness::alsa::AlsaConfig;
use harness::daemon::{Daemon, Setup, TENANT};
use harness::http::Request;
use harness::{sound, wait};
use nix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::live::{compare, snapshot, start, stored};
use crate::support::{self, field, number, word};

const HOUR_S: i64 = 3_600;
/// 2040-01-01, past the end of 32 bits with a sign.
const IN_2040: i64 = 2_208_988_800;
/// 2106-02-08, past the end of 32 bits without one.
const IN_2106: i64 = 4_295_000_000;

/// A daemon with one line on known sound, and the clock that it believes in.
struct Rig {
    daemon: Daemon,
    clock: PathBuf,
    organization_key: String,
}

/// A recording that was made and sealed.
struct Made {
    recid: u64,
    row: Value,
}

impl Rig {
    /// Starts at this many seconds since 1970.
    fn at(seconds: i64) -> Self {
        let setup = Setup::new();
        let samples = setup.folder().join("known.raw");
        let known = sound::to_bytes(&sound::noise(600 * 8_000));
        std::fs::write(&samples, known).expect("known.raw");
        let clock = setup.folder().join("clock");
        let alsa = AlsaConfig::default().file("known", &samples);
        let line = "capture = \"known\"\ntrigger = \"api\"";
        let mut rig = Self {
            daemon: setup.alsa(alsa).line("desk", line).prepare(),
            clock,
            organization_key: String::new(),
        };
        rig.show(seconds);
        // ld.so knows the machine's name in the path.
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", rig.clock.display());
        rig.daemon.set_wrapper(&[
            "env",
            "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1",
            &file,
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]);
        rig.daemon.start();
        let issued = rig.daemon.json(&[
            "key",
            "issue",
            "--tenant",
            TENANT,
            "--family",
            "call-recording",
        ]);
        rig.organization_key = word(&issued, "secret");
        rig
    }

    /// Ends it as a power cut does, and starts it again at this time.
    fn restart_at(&mut self, seconds: i64) {
        self.daemon.kill();
        self.show(seconds);
        self.daemon.start();
    }

    /// Sets the clock; from there it goes on.
    fn show(&self, seconds: i64) {
        let draft = self.clock.with_extension("new");
        let offset = format!("{:+}\n", seconds - now());
        std::fs::write(&draft, offset).expect("the clock's draft");
        std::fs::rename(&draft, &self.clock).expect("the clock");
    }

    /// Sets the clock, and waits until that was noticed.
    fn step_to(&self, seconds: i64, direction: &str) {
        let before = self.steps(direction);
        self.show(seconds);
        wait::until("the step of the clock", || {
            (self.steps(direction) > before).then_some(())
        });
    }

    fn steps(&self, direction: &str) -> u64 {
        let metrics = self.daemon.ask(&Request::get("/metrics")).text();
        let name = format!("callreel_clock_steps_total{{direction=\"{direction}\"}} ");
        let found = metrics.lines().find_map(|line| line.strip_prefix(&name));
        let found = found.and_then(|count| count.parse().ok());
        found.unwrap_or_else(|| panic!("no {name} in {metrics}"))
    }

    /// Records a second or so, doing something in the middle.
    fn record(&self, between: impl FnOnce()) -> Made {
        let key = support::key(&self.daemon);
        let (task, recid) = start(&self.daemon);
        let (answer, _) = snapshot(&self.daemon, &task, &key, 4_000);
        between();
        let call = self.daemon.json(&["calls", "list"]);
        assert!(number(&call, "duration_ms") < 600_000, "{call}");
        drop(answer);
        let (_, wav) = snapshot(&self.daemon, &task, &key, 8_000);
        compare(&wav);
        let _ = self.daemon.json(&["record", "stop", &recid]);
        let row = stored(&self.daemon, &recid);
        // Known sound has no end within ten minutes: its length is that of the file.
        let bytes = number(&row, "size_bytes");
        let length = number(&row, "duration_ms");
        assert!((1_000..600_000).contains(&length), "{row}");
        assert!(
            bytes / 16 + 50 > length && bytes / 16 < length + 600,
            "{row}"
        );
        Made {
            recid: recid.parse().expect("a number"),
            row,
        }
    }

    /// A link to a recording, good for an hour.
    fn link(&self, made: &Made) -> String {
        let sid = word(&made.row, "call_sid");
        let path = format!("/api/calls/{sid}/recording/stream");
        let request = Request::get(&path).with("X-API-Key", &self.organization_key);
        let answer = self.daemon.ask(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let url = word(&answer.json()["data"], "url");
        let path = url.strip_prefix("http://localhost");
        path.unwrap_or_else(|| panic!("{url}")).to_owned()
    }

    fn follow(&self, link: &str) -> u16 {
        self.daemon.ask(&Request::get(link)).status
    }
}

impl Made {
    fn is(&self, what: &str) -> bool {
        let quality = field(&self.row, "time_quality");
        let said = quality.and_then(|quality| quality[what].as_bool());
        said.unwrap_or_else(|| panic!("no {what} in {}", self.row))
    }

    fn began(&self) -> String {
        word(&self.row, "started_at")
    }

    /// Whether the kernel says that somebody keeps the clock right, whatever libfaketime shows.
    fn is_synchronised(&self) -> bool {
        let quality = field(&self.row, "time_quality");
        quality.is_some_and(|quality| quality["synchronised"] == true)
    }
}

/// Seconds since 1970, as they are.
fn now() -> i64 {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock");
    now.tv_sec()
}

#[test]
fn a_clock_without_a_battery_is_set_right_while_a_call_is_recorded() {
    let rig = Rig::at(10);
    let first = rig.record(|| ());
    assert!(first.began().starts_with("1970-01-01T00:"), "{}", first.row);
    assert!(!first.is("stepped"));
    assert_eq!(first.is("implausible"), !first.is_synchronised());
    let old_link = rig.link(&first);
    assert_eq!(rig.follow(&old_link), 200);

    let second = rig.record(|| rig.step_to(now(), "forward"));
    assert!(second.began().starts_with("1970-"), "{}", second.row);
    assert!(!second.is("stepped"), "not when it began");
    assert_eq!(rig.steps("forward"), 1, "once");
    assert!(rig.daemon.log().contains("the clock was set forward by"));
    assert_eq!(rig.follow(&old_link), 403, "it was good for an hour");

    let third = rig.record(|| ());
    assert!(third.is("stepped") && !third.is("implausible"));
    assert!(!third.began().starts_with("1970-"), "{}", third.row);
    assert!(first.recid < second.recid && second.recid < third.recid);
    let shown = rig
        .daemon
        .cli(&["recordings", "show", &third.recid.to_string()])
        .success();
    assert!(shown.stdout.contains("set since the daemon's start"));

    let link = rig.link(&third);
    rig.step_to(now() - HOUR_S / 2, "back");
    assert_eq!(rig.follow(&link), 200, "and no longer for that");
    let fourth = rig.record(|| ());
    assert!(fourth.recid > third.recid);
    rig.step_to(now() + 2 * HOUR_S, "forward");
    assert_eq!(rig.follow(&link), 403);
    rig.step_to(now(), "back");
    assert_eq!(rig.follow(&link), 403, "what has ended does not come back");
}

#[test]
fn nothing_comes_back_with_a_battery_that_died() {
    let mut rig = Rig::at(now());
    let first = rig.record(|| ());
    assert!(!first.is("stepped") && !first.is("implausible"));
    let link = rig.link(&first);
    rig.restart_at(now() + 2 * HOUR_S);
    let second = rig.record(|| ());
    assert!(!second.is("implausible") && second.recid > first.recid);
    assert_eq!(rig.follow(&link), 403);
    rig.restart_at(10);
    let third = rig.record(|| ());
    assert!(third.recid > second.recid, "numbers do not go by the clock");
    assert!(third.began().starts_with("1970-"), "{}", third.row);
    if third.is_synchronised() {
        // The kernel vouches for 1970: then it is believed.
        return;
    }
    assert!(third.is("implausible"));
    assert_eq!(rig.follow(&link), 403, "a dead battery gives nothing back");
    assert_eq!(rig.follow(&rig.link(&third)), 200);
    // An hour before what was seen is as impossible.
    rig.restart_at(now());
    assert!(rig.record(|| ()).is("implausible"));
}

#[test]
fn times_past_32_bits_are_times() {
    let rig = Rig::at(IN_2040);
    let first = rig.record(|| ());
    assert!(first.began().starts_with("2040-01-01T00:"), "{}", first.row);
    assert!(!first.is("implausible") && !first.is("stepped"));
    let link = rig.link(&first);
    assert_eq!(rig.follow(&link), 200);
    let second = rig.record(|| rig.step_to(IN_2106, "forward"));
    assert_eq!(rig.follow(&link), 403);
    let third = rig.record(|| ());
    assert!(third.began().starts_with("2106-02-0"), "{}", third.row);
    assert!(third.is("stepped") && third.recid > second.recid);
    assert_eq!(rig.follow(&rig.link(&third)), 200);
    let files = support::stored_files(&rig.daemon.data(), "wav");
    let folders = ["/2040/01/01/", "/2106/02/0"];
    for folder in folders {
        let is_there = files
            .iter()
            .any(|file| file.to_string_lossy().contains(folder));
        assert!(is_there, "{folder}: {files:?}");
    }
    let list = rig.daemon.json(&["recordings", "list"]);
    let items = field(&list, "items")
        .and_then(Value::as_array)
        .map(Vec::len);
    assert_eq!(items, Some(3), "{list}");
}
