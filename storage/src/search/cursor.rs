//! Cursors: where a page ended, under a keyed BLAKE3 that covers the search itself, so that one
//! that was made up, or belongs to another search, another tenant or another store, is told apart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{SearchError, SearchQuery};
use crate::ids::TenantId;
use crate::index::search::lists::Place;

/// 1 for the version, 1 for the direction, 16 for the place, 16 for the seal.
const BYTES: usize = 34;
const VERSION: u8 = 1;

/// Makes and reads cursors of one store.
pub(crate) struct Cursors {
    key: [u8; 32],
}

/// Those of one search.
pub(super) struct Seal {
    hasher: blake3::Hasher,
}

/// Where to go on, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) is_back: bool,
    pub(super) place: Place,
}

impl Cursors {
    /// Keyed by the store's secret.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self {
            key: blake3::derive_key("callreel 2026-11 cursors of searches", secret),
        }
    }

    pub(super) fn of(&self, tenant: TenantId, query: &SearchQuery) -> Seal {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&tenant.0.to_be_bytes());
        // Plain structs have no way to fail to be written into memory.
        let query = postcard::to_stdvec(query).unwrap_or_default();
        hasher.update(&(query.len() as u64).to_be_bytes());
        hasher.update(&query);
        Seal { hasher }
    }
}

impl Seal {
    pub(super) fn close(&self, is_back: bool, place: Place) -> String {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1] = u8::from(is_back);
        bytes[2..18].copy_from_slice(&place.0.to_be_bytes());
        let seal = self.seal(&bytes[..18]);
        bytes[18..].copy_from_slice(&seal.as_bytes()[..16]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn open(&self, text: &str) -> Result<Start, SearchError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| SearchError::Cursor)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| SearchError::Cursor)?;
        let (told, sealed) = bytes.split_at(18);
        let seal = self.seal(told);
        let is_ours = subtle::ConstantTimeEq::ct_eq(&seal.as_bytes()[..16], sealed);
        let (Some(place), true) = (told[2..].first_chunk(), bool::from(is_ours)) else {
            return Err(SearchError::Cursor);
        };
        if told[0] != VERSION || told[1] > 1 {
            return Err(SearchError::Cursor);
        }
        Ok(Start {
            is_back: told[1] == 1,
            place: Place(u128::from_be_bytes(*place)),
        })
    }

    fn seal(&self, told: &[u8]) -> blake3::Hash {
        let mut hasher = self.hasher.clone();
        hasher.update(told);
        hasher.finalize()
    }
}
