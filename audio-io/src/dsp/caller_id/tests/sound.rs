//! What lines add to sound.

/// Noise whose values are known.
pub(super) struct Noise(u64);

impl Noise {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About Gaussian, of variance one.
    pub(super) fn gauss(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A sine's amplitude by its level, in units of a sample.
pub(super) fn amplitude(dbm: f64) -> f64 {
    10_f64.powf((dbm - 3.14) / 20.0) * 32_767.0
}

/// Adds noise of a level.
pub(super) fn with_noise(leg: &[i16], dbm: f64, seed: u64) -> Vec<i16> {
    let mut noise = Noise::new(seed);
    let rms = amplitude(dbm) / std::f64::consts::SQRT_2;
    mapped(leg, |_, sample| sample + rms * noise.gauss())
}

/// Each sample by its place.
#[allow(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
pub(super) fn mapped(leg: &[i16], mut f: impl FnMut(usize, f64) -> f64) -> Vec<i16> {
    let each = leg.iter().enumerate();
    each.map(|(at, sample)| f(at, f64::from(*sample)).round().clamp(-32_768.0, 32_767.0) as i16)
        .collect()
}
