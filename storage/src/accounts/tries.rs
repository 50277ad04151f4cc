//! The table of failures: who failed when, in memory, what a lock follows from it, and what of it
//! is still to be written. Times are those of the steady clock, in milliseconds.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::account::{LockCause, LockSubject};
use crate::accounts::keys::cut;
use crate::accounts::time::Now;
use crate::index::rows::{LateRows, RowChange, RowTable};
use crate::index::values::{self, TriesRow};
use crate::limits::{
    LOCK_ADDRESS_TRIES, LOCK_BLOCK_SPAN, LOCK_BLOCK_TRIES, LOCK_BLOCKED, LOCK_NAME_MAX,
    LOCK_SUBJECTS_MAX, LOCK_TRIES_SPAN, LOCK_USER_TRIES,
};

/// All failures that still matter.
pub(super) struct Tries {
    table: RwLock<Table>,
    /// How many subjects there are, so that nobody waits for the table while there are none.
    subjects: AtomicUsize,
    /// A change that will ask for rows is on its way to the index.
    asked: AtomicBool,
}

#[derive(Default)]
struct Table {
    entries: HashMap<LockSubject, Entry>,
    /// Subjects by their last failure.
    order: BTreeMap<u64, LockSubject>,
    tick: u64,
    /// What differs from the disk.
    dirty: HashSet<LockSubject>,
    /// What a commit under way writes.
    in_flight: HashSet<LockSubject>,
    /// Too much differs to tell one by one: all is to be written.
    rewrite: bool,
}

#[derive(Default)]
struct Entry {
    /// Oldest first; only as many as a lock needs.
    failures: VecDeque<u64>,
    blocked_at: Option<u64>,
    /// Its place in the order.
    tick: u64,
}

/// How failures of a kind of subject count.
struct Rule {
    kept: usize,
    span: u64,
    tries: usize,
    cause: LockCause,
}

impl Rule {
    const fn of(subject: &LockSubject) -> Self {
        match subject {
            LockSubject::Address(_) => Self {
                kept: LOCK_BLOCK_TRIES,
                span: ms(LOCK_BLOCK_SPAN),
                tries: LOCK_ADDRESS_TRIES,
                cause: LockCause::AddressTries,
            },
            LockSubject::User(_) => Self {
                kept: LOCK_USER_TRIES,
                span: ms(LOCK_TRIES_SPAN),
                tries: LOCK_USER_TRIES,
                cause: LockCause::UserTries,
            },
        }
    }
}

impl Entry {
    fn lock(&self, rule: &Rule, now: u64) -> Option<(LockCause, u64)> {
        let blocked_until = self.blocked_at.map(|at| at.saturating_add(BLOCKED_MS));
        if let Some(until) = blocked_until.filter(|until| *until > now) {
            return Some((LockCause::AddressBlocked, until));
        }
        let first = self.failures.len().checked_sub(rule.tries)?;
        let until = self
            .failures
            .get(first)?
            .saturating_add(ms(LOCK_TRIES_SPAN));
        (until > now).then_some((rule.cause, until))
    }

    fn count(&mut self, rule: &Rule, now: u64) {
        self.age(rule, now);
        self.failures.push_back(now);
        while self.failures.len() > rule.kept {
            self.failures.pop_front();
        }
        if self.failures.len() >= LOCK_BLOCK_TRIES && self.blocked_at.is_none() {
            self.blocked_at = Some(now);
        }
    }

    /// Drops what is too long ago to matter.
    fn age(&mut self, rule: &Rule, now: u64) {
        let is_past = |at: &u64, span| at.saturating_add(span) <= now;
        while self
            .failures
            .front()
            .is_some_and(|at| is_past(at, rule.span))
        {
            self.failures.pop_front();
        }
        self.blocked_at = self.blocked_at.filter(|at| !is_past(at, BLOCKED_MS));
    }

    fn is_dead(&self) -> bool {
        self.failures.is_empty() && self.blocked_at.is_none()
    }
}

