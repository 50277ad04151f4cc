//! Keys: what a shown secret comes to, rotation, expiry, and whose they are.

use proptest::prelude::*;

use super::*;
use crate::account::{KeyCheck, KeyWish, UserChange};
use crate::accounts::allows;
use crate::error::KeyError;
use crate::handle::IssuedKey;
use crate::ids::{TenantId, TenantName};
use crate::limits::USER_KEYS_MAX;
use crate::record::{Family, KeyRow};

fn wish(store: &Store) -> KeyWish {
    KeyWish {
        tenant: store.tenant,
        family: Family::TaskAudio,
        label: "test".into(),
        allow: Vec::new(),
        expires_at: None,
        user_id: None,
    }
}

fn issue(store: &Store, wish: KeyWish) -> IssuedKey {
    store.handle.issue_key_as(wish).unwrap()
}

fn check(store: &Store, key: &IssuedKey) -> KeyCheck {
    let handle = &store.handle;
    handle.check_key(key.row.family, &key.secret, ip("192.0.2.9"))
}

fn valid(row: &KeyRow) -> KeyCheck {
    KeyCheck::Valid(Box::new(row.clone()))
}

fn in_ms(store: &Store, ms: u64) -> Option<WallMillis> {
    Some(WallMillis(wall(store).0 + ms))
}

#[test]
fn a_secret_opens_its_family_and_nothing_else() {
    let store = Store::new();
    let key = issue(&store, wish(&store));
    assert_eq!(check(&store, &key), valid(&key.row));
    let here = ip("::1");
    for (family, secret) in [
        (Family::VoiceLog, key.secret.clone()),
        (Family::TaskAudio, format!("{}x", key.secret)),
        (Family::TaskAudio, String::new()),
        (Family::Supervisor, String::new()),
        (Family::TaskAudio, "x".repeat(1 << 20)),
    ] {
        assert_eq!(
            store.handle.check_key(family, &secret, here),
            KeyCheck::Unknown
        );
        assert_eq!(store.handle.authenticate(family, &secret), None);
    }
    store.handle.revoke_key(key.row.key_id).unwrap();
    assert_eq!(check(&store, &key), KeyCheck::Unknown);
    assert!(!store.handle.is_key_valid(key.row.key_id));
    let nobodys = KeyWish {
        tenant: TenantId(99),
        ..wish(&store)
    };
    let refused = store.handle.issue_key_as(nobodys);
    assert!(matches!(refused, Err(KeyError::NoTenant)), "{refused:?}");
}

#[test]
fn labels_are_cut_at_letters_and_secrets_are_not_shown() {
    let store = Store::new();
    let long = KeyWish {
        label: "ä".repeat(200),
        ..wish(&store)
    };
    let key = issue(&store, long);
    assert_eq!(key.row.label, "ä".repeat(128));
    assert!(!format!("{key:?}").contains(&key.secret));
}

#[test]
fn an_expired_key_stays_so_when_the_clock_is_set_back() {
    let store = Store::new();
    let expires_at = in_ms(&store, 60_000);
    let key = issue(
        &store,
        KeyWish {
            expires_at,
            ..wish(&store)
        },
    );
    store.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(check(&store, &key), valid(&key.row));
    assert!(store.handle.is_key_valid(key.row.key_id));
    store.clock.advance(Duration::from_millis(1));
    assert_eq!(check(&store, &key), KeyCheck::Unknown);
    assert_eq!(
        store.handle.authenticate(Family::TaskAudio, &key.secret),
        None
    );
    assert!(!store.handle.is_key_valid(key.row.key_id));
    step_back(&store, HOUR);
    assert_eq!(check(&store, &key), KeyCheck::Unknown);
    assert!(!store.handle.is_key_valid(key.row.key_id));

    // What is issued by the clock as it is now lasts as long as it is meant to.
    let expires_at = in_ms(&store, 60_000);
    let fresh = issue(
        &store,
        KeyWish {
            expires_at,
            ..wish(&store)
        },
    );
    assert_eq!(check(&store, &fresh), valid(&fresh.row));
    store.clock.advance(MINUTE);
    assert_eq!(check(&store, &fresh), KeyCheck::Unknown);
}

