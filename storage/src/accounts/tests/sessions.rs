//! Sessions: tokens, expiry whatever the clock does, and how they end.

use proptest::prelude::*;

use super::*;
use crate::account::UserChange;
use crate::error::AccountError;
use crate::limits::SESSIONS_PER_USER_MAX;

fn open(store: &Store, user: &UserRow) -> String {
    let opened = store
        .handle
        .open_session(user, ip("192.0.2.1"), LIMITS, false);
    opened.unwrap().1
}

fn is_open(store: &Store, token: &str) -> bool {
    store
        .handle
        .use_session(token, ip("192.0.2.2"), LIMITS)
        .is_some()
}

#[test]
fn a_token_has_its_shape_and_opens_its_session() {
    let store = Store::new();
    let user = add(&store, "supervisor@acme");
    let from = ip("::ffff:192.0.2.1");
    let (row, token) = store
        .handle
        .open_session(&user, from, LIMITS, false)
        .unwrap();
    let (prefix, rest) = token.split_at(4);
    assert!(
        prefix
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    );
    let random = rest.strip_prefix("-ses-supervisor@acme-").unwrap();
    assert_eq!(random.len(), 128);
    assert!(random.bytes().all(|letter| letter.is_ascii_alphanumeric()));
    assert_eq!(
        (row.user_id, row.tenant, row.role),
        (user.user_id, store.tenant, user.role)
    );
    assert_eq!(
        (row.user.as_str(), row.from),
        ("supervisor@acme", ip("192.0.2.1"))
    );
    store.clock.advance(MINUTE);
    let used = store.handle.use_session(&token, ip("::1"), LIMITS).unwrap();
    assert_eq!(
        (used.session_id, used.used_at),
        (row.session_id, wall(&store))
    );
    for wrong in [
        String::new(),
        format!("{token}x"),
        token.to_uppercase(),
        token[1..].into(),
    ] {
        assert!(!is_open(&store, &wrong), "{wrong}");
        assert!(!store.handle.close_session(&wrong).unwrap());
    }
    let again = open(&store, &user);
    assert_eq!(again[..4], *prefix);
    let store = reopen_after(store, MINUTE);
    assert_eq!(open(&store, &user)[..4], *prefix, "one prefix a store");
    let on_disk = std::fs::read(store.folder.path().join("index.redb")).unwrap();
    let found = on_disk
        .windows(random.len())
        .any(|bytes| bytes == random.as_bytes());
    assert!(!found, "only its hash is kept");
}

#[test]
fn it_ends_when_idle_and_when_old() {
    let store = Store::new();
    let user = add(&store, "anna");
    let (idle, busy) = (open(&store, &user), open(&store, &user));
    for _ in 0..24 {
        store.clock.advance(29 * MINUTE);
        assert!(is_open(&store, &busy));
    }
    assert!(!is_open(&store, &idle));
    assert_eq!(store.handle.sessions(LIMITS).len(), 1);
    store.clock.advance(24 * MINUTE);
    assert!(!is_open(&store, &busy), "twelve hours");
    assert!(store.handle.sessions(LIMITS).is_empty());
    let generous = SessionLimits {
        idle_ms: u64::MAX,
        absolute_ms: u64::MAX,
        per_user: 3,
    };
    let revived = store.handle.use_session(&busy, ip("::1"), generous);
    assert_eq!(revived, None, "what has expired stays so");
}

