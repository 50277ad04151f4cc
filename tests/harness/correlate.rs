//! Where a known sound is heard in another one, to the sample: normalised cross-correlation, by a
//! Fourier transform of the suite's own. And where a sound is loud, and how it steps.

use std::f64::consts::TAU;
use std::ops::Range;

use crate::sound::lossless;

/// A sample below this is quiet: about -50 dB relative to full scale.
const QUIET: i16 = 100;

/// A place, and how alike the sounds are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Samples from the beginning of what was searched.
    pub at: usize,
    /// 1 is the same sound at any level, 0 an unrelated one.
    pub likeness: f64,
}

/// A piece of what was heard, and where it is in the known sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Where the piece begins in what was heard.
    pub heard_at: usize,
    /// Where it begins in the known sound.
    pub position: usize,
    /// How alike they are.
    pub likeness: f64,
}

/// Where in `searched` the sound `wanted` is most alike.
///
/// # Panics
/// When there is nothing to look for, or it is longer than what is searched.
#[must_use]
pub fn find(searched: &[i16], wanted: &[i16]) -> Found {
    let (long, short) = (searched.len(), wanted.len());
    assert!(
        short > 0 && short <= long,
        "{short} samples wanted in {long}"
    );
    let size = (long + short).next_power_of_two();
    let spectrum = |samples: &[i16]| {
        let mut wave = vec![(0.0, 0.0); size];
        for (place, sample) in wave.iter_mut().zip(samples) {
            place.0 = f64::from(*sample);
        }
        transform(&mut wave);
        wave
    };
    let kernel = spectrum(wanted);
    let mut product: Vec<_> = spectrum(searched)
        .into_iter()
        .zip(kernel)
        // Conjugated twice: of the kernel, and of the whole, which makes the transform its own
        // inverse.
        .map(|((a, b), (c, d))| (a * c + b * d, -(b * c - a * d)))
        .collect();
    transform(&mut product);

    let scale = lossless(size);
    let own = energy(wanted).sqrt();
    let mut around = energy(&searched[..short]);
    let mut best = Found {
        at: 0,
        likeness: -1.0,
    };
    for at in 0..=long - short {
        if at > 0 {
            around += square(searched[at + short - 1]) - square(searched[at - 1]);
        }
        let norm = own * around.max(1.0).sqrt();
        let likeness = product[at].0 / scale / norm.max(1.0);
        if likeness > best.likeness {
            best = Found { at, likeness };
        }
    }
    best
}

/// How alike two sounds of one length are as they lie.
///
/// # Panics
/// When their lengths differ.
#[must_use]
pub fn likeness(one: &[i16], other: &[i16]) -> f64 {
    assert_eq!(one.len(), other.len());
    let together: f64 = one
        .iter()
        .zip(other)
        .map(|(one, other)| f64::from(*one) * f64::from(*other))
        .sum();
    together / (energy(one) * energy(other)).sqrt().max(1.0)
}

/// Follows what was heard through the known sound in pieces of `piece` samples. Pieces with quiet
/// in them are left out.
#[must_use]
pub fn track(heard: &[i16], known: &[i16], piece: usize) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for range in loud_runs(heard, piece / 4) {
        let starts = (range.start..range.end.saturating_sub(piece - 1)).step_by(piece);
        for heard_at in starts {
            let window = &heard[heard_at..heard_at + piece];
            // Most pieces follow the one before: that is looked at first.
            let expected = places
                .last()
                .map(|last| last.position + (heard_at - last.heard_at));
            let near = expected.and_then(|position| {
                let likeness = likeness(window, known.get(position..position + piece)?);
                (likeness > 0.98).then_some(Found {
                    at: position,
                    likeness,
                })
            });
            let found = near.unwrap_or_else(|| find(known, window));
            places.push(Place {
                heard_at,
                position: found.at,
                likeness: found.likeness,
            });
        }
    }
    places
}

