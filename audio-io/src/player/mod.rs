//! Playback on a line: lists of sound files in one row without gaps, with full transport control.
//!
//! ```text
//!  PlayerControl ──orders──────────────────────▶ PlayerPump (real-time thread)
//!       │                                          │ Mixer: cursor, fades, events
//!       │ jobs                       wanted place  │      ──▶ PlaybackPort ──▶ device
//!       ▼                          ◀────────────── │      ──▶ tap: what was heard
//!  PlayerWorker (ordinary thread) ──ring, 2 s────▶ │      ──▶ events
//!       │ opens all files in parallel, decodes, mixes to mono, resamples
//! ```
//! Orders meet the sound at the very end of the way: the device is never given more than
//! [`AHEAD`] of it, so what is ordered is heard within 50 ms. The decoder is seconds ahead
//! all the same, and nothing the real-time thread does waits for it.
//!
//! What is not here: where files come from, who may play them, and what is told to whom.

mod control;
mod event;
mod fade;
mod mixer;
mod notice;
mod order;
mod place;
mod pump;
mod reel;
mod tap;
mod thread;
mod trail;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

pub use control::{HaltReason, PlayerControl, PlayerError, PlayerStats, Seek};
pub use event::{EndReason, Happened, PlayError, PlayerEvent, Stopped};
pub use fade::FADE;
pub use mixer::Mixer;
pub use order::{Broken, Feed, Move, Order, Piece, Program, Sounding};
pub use place::{Place, Take};
pub use pump::PlayerPump;
pub use reel::{Playlist, SoundFile, StoredSound};
pub(crate) use thread::Workers;
pub use thread::{PlayerLine, PlayerStream, PlayerThread};
pub use worker::PlayerWorker;

use crate::block::BLOCK_BYTES;
use crate::format::{Channels, Encoding, StreamFormat};
use crate::limits::{PLAYER_ORDERS_MAX, PLAYER_RING};
use crate::playout::PlayoutStats;
use crate::ring::{BlockConsumer, blocks_for, ring};
use crate::units::{Millis, SampleRate};

/// The most that a device is given ahead of what is heard, unless it needs more to run at all
/// (half its buffer). A line's device should therefore be opened with [`PERIOD`] and [`BUFFER`].
pub const AHEAD: Millis = Millis(30);

/// The period to open a line's playback device with.
pub const PERIOD: Millis = Millis(10);

/// The buffer to open a line's playback device with.
pub const BUFFER: Millis = Millis(60);

/// Frames of one decoded piece.
pub const PIECE_FRAMES: usize = BLOCK_BYTES / 2;

/// The number of a playback on its line, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaybackId(pub u64);

impl fmt::Display for PlaybackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A line's player in its parts, to be run by [`PlayerThread`] or, with a clock of its own, by a
/// test.
pub struct Player {
    /// Takes commands; any thread.
    pub control: PlayerControl,
    /// Moves sound to the device; the real-time thread.
    pub pump: PlayerPump,
    /// Opens and decodes; an ordinary thread.
    pub worker: PlayerWorker,
    /// What was heard, if it was asked for.
    pub tap: Option<BlockConsumer>,
}

impl Player {
    /// A player that plays silence. `line` goes into its events; `tapped` is how much of what was
    /// heard is kept for the tap's reader; `now` is monotonic time.
    #[must_use]
    pub fn new(
        line: u32,
        format: StreamFormat,
        events: &SyncSender<PlayerEvent>,
        tapped: Option<Millis>,
        now: Duration,
    ) -> Self {
        let (blocks, consumer) = ring(blocks_for(decoded(format.rate), PLAYER_RING));
        let (orders, taken) = sync_channel(PLAYER_ORDERS_MAX);
        let stats = Arc::new(PlayerStats::default());
        let control = PlayerControl::new(format.rate, orders.clone(), Arc::clone(&stats));
        let (tap_in, tap) = tapped
            .map(|length| ring(blocks_for(decoded(format.rate), length)))
            .unzip();
        let pump = PlayerPump::new(
            Mixer::new(line, format.rate),
            format,
            pump::Ends {
                blocks: consumer,
                orders: taken,
                events: events.clone(),
                tap: tap_in.map(tap::Tap::new),
            },
            (stats, Arc::new(PlayoutStats::default())),
            now,
        );
        let worker = PlayerWorker::new(line, control.clone(), blocks, orders, events.clone());
        Self {
            control,
            pump,
            worker,
            tap,
        }
    }
}

/// What pieces and the tap's blocks hold: 16-bit mono at the line's rate.
#[must_use]
pub const fn decoded(rate: SampleRate) -> StreamFormat {
    StreamFormat {
        rate,
        encoding: Encoding::S16Le,
        channels: Channels::Mono,
    }
}

const _: () = {
    assert!(
        AHEAD.0 + PERIOD.0 + FADE.0 <= 50,
        "what is ordered is heard within 50 ms"
    );
    assert!(BUFFER.0 / 2 <= AHEAD.0 && AHEAD.0 <= BUFFER.0);
    assert!(AHEAD.0 >= 2 * PERIOD.0, "a turn may come a period late");
};

#[cfg(test)]
mod tests;
