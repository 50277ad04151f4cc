//! Listening sockets: one set a worker, spread by the kernel (`SO_REUSEPORT`).

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

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
    let address = local_address(&first)?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(bound(address, v6_only, true)?);
    }
    for socket in &sockets {
        socket.listen(limits::LISTEN_BACKLOG)?;
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

fn bound(address: SocketAddr, v6_only: bool, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
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
