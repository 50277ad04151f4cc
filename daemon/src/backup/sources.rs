//! Which files a backup takes: the configuration as it is on disk, and every certificate and key
//! that is in use, wherever it comes from.

use std::io::Read;
use std::path::{Path, PathBuf};

use audio_io::units::WallMillis;
use storage::backup::{Contents, KeyFile, Place, Source};
use time::OffsetDateTime;

use crate::config::schema::Config;
use crate::config::{DROP_IN_FOLDER, MAX_FILE_BYTES};

/// Where the service manager puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What its names of our credentials begin with: `LoadCredential=callreel:` with a folder.
const PREFIX: &str = "callreel_";

/// A file that belongs to a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file system.
    #[error(
        "'{}', which belongs to a backup, cannot be read: {source}; make it readable for this \
         user",
        path.display()
    )]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Longer than such files are.
    #[error("'{}' has more than {MAX_FILE_BYTES} bytes and cannot be backed up", .0.display())]
    TooLong(PathBuf),
    /// A name that an archive cannot hold.
    #[error("'{}' cannot be backed up under its name: give it one in plain UTF-8", .0.display())]
    Name(PathBuf),
}

/// What a backup holds beside the index.
///
/// # Errors
/// [`SourceError`]: a file is there and cannot be read.
pub fn contents(config: &Config, now: WallMillis) -> Result<Contents, SourceError> {
    let mut sources = Vec::new();
    if let Some(main) = &config.file {
        take(&mut sources, Place::Config, main.clone())?;
        let folder = main.parent().unwrap_or(Path::new("/")).join(DROP_IN_FOLDER);
        for path in drop_ins(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let place = name.map(|name| Place::DropIn(name.to_owned()));
            let place = place.filter(|place| Place::of_member(&place.member()).is_some());
            let place = place.ok_or_else(|| SourceError::Name(path.clone()))?;
            take(&mut sources, place, path)?;
        }
    }
    let credentials = std::env::var_os(CREDENTIALS).map(PathBuf::from);
    let made = config.storage.data_dir.join("keys");
    // A running daemon's configuration names the files in use wherever they come from.
    let elsewhere = |path: &Path| {
        !path.starts_with(&made)
            && !credentials
                .as_ref()
                .is_some_and(|own| path.starts_with(own))
    };
    for (file, path) in named(config) {
        if elsewhere(&path) {
            take(&mut sources, Place::Named(file), path)?;
        }
    }
    for file in KeyFile::ALL {
        if let Some(folder) = &credentials {
            let path = folder.join(format!("{PREFIX}{}", file.file_name()));
            take(&mut sources, Place::Credential(file), path)?;
        }
    }
    for file in KeyFile::ALL {
        let path = made.join(file.file_name());
        take(&mut sources, Place::Made(file), path)?;
    }
    Ok(Contents {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
        made_at: now,
        config_file: config.file.clone(),
        sources,
    })
}

/// Files that the configuration names.
fn named(config: &Config) -> Vec<(KeyFile, PathBuf)> {
    let mut files = Vec::new();
    if let Some(pair) = config.http.tls.pair() {
        files.push((KeyFile::Certificate, pair.certificate));
        files.push((KeyFile::CertificateKey, pair.key));
    }
    files.extend(
        config
            .admin
            .key_file
            .clone()
            .map(|path| (KeyFile::Admin, path)),
    );
    files
}

/// The files of `conf.d`, as the configuration reads them.
pub(super) fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |source| SourceError::Io {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Takes a file that may be missing.
fn take(sources: &mut Vec<Source>, place: Place, path: PathBuf) -> Result<(), SourceError> {
    let failed = |source| SourceError::Io {
        path: path.clone(),
        source,
    };
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(SourceError::TooLong(path));
    }
    sources.push(Source { place, path, bytes });
    Ok(())
}

pub(crate) fn host() -> String {
    let name = nix::sys::utsname::uname().ok();
    let name = name.map(|name| name.nodename().to_string_lossy().into_owned());
    name.unwrap_or_default()
}

/// The name of a backup that is given none: machine and time.
#[must_use]
pub fn default_name(now: WallMillis) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let host: String = host().chars().filter(|c| plain(*c)).take(64).collect();
    let seconds = i64::try_from(now.0 / 1_000).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "callreel-backup-{host}-{:04}{:02}{:02}T{:02}{:02}{:02}Z.tar",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}
