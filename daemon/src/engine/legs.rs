//! Two mono streams become the two legs of one line. Both devices run on their own clocks: the
//! legs are paired frame by frame, and when one runs ahead for good its surplus is slipped.
//!
//! ```text
//!  caller ──▶ queue ─┐
//!                    ├─▶ interleaved pieces: sound, a gap on both legs, a gap on one leg
//!  agent ───▶ queue ─┘
//! ```

use std::collections::VecDeque;

use audio_io::block::{Block, BlockKind, GapCause};
use audio_io::format::Encoding;
use audio_io::units::{Frames, SampleRate};

use super::limits::{LEG_SKEW, LEG_SKEW_WINDOW, LEG_WAIT};

/// Frames handed over at a time: 20 ms at 8 kHz.
const PIECE_FRAMES: u64 = 160;

/// What pairing gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Both legs, interleaved.
    Sound(&'a [u8]),
    /// Neither leg has sound.
    Gap(Frames, GapCause),
    /// One leg has sound, the other silence in place of lost frames.
    HalfGap(&'a [u8], Frames, GapCause),
}

/// Pairs two mono streams of one encoding and rate.
#[derive(Debug)]
pub(crate) struct Pairing {
    rate: SampleRate,
    encoding: Encoding,
    legs: [Leg; 2],
    /// The smallest lead of each leg over the other since `observed` began.
    least_lead: [Frames; 2],
    observed: Frames,
    slipped: Frames,
    interleaved: Vec<u8>,
}

#[derive(Debug)]
struct Leg {
    /// Bytes a sample takes.
    width: usize,
    runs: VecDeque<Run>,
    held: Frames,
}

#[derive(Debug)]
enum Run {
    Sound(VecDeque<u8>),
    Gap(Frames, GapCause),
}

/// The caller's or the agent's leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Caller = 0,
    Agent = 1,
}

impl Pairing {
    pub(crate) fn new(rate: SampleRate, encoding: Encoding) -> Self {
        Self {
            rate,
            encoding,
            legs: [
                Leg::new(encoding.sample_bytes()),
                Leg::new(encoding.sample_bytes()),
            ],
            least_lead: [Frames(u64::MAX); 2],
            observed: Frames::ZERO,
            slipped: Frames::ZERO,
            interleaved: Vec::new(),
        }
    }

    /// Frames dropped so far because one device's clock runs faster than the other's.
    pub(crate) fn slipped(&self) -> Frames {
        self.slipped
    }

    /// Adds a block of one leg.
    pub(crate) fn push(&mut self, side: Side, block: &Block) {
        let leg = &mut self.legs[side as usize];
        match block.kind {
            BlockKind::Gap(frames, cause) => leg.push_gap(frames, cause),
            BlockKind::Audio => leg.push_sound(block.sound()),
        }
    }

