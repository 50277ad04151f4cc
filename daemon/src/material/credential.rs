//! Credentials that the service manager gives (systemd.exec(5), `LoadCredential=`). With
//! `LoadCredential=callreel:FOLDER` each file of the folder becomes one, its name `callreel_` and
//! the file's. They are given at start; changed ones come with the next start.

use std::path::{Path, PathBuf};

use crate::config::schema::Pair;

const CERTIFICATE: &str = "callreel_certificate.pem";
const KEY: &str = "callreel_certificate.key";
const ADMIN_KEY: &str = "callreel_admin.key";

/// The folder beside the main configuration file that the package loads credentials from.
pub const FOLDER: &str = "credentials";

/// The folder with the credentials of this process.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?);
    folder.is_absolute().then_some(folder)
}

/// Certificate and key, where one of them is there: half a pair is a mistake that reading finds.
#[must_use]
pub fn pair(folder: &Path) -> Option<Pair> {
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    let any = is_there(&certificate) || is_there(&key);
    any.then_some(Pair { certificate, key })
}

/// The administrator's key.
#[must_use]
pub fn admin_key(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(ADMIN_KEY)).filter(|path| is_there(path))
}

/// Whether the service may be given a certificate: it was, or the folder that credentials come
/// from, beside the configuration, has one or does not let this user look.
#[must_use]
pub fn may_be(configuration: &Path) -> bool {
    if folder().is_some_and(|folder| pair(&folder).is_some()) {
        return true;
    }
    let source = configuration.join(FOLDER);
    match std::fs::metadata(source.join("certificate.pem")) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

/// A file, or one that this user may not see.
fn is_there(path: &Path) -> bool {
    !std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}
