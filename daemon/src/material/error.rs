//! Why there is no certificate or key to work with, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use audio_io::units::WallMillis;

use super::Provenance;
use super::inspect::{NotX509, day};
use crate::cli::exit::Exit;
use crate::http::serve::TlsError;

/// Why certificate or key cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// They cannot be read, or not be used together.
    #[error("{source}{}", remedy(source))]
    Tls {
        /// What.
        #[from]
        source: TlsError,
    },
    /// PEM, but no certificate inside.
    #[error(
        "http.tls.certificate: {path} holds something else than an X.509 certificate ({source}); \
         put the certificate there as its issuer gave it"
    )]
    NotX509 {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NotX509,
    },
    /// Its time is over.
    #[error(
        "the certificate {path} expired on {}; {}; or set expired = \"serve\" in [http.tls] to \
         record and serve with it meanwhile", day(*since), renewal(*from)
    )]
    Expired {
        /// The file.
        path: PathBuf,
        /// Its last moment.
        since: WallMillis,
        /// Whose it is.
        from: Provenance,
    },
    /// A file or folder of what is made at first start.
    #[error("cannot {what} '{}': {source}{}", path.display(), mend(path, source))]
    Keys {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A key that was made once and is not one any more.
    #[error(
        "'{}' holds no private key that this version can use ({source}); move it away and a new \
         one is made", path.display()
    )]
    Spoiled {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rcgen::Error,
    },
    /// No certificate can be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[source] rcgen::Error),
    /// No random bytes.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
}

impl MaterialError {
    /// How a program that ends with this exits.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let file = match self {
            Self::Tls { source } => source.unread(),
            Self::Keys { source, .. } => Some(source),
            _ => None,
        };
        match (file.map(io::Error::kind), self) {
            (Some(io::ErrorKind::PermissionDenied), _) => Exit::Denied,
            (Some(io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull), _) => Exit::Disk,
            (_, Self::Make(_) | Self::Random(_) | Self::Keys { .. }) => Exit::Failed,
            _ => Exit::Certificate,
        }
    }
}

/// How a certificate is renewed.
pub(super) const fn renewal(from: Provenance) -> &'static str {
    match from {
        Provenance::Configuration => {
            "put a new one there with its key, then 'systemctl reload-or-restart callreeld'"
        }
        Provenance::Credential => {
            "put a new one with its key where the service loads its credentials from \
             (/etc/callreel/credentials), then 'systemctl restart callreeld'"
        }
        Provenance::Made => "it is renewed by itself",
    }
}

/// What a file that cannot be read needs.
fn remedy(error: &TlsError) -> String {
    let Some(source) = error.unread() else {
        return String::new();
    };
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "; let the daemon's user read it ('chgrp callreel FILE && chmod 640 FILE')".to_owned()
        }
        io::ErrorKind::NotFound => "; put it there, or mend the path".to_owned(),
        _ => String::new(),
    }
}

fn mend(path: &Path, source: &io::Error) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("; 'chown -R callreel: {folder}' gives it to the daemon's user")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the file system is read-only: see 'dmesg', then mount it for writing".to_owned()
        }
        io::ErrorKind::StorageFull => format!("; make room: 'df -h {folder}'"),
        _ => String::new(),
    }
}
