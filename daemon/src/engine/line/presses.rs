//! Digits that come twice: told by the driver or the peer, and heard in the sound. Whichever is
//! first counts.

use std::collections::VecDeque;

use audio_io::units::{Frames, Millis, SampleRate};

/// The presses of late.
#[derive(Debug)]
pub(super) struct Presses {
    window: Frames,
    memory: Frames,
    lately: VecDeque<Press>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    key: char,
    start: Frames,
    end: Frames,
    way: Way,
}

/// How a press became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Told,
    Heard,
}

impl Presses {
    pub(super) const fn new(rate: SampleRate) -> Self {
        Self {
            window: rate.frames_in(SAME_WITHIN),
            memory: rate.frames_in(MEMORY),
            lately: VecDeque::new(),
        }
    }

    /// Whether a press is a new one: not one that became known the other way already. Each is
    /// matched once: a key that is pressed twice is told twice.
    pub(super) fn is_new(&mut self, key: char, start: Frames, end: Frames, way: Way) -> bool {
        let (window, memory) = (self.window, self.memory);
        self.lately.retain(|press| press.end + memory >= start);
        let is_same = |press: &Press| {
            let near = press.start <= end + window && start <= press.end + window;
            press.key == key && press.way != way && near
        };
        if let Some(place) = self.lately.iter().position(is_same) {
            self.lately.remove(place);
            return false;
        }
        if self.lately.len() >= MOST {
            self.lately.pop_front();
        }
        self.lately.push_back(Press {
            key,
            start,
            end,
            way,
        });
        true
    }
}

/// A press that becomes known twice does so within this.
const SAME_WITHIN: Millis = Millis(300);

/// How long presses are remembered.
const MEMORY: Millis = Millis(2_000);

/// How many; of more the oldest is forgotten.
const MOST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Frames {
        SampleRate::TELEPHONE.frames_in(Millis(ms))
    }

    #[test]
    fn a_press_that_is_told_and_heard_is_one_whichever_is_first() {
        let mut presses = Presses::new(SampleRate::TELEPHONE);
        assert!(presses.is_new('5', ms(1_000), ms(1_100), Way::Heard));
        assert!(!presses.is_new('5', ms(1_390), ms(1_390), Way::Told));
        assert!(presses.is_new('6', ms(2_000), ms(2_000), Way::Told));
        assert!(!presses.is_new('6', ms(1_900), ms(2_010), Way::Heard));
    }

    #[test]
    fn a_key_that_is_pressed_twice_is_told_twice() {
        let mut presses = Presses::new(SampleRate::TELEPHONE);
        assert!(presses.is_new('1', ms(1_000), ms(1_080), Way::Heard));
        assert!(presses.is_new('1', ms(1_160), ms(1_240), Way::Heard));
        assert!(!presses.is_new('1', ms(1_100), ms(1_100), Way::Told));
        assert!(!presses.is_new('1', ms(1_260), ms(1_260), Way::Told));
        assert!(
            presses.is_new('1', ms(1_300), ms(1_300), Way::Told),
            "a third"
        );
    }

    #[test]
    fn presses_that_lie_apart_are_two_and_other_keys_are_others() {
        let mut presses = Presses::new(SampleRate::TELEPHONE);
        assert!(presses.is_new('1', ms(1_000), ms(1_080), Way::Heard));
        assert!(presses.is_new('2', ms(1_000), ms(1_000), Way::Told));
        assert!(presses.is_new('1', ms(1_390), ms(1_390), Way::Told));
        for n in 0..200 {
            let at = ms(10_000 + n);
            presses.is_new('9', at, at, Way::Told);
        }
        assert!(presses.lately.len() <= MOST);
    }
}
