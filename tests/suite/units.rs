//! The units, as systemd's own tools judge them: they are understood to the last word, and leave
//! an attacker little.

use std::path::Path;
use std::process::{Command, Output};

use harness::process;
use tempfile::TempDir;

/// Exposure times ten that callreeld.service may have at most, and the check.
const EXPOSURE_MAX: [(&str, &str); 2] =
    [("callreeld.service", "15"), ("callreel-check.service", "5")];

const UNITS: [&str; 6] = [
    "callreeld.service",
    "callreeld-control.socket",
    "callreeld-http.socket",
    "callreeld-https.socket",
    "callreel-check.service",
    "callreel-check.timer",
];

fn source() -> std::path::PathBuf {
    process::repository().join("systemd")
}

/// A root folder with the units, the system's own ones that they name, and programs to run.
fn root() -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let units = root.path().join("usr/lib/systemd/system");
    let programs = root.path().join("usr/bin");
    std::fs::create_dir_all(&units).expect("a folder");
    std::fs::create_dir_all(&programs).expect("a folder");
    for unit in UNITS {
        std::fs::copy(source().join(unit), units.join(unit)).expect("a unit");
    }
    for program in ["callreeld", "callreel"] {
        std::fs::copy("/bin/true", programs.join(program)).expect("a program");
    }
    let system = Path::new("/usr/lib/systemd/system");
    for entry in std::fs::read_dir(system)
        .expect("the system's units")
        .flatten()
    {
        let name = entry.file_name();
        let is_target = name.to_string_lossy().ends_with(".target");
        let to = units.join(&name);
        if (is_target || name == "modprobe@.service") && !to.exists() {
            // Some are links to what is not installed.
            let _ = std::fs::copy(entry.path(), to);
        }
    }
    root
}

fn verify(root: &Path) -> Output {
    Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--root"])
        .arg(root)
        .args(UNITS)
        .output()
        .expect("systemd-analyze (package systemd; see 'make setup')")
}

/// 'verify' ends well in spite of words that it does not understand: it has to be silent too.
#[test]
#[cfg_attr(not(has_systemd), ignore = "needs systemd-analyze (package systemd)")]
fn systemd_understands_every_word() {
    let root = root();
    let said = verify(root.path());
    let words = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && words.trim().is_empty(), "{words}");

    // The test could tell: a word that this systemd does not know is told.
    let unit = root.path().join("usr/lib/systemd/system/callreeld.service");
    let text = std::fs::read_to_string(&unit).expect("the unit");
    std::fs::write(&unit, text.replace("WatchdogSec=", "WatchdogSek=")).expect("the unit");
    let said = verify(root.path());
    assert!(String::from_utf8_lossy(&said.stderr).contains("WatchdogSek"));
}

#[test]
#[cfg_attr(not(has_systemd), ignore = "needs systemd-analyze (package systemd)")]
fn exposure_is_small() {
    for (unit, most) in EXPOSURE_MAX {
        let path = source().join(unit);
        let security = |most: &str| {
            Command::new("systemd-analyze")
                .args([
                    "security",
                    "--offline=yes",
                    "--no-pager",
                    "--threshold",
                    most,
                ])
                .arg(&path)
                .output()
                .expect("systemd-analyze")
        };
        let said = security(most);
        let table = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{unit}:\n{table}");
        assert!(table.contains("Overall exposure level"), "{table}");
        assert!(
            !security("1").status.success(),
            "a threshold that is passed is told"
        );
    }
}

/// What sound, telephone cards, real time and io_uring need is not taken away by hardening.
#[test]
fn what_recording_needs_is_allowed() {
    let text = std::fs::read_to_string(source().join("callreeld.service")).expect("the unit");
    let has = |line: &str| text.lines().any(|found| found == line);
    for line in [
        "DeviceAllow=char-alsa rw",
        "DeviceAllow=char-dahdi rw",
        "DeviceAllow=char-dahdi_channels rw",
        "LimitMEMLOCK=infinity",
        "RuntimeDirectoryPreserve=yes",
        "StateDirectory=callreel",
        "LoadCredential=callreel:/etc/callreel/credentials",
    ] {
        assert!(has(line), "{line}");
    }
    for line in [
        "PrivateDevices=yes",
        "RestrictRealtime=yes",
        "PrivateNetwork=yes",
    ] {
        assert!(!has(line), "{line}");
    }
    let filter: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
        .flat_map(str::split_whitespace)
        .collect();
    for call in [
        "@system-service",
        "sched_setscheduler",
        "setpriority",
        "mincore",
    ] {
        assert!(filter.contains(&call), "{call}");
    }
}

/// The generator turns Type=notify-reload on where systemd knows it, and nowhere else.
#[test]
fn reloads_are_waited_for_where_systemd_can() {
    let folder = tempfile::tempdir().expect("a folder");
    for (said, is_known) in [
        ("systemd 252 (252.38-1~deb12u1)", false),
        ("systemd 253 (253.1)", true),
        ("systemd 257.9-1~deb13u1 (257.9)", true),
        ("no systemd", false),
    ] {
        let into = folder.path().join(said.replace([' ', '(', ')'], "_"));
        let tool = folder.path().join("systemctl");
        std::fs::write(&tool, format!("#!/bin/sh\necho '{said}'\necho +PAM\n")).expect("a script");
        process::run("chmod", &["755", &tool.to_string_lossy()]);
        let done = Command::new(source().join("generators/callreel-notify-reload"))
            .arg(&into)
            .env("CALLREEL_SYSTEMCTL", &tool)
            .status()
            .expect("the generator");
        assert!(done.success(), "{said}");
        let drop_in = into.join("callreeld.service.d/10-notify-reload.conf");
        assert_eq!(drop_in.exists(), is_known, "{said}");
        if is_known {
            let text = std::fs::read_to_string(drop_in).expect("the drop-in");
            assert!(text.contains("\nType=notify-reload\n"), "{text}");
        }
    }
}
