//! The index's rows: one version byte, then the row in postcard. A version is never changed, only
//! followed by another; `tests/golden` keeps a stored sample of each.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::record::{KeyRow, Recording, Tenant};

/// The version that new rows are written with.
pub const VERSION: u8 = 1;

/// A row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No bytes at all.
    #[error("the row is empty")]
    Empty,
    /// A version this program does not know.
    #[error("the row has version {0}, known is {VERSION}")]
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
    encode(row)
}

/// A tenant's row from bytes.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_tenant(bytes: &[u8]) -> Result<Tenant, ValueError> {
    decode(bytes)
}

/// A key's row as bytes.
#[must_use]
pub fn encode_key(row: &KeyRow) -> Vec<u8> {
    encode(row)
}

/// A key's row from bytes.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_key(bytes: &[u8]) -> Result<KeyRow, ValueError> {
    decode(bytes)
}

pub(super) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    // Serialising plain structs into memory has no way to fail; an empty row would be refused
    // by every reader.
    postcard::to_extend(row, vec![VERSION]).unwrap_or_default()
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    match bytes.split_first() {
        None => Err(ValueError::Empty),
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
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
