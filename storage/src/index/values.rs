//! The index's rows: one version byte, then the row in postcard. A version is never changed, only
//! followed by another; `tests/golden` keeps a stored sample of each.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::old_rows::{KeyRowV1, RecordingV1, RecordingV2, RecordingV3, TenantV1};
use super::old_users::UserV1;
use crate::account::{SessionRow, SigningKey, UserRow};
use crate::record::{KeyRow, Recording, Tenant};

/// The version that new rows are written with, where there has been no other.
pub const VERSION: u8 = 1;

/// The version that recordings' rows are written with.
pub const RECORDING_VERSION: u8 = 4;

/// The version that tenants' and keys' rows are written with.
pub const ACCOUNT_VERSION: u8 = 2;

/// The version that users' rows are written with.
pub const USER_VERSION: u8 = 2;

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
    encode_as(RECORDING_VERSION, row)
}

/// A recording's row from bytes, of version 1 to 4.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_recording(bytes: &[u8]) -> Result<Recording, ValueError> {
    match bytes.first() {
        Some(1) => decode_as::<RecordingV1>(1, bytes).map(Recording::from),
        Some(2) => decode_as::<RecordingV2>(2, bytes).map(Recording::from),
        Some(3) => decode_as::<RecordingV3>(3, bytes).map(Recording::from),
        _ => decode_as(RECORDING_VERSION, bytes),
    }
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
    decode_as::<TenantV1>(1, bytes).map(Tenant::from)
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
    decode_as::<KeyRowV1>(1, bytes).map(KeyRow::from)
}

/// A user's row as bytes.
#[must_use]
pub fn encode_user(row: &UserRow) -> Vec<u8> {
    encode_as(USER_VERSION, row)
}

/// A user's row from bytes, of version 1 or 2.
///
/// # Errors
/// [`ValueError`]; never panics, whatever the bytes are.
pub fn decode_user(bytes: &[u8]) -> Result<UserRow, ValueError> {
    if bytes.first() != Some(&1) {
        return decode_as(USER_VERSION, bytes);
    }
    decode_as::<UserV1>(1, bytes).map(UserRow::from)
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

pub(super) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    encode_as(VERSION, row)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    decode_as(VERSION, bytes)
}

