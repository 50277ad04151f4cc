//! What the first start makes, in `keys/` of the data folder: `certificate.pem`, `certificate.key`
//! and `admin.key`, for the daemon's user alone.
//!
//! Everything is written whole or not at all, and in this order, so that a power cut at any point
//! leaves what the next start can go on with: the mark that it was not told yet, then the key, then
//! the certificate. A certificate that is renewed keeps its key: there is no moment without a pair
//! that matches. The one before is kept as `certificate.old.pem`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use audio_io::units::WallMillis;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

use super::error::MaterialError;
use super::host::Names;
use super::inspect::{Inspection, day};
use super::{KEYS_FOLDER, SOON_MS, examine};
use crate::config::schema::Pair;

/// Who certificates that are made here are about; how they are known again.
const ISSUER: &str = "Callreel, made at first start";

/// How long a certificate that is made here is valid.
const LIFE_DAYS: i64 = 3_650;

/// A clock that was never set is taken for this.
pub(crate) use audio_io::clock::EARLIEST;

/// Bytes of the administrator's key before they become letters: 256 bits.
const ADMIN_KEY_BYTES: usize = 32;

/// The folder of what is made.
pub(super) struct Keys {
    folder: PathBuf,
}

/// Something that is told when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The certificate.
    Certificate,
    /// The administrator's key.
    AdminKey,
}

impl Told {
    const fn mark(self) -> &'static str {
        match self {
            Self::Certificate => "certificate.untold",
            Self::AdminKey => "admin.untold",
        }
    }
}

impl Keys {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join(KEYS_FOLDER),
        }
    }

    pub(super) fn pair(&self) -> Pair {
        Pair {
            certificate: self.folder.join("certificate.pem"),
            key: self.folder.join("certificate.key"),
        }
    }

    pub(super) fn admin_key(&self) -> PathBuf {
        self.folder.join("admin.key")
    }

    /// Makes the folder, with its parents, where it is not there yet.
    pub(super) fn prepare(&self) -> Result<(), MaterialError> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let parent = self.folder.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(failed("create the folder", parent))?;
        DirBuilder::new()
            .mode(0o700)
            .create(&self.folder)
            .map_err(failed("create the folder", &self.folder))?;
        sync(parent)
    }

    /// Makes the certificate, or renews it where its end is near. Whether it did.
    pub(super) fn certificate(
        &self,
        names: &Names,
        now: WallMillis,
    ) -> Result<bool, MaterialError> {
        let pair = self.pair();
        if !pair.certificate.exists() {
            log::info!(
                "there is no certificate in {}: one is made",
                self.folder.display()
            );
            return self.issue(names, now).map(|()| true);
        }
        // What is there cannot be read or used: whoever put it there must see that.
        let inspection = examine(&pair)?;
        if is_due(&inspection, now) {
            log::warn!(
                "the certificate made at first start ends on {}: a new one is made with the same \
                 key",
                day(inspection.not_after)
            );
            return self.issue(names, now).map(|()| true);
        }
        Ok(false)
    }

    fn issue(&self, names: &Names, now: WallMillis) -> Result<(), MaterialError> {
        let pair = self.pair();
        self.mark(Told::Certificate)?;
        let key = self.private_key(&pair.key)?;
        let certificate = certificate(names, now, &key)?;
        if pair.certificate.exists() {
            let old = self.folder.join("certificate.old.pem");
            std::fs::copy(&pair.certificate, &old).map_err(failed("keep", &old))?;
        }
        self.write("certificate.pem", certificate.as_bytes())
    }

    /// The private key of certificates, made where there is none.
    fn private_key(&self, path: &Path) -> Result<KeyPair, MaterialError> {
        match std::fs::read_to_string(path) {
            Ok(text) => KeyPair::from_pem(&text).map_err(|source| MaterialError::Spoiled {
                path: path.to_owned(),
                source,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
                let key = key.map_err(MaterialError::Make)?;
                self.write("certificate.key", key.serialize_pem().as_bytes())?;
                Ok(key)
            }
            Err(error) => Err(failed("read", path)(error)),
        }
    }

    /// Makes the administrator's key where there is none.
    pub(super) fn ensure_admin_key(&self) -> Result<(), MaterialError> {
        if self.admin_key().exists() {
            return Ok(());
        }
        self.mark(Told::AdminKey)?;
        let mut bytes = [0; ADMIN_KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(MaterialError::Random)?;
        let key = format!("{}\n", URL_SAFE_NO_PAD.encode(bytes));
        self.write("admin.key", key.as_bytes())
    }

    /// Whether something was made and nobody was told yet.
    pub(super) fn is_untold(&self, what: Told) -> bool {
        self.folder.join(what.mark()).exists()
    }

    /// Notes that something was told.
    pub(super) fn told(&self, what: Told) {
        let path = self.folder.join(what.mark());
        let removed = std::fs::remove_file(&path).map_err(failed("remove", &path));
        if let Err(error) = removed.and_then(|()| sync(&self.folder)) {
            log::warn!("{error}; what was told is told again at the next start");
        }
    }

    fn mark(&self, what: Told) -> Result<(), MaterialError> {
        self.write(what.mark(), b"")
    }

    /// Writes a file whole, durably, for its owner alone.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), MaterialError> {
        let (path, draft) = (self.folder.join(name), self.folder.join("draft"));
        // One that a power cut left.
        let _ = std::fs::remove_file(&draft);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft);
        let mut file = file.map_err(failed("write", &path))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(failed("write", &path))?;
        std::fs::rename(&draft, &path).map_err(failed("write", &path))?;
        sync(&self.folder)
    }
}

/// Whether a certificate is one of ours and soon over. A clock that was never set renews nothing.
fn is_due(inspection: &Inspection, now: WallMillis) -> bool {
    let ours = inspection.self_signed && inspection.subject.contains(ISSUER);
    let left = inspection.not_after.0.saturating_sub(now.0);
    ours && now >= EARLIEST && left < SOON_MS
}

fn certificate(names: &Names, now: WallMillis, key: &KeyPair) -> Result<String, MaterialError> {
    let mut params = CertificateParams::new(names.all()).map_err(MaterialError::Make)?;
    let now = now.max(EARLIEST);
    let seconds = i64::try_from(now.0 / 1_000).unwrap_or_default();
    let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // Clients' clocks may be behind.
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(LIFE_DAYS);
    let mut about = DistinguishedName::new();
    about.push(DnType::OrganizationName, ISSUER);
    // X.520 allows 64 letters; longer names stand among the alternatives anyway.
    let common = names.hosts.iter().find(|host| host.len() <= 64);
    about.push(
        DnType::CommonName,
        common.map_or("localhost", String::as_str),
    );
    params.distinguished_name = about;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let made = params.self_signed(key).map_err(MaterialError::Make)?;
    Ok(made.pem())
}

fn sync(folder: &Path) -> Result<(), MaterialError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", folder))
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> MaterialError + use<> {
    let path = path.to_owned();
    move |source| MaterialError::Keys {
        what,
        path: path.clone(),
        source,
    }
}
