//! Where the sound stood in each of the last frames made: what is heard now was made a moment ago,
//! and there may have been a jump since.

use heapless::Deque;

use crate::units::Frames;

/// Changes that are remembered; with more, the oldest are forgotten and the oldest known place
/// stands for theirs. A device is given some 30 ms ahead, in which no more than a few fit.
const MARKS_MAX: usize = 32;

/// From this frame on, the sound stood here, or moved on from here.
#[derive(Clone, Copy, Debug)]
struct Mark {
    made: Frames,
    at: Frames,
    moving: bool,
}

impl Mark {
    fn at(self, made: Frames) -> Frames {
        match self.moving {
            true => self.at + made.saturating_sub(self.made),
            false => self.at,
        }
    }
}

/// The last changes of pace and place.
#[derive(Debug, Default)]
pub(super) struct Trail(Deque<Mark, MARKS_MAX>);

impl Trail {
    /// Notes that the sound stood at `at` when frame `made` was made, and whether it moved.
    #[inline]
    pub(super) fn note(&mut self, made: Frames, at: Frames, moving: bool) {
        if let Some(last) = self.0.back()
            && last.moving == moving
            && last.at(made) == at
        {
            return;
        }
        if self.0.is_full() {
            self.0.pop_front();
        }
        // There is room now.
        let _noted = self.0.push_back(Mark { made, at, moving });
    }

    /// Where the sound stood in a frame. Older frames are not asked for again.
    pub(super) fn offset_at(&mut self, made: Frames) -> Frames {
        while self.0.get(1).is_some_and(|next| next.made <= made) {
            self.0.pop_front();
        }
        self.0.front().map_or(Frames::ZERO, |mark| mark.at(made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_known_to_the_frame_across_jumps_and_pauses() {
        let mut trail = Trail::default();
        // Ten frames of silence, 20 of sound from 5 on, a pause of 10, then from 100 on.
        let truth = |made: u64| match made {
            0..10 => (0, false),
            10..30 => (5 + made - 10, true),
            30..40 => (25, false),
            _ => (100 + made - 40, true),
        };
        for made in 0..60 {
            let (at, moving) = truth(made);
            trail.note(Frames(made), Frames(at), moving);
        }
        assert_eq!(trail.0.len(), 4);
        for made in 0..60 {
            assert_eq!(
                trail.offset_at(Frames(made)),
                Frames(truth(made).0),
                "{made}"
            );
        }
    }
}
