//! Tickets: what an `<audio>` element shows instead of a key, since it cannot send headers.
//!
//! A ticket is good for one listening, not for one request: an `<audio>` element asks for a
//! recording many times (a probe, then a range a seek). So its *first* use must come within
//! [`limits::TICKET_FIRST_USE`] and binds it to the recording and the client's address; after that
//! it opens that recording for that address alone, until nobody has used it for
//! [`limits::TICKET_IDLE`], at the latest [`limits::TICKET_LIFE`] after its issue. A ticket that
//! was seen on its way (a log, a referrer, a shoulder) therefore opens nothing elsewhere.
//!
//! Tickets live in memory: a restart ends all listenings, and the page asks for new ones.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use storage::ids::TenantId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::limits;

/// Who asked for a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// Whose recordings it opens.
    pub(super) tenant: TenantId,
    /// By which key; the ticket dies with it.
    pub(super) key_id: u64,
}

struct Ticket {
    holder: Holder,
    issued: Duration,
    used: Option<Duration>,
    task: Option<Uuid>,
    address: Option<IpAddr>,
}

impl Ticket {
    fn is_dead(&self, now: Duration) -> bool {
        let first = now.saturating_sub(self.issued);
        match self.used {
            None => first >= limits::TICKET_FIRST_USE,
            Some(used) => {
                now.saturating_sub(used) >= limits::TICKET_IDLE || first >= limits::TICKET_LIFE
            }
        }
    }
}

/// Why no ticket was issued.
#[derive(Debug, thiserror::Error)]
pub(super) enum IssueError {
    /// All [`limits::TICKETS`] are in use.
    #[error("too many tickets are in use")]
    Full,
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// All tickets in use, by hash.
pub(super) struct Tickets {
    hash_key: [u8; 32],
    table: Mutex<HashMap<[u8; 32], Ticket>>,
}

impl Tickets {
    /// None in use.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut hash_key = [0; 32];
        getrandom::fill(&mut hash_key)?;
        Ok(Self {
            hash_key,
            table: Mutex::new(HashMap::new()),
        })
    }

    /// Issues a ticket at `now` (monotonic time), for one recording if `task` says which.
    ///
    /// # Errors
    /// [`IssueError`].
    pub(super) fn issue(
        &self,
        holder: Holder,
        task: Option<Uuid>,
        now: Duration,
    ) -> Result<String, IssueError> {
        let mut secret = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(IssueError::Random)?;
        let mut text = String::with_capacity(PREFIX.len() + SECRET_BYTES * 2);
        text.push_str(PREFIX);
        for byte in secret {
            let _ = write!(text, "{byte:02x}");
        }
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= limits::TICKETS {
            table.retain(|_, ticket| !ticket.is_dead(now));
            if table.len() >= limits::TICKETS {
                return Err(IssueError::Full);
            }
        }
        let ticket = Ticket {
            holder,
            issued: now,
            used: None,
            task,
            address: None,
        };
        table.insert(self.hash(&text), ticket);
        Ok(text)
    }

    /// Uses a ticket for a recording from an address; whose it is, if it opens that.
    pub(super) fn redeem(
        &self,
        text: &str,
        task: Uuid,
        from: IpAddr,
        now: Duration,
    ) -> Option<Holder> {
        let hash = self.hash(text);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // The table is keyed by a keyed hash, so what its search takes tells nothing of a ticket;
        // the comparison that decides is constant-time all the same.
        let (stored, ticket) = table.get_key_value(&hash)?;
        if !bool::from(stored.ct_eq(&hash)) {
            return None;
        }
        if ticket.is_dead(now) {
            table.remove(&hash);
            return None;
        }
        let from = from.to_canonical();
        let fits = ticket.task.is_none_or(|bound| bound == task)
            && ticket.address.is_none_or(|bound| bound == from);
        if !fits {
            return None;
        }
        let ticket = table.get_mut(&hash)?;
        ticket.used = Some(now);
        ticket.task = Some(task);
        ticket.address = Some(from);
        Some(ticket.holder)
    }

    fn hash(&self, text: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.hash_key, text.as_bytes()).as_bytes()
    }
}

const PREFIX: &str = "tkt_";
const SECRET_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDER: Holder = Holder {
        tenant: TenantId(3),
        key_id: 7,
    };

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_first_use_binds_and_later_ones_must_match() {
        let tickets = Tickets::new().unwrap();
        let (task, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let at = Duration::from_secs;
        let ticket = tickets.issue(HOLDER, None, at(0)).unwrap();
        assert_eq!(tickets.redeem(&ticket, task, ip(1), at(59)), Some(HOLDER));
        assert_eq!(tickets.redeem(&ticket, task, ip(1), at(600)), Some(HOLDER));
        assert_eq!(tickets.redeem(&ticket, other, ip(1), at(600)), None);
        assert_eq!(tickets.redeem(&ticket, task, ip(2), at(600)), None);
        let idle = at(600) + limits::TICKET_IDLE;
        assert_eq!(tickets.redeem(&ticket, task, ip(1), idle), None);
    }

    #[test]
    fn unused_bound_and_forged_tickets() {
        let tickets = Tickets::new().unwrap();
        let task = Uuid::from_u128(1);
        let late = tickets.issue(HOLDER, None, Duration::ZERO).unwrap();
        assert_eq!(
            tickets.redeem(&late, task, ip(1), limits::TICKET_FIRST_USE),
            None
        );
        let bound = tickets.issue(HOLDER, Some(task), Duration::ZERO).unwrap();
        assert_eq!(
            tickets.redeem(&bound, Uuid::from_u128(9), ip(1), Duration::ZERO),
            None
        );
        for at in 0..bound.len() {
            let mut forged = bound.clone().into_bytes();
            if let Some(byte) = forged.get_mut(at) {
                *byte ^= 1;
            }
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(tickets.redeem(&forged, task, ip(1), Duration::ZERO), None);
        }
        assert_eq!(
            tickets.redeem(&bound, task, ip(1), Duration::ZERO),
            Some(HOLDER)
        );
    }

    #[test]
    fn a_listening_ends_however_busy_it_is() {
        let tickets = Tickets::new().unwrap();
        let task = Uuid::from_u128(1);
        let ticket = tickets.issue(HOLDER, None, Duration::ZERO).unwrap();
        let mut now = Duration::ZERO;
        while now < limits::TICKET_LIFE {
            assert_eq!(tickets.redeem(&ticket, task, ip(1), now), Some(HOLDER));
            now += limits::TICKET_IDLE / 2;
        }
        assert_eq!(tickets.redeem(&ticket, task, ip(1), now), None);
    }

    #[test]
    fn the_table_is_bounded_and_makes_room_for_the_living() {
        let tickets = Tickets::new().unwrap();
        for _ in 0..limits::TICKETS {
            tickets.issue(HOLDER, None, Duration::ZERO).unwrap();
        }
        assert!(matches!(
            tickets.issue(HOLDER, None, Duration::ZERO),
            Err(IssueError::Full)
        ));
        assert!(
            tickets
                .issue(HOLDER, None, limits::TICKET_FIRST_USE)
                .is_ok()
        );
    }
}