impl Tries {
    /// What the index holds; what lies in the future happens now, so that no lock outlasts its
    /// own length.
    pub(super) fn load(rows: Vec<(Vec<u8>, Vec<u8>)>, now: Now) -> Self {
        let mut all = Vec::new();
        for (key, value) in rows {
            let (Some(subject), Ok(row)) = (subject_of(&key), values::decode_tries(&value)) else {
                log::error!("a row in '{}' is unreadable", RowTable::Locks.name());
                continue;
            };
            let rule = Rule::of(&subject);
            let mut failures: Vec<_> = row.failures.iter().map(|at| *at.min(&now.steady)).collect();
            failures.sort_unstable();
            let surplus = failures.len().saturating_sub(rule.kept);
            let mut entry = Entry {
                failures: failures.drain(surplus..).collect(),
                blocked_at: row.blocked_at.map(|at| at.min(now.steady)),
                tick: 0,
            };
            entry.age(&rule, now.steady);
            all.push((subject, entry));
        }
        all.sort_by_key(|(_, entry)| entry.failures.back().copied().or(entry.blocked_at));
        let mut table = Table::default();
        for (subject, entry) in all {
            if entry.is_dead() {
                table.dirty.insert(subject);
            } else {
                table.tick += 1;
                let tick = table.tick;
                table.order.insert(tick, subject.clone());
                table.entries.insert(subject, Entry { tick, ..entry });
            }
        }
        Self {
            subjects: AtomicUsize::new(table.entries.len()),
            table: RwLock::new(table),
            asked: AtomicBool::new(false),
        }
    }

    /// Counts a failure. A name is not counted for an address that is locked: what it tries is
    /// refused unseen, and must neither lock others out nor push them out of the table.
    pub(super) fn count(&self, from: IpAddr, user: Option<&str>, now: Now) {
        let mut table = self.write();
        let address = address(from);
        let user = user.filter(|_| table.lock(&address, now.steady).is_none());
        table.count(address, now.steady);
        if let Some(user) = user {
            table.count(name(user), now.steady);
        }
        self.subjects.store(table.entries.len(), Ordering::Relaxed);
    }

    /// The heaviest lock of an address or a name.
    pub(super) fn lock(
        &self,
        from: IpAddr,
        user: Option<&str>,
        now: Now,
    ) -> Option<(LockSubject, LockCause, u64)> {
        if self.subjects.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let subjects = [Some(address(from)), user.map(name)];
        let table = self.read();
        // Addresses come first, and their locks are the heavier ones.
        subjects.into_iter().flatten().find_map(|subject| {
            let (cause, until) = table.lock(&subject, now.steady)?;
            Some((subject, cause, until))
        })
    }

    /// All locks, in the subjects' order.
    pub(super) fn locks(&self, now: Now) -> Vec<(LockSubject, LockCause, u64)> {
        let table = self.read();
        let locked = table.entries.iter().filter_map(|(subject, entry)| {
            let (cause, until) = entry.lock(&Rule::of(subject), now.steady)?;
            Some((subject.clone(), cause, until))
        });
        let mut all: Vec<_> = locked.collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Forgets a subject; whether there was anything.
    pub(super) fn clear(&self, subject: &LockSubject) -> bool {
        let subject = match subject {
            LockSubject::Address(from) => address(*from),
            LockSubject::User(user) => name(user),
        };
        let mut table = self.write();
        let found = table.forget(&subject);
        self.subjects.store(table.entries.len(), Ordering::Relaxed);
        found
    }

    /// Whether the caller is to hand a change to the index that asks for rows.
    pub(super) fn must_ask(&self) -> bool {
        !self.asked.swap(true, Ordering::SeqCst)
    }

    /// The change could not be handed over: the next failure tries again.
    pub(super) fn not_asked(&self) {
        self.asked.store(false, Ordering::SeqCst);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.read().entries.len()
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tries")
            .field("subjects", &self.subjects)
            .finish_non_exhaustive()
    }
}

impl LateRows for Tries {
    /// Called again when the commit fails: what was in flight is still to be written then.
    fn rows(&self) -> Vec<RowChange> {
        self.not_asked();
        let mut table = self.write();
        let table = &mut *table;
        let mut rows = Vec::new();
        if table.rewrite {
            table.rewrite = false;
            rows.push(RowChange::Clear(RowTable::Locks));
            table.dirty.extend(table.entries.keys().cloned());
        }
        table.in_flight.extend(table.dirty.drain());
        rows.extend(table.in_flight.iter().map(|subject| {
            let key = key_of(subject);
            match table.entries.get(subject) {
                None => RowChange::Remove(RowTable::Locks, key),
                Some(entry) => {
                    let row = TriesRow {
                        failures: entry.failures.iter().copied().collect(),
                        blocked_at: entry.blocked_at,
                    };
                    RowChange::Put(RowTable::Locks, key, values::encode_tries(&row))
                }
            }
        }));
        rows
    }