    /// Hands over everything both legs have, then looks after their distance.
    pub(crate) fn take(&mut self, mut each: impl FnMut(Piece<'_>)) {
        self.give_up_on_a_silent_leg();
        loop {
            let ready = self.legs[0].run_length().min(self.legs[1].run_length());
            if ready == Frames::ZERO {
                break;
            }
            let frames = Frames(ready.0.min(PIECE_FRAMES));
            self.hand_over(frames, &mut each);
            self.observed += frames;
        }
        self.correct_skew();
    }

    fn hand_over(&mut self, frames: Frames, each: &mut impl FnMut(Piece<'_>)) {
        let causes = [self.legs[0].gap_cause(), self.legs[1].gap_cause()];
        if let [Some(cause), Some(_)] = causes {
            self.legs[0].skip(frames);
            self.legs[1].skip(frames);
            return each(Piece::Gap(frames, cause));
        }
        self.interleave(frames);
        match causes[0].or(causes[1]) {
            None => each(Piece::Sound(&self.interleaved)),
            Some(cause) => each(Piece::HalfGap(&self.interleaved, frames, cause)),
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "at most PIECE_FRAMES frames"
    )]
    fn interleave(&mut self, frames: Frames) {
        let width = self.encoding.sample_bytes();
        self.interleaved.clear();
        self.interleaved
            .resize(frames.0 as usize * width * 2, self.encoding.silence_byte());
        for (side, leg) in self.legs.iter_mut().enumerate() {
            leg.copy_to(frames, &mut self.interleaved, side);
        }
    }

    /// A leg that brings nothing at all, not even gaps, must not hold the other back for ever.
    fn give_up_on_a_silent_leg(&mut self) {
        let wait = self.rate.frames_in(LEG_WAIT);
        for (one, other) in [(0, 1), (1, 0)] {
            if self.legs[one].held > wait && self.legs[other].held == Frames::ZERO {
                let missing = self.legs[one]
                    .held
                    .saturating_sub(self.rate.frames_in(LEG_SKEW));
                self.legs[other].push_gap(missing, GapCause::Stall);
            }
        }
    }

    fn correct_skew(&mut self) {
        for (one, other) in [(0, 1), (1, 0)] {
            let lead = self.legs[one].held.saturating_sub(self.legs[other].held);
            self.least_lead[one] = self.least_lead[one].min(lead);
        }
        if self.observed < self.rate.frames_in(LEG_SKEW_WINDOW) {
            return;
        }
        for (leg, lead) in self.legs.iter_mut().zip(self.least_lead) {
            if lead > self.rate.frames_in(LEG_SKEW) {
                leg.skip(lead);
                self.slipped += lead;
            }
        }
        self.observed = Frames::ZERO;
        self.least_lead = [Frames(u64::MAX); 2];
    }
}

impl Leg {
    const fn new(width: usize) -> Self {
        Self {
            width,
            runs: VecDeque::new(),
            held: Frames::ZERO,
        }
    }

    fn push_sound(&mut self, sound: &[u8]) {
        match self.runs.back_mut() {
            Some(Run::Sound(bytes)) => bytes.extend(sound),
            _ => self
                .runs
                .push_back(Run::Sound(sound.iter().copied().collect())),
        }
        self.held += Frames((sound.len() / self.width) as u64);
    }

    fn push_gap(&mut self, frames: Frames, cause: GapCause) {
        match self.runs.back_mut() {
            Some(Run::Gap(held, last)) if *last == cause => *held += frames,
            _ => self.runs.push_back(Run::Gap(frames, cause)),
        }
        self.held += frames;
    }

    /// Frames that are alike at the front: all sound or all gap.
    fn run_length(&self) -> Frames {
        match self.runs.front() {
            None => Frames::ZERO,
            Some(Run::Gap(frames, _)) => *frames,
            Some(Run::Sound(bytes)) => Frames((bytes.len() / self.width) as u64),
        }
    }

    fn gap_cause(&self) -> Option<GapCause> {
        match self.runs.front() {
            Some(Run::Gap(_, cause)) => Some(*cause),
            _ => None,
        }
    }

    /// Moves frames of the front run into every second sample of `out`; a gap moves nothing.
    fn copy_to(&mut self, frames: Frames, out: &mut [u8], side: usize) {
        if let Some(Run::Sound(bytes)) = self.runs.front() {
            let mut from = bytes.iter();
            for frame in out.chunks_exact_mut(self.width * 2) {
                for to in &mut frame[side * self.width..][..self.width] {
                    *to = from.next().copied().unwrap_or(*to);
                }
            }
        }
        self.skip(frames);
    }

    /// Forgets frames from the front.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "no more than is held in memory"
    )]
    fn skip(&mut self, frames: Frames) {
        let mut left = frames.0.min(self.held.0);
        self.held = self.held.saturating_sub(Frames(left));
        while left > 0 {
            let here = left.min(self.run_length().0);
            match self.runs.front_mut() {
                None => return,
                Some(Run::Gap(length, _)) => *length = length.saturating_sub(Frames(here)),
                Some(Run::Sound(bytes)) => drop(bytes.drain(..here as usize * self.width)),
            }
            if self.run_length() == Frames::ZERO {
                self.runs.pop_front();
            }
            left -= here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::TELEPHONE;

    fn block(value: u8, frames: usize) -> Block {
        Block::audio(Frames::ZERO, &vec![value; frames])
    }

    /// Runs of (caller, agent, frames); -1 stands for a gap.
    fn taken(pairing: &mut Pairing) -> Vec<(i32, i32, u64)> {
        let mut seen: Vec<(i32, i32, u64)> = Vec::new();
        let mut note = |caller: i32, agent: i32, frames: u64| match seen.last_mut() {
            Some(last) if (last.0, last.1) == (caller, agent) => last.2 += frames,
            _ => seen.push((caller, agent, frames)),
        };
        pairing.take(|piece| match piece {
            Piece::Gap(frames, _) => note(-1, -1, frames.0),
            Piece::Sound(sound) | Piece::HalfGap(sound, ..) => {
                for frame in sound.chunks_exact(2) {
                    note(i32::from(frame[0]), i32::from(frame[1]), 1);
                }
            }
        });
        seen
    }

    #[test]
    fn legs_keep_their_sides_whatever_the_block_sizes() {
        let mut pairing = Pairing::new(RATE, Encoding::MuLaw);
        pairing.push(Side::Caller, &block(1, 300));
        pairing.push(Side::Agent, &block(2, 100));
        assert_eq!(taken(&mut pairing), [(1, 2, 100)]);
        pairing.push(Side::Agent, &block(3, 200));
        assert_eq!(taken(&mut pairing), [(1, 3, 200)]);
    }

    #[test]
    fn a_gap_on_one_leg_leaves_the_other_whole() {
        let mut pairing = Pairing::new(RATE, Encoding::MuLaw);
        pairing.push(Side::Caller, &block(1, 300));
        pairing.push(Side::Agent, &block(2, 100));
        pairing.push(
            Side::Agent,
            &Block::gap(Frames::ZERO, Frames(50), GapCause::Overrun),
        );
        pairing.push(Side::Agent, &block(2, 150));
        assert_eq!(
            taken(&mut pairing),
            [(1, 2, 100), (1, 0xFF, 50), (1, 2, 150)]
        );
    }

    #[test]
    fn a_gap_on_both_legs_is_one_gap() {
        let mut pairing = Pairing::new(RATE, Encoding::MuLaw);
        pairing.push(
            Side::Caller,
            &Block::gap(Frames::ZERO, Frames(80), GapCause::DeviceLost),
        );
        pairing.push(
            Side::Agent,
            &Block::gap(Frames::ZERO, Frames(80), GapCause::DeviceLost),
        );
        assert_eq!(taken(&mut pairing), [(-1, -1, 80)]);
    }

    #[test]
    fn a_clock_that_runs_ahead_is_slipped_and_counted() {
        let mut pairing = Pairing::new(RATE, Encoding::MuLaw);
        for _ in 0..20 {
            pairing.push(Side::Caller, &block(1, 160));
        }
        for _ in 0..200 {
            pairing.push(Side::Caller, &block(1, 160));
            pairing.push(Side::Agent, &block(2, 160));
            taken(&mut pairing);
        }
        assert!(
            pairing.slipped() >= Frames(19 * 160),
            "slipped {}",
            pairing.slipped()
        );
        assert!(
            pairing.slipped() <= Frames(20 * 160),
            "slipped {}",
            pairing.slipped()
        );
    }

    #[test]
    fn a_leg_that_stays_away_does_not_hold_the_other() {
        let mut pairing = Pairing::new(RATE, Encoding::MuLaw);
        let mut heard = 0;
        for _ in 0..100 {
            pairing.push(Side::Caller, &block(1, 160));
            heard += taken(&mut pairing).iter().map(|run| run.2).sum::<u64>();
        }
        assert!(
            heard > 100 * 160 - 8_800,
            "only {heard} of 16000 frames were handed over"
        );
    }
}