#[test]
fn a_rotated_key_has_the_same_grant_and_the_old_one_a_grace() {
    let store = Store::new();
    let granted = KeyWish {
        allow: nets(&["192.0.2.0/24"]),
        expires_at: in_ms(&store, 10 * 60_000),
        label: "crm".into(),
        ..wish(&store)
    };
    let old = issue(&store, granted);
    let new = store.handle.rotate_key(old.row.key_id, 60_000).unwrap();
    assert_ne!(new.secret, old.secret);
    assert_eq!(
        new.row,
        KeyRow {
            key_id: old.row.key_id + 1,
            secret_hash: new.row.secret_hash,
            ..old.row.clone()
        }
    );
    assert_eq!(check(&store, &new), valid(&new.row));
    assert!(matches!(check(&store, &old), KeyCheck::Valid(_)));
    let store = reopen_after(store, MINUTE - Duration::from_millis(1));
    assert!(matches!(check(&store, &old), KeyCheck::Valid(_)));
    store.clock.advance(Duration::from_millis(1));
    assert_eq!(check(&store, &old), KeyCheck::Unknown);
    assert_eq!(check(&store, &new), valid(&new.row));

    let third = store.handle.rotate_key(new.row.key_id, 0).unwrap();
    assert_eq!(check(&store, &new), KeyCheck::Unknown);
    assert_eq!(check(&store, &third), valid(&third.row));
    let keys = store.handle.keys().unwrap();
    assert!(keys.iter().any(|row| row.revoked_at.is_some()));

    // A long grace gives no key more time than it had.
    let fourth = store.handle.rotate_key(third.row.key_id, u64::MAX).unwrap();
    store.clock.advance(10 * MINUTE);
    assert_eq!(check(&store, &third), KeyCheck::Unknown);
    assert_eq!(check(&store, &fourth), KeyCheck::Unknown);
    for id in [old.row.key_id, new.row.key_id, fourth.row.key_id] {
        let refused = store.handle.rotate_key(id, 0);
        assert!(matches!(refused, Err(KeyError::Ended(_))), "{refused:?}");
    }
    let refused = store.handle.rotate_key(9_999, 0);
    assert!(matches!(refused, Err(KeyError::NotFound(9_999))));
}

#[test]
fn a_key_for_some_addresses_opens_from_there_alone() {
    let store = Store::new();
    let allow = nets(&["10.0.0.0/8", "2001:db8::/32"]);
    let key = issue(
        &store,
        KeyWish {
            allow,
            ..wish(&store)
        },
    );
    let from = |address| {
        let check = store
            .handle
            .check_key(Family::TaskAudio, &key.secret, ip(address));
        matches!(check, KeyCheck::Valid(_))
    };
    for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"] {
        assert!(from(inside), "{inside}");
    }
    for outside in ["11.0.0.1", "::ffff:11.0.0.1", "2001:db9::1", "::10.1.2.3"] {
        assert!(!from(outside), "{outside}");
    }
    assert_eq!(check(&store, &key), KeyCheck::Address);
    // Without an address there is no telling.
    assert_eq!(
        store.handle.authenticate(Family::TaskAudio, &key.secret),
        None
    );
    let wrong = store
        .handle
        .check_key(Family::VoiceLog, &key.secret, ip("11.0.0.1"));
    assert_eq!(
        wrong,
        KeyCheck::Unknown,
        "an address is told to the holder alone"
    );
}

proptest! {
    #[test]
    fn ipv4_is_ipv4_however_it_is_written(
        net: u32, bits in 0u8..=32, near: bool, other: u32, flip in 0u32..32,
    ) {
        let address = if near { net ^ 1 << flip } else { other };
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        let inside = net & mask == address & mask;
        let (v4, from) = (std::net::Ipv4Addr::from(net), std::net::Ipv4Addr::from(address));
        let plain = ipnet::IpNet::new(v4.into(), bits).unwrap();
        let mapped = ipnet::IpNet::new(v4.to_ipv6_mapped().into(), bits + 96).unwrap();
        for list in [[plain], [mapped]] {
            prop_assert_eq!(allows(&list, from.into()), inside);
            prop_assert_eq!(allows(&list, from.to_ipv6_mapped().into()), inside);
        }
        prop_assert!(allows(&[], from.into()));
    }
}

#[test]
fn a_tenant_that_is_switched_off_opens_nothing() {
    let store = Store::new();
    let key = issue(&store, wish(&store));
    let off = store
        .handle
        .set_tenant_disabled(store.tenant, true)
        .unwrap();
    assert!(off.disabled_at.is_some());
    store.clock.advance(MINUTE);
    let again = store
        .handle
        .set_tenant_disabled(store.tenant, true)
        .unwrap();
    assert_eq!(again, off, "once more changes nothing");
    let store = reopen_after(store, MINUTE);
    assert_eq!(check(&store, &key), KeyCheck::Inactive);
    assert_eq!(
        store.handle.authenticate(Family::TaskAudio, &key.secret),
        None
    );
    assert!(!store.handle.is_key_valid(key.row.key_id));
    store
        .handle
        .set_tenant_disabled(store.tenant, false)
        .unwrap();
    assert_eq!(check(&store, &key), valid(&key.row));
    assert!(store.handle.is_key_valid(key.row.key_id));
    assert!(
        store
            .handle
            .set_tenant_disabled(TenantId(77), true)
            .is_err()
    );
}

