//! The client of the HTTP benchmarks, the same for every server: raw HTTP/1.1 with keep-alive over
//! one epoll, on one thread. It checks each answer's status and length, and lets the kernel drop
//! the body (`MSG_TRUNC`; `tls_client` for what that is over TLS), so that the client's core is
//! never what limits a server.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};

use crate::error::Failure;
use crate::machine::now;
use crate::stats::Random;
use crate::tls_client::{Records, Trust};

/// Where a file is served, and what a request for it needs.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Who serves, for messages.
    pub(crate) server: String,
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    /// Header lines, each ended by CRLF.
    pub(crate) headers: String,
    /// The file's length in bytes.
    pub(crate) len: u64,
    /// What to speak TLS with; plain where there is nothing.
    pub(crate) trust: Option<Trust>,
}

impl Target {
    /// The request for bytes `from..from+len`, or for the whole file.
    fn request(&self, range: Option<(u64, u64)>, out: &mut Vec<u8>) {
        out.clear();
        let Self { path, headers, .. } = self;
        let _ = write!(out, "GET {path} HTTP/1.1\r\nHost: bench\r\n{headers}");
        if let Some((from, len)) = range {
            let _ = write!(out, "Range: bytes={from}-{}\r\n", from + len - 1);
        }
        out.extend_from_slice(b"\r\n");
    }

    pub(crate) fn wrong(&self, what: impl Into<String>) -> Failure {
        Failure::Answer {
            server: self.server.clone(),
            what: what.into(),
        }
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let what = || format!("{}: connect", self.server);
        let stream = TcpStream::connect(self.address).map_err(Failure::io(what()))?;
        stream.set_nodelay(true).map_err(Failure::io(what()))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(Failure::io(what()))?;
        Ok(stream)
    }
}

/// What is asked, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Bytes of each random range; `None` asks for the whole file.
    pub(crate) range: Option<u64>,
    pub(crate) connections: usize,
    /// New requests are made for this long; those under way are finished.
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
}

/// What was answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    /// Of bodies.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

/// Puts a load on a server.
pub(crate) fn run(target: &Target, load: Load) -> Result<Tally, Failure> {
    let what = || format!("{}: load", target.server);
    let epoll = Epoll::new(EpollCreateFlags::empty()).map_err(Failure::errno(what()))?;
    let mut random = Random::new(load.seed);
    let mut tally = Tally::default();
    let mut connections = Vec::new();
    for number in 0..load.connections {
        let stream = target.connect()?;
        let records = target.trust.as_ref();
        let records = records
            .map(|trust| trust.records(&target.server, &stream))
            .transpose()?;
        stream.set_nonblocking(true).map_err(Failure::io(what()))?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        epoll.add(&stream, event).map_err(Failure::errno(what()))?;
        connections.push(Connection::new(stream, records));
    }
    let started = now();
    let until = started + load.duration;
    for connection in &mut connections {
        connection.ask(target, load, &mut random)?;
    }
    let mut discard = vec![0; DISCARD_BYTES];
    let mut events = vec![EpollEvent::empty(); load.connections];
    let mut open = load.connections;
    let mut time = started;
    while open > 0 {
        let timeout = EpollTimeout::try_from(PATIENCE).unwrap_or(EpollTimeout::NONE);
        let ready = epoll
            .wait(&mut events, timeout)
            .map_err(Failure::errno(what()))?;
        if ready == 0 {
            return Err(target.wrong(format!("nothing arrived for {} s", PATIENCE.as_secs())));
        }
        for event in &events[..ready] {
            let Some(connection) = usize::try_from(event.data())
                .ok()
                .and_then(|n| connections.get_mut(n))
            else {
                continue;
            };
            if !connection.receive(target, &mut discard)? {
                continue;
            }
            tally.requests += 1;
            tally.bytes += connection.expected;
            time = now();
            if time < until {
                connection.ask(target, load, &mut random)?;
            } else {
                epoll
                    .delete(&connection.stream)
                    .map_err(Failure::errno(what()))?;
                open -= 1;
            }
        }
    }
    tally.elapsed = time - started;
    Ok(tally)
}