pub(super) fn encode_as<T: Serialize>(version: u8, row: &T) -> Vec<u8> {
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
    use ipnet::IpNet;

    use super::super::old_rows::OutcomeV1;
    use super::*;
    use crate::account::Role;
    use crate::ids::{AgentName, TenantId, TenantName, UserName};
    use crate::record::{CallDirection, Container, Family, TimeQuality, WallMillis};
    use crate::testing::{a_recording, marks, sealed};
    use audio_io::units::Millis;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = decode_recording(&bytes);
            let _ = decode_tenant(&bytes);
            let _ = decode_key(&bytes);
            let _ = decode_user(&bytes);
            let _ = decode_session(&bytes);
            let _ = decode_signing_key(&bytes);
            let _ = decode_tries(&bytes);
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
        fn rows_come_back_as_they_were(tenant: u32, id: u64, marked: bool) {
            let mut row = sealed(a_recording(tenant, id));
            if marked {
                row.outcome.as_mut().unwrap().marks = marks();
            }
            prop_assert_eq!(decode_recording(&encode_recording(&row)), Ok(row));
        }
    }

    #[test]
    fn version_1_rows_read_as_ever() {
        let row = sealed(a_recording(3, 42));
        let outcome = row.outcome.clone().unwrap();
        let old = RecordingV1 {
            facts: row.facts.clone().into(),
            state: row.state,
            outcome: Some(OutcomeV1 {
                end_cause: outcome.end_cause,
                frames: outcome.frames,
                gaps: outcome.gaps,
                levels: outcome.levels,
                size_bytes: outcome.size_bytes,
                content_hash: outcome.content_hash,
                sealed_at: outcome.sealed_at,
            }),
        };
        let stored = include_bytes!("../../golden/recording_v1.row");
        assert_eq!(encode_as(1, &old), stored);
        assert_eq!(decode_recording(stored), Ok(row));
        let live = a_recording(3, 42);
        let old = RecordingV1 {
            facts: live.facts.clone().into(),
            state: live.state,
            outcome: None,
        };
        let bytes = encode_as(1, &old);
        assert_eq!(decode_recording(&bytes), Ok(live), "without an outcome");
    }

    #[test]
    fn version_2_of_recordings_reads_as_ever() {
        let mut row = sealed(a_recording(3, 42));
        row.outcome.as_mut().unwrap().marks = marks();
        let stored = include_bytes!("../../golden/recording_v2.row");
        assert_eq!(decode_recording(stored), Ok(row.clone()));
        let old = RecordingV2 {
            facts: row.facts.into(),
            state: row.state,
            outcome: row.outcome,
        };
        assert_eq!(encode_as(2, &old), stored);
    }

    #[test]
    fn version_3_of_recordings_reads_as_ever() {
        let mut row = sealed(a_recording(3, 42));
        row.outcome.as_mut().unwrap().marks = marks();
        row.facts.time = Some(TimeQuality {
            synchronised: Some(true),
            max_error: Some(Millis(300)),
            stepped: true,
            implausible: false,
        });
        let stored = include_bytes!("../../golden/recording_v3.row");
        assert_eq!(decode_recording(stored), Ok(row.clone()));
        let old = RecordingV3 {
            facts: row.facts.into(),
            state: row.state,
            outcome: row.outcome,
        };
        assert_eq!(encode_as(3, &old), stored);
    }

    #[test]
    fn version_4_of_recordings_reads_as_ever() {
        let mut row = sealed(a_recording(3, 42));
        row.facts.agent = Some(AgentName::new("j.doe@acme").unwrap());
        row.facts.direction = Some(CallDirection::Out);
        let stored = include_bytes!("../../golden/recording_v4.row");
        assert_eq!(decode_recording(stored), Ok(row.clone()));
        assert_eq!(encode_recording(&row), stored);
    }

    fn a_key() -> KeyRow {
        KeyRow {
            key_id: 77,
            tenant: TenantId(3),
            family: Family::TaskAudio,
            secret_hash: [0x5A; 32],
            label: "web page".into(),
            created_at: WallMillis(1_763_700_000_000),
            revoked_at: Some(WallMillis(1_763_700_100_000)),
            expires_at: None,
            allow: Vec::new(),
            user_id: None,
        }
    }

    fn a_tenant() -> Tenant {
        Tenant {
            id: TenantId(3),
            name: TenantName::new("acme").unwrap(),
            created_at: WallMillis(1_763_700_000_000),
            disabled_at: None,
            keep_as: Container::Wav,
        }
    }

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn version_1_of_keys_and_tenants_reads_with_what_it_meant() {
        let (key, tenant) = (a_key(), a_tenant());
        let old = KeyRowV1 {
            key_id: key.key_id,
            tenant: key.tenant,
            family: key.family,
            secret_hash: key.secret_hash,
            label: key.label.clone(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
        };
        let stored = include_bytes!("../../golden/key_v1.row");
        assert_eq!(encode_as(1, &old), stored);
        assert_eq!(decode_key(stored), Ok(key));
        let old = TenantV1 {
            id: tenant.id,
            name: tenant.name.clone(),
            created_at: tenant.created_at,
        };
        let stored = include_bytes!("../../golden/tenant_v1.row");
        assert_eq!(encode_as(1, &old), stored);
        assert_eq!(decode_tenant(stored), Ok(tenant));
    }

    #[test]
    fn version_2_of_keys_and_tenants_reads_as_ever() {
        let key = KeyRow {
            expires_at: Some(WallMillis(1_763_800_000_000)),
            allow: nets(&["10.1.2.0/24", "2001:db8::/32"]),
            user_id: Some(9),
            ..a_key()
        };
        let stored = include_bytes!("../../golden/key_v2.row");
        assert_eq!(decode_key(stored), Ok(key.clone()));
        assert_eq!(encode_key(&key), stored);
        let tenant = Tenant {
            disabled_at: Some(WallMillis(1_763_700_100_000)),
            keep_as: Container::M4a,
            ..a_tenant()
        };
        let stored = include_bytes!("../../golden/tenant_v2.row");
        assert_eq!(decode_tenant(stored), Ok(tenant.clone()));
        assert_eq!(encode_tenant(&tenant), stored);
    }

    fn a_user() -> UserRow {
        UserRow {
            user_id: 9,
            tenant: TenantId(3),
            name: UserName::new("supervisor@acme").unwrap(),
            role: Role::Supervisor,
            password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
            allow: nets(&["192.0.2.0/24"]),
            created_at: WallMillis(1_763_700_000_000),
            disabled_at: None,
            groups: Vec::new(),
            line: None,
        }
    }

    #[test]
    fn rows_of_users_and_theirs_read_as_ever() {
        let user = a_user();
        let stored = include_bytes!("../../golden/user_v1.row");
        assert_eq!(decode_user(stored), Ok(user.clone()));
        let session = SessionRow {
            session_id: 12,
            user_id: 9,
            user: user.name,
            tenant: TenantId(3),
            role: Role::Supervisor,
            token_hash: [0xC3; 32],
            created_at: WallMillis(1_763_700_000_000),
            used_at: WallMillis(1_763_700_060_000),
            from: "2001:db8::7".parse().unwrap(),
        };
        let stored = include_bytes!("../../golden/session_v1.row");
        assert_eq!(decode_session(stored), Ok(session.clone()));
        assert_eq!(encode_session(&session), stored);
        let key = SigningKey {
            id: 2,
            secret: [0x3C; 32],
            created_at: WallMillis(1_763_700_000_000),
            retired_at: None,
        };
        let stored = include_bytes!("../../golden/signing_key_v1.row");
        assert_eq!(decode_signing_key(stored), Ok(key.clone()));
        assert_eq!(encode_signing_key(&key), stored);
        let tries = TriesRow {
            failures: vec![1_763_700_000_000, 1_763_700_000_500],
            blocked_at: Some(1_763_700_000_500),
        };
        let stored = include_bytes!("../../golden/tries_v1.row");
        assert_eq!(decode_tries(stored), Ok(tries.clone()));
        assert_eq!(encode_tries(&tries), stored);
    }

    proptest! {
        #[test]
        fn networks_take_few_bytes_and_come_back(
            v4: [u8; 4], bits4 in 0u8..=32, v6: [u16; 8], bits6 in 0u8..=128,
        ) {
            let plain = encode_key(&a_key()).len();
            let nets = [
                IpNet::new(v4.into(), bits4).unwrap(),
                IpNet::new(v6.into(), bits6).unwrap(),
            ];
            for (net, bytes) in nets.into_iter().zip([6, 18]) {
                let key = KeyRow { allow: vec![net], ..a_key() };
                let row = encode_key(&key);
                prop_assert_eq!(row.len(), plain + bytes);
                prop_assert_eq!(decode_key(&row), Ok(key));
            }
        }
    }

    #[test]
    fn unknown_versions_are_named() {
        assert_eq!(decode_key(&[3, 1]), Err(ValueError::Version(3)));
        assert_eq!(decode_tenant(&[]), Err(ValueError::Empty));
        assert_eq!(decode_user(&[3, 1]), Err(ValueError::Version(3)));
        assert_eq!(decode_recording(&[]), Err(ValueError::Empty));
        assert_eq!(decode_recording(&[9, 1, 2]), Err(ValueError::Version(9)));
    }
}
