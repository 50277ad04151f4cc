//! Backups of the running daemon and of a store at rest, and putting them back: nothing recorded
//! is lost, keys are as they were, and whatever is wrong with an archive is told before anything
//! is changed.

mod cut_off;
mod migration;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use harness::alsa::AlsaConfig;
use harness::cli::Output;
use harness::daemon::{Daemon, Setup};
use harness::http::Request;
use harness::{sound, wait};
use nix::sys::signal::Signal;

use crate::live;
use crate::support::{self, TASK};

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Makes a backup and gives its place.
fn backup(daemon: &Daemon, name: &str) -> PathBuf {
    let file = daemon.folder().join(name);
    let told = daemon.json(&["backup", &path_text(&file)]);
    assert!(support::number(&told, "rows") > 0, "{told}");
    file
}

fn restore(daemon: &Daemon, file: &Path, rest: &[&str]) -> Output {
    let (file, config) = (path_text(file), path_text(daemon.config()));
    let mut all = vec!["--json", "--config", &config, "restore", &file];
    all.extend_from_slice(rest);
    daemon.cli(&all)
}

fn restart(daemon: &mut Daemon) {
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    daemon.start();
}

fn status(daemon: &Daemon, key: &str) -> u16 {
    daemon.ask(&support::get_audio(TASK, key)).status
}

/// Two lines record and clients read while backups are made: no frame is lost, and each backup is
/// whole.
#[test]
fn recording_and_reading_go_on_while_it_is_backed_up() {
    let setup = Setup::new();
    let samples = setup.folder().join("known.raw");
    let noise = sound::to_bytes(&sound::noise(300 * 8_000));
    std::fs::write(&samples, noise).expect("known.raw");
    let alsa = AlsaConfig::default()
        .file("left", &samples)
        .file("right", &samples);
    let line = |pcm| format!("capture = \"{pcm}\"\ntrigger = \"api\"\npre_roll_ms = 0");
    let setup = setup.alsa(alsa).line("a", &line("left"));
    let daemon = setup.line("b", &line("right")).start();
    let _ = support::noise_recording(&daemon, TASK, 30_000);
    let key = support::key(&daemon);
    wait::until("both devices", || {
        let lines = daemon.json(&["lines"]).to_string();
        (lines.matches("running").count() >= 2).then_some(())
    });
    let recids = ["a", "b"].map(|line| {
        let started = daemon.json(&["record", "start", "--line", line]);
        support::word(&started, "recid")
    });
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut answers = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(status(&daemon, &key), 200);
                answers += 1;
            }
            answers
        });
        for n in 0..4 {
            let file = backup(&daemon, &format!("{n}.tar"));
            let file = path_text(&file);
            let _ = daemon.cli(&["backup", "--verify", &file]).success();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("a reader") > 0);
    });
    for recid in &recids {
        let _ = daemon.json(&["record", "stop", recid]);
        let row = live::stored(&daemon, recid);
        assert_eq!(support::word(&row, "state"), "stored", "{row}");
        let gaps = support::field(&row, "gaps").and_then(|gaps| gaps.as_array().cloned());
        assert_eq!(gaps.map(|gaps| gaps.len()), Some(0), "{row}");
    }
    let mode = std::fs::metadata(daemon.folder().join("0.tar")).expect("a backup");
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = path_text(&daemon.folder().join("0.tar"));
    assert_eq!(daemon.cli(&["backup", &again]).failure().code, 6);
    let _ = daemon.cli(&["backup", &again, "--force"]).success();
}

/// Keys and configuration are those of the backup, recordings all there are; while the daemon
/// runs, nothing changes before its next start.
#[test]
fn a_running_daemon_is_put_back_at_its_next_start() {
    let mut daemon = live::daemon_with_line("trigger = \"api\"\npre_roll_ms = 0");
    let _ = support::noise_recording(&daemon, TASK, 30_000);
    let old_key = support::key(&daemon);
    let gone_key = support::issue(&daemon, harness::daemon::TENANT);
    let config = std::fs::read(daemon.config()).expect("a configuration");
    let file = backup(&daemon, "b.tar");
    let revoked = support::word(&gone_key, "key_id");
    let _ = daemon.json(&["key", "revoke", &revoked]);
    let new_key = support::key(&daemon);
    let (task, recid) = live::start(&daemon);
    let (_, _) = live::snapshot(&daemon, &task, &new_key, 8_000);
    let _ = daemon.json(&["record", "stop", &recid]);
    let _ = live::stored(&daemon, &recid);
    let mut changed = config.clone();
    changed.extend_from_slice(b"\n# a later thought\n");
    std::fs::write(daemon.config(), &changed).expect("it is changed");

    let would = restore(&daemon, &file, &[]).json();
    assert_eq!(would["done"], false, "{would}");
    assert_eq!(
        would["keys_coming_back"].to_string(),
        format!("[{revoked}]")
    );
    assert_eq!(
        would["keys_going"].as_array().map(Vec::len),
        Some(1),
        "{would}"
    );
    assert_eq!(
        std::fs::read(daemon.config()).expect("it"),
        changed,
        "a dry run"
    );
    assert!(!daemon.data().join("restore-pending").exists());

    let done = restore(&daemon, &file, &["--yes"]).json();
    assert_eq!(done["done"], true, "{done}");
    assert_eq!(std::fs::read(daemon.config()).expect("it"), config);
    assert_eq!(
        (status(&daemon, &old_key), status(&daemon, &new_key)),
        (200, 200)
    );
    assert_eq!(restore(&daemon, &file, &["--yes"]).failure().code, 6);
    restart(&mut daemon);
    assert_eq!(
        (status(&daemon, &old_key), status(&daemon, &new_key)),
        (200, 401)
    );
    let since = daemon.ask(&support::get_audio(&task, &old_key));
    assert_eq!(since.status, 200, "what was recorded since");
    let _ = daemon.cli(&["--json", "check"]).success();
    assert!(!daemon.data().join("restore-pending").exists());
    assert!(daemon.log().contains("is restored"), "{}", daemon.log());
}

