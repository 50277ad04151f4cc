//! A ring with one writer that never waits and any number of readers that never disturb it. Each
//! place has a turn number, odd while it is written; a reader that finds another before or after
//! its copy than it expects knows that the place was written anew, and leaves the copy.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Frames of 20 ms between the writer and its readers.
#[derive(Debug)]
pub(super) struct Ring {
    places: Box<[Place]>,
    /// The number of the next block; the newest that can be read is the one before.
    head: AtomicU64,
}

#[derive(Debug)]
struct Place {
    turn: AtomicU64,
    about: [AtomicU64; ABOUT],
    /// Four samples each.
    sound: Box<[AtomicU64]>,
}

/// What is told of a block beside its sound.
pub(super) type About = [u64; ABOUT];

/// Numbers beside a block's sound.
const ABOUT: usize = 3;

impl Ring {
    /// A ring of so many blocks of so many samples.
    pub(super) fn new(blocks: usize, samples: usize) -> Self {
        let place = || Place {
            turn: AtomicU64::new(0),
            about: [const { AtomicU64::new(0) }; ABOUT],
            sound: (0..samples.div_ceil(4))
                .map(|_| AtomicU64::new(0))
                .collect(),
        };
        Self {
            places: (0..blocks.max(1)).map(|_| place()).collect(),
            head: AtomicU64::new(0),
        }
    }

    /// The number of the block that will be written next.
    pub(super) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Writes the next block. One thread only.
    pub(super) fn write(&self, about: &About, samples: &[i16]) {
        let number = self.head.load(Ordering::Relaxed);
        let place = self.place(number);
        place.turn.store(2 * number + 1, Ordering::Relaxed);
        // What follows is not seen before the odd number is.
        fence(Ordering::Release);
        for (to, value) in place.about.iter().zip(about) {
            to.store(*value, Ordering::Relaxed);
        }
        for (to, four) in place.sound.iter().zip(samples.chunks(4)) {
            let mut packed = 0;
            for (at, sample) in four.iter().enumerate() {
                packed |= u64::from(sample.cast_unsigned()) << (16 * at);
            }
            to.store(packed, Ordering::Relaxed);
        }
        place.turn.store(2 * number + 2, Ordering::Release);
        self.head.store(number + 1, Ordering::Release);
    }

    /// Copies a block's sound to the end of `bytes`, little endian, as many samples as are wanted.
    /// `None`, and nothing is added, when it has been written over.
    pub(super) fn read(&self, number: u64, samples: usize, bytes: &mut Vec<u8>) -> Option<About> {
        let place = self.place(number);
        let turn = 2 * number + 2;
        if place.turn.load(Ordering::Acquire) != turn {
            return None;
        }
        let before = bytes.len();
        let about = std::array::from_fn(|at| place.about[at].load(Ordering::Relaxed));
        for four in &place.sound {
            bytes.extend_from_slice(&four.load(Ordering::Relaxed).to_le_bytes());
        }
        // The copy is made before the number is looked at again.
        fence(Ordering::Acquire);
        if place.turn.load(Ordering::Relaxed) != turn {
            bytes.truncate(before);
            return None;
        }
        bytes.truncate(before + 2 * samples);
        Some(about)
    }

    fn place(&self, number: u64) -> &Place {
        let count = self.places.len() as u64;
        // The remainder is less than the number of places.
        let at = usize::try_from(number % count).unwrap_or_default();
        &self.places[at]
    }
}