    fn committed(&self) {
        self.write().in_flight.clear();
    }
}

impl Table {
    fn lock(&self, subject: &LockSubject, now: u64) -> Option<(LockCause, u64)> {
        self.entries.get(subject)?.lock(&Rule::of(subject), now)
    }

    fn count(&mut self, subject: LockSubject, now: u64) {
        self.tick += 1;
        let entry = self.entries.entry(subject.clone()).or_default();
        self.order.remove(&entry.tick);
        entry.tick = self.tick;
        entry.count(&Rule::of(&subject), now);
        self.order.insert(self.tick, subject.clone());
        self.mark(subject);
        self.make_room(now);
    }

    /// Forgets what no longer matters, a little at a time, and the oldest when there are too many.
    fn make_room(&mut self, now: u64) {
        for _ in 0..FORGET_AT_ONCE {
            let Some((_, subject)) = self.order.first_key_value() else {
                return;
            };
            let subject = subject.clone();
            let full = self.entries.len() > LOCK_SUBJECTS_MAX;
            let dead = self.entries.get_mut(&subject).is_none_or(|entry| {
                entry.age(&Rule::of(&subject), now);
                entry.is_dead()
            });
            if !full && !dead {
                return;
            }
            self.forget(&subject);
        }
    }

    fn forget(&mut self, subject: &LockSubject) -> bool {
        let Some(entry) = self.entries.remove(subject) else {
            return false;
        };
        self.order.remove(&entry.tick);
        self.mark(subject.clone());
        true
    }

    fn mark(&mut self, subject: LockSubject) {
        if !self.rewrite {
            self.dirty.insert(subject);
        }
        // The disk refuses for so long that it is cheaper to write all that there is.
        if self.dirty.len() > 2 * LOCK_SUBJECTS_MAX {
            self.dirty = HashSet::new();
            self.rewrite = true;
        }
    }
}

/// An address as it is counted: IPv4 in whichever way it is written, IPv6 by its /64.
fn address(from: IpAddr) -> LockSubject {
    LockSubject::Address(match from.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        plain @ IpAddr::V4(_) => plain,
    })
}

/// A name as it is counted.
fn name(user: &str) -> LockSubject {
    let lower = cut(user, LOCK_NAME_MAX).to_lowercase();
    LockSubject::User(cut(&lower, LOCK_NAME_MAX).to_owned())
}

/// A subject's key on disk: its kind, then its address or name.
fn key_of(subject: &LockSubject) -> Vec<u8> {
    let mut key = Vec::with_capacity(24);
    match subject {
        LockSubject::Address(IpAddr::V4(address)) => {
            key.push(KIND_V4);
            key.extend(address.octets());
        }
        LockSubject::Address(IpAddr::V6(address)) => {
            key.push(KIND_V6);
            key.extend(&address.octets()[..8]);
        }
        LockSubject::User(name) => {
            key.push(KIND_USER);
            key.extend(name.as_bytes());
        }
    }
    key
}

/// What a key on disk means.
pub(super) fn subject_of(key: &[u8]) -> Option<LockSubject> {
    let (kind, rest) = key.split_first()?;
    match *kind {
        KIND_V4 => {
            let octets: [u8; 4] = rest.try_into().ok()?;
            Some(LockSubject::Address(IpAddr::from(octets)))
        }
        KIND_V6 => {
            let network: [u8; 8] = rest.try_into().ok()?;
            let network = u128::from(u64::from_be_bytes(network)) << 64;
            Some(LockSubject::Address(Ipv6Addr::from(network).into()))
        }
        KIND_USER => String::from_utf8(rest.to_vec()).ok().map(LockSubject::User),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "minutes to a day")]
const fn ms(span: Duration) -> u64 {
    span.as_millis() as u64
}

const BLOCKED_MS: u64 = ms(LOCK_BLOCKED);

const KIND_V4: u8 = 0;
const KIND_V6: u8 = 1;
const KIND_USER: u8 = 2;

/// Subjects that one failure makes the table forget, at most.
const FORGET_AT_ONCE: usize = 8;
