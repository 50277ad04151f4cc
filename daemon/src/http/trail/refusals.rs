//! Failed logins, wrong keys, forged links: told at once, and then counted. The first of an
//! address, for a family and a reason (and a name, where one was typed), is an entry; what follows
//! of the same within [`limits::REFUSALS_SPAN`] is one more entry with their number when that is
//! over. At most [`limits::REFUSALS`] are told apart in that time: of all others one entry tells
//! how many they were. So whoever guesses, from however many addresses, cannot fill the disk.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use storage::account::{Lock, LockCause};
use storage::handle::StorageHandle;
use storage::ids::{RecordingId, TenantId};
use storage::ledger::entry::{Act, Actor, ActorKind, Kind};
use storage::record::{KeyRow, WallMillis};

use crate::http::address::Neighbour;
use crate::http::limits;
use crate::http::metrics::Group;
use crate::http::site::Site;

/// Somebody who is not let in.
#[derive(Clone, Debug)]
pub(in crate::http) struct Refusal {
    from: IpAddr,
    family: &'static str,
    why: &'static str,
    path: Box<str>,
    who: Option<Actor>,
    on: Option<(TenantId, Option<RecordingId>)>,
    until: Option<WallMillis>,
}

impl Refusal {
    /// Of a request.
    pub(in crate::http) fn new(
        parts: &Parts,
        from: IpAddr,
        family: Group,
        why: &'static str,
    ) -> Self {
        Self {
            from,
            family: family.label(),
            why,
            path: cut(parts.uri.path(), PATH_BYTES).into(),
            who: None,
            on: None,
            until: None,
        }
    }

    /// Of somebody who is locked out. A name is told where it is what is locked: an address that
    /// is may try any number of them.
    pub(in crate::http) fn locked(self, lock: &Lock, name: Option<&str>) -> Self {
        let told = Self {
            why: why(lock),
            ..self
        };
        match (lock.cause, name) {
            (LockCause::UserTries, Some(name)) => told.named(name),
            _ => told,
        }
    }

    /// The same door, for another reason.
    pub(in crate::http) fn because(self, why: &'static str) -> Self {
        Self { why, ..self }
    }

    /// Who it is, or says to be.
    pub(in crate::http) fn by(mut self, who: Actor) -> Self {
        self.who = Some(who);
        self
    }

    /// A key that is right, and not enough.
    pub(in crate::http) fn of_key(self, row: &KeyRow) -> Self {
        self.by(super::key(row)).on(row.tenant, None)
    }

    /// The name that was typed. What is longer than any name is cut.
    pub(in crate::http) fn named(self, name: &str) -> Self {
        self.by(Actor::new(
            ActorKind::User,
            None,
            Some(cut(name, NAME_BYTES)),
        ))
    }

    /// Whose door it was, and which recording's, where that is certain.
    pub(in crate::http) fn on(mut self, tenant: TenantId, recording: Option<RecordingId>) -> Self {
        self.on = Some((tenant, recording));
        self
    }

    fn key(&self, kind: Kind) -> Key {
        Key {
            from: Neighbour::of(self.from),
            family: self.family,
            kind,
            why: self.why,
            who: self.who.clone(),
        }
    }

    fn act(&self, kind: Kind) -> Act {
        let act = Act::new(kind).from(self.from.to_canonical());
        let act = act.with("why", self.why).with("family", self.family);
        let act = act.with("path", &*self.path);
        let act = match self.on {
            Some((tenant, Some(recording))) => act.on(tenant, recording),
            Some((tenant, None)) => act.of(tenant),
            None => act,
        };
        let act = match self.until {
            Some(until) => act.with("until", until.0),
            None => act,
        };
        match &self.who {
            Some(who) => act.by(who.clone()),
            None => act,
        }
    }
}

/// What is told together.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    from: Neighbour,
    family: &'static str,
    kind: Kind,
    why: &'static str,
    who: Option<Actor>,
}

struct Slot {
    /// When its entry was told, in monotonic time.
    told: Duration,
    /// The address of that.
    from: IpAddr,
    /// How many there were after it.
    more: u64,
}

/// The counts that are still to be told.
pub(in crate::http) struct Refusals {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    slots: HashMap<Key, Slot>,
    /// Those that are not told apart, and since when they are counted.
    others: u64,
    others_since: Duration,
}

