//! Each command of `callreel` against a running daemon: what it prints for people and for
//! programs, its help, and how it fails.

use harness::cli;
use harness::daemon::{Setup, TENANT};
use serde_json::Value;

use crate::live;
use crate::support::{self, TASK};

/// Exit codes that scripts rely on.
const USAGE: i32 = 2;
const NOT_RUNNING: i32 = 3;
const NOT_FOUND: i32 = 4;
const CONFLICT: i32 = 6;

/// Every command there is.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["lines"],
    &["calls"],
    &["devices"],
    &["devices", "test"],
    &["tenant", "add"],
    &["tenant", "list"],
    &["key", "issue"],
    &["key", "list"],
    &["key", "revoke"],
    &["record", "start"],
    &["record", "stop"],
    &["recordings", "import"],
    &["recordings", "list"],
    &["recordings", "show"],
    &["recordings", "export"],
    &["recordings", "delete"],
    &["check"],
    &["reindex"],
    &["backup"],
    &["restore"],
    &["export"],
    &["verify"],
];

/// `--help` of each command explains itself and shows an example that begins with `callreel`.
#[test]
fn every_command_explains_itself_with_an_example() {
    let top = cli::run("callreel", &["--help"], &[]).success();
    for command in COMMANDS {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let output = cli::run("callreel", &arguments, &[]).success();
        let text = output.stdout;
        assert!(text.contains("Usage:"), "{command:?}: {text}");
        let shown = command
            .iter()
            .fold("callreel".to_owned(), |text, word| format!("{text} {word}"));
        let example = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("Usage:"))
            .any(|line| line.contains("callreel ") && line.contains(command[command.len() - 1]));
        assert!(
            example,
            "{command:?} shows no example of '{shown}':\n{text}"
        );
        assert!(
            top.stdout.contains(command[0]),
            "{} is not in the top help",
            command[0]
        );
        assert!(
            text.contains("--json"),
            "{command:?} does not mention --json"
        );
    }
    let version = cli::run("callreel", &["--version"], &[]).success();
    assert!(
        version.stdout.contains(env!("CARGO_PKG_VERSION")),
        "{}",
        version.stdout
    );
    let daemon = cli::run("callreeld", &["--help"], &[]).success();
    assert!(daemon.stdout.contains("--config") && daemon.stdout.contains("--check"));
}

/// Unknown words, missing and surplus arguments: code 2 and the usage, for each command.
#[test]
fn wrong_usage_is_code_2() {
    for arguments in [
        &["nonsense"][..],
        &["tenant"],
        &["tenant", "add"],
        &["key", "issue"],
        &["key", "issue", "--tenant", "t", "--family", "nonsense"],
        &["record", "start"],
        &["record", "stop"],
        &["recordings", "import"],
        &["recordings", "show"],
        &[
            "recordings",
            "import",
            "x.wav",
            "--tenant",
            "t",
            "--task-id",
            "no-uuid",
        ],
        &[
            "recordings",
            "import",
            "x.wav",
            "--tenant",
            "t",
            "--recid",
            "-1",
        ],
        &["tenant", "add", "../etc"],
        &["status", "surplus"],
        &["--nonsense", "status"],
    ] {
        let output = cli::run("callreel", arguments, &[]).failure();
        assert_eq!(output.code, USAGE, "{arguments:?}: {}", output.stderr);
    }
}

/// Without a daemon each command that needs one says so, and how to start it.
#[test]
fn without_a_daemon_it_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("none.sock");
    let socket = socket.to_string_lossy();
    for command in [
        &["status"][..],
        &["lines"],
        &["tenant", "list"],
        &["recordings", "list"],
    ] {
        let mut arguments = vec!["--socket", &*socket];
        arguments.extend_from_slice(command);
        let output = cli::run("callreel", &arguments, &[]).failure();
        assert_eq!(output.code, NOT_RUNNING, "{command:?}: {}", output.stderr);
        assert!(output.stderr.contains("none.sock"), "{}", output.stderr);
    }
}

