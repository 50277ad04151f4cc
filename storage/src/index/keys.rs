//! The index's keys: big-endian numbers and plain bytes, so that byte order is the order of
//! meaning. Every key that leads to a recording begins with its tenant.

use uuid::Uuid;

use crate::ids::{RecordingId, TenantId};
use crate::record::{RecordingState, WallMillis};

/// tenant (4), id (8).
pub type RecordingKey = [u8; 12];
/// tenant (4), start in milliseconds (8), id (8).
pub type TimeKey = [u8; 20];
/// tenant (4), UUID (16).
pub type UuidKey = [u8; 20];
/// tenant (4), UUID (16), id (8): a session may have several recordings.
pub type SessionKey = [u8; 28];
/// tenant (4), state (1).
pub type CountKey = [u8; 5];

/// The key of a recording's row.
#[must_use]
pub fn recording(tenant: TenantId, id: RecordingId) -> RecordingKey {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&tenant.0.to_be_bytes());
    key[4..].copy_from_slice(&id.0.to_be_bytes());
    key
}

/// Takes a recording's key apart.
#[must_use]
pub fn split_recording(key: &RecordingKey) -> (TenantId, RecordingId) {
    (TenantId(be32(&key[..4])), RecordingId(be64(&key[4..])))
}

/// The key under which a recording is found by its start.
#[must_use]
pub fn by_time(tenant: TenantId, started_at: WallMillis, id: RecordingId) -> TimeKey {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&tenant.0.to_be_bytes());
    key[4..12].copy_from_slice(&started_at.0.to_be_bytes());
    key[12..].copy_from_slice(&id.0.to_be_bytes());
    key
}

/// Takes a time key apart.
#[must_use]
pub fn split_time(key: &TimeKey) -> (TenantId, WallMillis, RecordingId) {
    (
        TenantId(be32(&key[..4])),
        WallMillis(be64(&key[4..12])),
        RecordingId(be64(&key[12..])),
    )
}

/// The key of a textual name.
#[must_use]
pub fn text(tenant: TenantId, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + name.len());
    key.extend_from_slice(&tenant.0.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key
}

/// The key of a UUID that names one recording.
#[must_use]
pub fn uuid(tenant: TenantId, name: Uuid) -> UuidKey {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&tenant.0.to_be_bytes());
    key[4..].copy_from_slice(name.as_bytes());
    key
}

/// The key of a session's recording.
#[must_use]
pub fn session(tenant: TenantId, name: Uuid, id: RecordingId) -> SessionKey {
    let mut key = [0; 28];
    key[..20].copy_from_slice(&uuid(tenant, name));
    key[20..].copy_from_slice(&id.0.to_be_bytes());
    key
}

/// The key of a tenant's number of recordings in a state.
#[must_use]
pub fn count(tenant: TenantId, state: RecordingState) -> CountKey {
    let mut key = [0; 5];
    key[..4].copy_from_slice(&tenant.0.to_be_bytes());
    key[4] = state_byte(state);
    key
}

/// A state's number on disk.
#[must_use]
pub const fn state_byte(state: RecordingState) -> u8 {
    match state {
        RecordingState::Live => 0,
        RecordingState::Stored => 1,
        RecordingState::Absent => 2,
        RecordingState::Failed => 3,
    }
}

/// What a time key leads to: the state (1) and a CRC-32 of the line's name (4), so that filters
/// pass over rows without reading them.
#[must_use]
pub fn summary(state: RecordingState, line: Option<&str>) -> [u8; 5] {
    let mut value = [0; 5];
    value[0] = state_byte(state);
    value[1..].copy_from_slice(&line_hash(line).to_be_bytes());
    value
}

/// The CRC-32 of a line's name; 0 without one.
#[must_use]
pub fn line_hash(line: Option<&str>) -> u32 {
    line.map_or(0, |line| crc32fast::hash(line.as_bytes()))
}

pub(crate) fn be32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |value, byte| value << 8 | u32::from(*byte))
}

pub(crate) fn be64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_apart_as_they_went_together(tenant: u32, at: u64, id: u64) {
            let (tenant, at, id) = (TenantId(tenant), WallMillis(at), RecordingId(id));
            prop_assert_eq!(split_recording(&recording(tenant, id)), (tenant, id));
            prop_assert_eq!(split_time(&by_time(tenant, at, id)), (tenant, at, id));
        }

        #[test]
        fn byte_order_is_the_order_of_meaning(
            a: (u32, u64, u64), b: (u32, u64, u64),
        ) {
            let key = |t: (u32, u64, u64)| {
                by_time(TenantId(t.0), WallMillis(t.1), RecordingId(t.2))
            };
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            let row = |t: (u32, u64, u64)| recording(TenantId(t.0), RecordingId(t.2));
            prop_assert_eq!(row(a).cmp(&row(b)), (a.0, a.2).cmp(&(b.0, b.2)));
        }

        #[test]
        fn tenants_never_share_a_name(a: u32, b: u32, name in "[a-z0-9]{1,20}") {
            let equal = text(TenantId(a), &name) == text(TenantId(b), &name);
            prop_assert_eq!(equal, a == b);
        }
    }
}
