//! Which listenings go on. A player asks for a recording in hundreds of ranges, and that is one
//! listening: of the same listener, from the same address, to the same recording in the same way,
//! with no pause of [`limits::LISTENING_PAUSE`], and for [`limits::LISTENING_LONGEST`] at most.
//!
//! One table over all workers, in parts with a lock each that is held for a look-up: a listening
//! that goes on costs a hash and two stores, and allocates nothing. It is bounded: when a part is
//! full, what has been silent for longest is forgotten, and told again if it goes on. Forgetting
//! makes entries, never loses them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::ids::{RecordingId, TenantId};
use storage::ledger::acts::Underway;

use super::Listening;
use crate::http::limits;

/// Who listens, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) enum Id {
    /// A key.
    Key(u64),
    /// A user, over all sessions.
    User(u64),
    /// A signed link, by the beginning of its signature.
    Link(u64),
    /// An application.
    Application(u32),
}

/// What makes a listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) struct Key {
    /// Who.
    pub(in crate::http) who: Id,
    /// From where.
    pub(in crate::http) from: IpAddr,
    /// Whose.
    pub(in crate::http) tenant: TenantId,
    /// Which.
    pub(in crate::http) recording: RecordingId,
    /// To listen or to keep.
    pub(in crate::http) how: Listening,
}

/// A listening that goes on. Times are monotonic.
struct Slot {
    began: Duration,
    asked: Duration,
    /// Its entry, until it is known to be durable.
    underway: Option<Underway>,
}

impl Slot {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.asked) >= limits::LISTENING_PAUSE
            || now.saturating_sub(self.began) >= limits::LISTENING_LONGEST
    }
}

type Part = HashMap<Key, Slot>;

/// The table.
pub(in crate::http) struct Listenings {
    parts: [Mutex<Part>; PARTS],
}

impl Listenings {
    /// Nobody listens.
    pub(in crate::http) fn new() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Notes that something of a listening was asked for at `now` (monotonic time); `tell` is
    /// called if it begins with that, and hands its entry over. What is answered is to be waited
    /// for, and how long: by the first request and by those that come while it waits, so that no
    /// byte goes out early.
    ///
    /// Where there was no room for the entry the listening is not noted, and so told with the next
    /// request that finds room.
    pub(in crate::http) fn hear(
        &self,
        key: Key,
        now: Duration,
        tell: impl FnOnce() -> Option<Underway>,
    ) -> Option<(Underway, Duration)> {
        let mut part = self.part(&key);
        if let Some(slot) = part.get_mut(&key)
            && !slot.is_over(now)
        {
            slot.asked = now;
            slot.underway.take_if(|underway| underway.is_durable());
            let left = limits::LISTENING_WAIT.checked_sub(now.saturating_sub(slot.began))?;
            return Some((slot.underway.clone()?, left));
        }
        // The lock is held meanwhile, so that of two first requests one tells.
        let underway = tell()?;
        make_room(&mut part, now);
        let slot = Slot {
            began: now,
            asked: now,
            underway: Some(underway.clone()),
        };
        part.insert(key, slot);
        Some((underway, limits::LISTENING_WAIT))
    }

    fn part(&self, key: &Key) -> MutexGuard<'_, Part> {
        let who = match key.who {
            Id::Key(id) | Id::User(id) | Id::Link(id) => id,
            Id::Application(id) => id.into(),
        };
        // Recordings and keys are numbered one after the other: their lowest bits tell them apart.
        let mixed = (key.recording.0 ^ who.rotate_left(7)).wrapping_mul(SPREAD);
        let at = usize::try_from(mixed >> 32).unwrap_or_default() % PARTS;
        let part = self.parts.get(at).unwrap_or(&self.parts[0]);
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.lock().unwrap().len())
            .sum()
    }
}

/// Makes sure that there is room for one more.
fn make_room(part: &mut Part, now: Duration) {
    if part.len() < PART_MAX {
        return;
    }
    part.retain(|_, slot| !slot.is_over(now));
    if part.len() >= PART_MAX {
        let quietest = part.iter().min_by_key(|(_, slot)| slot.asked);
        if let Some(quietest) = quietest.map(|(key, _)| *key) {
            part.remove(&quietest);
        }
    }
}

const PARTS: usize = 16;
const PART_MAX: usize = limits::LISTENINGS / PARTS;
/// 2^64 divided by the golden ratio: spreads numbers that follow each other.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests;
