//! Tells the suite what this machine lets tests do, so that what cannot run here is counted as
//! ignored, with its reason, instead of passing unseen.

use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(can_mount)");
    println!("cargo::rerun-if-changed=build.rs");
    if can_mount() {
        println!("cargo::rustc-cfg=can_mount");
    }
}

/// Whether a mount namespace can be had: as root, or through a user namespace.
fn can_mount() -> bool {
    let script = "mount -t tmpfs callreel-test /mnt";
    let root = ["--mount", "sh", "-c", script];
    let user = ["--mount", "--user", "--map-root-user", "sh", "-c", script];
    let works = |arguments: &[&str]| {
        Command::new("unshare")
            .args(arguments)
            .output()
            .is_ok_and(|done| done.status.success())
    };
    works(&root) || works(&user)
}
