//! The Unix socket itself: taking over a dead one, refusing a living one, its mode and group.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group};

use super::ControlError;

/// Owner and group may connect; the peer check decides among them.
const MODE: u32 = 0o660;

/// A listening socket, removed when dropped.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: UnixListener,
    path: PathBuf,
    /// Device and inode: another daemon's socket under the same name is not removed.
    identity: Option<(u64, u64)>,
}

impl Listener {
    /// Listens at a path.
    ///
    /// # Errors
    /// [`ControlError`], as for the server.
    pub(super) fn bind(path: &Path, group: Option<Gid>) -> Result<Self, ControlError> {
        let io = |what| {
            move |source| ControlError::Io {
                what,
                path: path.to_owned(),
                source,
            }
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io("create its folder"))?;
        }
        clear(path)?;
        let socket = UnixListener::bind(path).map_err(io("bind"))?;
        let listener = Self {
            socket,
            path: path.to_owned(),
            identity: identity(path),
        };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))
            .map_err(io("set the mode"))?;
        // Where it is right already nothing is asked: a hardened service may not change owners.
        let held = std::fs::metadata(path).map_err(io("look at"))?.gid();
        if let Some(group) = group.filter(|group| group.as_raw() != held) {
            nix::unistd::chown(path, None, Some(group))
                .map_err(|errno| io("give it to control.group")(errno.into()))?;
        }
        listener
            .socket
            .set_nonblocking(true)
            .map_err(io("make non-blocking"))?;
        Ok(listener)
    }
}

impl Listener {
    /// One that the service manager opened, and keeps when this one goes.
    ///
    /// # Errors
    /// [`ControlError::Io`]
    pub(super) fn passed(socket: UnixListener, path: &Path) -> Result<Self, ControlError> {
        let set = socket.set_nonblocking(true);
        set.map_err(|source| ControlError::Io {
            what: "make non-blocking",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            identity: None,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // A socket file that stays behind is taken over at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that nobody listens on.
fn clear(path: &Path) -> Result<(), ControlError> {
    let io = |what, source| ControlError::Io {
        what,
        path: path.to_owned(),
        source,
    };
    let kind = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("look at", error)),
    };
    if !kind.is_socket() {
        return Err(ControlError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ControlError::Running(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|error| io("replace the dead socket", error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io("see whether a daemon listens", error)),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// A group's number.
///
/// # Errors
/// [`ControlError::NoGroup`]
pub(super) fn group_by_name(name: &str) -> Result<Gid, ControlError> {
    let group = Group::from_name(name).ok().flatten();
    group
        .map(|group| group.gid)
        .ok_or_else(|| ControlError::NoGroup(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("below/control.sock");
        let first = Listener::bind(&path, None).expect("bind");
        let mode = std::fs::metadata(&path)
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, MODE);
        assert!(matches!(
            Listener::bind(&path, None),
            Err(ControlError::Running(_))
        ));
        drop(first);
        assert!(!path.exists(), "removed when dropped");
        drop(UnixListener::bind(&path).expect("a socket that is left behind"));
        assert!(path.exists());
        Listener::bind(&path, None).expect("the dead socket is replaced");
    }

    #[test]
    fn what_is_not_a_socket_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("control.sock");
        std::fs::write(&path, "precious").expect("a file");
        assert!(matches!(
            Listener::bind(&path, None),
            Err(ControlError::NotASocket(_))
        ));
        assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
    }

    #[test]
    fn another_daemons_socket_is_not_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("control.sock");
        let first = Listener::bind(&path, None).expect("bind");
        std::fs::rename(&path, folder.path().join("old.sock")).expect("moved away");
        let _second = Listener::bind(&path, None).expect("bind");
        drop(first);
        assert!(path.exists());
    }

    #[test]
    fn an_unknown_group_is_named() {
        let error = group_by_name("no-such-group-here").expect_err("unknown");
        assert!(error.to_string().contains("no-such-group-here"));
    }
}
