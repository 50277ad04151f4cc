//! Tests of the program as a whole, without a daemon and against a control socket: exit codes,
//! and that both sides of the socket understand each other.

use std::ffi::OsString;
use std::path::Path;

use super::exit::Exit;
use super::main;
use crate::control::tests::Rig;

fn run(arguments: &[&str]) -> Exit {
    main(
        std::iter::once("callreel")
            .chain(arguments.iter().copied())
            .map(OsString::from),
    )
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn without_a_daemon_commands_say_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("control.sock");
    for command in [
        &["status"][..],
        &["lines", "--json"],
        &["calls"],
        &["calls", "watch"],
        &["calls", "watch", "--session", "1f0c2d3e"],
        &["calls", "hangup", "1f0c2d3e-0000-4000-8000-000000000000"],
        &["app", "list"],
        &["app", "set", "a", "--generate-key"],
        &["webhooks", "list", "--dead"],
        &["webhooks", "replay", "--tenant", "a", "--all", "--yes"],
        &["reload"],
        &["tenant", "list"],
        &["key", "issue", "--tenant", "a", "--family", "task-audio"],
        &["tenant", "set", "a", "--disable"],
        &["key", "rotate", "1"],
        &["signing-key", "list"],
        &["user", "list"],
        &[
            "user",
            "add",
            "a",
            "--tenant",
            "a",
            "--role",
            "admin",
            "--generate",
        ],
        &["user", "remove", "a", "--yes"],
        &["lock", "list"],
        &["prompt", "list"],
        &["prompt", "save", "1", "--output", "-"],
        &["record", "start", "--line", "a"],
        &["record", "stop", "1"],
        &["recordings", "list"],
        &["recordings", "show", "1"],
        &["recordings", "delete", "1", "--yes"],
        &["recordings", "export", "1", "--output", "-"],
    ] {
        let arguments = [&["--socket", text(&socket)], command].concat();
        assert_eq!(run(&arguments), Exit::NotRunning, "{command:?}");
    }
    assert!(!socket.exists());
}

#[test]
fn a_dead_socket_is_a_daemon_that_does_not_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    assert_eq!(
        run(&["status", "--socket", text(&socket)]),
        Exit::NotRunning
    );
}

#[test]
fn a_bad_configuration_or_command_line_is_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("callreel.toml");
    std::fs::write(&file, "[http]\nport = 1\n").expect("a file");
    assert_eq!(run(&["status", "--config", text(&file)]), Exit::Usage);
    assert_eq!(
        run(&["status", "--config", "/nonexistent/x.toml"]),
        Exit::Usage
    );
    assert_eq!(run(&["no-such-command"]), Exit::Usage);
    assert_eq!(run(&["--help"]), Exit::Ok);
    assert_eq!(run(&["--version"]), Exit::Ok);
}

#[test]
fn what_is_named_and_not_there_is_not_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("control.sock");
    let missing = folder.path().join("missing");
    for command in ["check", "reindex"] {
        let arguments = [
            command,
            "--socket",
            text(&socket),
            "--data-dir",
            text(&missing),
        ];
        assert_eq!(run(&arguments), Exit::NotFound, "{command}");
    }
    let arguments = [
        "recordings",
        "import",
        "--tenant",
        "a",
        "--socket",
        text(&socket),
    ];
    assert_eq!(
        run(&[&arguments[..], &[text(&missing)]].concat()),
        Exit::NotFound
    );
    assert!(!missing.exists(), "nothing is created");
}

#[test]
fn names_of_a_single_recording_need_a_single_file() {
    let arguments = [
        "recordings",
        "import",
        "--tenant",
        "a",
        "--recid",
        "1",
        "a.wav",
        "b.wav",
    ];
    assert_eq!(
        run(&[&["--socket", "/nonexistent"], &arguments[..]].concat()),
        Exit::Usage
    );
}

