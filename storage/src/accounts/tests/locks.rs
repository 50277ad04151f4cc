//! Lock-outs: what failures come to, how long, and that a restart forgets none.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use audio_io::clock::ManualClock;
use proptest::prelude::*;

use super::*;
use crate::account::{Lock, LockCause, LockSubject};
use crate::accounts::time::SteadyClock;
use crate::accounts::tries::Tries;
use crate::index::rows::{LateRows as _, RowChange, RowTable};
use crate::limits::LOCK_SUBJECTS_MAX;

fn fail(store: &Store, times: usize, from: &str, user: Option<&str>) {
    for _ in 0..times {
        store.handle.count_failure(ip(from), user);
    }
}

fn cause(store: &Store, from: &str, user: Option<&str>) -> Option<LockCause> {
    store.handle.locked(ip(from), user).map(|lock| lock.cause)
}

fn in_span(store: &Store, span: Duration) -> WallMillis {
    WallMillis(wall(store).0 + u64::try_from(span.as_millis()).unwrap())
}

#[test]
fn twenty_failures_in_ten_minutes_lock_an_address() {
    let store = Store::new();
    fail(&store, 1, "192.0.2.1", None);
    store.clock.advance(5 * MINUTE);
    fail(&store, 18, "192.0.2.1", None);
    assert_eq!(cause(&store, "192.0.2.1", None), None);
    fail(&store, 1, "192.0.2.1", None);
    let expected = Lock {
        subject: LockSubject::Address(ip("192.0.2.1")),
        cause: LockCause::AddressTries,
        until: in_span(&store, 5 * MINUTE),
    };
    assert_eq!(
        store.handle.locked(ip("192.0.2.1"), None),
        Some(expected.clone())
    );
    assert_eq!(store.handle.locks(), [expected]);
    assert_eq!(cause(&store, "192.0.2.2", None), None);
    store.clock.advance(5 * MINUTE - Duration::from_millis(1));
    assert!(cause(&store, "192.0.2.1", None).is_some());
    store.clock.advance(Duration::from_millis(1));
    assert_eq!(
        cause(&store, "192.0.2.1", None),
        None,
        "one of them is too long ago"
    );
    fail(&store, 1, "192.0.2.1", None);
    assert!(cause(&store, "192.0.2.1", None).is_some());
}

#[test]
fn five_failures_lock_a_name_whoever_tried_it() {
    let store = Store::new();
    for n in 1..=4 {
        fail(&store, 1, &format!("192.0.2.{n}"), Some("Anna@ACME"));
        assert_eq!(cause(&store, "198.51.100.1", Some("anna@acme")), None);
    }
    fail(&store, 1, "192.0.2.5", Some("anna@acme"));
    let lock = store
        .handle
        .locked(ip("198.51.100.1"), Some("ANNA@acme"))
        .unwrap();
    assert_eq!(lock.cause, LockCause::UserTries);
    assert_eq!(lock.subject, LockSubject::User("anna@acme".into()));
    assert_eq!(lock.until, in_span(&store, 10 * MINUTE));
    assert_eq!(cause(&store, "198.51.100.1", Some("bert")), None);
    assert_eq!(cause(&store, "192.0.2.5", None), None);
    store.clock.advance(10 * MINUTE);
    assert_eq!(cause(&store, "198.51.100.1", Some("anna@acme")), None);
}

#[test]
fn names_that_nobody_has_lock_like_others() {
    let store = Store::new();
    let odd = format!("{}\u{212A}ä", "x".repeat(70));
    for name in ["nobody", "", "a\0b", odd.as_str()] {
        fail(&store, 5, "::1", Some(name));
        store
            .handle
            .clear_lock(&LockSubject::Address(ip("::1")))
            .unwrap();
        assert_eq!(
            cause(&store, "::2", Some(name)),
            Some(LockCause::UserTries),
            "{name:?}"
        );
    }
    let cut = "X".repeat(64);
    assert!(
        cause(&store, "192.0.2.1", Some(&cut)).is_some(),
        "cut to 64 bytes"
    );
}