/// Tenants and keys: made, listed, refused twice, revoked.
#[test]
fn tenants_and_keys_have_a_life() {
    let daemon = Setup::new().start();
    let added = daemon.json(&["tenant", "add", "initech"]);
    assert_eq!(support::word(&added, "name"), "initech");
    let twice = daemon.cli(&["tenant", "add", "initech"]).failure();
    assert_eq!(twice.code, CONFLICT, "{}", twice.stderr);
    assert!(twice.stderr.contains("initech"));
    let listed = daemon.cli(&["tenant", "list"]).success();
    assert!(listed.stdout.contains("initech"), "{}", listed.stdout);

    let nobody = daemon.cli(&[
        "key",
        "issue",
        "--tenant",
        "nobody",
        "--family",
        "task-audio",
    ]);
    assert_eq!(nobody.failure().code, NOT_FOUND);
    let issued = daemon.json(&[
        "key",
        "issue",
        "--tenant",
        "initech",
        "--family",
        "task-audio",
    ]);
    let (secret, id) = (
        support::word(&issued, "secret"),
        support::word(&issued, "key_id"),
    );
    let listed = daemon.cli(&["--json", "key", "list"]).success();
    assert!(listed.stdout.contains(&id), "{}", listed.stdout);
    assert!(
        !listed.stdout.contains(&secret),
        "the secret is shown once only"
    );
    let revoked = daemon.json(&["key", "revoke", &id]);
    assert!(
        support::field(&revoked, "revoked_at").is_some_and(Value::is_string),
        "{revoked}"
    );
    let unknown = daemon
        .cli(&["key", "revoke", "18446744073709551615"])
        .failure();
    assert_eq!(unknown.code, NOT_FOUND, "{}", unknown.stderr);
    let shown = daemon.cli(&[
        "key",
        "issue",
        "--tenant",
        "initech",
        "--family",
        "task-audio",
    ]);
    assert!(
        shown.success().stdout.contains("vas_"),
        "people see the secret too"
    );
}

/// What goes on: status, lines, calls, and recordings made by command.
#[test]
fn lines_and_calls_show_what_goes_on() {
    let daemon = live::daemon_with_line("trigger = \"api\"\npre_roll_ms = 0");
    let status = daemon.json(&["status"]);
    assert_eq!(support::number(&status, "pid"), u64::from(daemon.id()));
    assert_eq!(status["lines"]["total"], 1);
    assert!(
        daemon.cli(&["status"]).success().stdout.contains("1"),
        "for people"
    );
    assert!(daemon.cli(&["lines"]).success().stdout.contains("desk"));
    assert_eq!(daemon.json(&["calls"])["items"], Value::Array(Vec::new()));

    let (_, recid) = live::start(&daemon);
    let busy = daemon.cli(&["record", "start", "--line", "desk"]).failure();
    assert_eq!(busy.code, CONFLICT, "{}", busy.stderr);
    assert!(busy.stderr.contains("desk"), "{}", busy.stderr);
    let unknown = daemon
        .cli(&["record", "start", "--line", "attic"])
        .failure();
    assert_eq!(unknown.code, NOT_FOUND, "{}", unknown.stderr);
    assert!(daemon.cli(&["calls"]).success().stdout.contains("desk"));
    let calls = daemon.json(&["calls"]);
    assert_eq!(support::word(&calls["items"][0], "recid"), recid);
    assert_eq!(
        support::word(&daemon.json(&["lines"])["items"][0], "recid"),
        recid
    );
    let refused = daemon
        .cli(&["recordings", "delete", "--yes", &recid])
        .failure();
    assert_eq!(refused.code, CONFLICT, "{}", refused.stderr);

    assert_eq!(
        support::word(&daemon.json(&["record", "stop", &recid]), "recid"),
        recid
    );
    let row = live::stored(&daemon, &recid);
    assert_eq!(support::word(&row, "state"), "stored");
    let again = daemon.cli(&["record", "stop", &recid]).failure();
    assert!(
        again.code == CONFLICT || again.code == NOT_FOUND,
        "{}",
        again.stderr
    );
    assert_eq!(
        daemon.cli(&["record", "stop", "99"]).failure().code,
        NOT_FOUND
    );
}

