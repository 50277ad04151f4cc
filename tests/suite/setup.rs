//! `callreel setup`, asked and unattended, and a daemon that starts from what it wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::alsa::AlsaConfig;
use harness::cli::{self, Output};
use harness::daemon::{Daemon, Setup};
use harness::http::Request;
use harness::process;
use serde_json::json;

fn setup(daemon: &Daemon, more: &[&str]) -> Output {
    let config = daemon.config().to_string_lossy().into_owned();
    let mut arguments = vec!["setup", "--config", &config];
    arguments.extend_from_slice(more);
    daemon.cli(&arguments)
}

fn written(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("conf.d/50-setup.toml")
}

fn check(daemon: &Daemon) -> Output {
    let config = daemon.config().to_string_lossy().into_owned();
    cli::run("callreeld", &["--config", &config, "--check"], &[])
}

const GIVEN: [&str; 5] = [
    "--yes",
    "--tenant",
    "acme",
    "--line",
    "desk=nothing trigger=api channels=stereo",
];

#[test]
fn unattended_it_writes_what_a_daemon_starts_from() {
    let mut daemon = Setup::new().prepare();
    let tried = setup(&daemon, &[&GIVEN[..], &["--dry-run"]].concat()).success();
    assert!(
        tried.stdout.contains("capture = \"nothing\""),
        "{}",
        tried.stdout
    );
    assert!(!written(&daemon).exists(), "a dry run writes nothing");
    let done = setup(&daemon, &GIVEN).success();
    assert!(done.stdout.contains("50-setup.toml"), "{}", done.stdout);
    assert!(
        done.stdout.contains("systemctl enable --now callreeld"),
        "{}",
        done.stdout
    );
    let verdict = check(&daemon).success();
    assert!(
        verdict
            .stdout
            .contains("line: desk of tenant acme: PCM nothing"),
        "{}",
        verdict.stdout
    );
    daemon.start();
    assert!(daemon.json(&["lines"]).to_string().contains("\"desk\""));
    // Again, with the daemon running: the first user, a reload, and the file before is kept.
    let before = std::fs::read_to_string(written(&daemon)).expect("the file");
    let more = [
        "--line",
        "hall=null trigger=api",
        "--user",
        "boss@acme",
        "--generate",
    ];
    let done = setup(&daemon, &[&GIVEN[..], &more].concat()).success();
    assert!(
        done.stdout
            .contains("user boss@acme of tenant acme was added"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("systemctl restart callreeld"),
        "{}",
        done.stdout
    );
    let kept = std::fs::read_to_string(written(&daemon).with_extension("toml.before"));
    assert_eq!(kept.expect("the file before"), before);
    assert!(
        daemon
            .json(&["user", "list"])
            .to_string()
            .contains("boss@acme")
    );
}

#[test]
fn answers_come_from_a_file_as_well() {
    let daemon = Setup::new().prepare();
    let answers = daemon.folder().join("answers.toml");
    let text = "tenant = 'acme'\nline = ['desk=nothing trigger=vox']\n\
                public_url = 'https://calls.example.org'\n";
    std::fs::write(&answers, text).expect("the answers");
    let answers = answers.to_string_lossy().into_owned();
    let _ = setup(&daemon, &["--answers", &answers]).success();
    let found = std::fs::read_to_string(written(&daemon)).expect("the file");
    assert!(
        found.contains("public_url = \"https://calls.example.org\""),
        "{found}"
    );
    std::fs::write(&answers, "tenant = 'acme'\nlien = []\n").expect("the answers");
    let bad = setup(&daemon, &["--answers", &answers]).failure();
    assert_eq!(bad.code, 2);
    assert!(
        bad.stderr.contains("lien") && bad.stderr.contains("answers.toml"),
        "{}",
        bad.stderr
    );
}

#[test]
fn what_would_not_be_valid_is_not_written() {
    let daemon = Setup::new()
        .line("desk", "capture = \"nothing\"\ntrigger = \"api\"")
        .prepare();
    for (given, words) in [
        (
            &GIVEN[..],
            &["50-setup.toml", "'desk' is also the name"][..],
        ),
        (
            &["--yes", "--tenant", "acme", "--line", "hall=nothing"],
            &["PCM 'nothing'"],
        ),
        (&["--yes", "--line", "hall=null"], &["--tenant"]),
        (
            &["--yes", "--tenant", "acme", "--line", "hall"],
            &["NAME=SOURCE"],
        ),
        (
            &["--yes", "--certificate", "/nope", "--key", "/nope"],
            &["no file '/nope'"],
        ),
        (&[], &["--yes", "--answers"]),
    ] {
        let refused = setup(&daemon, given).failure();
        assert_eq!(refused.code, 2, "{given:?}: {}", refused.stderr);
        for word in words {
            assert!(
                refused.stderr.contains(word),
                "{given:?}: {}",
                refused.stderr
            );
        }
        assert!(!written(&daemon).exists(), "{given:?}");
    }
}

#[test]
fn what_was_made_by_hand_is_never_overwritten() {
    let daemon = Setup::new().prepare();
    let _ = setup(&daemon, &GIVEN).success();
    let ours = std::fs::read_to_string(written(&daemon)).expect("the file");
    let changed = ours.replace("desk", "hall");
    std::fs::write(written(&daemon), &changed).expect("by hand");
    let refused = setup(&daemon, &GIVEN).failure();
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(refused.stderr.contains("60-own.toml"), "{}", refused.stderr);
    assert_eq!(
        std::fs::read_to_string(written(&daemon)).expect("the file"),
        changed
    );
}

/// Answers questions on a terminal; gives the exit code and what the terminal showed.
fn on_terminal(daemon: &Daemon, answers: &[(&str, &str)]) -> (i32, String) {
    let rig = process::repository().join("tests/rigs/answer.py");
    let program = process::binaries().join("callreel");
    let output = Command::new("python3")
        .arg(rig)
        .arg(json!(answers).to_string())
        .arg(program)
        .args(["setup", "--config"])
        .arg(daemon.config())
        .env("ALSA_CONFIG_PATH", daemon.alsa())
        .output()
        .expect("python3 runs");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap_or(-1), shown)
}

