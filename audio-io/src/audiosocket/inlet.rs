//! What comes from a connection, as a stream that advances in real time: the peer's clock is the
//! stream's, silence stands in for what does not come, and what comes when its time is over is
//! dropped.
//!
//! ```text
//!  position ──────────────────────▶
//!            delivered │ held │            frames come from the peer here ─▲
//!                      expected by the clock, as learned from the peer
//!        late by more than 160 ms: silence up to there, as long as nothing comes
//!        early by more than 100 ms: the oldest is dropped
//! ```
//! The peer's clock is followed by at most one part in a thousand, so that a peer that sends
//! faster than that is cut, not believed.

use std::time::Duration;

use super::converter::Queue;
use crate::codec::g711::{linear_to_alaw, linear_to_mulaw};
use crate::format::{Encoding, StreamFormat};
use crate::limits::{AUDIOSOCKET_EARLY_MAX, AUDIOSOCKET_LATE_MAX};
use crate::timeline::Timeline;
use crate::units::{Frames, Millis};

/// The most sound of one turn.
const HELD: Millis = Millis(1_000);

/// Silence that is delivered when nothing was for too long, whatever the peer's clock says: a
/// stream that delivers nothing counts as stalled.
const OVERDUE: Millis = Millis(20);

/// How long that is.
const OVERDUE_AFTER: Duration = Duration::from_millis(AUDIOSOCKET_LATE_MAX.0 + 40);

/// How often the peer's clock may be found to be ahead, and by what part of a second: together
/// one in a thousand.
const STEP_EVERY: Duration = Duration::from_millis(250);
const STEP_PART: u64 = 4_000;

/// One line's side of what comes.
pub(super) struct Inlet {
    format: StreamFormat,
    held: Queue,
    timeline: Timeline,
    delivered: Frames,
    /// Whether silence stands in for sound.
    quiet: bool,
    /// Whether sound came since the last read.
    fresh: bool,
    /// Whether sound is being dropped: it is told once.
    dropping: bool,
    /// When the peer's clock was last found to be ahead.
    stepped: Duration,
    /// When something was delivered.
    last: Duration,
}

impl Inlet {
    pub(super) fn new(format: StreamFormat, now: Duration) -> Self {
        let room = usize::try_from(format.rate.frames_in(HELD).0).unwrap_or_default();
        Self {
            format,
            held: Queue::new(room),
            timeline: Timeline::new(format.rate, now, Frames::ZERO),
            delivered: Frames::ZERO,
            quiet: true,
            fresh: false,
            dropping: false,
            stepped: now,
            last: now,
        }
    }

    /// Takes a sample of the peer.
    pub(super) fn push(&mut self, sample: i16) {
        // When there is no room, all of it is early by far, and the oldest goes anyway.
        let _fits = self.held.push(sample);
        self.fresh = true;
    }

    /// Learns when the sound came. Says true when some of it had to be dropped, once for as long
    /// as that goes on.
    pub(super) fn arrived(&mut self, now: Duration) -> bool {
        if !std::mem::take(&mut self.fresh) {
            return false;
        }
        self.quiet = false;
        let rate = self.format.rate;
        let expected = self.timeline.expected(now);
        let latest = expected + rate.frames_in(AUDIOSOCKET_EARLY_MAX);
        let reached = self.delivered + Frames(self.held.len() as u64);
        let early = reached.saturating_sub(latest);
        let seen = if reached <= expected {
            reached
        } else if now >= self.stepped + STEP_EVERY {
            self.stepped = now;
            reached.min(expected + Frames(u64::from(rate.hertz()) / STEP_PART))
        } else {
            expected
        };
        self.timeline.arrived(now, seen);
        if early == Frames::ZERO {
            self.dropping = false;
            return false;
        }
        drop(
            self.held
                .take(usize::try_from(early.0).unwrap_or(usize::MAX)),
        );
        !std::mem::replace(&mut self.dropping, true)
    }

    /// Delivers what is there, or is to stand in for it, as whole frames at the start of `out`.
    pub(super) fn read(&mut self, out: &mut [u8], now: Duration) -> Frames {
        let room = out.len() / self.format.frame_bytes();
        let sound = self.held.len().min(room);
        let mut frames = out.chunks_exact_mut(self.format.frame_bytes());
        for (sample, place) in self.held.take(sound).zip(frames.by_ref()) {
            match self.format.encoding {
                Encoding::S16Le => place.copy_from_slice(&sample.to_le_bytes()),
                Encoding::MuLaw => place[0] = linear_to_mulaw(sample),
                Encoding::ALaw => place[0] = linear_to_alaw(sample),
            }
        }
        self.delivered += Frames(sound as u64);
        if sound > 0 {
            self.last = now;
        }
        if self.held.len() > 0 {
            return Frames(sound as u64);
        }
        let behind = self.timeline.expected(now).saturating_sub(self.delivered);
        let late = behind > self.format.rate.frames_in(AUDIOSOCKET_LATE_MAX);
        // A peer whose clock was found to be behind is not waited for longer than any other.
        let is_overdue = now.saturating_sub(self.last) >= OVERDUE_AFTER;
        self.quiet |= late || is_overdue;
        let least = match is_overdue {
            true => self.format.rate.frames_in(OVERDUE),
            false => Frames::ZERO,
        };
        let silence = if self.quiet {
            behind.max(least)
        } else {
            Frames::ZERO
        };
        let count = usize::try_from(silence.0).unwrap_or(usize::MAX);
        let mut filled = 0;
        for place in frames.take(count) {
            place.fill(self.format.encoding.silence_byte());
            filled += 1;
        }
        self.delivered += Frames(filled);
        if filled > 0 {
            self.last = now;
        }
        Frames(sound as u64 + filled)
    }
}
