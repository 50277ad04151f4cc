//! Where the certificate of HTTPS and the administrator's key come from: a path of the
//! configuration, a credential of the service, or the first start, which makes them.
//!
//! ```text
//!  [http.tls], [admin] ──▶┐
//!  $CREDENTIALS_DIRECTORY ├─▶ resolve ──▶ paths in the configuration in force ──▶ http
//!  [first_start] ──▶ made ┘      │ expired? told yet?
//!                  keys/ ◀── upkeep: looks once a day, renews what was made here
//! ```
//! The rest of the daemon sees paths only. Reading PEM and talking TLS is `http/tls.rs`'s business.

pub mod credential;
mod error;
mod host;
pub mod inspect;
mod made;
mod tell;
#[cfg(test)]
mod tests;
mod upkeep;

use std::path::{Path, PathBuf};

use audio_io::clock::Clock;
use audio_io::units::WallMillis;

pub use self::error::MaterialError;
use self::inspect::Inspection;
pub(crate) use self::made::EARLIEST;
use self::made::Keys;
pub use self::upkeep::{EVERY, Upkeep};
use crate::catalog;
use crate::config::schema::{Config, Expired, Pair};
use crate::http::serve::{self, TlsError};

/// The folder below the data folder that holds what was made.
pub const KEYS_FOLDER: &str = "keys";

/// Below this remainder a certificate is warned of, and one that was made is renewed: 30 days.
pub const SOON_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// Where something comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// A path of the configuration.
    Configuration,
    /// A credential of the service.
    Credential,
    /// It was made at first start.
    Made,
}

impl Provenance {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Configuration => "from the configuration",
            Self::Credential => "a credential of the service",
            Self::Made => "made at first start",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// The certificate of HTTPS.
    pub certificate: Option<(Pair, Provenance)>,
    /// The administrator's key.
    pub admin_key: Option<(PathBuf, Provenance)>,
}

/// Sees where things come from, without making any: what is to be made is named where it will be.
#[must_use]
pub fn locate(config: &Config, credentials: Option<&Path>) -> Material {
    let keys = Keys::of(&config.storage.data_dir);
    let given = config
        .http
        .tls
        .pair()
        .map(|pair| (pair, Provenance::Configuration));
    let credential = || credential::pair(credentials?).map(|pair| (pair, Provenance::Credential));
    let made = || {
        let made = config.first_start.certificate;
        made.then(|| (keys.pair(), Provenance::Made))
    };
    let certificate = given.or_else(credential).or_else(made);
    let given = config.admin.key_file.clone();
    let given = given.map(|path| (path, Provenance::Configuration));
    let credential =
        || credential::admin_key(credentials?).map(|path| (path, Provenance::Credential));
    let made = || {
        let made = config.first_start.admin_key;
        made.then(|| (keys.admin_key(), Provenance::Made))
    };
    Material {
        certificate,
        admin_key: given.or_else(credential).or_else(made),
    }
}

/// Finds certificate and key, makes and renews what is the first start's business, tells what is
/// new, and writes the paths into the configuration.
///
/// # Errors
/// [`MaterialError`]; the configuration is as it was then.
pub fn resolve(config: &mut Config, clock: &dyn Clock) -> Result<(), MaterialError> {
    let found = locate(config, credential::folder().as_deref());
    let keys = Keys::of(&config.storage.data_dir);
    let now = clock.wall();
    let made_certificate = matches!(found.certificate, Some((_, Provenance::Made)));
    let made_admin_key = matches!(found.admin_key, Some((_, Provenance::Made)));
    if made_certificate || made_admin_key {
        keys.prepare()?;
    }
    if made_certificate {
        keys.certificate(&host::names(config), now)?;
    }
    if made_admin_key {
        keys.ensure_admin_key()?;
    }
    if let Some((pair, from)) = &found.certificate {
        let inspection = examine(pair)?;
        judge(
            &inspection,
            &pair.certificate,
            *from,
            config.http.tls.expired,
            now,
        )?;
        warn_of_readers(&pair.key);
    }
    if let Some((path, _)) = &found.admin_key {
        warn_of_readers(path);
    }
    tell::untold(&keys, config, (made_certificate, made_admin_key));
    if let Some((pair, _)) = found.certificate {
        config.http.tls.certificate = Some(pair.certificate);
        config.http.tls.key = Some(pair.key);
    }
    if let Some((path, _)) = found.admin_key {
        config.admin.key_file = Some(path);
    }
    Ok(())
}

