//! The outbox's keys: tenant (4) and application (4) first, numbers big-endian.

use uuid::Uuid;

use crate::ids::TenantId;
use crate::index::keys::{be32, be64};
use crate::outbox::{AppKey, EventPlace, OutboxTime};

/// Tenant and application: the key of what there is one of each, and where all other keys begin.
pub(crate) fn app(app: AppKey) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&app.tenant.0.to_be_bytes());
    key[4..].copy_from_slice(&app.number.to_be_bytes());
    key
}

/// Tenant and application of any key.
pub(crate) fn split_app(key: &[u8]) -> AppKey {
    AppKey {
        tenant: TenantId(be32(key)),
        number: be32(key.get(4..).unwrap_or_default()),
    }
}

/// Where an event waits, or lies dead.
pub(super) fn place(place: EventPlace) -> Vec<u8> {
    join(place.app, &[&place.number.to_be_bytes()])
}

pub(super) fn split_place(key: &[u8]) -> EventPlace {
    EventPlace {
        app: split_app(key),
        number: be64(key.get(8..).unwrap_or_default()),
    }
}

pub(super) fn uuid(app: AppKey, uuid: Uuid) -> Vec<u8> {
    join(app, &[uuid.as_bytes()])
}

/// The session of a key that ends with it.
pub(super) fn split_uuid(key: &[u8]) -> Uuid {
    Uuid::from_slice(key.get(8..24).unwrap_or_default()).unwrap_or_default()
}

pub(super) fn order(app: AppKey, session: Uuid, sequence: u64) -> Vec<u8> {
    join(app, &[session.as_bytes(), &sequence.to_be_bytes()])
}

pub(super) fn due(app: AppKey, at: OutboxTime, number: u64) -> Vec<u8> {
    join(app, &[&at.0.to_be_bytes(), &number.to_be_bytes()])
}

pub(super) fn split_due(key: &[u8]) -> (OutboxTime, EventPlace) {
    let at = OutboxTime(be64(key.get(8..).unwrap_or_default()));
    let number = be64(key.get(16..).unwrap_or_default());
    (
        at,
        EventPlace {
            app: split_app(key),
            number,
        },
    )
}

pub(super) fn day(app: AppKey, day: u32, session: Uuid) -> Vec<u8> {
    join(app, &[&day.to_be_bytes(), session.as_bytes()])
}

pub(super) fn split_day(key: &[u8]) -> (u32, Uuid) {
    let session = key.get(12..28).unwrap_or_default();
    (
        be32(key.get(8..).unwrap_or_default()),
        Uuid::from_slice(session).unwrap_or_default(),
    )
}

/// The first key that may belong to an application after this one; `None` after the last.
pub(super) fn after(app_key: AppKey) -> Option<[u8; 8]> {
    let next = u64::from_be_bytes(app(app_key)).checked_add(1)?;
    Some(next.to_be_bytes())
}

fn join(app_key: AppKey, rest: &[&[u8]]) -> Vec<u8> {
    let mut key = app(app_key).to_vec();
    rest.iter().for_each(|part| key.extend_from_slice(part));
    key
}
