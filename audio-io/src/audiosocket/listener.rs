//! The thread of an address: it accepts, learns the call's UUID, and gives the connection to a
//! line that is free, or turns it away and says why.
//!
//! ```text
//!  accept ─▶ Unnamed (5 s for its UUID) ─▶ seat that is free the longest ─▶ port … ─┐
//!                │ refused: error, hang-up                                         │ over
//!                ▼                                                                 ▼
//!              Lingering (1 s, so that the peer reads the last words) ─▶ closed ◀───┘
//! ```

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::connection::Connection;
use super::converter::Converter;
use super::frame::{self, Decoder, HEADER_BYTES, Heard, SlinRate};
use super::news::{ListenerEvent, ListenerNews, ListenerStats, Refusal};
use super::seat::{Desk, Seat, Word, line_rate};
use crate::clock::Clock;
use crate::limits::{
    AUDIOSOCKET_LINGER, AUDIOSOCKET_LINGERING_MAX, AUDIOSOCKET_NAME_WITHIN, AUDIOSOCKET_NEWS_MAX,
    AUDIOSOCKET_SEND_BYTES, AUDIOSOCKET_UNNAMED_MAX, OPEN_BACKOFF_MIN, SLEEP_MAX,
};
use crate::port::PollEntry;
use crate::rt::{PollSet, Waker};

/// Who may connect.
pub type Allowed = Box<dyn Fn(IpAddr) -> bool + Send>;

/// A running listener; dropping it stops and joins its thread. Lines that have a connection keep
/// it until they are closed.
pub struct AudioSocketListener {
    address: SocketAddr,
    events: Option<Receiver<ListenerEvent>>,
    stats: Arc<ListenerStats>,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl AudioSocketListener {
    /// Listens at an address, for as many calls at once as it has seats. A connection waits until
    /// the line of a seat was opened.
    ///
    /// # Errors
    /// When the address cannot be had, or the system has no thread or descriptor left.
    pub fn bind(
        address: SocketAddr,
        allow: Allowed,
        seats: usize,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, Vec<Seat>)> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let waker = Waker::new()?;
        let (news, events) = sync_channel(AUDIOSOCKET_NEWS_MAX);
        let (words, said) = sync_channel(8 * seats.max(1));
        let stats = Arc::new(ListenerStats::default());
        let stop = Arc::new(AtomicBool::new(false));
        let mut lines = Vec::with_capacity(seats);
        let mut given = Vec::with_capacity(seats);
        for seat in 0..seats {
            let (offers, offered) = sync_channel(1);
            let (converters, converted) = sync_channel(2);
            let rate = Arc::new(AtomicU32::new(0));
            lines.push(Line {
                offers,
                converters,
                rate: Arc::clone(&rate),
                uuid: None,
            });
            let desk = Desk {
                seat,
                offers: offered,
                converters: converted,
                words: words.clone(),
                waker: waker.clone(),
                rate,
            };
            given.push(Seat {
                desk,
                listen: address.to_string(),
                clock: Arc::clone(&clock),
            });
        }
        let work = Work {
            socket,
            allow,
            clock,
            lines,
            free: VecDeque::with_capacity(seats),
            said,
            news,
            stats: Arc::clone(&stats),
            unnamed: Vec::new(),
            lingering: VecDeque::new(),
            deaf_until: Duration::ZERO,
        };
        let (ends, woken) = (Arc::clone(&stop), waker.clone());
        let thread = std::thread::Builder::new()
            .name("audiosocket".into())
            .spawn(move || work.run(&ends, woken))?;
        let listener = Self {
            address,
            events: Some(events),
            stats,
            stop,
            waker,
            thread: Some(thread),
        };
        Ok((listener, given))
    }

    /// Where it listens; with the port that the system chose if none was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens, for a log: the first caller gets it.
    pub const fn take_events(&mut self) -> Option<Receiver<ListenerEvent>> {
        self.events.take()
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Arc<ListenerStats> {
        Arc::clone(&self.stats)
    }
}

impl Drop for AudioSocketListener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on standard error; there is nothing to add.
            let _ended = thread.join();
        }
    }
}

/// The listener's side of a seat.
struct Line {
    offers: SyncSender<Box<Connection>>,
    converters: SyncSender<Box<Converter>>,
    rate: Arc<AtomicU32>,
    /// The call that has it.
    uuid: Option<[u8; 16]>,
}

impl Line {
    const fn is_free(&self) -> bool {
        self.uuid.is_none()
    }
}

/// A connection whose call is not known.
struct Unnamed {
    socket: TcpStream,
    peer: SocketAddr,
    decoder: Decoder,
    /// Bytes of its first frame that are there.
    have: usize,
    until: Duration,
}

