//! A listener: takes blocks from a line's ring in its own time, and tells what it hears.

use std::collections::VecDeque;
use std::sync::Arc;

use audio_io::format::StreamFormat;
use audio_io::units::{Millis, WallMillis};
use bytes::Bytes;
use storage::ids::{LineName, RecordingId, TenantId};
use storage::ledger::entry::{Act, Kind};
use storage::record::RecordingFacts;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::stage::Block;
use crate::engine::limits::{LISTEN_BEHIND, LISTEN_FRESH, LISTEN_POLL, LISTENERS_MAX};
use crate::engine::live::LineLive;

/// Somebody who listens to a line. Ends when it is dropped.
pub struct LiveListener {
    line: Arc<LineLive>,
    /// The next block to read.
    next: u64,
    recording: Option<RecordingId>,
    paused: bool,
    waiting: VecDeque<Heard>,
    turns: Option<Interval>,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A recording is in progress, from here on or already.
    Began {
        /// Which.
        recording: RecordingId,
        /// When it started, as far as that is known still.
        started_at: Option<WallMillis>,
    },
    /// 20 ms of sound.
    Sound(Sound),
    /// So much was lost on the way from the device; numbers of blocks go on meanwhile.
    Gap(Millis),
    /// What follows is silence in place of what is said, because the recording is paused; or it is
    /// not any more.
    Paused(bool),
    /// The recording is over.
    Ended,
}

/// 20 ms of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Counts blocks of 20 ms of the line's time; of numbers that are missing nothing was heard,
    /// or the listener was too slow.
    pub sequence: u32,
    /// The number (u32, little endian), then 16-bit samples, little endian and interleaved.
    pub frame: Bytes,
}

/// Why nobody can listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// No such line.
    #[error("no line '{0}' is configured; 'callreel lines' lists them")]
    NoLine(LineName),
    /// Too many do.
    #[error("{LISTENERS_MAX} listen to line '{0}' already, the most there can be")]
    TooMany(LineName),
}

/// The act of listening to a recording in progress, for the ledger: tell it through a handle that
/// acts for whoever listens.
#[must_use]
pub fn listen_act(tenant: TenantId, line: &LineName, recording: Option<RecordingId>) -> Act {
    let mut act = Act::new(Kind::Listen).with("line", line.as_str());
    act.tenant = Some(tenant);
    act.recording = recording;
    act
}

impl LiveListener {
    pub(crate) fn new(line: Arc<LineLive>) -> Result<Self, ListenError> {
        if !line.stage.enter() {
            return Err(ListenError::TooMany(line.config.name.clone()));
        }
        let next = line.stage.ring().map_or(0, |ring| ring.head());
        Ok(Self {
            line,
            next,
            recording: None,
            paused: false,
            waiting: VecDeque::new(),
            turns: None,
        })
    }

    /// Rate and channels of what is heard; samples have 16 bits, however they are recorded.
    #[must_use]
    pub fn format(&self) -> StreamFormat {
        self.line.stage.format()
    }

    /// Whose line it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.line.tenant
    }

    /// Whether the parties hear a tone while somebody listens.
    #[must_use]
    pub fn has_notice(&self) -> bool {
        self.line.stage.has_notice()
    }

    /// What is known of the recording in progress.
    #[must_use]
    pub fn facts(&self) -> Option<RecordingFacts> {
        self.line.open()
    }

    /// The act of listening, for the ledger.
    #[must_use]
    pub fn act(&self) -> Act {
        let recording = self.facts().map(|facts| facts.id);
        listen_act(self.line.tenant, &self.line.config.name, recording)
    }

    /// What is heard next. Whoever does not ask for a while is given what is heard then, not what
    /// was missed. Nothing is lost when this is dropped before it is done.
    pub async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.try_next() {
                return heard;
            }
            let turns = self.turns.get_or_insert_with(|| {
                let mut turns = interval(LISTEN_POLL);
                turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
                turns
            });
            turns.tick().await;
        }
    }

    /// What is heard next, if it is there.
    pub fn try_next(&mut self) -> Option<Heard> {
        if let Some(heard) = self.waiting.pop_front() {
            return Some(heard);
        }
        let line = Arc::clone(&self.line);
        let ring = line.stage.ring()?;
        let samples = line.stage.block_samples();
        // Before the head is looked at: all blocks of a recording are there when it is over.
        let on_air = line.stage.on_air();
        let head = ring.head();
        if head - self.next > LISTEN_BEHIND {
            self.skip_to(head - LISTEN_FRESH);
        }
        let mut frame = Vec::with_capacity(4 + 2 * samples + 8);
        while self.next < head {
            frame.clear();
            frame.extend_from_slice(&[0; 4]);
            if let Some(about) = ring.read(self.next, samples, &mut frame) {
                self.next += 1;
                self.hear(Block::unpacked(&about), frame);
                return self.waiting.pop_front();
            }
            self.skip_to(ring.head() - LISTEN_FRESH.min(ring.head()));
        }
        if ring.head() == self.next && on_air != self.recording {
            self.follow(on_air);
        }
        self.waiting.pop_front()
    }

    fn skip_to(&mut self, next: u64) {
        let next = next.max(self.next + 1);
        self.line.stage.count_lost(next - self.next);
        self.next = next;
    }

    fn hear(&mut self, block: Block, mut frame: Vec<u8>) {
        if self.recording != Some(block.recording) {
            self.follow(Some(block.recording));
        }
        if block.gap.0 > 0 {
            let gap = self.format().rate.duration_of(block.gap);
            self.waiting.push_back(Heard::Gap(gap));
        }
        if block.paused != self.paused {
            self.paused = block.paused;
            self.waiting.push_back(Heard::Paused(block.paused));
        }
        #[allow(clippy::cast_possible_truncation, reason = "the number wraps around")]
        let sequence = block.sequence as u32;
        frame[..4].copy_from_slice(&sequence.to_le_bytes());
        let frame = frame.into();
        self.waiting
            .push_back(Heard::Sound(Sound { sequence, frame }));
    }

    /// Another recording is in progress, or none.
    fn follow(&mut self, now: Option<RecordingId>) {
        if self.recording.is_some() {
            self.waiting.push_back(Heard::Ended);
        }
        self.recording = now;
        self.paused = false;
        if let Some(recording) = now {
            let facts = self.line.open().filter(|facts| facts.id == recording);
            let started_at = facts.map(|facts| facts.started_at);
            self.waiting.push_back(Heard::Began {
                recording,
                started_at,
            });
        }
    }
}

impl Drop for LiveListener {
    fn drop(&mut self) {
        self.line.stage.leave();
    }
}