#[test]
fn a_hundred_failures_in_an_hour_block_an_address_for_a_day() {
    let store = Store::new();
    for _ in 0..11 {
        fail(&store, 9, "192.0.2.1", None);
        assert_eq!(cause(&store, "192.0.2.1", None), None);
        store.clock.advance(5 * MINUTE);
    }
    fail(&store, 1, "192.0.2.1", None);
    let lock = store.handle.locked(ip("192.0.2.1"), Some("anna")).unwrap();
    assert_eq!(
        (lock.cause, lock.until),
        (LockCause::AddressBlocked, in_span(&store, 24 * HOUR))
    );
    store.clock.advance(HOUR);
    fail(&store, 300, "192.0.2.1", None);
    let same = store.handle.locked(ip("192.0.2.1"), None).unwrap();
    assert_eq!(same, lock, "what is tried meanwhile changes nothing");
    let store = reopen_after(store, 23 * HOUR - Duration::from_millis(1));
    assert_eq!(
        cause(&store, "192.0.2.1", None),
        Some(LockCause::AddressBlocked)
    );
    store.clock.advance(Duration::from_millis(1));
    assert_eq!(cause(&store, "192.0.2.1", None), None);
    fail(&store, 1, "192.0.2.1", None);
    assert_eq!(cause(&store, "192.0.2.1", None), None);
}

#[test]
fn addresses_are_counted_as_they_are_given_out() {
    let store = Store::new();
    fail(&store, 10, "192.0.2.1", None);
    fail(&store, 10, "::ffff:192.0.2.1", None);
    assert!(cause(&store, "192.0.2.1", None).is_some(), "IPv4 is IPv4");
    for host in 0..20_u16 {
        fail(&store, 1, &format!("2001:db8:1:2:{host:x}::1"), None);
    }
    let lock = store
        .handle
        .locked(ip("2001:db8:1:2:ffff::"), None)
        .unwrap();
    assert_eq!(
        lock.subject,
        LockSubject::Address(ip("2001:db8:1:2::")),
        "IPv6 by its /64"
    );
    assert_eq!(cause(&store, "2001:db8:1:3::1", None), None);
    fail(&store, 20, "127.0.0.1", None);
    assert!(
        cause(&store, "127.0.0.1", None).is_some(),
        "loopback counts like any other"
    );
}

#[test]
fn whoever_is_locked_out_locks_nobody_else_out() {
    let store = Store::new();
    fail(&store, 20, "192.0.2.1", None);
    fail(&store, 50, "192.0.2.1", Some("anna"));
    assert_eq!(cause(&store, "198.51.100.1", Some("anna")), None);
    assert_eq!(store.handle.shared.accounts.tries.len(), 1);
}

#[test]
fn an_administrator_lets_them_in_again_for_good() {
    let store = Store::new();
    fail(&store, 100, "2001:db8::7", Some("Anna"));
    assert_eq!(store.handle.locks().len(), 2);
    let address = LockSubject::Address(ip("2001:db8::8"));
    assert!(store.handle.clear_lock(&address).unwrap());
    assert!(!store.handle.clear_lock(&address).unwrap());
    assert!(
        store
            .handle
            .clear_lock(&LockSubject::User("ANNA".into()))
            .unwrap()
    );
    assert!(store.handle.locks().is_empty());
    let store = reopen_after(store, MINUTE);
    assert!(store.handle.locks().is_empty());
    fail(&store, 19, "2001:db8::7", None);
    assert_eq!(cause(&store, "2001:db8::7", None), None);
}

#[test]
fn counters_survive_a_restart() {
    let store = Store::new();
    fail(&store, 4, "192.0.2.1", Some("anna"));
    fail(&store, 19, "2001:db8::1", None);
    let store = reopen_after(store, MINUTE);
    assert!(store.handle.locks().is_empty());
    fail(&store, 1, "198.51.100.1", Some("anna"));
    fail(&store, 1, "2001:db8::1", None);
    let locks = store.handle.locks();
    assert_eq!(locks.len(), 2);
    let store = reopen_after(store, MINUTE);
    assert_eq!(store.handle.locks(), locks);
    let store = reopen_after(store, 61 * MINUTE);
    assert!(store.handle.locks().is_empty());
    assert_eq!(
        store.handle.shared.accounts.tries.len(),
        0,
        "nothing that is over is kept"
    );
}