/// Recordings by every one of their names: shown and exported.
#[test]
fn recordings_answer_to_all_their_names() {
    let daemon = Setup::new().start();
    let (_, bytes) = support::noise_recording(&daemon, TASK, 5_000);
    let list = daemon.json(&["recordings", "list"]);
    let recid = support::word(&list, "recid");
    for key in [
        "recid",
        "call_sid",
        "crt_object_id",
        "task_id",
        "session_uuid",
    ] {
        let name = support::word(&list, key);
        let shown = daemon.json(&["recordings", "show", &name]);
        assert_eq!(support::word(&shown, "recid"), recid, "{name}");
        let text = daemon.cli(&["recordings", "show", &name]).success().stdout;
        assert!(text.contains(TASK), "{text}");
        let target = daemon.folder().join(format!("exported-{key}.wav"));
        let path = target.to_string_lossy();
        let export = ["recordings", "export", &name, "--output", &*path];
        let _ = daemon.cli(&export).success();
        assert!(
            std::fs::read(&target).expect("the export") == bytes,
            "{name}"
        );
        let again = daemon.cli(&export).failure();
        assert_eq!(
            again.code, CONFLICT,
            "an export overwrites nothing: {}",
            again.stderr
        );
    }
    for name in [
        "12345",
        "call_nobody",
        "00000000-0000-4000-8000-000000000000",
    ] {
        assert_eq!(
            daemon.cli(&["recordings", "show", name]).failure().code,
            NOT_FOUND
        );
        assert_eq!(
            daemon.cli(&["recordings", "export", name]).failure().code,
            NOT_FOUND
        );
    }
}

/// Deletion takes file, row and names, and asks first.
#[test]
fn a_deleted_recording_is_gone() {
    let daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, TASK, 5_000);
    let recid = support::word(&daemon.json(&["recordings", "show", TASK]), "recid");
    let dry = daemon.json(&["recordings", "delete", "--dry-run", TASK]);
    assert!(dry.to_string().contains(&recid), "{dry}");
    let unasked = daemon.cli(&["recordings", "delete", TASK]).failure();
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert_eq!(
        support::stored_files(&daemon.data(), "wav").len(),
        1,
        "nothing is deleted yet"
    );

    let deleted = daemon.json(&["recordings", "delete", "--yes", TASK]);
    assert_eq!(deleted["deleted"], serde_json::json!([recid]));
    assert!(support::stored_files(&daemon.data(), "wav").is_empty());
    for name in [TASK, &recid] {
        assert_eq!(
            daemon.cli(&["recordings", "show", name]).failure().code,
            NOT_FOUND
        );
        let again = daemon
            .cli(&["recordings", "delete", "--yes", name])
            .failure();
        assert_eq!(again.code, NOT_FOUND, "{}", again.stderr);
    }
    let key = support::key(&daemon);
    assert_eq!(daemon.ask(&support::get_audio(TASK, &key)).status, 404);
    assert!(
        daemon
            .cli(&["tenant", "list"])
            .success()
            .stdout
            .contains(TENANT)
    );
}

/// Sound cards: listed, and tried out for three seconds.
#[test]
fn devices_are_listed_and_tried() {
    let daemon = live::daemon_with_line("trigger = \"api\"");
    let listed = daemon.cli(&["devices"]).success();
    assert!(!listed.stdout.is_empty());
    let _ = daemon.json(&["devices"]);
    let tested = daemon.json(&["devices", "test", "known"]);
    assert!(tested.to_string().contains("dbfs"), "{tested}");
    let missing = daemon.cli(&["devices", "test", "no_such_pcm"]).failure();
    assert!(missing.stderr.contains("no_such_pcm"), "{}", missing.stderr);
}
