//! Tests of the program as a whole, as far as they need no daemon: exit codes.

use std::ffi::OsString;
use std::path::Path;

use super::exit::Exit;
use super::main;

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
        &["reload"],
        &["tenant", "list"],
        &["key", "issue", "--tenant", "a", "--family", "task-audio"],
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
