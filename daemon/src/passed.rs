//! Sockets that the service manager holds and passes to the daemon (sd_listen_fds(3)): while the
//! daemon restarts, connections wait in them instead of being refused.
//!
//! ```text
//!  callreeld-http.socket     FileDescriptorName=http     in place of  http.listen
//!  callreeld-https.socket    FileDescriptorName=https    in place of  http.listen_tls
//!  callreeld-control.socket  FileDescriptorName=control  in place of  control.socket
//! ```
//!
//! What is not passed is opened as the configuration says.

#![allow(unsafe_code, reason = "descriptors are passed as numbers")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use socket2::{Domain, SockRef, Type};

/// The names that sockets are passed under.
const NAMES: [&str; 3] = ["http", "https", "control"];

/// Why a passed socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PassedError {
    /// `LISTEN_FDS` and its companions contradict each other or what is open.
    #[error(
        "the service manager's sockets cannot be taken (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES): \
         {0}; start callreeld by its unit, or without these variables"
    )]
    Environment(#[source] io::Error),
    /// A name that means nothing here.
    #[error(
        "the service manager passed a socket named '{name}' (descriptor {number}); set \
         FileDescriptorName= of its socket unit to http, https or control"
    )]
    Name {
        /// What it is called.
        name: String,
        /// Its descriptor.
        number: RawFd,
    },
    /// A descriptor that is no listening stream socket.
    #[error(
        "'{name}' (descriptor {number}), passed by the service manager, is {found}; it must be a \
         listening stream socket: its socket unit needs ListenStream= and Accept=no"
    )]
    Kind {
        /// What it is called.
        name: String,
        /// Its descriptor.
        number: RawFd,
        /// What it is.
        found: &'static str,
    },
    /// A socket of another family.
    #[error(
        "'{name}' (descriptor {number}), passed by the service manager, is not {wanted}; correct \
         ListenStream= of its socket unit"
    )]
    Family {
        /// What it is called.
        name: String,
        /// Its descriptor.
        number: RawFd,
        /// What it should be.
        wanted: &'static str,
    },
    /// More control sockets than can be served.
    #[error(
        "the service manager passed {0} sockets named 'control'; there can be one: give its socket \
         unit one ListenStream="
    )]
    Several(usize),
}

/// What the service manager passed.
#[derive(Debug, Default)]
pub struct Passed {
    /// For plain HTTP.
    pub http: Vec<TcpListener>,
    /// For HTTPS.
    pub https: Vec<TcpListener>,
    /// For the command line.
    pub control: Option<UnixListener>,
}

impl Passed {
    /// Takes the sockets that were passed to this process, closes them on exec, and forgets the
    /// variables, so that no program the daemon starts takes them for its own.
    ///
    /// # Safety
    /// Called once, while the process has one thread, before anything else opens a descriptor.
    ///
    /// # Errors
    /// [`PassedError`] names the socket and what to change.
    pub unsafe fn take() -> Result<Self, PassedError> {
        // SAFETY: the caller promises that there is no other thread to read the environment.
        let named = unsafe { sd_notify::listen_fds_with_names_and_unset_env() };
        let named: Vec<_> = named.map_err(PassedError::Environment)?.collect();
        // SAFETY: the numbers are this process's by LISTEN_PID, open (their flags were set), and
        // nobody else's, since the caller promises that nothing was opened or taken before.
        let owned = named.into_iter().map(|(number, name)| unsafe {
            let socket = OwnedFd::from_raw_fd(number);
            (number, name, socket)
        });
        Self::sort(owned.collect())
    }

    /// Gives each socket its use.
    fn sort(sockets: Vec<(RawFd, String, OwnedFd)>) -> Result<Self, PassedError> {
        let mut passed = Self::default();
        let mut control = Vec::new();
        for (number, name, socket) in sockets {
            if !NAMES.contains(&name.as_str()) {
                return Err(PassedError::Name { name, number });
            }
            check(&socket, &name, number)?;
            match name.as_str() {
                "http" => passed.http.push(socket.into()),
                "https" => passed.https.push(socket.into()),
                _ => control.push(UnixListener::from(socket)),
            }
        }
        if control.len() > 1 {
            return Err(PassedError::Several(control.len()));
        }
        passed.control = control.pop();
        Ok(passed)
    }

