//! What may be in a backup and how it is named there. Names that are not listed here are nobody's:
//! an archive that has one is refused.

/// The longest file of configuration or keys.
pub(crate) const FILE_MAX: usize = 1024 * 1024;

/// Files of configuration and keys in one archive.
pub(crate) const FILES_MAX: usize = 1_024;

/// Members of rows in one archive.
pub(crate) const CHUNKS_MAX: u32 = 999_999;

/// What a file of an archive is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The configuration file itself.
    Config,
    /// A file of `conf.d`, by its name.
    DropIn(String),
    /// A file of `data_dir/keys`, made at the first start.
    Made(KeyFile),
    /// A file that the configuration names.
    Named(KeyFile),
    /// A file that the service manager passes on as a credential.
    Credential(KeyFile),
}

/// A certificate or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFile {
    /// The certificate, with its chain.
    Certificate,
    /// Its private key.
    CertificateKey,
    /// What opens `/admin`.
    Admin,
}

impl KeyFile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Certificate, Self::CertificateKey, Self::Admin];

    /// Its name in `data_dir/keys` and among the credentials.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate.pem",
            Self::CertificateKey => "certificate.key",
            Self::Admin => "admin.key",
        }
    }
}

impl Place {
    /// Its name in an archive.
    #[must_use]
    pub fn member(&self) -> String {
        match self {
            Self::Config => "config/main.toml".to_owned(),
            Self::DropIn(name) => format!("{DROP_INS}{name}"),
            Self::Made(file) => format!("keys/{}", file.file_name()),
            Self::Named(file) => format!("files/{}", file.file_name()),
            Self::Credential(file) => format!("credentials/{}", file.file_name()),
        }
    }

    /// What a name of an archive is; `None` for one that no backup has.
    #[must_use]
    pub fn of_member(name: &str) -> Option<Self> {
        if name == "config/main.toml" {
            return Some(Self::Config);
        }
        if let Some(name) = name.strip_prefix(DROP_INS) {
            let stem = name.strip_suffix(".toml")?;
            let plain = !stem.is_empty()
                && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control());
            return plain.then(|| Self::DropIn(name.to_owned()));
        }
        let (folder, file) = name.split_once('/')?;
        let file = KeyFile::ALL
            .into_iter()
            .find(|one| one.file_name() == file)?;
        match folder {
            "keys" => Some(Self::Made(file)),
            "files" => Some(Self::Named(file)),
            "credentials" => Some(Self::Credential(file)),
            _ => None,
        }
    }
}

/// The name of a member of rows; they are numbered from 1.
pub(crate) fn chunk(number: u32) -> String {
    format!("index/{number:06}.rows")
}

const DROP_INS: &str = "config/conf.d/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_places_and_nowhere_else() {
        let mut places = vec![Place::Config, Place::DropIn("10-lines & more.toml".into())];
        for file in KeyFile::ALL {
            places.extend([
                Place::Made(file),
                Place::Named(file),
                Place::Credential(file),
            ]);
        }
        for place in places {
            assert_eq!(Place::of_member(&place.member()), Some(place));
        }
        for bad in [
            "",
            "config/../../etc/passwd",
            "config/conf.d/../x.toml",
            "config/conf.d/.toml",
            "config/conf.d/a/b.toml",
            "config/conf.d/a\n.toml",
            "config/conf.d/x.conf",
            "/keys/admin.key",
            "keys/../admin.key",
            "keys/id_rsa",
            "keys/",
            "index/000001.rows",
            "./keys/admin.key",
        ] {
            assert_eq!(Place::of_member(bad), None, "{bad:?}");
        }
    }
}