#[test]
fn a_flood_makes_few_commits() {
    let store = Store::new();
    store.handle.flush_index().unwrap();
    let before = store.handle.metrics().index_commit.count;
    for n in 0..5_000_u32 {
        let from = IpAddr::from(n.to_be_bytes());
        store.handle.count_failure(from, Some(&format!("user{n}")));
    }
    store.handle.flush_index().unwrap();
    let commits = store.handle.metrics().index_commit.count - before;
    assert!(commits < 500, "{commits} commits for 10000 changes");
    let rows = store.handle.shared.index.raw_rows(RowTable::Locks).unwrap();
    assert_eq!(rows.len(), 10_000);
}

#[test]
fn a_clock_set_back_draws_no_lock_out() {
    let store = Store::new();
    fail(&store, 5, "192.0.2.1", Some("anna"));
    step_back(&store, 48 * HOUR);
    let lock = store.handle.locked(ip("::1"), Some("anna")).unwrap();
    assert_eq!(
        lock.until,
        in_span(&store, 10 * MINUTE),
        "told by the clock as it is"
    );
    store.clock.advance(10 * MINUTE);
    assert_eq!(cause(&store, "::1", Some("anna")), None);
    fail(&store, 100, "192.0.2.1", Some("anna"));
    // Set back while the store is closed, too.
    let at = WallMillis(wall(&store).0 - 40_000_000);
    let store = Store::open_at(store.close(), at);
    let blocked = store.handle.locked(ip("192.0.2.1"), None).unwrap();
    assert_eq!(blocked.until, in_span(&store, 24 * HOUR));
    let named = store.handle.locked(ip("::1"), Some("anna")).unwrap();
    assert_eq!(named.until, in_span(&store, 10 * MINUTE));
}

fn clock() -> (Arc<ManualClock>, SteadyClock) {
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
    let steady = SteadyClock::new(Arc::clone(&clock) as _, WallMillis(0));
    (clock, steady)
}

fn nth(n: usize) -> IpAddr {
    Ipv6Addr::from((n as u128) << 64).into()
}

#[test]
fn the_table_has_an_end_and_forgets_the_oldest() {
    let (clock, steady) = clock();
    let tries = Tries::load(Vec::new(), steady.now());
    for _ in 0..20 {
        tries.count(nth(1), None, steady.now());
        tries.count(nth(2), None, steady.now());
    }
    tries.count(nth(1), None, steady.now());
    for n in 3..=LOCK_SUBJECTS_MAX {
        tries.count(nth(n), None, steady.now());
    }
    assert_eq!(tries.len(), LOCK_SUBJECTS_MAX);
    assert_eq!(tries.locks(steady.now()).len(), 2);
    tries.count(nth(LOCK_SUBJECTS_MAX + 1), None, steady.now());
    assert_eq!(tries.len(), LOCK_SUBJECTS_MAX);
    let left = tries.locks(steady.now());
    assert_eq!(left.len(), 1);
    assert_eq!(
        left[0].0,
        LockSubject::Address(nth(1)),
        "its last failure was later"
    );
    // What is over makes room by itself.
    clock.advance(2 * HOUR);
    for n in 1..=LOCK_SUBJECTS_MAX / 4 {
        tries.count(nth(n), None, steady.now());
    }
    assert!(tries.len() < LOCK_SUBJECTS_MAX / 2, "{}", tries.len());
}

