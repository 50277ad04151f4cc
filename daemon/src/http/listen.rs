//! Listening sockets: one set a worker, spread by the kernel (`SO_REUSEPORT`).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    sockopt,
};

use super::limits;

/// Opens `count` sockets on one address. Port 0 takes a free one, the same for all.
///
/// # Errors
/// `bind`'s; `EADDRINUSE` also when another process of this user already shares the port.
pub(super) fn open(
    address: SocketAddr,
    count: usize,
    v6_only: bool,
) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // SO_REUSEPORT would let a second daemon of the same user share the port and take half of
        // the connections; without it the kernel tells.
        drop(bound(address, v6_only, false)?);
    }
    let first = bound(address, v6_only, true)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(bound(address, v6_only, true)?);
    }
    for socket in &sockets {
        listen(socket, Backlog::new(limits::LISTEN_BACKLOG)?)?;
    }
    Ok(sockets)
}

fn bound(address: SocketAddr, v6_only: bool, share: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if share {
        setsockopt(&fd, sockopt::ReusePort, &true)?;
    }
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &v6_only)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(TcpListener::from(fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_zero_is_one_port_for_all_and_a_second_server_is_told() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sockets = open(any, 3, false).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert_ne!(address.port(), 0);
        for socket in &sockets {
            assert_eq!(socket.local_addr().unwrap(), address);
        }
        let second = open(address, 1, false).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        drop(sockets);
        assert!(open(address, 1, false).is_ok());
    }
}
