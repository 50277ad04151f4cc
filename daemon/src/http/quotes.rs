//! Double quotes in the request target of seed 003's download. Its `filters` may be JSON, and
//! clients that send it unencoded (`curl --globoff`) put `"` on the request line, where RFC 3986
//! has no such character and hyper gives up. Each is taken as an apostrophe, which stands in no
//! identifier and which the family's filter reads like a quote.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose request lines are mended as they are read.
pub(super) struct Quotes<I> {
    io: I,
    line: Line,
}

impl<I> Quotes<I> {
    /// At the start of a connection.
    pub(super) const fn new(io: I) -> Self {
        Self {
            io,
            line: Line::Start,
        }
    }
}

/// Where in a line the last byte stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Before its first byte.
    Start,
    /// What is left of a line's beginning that has matched so far.
    Prefix(&'static [u8]),
    /// In the query of the download.
    Query,
    /// In any other line, or past the query.
    Other,
}

/// What a line begins with that is mended.
const PREFIXES: [&[u8]; 2] = [
    b"GET /ameyorestapi/cc/downloadVoiceLog?",
    b"HEAD /ameyorestapi/cc/downloadVoiceLog?",
];

impl Line {
    /// The state after a byte, which is mended where it has to be.
    fn after(self, byte: &mut u8) -> Self {
        let matched = |prefix: &'static [u8], byte: u8| match prefix.split_first() {
            Some((wanted, [])) if *wanted == byte => Some(Self::Query),
            Some((wanted, rest)) if *wanted == byte => Some(Self::Prefix(rest)),
            _ => None,
        };
        match (self, *byte) {
            (_, b'\n') => Self::Start,
            (Self::Start, byte) => {
                let mut all = PREFIXES.iter();
                all.find_map(|prefix| matched(prefix, byte))
                    .unwrap_or(Self::Other)
            }
            (Self::Prefix(prefix), byte) => matched(prefix, byte).unwrap_or(Self::Other),
            (Self::Query, b' ') => Self::Other,
            (Self::Query, b'"') => {
                *byte = b'\'';
                Self::Query
            }
            (Self::Query | Self::Other, _) => self,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Quotes<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        for byte in buffer.filled_mut().get_mut(before..).unwrap_or_default() {
            this.line = this.line.after(byte);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Quotes<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn read(text: &str, at_a_time: usize) -> String {
        let mut connection = trickle(text, at_a_time);
        let mut seen = String::new();
        connection.read_to_string(&mut seen).await.unwrap();
        seen
    }

    /// A connection that delivers a few bytes at a time.
    fn trickle(text: &str, at_a_time: usize) -> Quotes<Trickle> {
        Quotes::new(Trickle {
            bytes: text.as_bytes().to_vec(),
            at_a_time,
        })
    }

    struct Trickle {
        bytes: Vec<u8>,
        at_a_time: usize,
    }

    impl AsyncRead for Trickle {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let count = self.at_a_time.min(self.bytes.len()).min(buffer.remaining());
            let now: Vec<u8> = self.bytes.drain(..count).collect();
            buffer.put_slice(&now);
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn only_the_downloads_query_is_mended() {
        let line = |quote: char| {
            format!(
                "HEAD /ameyorestapi/cc/downloadVoiceLog?a={{{quote}b{quote}:1}} HTTP/1.1\r\n\
                 X: \"kept\"\r\n\r\n\
                 GET /ameyorestapi/cc/downloadVoiceLog?{quote} HTTP/1.1\r\n\r\n\
                 GET /other?\" HTTP/1.1\r\n GET /ameyorestapi/cc/downloadVoiceLog?\"\r\n"
            )
        };
        for at_a_time in [1, 3, 24, 1_000] {
            assert_eq!(read(&line('"'), at_a_time).await, line('\''), "{at_a_time}");
        }
    }
}
