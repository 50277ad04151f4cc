//! A tone over whatever is played, which tells the parties that somebody listens: a beep at once,
//! and one every fifteen seconds as long as it is wanted.

use std::f32::consts::TAU;

use crate::units::{Millis, SampleRate};

/// Mixes the tone into sound. It allocates nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    step: f32,
    beep: u64,
    edge: u64,
    every: u64,
    /// The place in the period; at `every` it is quiet.
    at: u64,
}

impl Notice {
    pub(super) fn new(rate: SampleRate) -> Self {
        let every = rate.frames_in(EVERY).0;
        Self {
            step: TAU * HERTZ / rate.hertz() as f32,
            beep: rate.frames_in(BEEP).0,
            edge: rate.frames_in(EDGE).0.max(1),
            every,
            at: every,
        }
    }

    /// Adds the tone. A beep that has begun ends by itself.
    pub(super) fn mix(&mut self, wanted: bool, samples: &mut [i16]) {
        if !wanted && self.at >= self.beep {
            self.at = self.every;
            return;
        }
        for sample in samples {
            if self.at >= self.every {
                if !wanted {
                    return;
                }
                self.at = 0;
            }
            if self.at < self.beep {
                *sample = sample.saturating_add(self.value());
            }
            self.at += 1;
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "within the amplitude; a beep has few frames"
    )]
    fn value(&self) -> i16 {
        let edge = self.at.min(self.beep - 1 - self.at).min(self.edge);
        let level = edge as f32 / self.edge as f32;
        (AMPLITUDE * level * (self.step * self.at as f32).sin()) as i16
    }
}

/// What recorders beep with on telephone lines (47 CFR 64.501 names 1,400 Hz).
const HERTZ: f32 = 1_400.0;
/// -21 dB below full scale.
const AMPLITUDE: f32 = 2_900.0;
const BEEP: Millis = Millis(200);
const EDGE: Millis = Millis(10);
const EVERY: Millis = Millis(15_000);

#[cfg(test)]
mod tests {
    use super::*;

    fn loud(samples: &[i16]) -> bool {
        samples.iter().any(|sample| sample.unsigned_abs() > 1_000)
    }

    #[test]
    fn it_beeps_at_once_and_every_fifteen_seconds_while_it_is_wanted() {
        let mut notice = Notice::new(SampleRate::TELEPHONE);
        let mut second = |wanted: bool| {
            let mut samples = vec![0_i16; 8_000];
            for turn in samples.chunks_mut(240) {
                notice.mix(wanted, turn);
            }
            samples
        };
        assert!(second(false).iter().all(|sample| *sample == 0));
        let first = second(true);
        assert!(loud(&first[..1_600]) && !loud(&first[1_600..]));
        assert!(first[0] == 0 && first[1_599] == 0, "no click");
        let heard: Vec<bool> = (0..15).map(|_| loud(&second(true))).collect();
        assert_eq!(heard.iter().filter(|loud| **loud).count(), 1);
        assert!(heard[14]);
        assert!(!loud(&second(false)));
        assert!(loud(&second(true)), "again at once");
    }

    #[test]
    fn a_beep_that_has_begun_ends_and_is_added_to_what_is_played() {
        let mut notice = Notice::new(SampleRate::TELEPHONE);
        let mut samples = [i16::MAX; 800];
        notice.mix(true, &mut samples);
        assert!(samples.contains(&i16::MAX) && samples.iter().any(|s| *s < 30_000));
        let mut rest = [0_i16; 2_000];
        notice.mix(false, &mut rest);
        assert!(loud(&rest[..700]) && rest[800..].iter().all(|sample| *sample == 0));
    }
}
