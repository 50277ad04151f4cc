//! What one connection is doing, as far as timeouts need to know. The socket and the service
//! report; `conn.rs` asks when to look again, or whether to close. Times are tokio's, so that a
//! paused test clock moves them.
//!
//! ```text
//!  accepted ──first request's headers within REQUEST_HEADERS──▶ in flight ◀─┐
//!                                                                 │         │ headers within
//!                        idle (KEEP_ALIVE_IDLE) ◀── answered ─────┘         │ REQUEST_HEADERS of
//!                          └──────────── first byte ────────────────────────┘ their first byte
//!  at any time: a blocked write for WRITE_STALL closes
//! ```

use std::cell::Cell;
use std::rc::Rc;

use tokio::time::Instant;

use super::limits;

/// What `conn.rs` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before this moment.
    LookAgain(Instant),
    /// Nobody uses it: finish politely.
    Idle,
    /// Cut it, for this reason.
    Cut(&'static str),
}

/// One connection's state, shared by its parts on one thread.
pub(super) struct Activity {
    in_flight: Cell<u32>,
    served: Cell<bool>,
    /// Start of the connection, or of the last idle time.
    idle_since: Cell<Instant>,
    /// When the first byte of a request head that is not complete yet arrived.
    head_since: Cell<Option<Instant>>,
    /// Whether bytes arrived since the last request head was complete.
    read_ahead: Cell<bool>,
    blocked_since: Cell<Option<Instant>>,
    closing_since: Cell<Option<Instant>>,
    /// When any answer's body was last asked for more.
    moved: Cell<Instant>,
    multiplexed: Cell<bool>,
    /// Whether bytes of an answer can still be on their way out.
    answering: Cell<bool>,
    /// Requests whose answers this side is working on: their clients have nothing to take.
    working: Cell<u32>,
}

impl Activity {
    /// A connection that starts now.
    pub(super) fn new() -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            in_flight: Cell::new(0),
            served: Cell::new(false),
            idle_since: Cell::new(now),
            head_since: Cell::new(None),
            read_ahead: Cell::new(false),
            blocked_since: Cell::new(None),
            closing_since: Cell::new(None),
            moved: Cell::new(now),
            multiplexed: Cell::new(false),
            answering: Cell::new(false),
            working: Cell::new(0),
        })
    }

    /// Time since it was made, on the clock that the timeouts run by.
    #[cfg(test)]
    pub(super) fn age(&self) -> std::time::Duration {
        self.idle_since.get().elapsed()
    }

    /// It speaks HTTP/2: bytes that arrive need not belong to a request head.
    pub(super) fn is_multiplexed(&self) {
        self.multiplexed.set(true);
    }

    /// Bytes arrived.
    pub(super) fn has_read(&self) {
        if self.in_flight.get() == 0 && self.head_since.get().is_none() && self.served.get() {
            self.head_since.set(Some(Instant::now()));
        }
        self.read_ahead.set(true);
    }

    /// Bytes left.
    pub(super) fn has_written(&self) {
        if self.blocked_since.get().is_some() {
            self.blocked_since.set(None);
        }
    }

    /// The client takes no more bytes for now.
    pub(super) fn write_blocks(&self) {
        if self.blocked_since.get().is_none() {
            self.blocked_since.set(Some(Instant::now()));
        }
    }

    /// The last byte is out; what is left is the client's FIN.
    pub(super) fn closes(&self) {
        self.closing_since.set(Some(Instant::now()));
    }

    /// A request's head is complete. The request is in flight until the guard is dropped.
    pub(super) fn begin(self: &Rc<Self>) -> InFlight {
        self.in_flight.set(self.in_flight.get() + 1);
        self.served.set(true);
        self.answering.set(true);
        self.head_since.set(None);
        self.read_ahead.set(false);
        if self.multiplexed.get() {
            self.moved.set(Instant::now());
        }
        InFlight(Rc::clone(self))
    }

    /// Everything that was written has left.
    pub(super) fn has_flushed(&self) {
        if self.in_flight.get() == 0 {
            self.answering.set(false);
        }
    }

    /// Whether what is written can be part of an answer. If not, hyper speaks for itself.
    pub(super) fn is_answering(&self) -> bool {
        self.answering.get()
    }

    /// What is to be done at `now`.
    pub(super) fn verdict(&self, now: Instant) -> Verdict {
        let after = |since: Instant, limit: std::time::Duration, due: Verdict| {
            let at = since + limit;
            if at <= now {
                due
            } else {
                Verdict::LookAgain(at)
            }
        };
        if let Some(since) = self.closing_since.get() {
            return after(
                since,
                limits::CLOSE_LINGER,
                Verdict::Cut("the client did not close"),
            );
        }
        if let Some(since) = self.blocked_since.get() {
            return after(
                since,
                limits::WRITE_STALL,
                Verdict::Cut("the client stopped reading"),
            );
        }
        if self.in_flight.get() > 0 {
            if self.multiplexed.get() && self.working.get() == 0 {
                let due = Verdict::Cut("the client stopped reading all its streams");
                return after(self.moved.get(), limits::WRITE_STALL, due);
            }
            return Verdict::LookAgain(now + limits::WRITE_STALL);
        }
        if !self.served.get() {
            let due = Verdict::Cut("no request came");
            return after(self.idle_since.get(), limits::REQUEST_HEADERS, due);
        }
        match self.head_since.get() {
            Some(since) if !self.multiplexed.get() => after(
                since,
                limits::REQUEST_HEADERS,
                Verdict::Cut("a request's headers stalled"),
            ),
            _ => after(
                self.idle_since.get(),
                limits::KEEP_ALIVE_IDLE,
                Verdict::Idle,
            ),
        }
    }
}

