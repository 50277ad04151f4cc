//! Why the daemon could not start or had to stop: in words that say how to mend it, and with the
//! exit code by which the service manager knows whether to try again.

use std::io::{Error, ErrorKind};
use std::path::Path;

use nix::unistd::{Uid, User};
use storage::error::{OpenError, ReadError, TenantError};
use storage::ids::TenantName;
use storage::outbox::OutboxError;
use storage::retention::{PlaceError, RulesError};
use storage::trouble::Trouble;

use crate::cli::exit::Exit;
use crate::config::LoadError;
use crate::control::ControlError;
use crate::engine::EngineOpenError;
use crate::engine::calls::CallsError;
use crate::http::serve::{StartError, TlsError};
use crate::keeping::PoliciesError;
use crate::material::MaterialError;

/// Why the daemon could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(Error),
    /// The store cannot be opened.
    #[error("cannot open the store in {data_dir}: {source}")]
    Store {
        /// `storage.data_dir`.
        data_dir: String,
        /// Why.
        source: OpenError,
    },
    /// A line's tenant cannot be made.
    #[error("cannot add tenant '{name}', which a [[line]] names: {source}")]
    Tenant {
        /// The tenant.
        name: TenantName,
        /// Why.
        source: TenantError,
    },
    /// The configured retention policies cannot be put in force.
    #[error(transparent)]
    Policies(#[from] PoliciesError),
    /// There is no certificate or key to work with.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// The index cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A thread cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineOpenError),
    /// Calls under control cannot be started.
    #[error(transparent)]
    Calls(#[from] CallsError),
    /// A socket cannot be opened.
    #[error(transparent)]
    Http(#[from] StartError),
    /// A thread cannot be made.
    #[error("cannot start a conversion thread: {0}")]
    Thread(Error),
    /// The control socket cannot be opened.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl RunError {
    /// The exit code that tells it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Signals(_) | Self::Thread(_) => Exit::Failed,
            Self::Store {
                source: OpenError::Place(error),
                ..
            } if !matches!(error, PlaceError::Io { .. }) => Exit::Disk,
            Self::Store { source, .. } => of_trouble(&source.trouble()),
            Self::Tenant { source, .. } => match source {
                TenantError::Read(error) => of_trouble(&error.trouble()),
                TenantError::Write(error) => of_trouble(&error.trouble()),
                TenantError::Exists(_) => Exit::Failed,
            },
            Self::Policies(error) => of_policies(error),
            Self::Material(error) => error.exit(),
            Self::Read(error) => of_trouble(&error.trouble()),
            Self::Engine(EngineOpenError::Listen { source, .. }) => of_io(source),
            Self::Engine(EngineOpenError::Thread { .. }) => Exit::Failed,
            Self::Calls(CallsError::Notes(OutboxError::Read(error))) => {
                of_trouble(&error.trouble())
            }
            Self::Calls(CallsError::Notes(OutboxError::Write(error))) => {
                of_trouble(&error.trouble())
            }
            Self::Calls(_) => Exit::Failed,
            Self::Http(error) => of_http(error),
            Self::Control(error) => match error {
                ControlError::Running(_) => Exit::Conflict,
                ControlError::NotASocket(_) => Exit::Address,
                ControlError::NoGroup(_) => Exit::Usage,
                ControlError::Io { source, .. } => of_io(source),
            },
        }
    }

    /// What to do about it, where the message itself does not say.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Store { data_dir, source } => {
                let folder = Path::new(data_dir);
                match (source, source.trouble()) {
                    (OpenError::Io { path, source, .. }, _) => of_path(source, path, folder),
                    (_, Trouble::System(source)) => of_path(source, folder, folder),
                    _ => None,
                }
            }
            Self::Engine(EngineOpenError::Listen { address, source }) => of_address(
                source,
                address.port(),
                "audiosocket of the [[line]]",
                "a port from 1024 on",
            ),
            Self::Http(StartError::Listen {
                field,
                address,
                source,
            }) => {
                let unit = match *field {
                    "listen_tls" => "callreeld-https.socket",
                    _ => "callreeld-http.socket",
                };
                let privileged = format!(
                    "let systemd open it ('systemctl enable --now {unit}'), or choose a port from \
                     1024 on"
                );
                of_address(
                    source,
                    address.port(),
                    &format!("http.{field}"),
                    &privileged,
                )
            }
            Self::Http(StartError::Tls(TlsError::Read { path, source }))
                if source.kind() == ErrorKind::PermissionDenied =>
            {
                Some(format!(
                    "callreeld runs as {}, who may not read it: give it to that user ('chgrp \
                     callreel {path}; chmod 640 {path}'), or put it into /etc/callreel/credentials",
                    own_user(),
                    path = path.display()
                ))
            }
            Self::Control(ControlError::Io { path, source, .. }) => {
                let folder = path.parent().unwrap_or(path);
                of_path(source, folder, folder)
            }
            _ => None,
        }
    }
}

/// The exit code for a configuration that cannot be used.
#[must_use]
pub fn of_config(error: &LoadError) -> Exit {
    if error.is_only_forbidden() {
        Exit::Denied
    } else {
        Exit::Usage
    }
}

fn of_policies(error: &PoliciesError) -> Exit {
    match error {
        PoliciesError::Read(error) => of_trouble(&error.trouble()),
        PoliciesError::Rules(RulesError::Write(error)) => of_trouble(&error.trouble()),
        PoliciesError::Rules(RulesError::Changed) => Exit::Failed,
        PoliciesError::Tenant(_) | PoliciesError::Rules(_) => Exit::Usage,
    }
}

