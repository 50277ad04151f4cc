//! What a key is called by, its one spelling in an archive, and the hashes of members.

use ring::digest::SHA256;

use crate::ledger::chain::Hash;
use crate::ledger::key::PublicKey;
use crate::view::hex;

/// The SHA-256 of a key's 32 bytes, in hex: what to compare over the telephone. A key's id is its
/// first eight digits, of which two keys may have the same.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    Hash::of(&key.0).to_string()
}

/// A key whose file is spelt as [`PublicKey::to_pem`] does.
pub(crate) fn spelt(pem: &[u8]) -> Option<PublicKey> {
    let key = PublicKey::from_pem(std::str::from_utf8(pem).ok()?).ok()?;
    (key.to_pem().as_bytes() == pem).then_some(key)
}

/// SHA-256 and BLAKE3 of what goes by, in one pass.
pub(crate) struct Hashes {
    sha256: ring::digest::Context,
    blake3: blake3::Hasher,
    bytes: u64,
}

/// What [`Hashes`] found, in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) sha256: String,
    pub(crate) blake3: String,
    pub(crate) bytes: u64,
}

impl Hashes {
    pub(crate) fn new() -> Self {
        Self {
            sha256: ring::digest::Context::new(&SHA256),
            blake3: blake3::Hasher::new(),
            bytes: 0,
        }
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.sha256.update(piece);
        self.blake3.update(piece);
        self.bytes += piece.len() as u64;
    }

    pub(crate) fn finish(self) -> Hashed {
        let sha256 = self.sha256.finish();
        Hashed {
            sha256: sha256
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            blake3: hex(self.blake3.finalize().as_bytes()),
            bytes: self.bytes,
        }
    }

    pub(crate) fn of(bytes: &[u8]) -> Hashed {
        let mut hashes = Self::new();
        hashes.update(bytes);
        hashes.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling_and_hashes_are_those_of_everybody() {
        let key = PublicKey([7; 32]);
        let pem = key.to_pem();
        assert_eq!(spelt(pem.as_bytes()), Some(key));
        assert!(fingerprint(&key).starts_with(&key.id().to_string()));
        for at in 0..pem.len() {
            let mut bytes = pem.clone().into_bytes();
            bytes[at] ^= 1;
            assert_ne!(spelt(&bytes), Some(key), "byte {at}");
        }
        assert_eq!(spelt(pem.replace('\n', "\r\n").as_bytes()), None);
        assert_eq!(spelt(format!("{pem}\n").as_bytes()), None);
        let hashed = Hashes::of(b"abc");
        assert!(hashed.sha256.starts_with("ba7816bf8f01cfea") && hashed.bytes == 3);
        assert!(hashed.blake3.starts_with("6437b3ac38465133"));
    }
}
