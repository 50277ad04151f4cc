//! `callreel doctor` on broken set-ups, with the real program: each is named, with its remedy and a
//! code of its own, and nothing is changed.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use harness::cli::{self, Output};
use harness::daemon::{Daemon, Setup};
use harness::process;
use harness::tls::Certificate;
use serde_json::Value;

/// Runs the doctor under another program, if one is given.
fn doctor(daemon: &Daemon, under: &[&str], more: &[&str]) -> (i32, Value) {
    let program = process::binaries().join("callreel");
    let mut words = under
        .iter()
        .map(|word| (*word).to_owned())
        .collect::<Vec<_>>();
    words.push(program.to_string_lossy().into_owned());
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid()).expect("users");
    let own = own.map_or_else(|| "root".to_owned(), |user| user.name);
    // Whoever runs the suite, on a machine that may have Callreel installed.
    let user = if more.contains(&"--user") {
        Vec::new()
    } else {
        vec!["--user", &own]
    };
    let mut command = Command::new(words.remove(0));
    let output = command
        .args(words)
        .args(["doctor", "--json", "--config"])
        .arg(daemon.config())
        .args(user)
        .args(more)
        .env("ALSA_CONFIG_PATH", daemon.alsa())
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()
        .expect("the doctor runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = serde_json::from_str(&text).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("no report ({error}): {text}{said}")
    });
    (output.status.code().unwrap_or(-1), report)
}

/// The findings of an area that are problems, as one text.
fn problems(report: &Value, area: &str) -> String {
    let findings = report["findings"].as_array().expect("findings");
    let found = findings
        .iter()
        .filter(|found| found["area"] == area && found["state"] == "problem");
    let text: Vec<_> = found
        .map(|found| format!("{} {} => {}", found["about"], found["says"], found["mend"]))
        .collect();
    text.join("\n")
}

/// Insists on a code, and on words in the problems of an area.
fn insist((code, report): &(i32, Value), wanted: i32, area: &str, words: &[&str]) {
    let text = problems(report, area);
    for word in words {
        assert!(
            text.contains(word),
            "{area} lacks {word}: {text}\n{report:#}"
        );
    }
    assert_eq!(*code, wanted, "{report:#}");
}

#[test]
fn a_sound_set_up_is_healthy_with_and_without_a_daemon() {
    let mut daemon = Setup::new()
        .line("desk", "capture = \"nothing\"\ntrigger = \"api\"")
        .prepare();
    let before = listing(&daemon.data());
    let (code, report) = doctor(&daemon, &[], &[]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["healthy"], true);
    assert_eq!(listing(&daemon.data()), before, "nothing is changed");
    daemon.start();
    let (code, report) = doctor(&daemon, &[], &[]);
    assert_eq!(code, 0, "{report:#}");
    let text = report.to_string();
    assert!(text.contains("is listened on by the daemon"), "{report:#}");
    assert!(
        text.contains(&format!("is in use by process {}", daemon.id())),
        "{report:#}"
    );
    let told = daemon
        .cli(&["doctor", "--config", &daemon.config().to_string_lossy()])
        .success();
    assert!(told.stdout.contains("0 problems, "), "{}", told.stdout);
}

fn listing(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let daemon = Setup::new().prepare();
    let key = daemon.folder().join("key.pem");
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("one");
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 3);
    let pair = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&pair).expect("a certificate");
    std::fs::write(daemon.folder().join("certificate.pem"), certificate.pem()).expect("written");
    std::fs::write(&key, pair.serialize_pem()).expect("written");
    let words = [
        "certificate.pem",
        "expired on 2020-02-03",
        "systemctl reload-or-restart",
    ];
    insist(&doctor(&daemon, &[], &[]), 13, "certificate", &words);
    let other = tempfile::tempdir().expect("a folder");
    std::fs::copy(Certificate::make(other.path()).key, &key).expect("another's key");
    insist(
        &doctor(&daemon, &[], &[]),
        13,
        "certificate",
        &["does not belong", "one pair"],
    );
}

#[test]
fn a_port_in_use_names_who_uses_it() {
    let daemon = Setup::new().prepare();
    let _taken = TcpListener::bind(daemon.endpoints().plain).expect("the port");
    let own = format!("process {}", std::process::id());
    let address = daemon.endpoints().plain.to_string();
    insist(
        &doctor(&daemon, &[], &[]),
        10,
        "ports",
        &["http.listen ", &address, &own, "stop"],
    );
}

