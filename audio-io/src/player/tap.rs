//! A copy of what the device took, at its place in the device's stream: the leg of a recording
//! that holds what was played.

use crate::block::{BLOCK_BYTES, Block, GapCause};
use crate::ring::BlockProducer;
use crate::units::Frames;

/// Frames that are missing, and why.
type Hole = (Frames, Frames, GapCause);

/// The writing end. Positions are frames the device took or should have taken, from its line's
/// start; they have no holes: what is missing is a gap.
pub(super) struct Tap {
    blocks: BlockProducer,
    /// A gap that found no room yet. What follows before there is room joins it.
    hole: Option<Hole>,
}

impl Tap {
    pub(super) const fn new(blocks: BlockProducer) -> Self {
        Self { blocks, hole: None }
    }

    /// Sound that the device took: whole 16-bit samples, a block's at most.
    pub(super) fn sound(&mut self, position: Frames, samples: &[i16]) {
        let mut bytes = [0; BLOCK_BYTES];
        for (place, sample) in bytes.chunks_exact_mut(2).zip(samples) {
            place.copy_from_slice(&sample.to_le_bytes());
        }
        let length = (samples.len() * 2).min(BLOCK_BYTES);
        self.fill_hole();
        if self.hole.is_some()
            || self
                .blocks
                .push(Block::audio(position, &bytes[..length]))
                .is_err()
        {
            self.lost(position, Frames(samples.len() as u64), GapCause::RingFull);
        }
    }

    /// Frames that nobody heard.
    pub(super) fn lost(&mut self, position: Frames, frames: Frames, cause: GapCause) {
        self.hole = Some(match self.hole.take() {
            Some((from, length, cause)) => (from, length + frames, cause),
            None => (position, frames, cause),
        });
        self.fill_hole();
    }

    fn fill_hole(&mut self) {
        if let Some((from, length, cause)) = self.hole
            && self.blocks.push(Block::gap(from, length, cause)).is_ok()
        {
            self.hole = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockKind;
    use crate::ring::ring;

    #[test]
    fn what_finds_no_room_is_one_gap_and_no_frame_is_missing() {
        let (producer, mut consumer) = ring(31);
        let mut tap = Tap::new(producer);
        for n in 0..40_u64 {
            tap.sound(Frames(n * 80), &[7; 80]);
        }
        tap.lost(Frames(3_200), Frames(100), GapCause::DeviceLost);
        let mut at = Frames::ZERO;
        let mut read = |consumer: &mut crate::ring::BlockConsumer| {
            let mut gaps = Vec::new();
            while let Some(block) = consumer.pop_with(|block| *block) {
                assert_eq!(block.position, at);
                match block.kind {
                    BlockKind::Audio => at += Frames(block.sound().len() as u64 / 2),
                    BlockKind::Gap(frames, cause) => {
                        gaps.push((frames, cause));
                        at += frames;
                    }
                }
            }
            gaps
        };
        assert!(read(&mut consumer).is_empty());
        tap.sound(Frames(3_300), &[1; 50]);
        let expected = [(Frames(9 * 80 + 100), GapCause::RingFull)];
        assert_eq!(read(&mut consumer), expected);
        assert_eq!(at, Frames(3_350));
    }
}