/// How much of the known sound was heard, in pieces of 50 ms at 8 kHz that are alike (above 0.95)
/// and come one after the other: 1 is all of it. A machine that was busy for a moment puts a gap
/// between two pieces; it spoils the piece it falls into and not what follows.
#[must_use]
pub fn share_heard(heard: &[i16], known: &[i16]) -> f64 {
    const PIECE: usize = 400;
    let mut reached = 0;
    let mut alike = 0;
    for place in track(heard, known, PIECE) {
        if place.likeness > 0.95 && place.position + 8 >= reached {
            reached = place.position + PIECE;
            alike += PIECE;
        }
    }
    lossless(alike) / lossless(known.len())
}

/// The loud parts, between which it is quiet for at least `quiet` samples.
#[must_use]
pub fn loud_runs(heard: &[i16], quiet: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, sample) in heard.iter().enumerate() {
        if sample.unsigned_abs() <= QUIET.unsigned_abs() {
            continue;
        }
        match runs.last_mut() {
            Some(run) if at - run.end < quiet.max(1) => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// The largest step from one sample to the next, as a part of full scale.
#[must_use]
pub fn largest_step(heard: &[i16]) -> f64 {
    let steps = heard.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
    f64::from(steps.max().unwrap_or(0)) / 32_768.0
}

fn square(sample: i16) -> f64 {
    f64::from(sample) * f64::from(sample)
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().copied().map(square).sum()
}

/// Cooley and Tukey's transform in place; the length is a power of two.
fn transform(wave: &mut [(f64, f64)]) {
    let size = wave.len();
    let bits = size.trailing_zeros();
    for at in 0..size {
        let mirror = at.reverse_bits() >> (usize::BITS - bits);
        if at < mirror {
            wave.swap(at, mirror);
        }
    }
    let mut half = 1;
    while half < size {
        let turns: Vec<(f64, f64)> = (0..half)
            .map(|at| {
                let angle = -TAU * lossless(at) / lossless(half * 2);
                (angle.cos(), angle.sin())
            })
            .collect();
        for block in wave.chunks_exact_mut(half * 2) {
            let (low, high) = block.split_at_mut(half);
            for ((low, high), turn) in low.iter_mut().zip(high).zip(&turns) {
                let real = high.0 * turn.0 - high.1 * turn.1;
                let imaginary = high.0 * turn.1 + high.1 * turn.0;
                *high = (low.0 - real, low.1 - imaginary);
                *low = (low.0 + real, low.1 + imaginary);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound;

    #[test]
    fn a_sound_is_found_where_it_is_at_any_level() {
        let known = sound::rustle(3.0, 8_000, 1);
        let mut heard = vec![0; 7_777];
        heard.extend(known.iter().map(|sample| sample / 3));
        heard.extend(vec![0; 5_000]);
        let found = find(&heard, &known);
        assert_eq!(found.at, 7_777);
        assert!(found.likeness > 0.999, "{found:?}");
        let piece = find(&known, &heard[7_777 + 12_345..][..800]);
        assert_eq!(piece.at, 12_345);
        let other = sound::rustle(3.0, 8_000, 2);
        assert!(find(&heard, &other).likeness < 0.5);
    }

    #[test]
    fn a_jump_is_seen_in_the_track() {
        let known = sound::rustle(4.0, 8_000, 1);
        let mut heard = known[..8_000].to_vec();
        heard.extend(vec![0; 4_000]);
        heard.extend(&known[24_000..]);
        let places = track(&heard, &known, 800);
        assert!(places.iter().all(|place| place.likeness > 0.99));
        for place in &places {
            let expected = match place.heard_at {
                at if at < 8_000 => at,
                at => at - 12_000 + 24_000,
            };
            assert_eq!(place.position, expected, "{place:?}");
        }
        assert!(places.len() > 17, "{}", places.len());
        let share = share_heard(&heard, &known);
        assert!((share - 0.5).abs() < 0.05, "{share}");
        assert_eq!(loud_runs(&heard, 400).len(), 2);
    }

    #[test]
    fn a_step_is_a_step() {
        let tone = sound::tone(200.0, 0.5, 8_000, 1.0);
        assert!(largest_step(&tone) < 0.08);
        assert!(largest_step(&tone[..1_010]) < 0.08);
        let cut: Vec<i16> = tone[..1_010].iter().copied().chain([0; 10]).collect();
        assert!(largest_step(&cut) > 0.3);
    }
}