/// The daily look at the certificate of a configuration in force: warns of what is soon over, and
/// renews what was made here. Whether it did.
///
/// # Errors
/// [`MaterialError`]; the daemon goes on with what it has.
pub fn look(config: &Config, clock: &dyn Clock) -> Result<bool, MaterialError> {
    let Some(pair) = config.http.tls.pair() else {
        return Ok(false);
    };
    let (keys, now) = (Keys::of(&config.storage.data_dir), clock.wall());
    let from = source_of(&pair, &keys);
    if from == Provenance::Made {
        let renewed = keys.certificate(&host::names(config), now)?;
        tell::untold(&keys, config, (true, false));
        return Ok(renewed);
    }
    let inspection = examine(&pair)?;
    judge(&inspection, &pair.certificate, from, Expired::Refuse, now)?;
    Ok(false)
}

/// What `callreeld --check` says of the certificate; `None` where there is none, or this user may
/// not look at it: the daemon may be another.
///
/// # Errors
/// [`MaterialError`], as at a start, but for what the start would make.
pub fn verdict(config: &Config, clock: &dyn Clock) -> Result<Option<String>, MaterialError> {
    let Some((pair, from)) = locate(config, credential::folder().as_deref()).certificate else {
        return Ok(None);
    };
    let path = pair.certificate.display();
    if from == Provenance::Made && !pair.certificate.exists() {
        return Ok(Some(format!("{path}, made at the first start")));
    }
    let inspection = match examine(&pair) {
        Err(error) if error.exit() == crate::cli::exit::Exit::Denied => return Ok(None),
        examined => examined?,
    };
    // One that was made is renewed.
    if from != Provenance::Made {
        let expired = config.http.tls.expired;
        judge(&inspection, &pair.certificate, from, expired, clock.wall())?;
    }
    let (until, names) = (inspect::day(inspection.not_after), inspection.described());
    Ok(Some(format!("{path}, valid until {until}, for {names}")))
}

/// Where a certificate in force came from.
fn source_of(pair: &Pair, keys: &Keys) -> Provenance {
    let credential = credential::folder().and_then(|folder| credential::pair(&folder));
    if *pair == keys.pair() {
        Provenance::Made
    } else if credential.as_ref() == Some(pair) {
        Provenance::Credential
    } else {
        Provenance::Configuration
    }
}

/// Reads certificate and key, sees that they belong together, and what the certificate says.
///
/// # Errors
/// [`MaterialError::Tls`] and [`MaterialError::NotX509`].
pub fn examine(pair: &Pair) -> Result<Inspection, MaterialError> {
    let chain = serve::try_pair(pair)?;
    let Some(leaf) = chain.first() else {
        return Err(TlsError::NoCertificate {
            path: pair.certificate.clone(),
        }
        .into());
    };
    Inspection::of(leaf).map_err(|source| MaterialError::NotX509 {
        path: pair.certificate.clone(),
        source,
    })
}

/// When the certificate of a configuration in force ends, for `/metrics`; 0 without one.
#[must_use]
pub fn expiry_s(config: &Config) -> u64 {
    let pair = config.http.tls.pair();
    let ends = pair.and_then(|pair| examine(&pair).ok());
    ends.map_or(0, |inspection| inspection.not_after.0 / 1_000)
}

/// Whether the certificate may be served now.
fn judge(
    inspection: &Inspection,
    path: &Path,
    from: Provenance,
    expired: Expired,
    now: WallMillis,
) -> Result<(), MaterialError> {
    let path = path.to_owned();
    if now > inspection.not_after {
        let since = inspection.not_after;
        let error = MaterialError::Expired { path, since, from };
        if expired == Expired::Refuse {
            return Err(error);
        }
        log::warn!(
            message_id = catalog::CERTIFICATE_EXPIRING;
            "{error}; it is served as http.tls.expired says"
        );
        return Ok(());
    }
    warn_of_dates(inspection, &path, from, now);
    Ok(())
}

/// Says what its dates promise for the time to come.
fn warn_of_dates(inspection: &Inspection, path: &Path, from: Provenance, now: WallMillis) {
    let path = path.display();
    if now < inspection.not_before {
        // A clock without a battery must not keep calls from being recorded.
        log::warn!(
            "the certificate {path} is not valid before {}: is this machine's clock right? \
             ('timedatectl' tells)",
            inspect::day(inspection.not_before)
        );
    } else if inspection.not_after.0.saturating_sub(now.0) < SOON_MS {
        log::warn!(
            message_id = catalog::CERTIFICATE_EXPIRING;
            "the certificate {path} expires on {}, in {} days; {}",
            inspect::day(inspection.not_after),
            inspection.not_after.0.saturating_sub(now.0) / DAY_MS,
            error::renewal(from)
        );
    }
}

/// A private key is nobody else's business.
fn warn_of_readers(path: &Path) {
    if others_read(path) {
        let path = path.display();
        log::warn!("other users can read the key {path}; 'chmod o-rwx {path}' mends that");
    }
}

/// Whether users beside owner and group can read a file.
#[must_use]
pub fn others_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

const DAY_MS: u64 = 24 * 3_600 * 1_000;
