//! Signing keys: there is always one, and what is retired stays so.

use super::*;
use crate::account::SigningKey;
use crate::error::AccountError;
use crate::limits::SIGNING_KEYS_MAX;

fn active(store: &Store) -> Vec<u32> {
    let keys = store.handle.signing_keys();
    let active = keys.iter().filter(|key| key.retired_at.is_none());
    active.map(|key| key.id).collect()
}

#[test]
fn a_store_has_one_from_the_first_and_keeps_it() {
    let store = Store::new();
    let first: Vec<SigningKey> = store.handle.signing_keys().to_vec();
    assert_eq!(first.len(), 1);
    assert_ne!(first[0].secret, [0; 32]);
    assert!(!format!("{:?}", first[0]).contains("secret"));
    let store = reopen_after(store, MINUTE);
    assert_eq!(store.handle.signing_keys().to_vec(), first);
    assert_ne!(
        Store::new().handle.signing_keys()[0].secret,
        first[0].secret
    );
}

#[test]
fn rotation_adds_and_retires_as_told() {
    let store = Store::new();
    let first = store.handle.signing_keys()[0].clone();
    let second = store.handle.rotate_signing_key(false).unwrap();
    assert_eq!(active(&store), [first.id, second.id]);
    let third = store.handle.rotate_signing_key(true).unwrap();
    assert_eq!(active(&store), [third.id]);
    assert_eq!(store.handle.signing_keys().len(), 3);
    let held = store.handle.signing_keys();
    let store = reopen_after(store, MINUTE);
    assert_eq!(store.handle.signing_keys(), held);

    let retired = store.handle.retire_signing_key(third.id).unwrap();
    assert!(retired.retired_at.is_some());
    assert_eq!(active(&store), [third.id + 1], "there is always one");
    store.clock.advance(MINUTE);
    assert_eq!(store.handle.retire_signing_key(third.id).unwrap(), retired);
    assert_eq!(active(&store), [third.id + 1], "once more changes nothing");
    let unknown = store.handle.retire_signing_key(99);
    assert!(matches!(unknown, Err(AccountError::NoSigningKey(99))));
}

#[test]
fn the_oldest_are_forgotten_and_ids_never_given_again() {
    let store = Store::new();
    let kept = store.handle.rotate_signing_key(true).unwrap();
    for _ in 0..SIGNING_KEYS_MAX {
        store.handle.rotate_signing_key(false).unwrap();
    }
    let keys = store.handle.signing_keys();
    assert_eq!(keys.len(), SIGNING_KEYS_MAX);
    assert!(
        keys.iter()
            .all(|key| key.retired_at.is_none() && key.id > kept.id)
    );
    let last = keys.last().unwrap().id;
    store.handle.rotate_signing_key(true).unwrap();
    let store = reopen_after(store, MINUTE);
    assert_eq!(active(&store), [last + 1]);
    assert_eq!(store.handle.rotate_signing_key(false).unwrap().id, last + 2);
}
