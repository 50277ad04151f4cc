//! What a line shows to its listeners: the recorder thread's side and what both sides share.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use audio_io::format::StreamFormat;
use audio_io::player::PlayerControl;
use audio_io::units::Frames;
use storage::ids::RecordingId;

use super::ring::{About, Ring};
use crate::engine::limits::{LISTEN_BLOCK, LISTEN_BLOCKS, LISTENERS_MAX};

/// What a line's listeners and its recorder share.
pub(crate) struct Stage {
    format: StreamFormat,
    listeners: AtomicU32,
    /// Made for the first listener.
    ring: OnceLock<Ring>,
    /// The recording in progress, plus one; 0 for none.
    on_air: AtomicU64,
    /// Blocks that slow listeners lost.
    lost: AtomicU64,
    /// Who plays a tone to the parties while somebody listens.
    notice: Option<PlayerControl>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("listeners", &self.listeners)
            .field("on_air", &self.on_air)
            .finish_non_exhaustive()
    }
}

impl Stage {
    pub(crate) fn new(format: StreamFormat, notice: Option<PlayerControl>) -> Self {
        Self {
            format,
            listeners: AtomicU32::new(0),
            ring: OnceLock::new(),
            on_air: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            notice,
        }
    }

    pub(crate) const fn format(&self) -> StreamFormat {
        self.format
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> u32 {
        self.listeners.load(Ordering::Relaxed)
    }

    /// Blocks that slow listeners lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether the parties hear that somebody listens.
    pub(crate) const fn has_notice(&self) -> bool {
        self.notice.is_some()
    }

    /// One more listens; false when there are too many.
    pub(super) fn enter(&self) -> bool {
        self.ring
            .get_or_init(|| Ring::new(LISTEN_BLOCKS, self.block_samples()));
        let more = |listeners: u32| (listeners < LISTENERS_MAX).then_some(listeners + 1);
        let entered = self
            .listeners
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, more);
        entered.is_ok()
    }

    /// One listens no more.
    pub(super) fn leave(&self) {
        self.listeners.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn count_lost(&self, blocks: u64) {
        self.lost.fetch_add(blocks, Ordering::Relaxed);
    }

    pub(super) fn ring(&self) -> Option<&Ring> {
        self.ring.get()
    }

    /// The recording in progress.
    pub(super) fn on_air(&self) -> Option<RecordingId> {
        self.on_air
            .load(Ordering::Acquire)
            .checked_sub(1)
            .map(RecordingId)
    }

    fn block_frames(&self) -> u64 {
        self.format.rate.frames_in(LISTEN_BLOCK).0.max(1)
    }

    /// Samples of a block, over all legs.
    pub(super) fn block_samples(&self) -> usize {
        let frames = usize::try_from(self.block_frames()).unwrap_or(1);
        frames * self.format.channels.count()
    }

    /// Begins or ends the tone towards the parties as somebody listens. Only the recorder thread
    /// does, so that the last word is the right one.
    pub(crate) fn tell_parties(&self) {
        if let Some(player) = &self.notice {
            player.set_notice(self.listeners() > 0 && self.on_air().is_some());
        }
    }
}

/// The recorder thread's side of a stage: sound in, blocks out.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Samples of the block that is being filled.
    samples: Vec<i16>,
    /// The block's number in the line's time; of those that are missing nothing was heard.
    sequence: u64,
    /// Frames that were lost before the block.
    gap: u64,
    /// Lost frames that no number stands for yet.
    owed: u64,
}

impl Feed {
    /// A recording begins.
    pub(crate) fn begin(&mut self, stage: &Stage, id: RecordingId) {
        self.reset();
        stage
            .on_air
            .store(id.0.saturating_add(1), Ordering::Release);
    }

    /// The recording is over; what no block was full of yet is not heard.
    pub(crate) fn end(&mut self, stage: &Stage) {
        self.reset();
        stage.on_air.store(0, Ordering::Release);
    }

    /// Forgets what waits.
    pub(crate) fn reset(&mut self) {
        self.samples.clear();
        self.gap = 0;
    }

    /// Takes samples; `paused` says that they are silence in place of what was said.
    pub(crate) fn sound(
        &mut self,
        stage: &Stage,
        samples: impl IntoIterator<Item = i16>,
        paused: bool,
    ) {
        let full = stage.block_samples();
        for sample in samples {
            self.samples.push(sample);
            if self.samples.len() >= full {
                self.write(stage, paused);
            }
        }
    }

    /// Frames are lost: their time passes without sound.
    pub(crate) fn gap(&mut self, stage: &Stage, frames: Frames) {
        if !self.samples.is_empty() {
            self.samples.resize(stage.block_samples(), 0);
            self.write(stage, false);
        }
        let block = stage.block_frames();
        self.gap = self.gap.saturating_add(frames.0);
        self.owed = self.owed.saturating_add(frames.0);
        self.sequence = self.sequence.wrapping_add(self.owed / block);
        self.owed %= block;
    }

    fn write(&mut self, stage: &Stage, paused: bool) {
        if let (Some(ring), Some(id)) = (stage.ring(), stage.on_air()) {
            let about = Block {
                sequence: self.sequence,
                recording: id,
                gap: Frames(self.gap),
                paused,
            };
            ring.write(&about.packed(), &self.samples);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.gap = 0;
        self.samples.clear();
    }
}

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) sequence: u64,
    pub(super) recording: RecordingId,
    /// Frames that were lost before it.
    pub(super) gap: Frames,
    pub(super) paused: bool,
}

impl Block {
    fn packed(self) -> About {
        let gap = self.gap.0.min(u64::MAX >> 1);
        [
            self.sequence,
            self.recording.0,
            gap << 1 | u64::from(self.paused),
        ]
    }

    pub(super) const fn unpacked(about: &About) -> Self {
        Self {
            sequence: about[0],
            recording: RecordingId(about[1]),
            gap: Frames(about[2] >> 1),
            paused: about[2] & 1 == 1,
        }
    }
}
