//! Tells the suite what this machine lets tests do, so that what cannot run here is counted as
//! ignored, with its reason, instead of passing unseen.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(can_mount)");
    println!("cargo::rerun-if-changed=build.rs");
    if can_mount() {
        println!("cargo::rustc-cfg=can_mount");
    }
    println!("cargo::rustc-check-cfg=cfg(is_root, has_systemd)");
    if runs("sh", &["-c", "test $(id -u) -eq 0 && command -v setpriv"]) {
        println!("cargo::rustc-cfg=is_root");
    }
    if runs("systemd-analyze", &["--version"]) {
        println!("cargo::rustc-cfg=has_systemd");
    }
    println!("cargo::rustc-check-cfg=cfg(has_spandsp, has_talk_off)");
    // Where the list of installed packages is, packages may come.
    println!("cargo::rerun-if-changed=/var/lib/dpkg/status");
    let spandsp = runs("pkg-config", &["--exists", "spandsp"]);
    if spandsp {
        println!("cargo::rustc-cfg=has_spandsp");
    }
    let sounds = ["sounds/en_US_f_Allison", "moh"].map(|name| Path::new(ASTERISK).join(name));
    let multimon = runs("sh", &["-c", "command -v multimon-ng"]);
    if spandsp && multimon && sounds.iter().all(|dir| dir.exists()) {
        println!("cargo::rustc-cfg=has_talk_off");
    }
}

/// Where Debian's packages put recorded prompts and music.
const ASTERISK: &str = "/usr/share/asterisk";

/// Whether a command succeeds.
fn runs(program: &str, arguments: &[&str]) -> bool {
    let done = Command::new(program).args(arguments).output();
    done.is_ok_and(|done| done.status.success())
}

/// Whether a mount namespace can be had: as root, or through a user namespace.
fn can_mount() -> bool {
    let script = "mount -t tmpfs callreel-test /mnt";
    let root = ["--mount", "sh", "-c", script];
    let user = ["--mount", "--user", "--map-root-user", "sh", "-c", script];
    runs("unshare", &root) || runs("unshare", &user)
}
