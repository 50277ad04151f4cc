//! Sums over samples, in lanes that the compiler can put into vector registers.

/// Samples handled at once.
pub(super) const LANES: usize = 8;

/// A sum of products.
pub(in crate::dsp) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..16 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    rest + lanes.iter().sum::<f32>()
}

/// The energy of the steps from sample to sample: that of the sound without its lowest parts, and
/// without any constant.
pub(in crate::dsp) fn step_energy(sound: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (before, after) = (sound, sound.get(1..).unwrap_or_default());
    let before = before[..after.len()].chunks_exact(LANES);
    let after = after.chunks_exact(LANES);
    let rest: f32 = before
        .remainder()
        .iter()
        .zip(after.remainder())
        .map(|(x, y)| (y - x) * (y - x))
        .sum();
    for (x, y) in before.zip(after) {
        for lane in 0..LANES {
            let step = y[lane] - x[lane];
            lanes[lane] += step * step;
        }
    }
    rest + lanes.iter().sum::<f32>()
}

/// A sine of unit amplitude that goes on by [`LANES`] samples at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phasor {
    cos: [f32; LANES],
    sin: [f32; LANES],
    turn: (f32, f32),
}

impl Phasor {
    /// From a phase in radians, by so many radians a sample.
    #[allow(clippy::cast_possible_truncation, reason = "at most one")]
    pub(super) fn new(phase: f64, omega: f64) -> Self {
        let (mut cos, mut sin) = ([0.0; LANES], [0.0; LANES]);
        let (step_sin, step_cos) = omega.sin_cos();
        let (mut s, mut c) = phase.sin_cos();
        for lane in 0..LANES {
            (cos[lane], sin[lane]) = (c as f32, s as f32);
            (c, s) = (c * step_cos - s * step_sin, c * step_sin + s * step_cos);
        }
        // Three doublings make one step eight.
        let (mut c, mut s) = (step_cos, step_sin);
        for _ in 0..LANES.trailing_zeros() {
            (c, s) = (c * c - s * s, 2.0 * c * s);
        }
        Self {
            cos,
            sin,
            turn: (c as f32, s as f32),
        }
    }

    #[inline]
    fn advance(&mut self) {
        let (turn_cos, turn_sin) = self.turn;
        for lane in 0..LANES {
            let (c, s) = (self.cos[lane], self.sin[lane]);
            self.cos[lane] = c * turn_cos - s * turn_sin;
            self.sin[lane] = c * turn_sin + s * turn_cos;
        }
    }

    /// The sum of the piece times the sine turned backwards.
    #[inline]
    pub(super) fn project(mut self, piece: &[f32]) -> (f32, f32) {
        let (mut re, mut im) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let chunks = piece.chunks_exact(LANES);
        let rest = chunks.remainder();
        for x in chunks {
            for lane in 0..LANES {
                re[lane] += x[lane] * self.cos[lane];
                im[lane] -= x[lane] * self.sin[lane];
            }
            self.advance();
        }
        for (lane, x) in rest.iter().enumerate() {
            re[lane] += x * self.cos[lane];
            im[lane] -= x * self.sin[lane];
        }
        (re.iter().sum(), im.iter().sum())
    }

    /// Adds `re * cos - im * sin` to the piece, and then projects it.
    #[inline]
    pub(super) fn add_and_project(mut self, piece: &mut [f32], by: (f32, f32)) -> (f32, f32) {
        let (mut re, mut im) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let mut chunks = piece.chunks_exact_mut(LANES);
        for x in chunks.by_ref() {
            for lane in 0..LANES {
                x[lane] += by.0 * self.cos[lane] - by.1 * self.sin[lane];
                re[lane] += x[lane] * self.cos[lane];
                im[lane] -= x[lane] * self.sin[lane];
            }
            self.advance();
        }
        for (lane, x) in chunks.into_remainder().iter_mut().enumerate() {
            *x += by.0 * self.cos[lane] - by.1 * self.sin[lane];
            re[lane] += *x * self.cos[lane];
            im[lane] -= *x * self.sin[lane];
        }
        (re.iter().sum(), im.iter().sum())
    }

    /// Takes `re * cos - im * sin` away from the piece; the energy that is left.
    #[inline]
    pub(super) fn subtract(mut self, piece: &mut [f32], by: (f32, f32)) -> f32 {
        let mut energy = [0.0_f32; LANES];
        let mut chunks = piece.chunks_exact_mut(LANES);
        for x in chunks.by_ref() {
            for lane in 0..LANES {
                x[lane] -= by.0 * self.cos[lane] - by.1 * self.sin[lane];
                energy[lane] += x[lane] * x[lane];
            }
            self.advance();
        }
        for (lane, x) in chunks.into_remainder().iter_mut().enumerate() {
            *x -= by.0 * self.cos[lane] - by.1 * self.sin[lane];
            energy[lane] += *x * *x;
        }
        energy.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_plain_loops() {
        #[allow(clippy::cast_precision_loss, reason = "a hundred samples")]
        let sound: Vec<f32> = (0..101)
            .map(|n| ((n * 37 % 64) as f32 - 30.0) / 64.0)
            .collect();
        let energy: f32 = sound.iter().map(|x| x * x).sum();
        assert!((dot(&sound, &sound) - energy).abs() < 1e-3);
        let steps: f32 = sound.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
        assert!((step_energy(&sound) - steps).abs() < 1e-3);
        assert!(step_energy(&[]).abs() < 1e-9 && step_energy(&[1.0]).abs() < 1e-9);
    }

    #[test]
    fn a_sine_is_found_taken_away_and_put_back() {
        let (omega, length) = (0.61, 100);
        let by = (0.3_f32, -0.2_f32);
        let mut piece = vec![0.0_f32; length];
        let start = Phasor::new(0.0, omega);
        start.add_and_project(&mut piece, by);
        for (n, x) in piece.iter().enumerate() {
            #[allow(clippy::cast_precision_loss, reason = "a hundred samples")]
            let (sin, cos) = (omega * n as f64).sin_cos();
            let plain = 0.3 * cos + 0.2 * sin;
            assert!((f64::from(*x) - plain).abs() < 1e-5, "{n}");
        }
        let (re, im) = start.project(&piece);
        assert!((re / 50.0 - 0.3).abs() < 0.02 && (im / 50.0 + 0.2).abs() < 0.02);
        assert!(start.subtract(&mut piece, by) < 1e-9);
    }
}
