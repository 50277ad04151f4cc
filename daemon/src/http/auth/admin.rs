//! The administrator's key (`X-Admin-API-Key`), from the file that `[admin] key_file` names. Only a
//! hash of it is kept, under a key of this run.

use std::fs::File;
use std::io::{self, Read};

use arc_swap::ArcSwap;
use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use storage::limits::APP_KEY_MIN;

use super::application::header;
use super::refuse;
use crate::config::schema::Admin;
use crate::engine::webhook::application::{APP_KEY_MAX, is_key};
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::ratelimit;
use crate::http::service::Call;
use crate::http::trail::refusals::{Refusal, tell};

/// The key in force.
pub(in crate::http) struct AdminKey {
    run: [u8; blake3::KEY_LEN],
    held: ArcSwap<Held>,
}

enum Held {
    /// None is configured.
    Nothing,
    /// The file holds none.
    Unreadable,
    /// Its hash.
    Hash(blake3::Hash),
}

/// Why a file holds no key.
#[derive(Debug, thiserror::Error)]
enum KeyFileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it has more than {} bytes", limits::ADMIN_KEY_FILE_BYTES)]
    Long,
    #[error("it does not hold {least} to {most} printable characters without spaces on one line",
            least = APP_KEY_MIN, most = APP_KEY_MAX)]
    Form,
}

impl AdminKey {
    /// The key of a configuration. One that cannot be read is told to the journal.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub(in crate::http) fn new(config: &Admin) -> Result<Self, getrandom::Error> {
        let mut run = [0; blake3::KEY_LEN];
        getrandom::fill(&mut run)?;
        let key = Self {
            run,
            held: ArcSwap::from_pointee(Held::Nothing),
        };
        key.reload(config);
        Ok(key)
    }

    /// Reads the key again.
    pub(in crate::http) fn reload(&self, config: &Admin) {
        let held = match &config.key_file {
            None => Held::Nothing,
            Some(path) => match read(path) {
                Ok(key) => Held::Hash(self.hash(&key)),
                Err(error) => {
                    let path = path.display();
                    log::error!("admin.key_file: no key can be read from {path}: {error}");
                    Held::Unreadable
                }
            },
        };
        self.held.store(held.into());
    }

    fn hash(&self, key: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.run, key.as_bytes())
    }
}

/// Lets the administrator in.
///
/// # Errors
/// 503 if there is no key; 401 without the right one; 429 for an address that keeps asking.
pub(in crate::http) fn admit(call: &Call<'_>) -> Result<(), Problem> {
    let site = &call.worker.site;
    let peer = call.connection.peer.ip();
    let refused = |message| {
        ratelimit::charge_stranger(site, peer)?;
        Err(refuse(site, peer, unauthorized(message)))
    };
    match &**site.admin.held.load() {
        Held::Nothing => Err(closed(
            "No admin key is configured",
            "Set key_file in [admin] of the configuration",
        )),
        Held::Unreadable => Err(closed(
            "The admin key cannot be read",
            "The journal says why; mend the file and reload the configuration",
        )),
        Held::Hash(expected) => match header(call.parts, HEADER) {
            None => refused("Missing admin API key"),
            // Hashes compare in constant time.
            Some(key) if site.admin.hash(key) == *expected => Ok(()),
            Some(_) => {
                let family = call.policy.group;
                tell(site, &Refusal::new(call.parts, peer, family, WRONG));
                refused("Invalid admin API key")
            }
        },
    }
}

fn closed(message: &'static str, detail: &'static str) -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(status, "admin_closed", message).detail(detail)
}

fn unauthorized(message: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
        .detail("Send the administrator's key in X-Admin-API-Key")
        .header(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("ApiKey header=\"X-Admin-API-Key\""),
        )
}

fn read(path: &std::path::Path) -> Result<String, KeyFileError> {
    let mut text = Vec::new();
    let most = limits::ADMIN_KEY_FILE_BYTES;
    File::open(path)?.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        return Err(KeyFileError::Long);
    }
    let text = String::from_utf8(text).map_err(|_| KeyFileError::Form)?;
    let key = text.trim_ascii();
    is_key(key)
        .then(|| key.to_owned())
        .ok_or(KeyFileError::Form)
}

/// Why, as the ledger tells it.
const WRONG: &str = "unknown administrator's key";

const HEADER: &str = "x-admin-api-key";