/// What the store found.
fn of_trouble(trouble: &Trouble<'_>) -> Exit {
    match trouble {
        Trouble::System(error) => of_io(error),
        Trouble::Full => Exit::Disk,
        Trouble::InUse => Exit::Conflict,
        Trouble::Foreign => Exit::Foreign,
        Trouble::Other => Exit::Failed,
    }
}

fn of_http(error: &StartError) -> Exit {
    match error {
        StartError::Listen { source, .. } => of_io(source),
        StartError::NoCertificate => Exit::Certificate,
        StartError::Tls(TlsError::Library(_)) => Exit::Failed,
        StartError::Tls(_) => Exit::Certificate,
        StartError::Passed(_) | StartError::Random(_) | StartError::Thread(_) => Exit::Failed,
    }
}

/// What the system said.
fn of_io(error: &Error) -> Exit {
    match error.kind() {
        ErrorKind::PermissionDenied => Exit::Denied,
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => Exit::Address,
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::StaleNetworkFileHandle
        | ErrorKind::NotFound
        | ErrorKind::NotConnected => Exit::Disk,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => {
            Exit::Usage
        }
        _ => match error.raw_os_error().map(nix::errno::Errno::from_raw) {
            Some(nix::errno::Errno::ENODEV | nix::errno::Errno::ENXIO) => Exit::Disk,
            _ => Exit::Failed,
        },
    }
}

/// A file or folder that could not be used, below a folder that callreeld needs.
fn of_path(error: &Error, path: &Path, folder: &Path) -> Option<String> {
    let folder = folder.display();
    match error.kind() {
        ErrorKind::PermissionDenied => Some(format!(
            "callreeld runs as {user}, who may not use '{}': give it the folder ('chown -R \
             {user}: {folder}'), let it through those above it ('namei -l {folder}' lists them), \
             or run it as their owner",
            path.display(),
            user = own_user(),
        )),
        ErrorKind::ReadOnlyFilesystem => Some(format!(
            "the file system of {folder} is read-only. Under systemd a folder other than \
             /var/lib/callreel needs 'ReadWritePaths={folder}' ('systemctl edit callreeld'); \
             otherwise see 'findmnt -T {folder}' and 'dmesg', and mount it writable"
        )),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(format!(
            "make room on the file system of {folder} ('df -h {folder}'; 'callreel recordings \
             delete' once the daemon runs), then start callreeld again"
        )),
        ErrorKind::NotFound | ErrorKind::NotConnected | ErrorKind::StaleNetworkFileHandle => {
            Some(format!(
                "is the disk of {folder} mounted ('findmnt -T {folder}')? Mount it, and start \
                 callreeld again"
            ))
        }
        ErrorKind::NotADirectory => Some(format!(
            "something on the way to {folder} is not a folder ('namei -l {folder}')"
        )),
        _ => None,
    }
}

/// An address that could not be listened on.
fn of_address(error: &Error, port: u16, key: &str, privileged: &str) -> Option<String> {
    match error.kind() {
        ErrorKind::AddrInUse => Some(format!(
            "another program listens there ('ss -ltnp sport = :{port}' tells which): stop it, or \
             set {key} to another address"
        )),
        ErrorKind::AddrNotAvailable => Some(format!(
            "this machine has no such address ('ip address' lists what it has): correct {key}"
        )),
        ErrorKind::PermissionDenied => Some(format!(
            "{}, as whom callreeld runs, may not open port {port}: {privileged}",
            own_user()
        )),
        _ => None,
    }
}

/// The name of the user whom the daemon runs as, or the number where it has none.
fn own_user() -> String {
    let own = Uid::effective();
    match User::from_uid(own) {
        Ok(Some(user)) => user.name,
        _ => own.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(kind: ErrorKind) -> RunError {
        let source = OpenError::Io {
            what: "creating the folder",
            path: "/srv/calls/journal".into(),
            source: kind.into(),
        };
        let data_dir = "/srv/calls".into();
        RunError::Store { data_dir, source }
    }

    #[test]
    fn each_trouble_has_its_code_and_its_remedy() {
        let listen = |kind: ErrorKind| {
            let address = ([192, 0, 2, 1], 443).into();
            let source = kind.into();
            RunError::Http(StartError::Listen {
                field: "listen_tls",
                address,
                source,
            })
        };
        for (error, exit, words) in [
            (store(ErrorKind::PermissionDenied), Exit::Denied, "chown -R"),
            (
                store(ErrorKind::ReadOnlyFilesystem),
                Exit::Disk,
                "ReadWritePaths=/srv/calls",
            ),
            (store(ErrorKind::StorageFull), Exit::Disk, "make room"),
            (store(ErrorKind::NotFound), Exit::Disk, "mounted"),
            (listen(ErrorKind::AddrInUse), Exit::Address, "sport = :443"),
            (
                listen(ErrorKind::AddrNotAvailable),
                Exit::Address,
                "ip address",
            ),
            (
                listen(ErrorKind::PermissionDenied),
                Exit::Denied,
                "callreeld-https.socket",
            ),
        ] {
            assert_eq!(error.exit(), exit, "{error}");
            let remedy = error.remedy().unwrap_or_default();
            assert!(remedy.contains(words), "{error}: {remedy}");
        }
        let newer = RunError::Store {
            data_dir: "/d".into(),
            source: OpenError::NewerSchema {
                found: 9,
                known: 3,
                way_back: None,
            },
        };
        assert_eq!(newer.exit(), Exit::Foreign);
        assert!(newer.to_string().contains("upgrade"), "{newer}");
        let locked = RunError::Store {
            data_dir: "/d".into(),
            source: OpenError::Locked("/d".into()),
        };
        assert_eq!(locked.exit(), Exit::Conflict);
    }
}
