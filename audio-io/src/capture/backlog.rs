//! Gaps that have not yet found room in the ring, oldest first, next to each other.

use crate::block::{Block, GapCause};
use crate::limits::PENDING_GAPS_MAX;
use crate::ring::BlockProducer;
use crate::units::Frames;

/// The gaps between the last block in the ring and the stream's position.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Where the first one begins.
    start: Frames,
    gaps: [(Frames, GapCause); PENDING_GAPS_MAX],
    count: usize,
}

impl Backlog {
    pub(super) const fn new() -> Self {
        let none = (Frames::ZERO, GapCause::RingFull);
        Self {
            start: Frames::ZERO,
            gaps: [none; PENDING_GAPS_MAX],
            count: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a gap at a position, which is where the last one ends. Neighbours of one cause are
    /// one gap; when there is no place for another cause, its frames count for the last one.
    pub(super) fn add(&mut self, position: Frames, frames: Frames, cause: GapCause) {
        if self.count == 0 {
            self.start = position;
        }
        if let Some((last, last_cause)) = self.gaps[..self.count].last_mut()
            && (*last_cause == cause || self.count == PENDING_GAPS_MAX)
        {
            *last += frames;
            return;
        }
        self.gaps[self.count] = (frames, cause);
        self.count += 1;
    }

    /// Pushes what the ring takes; says whether that was all.
    pub(super) fn flush(&mut self, ring: &mut BlockProducer) -> bool {
        let mut done = 0;
        for (frames, cause) in &self.gaps[..self.count] {
            if ring.push(Block::gap(self.start, *frames, *cause)).is_err() {
                break;
            }
            self.start += *frames;
            done += 1;
        }
        if done > 0 {
            self.gaps.copy_within(done..self.count, 0);
            self.count -= done;
        }
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockKind;
    use crate::ring::ring;

    #[test]
    fn gaps_keep_their_order_causes_and_places() {
        let (mut producer, mut consumer) = ring(31);
        for n in 0..31 {
            assert!(producer.push(Block::audio(Frames(n), &[0, 0])).is_ok());
        }
        let mut backlog = Backlog::new();
        backlog.add(Frames(31), Frames(5), GapCause::RingFull);
        backlog.add(Frames(36), Frames(5), GapCause::RingFull);
        backlog.add(Frames(41), Frames(7), GapCause::DeviceLost);
        assert!(!backlog.flush(&mut producer));
        assert!(consumer.pop_with(|_| ()).is_some());
        assert!(!backlog.flush(&mut producer) && !backlog.is_empty());
        while consumer.len() > 1 {
            assert!(consumer.pop_with(|_| ()).is_some());
        }
        assert!(backlog.flush(&mut producer) && backlog.is_empty());
        let seen = |block: &Block| (block.position, block.kind);
        let first = BlockKind::Gap(Frames(10), GapCause::RingFull);
        assert_eq!(consumer.pop_with(seen), Some((Frames(31), first)));
        let second = BlockKind::Gap(Frames(7), GapCause::DeviceLost);
        assert_eq!(consumer.pop_with(seen), Some((Frames(41), second)));
    }

    #[test]
    fn more_causes_than_places_lose_no_frame() {
        let (mut producer, mut consumer) = ring(31);
        let mut backlog = Backlog::new();
        let causes = [GapCause::Overrun, GapCause::Stall];
        for n in 0..20_u64 {
            let cause = causes[usize::from(n % 2 == 1)];
            backlog.add(Frames(n * 10), Frames(10), cause);
        }
        assert!(backlog.flush(&mut producer));
        let mut total = Frames::ZERO;
        while let Some(kind) = consumer.pop_with(|block| block.kind) {
            let BlockKind::Gap(frames, _) = kind else {
                panic!("only gaps were added")
            };
            total += frames;
        }
        assert_eq!(total, Frames(200));
    }
}
