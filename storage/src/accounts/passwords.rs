//! Passwords: Argon2id, a few at a time, and the same work for names that nobody has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};

use crate::error::AccountError;
use crate::limits::{PASSWORD_BYTES, PASSWORDS_AT_ONCE};

/// Hashes and verifies passwords.
pub(super) struct Passwords {
    /// The hash of no password, with the parameters of all others.
    nobody: String,
    /// How many are under way.
    busy: Mutex<usize>,
    free: Condvar,
    /// How often Argon2 ran, so that tests see that every outcome costs the same.
    runs: AtomicU64,
}

impl Passwords {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let (mut salt, mut output) = ([0; 16], [0; 32]);
        getrandom::fill(&mut salt)?;
        getrandom::fill(&mut output)?;
        let nobody = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: params()
                .and_then(|params| ParamsString::try_from(&params).ok())
                .unwrap_or_default(),
            salt: Salt::new(&salt).ok(),
            hash: Output::new(&output).ok(),
        };
        Ok(Self {
            nobody: nobody.to_string(),
            busy: Mutex::new(0),
            free: Condvar::new(),
            runs: AtomicU64::new(0),
        })
    }

    /// The PHC string of a new password.
    pub(super) fn hash(&self, password: &str) -> Result<String, AccountError> {
        if !is_long_enough(password) {
            return Err(AccountError::Password);
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(AccountError::Random)?;
        let params = params().ok_or(AccountError::Hash)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let _turn = self.turn();
        let hash = argon.hash_password_with_salt(password.as_bytes(), &salt);
        Ok(hash.map_err(|_| AccountError::Hash)?.to_string())
    }

    /// Whether a password is the one that was hashed; `None`, or a password that is none, costs
    /// what a wrong one costs.
    pub(super) fn verify(&self, password: &str, hash: Option<&str>) -> bool {
        let fits = is_long_enough(password);
        let known = hash.filter(|_| fits);
        let _turn = self.turn();
        self.runs.fetch_add(1, Ordering::Relaxed);
        let password = if fits { password } else { "no password" };
        let right = PasswordHash::new(known.unwrap_or(&self.nobody)).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        });
        right && known.is_some()
    }

    #[cfg(test)]
    pub(super) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn nobody(&self) -> &str {
        &self.nobody
    }

    /// Waits until fewer than [`PASSWORDS_AT_ONCE`] are under way.
    fn turn(&self) -> Turn<'_> {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .free
            .wait_while(busy, |busy| *busy >= PASSWORDS_AT_ONCE);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn(self)
    }
}

struct Turn<'p>(&'p Passwords);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = busy.saturating_sub(1);
        drop(busy);
        self.0.free.notify_one();
    }
}

fn is_long_enough(password: &str) -> bool {
    (PASSWORD_BYTES.0..=PASSWORD_BYTES.1).contains(&password.len())
}

fn params() -> Option<Params> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).ok()
}

/// Argon2id's memory in KiB, passes and lanes (RFC 9106; OWASP's first choice for 19 MiB).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