    /// Where clients will find HTTP before anything is served, if it is by a passed socket: the
    /// scheme and the address.
    #[must_use]
    pub fn first(&self) -> Option<(&'static str, SocketAddr)> {
        let first = |sockets: &[TcpListener]| sockets.first()?.local_addr().ok();
        let plain = first(&self.http).map(|address| ("http", address));
        plain.or_else(|| first(&self.https).map(|address| ("https", address)))
    }
}

/// Whether a socket is what its name promises.
fn check(socket: &OwnedFd, name: &str, number: RawFd) -> Result<(), PassedError> {
    let is_tcp = name != "control";
    let found = || match kind(socket) {
        Ok((_, Type::STREAM, true)) => None,
        Ok((_, Type::STREAM, false)) => Some("a socket that does not listen"),
        Ok(_) => Some("a socket of another kind"),
        Err(_) => Some("not a socket"),
    };
    if let Some(found) = found() {
        let name = name.to_owned();
        return Err(PassedError::Kind {
            name,
            number,
            found,
        });
    }
    let family = kind(socket).map(|(family, _, _)| family).ok();
    let (fits, wanted) = if is_tcp {
        let is_ip = matches!(family, Some(Domain::IPV4 | Domain::IPV6));
        (is_ip, "a TCP socket")
    } else {
        (family == Some(Domain::UNIX), "a Unix socket")
    };
    if fits {
        return Ok(());
    }
    let name = name.to_owned();
    Err(PassedError::Family {
        name,
        number,
        wanted,
    })
}

/// Family, type, and whether it listens.
fn kind(socket: &OwnedFd) -> io::Result<(Domain, Type, bool)> {
    let socket = SockRef::from(socket);
    Ok((socket.domain()?, socket.r#type()?, socket.is_listener()?))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn tcp() -> OwnedFd {
        TcpListener::bind("127.0.0.1:0").expect("a port").into()
    }

    fn sort(sockets: Vec<(&str, OwnedFd)>) -> Result<Passed, PassedError> {
        let numbered = (3..).zip(sockets);
        Passed::sort(
            numbered
                .map(|(number, (name, socket))| (number, name.to_owned(), socket))
                .collect(),
        )
    }

    #[test]
    fn sockets_find_their_use_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let unix = UnixListener::bind(folder.path().join("s")).expect("a socket");
        let passed = sort(vec![
            ("https", tcp()),
            ("http", tcp()),
            ("control", unix.into()),
            ("http", tcp()),
        ])
        .expect("usable");
        assert_eq!((passed.http.len(), passed.https.len()), (2, 1));
        assert!(passed.control.is_some());
        let (scheme, address) = passed.first().expect("an address");
        assert_eq!(scheme, "http");
        assert_eq!(address, passed.http[0].local_addr().expect("an address"));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let unix = |name: &str| -> OwnedFd {
            UnixListener::bind(folder.path().join(name))
                .expect("a socket")
                .into()
        };
        let file = std::fs::File::open("/dev/null").expect("a file").into();
        let (pair, _other) = UnixStream::pair().expect("a pair");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port").into();
        for (sockets, words) in [
            (vec![("callreeld.socket", tcp())], "FileDescriptorName="),
            (vec![("http", unix("a"))], "not a TCP socket"),
            (vec![("control", tcp())], "not a Unix socket"),
            (vec![("http", udp)], "of another kind"),
            (vec![("control", pair.into())], "does not listen"),
            (vec![("https", file)], "not a socket"),
            (
                vec![("control", unix("b")), ("control", unix("c"))],
                "one ListenStream=",
            ),
        ] {
            let error = sort(sockets).expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
