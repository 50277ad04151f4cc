//! A plain TCP connection as hyper and rustls see it. It writes slices of mapped recordings with
//! `sendfile` where that is cheaper than `writev`, takes turns with the thread's other
//! connections, and tells `activity.rs` what moves.
//!
//! `sendfile` queues references to the page cache. Callreel never changes a published byte, so
//! what is queued stays what it was. If somebody else cuts the file while bytes of it are queued,
//! the kernel clears the rest of the page (or large folio) in which the cut falls, and these queued
//! bytes go out as zeros before the answer breaks off: the client knows that answer as incomplete.
#![allow(
    unsafe_code,
    reason = "sendfile64 has no safe wrapper that takes a 64-bit offset on ARM"
)]

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use nix::sys::socket::{MsgFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::activity::Activity;
use super::{limits, mappings};

/// The connection preface of HTTP/2 with prior knowledge (RFC 9113 section 3.4).
const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Slices of one `writev` or `sendmsg`; hyper gathers as many.
const GATHER: usize = 64;
/// Bytes of one call: a turn, and room for a head in front of it, so that no crumbs are left over.
const CALL_BYTES: usize = limits::WRITE_TURN_BYTES + 4 * 1_024;
/// Bytes that are read and thrown away while closing, so that the client sees the last answer
/// and not a reset.
const DRAIN_BYTES: usize = 256 * 1_024;

/// A plain connection.
pub(super) struct Socket {
    stream: TcpStream,
    activity: Rc<Activity>,
    /// Bytes that were read to tell HTTP/2 from HTTP/1.1, still to be read by the server.
    replay: Bytes,
    /// Bytes written in this turn.
    turn: usize,
    /// Whether the writing side is shut, and how much has been drained since.
    drained: Option<usize>,
}

impl Socket {
    /// Wraps an accepted connection.
    pub(super) fn new(stream: TcpStream, activity: Rc<Activity>) -> Self {
        Self {
            stream,
            activity,
            replay: Bytes::new(),
            turn: 0,
            drained: None,
        }
    }

    /// Reads until the client's protocol is known; whether it is HTTP/2. Nothing is lost: what was
    /// read is read again by the server.
    pub(super) async fn speaks_h2(&mut self) -> io::Result<bool> {
        let mut seen = [0_u8; H2_PREFACE.len()];
        let mut length = 0;
        while length < seen.len() && seen.get(..length) == H2_PREFACE.get(..length) {
            let Some(rest) = seen.get_mut(length..) else {
                break;
            };
            let read = self.stream.read(rest).await?;
            if read == 0 {
                break;
            }
            self.activity.has_read();
            length += read;
        }
        self.replay = Bytes::copy_from_slice(seen.get(..length).unwrap_or_default());
        Ok(seen == *H2_PREFACE)
    }

    /// Ends the turn after [`limits::WRITE_TURN_BYTES`]: the task runs again after the others.
    fn turn_is_over(&mut self, cx: &Context<'_>) -> bool {
        if self.turn < limits::WRITE_TURN_BYTES {
            return false;
        }
        self.turn = 0;
        cx.waker().wake_by_ref();
        true
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&TcpStream, usize) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.turn_is_over(cx) {
            return Poll::Pending;
        }
        loop {
            match self.stream.poll_write_ready(cx) {
                Poll::Pending => {
                    self.turn = 0;
                    self.activity.write_blocks();
                    return Poll::Pending;
                }
                Poll::Ready(ready) => ready?,
            }
            let stream = &self.stream;
            match stream.try_io(Interest::WRITABLE, || send(stream, CALL_BYTES)) {
                Ok(sent) => {
                    self.turn += sent;
                    self.activity.has_written();
                    return Poll::Ready(Ok(sent));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.replay.is_empty() {
            let length = this.replay.len().min(buffer.remaining());
            buffer.put_slice(this.replay.get(..length).unwrap_or_default());
            this.replay.advance(length);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.activity.has_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |stream, budget| {
            stream.try_write(bytes.get(..budget).unwrap_or(bytes))
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_send(cx, |stream, budget| send(stream.as_fd(), slices, budget))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Shuts the writing side, then drains what the client still sends, for `activity.rs` bounds
    /// the time and [`DRAIN_BYTES`] the amount: closing with unread bytes would reset the
    /// connection and could take the last answer with it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.drained.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.activity.closes();
            this.drained = Some(0);
        }
        let mut scratch = [0_u8; 4_096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer));
            let length = buffer.filled().len();
            let drained = this.drained.unwrap_or_default() + length;
            this.drained = Some(drained);
            if read.is_err() || length == 0 || drained > DRAIN_BYTES {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Sends from the front of `slices`, at most about `budget` bytes: up to the first long mapped
/// slice with one call, that slice with `sendfile`.
fn send(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>], budget: usize) -> io::Result<usize> {
    let long = slices.iter().enumerate().find_map(|(index, slice)| {
        (slice.len() >= limits::SENDFILE_MIN_BYTES)
            .then(|| mappings::place_of(slice).map(|place| (index, slice.len(), place)))
            .flatten()
    });
    let Some((index, length, place)) = long else {
        return gather(socket, slices, budget, MsgFlags::empty());
    };
    let mut sent = 0;
    if index > 0 {
        let front = slices.get(..index).unwrap_or_default();
        let more = MsgFlags::from_bits_retain(libc::MSG_MORE);
        let whole: usize = front.iter().map(|slice| slice.len()).sum();
        sent = gather(socket, front, budget, more)?;
        if sent < whole || sent >= budget {
            return Ok(sent);
        }
    }
    match send_file(socket, &place, length.min(budget - sent)) {
        // The file is shorter than its mapping: somebody cut it. The answer cannot be finished.
        Ok(0) => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the recording's file was cut",
        )),
        Ok(count) => Ok(sent + count),
        // What went out before counts; the error comes back with the next call.
        Err(error) if sent > 0 && error.kind() == io::ErrorKind::WouldBlock => Ok(sent),
        Err(error) if is_refusal(&error) => {
            let rest = slices.get(index..).unwrap_or_default();
            match gather(socket, rest, budget - sent, MsgFlags::empty()) {
                Ok(count) => Ok(sent + count),
                Err(error) if sent > 0 && error.kind() == io::ErrorKind::WouldBlock => Ok(sent),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// File systems that cannot `sendfile` say so with one of these (sendfile(2)).
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP)
    )
}

/// One `sendmsg` of as many slices as fit the budget. The kernel reads the bytes: where a mapped
/// file was cut it answers EFAULT or a short count, and nobody is signalled.
fn gather(
    socket: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    budget: usize,
    flags: MsgFlags,
) -> io::Result<usize> {
    let mut chosen = [IoSlice::new(&[]); GATHER];
    let mut count = 0;
    let mut left = budget;
    for (slot, slice) in chosen.iter_mut().zip(slices) {
        if left == 0 {
            break;
        }
        let part = slice.get(..left).unwrap_or(slice);
        *slot = IoSlice::new(part);
        left -= part.len();
        count += 1;
    }
    let chosen = chosen.get(..count).unwrap_or_default();
    let flags = flags | MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    Ok(sendmsg::<()>(socket.as_raw_fd(), chosen, &[], flags, None)?)
}

fn send_file(socket: BorrowedFd<'_>, place: &mappings::Place, count: usize) -> io::Result<usize> {
    let mut offset = libc::off64_t::try_from(place.offset)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let file = place.mapping.file().as_raw_fd();
    // SAFETY: both descriptors are open for the length of the call (`socket` is borrowed, `place`
    // holds the mapping that owns the file), and `offset` is a live, writable integer.
    let sent = unsafe { libc::sendfile64(socket.as_raw_fd(), file, &raw mut offset, count) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