/// The only first frame there is: a UUID.
const FIRST_BYTES: usize = HEADER_BYTES + 16;

struct Work {
    socket: TcpListener,
    allow: Allowed,
    clock: Arc<dyn Clock>,
    lines: Vec<Line>,
    /// Seats whose lines are open and have no call, the one that is free the longest first.
    free: VecDeque<usize>,
    said: Receiver<Word>,
    news: SyncSender<ListenerEvent>,
    stats: Arc<ListenerStats>,
    unnamed: Vec<Unnamed>,
    lingering: VecDeque<(TcpStream, Duration)>,
    /// Until when nothing is accepted, because the system could not.
    deaf_until: Duration,
}

impl Work {
    fn run(mut self, stop: &AtomicBool, waker: Waker) {
        let mut poll = PollSet::new(waker, AUDIOSOCKET_UNNAMED_MAX + AUDIOSOCKET_LINGERING_MAX);
        while !stop.load(Ordering::Acquire) {
            self.wait(&mut poll);
            self.listen();
            self.accept();
            self.name();
            self.linger();
        }
    }

    /// Waits until there is something to do.
    fn wait(&self, poll: &mut PollSet) {
        let now = self.clock.monotonic();
        let mut until = now + SLEEP_MAX;
        poll.clear();
        let entry = |fd| PollEntry {
            fd,
            events: libc::POLLIN,
        };
        if now >= self.deaf_until {
            poll.add(&[entry(self.socket.as_raw_fd())]);
        } else {
            until = until.min(self.deaf_until);
        }
        for unnamed in &self.unnamed {
            poll.add(&[entry(unnamed.socket.as_raw_fd())]);
            until = until.min(unnamed.until);
        }
        for (socket, end) in &self.lingering {
            poll.add(&[entry(socket.as_raw_fd())]);
            until = until.min(*end);
        }
        poll.wait(until.saturating_sub(now));
    }