struct Connection {
    stream: TcpStream,
    /// Where the connection is TLS.
    records: Option<Records>,
    request: Vec<u8>,
    /// What has arrived of the answer's head, and of the body right behind it.
    head: Vec<u8>,
    /// Length of the body that was asked for.
    expected: u64,
    /// Bytes of the body still to come; `None` while the head is incomplete.
    left: Option<u64>,
}

impl Connection {
    fn new(stream: TcpStream, records: Option<Records>) -> Self {
        Self {
            stream,
            records,
            request: Vec::new(),
            head: Vec::new(),
            expected: 0,
            left: None,
        }
    }

    fn ask(&mut self, target: &Target, load: Load, random: &mut Random) -> Result<(), Failure> {
        let range = load.range.map(|len| {
            let len = len.min(target.len);
            (random.below(target.len - len + 1), len)
        });
        self.expected = range.map_or(target.len, |(_, len)| len);
        self.left = None;
        self.head.clear();
        target.request(range, &mut self.request);
        if let Some(records) = &mut self.records {
            records.seal(&target.server, &mut self.request)?;
        }
        // A few hundred bytes into an empty socket buffer: never short.
        let sent = self.stream.write(&self.request);
        let sent = sent.map_err(Failure::io(format!("{}: send", target.server)))?;
        if sent == self.request.len() {
            Ok(())
        } else {
            Err(target.wrong("it does not read requests"))
        }
    }

    /// Takes what has arrived; true when the answer is complete.
    fn receive(&mut self, target: &Target, discard: &mut [u8]) -> Result<bool, Failure> {
        if self.records.is_some() {
            return self.receive_records(target, discard);
        }
        loop {
            let received = match self.left {
                None => self.receive_head(target)?,
                Some(0) => return Ok(true),
                Some(left) => {
                    let most = usize::try_from(left)
                        .unwrap_or(usize::MAX)
                        .min(discard.len());
                    let into = &mut discard[..most];
                    let received = match recv(self.stream.as_raw_fd(), into, MsgFlags::MSG_TRUNC) {
                        Ok(0) => return Err(target.wrong("it closed within a body")),
                        Ok(received) => Some(received),
                        Err(nix::errno::Errno::EAGAIN) => None,
                        Err(errno) => return Err(Failure::errno("receive")(errno)),
                    };
                    self.left = Some(left - received.unwrap_or(0) as u64);
                    received
                }
            };
            if received.is_none() {
                return Ok(false);
            }
        }
    }

    fn receive_head(&mut self, target: &Target) -> Result<Option<usize>, Failure> {
        let mut buffer = [0; SMALL_READ_BYTES];
        let small = self.expected <= (SMALL_READ_BYTES - HEAD_READ_BYTES) as u64;
        let most = if small {
            SMALL_READ_BYTES
        } else {
            HEAD_READ_BYTES
        };
        let received = match self.stream.read(&mut buffer[..most]) {
            Ok(0) => return Err(target.wrong("it closed before an answer")),
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(Failure::io("receive")(error)),
        };
        self.head.extend_from_slice(&buffer[..received]);
        self.left = left_after(target, &self.head, self.expected)?;
        Ok(Some(received))
    }

    /// The same over TLS: what has arrived is copied, and only the head is decrypted.
    fn receive_records(&mut self, target: &Target, buffer: &mut [u8]) -> Result<bool, Failure> {
        let Some(records) = &mut self.records else {
            return Ok(false);
        };
        loop {
            if self.left == Some(0) && records.is_between() {
                return Ok(true);
            }
            let most = buffer.len().min(TLS_READ_BYTES);
            let received = match self.stream.read(&mut buffer[..most]) {
                Ok(0) => return Err(target.wrong("it closed within an answer")),
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(Failure::io("receive")(error)),
            };
            let mut rest = &buffer[..received];
            while !rest.is_empty() {
                match self.left {
                    None => {
                        rest = records.open(target, rest, &mut self.head)?;
                        self.left = left_after(target, &self.head, self.expected)?;
                    }
                    Some(left) => {
                        let (after, body) = records.skip(target, rest)?;
                        rest = after;
                        let left = left.checked_sub(body);
                        self.left = Some(left.ok_or_else(|| target.wrong(TOO_MUCH))?);
                    }
                }
            }
        }
    }
}

