//! The Ed25519 keys that checkpoints and manifests are signed with: PKCS#8 in PEM, as `openssl
//! genpkey -algorithm ed25519` writes it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::chain::{Hash, parse_hex, write_hex};
use crate::paths::{Layout, create_dirs, sync_dir};
use crate::restore::kept;

/// What stands before the 32 bytes of a private key (RFC 8410).
const PRIVATE: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// What stands before the 32 bytes of a public key (RFC 8410).
const PUBLIC: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// The longest key file that is read, in bytes.
const FILE_MAX: u64 = 16 * 1024;

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not the PEM that was looked for.
    #[error("it has no '-----BEGIN {0}-----' with base64 in it")]
    Pem(&'static str),
    /// No Ed25519 key.
    #[error("it is no Ed25519 key; 'openssl genpkey -algorithm ed25519' makes one")]
    Kind,
    /// The system gave no random bytes.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
}

/// The first four bytes of the SHA-256 of a public key: 8 lower-case digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// From 8 lower-case digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Its short name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let [a, b, c, d, ..] = Hash::of(&self.0).0;
        KeyId([a, b, c, d])
    }

    /// Whether this key made this signature of these bytes.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(message, signature).is_ok()
    }

    /// The 32 bytes in base64, as the ledger's entry `signing_key` has them.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// From base64 in its one spelling.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// As `openssl` reads it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let der = [&PUBLIC[..], &self.0].concat();
        pem("PUBLIC KEY", &der)
    }

    /// From PEM.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = der_of(text, "PUBLIC KEY")?;
        let bytes = der.strip_prefix(&PUBLIC).ok_or(KeyError::Kind)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Kind)
    }
}

/// A private key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

impl SigningKey {
    /// From PEM.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_der(&der_of(text, "PRIVATE KEY")?)
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        // openssl leaves the public key out of the file, which `from_pkcs8` would refuse.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Kind)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map(PublicKey).map_err(|_| KeyError::Kind)?;
        Ok(Self { pair, public })
    }

    /// Reads a key's file.
    ///
    /// # Errors
    /// [`KeyError`]; `Io` with `NotFound` where there is none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let mut text = String::new();
        File::open(path)?.take(FILE_MAX).read_to_string(&mut text)?;
        Self::from_pem(&text)
    }

    /// Makes a key and its file, for its owner alone, durably.
    ///
    /// # Errors
    /// [`KeyError`]; a file that is there is never overwritten.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(KeyError::Random)?;
        let der = [&PRIVATE[..], &seed].concat();
        let key = Self::from_der(&der)?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        crate::paths::unlink_if_there(&temporary)?;
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(pem("PRIVATE KEY", &der).as_bytes())?;
        file.sync_all()?;
        // A link, not a rename: what is there stays.
        let linked = std::fs::hard_link(&temporary, path);
        crate::paths::unlink_if_there(&temporary)?;
        linked?;
        path.parent().map_or(Ok(()), sync_dir)?;
        Ok(key)
    }

    /// Makes a store a key in place of one that is lost, for whoever the store belongs to.
    ///
    /// # Errors
    /// [`KeyError`]; a key that is there is never overwritten.
    pub fn create_in(data_dir: &Path) -> Result<(PathBuf, Self), KeyError> {
        let layout = Layout::new(data_dir);
        let (folder, path) = (layout.keys(), layout.ledger_key());
        if !folder.exists() {
            create_dirs(layout.root(), &folder)?;
            kept::only_for_owner(&folder)?;
        }
        let key = Self::create(&path)?;
        kept::hand_over(layout.root(), &folder)?;
        Ok((path, key))
    }

    /// The key that verifies.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        let signed = self.pair.sign(message);
        signature.copy_from_slice(signed.as_ref());
        signature
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = format!("-----BEGIN {what}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        lines.push_str(line);
        lines.push('\n');
        rest = more;
    }
    lines.push_str(&format!("-----END {what}-----\n"));
    lines
}

fn der_of(text: &str, what: &'static str) -> Result<Vec<u8>, KeyError> {
    let (begin, end) = (
        format!("-----BEGIN {what}-----"),
        format!("-----END {what}-----"),
    );
    let inner = text
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end));
    let (inner, _) = inner.ok_or(KeyError::Pem(what))?;
    let base64: String = inner.split_whitespace().collect();
    STANDARD.decode(base64).map_err(|_| KeyError::Pem(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`.
    const THEIRS: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIBkx6OvCP5wrrOAAfa8NRcOytkERmVMfi233i2ecV4Ei\n\
        -----END PRIVATE KEY-----\n";
    const THEIR_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAcoaPR8e0aJA6xROEez9AChbRNlfsM7vu5X3rbT4460c=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn keys_are_those_of_openssl() {
        let key = SigningKey::from_pem(THEIRS).unwrap();
        assert_eq!(key.public(), PublicKey::from_pem(THEIR_PUBLIC).unwrap());
        assert_eq!(key.public().to_pem(), THEIR_PUBLIC);
    }

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.pem");
        assert!(matches!(SigningKey::read(&path), Err(KeyError::Io(_))));
        let key = SigningKey::create(&path).unwrap();
        assert!(SigningKey::create(&path).is_err());
        let again = SigningKey::read(&path).unwrap();
        assert_eq!(again.public(), key.public());
        let public = PublicKey::from_base64(&key.public().to_base64()).unwrap();
        let signature = again.sign(b"message");
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"massage", &signature));
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(matches!(SigningKey::from_pem(""), Err(KeyError::Pem(_))));
        let cut = THEIRS.replace("4Ei", "");
        assert!(SigningKey::from_pem(&cut).is_err());
        assert!(matches!(
            SigningKey::from_pem(THEIR_PUBLIC),
            Err(KeyError::Pem(_))
        ));
    }
}
