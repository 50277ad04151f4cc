//! The edge between an HTTP/1.1 connection's bytes and hyper. Request lines are mended on their way
//! in (`quotes`). On the way out, what hyper answers by itself to a request that it cannot read,
//! a bare status, becomes an answer like all others: in the envelope of the path that was asked,
//! with a request id. Everything else passes untouched and unread: answers hold mapped bytes, which
//! only the kernel may read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::quotes::Line;

/// Makes an answer for a status and the path that was asked, as bytes.
pub(super) trait Complain {
    /// Whether what is written now can be part of an answer of ours.
    fn is_answering(&self) -> bool;
    /// Everything that was written has left.
    fn has_flushed(&self);
    /// The whole answer, head and body.
    fn complain(&self, status: StatusCode, path: &str) -> Bytes;
}

/// A connection between its bytes and hyper.
pub(super) struct Edge<I, C> {
    io: I,
    complain: C,
    line: Line,
    first: FirstLine,
    /// What is written instead of a bare answer, and not out yet.
    instead: Bytes,
}

impl<I, C> Edge<I, C> {
    /// At the start of a connection.
    pub(super) const fn new(io: I, complain: C) -> Self {
        Self {
            io,
            complain,
            line: Line::Start,
            first: FirstLine::new(),
            instead: Bytes::new(),
        }
    }
}

impl<I, C> Edge<I, C> {
    /// The connection as it is, once nothing on it is HTTP any more.
    pub(super) fn into_inner(self) -> I {
        self.io
    }

    /// Takes note of bytes that were read, and mends them.
    fn pass(&mut self, mut bytes: &mut [u8]) {
        while let Some((byte, rest)) = bytes.split_first_mut() {
            self.line = self.line.after(byte);
            self.first.take(*byte);
            // Most of a head is header fields, of which only their ends matter here.
            let skipped = if self.line == Line::Other && self.first.is_past() {
                memchr::memchr(b'\n', rest).unwrap_or(rest.len())
            } else {
                0
            };
            bytes = rest.get_mut(skipped..).unwrap_or_default();
        }
    }
}

/// The beginning of the latest line that can be a request line: the first, or one after an empty
/// line. Where a body follows that, nothing of it is taken for a request by anybody.
struct FirstLine {
    text: Vec<u8>,
    /// Whether it goes on.
    is_open: bool,
    /// Whether the next byte begins another one.
    is_over: bool,
    /// Whether the present line has nothing on it yet.
    is_empty: bool,
}

impl FirstLine {
    const fn new() -> Self {
        Self {
            text: Vec::new(),
            is_open: false,
            is_over: true,
            is_empty: true,
        }
    }

    fn take(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.is_over |= self.is_empty;
                self.is_open = false;
                self.is_empty = true;
            }
            b'\r' => {}
            byte => {
                self.is_empty = false;
                if std::mem::take(&mut self.is_over) {
                    self.text.clear();
                    self.is_open = true;
                }
                if self.is_open && self.text.len() < FIRST_LINE_BYTES {
                    self.text.push(byte);
                }
            }
        }
    }

    /// Whether nothing before the next line's end matters.
    const fn is_past(&self) -> bool {
        !self.is_open && !self.is_empty
    }

    /// The path on it, as far as it can be told.
    fn path(&self) -> String {
        let mut words = self.text.split(|byte| *byte == b' ');
        let target = words.nth(1).unwrap_or_default();
        let path = target.split(|byte| *byte == b'?').next();
        String::from_utf8_lossy(path.unwrap_or_default()).into_owned()
    }
}

/// Enough of a request line to tell whose path it is.
const FIRST_LINE_BYTES: usize = 128;

/// The status of an answer that hyper made by itself: ours carry a request id.
fn bare_status(bytes: &[u8]) -> Option<StatusCode> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ")?;
    if rest.first() != Some(&b'4') || bytes.len() > BARE_BYTES {
        return None;
    }
    let has_id = bytes.windows(13).any(|window| window == b"\nx-request-id");
    let status = rest.get(..3)?;
    (!has_id).then(|| StatusCode::from_bytes(status).ok())?
}

/// No bare answer is longer.
const BARE_BYTES: usize = 192;

impl<I: AsyncWrite + Unpin, C: Complain> Edge<I, C> {
    /// Whether these bytes are a bare answer; then another one goes out instead. They are looked at
    /// only while no answer of ours is on its way, and so are in memory.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.complain.is_answering() {
            return false;
        }
        let Some(status) = bare_status(bytes) else {
            return false;
        };
        // A head that overflows before its first line ended has too long a target.
        let status = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if self.first.is_open => {
                StatusCode::URI_TOO_LONG
            }
            status => status,
        };
        self.instead = self.complain.complain(status, &self.first.path());
        true
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, &self.instead))?;
            if count == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero)));
            }
            self.instead.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin, C: Unpin> AsyncRead for Edge<I, C> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        this.pass(buffer.filled_mut().get_mut(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin, C: Complain + Unpin> AsyncWrite for Edge<I, C> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        if this.replaces(bytes) {
            // What does not go out at once goes out with the flush that follows.
            let _ = this.poll_instead(cx)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        if let [only] = slices
            && this.replaces(only)
        {
            let _ = this.poll_instead(cx)?;
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut this.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        this.complain.has_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipping_changes_nothing() {
        let text = "GET /ameyorestapi/cc/downloadVoiceLog?a=\" HTTP/1.1\r\nX: \"\r\nYy: z\r\n\r\n\
                    HEAD /ameyorestapi/cc/downloadVoiceLog?\"b HTTP/1.1\r\n\r\nPOST /x H\n\nGET /y";
        let mut slow = text.as_bytes().to_vec();
        let (mut line, mut first) = (Line::Start, FirstLine::new());
        for byte in &mut slow {
            line = line.after(byte);
            first.take(*byte);
        }
        for size in [1, 7, 30, text.len()] {
            let mut edge = Edge::new((), ());
            let mut fast = text.as_bytes().to_vec();
            fast.chunks_mut(size).for_each(|part| edge.pass(part));
            assert_eq!((&fast, edge.line), (&slow, line));
            assert_eq!(edge.first.path(), first.path());
        }
        assert_eq!(slow.iter().filter(|byte| **byte == b'\'').count(), 2);
    }

    #[test]
    fn the_latest_request_line_is_known() {
        let mut first = FirstLine::new();
        let path_after = |first: &mut FirstLine, text: &str| {
            text.bytes().for_each(|byte| first.take(byte));
            first.path()
        };
        let one = "GET /api/v2/x?a=b HTTP/1.1\r\nHost: /no\r\n";
        assert_eq!(path_after(&mut first, one), "/api/v2/x");
        assert_eq!(path_after(&mut first, "\r\nPOST /media/1 H"), "/media/1");
        assert_eq!(path_after(&mut first, "\n\nrubbish"), "");
        let long = format!("\n\nGET /{} HTTP/1.1", "x".repeat(9_000));
        assert!(path_after(&mut first, &long).len() < FIRST_LINE_BYTES);
    }

    #[test]
    fn only_bare_answers_are_replaced() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                     content-length: 0\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT\r\n\r\n";
        assert_eq!(bare_status(bare).map(|status| status.as_u16()), Some(431));
        let ours = b"HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\n\r\n";
        assert_eq!(bare_status(ours), None);
        assert_eq!(bare_status(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(bare_status(b"HTTP/1.1 4"), None);
        assert_eq!(bare_status(&[b'x'; 100]), None);
    }
}
