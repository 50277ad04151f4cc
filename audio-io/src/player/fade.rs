//! Raised-cosine fades: how loud each step between silence and sound is.

use std::f64::consts::PI;

use crate::units::{Millis, SampleRate};

/// How long a fade lasts. A tone of 300 Hz that is cut so has nothing above 1.5 kHz that is louder
/// than -60 dB of it.
pub const FADE: Millis = Millis(8);

/// One as a gain.
const UNITY: i32 = 1 << 15;

/// A table of gains. Step 0 is silence, [`Fade::steps`] is the sound itself.
#[derive(Clone, Debug)]
pub(super) struct Fade(Box<[i32]>);

impl Fade {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "gains between 0 and 2^15, and a few hundred steps"
    )]
    pub(super) fn new(rate: SampleRate) -> Self {
        let steps = rate.frames_in(FADE).0 as usize;
        let gain = |step: usize| {
            let turn = PI * step as f64 / steps as f64;
            ((0.5 - 0.5 * turn.cos()) * f64::from(UNITY)).round() as i32
        };
        Self((0..=steps).map(gain).collect())
    }

    /// Steps from silence to sound; one a frame.
    pub(super) const fn steps(&self) -> usize {
        self.0.len() - 1
    }

    /// A sample as loud as at a step; past the last step it is the sample itself.
    #[inline]
    pub(super) fn apply(&self, step: usize, sample: i32) -> i32 {
        match self.0.get(step) {
            Some(gain) if *gain < UNITY => (sample * gain + UNITY / 2) >> 15,
            _ => sample,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fade_rises_smoothly_from_nothing_to_all() {
        let fade = Fade::new(SampleRate::TELEPHONE);
        assert_eq!(fade.steps(), 64);
        let gains: Vec<i32> = (0..=70).map(|step| fade.apply(step, 32_767)).collect();
        assert_eq!((gains[0], gains[64], gains[70]), (0, 32_767, 32_767));
        assert!(gains.is_sorted());
        let steepest = gains.windows(2).map(|pair| pair[1] - pair[0]).max();
        // The cosine's slope is pi / 2 of the mean.
        assert!(steepest <= Some(32_767 * 158 / 100 / 64), "{steepest:?}");
        assert!(gains[1] < 32_767 / 1_000 && 32_767 - gains[63] < 32_767 / 1_000);
        assert_eq!(fade.apply(64, -32_768), -32_768);
    }
}
