//! `callreel check` finds what is wrong with a store, and `callreel reindex` makes the index anew
//! from the files alone; both with the daemon and without it.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use harness::cli::{self, Output};
use harness::daemon::{Daemon, Setup};

use crate::live;
use crate::support::{self, TASK};

fn offline(daemon: &Daemon, command: &str) -> Output {
    let data = daemon.data();
    let data = data.to_string_lossy();
    cli::run("callreel", &["--json", command, "--data-dir", &data], &[])
}

/// A store with an import and with a recording of its own, at rest.
fn store() -> (Daemon, String) {
    let daemon = live::daemon_with_line("trigger = \"api\"\npre_roll_ms = 0");
    let _ = support::noise_recording(&daemon, TASK, 30_000);
    let key = support::key(&daemon);
    let (task, recid) = live::start(&daemon);
    let (_, _) = live::snapshot(&daemon, &task, &key, 8_000);
    let _ = daemon.json(&["record", "stop", &recid]);
    let _ = live::stored(&daemon, &recid);
    (daemon, task)
}

type Harm = fn(&Path);

fn cut_end(file: &Path) {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(file)
        .expect("a file");
    let length = file.metadata().expect("a length").len();
    file.set_len(length - 100).expect("it is cut");
}

fn remove(file: &Path) {
    std::fs::remove_file(file).expect("it is removed");
}

fn flip_bit(file: &Path) {
    let at = 5_000;
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .expect("a file");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).expect("a position");
    file.read_exact(&mut byte).expect("a byte");
    byte[0] ^= 0x10;
    file.seek(SeekFrom::Start(at)).expect("a position");
    file.write_all(&byte).expect("a byte");
}

/// A clean store is clean, seen by the daemon and from outside.
#[test]
fn a_sound_store_has_no_findings() {
    let (mut daemon, _) = store();
    let _ = daemon.cli(&["--json", "check"]).success();
    daemon.kill();
    let _ = offline(&daemon, "check").success();
    daemon.start();
    let _ = daemon.cli(&["check"]).success();
}

/// Each kind of damage is found, told by the file's name, and makes the command fail.
#[test]
fn damage_is_found() {
    let (mut daemon, _) = store();
    let files = support::stored_files(&daemon.data(), "wav");
    assert_eq!(files.len(), 2, "{files:?}");
    daemon.kill();
    let damage: [(&str, Harm); 3] = [
        ("a flipped bit", flip_bit),
        ("a cut end", cut_end),
        ("a missing file", remove),
    ];
    for file in &files {
        let good = std::fs::read(file).expect("a stored file");
        let name = file.file_stem().expect("a name").to_string_lossy();
        for (what, harm) in &damage {
            harm(file);
            let output = offline(&daemon, "check");
            assert_eq!(output.code, 1, "{what}: {}{}", output.stdout, output.stderr);
            assert!(
                output.stdout.contains(&*name),
                "{what} of {name}: {}",
                output.stdout
            );
            std::fs::write(file, &good).expect("the file as it was");
        }
    }
    let _ = offline(&daemon, "check").success();
    let orphan = files[0].with_file_name("999999999999.wav");
    std::fs::copy(&files[0], &orphan).expect("an orphan");
    let output = offline(&daemon, "check");
    assert_eq!(output.code, 1, "an orphan: {}", output.stdout);
    assert!(output.stdout.contains("999999999999"), "{}", output.stdout);
}

/// The index is lost: everything is found again, with all names, lengths and hashes.
#[test]
fn reindex_finds_everything_from_the_files() {
    let (mut daemon, task) = store();
    let before = daemon.json(&["recordings", "list"]);
    let key = support::key(&daemon);
    let audio = daemon.ask(&support::get_audio(&task, &key)).body;
    daemon.kill();
    let index = find_index(&daemon.data());
    std::fs::remove_file(&index).expect("the index");
    let _ = offline(&daemon, "reindex").success();
    daemon.start();
    let after = daemon.json(&["recordings", "list"]);
    assert_eq!(rows(&before), rows(&after));
    // Keys are no recordings: they are lost with the index and issued anew.
    let key = support::key(&daemon);
    let again = daemon.ask(&support::get_audio(&task, &key));
    assert_eq!(again.status, 200, "{}", again.text());
    assert!(again.body == audio);
    let _ = daemon.cli(&["check"]).success();
}

/// Rows without what may change by reindexing: when they were sealed, and tenants' names are kept.
fn rows(page: &serde_json::Value) -> Vec<serde_json::Value> {
    let mut rows = page["items"].as_array().expect("items").clone();
    for row in &mut rows {
        if let Some(outcome) = row["outcome"].as_object_mut() {
            outcome.remove("sealed_at");
        }
    }
    rows
}

fn find_index(data: &Path) -> std::path::PathBuf {
    std::fs::read_dir(data)
        .expect("the data folder")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "redb")
        })
        .expect("the index in the data folder")
}

/// While the daemon runs, nobody else may touch the index.
#[test]
fn reindex_waits_for_nobody_but_refuses() {
    let daemon = Setup::new().start();
    let output = offline(&daemon, "reindex").failure();
    assert_eq!(output.code, 6, "{}", output.stderr);
}