#[test]
fn a_users_key_may_what_the_user_may_and_dies_with_it() {
    let store = Store::new();
    let user = add(&store, "anna");
    let theirs = |user_id| KeyWish {
        user_id: Some(user_id),
        ..wish(&store)
    };
    let key = issue(&store, theirs(user.user_id));
    assert_eq!(check(&store, &key), valid(&key.row));
    let change = |change| store.handle.change_user(&user.name, change).unwrap();
    change(UserChange {
        allow: Some(nets(&["10.0.0.0/8"])),
        ..UserChange::default()
    });
    assert_eq!(check(&store, &key), KeyCheck::Address);
    change(UserChange {
        disabled: Some(true),
        ..UserChange::default()
    });
    assert_eq!(check(&store, &key), KeyCheck::Inactive);
    assert!(!store.handle.is_key_valid(key.row.key_id));
    let refused = store.handle.issue_key_as(theirs(user.user_id));
    assert!(matches!(refused, Err(KeyError::NoUser(_))), "{refused:?}");
    store.handle.remove_user(&user.name).unwrap();
    assert_eq!(check(&store, &key), KeyCheck::Unknown);
    let store = reopen_after(store, MINUTE);
    assert_eq!(check(&store, &key), KeyCheck::Unknown);
    assert!(store.handle.keys().unwrap()[0].revoked_at.is_some());
    let other = TenantName::new("other").unwrap();
    let other = store.handle.add_tenant(other).unwrap().id;
    let bert = add(&store, "bert");
    let refused = store.handle.issue_key_as(KeyWish {
        tenant: other,
        user_id: Some(bert.user_id),
        ..wish(&store)
    });
    assert!(matches!(refused, Err(KeyError::NoUser(_))), "{refused:?}");
}

#[test]
fn tokens_of_one_user_do_not_pile_up() {
    let store = Store::new();
    let user = add(&store, "anna");
    let token = || {
        issue(
            &store,
            KeyWish {
                user_id: Some(user.user_id),
                expires_at: in_ms(&store, 60_000),
                ..wish(&store)
            },
        )
    };
    let lasting = issue(
        &store,
        KeyWish {
            user_id: Some(user.user_id),
            ..wish(&store)
        },
    );
    let first = token();
    let rest: Vec<_> = (1..USER_KEYS_MAX).map(|_| token()).collect();
    assert!(matches!(check(&store, &first), KeyCheck::Valid(_)));
    let one_more = token();
    assert_eq!(check(&store, &first), KeyCheck::Unknown, "the oldest went");
    assert!(matches!(check(&store, &rest[0]), KeyCheck::Valid(_)));
    assert!(matches!(check(&store, &one_more), KeyCheck::Valid(_)));
    assert_eq!(store.handle.keys().unwrap().len(), USER_KEYS_MAX + 1);
    store.clock.advance(2 * MINUTE);
    let last = token();
    let store = reopen_after(store, Duration::ZERO);
    let left = store.handle.keys().unwrap();
    assert_eq!(left, [lasting.row, last.row], "expired ones are forgotten");
}

#[test]
fn ids_of_keys_are_never_given_again() {
    let store = Store::new();
    let key = issue(&store, wish(&store));
    let store = reopen_after(store, MINUTE);
    let next = issue(&store, wish(&store));
    assert!(next.row.key_id > key.row.key_id);
    assert_eq!(check(&store, &key), valid(&key.row));
}

#[test]
fn many_threads_issue_check_and_revoke() {
    let store = Store::new();
    let (handle, tenant) = (&store.handle, store.tenant);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let key = handle
                        .issue_key(tenant, Family::CallRecording, "t")
                        .unwrap();
                    let check = || handle.check_key(key.row.family, &key.secret, ip("::1"));
                    assert_eq!(check(), valid(&key.row));
                    let next = handle.rotate_key(key.row.key_id, 0).unwrap();
                    assert_eq!(check(), KeyCheck::Unknown);
                    assert!(handle.is_key_valid(next.row.key_id));
                    handle.revoke_key(next.row.key_id).unwrap();
                    assert!(!handle.is_key_valid(next.row.key_id));
                }
            });
        }
    });
    let keys = handle.keys().unwrap();
    assert_eq!(keys.len(), 80);
    assert!(keys.windows(2).all(|pair| pair[0].key_id < pair[1].key_id));
}
