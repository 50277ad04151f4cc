//! What all areas look from: the configuration, the daemon if it runs, and the user it is or would
//! be.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use audio_io::clock::{Clock, SystemClock};
use nix::unistd::{Group, User, geteuid};

use super::finding::Finding;
use crate::cli::args::{Common, DoctorArgs};
use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::config::schema::Config;
use crate::config::{self, Origin};
use crate::control::wire::{Items, Line};

/// The user that the package makes.
const USER: &str = "callreel";

/// Who the daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gids: Vec<u32>,
}

/// What is looked from.
pub(super) struct Scene {
    /// The configuration, where it can be used.
    pub(super) config: Option<Config>,
    /// Every file that was read.
    pub(super) files: Vec<PathBuf>,
    /// The running daemon's process.
    pub(super) daemon: Option<u32>,
    /// Its user, or the one it would have.
    pub(super) who: Who,
    pub(super) clock: Box<dyn Clock>,
}

impl Scene {
    /// Looks around. The finding is about the configuration.
    pub(super) fn set(common: &Common, wish: &DoctorArgs) -> (Self, Finding) {
        let origin = Origin::new(common.config.clone());
        let about = origin.file().display().to_string();
        let (config, files, finding) = match config::load(&origin) {
            Ok(loaded) => {
                let says = match loaded.files.len() {
                    0 => "does not exist; built-in defaults hold".to_owned(),
                    count => format!(
                        "is valid ({count} files, {} lines)",
                        loaded.config.lines.len()
                    ),
                };
                let found = Finding::ok("configuration", about, says);
                (Some(loaded.config), loaded.files, found)
            }
            Err(error) => {
                let (exit, mend) = if error.is_only_forbidden() {
                    (
                        Exit::Denied,
                        "become root, or the daemon's user: 'sudo callreel doctor'".into(),
                    )
                } else {
                    let mend =
                        format!("edit the lines named, then 'callreeld --config {about} --check'");
                    (Exit::Usage, mend)
                };
                let says = format!("cannot be used: {}", error.to_string().replace('\n', "; "));
                let found = Finding::problem(exit, "configuration", about, says, mend);
                (None, Vec::new(), found)
            }
        };
        let data_dir = config.as_ref().map(|config| &config.storage.data_dir);
        let daemon = data_dir.and_then(|folder| lock_holder(&folder.join("lock")));
        let scene = Self {
            who: who(daemon, wish.user.as_deref()),
            config,
            files,
            daemon,
            clock: Box::new(SystemClock),
        };
        (scene, finding)
    }
}

/// The process that holds the lock of a file, by `/proc/locks`: asking the lock itself would keep
/// a daemon that just starts from getting it.
fn lock_holder(path: &Path) -> Option<u32> {
    let found = std::fs::metadata(path).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    holder_in(&locks, found.ino())
}

/// `1: FLOCK  ADVISORY  WRITE 1234 00:1f:5678 0 EOF`
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, _, mode) = (words.next()?, words.next()?, words.next()?);
        let (pid, at) = (words.next()?, words.next()?);
        let same = at.rsplit(':').next()?.parse() == Ok(inode);
        (kind == "FLOCK" && mode == "WRITE" && same).then(|| pid.parse().ok())?
    })
}

/// The daemon's user: the one that was named, the running one's, the package's where this is root,
/// or this one.
fn who(daemon: Option<u32>, named: Option<&str>) -> Who {
    let by_name = |name: &str| User::from_name(name).ok().flatten();
    if let Some(user) = named.and_then(by_name) {
        return of_user(&user);
    }
    let owner = daemon.and_then(|pid| std::fs::metadata(format!("/proc/{pid}")).ok());
    let running = owner.and_then(|found| User::from_uid(found.uid().into()).ok().flatten());
    let packaged = || by_name(USER).filter(|_| geteuid().is_root());
    let own = || User::from_uid(geteuid()).ok().flatten();
    match running.or_else(packaged).or_else(own) {
        Some(user) => of_user(&user),
        None => Who {
            name: geteuid().to_string(),
            uid: geteuid().as_raw(),
            gids: vec![nix::unistd::getegid().as_raw()],
        },
    }
}

fn of_user(user: &User) -> Who {
    let mut gids = vec![user.gid.as_raw()];
    for name in ["audio", "dahdi", USER, "ssl-cert"] {
        if let Ok(Some(group)) = Group::from_name(name)
            && group.mem.contains(&user.name)
        {
            gids.push(group.gid.as_raw());
        }
    }
    Who {
        name: user.name.clone(),
        uid: user.uid.as_raw(),
        gids,
    }
}

impl Who {
    /// Whether it belongs to a group, where that exists.
    pub(super) fn is_in(&self, group: &str) -> Option<bool> {
        let group = Group::from_name(group).ok().flatten()?;
        Some(self.uid == 0 || self.gids.contains(&group.gid.as_raw()))
    }
}

/// The running daemon's lines.
pub(super) async fn lines(client: &Client) -> Option<Vec<Line>> {
    let lines: Result<Items<Line>, _> = client.get("/lines").await;
    lines.ok().map(|lines| lines.items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_known_by_its_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 00:1f:99 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 1234 00:1f:5678 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 8 00:1f:5678 0 EOF\n";
        assert_eq!(holder_in(locks, 5_678), Some(1_234));
        assert_eq!(holder_in(locks, 99), None);
        assert_eq!(holder_in("odd\n", 99), None);
    }
}
