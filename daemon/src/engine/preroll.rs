//! Look-back: the last seconds of sound from before a trigger, gaps included.

use std::collections::VecDeque;

use audio_io::block::GapCause;
use audio_io::format::StreamFormat;
use audio_io::units::{Frames, Millis};

/// Keeps the newest sound of a line up to a fixed length.
#[derive(Debug)]
pub(crate) struct PreRoll {
    format: StreamFormat,
    capacity: Frames,
    pieces: VecDeque<Piece>,
    held: Frames,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Sound(Vec<u8>),
    Gap(Frames, GapCause),
}

/// A part of what was kept, handed over in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept<'a> {
    Sound(&'a [u8]),
    Gap(Frames, GapCause),
}

impl PreRoll {
    pub(crate) fn new(format: StreamFormat, length: Millis) -> Self {
        Self {
            format,
            capacity: format.rate.frames_in(length),
            pieces: VecDeque::new(),
            held: Frames::ZERO,
        }
    }

    pub(crate) fn push_sound(&mut self, sound: &[u8]) {
        if self.capacity == Frames::ZERO {
            return;
        }
        // The oldest piece's memory is used again, so that a quiet line does not allocate.
        let mut spare = self.evict();
        spare.clear();
        spare.extend_from_slice(sound);
        self.held += self.format.frames_in(sound.len() as u64);
        self.pieces.push_back(Piece::Sound(spare));
        self.trim();
    }

    pub(crate) fn push_gap(&mut self, frames: Frames, cause: GapCause) {
        if self.capacity == Frames::ZERO {
            return;
        }
        match self.pieces.back_mut() {
            Some(Piece::Gap(held, last)) if *last == cause => *held += frames,
            _ => self.pieces.push_back(Piece::Gap(frames, cause)),
        }
        self.held += frames;
        self.trim();
    }

    /// How much is kept. Gaps at the very start are worth nothing and do not count.
    pub(crate) fn held(&self) -> Frames {
        self.held
    }

    /// Hands over what is kept, oldest first, and forgets it.
    pub(crate) fn take(&mut self, mut each: impl FnMut(Kept<'_>)) {
        for piece in self.pieces.drain(..) {
            match piece {
                Piece::Sound(sound) => each(Kept::Sound(&sound)),
                Piece::Gap(frames, cause) => each(Kept::Gap(frames, cause)),
            }
        }
        self.held = Frames::ZERO;
    }

    /// Forgets what is kept.
    pub(crate) fn clear(&mut self) {
        self.take(|_| ());
    }

    fn frames_of(&self, piece: &Piece) -> Frames {
        match piece {
            Piece::Sound(sound) => self.format.frames_in(sound.len() as u64),
            Piece::Gap(frames, _) => *frames,
        }
    }

    /// Takes the oldest sound out when the store is full, for its memory.
    fn evict(&mut self) -> Vec<u8> {
        if self.held < self.capacity {
            return Vec::new();
        }
        let Some(oldest) = self.pieces.pop_front() else {
            return Vec::new();
        };
        self.held = self.held.saturating_sub(self.frames_of(&oldest));
        match oldest {
            Piece::Sound(sound) => sound,
            Piece::Gap(..) => Vec::new(),
        }
    }

    /// Drops whole old pieces beyond the capacity, and a gap that would come first.
    fn trim(&mut self) {
        while let Some(oldest) = self.pieces.front() {
            let frames = self.frames_of(oldest);
            let leading_gap = matches!(oldest, Piece::Gap(..));
            if !leading_gap && self.held.saturating_sub(frames) < self.capacity {
                return;
            }
            self.held = self.held.saturating_sub(frames);
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(length: Millis) -> PreRoll {
        PreRoll::new(StreamFormat::TELEPHONE, length)
    }

    #[test]
    fn keeps_at_least_the_asked_length_and_little_more() {
        let mut kept = filled(Millis(100));
        for second in 0..50_u8 {
            kept.push_sound(&[second; 320]);
        }
        assert_eq!(kept.held(), Frames(800), "five blocks of 160 frames");
        let mut seen = Vec::new();
        kept.take(|piece| match piece {
            Kept::Sound(sound) => seen.push(sound[0]),
            Kept::Gap(..) => panic!("no gap was pushed"),
        });
        assert_eq!(seen, [45, 46, 47, 48, 49]);
        assert_eq!(kept.held(), Frames::ZERO);
    }

    #[test]
    fn a_gap_in_the_middle_stays_and_one_at_the_start_goes() {
        let mut kept = filled(Millis(100));
        kept.push_gap(Frames(400), GapCause::Overrun);
        assert_eq!(kept.held(), Frames::ZERO, "nothing but a gap is nothing");
        kept.push_sound(&[1; 320]);
        kept.push_gap(Frames(40), GapCause::Overrun);
        kept.push_gap(Frames(40), GapCause::Overrun);
        kept.push_sound(&[2; 320]);
        let mut seen = Vec::new();
        kept.take(|piece| {
            seen.push(match piece {
                Kept::Sound(sound) => i64::from(sound[0]),
                Kept::Gap(frames, _) => -i64::try_from(frames.0).expect("small"),
            });
        });
        assert_eq!(seen, [1, -80, 2]);
    }

    #[test]
    fn no_length_keeps_nothing() {
        let mut kept = filled(Millis::ZERO);
        kept.push_sound(&[1; 320]);
        kept.push_gap(Frames(40), GapCause::Stall);
        assert_eq!(kept.held(), Frames::ZERO);
    }
}