/// A new machine: the index comes from the archive, what was recorded after it from the files.
#[test]
fn a_new_machine_takes_over_from_a_backup_and_the_files() {
    let mut old = live::daemon_with_line("trigger = \"api\"\npre_roll_ms = 0");
    let _ = support::noise_recording(&old, TASK, 30_000);
    let key = support::key(&old);
    let file = backup(&old, "b.tar");
    let (task, recid) = live::start(&old);
    let (_, _) = live::snapshot(&old, &task, &key, 8_000);
    let _ = old.json(&["record", "stop", &recid]);
    let _ = live::stored(&old, &recid);
    let sound = old.ask(&support::get_audio(&task, &key)).body;
    old.kill();

    let mut new = Setup::new().prepare();
    let data = new.data();
    std::fs::create_dir_all(&data).expect("a data folder");
    for files in ["recordings", "ledger"] {
        let from = path_text(&old.data().join(files));
        let _ = harness::process::run("cp", &["-a", &from, &path_text(&data)]);
    }
    let folder = path_text(&data);
    let told = restore(&new, &file, &["--data-dir", &folder, "--yes"]).json();
    assert_eq!(told["daemon_runs"], false, "{told}");
    new.start();
    assert_eq!(status(&new, &key), 200);
    assert_eq!(new.ask(&support::get_audio(&task, &key)).body, sound);
    let _ = new.cli(&["--json", "check"]).success();
}

/// What is wrong with a file is told, with an exit code, before anything is changed.
#[test]
fn what_is_no_whole_backup_is_refused() {
    let daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, TASK, 8_000);
    let file = backup(&daemon, "b.tar");
    let bytes = std::fs::read(&file).expect("a backup");
    let bad = daemon.folder().join("bad.tar");
    let mut flipped = bytes.clone();
    let at = flipped.len() / 2;
    flipped[at] ^= 1;
    let newer = String::from_utf8_lossy(&bytes[..64]).into_owned();
    assert!(newer.starts_with("callreel-backup.json"));
    for (what, harmed) in [
        ("empty", Vec::new()),
        ("half", bytes[..bytes.len() / 2].to_vec()),
        ("without its end", bytes[..bytes.len() - 1_024].to_vec()),
        ("a flipped bit", flipped),
        ("another file", b"hello".repeat(1_000)),
        ("more behind it", [&bytes[..], b"x"].concat()),
    ] {
        std::fs::write(&bad, harmed).expect("a bad one");
        let verified = daemon
            .cli(&["backup", "--verify", &path_text(&bad)])
            .failure();
        assert_eq!(verified.code, 1, "{what}: {}", verified.stderr);
        let refused = restore(&daemon, &bad, &["--yes"]).failure();
        assert_eq!(refused.code, 1, "{what}: {}", refused.stderr);
        assert!(!daemon.data().join("restore-pending").exists(), "{what}");
        assert!(!daemon.data().join("restore-staging").exists(), "{what}");
    }
    let missing = daemon.folder().join("missing.tar");
    assert_eq!(restore(&daemon, &missing, &[]).failure().code, 4);
    // It is a tar like any other, and shows what is in it.
    let listed = harness::process::run("tar", &["-tf", &path_text(&file)]);
    let listed = String::from_utf8_lossy(&listed).into_owned();
    assert!(
        listed.starts_with("callreel-backup.json\nconfig/main.toml\n"),
        "{listed}"
    );
    assert!(listed.ends_with("manifest.json\n"), "{listed}");
    assert_eq!(daemon.ask(&Request::get("/readyz")).status, 200);
}
