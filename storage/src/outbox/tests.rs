//! The outbox on a real folder. What the tests share lies here.

mod applications;
mod crash;
mod events;
mod notes;
mod order;

use std::sync::Arc;

use uuid::Uuid;

use super::{AppKey, AppSettings, Application, Due, Event, EventPlace, NewEvent, Outbox};
use crate::ids::AppId;
use crate::testing::Store;

pub(super) const KEY: &str = "0123456789abcdef";

/// What is put where nothing else is said.
pub(super) fn settings() -> AppSettings {
    AppSettings {
        webhook_url: Some("http://192.0.2.1/hook".into()),
        api_key: Some(KEY.into()),
        rate_limit: 100,
        events: Vec::new(),
        secret: None,
    }
}

pub(super) fn app_id(name: &str) -> AppId {
    AppId::new(name).unwrap()
}

pub(super) fn add(store: &Store, name: &str) -> Arc<Application> {
    let outbox = store.handle.outbox();
    outbox
        .put_application(store.tenant, &app_id(name), settings())
        .unwrap()
}

pub(super) fn session(number: u128) -> Uuid {
    Uuid::from_u128(number << 64)
}

/// An event that no other is like.
pub(super) fn event(of: u128, id: u128) -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(id),
        session: session(of),
        event: "dtmf".into(),
        data: format!(r#"{{"digit":"{}"}}"#, id % 10),
    }
}

/// The sequences that appended events got.
pub(super) fn append(outbox: &Outbox, app: AppKey, events: Vec<NewEvent>) -> Vec<u64> {
    let appended = outbox.append(app, events).unwrap().into_iter();
    appended
        .map(|one| match one {
            super::Appended::Numbered { sequence, .. } => sequence,
            super::Appended::Unwanted => 0,
        })
        .collect()
}

pub(super) fn due(outbox: &Outbox, limit: usize) -> Due {
    outbox.due(outbox.now(), limit).unwrap()
}

pub(super) fn one(outbox: &Outbox) -> (EventPlace, Event) {
    let mut found = due(outbox, 100).events;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Waits for a future without a runtime of its own.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}