    /// Takes what ports have said.
    fn listen(&mut self) {
        loop {
            match self.said.try_recv() {
                // A port that was opened anew may find a connection that waits for it.
                Ok(Word::Free(seat)) if self.lines.get(seat).is_some_and(Line::is_free) => {
                    self.free.push_back(seat);
                }
                Ok(Word::Free(_)) => {}
                Ok(Word::Closed(seat)) => self.free.retain(|free| *free != seat),
                Ok(Word::Over(seat, connection)) => {
                    if let Some(line) = self.lines.get_mut(seat) {
                        line.uuid = None;
                        self.free.push_back(seat);
                    }
                    self.part(connection.into_socket());
                }
                Ok(Word::Wants(seat, rate)) => self.convert(seat, rate),
                Ok(Word::Used(converter)) => drop(converter),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn convert(&self, seat: usize, rate: SlinRate) {
        let Some(line) = self.lines.get(seat) else {
            return;
        };
        if let Some(converter) = Converter::new(rate, line_rate(&line.rate)) {
            // A port asks for one at a time, and there is room for two.
            let _given = line.converters.try_send(Box::new(converter));
        }
    }

    fn accept(&mut self) {
        for _ in 0..AUDIOSOCKET_UNNAMED_MAX {
            match self.socket.accept() {
                Ok((socket, peer)) => self.admit(socket, peer),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Gone before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.deaf_until = self.clock.monotonic() + OPEN_BACKOFF_MIN;
                    self.stats.failed.fetch_add(1, Ordering::Relaxed);
                    let errno = error.raw_os_error().unwrap_or(libc::EIO);
                    self.tell(None, ListenerNews::Failed { errno });
                    return;
                }
            }
        }
    }

    fn admit(&mut self, socket: TcpStream, peer: SocketAddr) {
        if !(self.allow)(peer.ip().to_canonical()) {
            return self.refuse(socket, peer, Refusal::Address);
        }
        if self.unnamed.len() >= AUDIOSOCKET_UNNAMED_MAX {
            return self.refuse(socket, peer, Refusal::TooMany);
        }
        if let Err(error) = prepare(&socket) {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            self.stats.failed.fetch_add(1, Ordering::Relaxed);
            return self.tell(Some(peer), ListenerNews::Failed { errno });
        }
        self.unnamed.push(Unnamed {
            socket,
            peer,
            decoder: Decoder::default(),
            have: 0,
            until: self.clock.monotonic() + AUDIOSOCKET_NAME_WITHIN,
        });
    }

    /// Hears the names of those that have none.
    fn name(&mut self) {
        let now = self.clock.monotonic();
        let mut index = 0;
        while index < self.unnamed.len() {
            let unnamed = &mut self.unnamed[index];
            let heard = match unnamed.hear() {
                None if now >= unnamed.until => Some(Err(Refusal::Late)),
                heard => heard,
            };
            let Some(heard) = heard else {
                index += 1;
                continue;
            };
            let Unnamed { socket, peer, .. } = self.unnamed.swap_remove(index);
            match heard.and_then(|uuid| self.place(uuid).map(|seat| (seat, uuid))) {
                Ok((seat, uuid)) => self.seat(seat, uuid, socket, peer),
                Err(why) => self.refuse(socket, peer, why),
            }
        }
    }

    /// The seat for a call.
    fn place(&mut self, uuid: [u8; 16]) -> Result<usize, Refusal> {
        if uuid == [0; 16] {
            return Err(Refusal::UuidNil);
        }
        if self.lines.iter().any(|line| line.uuid == Some(uuid)) {
            return Err(Refusal::UuidInUse);
        }
        self.free.pop_front().ok_or(Refusal::NoLine)
    }

    fn seat(&mut self, seat: usize, uuid: [u8; 16], socket: TcpStream, peer: SocketAddr) {
        let line = &mut self.lines[seat];
        let Some(converter) = Converter::new(SlinRate::TELEPHONE, line_rate(&line.rate)) else {
            self.free.push_back(seat);
            return self.refuse(socket, peer, Refusal::NoLine);
        };
        let connection = Connection::new(socket, uuid, Box::new(converter));
        if let Err(refused) = line.offers.try_send(Box::new(connection)) {
            // Its line was closed a moment ago.
            let (std::sync::mpsc::TrySendError::Full(connection)
            | std::sync::mpsc::TrySendError::Disconnected(connection)) = refused;
            return self.refuse(connection.into_socket(), peer, Refusal::NoLine);
        }
        line.uuid = Some(uuid);
        self.stats.seated.fetch_add(1, Ordering::Relaxed);
        self.tell(Some(peer), ListenerNews::Seated { seat, uuid });
    }

    fn refuse(&mut self, mut socket: TcpStream, peer: SocketAddr, why: Refusal) {
        self.stats.refused.fetch_add(1, Ordering::Relaxed);
        self.tell(Some(peer), ListenerNews::Refused(why));
        let Some(code) = why.code() else { return };
        let mut words = [0; 2 * HEADER_BYTES + 1];
        words[..HEADER_BYTES + 1].copy_from_slice(&frame::error(code));
        words[HEADER_BYTES + 1..].copy_from_slice(&frame::hang_up());
        // A new connection has room for them; whoever is gone reads nothing.
        let _told = socket.write(&words);
        let _closed = socket.shutdown(Shutdown::Write);
        self.part(socket);
    }

    /// Closes a connection after its peer had time to read: what it still sends would otherwise
    /// make the kernel throw the last words away.
    fn part(&mut self, socket: TcpStream) {
        if self.lingering.len() >= AUDIOSOCKET_LINGERING_MAX {
            self.lingering.pop_front();
        }
        let end = self.clock.monotonic() + AUDIOSOCKET_LINGER;
        self.lingering.push_back((socket, end));
    }

    fn linger(&mut self) {
        let now = self.clock.monotonic();
        self.lingering
            .retain_mut(|(socket, end)| now < *end && !is_closed(socket));
    }

    fn tell(&self, peer: Option<SocketAddr>, what: ListenerNews) {
        if self.news.try_send(ListenerEvent { peer, what }).is_err() {
            self.stats.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Unnamed {
    /// Hears the UUID, or why there will be none; `None` while it may still come. Not a byte more
    /// is read than that.
    fn hear(&mut self) -> Option<Result<[u8; 16], Refusal>> {
        let mut bytes = [0; FIRST_BYTES];
        while self.have < FIRST_BYTES {
            let count = match self.socket.read(&mut bytes[..FIRST_BYTES - self.have]) {
                Ok(0) => return Some(Err(Refusal::Closed)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Some(Err(Refusal::Closed)),
            };
            self.have += count;
            let heard = self.decoder.next(&mut &bytes[..count]);
            match heard {
                Some(Heard::Uuid(uuid)) => return Some(Ok(uuid)),
                Some(_) => return Some(Err(Refusal::NoUuid)),
                None if self.decoder.awaits_uuid() => {}
                None => return Some(Err(Refusal::NoUuid)),
            }
        }
        Some(Err(Refusal::NoUuid))
    }
}

/// Takes what a peer still sends, at most a good deal of it; says whether it has closed.
fn is_closed(socket: &mut TcpStream) -> bool {
    let mut bytes = [0; 4_096];
    for _ in 0..16 {
        match socket.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
    false
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    let size = AUDIOSOCKET_SEND_BYTES;
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::SndBuf, &size)?;
    Ok(())
}
