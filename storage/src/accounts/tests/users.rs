//! Users: names, passwords, and what changes of them bring about.

use std::sync::Arc;

use super::*;
use crate::account::{PasswordCheck, UserChange};
use crate::accounts::Users;
use crate::error::AccountError;
use crate::ids::TenantName;
use crate::limits::USERS_MAX;

fn check(store: &Store, name: &str, password: &str) -> PasswordCheck {
    store.handle.check_password(name, password, ip("192.0.2.9"))
}

fn valid(row: &UserRow) -> PasswordCheck {
    PasswordCheck::Valid(Box::new(row.clone()))
}

#[test]
fn names_are_unique_over_all_tenants_whatever_their_case() {
    let store = Store::new();
    let anna = add(&store, "Anna@acme");
    let other = store
        .handle
        .add_tenant(TenantName::new("other").unwrap())
        .unwrap();
    let same = NewUser {
        tenant: other.id,
        ..wish(&store, "aNNA@ACME")
    };
    let refused = store.handle.add_user(same);
    assert!(
        matches!(refused, Err(AccountError::UserExists(_))),
        "{refused:?}"
    );
    assert_eq!(check(&store, "anna@acme", PASSWORD), valid(&anna));
    let nowhere = NewUser {
        tenant: crate::ids::TenantId(99),
        ..wish(&store, "carl")
    };
    let refused = store.handle.add_user(nowhere);
    assert!(
        matches!(refused, Err(AccountError::NoTenant(_))),
        "{refused:?}"
    );
    assert_eq!(store.handle.users(), std::slice::from_ref(&anna));
    assert_eq!(store.handle.user(anna.user_id), Some(anna));
    assert_eq!(store.handle.user(77), None);
}

#[test]
fn ids_are_never_given_again() {
    let store = Store::new();
    let anna = add(&store, "anna");
    store.handle.remove_user(&user_name("ANNA")).unwrap();
    assert_eq!(check(&store, "anna", PASSWORD), PasswordCheck::Wrong);
    let gone = store.handle.remove_user(&anna.name);
    assert!(matches!(gone, Err(AccountError::NoUser(_))));
    let again = add(&store, "anna");
    assert!(again.user_id > anna.user_id);
    store.handle.remove_user(&again.name).unwrap();
    let store = reopen_after(store, MINUTE);
    assert!(add(&store, "anna").user_id > again.user_id);
}

#[test]
fn passwords_are_8_to_256_bytes() {
    let store = Store::new();
    for (password, good) in [
        ("seven77".to_owned(), false),
        ("eight888".to_owned(), true),
        ("ä".repeat(128), true),
        ("x".repeat(257), false),
    ] {
        let name = format!("user{}", password.len());
        let user = NewUser {
            password: password.clone(),
            ..wish(&store, &name)
        };
        match store.handle.add_user(user) {
            Ok(row) => assert_eq!((check(&store, &name, &password), good), (valid(&row), true)),
            Err(error) => assert!(matches!(error, AccountError::Password) && !good),
        }
    }
    let change = UserChange {
        password: Some("short".into()),
        ..UserChange::default()
    };
    let refused = store.handle.change_user(&user_name("user8"), change);
    assert!(
        matches!(refused, Err(AccountError::Password)),
        "{refused:?}"
    );
}

#[test]
fn every_outcome_costs_one_run_of_argon2_with_the_same_parameters() {
    let store = Store::new();
    let anna = add(&store, "anna");
    let off = add(&store, "off");
    let elsewhere = NewUser {
        allow: nets(&["10.0.0.0/8"]),
        ..wish(&store, "elsewhere")
    };
    store.handle.add_user(elsewhere).unwrap();
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    store.handle.change_user(&off.name, change).unwrap();
    let passwords = &store.handle.shared.accounts.passwords;
    let long = "x".repeat(100_000);
    for (name, password, expected) in [
        ("anna", PASSWORD, valid(&anna)),
        ("anna", "wrong password", PasswordCheck::Wrong),
        ("anna", "", PasswordCheck::Wrong),
        ("anna", "no password", PasswordCheck::Wrong),
        ("anna", &long, PasswordCheck::Wrong),
        ("nobody", PASSWORD, PasswordCheck::Wrong),
        ("not a name\0", PASSWORD, PasswordCheck::Wrong),
        ("", "", PasswordCheck::Wrong),
        ("off", PASSWORD, PasswordCheck::Inactive),
        ("off", "wrong password", PasswordCheck::Wrong),
        ("elsewhere", PASSWORD, PasswordCheck::Address),
        ("elsewhere", "wrong password", PasswordCheck::Wrong),
    ] {
        let before = passwords.runs();
        assert_eq!(check(&store, name, password), expected, "{name}");
        assert_eq!(passwords.runs() - before, 1, "{name}");
    }
    let shape = "$argon2id$v=19$m=19456,t=2,p=1$";
    for hash in [&anna.password_hash, passwords.nobody()] {
        let rest = hash.strip_prefix(shape).unwrap();
        let lengths: Vec<_> = rest.split('$').map(str::len).collect();
        assert_eq!(lengths, [22, 43], "16 bytes of salt, 32 of hash: {hash}");
    }
    assert_ne!(anna.password_hash, off.password_hash, "salted");
    let mapped = ip("::ffff:10.0.0.7");
    let inside = store.handle.check_password("elsewhere", PASSWORD, mapped);
    assert!(matches!(inside, PasswordCheck::Valid(_)));
    store
        .handle
        .set_tenant_disabled(store.tenant, true)
        .unwrap();
    assert_eq!(check(&store, "anna", PASSWORD), PasswordCheck::Inactive);
    assert_eq!(
        check(&store, "anna", "wrong password"),
        PasswordCheck::Wrong
    );
}

