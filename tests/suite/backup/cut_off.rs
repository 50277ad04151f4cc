//! `kill -9` at each step that changes a name: of the command, and of the start that takes over.

use std::process::Command;

use harness::process;

use super::*;

const CALLS: &str = "rename,renameat,renameat2,link,linkat";

fn killed_at(step: u32) -> [String; 6] {
    let inject = format!("inject={CALLS}:signal=KILL:when={step}");
    let words = ["-f", "-qq", "-e", &format!("trace={CALLS}"), "-e", &inject];
    words.map(str::to_owned)
}

/// Runs a restore that is killed at a step; false when there is no such step any more.
fn is_cut(daemon: &Daemon, file: &Path, step: u32) -> bool {
    let status = Command::new("strace")
        .args(killed_at(step))
        .args(["-o", "/dev/null"])
        .arg(process::binaries().join("callreel"))
        .arg("--config")
        .arg(daemon.config())
        .arg("--socket")
        .arg(daemon.folder().join("control.sock"))
        .args(["--json", "restore", "--yes"])
        .arg(file)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("strace");
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    assert!(killed || status.success(), "step {step}: {status}");
    killed
}

/// The command is killed at each of its steps; after the next start all is old or all is new.
#[test]
fn a_killed_restore_leaves_the_old_or_the_new_state() {
    let mut daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, TASK, 8_000);
    let old_key = support::key(&daemon);
    let file = backup(&daemon, "b.tar");
    let first = std::fs::read(daemon.config()).expect("a configuration");
    let later = [&first[..], b"\n# later\n"].concat();
    let (mut olds, mut news) = (0, 0);
    for step in 1..20 {
        let new_key = support::key(&daemon);
        std::fs::write(daemon.config(), &later).expect("it is changed");
        let cut = is_cut(&daemon, &file, step);
        restart(&mut daemon);
        let config = std::fs::read(daemon.config()).expect("a configuration");
        assert_eq!(status(&daemon, &old_key), 200, "step {step}");
        match (status(&daemon, &new_key), config == later) {
            (200, true) => olds += 1,
            (401, false) => news += 1,
            other => panic!("step {step}: neither old nor new: {other:?}"),
        }
        assert!(
            !daemon.data().join("restore-pending").exists(),
            "step {step}"
        );
        if !cut {
            assert!(olds > 0 && news > 1, "{olds} old, {news} new");
            return;
        }
    }
    panic!("there is no end to its steps");
}

/// The start that takes a restore over is killed at each of its steps; the one after it finishes.
#[test]
fn a_killed_start_is_finished_by_the_next() {
    let mut daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, TASK, 8_000);
    let old_key = support::key(&daemon);
    let file = backup(&daemon, "b.tar");
    for step in 1..20 {
        let new_key = support::key(&daemon);
        let _ = restore(&daemon, &file, &["--yes"]).success();
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.wait_for_end(), 0);
        let words = killed_at(step);
        let mut prefix = vec!["strace"];
        prefix.extend(words.iter().map(String::as_str));
        prefix.extend(["-o", "/dev/null"]);
        daemon.set_wrapper(&prefix);
        daemon.launch();
        // Only those steps count that come before the store is open.
        let cut = wait::until("the end of the take-over", || {
            let over = !daemon.data().join("restore-pending").exists();
            let ended = daemon.has_ended();
            (over || ended).then_some(!over)
        });
        daemon.kill();
        daemon.set_wrapper(&[]);
        daemon.start();
        assert_eq!(status(&daemon, &old_key), 200, "step {step}");
        assert_eq!(status(&daemon, &new_key), 401, "step {step}");
        let _ = daemon.cli(&["--json", "check"]).success();
        if !cut {
            assert!(step > 2, "only {step} steps");
            return;
        }
    }
    panic!("there is no end to its steps");
}
