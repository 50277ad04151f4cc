//! Addresses as limits see them, and how many connections each may hold.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::limits;

/// Who is on the other end: an IPv4 address, or an IPv6 /64, which is what one customer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Neighbour(u128);

impl Neighbour {
    /// The neighbour an address belongs to.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) if v6 == Ipv6Addr::LOCALHOST => Self(v6.to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits() & !u128::from(u64::MAX)),
        }
    }
}

/// Why a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// `max_connections` are open.
    Total,
    /// The address holds its share.
    Address,
}

/// Connections over all workers.
pub(super) struct Connections {
    open: AtomicUsize,
    by_neighbour: Mutex<HashMap<Neighbour, usize>>,
}

impl Connections {
    /// None open.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            by_neighbour: Mutex::new(HashMap::new()),
        })
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes a place for a connection, given back when the guard is dropped.
    ///
    /// # Errors
    /// [`Full`] when there is none.
    pub(super) fn take(self: &Arc<Self>, from: IpAddr, most: usize) -> Result<Place, Full> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        let mut place = Place {
            table: Arc::clone(self),
            neighbour: None,
        };
        if taken >= most {
            return Err(Full::Total);
        }
        if !from.to_canonical().is_loopback() {
            let neighbour = Neighbour::of(from);
            let share = (most / limits::ADDRESS_SHARE_DIVISOR).max(limits::ADDRESS_SHARE_MIN);
            let mut table = self
                .by_neighbour
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let held = table.entry(neighbour).or_insert(0);
            if *held >= share {
                return Err(Full::Address);
            }
            *held += 1;
            place.neighbour = Some(neighbour);
        }
        Ok(place)
    }
}

/// One connection's place.
pub(super) struct Place {
    table: Arc<Connections>,
    neighbour: Option<Neighbour>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(neighbour) = self.neighbour {
            let mut table = self
                .table
                .by_neighbour
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(held) = table.get_mut(&neighbour) {
                *held -= 1;
                if *held == 0 {
                    table.remove(&neighbour);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn neighbours_are_ipv4_addresses_and_ipv6_networks() {
        assert_eq!(
            Neighbour::of(ip("192.0.2.1")),
            Neighbour::of(ip("::ffff:192.0.2.1"))
        );
        assert_ne!(
            Neighbour::of(ip("192.0.2.1")),
            Neighbour::of(ip("192.0.2.2"))
        );
        assert_eq!(
            Neighbour::of(ip("2001:db8::1")),
            Neighbour::of(ip("2001:db8::ffff:2"))
        );
        assert_ne!(
            Neighbour::of(ip("2001:db8::1")),
            Neighbour::of(ip("2001:db8:0:1::1"))
        );
    }

    #[test]
    fn an_address_gets_its_share_and_loopback_all() {
        let table = Connections::new();
        let most = 100;
        let held: Vec<Place> = (0..25)
            .map(|_| table.take(ip("192.0.2.1"), most).ok().unwrap())
            .collect();
        assert_eq!(table.take(ip("192.0.2.1"), most).err(), Some(Full::Address));
        let other = table.take(ip("192.0.2.2"), most);
        assert!(other.is_ok());
        let local: Vec<Place> = (0..74)
            .map(|_| table.take(ip("::1"), most).ok().unwrap())
            .collect();
        assert_eq!(table.take(ip("127.0.0.1"), most).err(), Some(Full::Total));
        assert_eq!(table.open(), 100);
        drop((held, other, local));
        assert_eq!(table.open(), 0);
        assert!(table.take(ip("192.0.2.1"), most).is_ok());
    }
}