#[test]
fn asked_on_a_terminal_it_takes_answers_and_defaults() {
    let alsa = AlsaConfig::default().file("desk", Path::new("/dev/zero"));
    let mut daemon = Setup::new().alsa(alsa).start();
    let answers = [
        ("Whose calls are these (tenant)", "bad name!"),
        ("(tenant)", "acme"),
        ("What to record", "desk audiosocket:127.0.0.1:0"),
        ("Name of desk", "front"),
        ("What starts its recordings", "api"),
        ("Both parties on it", ""),
        ("Name of audiosocket", "pbx"),
        ("What starts its recordings", "hook"),
        ("Where recordings go", ""),
        ("Address and port of HTTPS", ""),
        ("URL that clients use", ""),
        ("Name of the first supervisor", "boss"),
        ("Write this?", "y"),
        ("New password", "a long secret 1"),
        ("The same again", "a long secret 1"),
    ];
    let (code, shown) = on_terminal(&daemon, &answers);
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("user boss of tenant acme was added"),
        "{shown}"
    );
    assert!(
        !shown.contains("a long secret"),
        "passwords are not shown: {shown}"
    );
    let _ = check(&daemon).success();
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    daemon.start();
    let lines = daemon.json(&["lines"]).to_string();
    assert!(
        lines.contains("\"front\"") && lines.contains("\"pbx\""),
        "{lines}"
    );
    assert_eq!(daemon.ask(&Request::get("/healthz")).status, 200);
}

#[test]
fn nothing_is_written_where_the_answer_is_no() {
    let daemon = Setup::new().prepare();
    let answers = [
        ("(tenant)", ""),
        ("What to record", "99"),
        ("What to record", "none"),
        ("Where recordings go", ""),
        ("Address and port of HTTPS", "none"),
        ("Name of the first supervisor", ""),
        ("Write this?", "n"),
    ];
    let (code, shown) = on_terminal(&daemon, &answers);
    assert_ne!(code, 0, "{shown}");
    assert!(shown.contains("cancelled; nothing was changed"), "{shown}");
    assert!(!written(&daemon).exists());
}