#[test]
fn rows_are_offered_until_they_are_durable() {
    let (_, steady) = clock();
    let tries = Tries::load(Vec::new(), steady.now());
    let keys = |tries: &Tries| {
        let rows = tries.rows().into_iter();
        let mut keys: Vec<_> = rows
            .map(|row| match row {
                RowChange::Put(RowTable::Locks, key, _) => (true, key),
                RowChange::Remove(RowTable::Locks, key) => (false, key),
                other => panic!("{other:?}"),
            })
            .collect();
        keys.sort();
        keys
    };
    tries.count(ip("10.0.0.1"), None, steady.now());
    assert!(tries.must_ask() && !tries.must_ask());
    let first = (true, vec![0, 10, 0, 0, 1]);
    assert_eq!(keys(&tries), std::slice::from_ref(&first));
    assert!(tries.must_ask(), "what comes now is another commit's");
    // The commit failed; meanwhile more came.
    tries.count(ip("::1"), Some("Anna"), steady.now());
    let second = (true, vec![1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let third = (true, [&[2][..], b"anna"].concat());
    assert_eq!(keys(&tries), [first, second, third]);
    tries.committed();
    assert_eq!(keys(&tries), []);
    tries.clear(&LockSubject::Address(ip("10.0.0.1")));
    assert_eq!(keys(&tries), [(false, vec![0, 10, 0, 0, 1])]);
}

#[test]
fn what_a_dead_disk_misses_is_bounded_and_written_whole_later() {
    let (_, steady) = clock();
    let tries = Tries::load(Vec::new(), steady.now());
    for n in 0..3 * LOCK_SUBJECTS_MAX {
        tries.count(nth(n), None, steady.now());
    }
    let rows = tries.rows();
    assert!(matches!(rows[0], RowChange::Clear(RowTable::Locks)));
    assert_eq!(rows.len(), LOCK_SUBJECTS_MAX + 1);
    tries.committed();
    assert!(tries.rows().is_empty());
}

/// What the rules say, by looking at every failure there ever was.
#[derive(Default)]
struct Model {
    failures: HashMap<LockSubject, Vec<u64>>,
    blocked: HashMap<LockSubject, u64>,
}

impl Model {
    fn within(&self, subject: &LockSubject, span: Duration, now: u64) -> usize {
        let span = u64::try_from(span.as_millis()).unwrap();
        let all = self.failures.get(subject).into_iter().flatten();
        all.filter(|at| **at + span > now).count()
    }

    fn lock(&self, subject: &LockSubject, now: u64) -> Option<LockCause> {
        let is_address = matches!(subject, LockSubject::Address(_));
        let recent = self.within(subject, 10 * MINUTE, now);
        if self
            .blocked
            .get(subject)
            .is_some_and(|at| at + 86_400_000 > now)
        {
            Some(LockCause::AddressBlocked)
        } else if is_address {
            (recent >= 20).then_some(LockCause::AddressTries)
        } else {
            (recent >= 5).then_some(LockCause::UserTries)
        }
    }

    fn count(&mut self, subject: &LockSubject, now: u64) {
        self.failures.entry(subject.clone()).or_default().push(now);
        let is_address = matches!(subject, LockSubject::Address(_));
        let blocked = self.lock(subject, now) == Some(LockCause::AddressBlocked);
        if is_address && !blocked && self.within(subject, HOUR, now) >= 100 {
            self.blocked.insert(subject.clone(), now);
        }
    }
}

proptest! {
    #[test]
    fn the_table_says_what_the_rules_say(
        steps in prop::collection::vec((0usize..3, 0usize..3, 0u64..400_000, 1usize..30), 60),
    ) {
        let (clock, steady) = clock();
        let mut tries = Tries::load(Vec::new(), steady.now());
        let mut disk = HashMap::new();
        let mut model = Model::default();
        for (address, user, passes, times) in steps {
            clock.advance(Duration::from_millis(passes));
            let (now, from) = (steady.now(), nth(address));
            let name = ["anna", "bert"].get(user).copied();
            let subjects = [
                Some(LockSubject::Address(from)),
                name.map(|name| LockSubject::User(name.into())),
            ];
            let [Some(address), user] = subjects else { unreachable!() };
            for _ in 0..times {
                let locked = model.lock(&address, now.steady).is_some();
                tries.count(from, name, now);
                model.count(&address, now.steady);
                if let Some(user) = user.as_ref().filter(|_| !locked) {
                    model.count(user, now.steady);
                }
                let expected = model.lock(&address, now.steady)
                    .or_else(|| model.lock(user.as_ref()?, now.steady));
                let found = tries.lock(from, name, now).map(|(_, cause, _)| cause);
                prop_assert_eq!(found, expected);
            }
            // What it says is what it says after a restart.
            for row in tries.rows() {
                match row {
                    RowChange::Put(_, key, value) => drop(disk.insert(key, value)),
                    RowChange::Remove(_, key) => drop(disk.remove(&key)),
                    other => panic!("{other:?}"),
                }
            }
            let before = tries.locks(now);
            let rows = disk.iter().map(|(key, value)| (key.clone(), value.clone()));
            tries = Tries::load(rows.collect(), now);
            prop_assert_eq!(tries.locks(now), before);
        }
    }
}
