//! The units of sound: rates, frame counts and durations. No bare integer with a unit crosses a
//! function boundary of this workspace.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// Frames a second. One frame holds one sample of each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct SampleRate(u32);

impl SampleRate {
    /// The lowest rate of a line: telephony's 8 kHz (ITU-T G.711).
    pub const MIN: Self = Self(8_000);
    /// The highest rate of a line.
    pub const MAX: Self = Self(48_000);
    /// 8 kHz, the telephone network's rate.
    pub const TELEPHONE: Self = Self(8_000);

    /// A rate in hertz.
    ///
    /// # Errors
    /// [`RateOutOfRange`] below 8,000 or above 48,000 Hz.
    pub const fn new(hertz: u32) -> Result<Self, RateOutOfRange> {
        if hertz < 8_000 || hertz > 48_000 {
            return Err(RateOutOfRange(hertz));
        }
        Ok(Self(hertz))
    }

    /// The rate in hertz.
    #[must_use]
    pub const fn hertz(self) -> u32 {
        self.0
    }

    /// The whole frames that fit into a duration.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "durations of millions of years at most"
    )]
    pub const fn frames_in(self, duration: Millis) -> Frames {
        Frames((duration.0 as u128 * self.0 as u128 / 1_000) as u64)
    }

    /// How long a number of frames sounds, rounded down to a millisecond.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "below 2^64 frames there are fewer ms"
    )]
    pub const fn duration_of(self, frames: Frames) -> Millis {
        Millis((frames.0 as u128 * 1_000 / self.0 as u128) as u64)
    }
}

impl TryFrom<u32> for SampleRate {
    type Error = RateOutOfRange;
    fn try_from(hertz: u32) -> Result<Self, RateOutOfRange> {
        Self::new(hertz)
    }
}

impl From<SampleRate> for u32 {
    fn from(rate: SampleRate) -> Self {
        rate.0
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A rate that no line can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sample rate {0} Hz is outside 8000 to 48000 Hz")]
pub struct RateOutOfRange(pub u32);

/// A number of frames, or a position counted in frames from the start of a stream.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Frames(pub u64);

impl Frames {
    /// No frames; the start of a stream.
    pub const ZERO: Self = Self(0);

    /// `self - other`, or zero where that would be negative.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Frames {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Frames {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Frames {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames", self.0)
    }
}

/// A duration in milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }
}

impl From<Millis> for std::time::Duration {
    fn from(duration: Millis) -> Self {
        Self::from_millis(duration.0)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Wall time in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallMillis(pub u64);

/// A level in decibels relative to full scale, in hundredths of a decibel: `-2000` is -20 dBFS.
/// RMS levels are relative to a full-scale square wave, so a full-scale sine reads -3.01 dBFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CentiDbfs(pub i32);

impl CentiDbfs {
    /// What digital silence reads: below any 16-bit level.
    pub const SILENCE: Self = Self(-12_000);

    /// The level of an amplitude, 1.0 being full scale.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "clamped to -12000..=0 before the conversion"
    )]
    pub fn from_amplitude(amplitude: f64) -> Self {
        if amplitude <= 1e-6 {
            return Self::SILENCE;
        }
        Self((2_000.0 * amplitude.log10()).round().clamp(-12_000.0, 0.0) as i32)
    }

    /// The level in decibels.
    #[must_use]
    pub fn decibels(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for CentiDbfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} dBFS", self.decibels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_outside_the_range_are_refused() {
        assert_eq!(SampleRate::new(7_999), Err(RateOutOfRange(7_999)));
        assert_eq!(SampleRate::new(48_001), Err(RateOutOfRange(48_001)));
        assert_eq!(SampleRate::new(44_100).map(SampleRate::hertz), Ok(44_100));
    }

    #[test]
    fn frames_and_durations_convert_without_overflow() {
        let century = Millis::from_secs(100 * 366 * 86_400);
        let frames = SampleRate::MAX.frames_in(century);
        assert_eq!(SampleRate::MAX.duration_of(frames), century);
        assert_eq!(SampleRate::TELEPHONE.frames_in(Millis(20)), Frames(160));
    }

    #[test]
    fn levels_follow_the_definition() {
        assert_eq!(CentiDbfs::from_amplitude(1.0), CentiDbfs(0));
        assert_eq!(CentiDbfs::from_amplitude(0.1), CentiDbfs(-2_000));
        assert_eq!(CentiDbfs::from_amplitude(0.0), CentiDbfs::SILENCE);
    }
}