impl Refusals {
    /// Nobody was refused.
    pub(in crate::http) fn new() -> Self {
        Self {
            held: Mutex::default(),
        }
    }

    /// Counts a refusal at `now` (monotonic time), and tells the ledger where it is the first.
    pub(in crate::http) fn count(
        &self,
        storage: &StorageHandle,
        refusal: &Refusal,
        kind: Kind,
        now: Duration,
    ) {
        let mut held = self.lock();
        let key = refusal.key(kind.clone());
        if let Some(slot) = held.slots.get_mut(&key)
            && !is_over(slot.told, now)
        {
            slot.more = slot.more.saturating_add(1);
            return;
        }
        held.sweep(storage, now, false);
        if held.slots.len() >= limits::REFUSALS {
            if held.others == 0 {
                held.others_since = now;
            }
            held.others = held.others.saturating_add(1);
            return;
        }
        let slot = Slot {
            told: now,
            from: refusal.from,
            more: 0,
        };
        held.slots.insert(key, slot);
        storage.record_act(refusal.act(kind));
    }

    /// Tells the counts whose time is over.
    pub(in crate::http) fn sweep(&self, storage: &StorageHandle, now: Duration) {
        self.lock().sweep(storage, now, false);
    }

    /// Tells all counts: nobody is let in or refused any more.
    pub(in crate::http) fn flush(&self, storage: &StorageHandle, now: Duration) {
        self.lock().sweep(storage, now, true);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn sweep(&mut self, storage: &StorageHandle, now: Duration, all: bool) {
        self.slots.retain(|key, slot| {
            let stays = !all && !is_over(slot.told, now);
            if !stays && slot.more > 0 {
                storage.record_act(key.more(slot));
            }
            stays
        });
        if self.others > 0 && (all || is_over(self.others_since, now)) {
            let act = Act::new(Kind::LoginFailed).with("why", "too many to tell apart");
            storage.record_act(act.with("failures", std::mem::take(&mut self.others)));
        }
    }
}

impl Key {
    /// The entry of those that came after the first.
    fn more(&self, slot: &Slot) -> Act {
        let act = Act::new(self.kind.clone()).from(slot.from.to_canonical());
        let act = act.with("why", self.why).with("family", self.family);
        let act = act.with("failures", slot.more);
        match &self.who {
            Some(who) => act.by(who.clone()),
            None => act,
        }
    }
}

/// Tells of somebody who is not let in.
pub(in crate::http) fn tell(site: &Site, refusal: &Refusal) {
    let now = site.clock.monotonic();
    let refusals = &site.refusals;
    refusals.count(&site.storage, refusal, Kind::LoginFailed, now);
}

/// Counts a failure for the store's locks, and tells of the lock that it brings about.
pub(in crate::http) fn count_failure(site: &Site, refusal: &Refusal, name: Option<&str>) {
    let (storage, from) = (&site.storage, refusal.from);
    let before = storage.locked(from, name);
    storage.count_failure(from, name);
    let Some(lock) = storage.locked(from, name) else {
        return;
    };
    let is_same = |before: Lock| before.subject == lock.subject && before.cause == lock.cause;
    if before.is_some_and(is_same) {
        return;
    }
    // An address is locked whatever names it tried.
    let who = match lock.cause {
        LockCause::UserTries => refusal.who.clone(),
        LockCause::AddressTries | LockCause::AddressBlocked => None,
    };
    let told = Refusal {
        why: why(&lock),
        who,
        until: Some(lock.until),
        ..refusal.clone()
    };
    let now = site.clock.monotonic();
    site.refusals.count(storage, &told, Kind::LockedOut, now);
}

/// What a lock is called in the ledger.
const fn why(lock: &Lock) -> &'static str {
    match lock.cause {
        LockCause::AddressTries => "too many failures of the address",
        LockCause::UserTries => "too many failures of the name",
        LockCause::AddressBlocked => "the address is blocked for a day",
    }
}

fn is_over(told: Duration, now: Duration) -> bool {
    now.saturating_sub(told) >= limits::REFUSALS_SPAN
}

/// At most so many bytes of a text, and whole characters of it.
fn cut(text: &str, bytes: usize) -> &str {
    let mut ends = (0..=bytes.min(text.len())).rev();
    let end = ends.find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// No user's name is longer.
const NAME_BYTES: usize = 64;
const PATH_BYTES: usize = 160;

#[cfg(test)]
mod tests;
