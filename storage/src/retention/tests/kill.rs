//! `kill -9` at each step of a pass: this program runs itself, and the child kills itself. A power
//! cut (`crash.rs`) loses more; here it is the process that really dies, with its threads.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use audio_io::clock::ManualClock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::crash::{Prepared, prepared, verify};
use super::*;
use crate::index::backend::{IndexFile, Opener, Witness};
use crate::io::crash::{Disk, Loss};
use crate::ledger::writer::Watch;
use crate::reserve::Reserve;
use crate::retention::pass::Pass;
use crate::retention::sweep::Swept;
use crate::testing::{options, scratch};

/// Names the folder of the child, the wall clock, and the step at which it dies.
const FOLDER: &str = "CALLREEL_TEST_PASS_FOLDER";
const WALL: &str = "CALLREEL_TEST_PASS_WALL";
const AT: &str = "CALLREEL_TEST_PASS_CUT";
const CHILD: &str = "retention::tests::kill::a_pass_that_dies";

/// Counts what is done to index, ledger and files, and dies at one of them.
#[derive(Default)]
struct Steps {
    counts: AtomicBool,
    done: AtomicUsize,
    dies_at: usize,
    /// What each step was; the parent reads it.
    told: Mutex<Option<std::path::PathBuf>>,
}

impl Steps {
    fn step(&self, what: &str) {
        if !self.counts.load(Ordering::SeqCst) {
            return;
        }
        if let Some(told) = &*self.told.lock().unwrap() {
            std::fs::write(told, what).unwrap();
        }
        if self.done.fetch_add(1, Ordering::SeqCst) + 1 == self.dies_at {
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        }
    }
}

/// The index, and with it the ledger, as the child opens them.
#[derive(Clone)]
struct Deadly(Arc<Steps>);

impl Opener for Deadly {
    fn open(&self, path: &Path) -> io::Result<IndexFile> {
        let file = std::fs::File::options().read(true).write(true).open(path)?;
        let reserve = Arc::new(Reserve::new(path.with_file_name("reserve")));
        Ok(IndexFile::new(file, reserve, Some(Arc::new(self.clone()))))
    }

    fn watch(&self) -> Option<Arc<dyn Watch>> {
        Some(Arc::new(self.clone()))
    }
}

impl Witness for Deadly {
    fn wrote(&self, _: u64, _: &[u8]) {
        self.0.step("index written");
    }

    fn resized(&self, _: u64) {
        self.0.step("index resized");
    }

    fn synced(&self) {
        self.0.step("index synced");
    }
}

impl Watch for Deadly {
    fn created(&self, _: &Path) {
        self.0.step("segment created");
    }

    fn wrote(&self, _: &Path, _: u64, _: &[u8]) {
        self.0.step("ledger written");
    }

    fn resized(&self, _: &Path, _: u64) {
        self.0.step("ledger resized");
    }

    fn synced(&self, _: &Path) {
        self.0.step("ledger synced");
    }

    fn synced_dir(&self, _: &Path) {
        self.0.step("folder synced");
    }

    fn unlinked(&self, _: &Path) {
        self.0.step("segment unlinked");
    }
}

/// Does nothing unless it is the child.
#[test]
fn a_pass_that_dies() {
    let told = |name| std::env::var(name).ok();
    let (Some(folder), Some(wall), Some(at)) = (told(FOLDER), told(WALL), told(AT)) else {
        return;
    };
    let folder = Path::new(&folder);
    let steps = Arc::new(Steps {
        dies_at: at.parse().unwrap(),
        told: Mutex::new(Some(folder.with_extension("step"))),
        ..Steps::default()
    });
    let clock = Arc::new(ManualClock::at(WallMillis(wall.parse().unwrap())));
    let opener = Arc::new(Deadly(Arc::clone(&steps)));
    let opened = crate::open::open(&options(folder), clock, Some(opener));
    let (handle, _seed, _) = opened.unwrap();
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    let mut pass = Pass {
        shared: &handle.shared,
        request: &request,
        told: &mut |_| (),
        swept: &mut |swept| match swept {
            Swept::Unlinked(_) => steps.step("file unlinked"),
            Swept::Synced(_) => steps.step("files' folder synced"),
        },
        report: PassReport::default(),
    };
    steps.counts.store(true, Ordering::SeqCst);
    pass.run(&mut |_| ()).unwrap();
    steps.counts.store(false, Ordering::SeqCst);
    assert_eq!(pass.report.deleted, 4);
}

/// Runs the child; answers whether it died, and its last step.
fn dies(folder: &Path, wall: WallMillis, at: usize) -> (bool, String) {
    let program = std::env::current_exe().unwrap();
    let status = Command::new(program)
        .args(["--exact", CHILD, "--test-threads=1"])
        .env(FOLDER, folder)
        .env(WALL, wall.0.to_string())
        .env(AT, at.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    let last = std::fs::read_to_string(folder.with_extension("step")).unwrap_or_default();
    (!status.success(), last)
}

#[test]
fn a_kill_at_any_step_of_a_pass_loses_nothing_and_is_finished_later() {
    let Prepared {
        folder,
        wall,
        old,
        kept,
    } = prepared();
    let disk = Disk::of(folder.path());
    let mut seen = std::collections::BTreeSet::new();
    let mut at = 1;
    loop {
        let place = scratch();
        let copy = place.path().join("data");
        disk.materialise(folder.path(), &copy, Loss::Nothing);
        let (died, step) = dies(&copy, wall, at);
        verify(&copy, wall, &old, &kept, &format!("killed at {at}, {step}"));
        if !died {
            break;
        }
        seen.insert(step);
        at += 1;
    }
    assert!(at > 30, "only {at} steps");
    for step in [
        "index written",
        "index synced",
        "ledger written",
        "ledger synced",
        "file unlinked",
        "files' folder synced",
    ] {
        assert!(seen.contains(step), "no kill after '{step}': {seen:?}");
    }
}
