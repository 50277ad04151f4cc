//! A daemon in a mount namespace of its own, with its data on a small tmpfs that only it sees.
//! The namespace, and with it the mount, goes when the daemon goes.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

/// A tmpfs of a given size over a folder.
#[derive(Clone, Debug)]
pub struct SmallDisk {
    /// Where it is mounted, as the daemon sees it.
    pub folder: PathBuf,
    /// Its size in MiB.
    pub size_mib: u32,
}

impl SmallDisk {
    /// A command that mounts the disk and then becomes `program` with whatever arguments follow.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = format!(
            "mount -t tmpfs -o size={}m,mode=0755 callreel-test \"$1\" && shift && exec \"$@\"",
            self.size_mib
        );
        command
            .args(["sh", "-c", &script, "sh"])
            .arg(&self.folder)
            .arg(program);
        command
    }

    /// The disk as seen from outside, through the daemon's process.
    #[must_use]
    pub fn seen_from_outside(&self, process: u32) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        Path::new("/proc")
            .join(process.to_string())
            .join("root")
            .join(inside)
    }
}