/// Bytes of the body still to come, when its head and what came with it are complete.
fn left_after(target: &Target, head: &[u8], expected: u64) -> Result<Option<u64>, Failure> {
    if let Some(end) = end_of_head(head) {
        check_head(target, &head[..end], expected)?;
        let body = (head.len() - end) as u64;
        let left = expected.checked_sub(body);
        return left.map(Some).ok_or_else(|| target.wrong(TOO_MUCH));
    }
    if head.len() > HEAD_BYTES_MAX {
        return Err(target.wrong("its head has no end"));
    }
    Ok(None)
}

pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn check_head(target: &Target, head: &[u8], expected: u64) -> Result<(), Failure> {
    if !(head.starts_with(b"HTTP/1.1 206") || head.starts_with(b"HTTP/1.1 200")) {
        let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        return Err(target.wrong(String::from_utf8_lossy(line)));
    }
    match content_length(head) {
        Some(length) if length == expected => Ok(()),
        other => Err(target.wrong(format!("Content-Length {other:?}, not {expected}"))),
    }
}

pub(crate) fn content_length(head: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"content-length:";
    let line = head
        .split(|&byte| byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))?;
    std::str::from_utf8(&line[NAME.len()..])
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// One connection that waits for each answer: for first bytes, and to compare contents.
pub(crate) struct Patient<'a> {
    target: &'a Target,
    stream: Box<dyn ReadWrite>,
    request: Vec<u8>,
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl<'a> Patient<'a> {
    pub(crate) fn connect(target: &'a Target) -> Result<Self, Failure> {
        let stream = target.connect()?;
        let stream: Box<dyn ReadWrite> = match &target.trust {
            Some(trust) => Box::new(trust.stream(&target.server, stream)?),
            None => Box::new(stream),
        };
        Ok(Self {
            target,
            stream,
            request: Vec::new(),
        })
    }

    /// Fetches a range: its bytes, and how long the answer's first byte took.
    pub(crate) fn fetch(&mut self, from: u64, len: u64) -> Result<(Vec<u8>, Duration), Failure> {
        let target = self.target;
        let what = || format!("{}: one range", target.server);
        target.request(Some((from, len)), &mut self.request);
        let asked = now();
        self.stream
            .write_all(&self.request)
            .map_err(Failure::io(what()))?;
        let mut answer = Vec::new();
        let mut buffer = [0; HEAD_READ_BYTES];
        let mut first = None;
        loop {
            let received = self.stream.read(&mut buffer).map_err(Failure::io(what()))?;
            let waited = *first.get_or_insert_with(|| now() - asked);
            if received == 0 {
                return Err(target.wrong("it closed within an answer"));
            }
            answer.extend_from_slice(&buffer[..received]);
            if let Some(end) = end_of_head(&answer) {
                check_head(target, &answer[..end], len)?;
                if (answer.len() - end) as u64 >= len {
                    return Ok((answer.split_off(end), waited));
                }
            }
        }
    }
}

/// How long a server may stay silent.
const PATIENCE: Duration = Duration::from_secs(20);
/// Read at once while the head is incomplete: little, so that few body bytes are copied.
const HEAD_READ_BYTES: usize = 2_048;
/// A small answer is read whole: one call less matters more than the copy.
const SMALL_READ_BYTES: usize = 8_192;
/// With a TLS record of body behind it.
const HEAD_BYTES_MAX: usize = 40 * 1024;
/// Read at once of a TLS connection: small enough to stay in the core's cache.
const TLS_READ_BYTES: usize = 256 * 1024;
const TOO_MUCH: &str = "more bytes than it said";
/// Dropped at once of a body.
const DISCARD_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_understood_whatever_their_case() {
        let head = b"HTTP/1.1 206 Partial Content\r\ncontent-LENGTH:  17\r\nETag: x\r\n\r\n";
        assert_eq!(end_of_head(head), Some(head.len()));
        assert_eq!(content_length(head), Some(17));
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