/// Commands against one store, in order, and how each ends. FILE is a WAV file, TARGET one to
/// write.
const STEPS: &[(&str, Exit)] = &[
    ("status", Exit::Ok),
    ("lines", Exit::Ok),
    ("calls", Exit::Ok),
    ("tenant add acme", Exit::Ok),
    ("tenant add acme", Exit::Conflict),
    ("tenant list", Exit::Ok),
    ("key issue --tenant acme --family task-audio", Exit::Ok),
    (
        "key issue --tenant nobody --family voice-log",
        Exit::NotFound,
    ),
    ("key list --json", Exit::Ok),
    ("key revoke 999999", Exit::NotFound),
    ("key issue --tenant acme --family voice-log", Exit::Usage),
    (
        "key issue --tenant acme --family call-recording --allow 10.1.2.3 --expires 30d --json",
        Exit::Ok,
    ),
    ("key rotate 999999 --grace 0s", Exit::NotFound),
    ("tenant set acme --keep-as flac --disable", Exit::Ok),
    ("tenant set acme --keep-as wav --enable --json", Exit::Ok),
    ("tenant set nobody --enable", Exit::NotFound),
    ("signing-key list", Exit::Ok),
    ("signing-key rotate --retire-old --json", Exit::Ok),
    ("signing-key retire 4000000", Exit::NotFound),
    ("user list", Exit::Ok),
    (
        "user add boss@acme --tenant acme --role admin --generate",
        Exit::Ok,
    ),
    (
        "user add Boss@acme --tenant acme --role admin --generate",
        Exit::Conflict,
    ),
    (
        "user add x --tenant nobody --role admin --generate",
        Exit::NotFound,
    ),
    ("user list --tenant acme --json", Exit::Ok),
    ("user passwd boss@acme --generate --json", Exit::Ok),
    (
        "user set boss@acme --role auditor --allow 10.0.0.0/8 --allow ::1",
        Exit::Ok,
    ),
    ("user set boss@acme --allow-any --disable", Exit::Ok),
    ("user set nobody --enable", Exit::NotFound),
    ("user sessions", Exit::Ok),
    ("user sessions boss@acme --json", Exit::Ok),
    ("user logout boss@acme", Exit::Ok),
    ("user remove boss@acme --yes", Exit::Ok),
    ("user remove boss@acme --yes", Exit::NotFound),
    ("lock list", Exit::Ok),
    ("lock clear 203.0.113.7", Exit::NotFound),
    ("prompt list", Exit::Ok),
    ("prompt add --tenant acme --name greeting FILE", Exit::Ok),
    (
        "prompt say --tenant acme --name closed --expires 1d We are closed.",
        Exit::Ok,
    ),
    (
        "prompt fetch --tenant acme --name tune ftp://example.org/tune.mp3",
        Exit::Usage,
    ),
    ("prompt list --tenant acme --deleted --json", Exit::Ok),
    ("prompt save 999999 --output TARGET", Exit::NotFound),
    ("prompt delete 999999 --yes", Exit::NotFound),
    ("recordings import --tenant acme --recid 77 FILE", Exit::Ok),
    (
        "recordings import --tenant acme --recid 77 FILE",
        Exit::Conflict,
    ),
    ("recordings import --tenant acme FILE FILE --json", Exit::Ok),
    ("recordings list --limit 2", Exit::Ok),
    ("recordings list --all --state stored,live --json", Exit::Ok),
    ("recordings show 77", Exit::Ok),
    ("recordings show 77 --tenant nobody", Exit::NotFound),
    ("recordings show 78-none", Exit::NotFound),
    ("recordings export 77 --output TARGET", Exit::Ok),
    ("recordings export 77 --output TARGET", Exit::Conflict),
    (
        "recordings export 77 --output TARGET --force --json",
        Exit::Ok,
    ),
    ("recordings delete 77 --dry-run", Exit::Ok),
    ("recordings show 77 --json", Exit::Ok),
    ("recordings delete 77 --yes", Exit::Ok),
    ("recordings show 77", Exit::NotFound),
    ("record start --line none", Exit::NotFound),
    ("record stop 77", Exit::NotFound),
    ("reload", Exit::Ok),
    ("check", Exit::Ok),
    ("check --json", Exit::Ok),
];