#[test]
fn a_clock_set_back_neither_revives_nor_extends() {
    let store = Store::new();
    let user = add(&store, "anna");
    let (idle, busy) = (open(&store, &user), open(&store, &user));
    store.clock.advance(29 * MINUTE);
    step_back(&store, 20 * HOUR);
    assert!(is_open(&store, &busy));
    store.clock.advance(MINUTE);
    assert!(
        !is_open(&store, &idle),
        "thirty minutes have passed all the same"
    );
    assert!(is_open(&store, &busy));
    step_back(&store, HOUR);
    assert!(!is_open(&store, &idle));
    for _ in 0..23 {
        step_back(&store, 29 * MINUTE);
        store.clock.advance(29 * MINUTE);
        assert!(is_open(&store, &busy));
    }
    store.clock.advance(29 * MINUTE);
    assert!(
        !is_open(&store, &busy),
        "twelve hours have passed all the same"
    );
    let late = open(&store, &user);
    store
        .clock
        .step_wall(WallMillis(wall(&store).0 + 60 * 3_600_000));
    assert!(!is_open(&store, &late), "a step forward may end it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever the clock does, a session never outlives what it was given in true time.
    #[test]
    fn no_session_outlives_its_limits(
        steps in prop::collection::vec((0u64..50 * 60_000, any::<bool>(), 0u64..1 << 42), 40),
    ) {
        let store = Store::new();
        let user = add(&store, "anna");
        let token = open(&store, &user);
        let (mut age, mut idle, mut ended) = (0, 0, false);
        for (passes, steps_clock, to) in steps {
            if steps_clock {
                store.clock.step_wall(WallMillis(to));
            }
            store.clock.advance(Duration::from_millis(passes));
            age += passes;
            idle += passes;
            let open = is_open(&store, &token);
            prop_assert!(!open || (idle < LIMITS.idle_ms && age < LIMITS.absolute_ms && !ended));
            ended |= !open;
            if open {
                idle = 0;
            }
        }
    }
}

#[test]
fn it_survives_a_restart_with_its_last_use_to_a_minute() {
    let store = Store::new();
    let user = add(&store, "anna");
    let token = open(&store, &user);
    let commits = || store.handle.metrics().index_commit.count;
    store.handle.flush_index().unwrap();
    let before = commits();
    for _ in 0..100 {
        assert!(is_open(&store, &token));
    }
    store.handle.flush_index().unwrap();
    assert_eq!(commits() - before, 1, "nothing but the flush itself");
    store.clock.advance(25 * MINUTE);
    assert!(is_open(&store, &token));
    store.clock.advance(MINUTE / 2);
    assert!(is_open(&store, &token), "too soon to be kept");
    let store = reopen_after(store, 29 * MINUTE);
    assert!(is_open(&store, &token));
    let store = reopen_after(store, 31 * MINUTE);
    assert!(!is_open(&store, &token));
}

#[test]
fn one_from_the_future_has_ended() {
    let store = Store::new();
    let user = add(&store, "anna");
    store.clock.advance(HOUR);
    let token = open(&store, &user);
    let at = wall(&store).0;
    let store = Store::open_at(store.close(), WallMillis(at - 5_000));
    assert!(
        is_open(&store, &token),
        "a clock is set right by seconds all the time"
    );
    let store = Store::open_at(store.close(), WallMillis(at - 3_600_000));
    assert!(!is_open(&store, &token));
    assert!(store.handle.sessions(LIMITS).is_empty());
}

#[test]
fn one_that_was_seen_to_have_expired_is_gone_from_the_disk() {
    let store = Store::new();
    let user = add(&store, "anna");
    let (seen, unseen) = (open(&store, &user), open(&store, &user));
    store.clock.advance(HOUR);
    assert!(!is_open(&store, &seen));
    // Closed, and opened again with the clock where it was before.
    let at = WallMillis(wall(&store).0 - 50 * 60_000);
    let store = Store::open_at(store.close(), at);
    assert!(!is_open(&store, &seen));
    assert!(
        is_open(&store, &unseen),
        "by this clock its time is not over"
    );
}

#[test]
fn closing_ends_it_for_good() {
    let store = Store::new();
    let (anna, bert) = (add(&store, "anna"), add(&store, "bert"));
    let (one, two, other) = (
        open(&store, &anna),
        open(&store, &anna),
        open(&store, &bert),
    );
    store.clock.advance(2 * MINUTE);
    // Its use goes to the disk behind everything else; it must not come back by it.
    assert!(is_open(&store, &one));
    assert!(store.handle.close_session(&one).unwrap());
    assert!(!store.handle.close_session(&one).unwrap());
    assert!(!is_open(&store, &one) && is_open(&store, &two));
    let store = reopen_after(store, MINUTE);
    assert!(!is_open(&store, &one) && is_open(&store, &two));
    assert_eq!(store.handle.close_sessions_of(anna.user_id).unwrap(), 1);
    assert_eq!(store.handle.close_sessions_of(anna.user_id).unwrap(), 0);
    assert!(!is_open(&store, &two) && is_open(&store, &other));
    store.handle.remove_user(&bert.name).unwrap();
    assert!(!is_open(&store, &other));
    let store = reopen_after(store, MINUTE);
    assert!(store.handle.sessions(LIMITS).is_empty());
    assert!(!is_open(&store, &other));
}

#[test]
fn a_user_has_so_many_and_the_oldest_ends() {
    let store = Store::new();
    let user = add(&store, "anna");
    let tokens: Vec<_> = (0..5).map(|_| open(&store, &user)).collect();
    let still: Vec<_> = tokens.iter().map(|token| is_open(&store, token)).collect();
    assert_eq!(still, [false, false, true, true, true]);
    let (_, last) = store
        .handle
        .open_session(&user, ip("::1"), LIMITS, true)
        .unwrap();
    assert!(is_open(&store, &last));
    assert!(!tokens.iter().any(|token| is_open(&store, token)), "forced");
    let many = SessionLimits {
        per_user: usize::MAX,
        ..LIMITS
    };
    for _ in 0..SESSIONS_PER_USER_MAX + 3 {
        store
            .handle
            .open_session(&user, ip("::1"), many, false)
            .unwrap();
    }
    let listed = store.handle.sessions(LIMITS);
    assert_eq!(listed.len(), SESSIONS_PER_USER_MAX);
    assert!(
        listed
            .windows(2)
            .all(|pair| pair[0].session_id < pair[1].session_id)
    );
    let none = SessionLimits {
        per_user: 0,
        ..LIMITS
    };
    let (_, only) = store
        .handle
        .open_session(&user, ip("::1"), none, false)
        .unwrap();
    assert!(is_open(&store, &only));
    assert_eq!(store.handle.sessions(LIMITS).len(), 1);
}

#[test]
fn expired_ones_make_room_first() {
    let store = Store::new();
    let user = add(&store, "anna");
    let (one, two, three) = (
        open(&store, &user),
        open(&store, &user),
        open(&store, &user),
    );
    store.clock.advance(20 * MINUTE);
    assert!(is_open(&store, &one));
    store.clock.advance(20 * MINUTE);
    let four = open(&store, &user);
    assert!(is_open(&store, &one) && is_open(&store, &four));
    assert!(!is_open(&store, &two) && !is_open(&store, &three));
    let store = reopen_after(store, Duration::ZERO);
    assert_eq!(store.handle.sessions(LIMITS).len(), 2);
}

#[test]
fn it_obeys_its_users_and_tenants_state() {
    let store = Store::new();
    let user = add(&store, "anna");
    let token = open(&store, &user);
    let allow = |list: &[&str]| {
        let allow = Some(nets(list));
        let change = UserChange {
            allow,
            ..UserChange::default()
        };
        store.handle.change_user(&user.name, change).unwrap();
    };
    allow(&["10.0.0.0/8"]);
    assert!(!is_open(&store, &token));
    allow(&["192.0.2.0/24"]);
    assert!(is_open(&store, &token));
    store
        .handle
        .set_tenant_disabled(store.tenant, true)
        .unwrap();
    assert!(!is_open(&store, &token));
    let refused = store.handle.open_session(&user, ip("::1"), LIMITS, false);
    assert!(
        matches!(refused, Err(AccountError::NoTenant(_))),
        "{refused:?}"
    );
    store
        .handle
        .set_tenant_disabled(store.tenant, false)
        .unwrap();
    assert!(is_open(&store, &token));
}

#[test]
fn a_login_that_was_overtaken_opens_nothing() {
    let store = Store::new();
    let checked = add(&store, "anna");
    let refuses = |store: &Store| {
        let opened = store
            .handle
            .open_session(&checked, ip("::1"), LIMITS, false);
        matches!(opened, Err(AccountError::NoUser(_)))
    };
    let change = UserChange {
        password: Some("another one".into()),
        ..UserChange::default()
    };
    store.handle.change_user(&checked.name, change).unwrap();
    assert!(refuses(&store), "its password is another");
    store.handle.remove_user(&checked.name).unwrap();
    assert!(refuses(&store));
    add(&store, "anna");
    assert!(refuses(&store), "another user of that name");
}

#[test]
fn many_threads_log_in_use_and_log_out() {
    let store = Store::new();
    let users: Vec<_> = (0..4).map(|n| add(&store, &format!("user{n}"))).collect();
    let handle = &store.handle;
    std::thread::scope(|scope| {
        for user in &users {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let many = SessionLimits {
                            per_user: 16,
                            ..LIMITS
                        };
                        let (row, token) =
                            handle.open_session(user, ip("::1"), many, false).unwrap();
                        let used = handle.use_session(&token, ip("::1"), many).unwrap();
                        assert_eq!(used.session_id, row.session_id);
                        assert!(handle.close_session(&token).unwrap());
                        assert!(handle.use_session(&token, ip("::1"), many).is_none());
                    }
                });
            }
        }
    });
    assert!(handle.sessions(LIMITS).is_empty());
}
