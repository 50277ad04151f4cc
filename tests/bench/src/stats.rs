//! Medians, percentiles, and the pseudo-random numbers that both sides get alike.

/// The median; 0 for no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// A percentile by linear interpolation between the two nearest ranks; 0 for no values.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "ranks of a few million samples"
)]
pub(crate) fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let rank = percent / 100.0 * last as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    sorted[low] + (sorted[high.min(last)] - sorted[low]) * (rank - rank.floor())
}

/// Xorshift64*: the same seed gives both servers the same requests.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`, which is not zero.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        ((self.next() as u128 * end as u128) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_interpolate() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((percentile(&[0.0, 10.0], 90.0) - 9.0).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }

    #[test]
    fn random_numbers_stay_below_and_repeat() {
        let mut a = Random::new(7);
        let mut b = Random::new(7);
        let drawn: Vec<u64> = (0..1_000).map(|_| a.below(10)).collect();
        assert!(drawn.iter().all(|&n| n < 10));
        assert!((0..10).all(|n| drawn.contains(&n)));
        assert!(drawn.iter().all(|&n| n == b.below(10)));
    }
}
