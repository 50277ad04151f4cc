//! `kill -9` of the real programs: of `callreel export` at each of its writes, syncs and renames,
//! of the daemon that makes the export, and of the daemon in its passes of retention.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::cli;
use harness::daemon::{Daemon, Setup, TENANT};
use harness::http::{Request, Transport};
use harness::{process, sound, wait, wav};

use crate::support::{self, TASK};

/// What makes `strace` kill its program at a step of these system calls.
fn killed_at(calls: &str, step: u32) -> Vec<String> {
    let words = [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={calls}"),
        "-e",
        &format!("inject={calls}:signal=KILL:when={step}"),
    ];
    words.map(str::to_owned).to_vec()
}

/// Runs an export that is killed at a step; false when it came to its end.
fn is_cut(daemon: &Daemon, target: &Path, calls: &str, step: u32) -> bool {
    let status = Command::new("strace")
        .args(killed_at(calls, step))
        .arg(process::binaries().join("callreel"))
        .arg("--socket")
        .arg(daemon.folder().join("control.sock"))
        .args(["export", "--all", "--force", "--tenant", TENANT, "--output"])
        .arg(target)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace");
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    assert!(killed || status.success(), "{calls} {step}: {status}");
    killed
}

fn drafts(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder of exports");
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".tmp"))
        .count()
}

/// What is under an export's name is whole.
fn insist_whole(target: &Path, what: &str) {
    let archive = target.to_string_lossy();
    let output = cli::run("callreel", &["verify", &*archive], &[]);
    assert_eq!(output.code, 0, "{what}: {}{}", output.stdout, output.stderr);
}

#[test]
fn a_killed_export_has_no_name_or_is_whole() {
    let daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, TASK, 400_000);
    let folder = daemon.folder().join("exports");
    std::fs::create_dir(&folder).expect("a folder");
    for calls in [
        "write",
        "fsync,fdatasync",
        "rename,renameat,renameat2",
        "flock",
    ] {
        let mut cuts = 0;
        for step in 1.. {
            assert!(step < 500, "there is no end to the steps of {calls}");
            let target = folder.join(format!("{}-{step}.tar", &calls[..4]));
            let cut = is_cut(&daemon, &target, calls, step);
            let what = format!("killed at {calls} {step}");
            if target.exists() {
                insist_whole(&target, &what);
            } else {
                assert!(cut, "{what}: no archive, and no failure");
            }
            assert!(drafts(&folder) <= 1, "{what}");
            if !cut {
                assert_eq!(drafts(&folder), 0, "{what}: the next one cleans up");
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 0, "no step of {calls}");
    }
    // The daemon served all of them, and is none the worse for it.
    let _ = daemon.cli(&["check"]).success();
}

#[test]
fn an_export_whose_daemon_is_killed_has_no_name() {
    let mut daemon = Setup::new().start();
    let bytes = wav::write(&sound::noise(6_000_000), 1, 8_000);
    let file = daemon.folder().join("long.wav");
    std::fs::write(&file, bytes).expect("a file to import");
    let _ = support::import(&daemon, &file, &[]);
    let folder = daemon.folder().join("exports");
    std::fs::create_dir(&folder).expect("a folder");
    let target = folder.join("a.tar");
    let mut command = Command::new(process::binaries().join("callreel"));
    command
        .arg("--socket")
        .arg(daemon.folder().join("control.sock"))
        .args(["export", "--all", "--output"])
        .arg(&target);
    let mut export = process::Guarded::spawn(command, &daemon.folder().join("export.log"));
    // It is under way; or it is over already, and then it is whole.
    wait::until("the export's draft", || {
        (drafts(&folder) > 0 || target.exists()).then_some(())
    });
    daemon.kill();
    let code = wait::until("the export's end", || export.ended());
    assert_eq!(code == 0, target.exists(), "exit code {code}");
    assert_eq!(drafts(&folder), 0, "what fails removes its draft");
    if target.exists() {
        insist_whole(&target, "made before the daemon died");
    }
    daemon.start();
    let _ = daemon.cli(&["check"]).success();
    let target = target.to_string_lossy();
    let _ = daemon
        .cli(&["export", "--all", "--force", "--output", &target])
        .success();
}

/// What a policy must delete soon, and what another one keeps.
const POLICIES: &str = "[retention]\npass_every_s = 1\n\
    [[retention.policy]]\nname = \"soon\"\ntenant = \"acme\"\nkeep_at_most = \"3 s\"\n\
    [[retention.policy]]\nname = \"careful\"\ntenant = \"careful\"\nkeep_at_least = \"1 year\"\n\
    keep_at_most = \"2 years\"\n";

const CAREFUL: &str = "[[line]]\nname = \"spare\"\ntenant = \"careful\"\ncapture = \"spare\"\n\
    trigger = \"api\"\n";

fn count(daemon: &Daemon, tenant: &str) -> usize {
    let list = daemon.json(&["recordings", "list", "--tenant", tenant, "--all"]);
    list["items"].as_array().map_or(0, Vec::len)
}

fn short_import(daemon: &Daemon, tenant: &str) -> cli::Output {
    let path = daemon.folder().join("short.wav");
    let bytes = wav::write(&sound::noise(800), 1, 8_000);
    std::fs::write(&path, bytes).expect("a file to import");
    let path = path.to_string_lossy();
    daemon.cli(&["recordings", "import", &path, "--tenant", tenant])
}

fn is_ready(daemon: &Daemon) -> bool {
    let mut client = daemon.client(Transport::Plain1);
    let answer = client.try_send(&Request::get("/readyz"));
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Killed at each unlink of its passes, the daemon finishes after its next start: what must go
/// goes, what must stay stays, and each deletion is told, as the check insists.
#[test]
fn a_daemon_killed_in_a_pass_finishes_it_after_the_next_start() {
    let setup = Setup::new().toml(&format!("{POLICIES}\n{CAREFUL}"));
    let mut daemon = setup
        .line("desk", "capture = \"nothing\"\ntrigger = \"api\"")
        .start();
    let kept = 3;
    for _ in 0..kept {
        let _ = short_import(&daemon, "careful").success();
    }
    let calls = "unlink,unlinkat";
    let mut cuts = 0;
    for step in 1..60 {
        let _ = short_import(&daemon, TENANT).success();
        daemon.kill();
        let words = killed_at(calls, step);
        let mut prefix = vec!["strace"];
        prefix.extend(words.iter().map(String::as_str));
        daemon.set_wrapper(&prefix);
        daemon.launch();
        let patience = Duration::from_secs(90);
        let cut = wait::until_within("a pass, or its end", patience, || {
            if daemon.has_ended() {
                return Some(true);
            }
            // It may die between these two.
            let gone = is_ready(&daemon) && {
                let list = daemon.cli(&["--json", "recordings", "list", "--tenant", TENANT]);
                list.code == 0 && list.json()["items"].as_array().is_some_and(Vec::is_empty)
            };
            gone.then_some(false)
        });
        daemon.kill();
        daemon.set_wrapper(&[]);
        daemon.start();
        wait::until_within("the end of the pass", patience, || {
            (count(&daemon, TENANT) == 0).then_some(())
        });
        assert_eq!(count(&daemon, "careful"), kept, "step {step}");
        let _ = daemon.cli(&["check"]).success();
        if !cut {
            break;
        }
        cuts += 1;
    }
    // One for each file of a recording, at least.
    assert!((4..59).contains(&cuts), "{cuts} steps");
    let left = support::stored_files(&daemon.data(), "wav");
    assert_eq!(left.len(), kept, "{left:?}");
}
