//! The supervisors' page in a real browser. The tests themselves are in `tests/page`: they drive
//! Chromium by playwright-core; here are the daemon and the calls that they find there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use harness::alsa::AlsaConfig;
use harness::daemon::{Daemon, Setup, TENANT};
use harness::process::repository;
use harness::{sound, wait, wav};
use serde_json::{Value, json};

use crate::support;

const RATE: u32 = 8_000;
/// The tone behind the line that is listened to.
const LIVE_HZ: f64 = 440.0;
/// Seconds of the call that is played.
const CALL_S: usize = 90;
/// Calls that only make the list long enough to scroll.
const FILLERS: usize = 120;
/// The subject's number: the page finds it by its last digits.
const NUMBER: &str = "+15551234567";

/// The page's folder, with the packages that its lock file names.
fn web() -> &'static Path {
    static WEB: OnceLock<PathBuf> = OnceLock::new();
    WEB.get_or_init(|| {
        let web = repository().join("daemon/web");
        if !web.join("node_modules/.package-lock.json").is_file() {
            let mut npm = Command::new("npm");
            node_ended_well(npm.args(["ci", "--ignore-scripts"]).current_dir(&web));
        }
        web
    })
}

/// Runs node or npm, and shows what it printed if it failed.
fn node_ended_well(command: &mut Command) {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} (is it installed? see 'make setup'): {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Two legs that take turns, each at its own pitch, with silence between.
fn conversation() -> Vec<i16> {
    let second = usize::try_from(RATE).unwrap_or_default();
    let (caller, callee) = (
        sound::tone(300.0, 0.4, RATE, 1.0),
        sound::tone(500.0, 0.4, RATE, 1.0),
    );
    let mut samples = Vec::with_capacity(CALL_S * second * 2);
    for at in 0..CALL_S {
        for frame in 0..second {
            let legs = match at % 5 {
                0 => [caller[frame], 0],
                1 | 2 => [0, callee[frame]],
                3 => [caller[frame], callee[frame]],
                _ => [0, 0],
            };
            samples.extend(legs);
        }
    }
    samples
}

fn user(daemon: &Daemon, name: &str, role: &str) -> Value {
    let added = daemon.json(&[
        "user",
        "add",
        name,
        "--tenant",
        TENANT,
        "--role",
        role,
        "--generate",
    ]);
    json!({ "name": name, "password": support::word(&added, "password") })
}

/// A daemon with a line that hears a tone, calls to find, and a user of each role; and what the
/// tests are told of them.
fn stage() -> (Daemon, Value) {
    let setup = Setup::new();
    let tone = setup.folder().join("tone.raw");
    let samples = sound::tone(LIVE_HZ, 0.4, RATE, 600.0);
    std::fs::write(&tone, sound::to_bytes(&samples)).expect("tone.raw");
    let alsa = AlsaConfig::default().file("tone", &tone);
    let daemon = setup.alsa(alsa).line("desk", "capture = \"tone\"").start();

    let short = daemon.folder().join("short.wav");
    let samples = sound::tone(400.0, 0.3, RATE, 2.0);
    std::fs::write(&short, wav::write(&samples, 1, RATE)).expect("short.wav");
    for _ in 0..FILLERS {
        let _ = support::import(&daemon, &short, &["--from", "0800200300"]);
    }
    let spare: Vec<String> = (0..2)
        .map(|_| {
            let row = support::import(&daemon, &short, &["--from", "0800200301"]);
            support::word(&row, "recid")
        })
        .collect();
    let call = daemon.folder().join("call.wav");
    std::fs::write(&call, wav::write(&conversation(), 2, RATE)).expect("call.wav");
    let row = support::import(&daemon, &call, &["--from", NUMBER, "--to", "204"]);

    let users = json!({
        "admin": user(&daemon, "ada", "admin"),
        "supervisor": user(&daemon, "sven", "supervisor"),
        "auditor": user(&daemon, "aude", "auditor"),
        "agent": user(&daemon, "agnes", "agent-view"),
    });
    wait::until("the line's device", || {
        (support::word(&daemon.json(&["lines"]), "state") == "running").then_some(())
    });
    let _ = daemon.json(&["record", "start", "--line", "desk"]);
    let facts = json!({
        "url": format!("http://{}", daemon.endpoints().plain),
        "users": users,
        "call": { "id": support::word(&row, "recid"), "number": NUMBER.trim_start_matches("+1") },
        "spare": spare,
        "live": { "line": "desk", "hz": LIVE_HZ },
    });
    (daemon, facts)
}

#[test]
fn the_page_finds_plays_keeps_and_listens() {
    let web = web();
    let (_daemon, facts) = stage();
    let tests = repository().join("tests/page");
    let mut names: Vec<PathBuf> = std::fs::read_dir(&tests)
        .expect("tests/page")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    names.sort();
    assert!(names.len() >= 5, "only {} files of tests", names.len());
    node_ended_well(
        Command::new("node")
            .args(["--test", "--test-concurrency=1"])
            .args(names)
            .env("CALLREEL_PAGE", facts.to_string())
            .current_dir(web),
    );
}

/// The built page is kept in the repository, so that the daemon builds without node: it must be
/// what the sources make, byte for byte.
#[test]
fn the_built_page_is_what_its_sources_make() {
    let web = web();
    node_ended_well(
        Command::new("node")
            .arg("tools/reproduce.mjs")
            .current_dir(web),
    );
}

#[test]
fn the_pages_own_checks_pass() {
    let web = web();
    for script in ["types", "lint", "test"] {
        node_ended_well(Command::new("npm").args(["run", script]).current_dir(web));
    }
}