/// Work on an answer that the client cannot but wait for. While there is any on a connection, its
/// client is not taken for one that stopped reading.
pub(super) struct Working(Rc<Activity>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.set(self.0.working.get().saturating_sub(1));
        if self.0.multiplexed.get() {
            self.0.moved.set(Instant::now());
        }
    }
}

/// A request in flight, from its head to the end of its answer's body.
pub(super) struct InFlight(Rc<Activity>);

impl InFlight {
    /// Work on the answer begins; it lasts until the guard is dropped.
    pub(super) fn works(&self) -> Working {
        self.0.working.set(self.0.working.get() + 1);
        Working(Rc::clone(&self.0))
    }

    /// The answer's body was asked for more bytes.
    pub(super) fn moves(&self) {
        if self.0.multiplexed.get() {
            self.0.moved.set(Instant::now());
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let left = self.0.in_flight.get().saturating_sub(1);
        self.0.in_flight.set(left);
        if left == 0 {
            let now = Instant::now();
            self.0.idle_since.set(now);
            // A part of the next head may have come along already: its time runs from now.
            self.0
                .head_since
                .set(self.0.read_ahead.get().then_some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(activity: &Activity, time: Duration) -> Verdict {
        activity.verdict(Instant::now() + time)
    }

    #[test]
    fn a_connection_without_a_request_is_cut_by_the_header_timeout() {
        let activity = Activity::new();
        activity.has_read();
        assert!(matches!(
            after(&activity, Duration::from_secs(5)),
            Verdict::LookAgain(_)
        ));
        assert!(matches!(
            after(&activity, limits::REQUEST_HEADERS),
            Verdict::Cut(_)
        ));
    }

    #[test]
    fn idle_connections_are_finished_and_stalled_heads_cut() {
        let activity = Activity::new();
        drop(activity.begin());
        assert!(matches!(
            after(&activity, limits::REQUEST_HEADERS),
            Verdict::LookAgain(_)
        ));
        assert_eq!(after(&activity, limits::KEEP_ALIVE_IDLE), Verdict::Idle);
        activity.has_read();
        assert!(matches!(
            after(&activity, limits::REQUEST_HEADERS),
            Verdict::Cut(_)
        ));
    }

    #[test]
    fn a_client_that_waits_for_this_side_does_not_stall() {
        let activity = Activity::new();
        activity.is_multiplexed();
        let guard = activity.begin();
        let working = guard.works();
        assert!(matches!(
            after(&activity, Duration::from_secs(86_400)),
            Verdict::LookAgain(_)
        ));
        drop(working);
        assert!(matches!(
            after(&activity, limits::WRITE_STALL),
            Verdict::Cut(_)
        ));
    }

    #[test]
    fn a_request_in_flight_outlives_every_timeout_but_a_blocked_write() {
        let activity = Activity::new();
        let guard = activity.begin();
        assert!(matches!(
            after(&activity, Duration::from_secs(86_400)),
            Verdict::LookAgain(_)
        ));
        activity.write_blocks();
        assert!(matches!(
            after(&activity, limits::WRITE_STALL),
            Verdict::Cut(_)
        ));
        activity.has_written();
        assert!(matches!(
            after(&activity, limits::WRITE_STALL),
            Verdict::LookAgain(_)
        ));
        drop(guard);
        activity.closes();
        assert!(matches!(
            after(&activity, limits::CLOSE_LINGER),
            Verdict::Cut(_)
        ));
    }

    #[test]
    fn bytes_read_ahead_start_the_next_heads_time() {
        let activity = Activity::new();
        let guard = activity.begin();
        activity.has_read();
        drop(guard);
        assert!(matches!(
            after(&activity, limits::REQUEST_HEADERS),
            Verdict::Cut(_)
        ));
    }

    #[test]
    fn streams_that_do_not_move_are_cut_together() {
        let activity = Activity::new();
        activity.is_multiplexed();
        let guard = activity.begin();
        assert!(matches!(
            after(&activity, limits::WRITE_STALL),
            Verdict::Cut(_)
        ));
        drop(guard);
        activity.has_read();
        assert!(matches!(
            after(&activity, limits::REQUEST_HEADERS),
            Verdict::LookAgain(_)
        ));
    }
}
