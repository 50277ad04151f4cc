//! Somebody changes the ledger of a store at rest, or while the daemon runs: the real `callreel
//! check` names the first entry that is not as it was. Every bit and every line is tried within the
//! process (storage's `ledger` and `check`); here it is the program, its words and its exit code.

use std::path::{Path, PathBuf};

use harness::cli::{self, Output};
use harness::daemon::{Daemon, Setup};

use crate::support::{self, TASK};

/// A store with some history, and no daemon on it.
fn at_rest() -> Daemon {
    let mut daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, TASK, 4_000);
    for name in ["one", "two", "three", "four"] {
        support::tenant(&daemon, name);
        let _ = support::issue(&daemon, name);
    }
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    daemon
}

fn check(data: &Path) -> Output {
    let data = data.to_string_lossy();
    cli::run("callreel", &["--json", "check", "--data-dir", &data], &[])
}

fn segment(data: &Path) -> PathBuf {
    data.join("ledger").join(format!("{:020}.log", 1))
}

/// The lines of the segment, its header first.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// The check fails, and the first entry it names is this one.
fn insist_on(data: &Path, seq: usize, what: &str) {
    let output = check(data);
    assert_eq!(output.code, 1, "{what}: {}{}", output.stdout, output.stderr);
    let named = output.stdout.split("ledger: entry ").nth(1);
    let named = named.and_then(|rest| rest.split(':').next());
    assert_eq!(
        named,
        Some(seq.to_string().as_str()),
        "{what}: {}",
        output.stdout
    );
}

#[test]
fn whatever_is_changed_in_the_ledger_is_named_by_its_number() {
    let daemon = at_rest();
    let data = daemon.data();
    let path = segment(&data);
    let good = std::fs::read(&path).expect("a ledger");
    let all = lines(&good);
    let last = all.len() - 1;
    assert!(last >= 8, "{last} entries");
    let _ = check(&data).success();
    let put = |lines: &[&[u8]]| std::fs::write(&path, lines.concat()).expect("it is written");

    for seq in [1, 2, last / 2, last] {
        let mut flipped = all.concat();
        let at = all[..seq].concat().len() + all[seq].len() / 2;
        flipped[at] ^= 0x10;
        std::fs::write(&path, flipped).expect("it is written");
        insist_on(&data, seq, "a flipped bit");

        let mut without = all.clone();
        without.remove(seq);
        put(&without);
        insist_on(&data, seq, "a deleted line");

        put(&all[..seq]);
        insist_on(&data, seq, "a tail that is cut off");
        let half = all[seq].len() / 2;
        put(&[&all[..seq], &[&all[seq][..half]]].concat());
        insist_on(&data, seq, "a tail that is cut off in a line");
    }
    let mut swapped = all.clone();
    swapped.swap(3, 4);
    put(&swapped);
    insist_on(&data, 3, "two lines in the other order");

    // Lines of another ledger that is whole in itself.
    let other = at_rest();
    let theirs = std::fs::read(segment(&other.data())).expect("a ledger");
    let theirs = lines(&theirs);
    put(&[&all[..5], &theirs[5..]].concat());
    insist_on(&data, 5, "lines of another ledger");
    put(&all);
    let _ = check(&data).success();
}

#[test]
fn a_running_daemon_tells_of_a_ledger_that_was_changed_under_it() {
    let mut daemon = at_rest();
    daemon.start();
    let path = segment(&daemon.data());
    let good = std::fs::read(&path).expect("a ledger");
    let mut flipped = good.clone();
    let at = lines(&good)[..4].concat().len() + 100;
    flipped[at] ^= 1;
    std::fs::write(&path, &flipped).expect("it is written");
    let output = daemon.cli(&["check"]);
    assert_eq!(output.code, 1, "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.contains("ledger: entry 4:"),
        "{}",
        output.stdout
    );
    daemon.insist_alive();
    std::fs::write(&path, &good).expect("it is written");
    let _ = daemon.cli(&["check"]).success();
}