/// The same for calls under control, on a line whose calls the test's exchange makes.
const CALL_STEPS: &[(&str, Exit)] = &[
    ("calls", Exit::Ok),
    ("calls open nowhere", Exit::NotFound),
    ("calls open front-desk --caller-id +15550100", Exit::Ok),
    ("calls open front-desk", Exit::Conflict),
    ("calls --tenant acme", Exit::Ok),
    ("calls list --ended --json", Exit::Ok),
    ("calls list --tenant nobody", Exit::NotFound),
    ("calls show 1f0c2d3e", Exit::Ok),
    ("calls show abcd", Exit::NotFound),
    ("calls answer 1f0c2d3e --json", Exit::Ok),
    (
        "calls play 1f0c2d3e https://a.example/1.wav --offset 3",
        Exit::Ok,
    ),
    ("calls play 1f0c2d3e ftp://a.example/1.wav", Exit::Usage),
    ("calls stop 1f0c2d3e", Exit::Failed),
    ("calls stop 1f0c2d3e --json", Exit::Failed),
    ("calls record start 1f0c2d3e --mask-digits", Exit::Ok),
    ("calls record pause 1f0c2d3e --skip", Exit::Ok),
    ("calls record resume 1f0c2d3e", Exit::Ok),
    ("calls record stop 1f0c2d3e", Exit::Ok),
    ("calls hangup 1f0c2d3e --cause lower", Exit::Usage),
    ("calls hangup 1f0c2d3e", Exit::Ok),
    ("calls hangup 1f0c2d3e", Exit::Conflict),
    ("calls show 1f0c2d3e --json", Exit::Ok),
    ("calls watch --tenant nobody", Exit::NotFound),
    ("status", Exit::Ok),
    ("lines", Exit::Ok),
    ("app list", Exit::Ok),
    ("webhooks list", Exit::Ok),
    ("app set crm --rate-limit 5", Exit::Usage),
    (
        "app set crm --generate-key --webhook-url http://127.0.0.1/",
        Exit::Usage,
    ),
    (
        "app set crm --generate-key --webhook-url https://192.0.2.1/hook",
        Exit::Ok,
    ),
    (
        "app set crm --generate-key --new-secret --events dtmf,call.new --json",
        Exit::Ok,
    ),
    ("app set crm --no-webhook --all-events", Exit::Ok),
    ("app show crm", Exit::Ok),
    ("app show none", Exit::NotFound),
    ("app list --json", Exit::Ok),
    ("webhooks list --tenant crm", Exit::Ok),
    ("webhooks list --dead", Exit::Ok),
    (
        "webhooks show 0b0f7f8e-6f0a-4c53-9d0c-3a3f1f1c2d3e",
        Exit::NotFound,
    ),
    ("webhooks replay --tenant crm --all --dry-run", Exit::Ok),
    ("webhooks replay --tenant crm --all --yes", Exit::Ok),
    (
        "webhooks replay --tenant crm 0b0f7f8e-6f0a-4c53-9d0c-3a3f1f1c2d3e",
        Exit::Failed,
    ),
    (
        "webhooks replay --tenant nobody --all --yes",
        Exit::NotFound,
    ),
    ("status --json", Exit::Ok),
];

#[test]
fn calls_and_applications_are_controlled() {
    let rig = Rig::with_line();
    for (step, exit) in CALL_STEPS {
        let socket = ["--socket", text(rig.client.socket())];
        let arguments: Vec<&str> = socket.into_iter().chain(step.split(' ')).collect();
        assert_eq!(run(&arguments), *exit, "{step}");
    }
}

#[test]
fn watching_ends_when_the_daemon_goes() {
    let mut rig = Rig::with_line();
    let socket = rig.client.socket().to_owned();
    let watching = std::thread::spawn(move || run(&["--socket", text(&socket), "calls", "watch"]));
    rig.stop_when_watched();
    assert_eq!(watching.join().expect("watched"), Exit::NotRunning);
}

#[test]
fn commands_and_the_daemon_understand_each_other() {
    let rig = Rig::start();
    let wav = rig.wav();
    let exported = rig.folder.path().join("exported.wav");
    for (step, exit) in STEPS {
        let words = step.split(' ').map(|word| match word {
            "FILE" => text(&wav),
            "TARGET" => text(&exported),
            word => word,
        });
        let socket = ["--socket", text(rig.client.socket())];
        let arguments: Vec<&str> = socket.into_iter().chain(words).collect();
        assert_eq!(run(&arguments), *exit, "{step}");
    }
    let same = std::fs::read(&exported).expect("exported") == std::fs::read(&wav).expect("wav");
    assert!(same, "an exported file is the imported one");
    assert!(!exported.with_extension("wav.part").exists());
}

#[test]
fn a_store_without_a_daemon_is_checked_and_reindexed_in_place() {
    let rig = Rig::start();
    let folder = rig.folder.clone();
    let (wav, data) = (rig.wav(), folder.path().join("data"));
    let socket = rig.client.socket().to_owned();
    let socket = ["--socket", text(&socket)];
    let with = |words: &[&str]| run(&[&socket[..], words].concat());
    assert_eq!(with(&["tenant", "add", "acme"]), Exit::Ok);
    let import = [
        "recordings",
        "import",
        "--tenant",
        "acme",
        "--recid",
        "7",
        text(&wav),
    ];
    assert_eq!(with(&import), Exit::Ok);
    assert_eq!(with(&["reindex"]), Exit::Conflict, "the daemon runs");
    let there = ["--data-dir", text(&data)];
    assert_eq!(
        with(&["reindex", there[0], there[1]]),
        Exit::Conflict,
        "the store is open"
    );
    drop(rig);
    assert_eq!(with(&["check", there[0], there[1]]), Exit::Ok);
    assert_eq!(with(&["reindex", there[0], there[1]]), Exit::Ok);
    assert_eq!(with(&["check", "--json", there[0], there[1]]), Exit::Ok);
    for file in files_below(&data.join("recordings")) {
        std::fs::remove_file(file).expect("removed");
    }
    assert_eq!(
        with(&["check", "--quick", there[0], there[1]]),
        Exit::Failed
    );
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
