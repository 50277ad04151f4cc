//! `kill -9` at each step of an export: this program runs itself, and the child kills itself.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::export::steps::{Step, on_step};

/// Names the folder of the child, and the step at which it dies.
const FOLDER: &str = "CALLREEL_TEST_EXPORT_FOLDER";
const AT: &str = "CALLREEL_TEST_EXPORT_CUT";
const CHILD: &str = "export::tests::cut::an_export_that_dies";

/// Does nothing unless it is the child.
#[test]
fn an_export_that_dies() {
    let (Ok(folder), Ok(at)) = (std::env::var(FOLDER), std::env::var(AT)) else {
        return;
    };
    let at: usize = at.parse().unwrap();
    let mut steps = 0;
    let told = Path::new(&folder).join("steps");
    on_step(move |step| {
        steps += 1;
        std::fs::write(&told, format!("{step:?}")).unwrap();
        if steps == at {
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        }
    });
    let desk = Desk::new();
    let target = Path::new(&folder).join("export.tar");
    let (keys, mut proofs) = (desk.keys(), desk.proofs.clone());
    std::fs::write(Path::new(&folder).join("key"), desk.key.public().to_pem()).unwrap();
    let export = desk.export(&keys, &mut proofs);
    write_file(export, &target, true, &mut |_, _| true).unwrap();
}

/// Runs the child; answers whether it died, and its last step.
fn dies(folder: &Path, at: usize) -> (bool, String) {
    let program = std::env::current_exe().unwrap();
    let status = Command::new(program)
        .args(["--exact", CHILD, "--test-threads=1"])
        .env(FOLDER, folder)
        .env(AT, at.to_string())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    let last = std::fs::read_to_string(folder.join("steps")).unwrap_or_default();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    (!status.success(), last)
}

fn drafts(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .filter(|file| {
            file.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .ends_with(".tmp")
        })
        .count()
}

#[test]
fn a_kill_at_any_step_leaves_a_whole_archive_or_none() {
    let mut seen = Vec::new();
    for before in [None, Some(b"what was there before".as_slice())] {
        for at in 1.. {
            let folder = scratch();
            let target = folder.path().join("export.tar");
            if let Some(before) = before {
                std::fs::write(&target, before).unwrap();
            }
            let (died, step) = dies(folder.path(), at);
            let key = std::fs::read_to_string(folder.path().join("key")).unwrap();
            let key = PublicKey::from_pem(&key).unwrap();
            let named = !died
                || [Step::Named, Step::Done]
                    .map(|it| format!("{it:?}"))
                    .contains(&step);
            match std::fs::read(&target) {
                Ok(bytes) if named => {
                    verify(&bytes[..], Some(&key), &mut |_| ()).unwrap();
                }
                Ok(bytes) => assert_eq!(Some(&bytes[..]), before, "step {at}, {step}"),
                Err(_) => assert!(!named && before.is_none(), "step {at}, {step}"),
            }
            // What died left at most one draft, and the next export takes it away.
            assert!(
                drafts(folder.path()) <= usize::from(!named),
                "step {at}, {step}"
            );
            let (died_again, _) = dies(folder.path(), usize::MAX);
            assert!(!died_again);
            assert_eq!(drafts(folder.path()), 0, "after step {at}, {step}");
            if !died {
                break;
            }
            if !seen.contains(&step) {
                seen.push(step);
            }
        }
    }
    assert_eq!(
        seen,
        ["Swept", "Created", "Wrote", "Synced", "Named", "Done"]
    );
}
