//! Issued keys: secrets are shown once; what is kept is their keyed BLAKE3 hash, and all of them
//! in memory, so that a request costs no read of the index.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::error::KeyError;
use crate::record::{Family, KeyRow};

/// All keys that are not revoked, by the hash of their secret.
pub(crate) struct Keys {
    hash_secret: [u8; 32],
    valid: ArcSwap<HashMap<[u8; 32], KeyRow>>,
}

impl Keys {
    pub(crate) fn new(hash_secret: [u8; 32], rows: Vec<KeyRow>) -> Self {
        let keys = Self {
            hash_secret,
            valid: ArcSwap::default(),
        };
        keys.replace(rows);
        keys
    }

    /// Takes over what the index holds now.
    pub(crate) fn replace(&self, rows: Vec<KeyRow>) {
        let valid = rows.into_iter().filter(|row| row.revoked_at.is_none());
        self.valid
            .store(Arc::new(valid.map(|row| (row.secret_hash, row)).collect()));
    }

    pub(crate) fn hash(&self, secret: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.hash_secret, secret.as_bytes()).as_bytes()
    }

    /// The key of a secret. The look-up compares keyed hashes: how long it takes says nothing
    /// about the secret to anyone who does not know the hash key.
    pub(crate) fn find(&self, family: Family, secret: &str) -> Option<KeyRow> {
        let row = self.valid.load().get(&self.hash(secret)).cloned();
        row.filter(|row| row.family == family)
    }

    /// Whether a key is known and not revoked.
    pub(crate) fn is_valid(&self, key_id: u64) -> bool {
        self.valid.load().values().any(|row| row.key_id == key_id)
    }
}

/// A fresh secret of a family: a prefix and 32 letters or digits (190 bits).
pub(crate) fn new_secret(family: Family) -> Result<String, KeyError> {
    let mut secret = String::from(match family {
        Family::TaskAudio => "vas_",
        Family::PlayAudioFile => "paf_",
        Family::SessionCommands => "ses_",
        Family::CallRecording => "cr_",
        Family::VoiceLog => "vl_",
        Family::Supervisor => "sv_",
    });
    let mut wanted = 32;
    while wanted > 0 {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
        // 248 is the largest multiple of 62 in a byte: what is above would favour some letters.
        let letters = bytes.iter().filter(|byte| **byte < 248).take(wanted);
        let before = secret.len();
        secret.extend(letters.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
        wanted -= secret.len() - before;
    }
    Ok(secret)
}

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_familys_shape() {
        let secret = new_secret(Family::TaskAudio).unwrap();
        let rest = secret.strip_prefix("vas_").unwrap();
        assert_eq!(rest.len(), 32);
        assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(secret, new_secret(Family::TaskAudio).unwrap());
    }
}
