//! The index's rows: one version byte, then the row in postcard. A version is never changed, only
//! followed by another; `tests/golden` keeps a stored sample of each.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::{SessionRow, SigningKey, UserRow};
use crate::ids::{TenantId, TenantName};
use crate::record::{Container, Family, KeyRow, Recording, Tenant, WallMillis};

/// The version that new rows are written with, where there has been no other.
pub const VERSION: u8 = 1;

/// The version that tenants' and keys' rows are written with.
pub const ACCOUNT_VERSION: u8 = 2;

/// A row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No bytes at all.
    #[error("the row is empty")]
    Empty,
    /// A version this program does not know.
    #[error("the row has version {0}, which this program does not know")]
    Version(u8),
    /// Bytes that are no row of this version.
    #[error("the row is damaged")]
    Damaged,
}

/// A recording's row as bytes.
#[must_use]
pub fn encode_recording(row: &Recording) -> Vec<u8> {
    encode(row)
}

/// A recording's row from bytes.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_recording(bytes: &[u8]) -> Result<Recording, ValueError> {
    decode(bytes)
}

/// A tenant's row as bytes.
#[must_use]
pub fn encode_tenant(row: &Tenant) -> Vec<u8> {
    encode_as(ACCOUNT_VERSION, row)
}

/// A tenant's row from bytes, of version 1 or 2.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_tenant(bytes: &[u8]) -> Result<Tenant, ValueError> {
    if bytes.first() != Some(&1) {
        return decode_as(ACCOUNT_VERSION, bytes);
    }
    let row: TenantV1 = decode_as(1, bytes)?;
    Ok(Tenant {
        id: row.id,
        name: row.name,
        created_at: row.created_at,
        disabled_at: None,
        keep_as: Container::Wav,
    })
}

/// A key's row as bytes.
#[must_use]
pub fn encode_key(row: &KeyRow) -> Vec<u8> {
    encode_as(ACCOUNT_VERSION, row)
}

/// A key's row from bytes, of version 1 or 2.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_key(bytes: &[u8]) -> Result<KeyRow, ValueError> {
    if bytes.first() != Some(&1) {
        return decode_as(ACCOUNT_VERSION, bytes);
    }
    let row: KeyRowV1 = decode_as(1, bytes)?;
    Ok(KeyRow {
        key_id: row.key_id,
        tenant: row.tenant,
        family: row.family,
        secret_hash: row.secret_hash,
        label: row.label,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
        expires_at: None,
        allow: Vec::new(),
        user_id: None,
    })
}

/// A user's row as bytes.
#[must_use]
pub fn encode_user(row: &UserRow) -> Vec<u8> {
    encode(row)
}

/// A user's row from bytes.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_user(bytes: &[u8]) -> Result<UserRow, ValueError> {
    decode(bytes)
}

/// A session's row as bytes.
#[must_use]
pub fn encode_session(row: &SessionRow) -> Vec<u8> {
    encode(row)
}

/// A session's row from bytes.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_session(bytes: &[u8]) -> Result<SessionRow, ValueError> {
    decode(bytes)
}

/// A signing key's row as bytes.
#[must_use]
pub fn encode_signing_key(row: &SigningKey) -> Vec<u8> {
    encode(row)
}

/// A signing key's row from bytes.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_signing_key(bytes: &[u8]) -> Result<SigningKey, ValueError> {
    decode(bytes)
}

/// An address's or a name's failures as bytes.
#[must_use]
pub fn encode_tries(row: &TriesRow) -> Vec<u8> {
    encode(row)
}

/// An address's or a name's failures from bytes.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_tries(bytes: &[u8]) -> Result<TriesRow, ValueError> {
    decode(bytes)
}

/// What is remembered of an address or a name that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriesRow {
    /// When, oldest first, in milliseconds of wall time; only as many as a lock needs.
    pub failures: Vec<u64>,
    /// When a block began.
    pub blocked_at: Option<u64>,
}

/// Version 1 of a tenant's row.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct TenantV1 {
    id: TenantId,
    name: TenantName,
    created_at: WallMillis,
}

/// Version 1 of a key's row.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct KeyRowV1 {
    key_id: u64,
    tenant: TenantId,
    family: Family,
    secret_hash: [u8; 32],
    label: String,
    created_at: WallMillis,
    revoked_at: Option<WallMillis>,
}

fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    encode_as(VERSION, row)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    decode_as(VERSION, bytes)
}

fn encode_as<T: Serialize>(version: u8, row: &T) -> Vec<u8> {
    // Serialising plain structs into memory has no way to fail; an empty row would be refused
    // by every reader.
    postcard::to_extend(row, vec![version]).unwrap_or_default()
}

fn decode_as<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, ValueError> {
    match bytes.split_first() {
        None => Err(ValueError::Empty),
        Some((&found, rest)) if found == version => match postcard::take_from_bytes(rest) {
            Ok((row, [])) => Ok(row),
            _ => Err(ValueError::Damaged),
        },
        Some((&other, _)) => Err(ValueError::Version(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_recording, sealed};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = decode_recording(&bytes);
            let _ = decode_tenant(&bytes);
            let _ = decode_key(&bytes);
        }

        #[test]
        fn damaged_rows_never_panic(at in 0usize..400, bit in 0u8..8) {
            let mut bytes = encode_recording(&sealed(a_recording(1, 7)));
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = decode_recording(&bytes);
            bytes.truncate(at);
            prop_assert!(decode_recording(&bytes).is_err());
        }

        #[test]
        fn rows_come_back_as_they_were(tenant: u32, id: u64) {
            let row = sealed(a_recording(tenant, id));
            prop_assert_eq!(decode_recording(&encode_recording(&row)), Ok(row));
        }
    }

    #[test]
    fn version_1_rows_read_as_ever() {
        let stored = include_bytes!("../../golden/recording_v1.row");
        let row = sealed(a_recording(3, 42));
        assert_eq!(decode_recording(stored), Ok(row.clone()));
        assert_eq!(encode_recording(&row), stored);
    }

    #[test]
    fn unknown_versions_are_named() {
        assert_eq!(decode_recording(&[]), Err(ValueError::Empty));
        assert_eq!(decode_recording(&[9, 1, 2]), Err(ValueError::Version(9)));
    }
}
