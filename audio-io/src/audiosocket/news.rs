//! What a listener tells of its connections.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use super::frame::ErrorCode;
use crate::limits::{AUDIOSOCKET_NAME_WITHIN, AUDIOSOCKET_UNNAMED_MAX};

/// What happened at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerEvent {
    /// Whose connection it was; `None` if none could be accepted.
    pub peer: Option<SocketAddr>,
    /// What happened.
    pub what: ListenerNews,
}

/// What happened with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerNews {
    /// It was given to a line.
    Seated {
        /// Which of the listener's.
        seat: usize,
        /// The call.
        uuid: [u8; 16],
    },
    /// It was turned away.
    Refused(Refusal),
    /// It could not be accepted.
    Failed {
        /// Why.
        errno: i32,
    },
}

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its address is not allowed.
    #[error("its address is not in `allow` of [audiosocket]")]
    Address,
    /// Too many connections have not said their UUID yet.
    #[error("{AUDIOSOCKET_UNNAMED_MAX} connections have not said their UUID yet")]
    TooMany,
    /// It said something else first.
    #[error("its first frame is not a UUID: is it a PBX with AudioSocket?")]
    NoUuid,
    /// It said nothing in time.
    #[error("it did not say its UUID within {} s", AUDIOSOCKET_NAME_WITHIN.as_secs())]
    Late,
    /// It was gone before it had said its UUID.
    #[error("it closed before it had said its UUID")]
    Closed,
    /// A nil UUID names no call.
    #[error("its UUID is nil: give each call one of its own in the dialplan")]
    UuidNil,
    /// A call has that UUID.
    #[error("a call with its UUID is going on: give each call one of its own in the dialplan")]
    UuidInUse,
    /// All lines have calls.
    #[error("all lines of the AudioSocket have calls; `lines` may be raised")]
    NoLine,
}

impl Refusal {
    /// What the peer is told, if anything.
    pub(super) const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Address | Self::TooMany | Self::Closed => None,
            Self::NoUuid | Self::Late => Some(ErrorCode::NoUuid),
            Self::UuidNil => Some(ErrorCode::UuidNil),
            Self::UuidInUse => Some(ErrorCode::UuidInUse),
            Self::NoLine => Some(ErrorCode::NoLine),
        }
    }
}

impl fmt::Display for ListenerNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seated { seat, .. } => write!(f, "it was given to line {}", seat + 1),
            Self::Refused(why) => write!(f, "it was turned away: {why}"),
            Self::Failed { errno } => {
                let why = nix::errno::Errno::from_raw(*errno).desc();
                write!(f, "no connection can be accepted: {why}")
            }
        }
    }
}

/// Counters of a listener.
#[derive(Debug, Default)]
pub struct ListenerStats {
    /// Connections that were given to a line.
    pub seated: AtomicU64,
    /// Connections that were turned away.
    pub refused: AtomicU64,
    /// Times that none could be accepted.
    pub failed: AtomicU64,
    /// Events that nobody took in time.
    pub untold: AtomicU64,
}