#[test]
fn a_missing_card_names_line_and_pcm() {
    let daemon = Setup::new()
        .line("desk", "capture = \"plughw:7,0\"\ntrigger = \"api\"")
        .prepare();
    let words = ["line desk", "plughw:7,0", "callreel devices"];
    insist(&doctor(&daemon, &[], &[]), 14, "sound", &words);
    let daemon = Setup::new()
        .toml("[dahdi]\nfolder = \"/nonexistent/dahdi\"\n")
        .line("trunk", "dahdi = \"1-2\"\ntrigger = \"hook\"")
        .prepare();
    insist(
        &doctor(&daemon, &[], &[]),
        14,
        "telephony",
        &["/nonexistent/dahdi", "dahdi_cfg"],
    );
}

#[test]
fn a_broken_configuration_is_told_with_its_line() {
    let daemon = Setup::new().toml("[log]\nlevl = 1\n").prepare();
    let words = ["callreel.toml", "levl", "--check"];
    let text = std::fs::read_to_string(daemon.config()).expect("read");
    std::fs::write(
        daemon.config(),
        text.replacen("[log]\nlevel = \"debug\"\n", "", 1),
    )
    .expect("w");
    insist(&doctor(&daemon, &[], &[]), 2, "configuration", &words);
}

/// The doctor with another file system over the data folder, in a mount namespace of its own.
fn on_disk(daemon: &Daemon, options: &str) -> (i32, Value) {
    let script = format!(
        "mount -t tmpfs -o {options} callreel-test '{}' && exec \"$@\"",
        daemon.data().display()
    );
    let mut under = vec!["unshare", "--mount"];
    if !nix::unistd::geteuid().is_root() {
        under.extend(["--user", "--map-root-user"]);
    }
    under.extend(["sh", "-c", &script, "sh"]);
    doctor(daemon, &under, &[])
}

#[test]
fn a_full_disk_and_a_read_only_one_are_told_apart() {
    let daemon = Setup::new().prepare();
    let data = daemon.data().display().to_string();
    insist(
        &on_disk(&daemon, "size=1m"),
        11,
        "disk",
        &[&data, "is full", "larger disk"],
    );
    insist(
        &on_disk(&daemon, "ro"),
        11,
        "disk",
        &[&data, "read-only", "remount,rw"],
    );
}

#[test]
fn a_folder_of_somebody_else_names_the_user() {
    let daemon = Setup::new().prepare();
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(daemon.folder(), all).expect("the scratch folder");
    let data = daemon.data().display().to_string();
    let words = [&data, "user nobody may not write", "chown -R nobody"];
    insist(
        &doctor(&daemon, &[], &["--user", "nobody"]),
        5,
        "permissions",
        &words,
    );
}

#[test]
fn a_clock_that_was_never_set_is_a_problem() {
    let daemon = Setup::new().prepare();
    let under = [
        "env",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "faketime",
        "1970-01-02 03:04:05",
    ];
    insist(
        &doctor(&daemon, &under, &[]),
        1,
        "clock",
        &["1970-01-0", "timedatectl"],
    );
}

#[test]
fn an_index_of_a_newer_version_is_foreign() {
    let mut daemon = Setup::new().start();
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    assert_eq!(doctor(&daemon, &[], &[]).0, 0);
    let index = daemon.data().join("index.redb");
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let database = redb::Database::open(&index).expect("the index");
    let change = database.begin_write().expect("a transaction");
    let newer = 99_u32.to_be_bytes();
    let mut table = change.open_table(meta).expect("the table");
    table.insert("schema", newer.as_slice()).expect("a row");
    drop(table);
    change.commit().expect("committed");
    drop(database);
    insist(
        &doctor(&daemon, &[], &[]),
        12,
        "index",
        &["index.redb", "version 99", "newer"],
    );
}

#[test]
fn the_text_says_how_to_mend_and_ends_with_the_code() {
    let daemon = Setup::new()
        .line("desk", "capture = \"plughw:7,0\"\ntrigger = \"api\"")
        .prepare();
    let config = daemon.config().to_string_lossy().into_owned();
    let told: Output = cli::run(
        "callreel",
        &["doctor", "--config", &config],
        &[("ALSA_CONFIG_PATH", &daemon.alsa().to_string_lossy())],
    );
    assert_eq!(told.code, 14, "{}{}", told.stdout, told.stderr);
    assert!(
        told.stdout
            .contains("PROBLEM  sound: line desk, PCM plughw:7,0"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("to mend it: 'callreel devices'"),
        "{}",
        told.stdout
    );
    assert!(
        told.stderr.contains("each says how to mend it"),
        "{}",
        told.stderr
    );
}
