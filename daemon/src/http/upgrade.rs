//! A connection that is not HTTP any more: after the answer 101 its bytes belong to whoever asked
//! for them. It runs on the thread of its connection, which ends with it.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<I: AsyncRead + AsyncWrite + Unpin> Duplex for I {}

/// What becomes of a connection.
pub(super) type Upgrade = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A connection after its last answer.
pub(super) struct Upgraded {
    /// What comes and goes from here on.
    pub(super) io: Box<dyn Duplex>,
    /// What the client sent right behind its request.
    pub(super) read_ahead: Bytes,
}

impl Upgraded {
    /// Of a connection, and of what was read of it already.
    pub(super) fn new(io: impl Duplex + 'static, read_ahead: Bytes) -> Self {
        Self {
            io: Box::new(io),
            read_ahead,
        }
    }
}
