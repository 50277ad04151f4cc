//! Whether the daemon's user may do what it must with the files and folders it needs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::scene::{Scene, Who};
use crate::cli::exit::Exit;
use crate::config::schema::Config;
use crate::material::{self, KEYS_FOLDER, credential};

const READ: u32 = 4;
const WRITE: u32 = 2;
const ENTER: u32 = 1;

/// What stands in a user's way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Obstacle {
    /// This file or folder refuses it.
    Refuses(PathBuf),
    /// This user, who asks, may not look.
    Unseen,
    /// It is not there.
    Absent,
}

pub(super) fn look(scene: &Scene, config: &Config) -> Vec<Finding> {
    let who = &scene.who;
    let mut findings = Vec::new();
    let data = &config.storage.data_dir;
    let refuses = folder(who, data);
    if let Some(refuses) = refuses {
        findings.push(refuses);
    } else if data.exists() {
        for name in ["index.redb", "lock", "recordings", "journal"] {
            let path = data.join(name);
            let found = obstacle(who, &path, READ | WRITE);
            if let Some(Obstacle::Refuses(_)) = found {
                findings.push(refused(who, &path, "write", data));
            }
        }
    }
    for file in &scene.files {
        if let Some(Obstacle::Refuses(at)) = obstacle(who, file, READ) {
            findings.push(Finding::problem(
                Exit::Denied,
                "permissions",
                file.display().to_string(),
                format!(
                    "user {} may not read the configuration (at {})",
                    who.name,
                    at.display()
                ),
                format!("'chmod a+r {}', and a+x for folders", at.display()),
            ));
        }
    }
    findings.extend(keys(scene, config));
    // A socket that is there is another's business: systemd's, or the running daemon's.
    if let Some(parent) = config.control.socket.parent()
        && parent.exists()
        && !config.control.socket.exists()
        && let Some(Obstacle::Refuses(_)) = obstacle(who, parent, WRITE | ENTER)
    {
        findings.push(Finding::problem(
            Exit::Denied,
            "permissions",
            config.control.socket.display().to_string(),
            format!(
                "user {} may not make the control socket in its folder",
                who.name
            ),
            "let systemd make it ('systemctl start callreeld-control.socket'), or set \
             control.socket to a folder of that user",
        ));
    }
    if !findings.iter().any(|found| found.exit == Exit::Denied) {
        let says = format!("user {} may use what is configured", who.name);
        findings.push(Finding::ok("permissions", who.name.clone(), says));
    }
    findings
}

fn folder(who: &Who, path: &Path) -> Option<Finding> {
    match obstacle(who, path, READ | WRITE | ENTER) {
        Some(Obstacle::Refuses(at)) if at == path => Some(refused(who, path, "write to", path)),
        Some(Obstacle::Refuses(at)) => Some(Finding::problem(
            Exit::Denied,
            "permissions",
            path.display().to_string(),
            format!("user {} may not go through {}", who.name, at.display()),
            format!("'chmod a+x {}'", at.display()),
        )),
        _ => None,
    }
}

fn refused(who: &Who, path: &Path, verb: &str, all: &Path) -> Finding {
    let owner = std::fs::metadata(path).map(|found| owner_name(found.uid()));
    let owner = owner.unwrap_or_else(|_| "somebody else".to_owned());
    Finding::problem(
        Exit::Denied,
        "permissions",
        path.display().to_string(),
        format!("user {} may not {verb} it; it belongs to {owner}", who.name),
        format!("'chown -R {}: {}'", who.name, all.display()),
    )
}

/// Keys: readable by the daemon, and by nobody else.
fn keys(scene: &Scene, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let found = material::locate(config, credential::folder().as_deref());
    let pair = found.certificate.map(|(pair, from)| (pair.key, from));
    for (path, _) in pair.into_iter().chain(found.admin_key) {
        let about = path.display().to_string();
        match obstacle(&scene.who, &path, READ) {
            Some(Obstacle::Refuses(at)) => findings.push(Finding::problem(
                Exit::Denied,
                "permissions",
                about,
                format!(
                    "user {} may not read the key (at {})",
                    scene.who.name,
                    at.display()
                ),
                format!("'chown {}: {}'", scene.who.name, at.display()),
            )),
            None if material::others_read(&path) => {
                let mend = format!("'chmod o-rwx {about}'");
                let says = "every user of this machine can read this key";
                findings.push(Finding::warning("permissions", about, says, mend));
            }
            _ => {}
        }
    }
    let made = config.storage.data_dir.join(KEYS_FOLDER);
    if std::fs::metadata(&made).is_ok_and(|found| found.mode() & 0o077 != 0) {
        let about = made.display().to_string();
        let mend = format!("'chmod 700 {about}'");
        let says = "others than the daemon's user can look into the folder of keys";
        findings.push(Finding::warning("permissions", about, says, mend));
    }
    findings
}

/// What keeps a user from a path: the file's own mode, or a folder's above.
fn obstacle(who: &Who, path: &Path, wanted: u32) -> Option<Obstacle> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    for (part, wanted) in above
        .into_iter()
        .map(|part| (part, ENTER))
        .chain([(path, wanted)])
    {
        match std::fs::metadata(part) {
            Ok(found) if !allows(who, &found, wanted) => {
                return Some(Obstacle::Refuses(part.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Some(Obstacle::Unseen);
            }
            Err(_) => return Some(Obstacle::Absent),
        }
    }
    None
}

fn allows(who: &Who, found: &Metadata, wanted: u32) -> bool {
    mode_allows(who, (found.uid(), found.gid()), found.mode(), wanted)
}

/// The kernel's rule: the owner's bits for the owner, else the group's, else the others'.
fn mode_allows(who: &Who, (uid, gid): (u32, u32), mode: u32, wanted: u32) -> bool {
    let shift = if who.uid == 0 {
        return true;
    } else if who.uid == uid {
        6
    } else if who.gids.contains(&gid) {
        3
    } else {
        0
    };
    mode >> shift & wanted == wanted
}

fn owner_name(uid: u32) -> String {
    let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    user.map_or_else(
        || format!("user {uid}"),
        |user| format!("user {}", user.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_judged_as_the_kernel_does() {
        let who = Who {
            name: "callreel".into(),
            uid: 990,
            gids: vec![990, 29],
        };
        let may = |owner, mode, wanted| mode_allows(&who, owner, mode, wanted);
        assert!(may((990, 990), 0o700, READ | WRITE | ENTER));
        // The owner's own bits count even where the group has more.
        assert!(!may((990, 990), 0o070, READ));
        assert!(may((0, 29), 0o660, READ | WRITE));
        assert!(!may((0, 0), 0o660, READ) && may((0, 0), 0o664, READ));
        let root = Who { uid: 0, ..who };
        assert!(mode_allows(&root, (990, 990), 0o000, READ));
    }
}
