//! TCP ports for daemons that cannot be told to pick one: below the ephemeral range, probed, and
//! never given out twice by this process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports that are tried: above the well-known services, below Linux's ephemeral ports (32768).
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback address nobody listens on.
///
/// # Panics
/// When the whole range is taken.
pub fn free_address() -> SocketAddr {
    // Processes start at different places, so that two suites at once rarely meet.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let offset = (u32::from(start) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % 20_000;
        let port = FIRST + u16::try_from(offset).unwrap_or(0);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // The daemon shares ports (SO_REUSEPORT); this probe does not, so it sees other daemons.
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port from {FIRST} to {}", FIRST + COUNT);
}
