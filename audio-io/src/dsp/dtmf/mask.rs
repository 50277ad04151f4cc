//! Which parts of a recording are to be masked, so that nobody can read digits off it.

use std::ops::Range;

use super::detector::DigitHeard;
use crate::units::{Frames, Millis, SampleRate};

/// What is masked beside the tones themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskGuard {
    /// Before each digit: what the detector may have missed of its start.
    pub before: Millis,
    /// After it: its echo, too.
    pub after: Millis,
    /// Pauses shorter than this are masked with the digits around them, so that the rhythm of
    /// typing is not told either.
    pub join: Millis,
}

impl Default for MaskGuard {
    /// 40 ms around each digit; pauses under 500 ms are masked too.
    fn default() -> Self {
        Self {
            before: Millis(40),
            after: Millis(40),
            join: Millis(500),
        }
    }
}

/// The ranges to mask in a recording that begins where the detector did and is `length` long:
/// ordered, apart from each other, none empty. Digits must be in the order of their starts.
#[must_use]
pub fn mask_ranges(
    digits: &[DigitHeard],
    guard: MaskGuard,
    rate: SampleRate,
    length: Frames,
) -> Vec<Range<Frames>> {
    let [before, after, join] =
        [guard.before, guard.after, guard.join].map(|ms| rate.frames_in(ms));
    let mut ranges: Vec<Range<Frames>> = Vec::new();
    for digit in digits {
        let start = digit.start.saturating_sub(before);
        let end = Frames(digit.end.0.saturating_add(after.0)).min(length);
        match ranges.last_mut() {
            Some(last) if start.saturating_sub(last.end) < join || start <= last.end => {
                last.end = last.end.max(end);
            }
            _ if start < end => ranges.push(start..end),
            _ => {}
        }
    }
    ranges
}