#[test]
fn changes_last_and_those_of_rights_end_sessions() {
    let store = Store::new();
    let anna = add(&store, "anna");
    let login = || {
        let user = store.handle.user(anna.user_id).unwrap();
        store
            .handle
            .open_session(&user, ip("::1"), LIMITS, false)
            .unwrap()
            .1
    };
    let change = |change| store.handle.change_user(&anna.name, change).unwrap();
    let is_open = |token: &str| store.handle.use_session(token, ip("::1"), LIMITS).is_some();
    let none = UserChange::default;
    let token = login();
    change(UserChange {
        role: Some(anna.role),
        allow: Some(Vec::new()),
        ..none()
    });
    assert!(is_open(&token), "nothing that matters changed");
    change(UserChange {
        role: Some(Role::Auditor),
        ..none()
    });
    assert!(!is_open(&token));
    let token = login();
    change(UserChange {
        password: Some("another one".into()),
        ..none()
    });
    assert!(!is_open(&token));
    assert_eq!(check(&store, "anna", PASSWORD), PasswordCheck::Wrong);
    let token = login();
    let off = change(UserChange {
        disabled: Some(true),
        ..none()
    });
    assert!(!is_open(&token));
    assert_eq!(
        check(&store, "anna", "another one"),
        PasswordCheck::Inactive
    );
    store.clock.advance(MINUTE);
    assert_eq!(
        change(UserChange {
            disabled: Some(true),
            ..none()
        }),
        off
    );
    let store = reopen_after(store, MINUTE);
    assert_eq!(
        check(&store, "anna", "another one"),
        PasswordCheck::Inactive
    );
    let on = UserChange {
        disabled: Some(false),
        ..none()
    };
    let row = store.handle.change_user(&anna.name, on).unwrap();
    assert_eq!((row.role, row.disabled_at), (Role::Auditor, None));
    assert_eq!(check(&store, "anna", "another one"), valid(&row));
    assert!(
        store
            .handle
            .use_session(&token, ip("::1"), LIMITS)
            .is_none()
    );
    let nobody = store.handle.change_user(&user_name("nobody"), none());
    assert!(matches!(nobody, Err(AccountError::NoUser(_))));
}

#[test]
fn there_is_room_for_so_many_users() {
    let store = Store::new();
    let anna = add(&store, "anna");
    let rows = (1..=USERS_MAX as u64).map(|id| UserRow {
        user_id: id,
        name: user_name(&format!("user{id}")),
        ..anna.clone()
    });
    let accounts = &store.handle.shared.accounts;
    accounts.users.store(Arc::new(Users::new(rows.collect())));
    let full = store.handle.add_user(wish(&store, "bert"));
    assert!(
        matches!(full, Err(AccountError::Full(USERS_MAX))),
        "{full:?}"
    );
    store.handle.remove_user(&user_name("user77")).unwrap();
    add(&store, "bert");
}

#[test]
fn two_cannot_take_one_name() {
    let store = Store::new();
    let (handle, wish) = (&store.handle, wish(&store, "Anna"));
    let added: Vec<_> = std::thread::scope(|scope| {
        let add = || handle.add_user(wish.clone()).is_ok();
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(add)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(added.iter().filter(|added| **added).count(), 1);
    assert_eq!(store.handle.users().len(), 1);
}
