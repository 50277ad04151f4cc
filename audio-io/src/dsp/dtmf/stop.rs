//! Filters that take away hum and dial tone: a high-pass and notches, each of the second order.
//! One after the other they would have to wait for each other at every sample; here they stand
//! side by side (partial fractions of the product), and all hear the same sample at once.

use std::f64::consts::TAU;

use super::lanes::LANES;

/// Takes away hum and the dial tones of most networks (350, 400, 425, 440 and 450 Hz).
#[derive(Clone, Debug)]
pub(super) struct ToneStop {
    direct: f32,
    /// Of each section: what it takes of the last input and of the one before.
    input: [[f32; LANES]; 2],
    /// And of its last output and the one before.
    output: [[f32; LANES]; 2],
    state: [[f32; LANES]; 2],
}

impl ToneStop {
    #[allow(clippy::cast_possible_truncation, reason = "coefficients of about one")]
    pub(super) fn new(hertz: f64) -> Self {
        let sections = sections(hertz);
        let mut made = Self {
            direct: sections.iter().map(|s| s.b[0]).product::<f64>() as f32,
            input: [[0.0; LANES]; 2],
            output: [[0.0; LANES]; 2],
            state: [[0.0; LANES]; 2],
        };
        for (lane, section) in sections.iter().enumerate() {
            let pole = section.pole();
            let rest = residue(&sections, lane);
            // rest/(z - pole) and its conjugate, together.
            made.input[0][lane] = (2.0 * rest.re) as f32;
            made.input[1][lane] = (-2.0 * (rest.re * pole.re + rest.im * pole.im)) as f32;
            made.output[0][lane] = -section.a[0] as f32;
            made.output[1][lane] = -section.a[1] as f32;
        }
        made
    }

    /// Forgets what was heard.
    pub(super) fn reset(&mut self) {
        self.state = [[0.0; LANES]; 2];
    }

    /// Filters a piece.
    pub(super) fn run(&mut self, sound: &[f32], out: &mut [f32]) {
        let [mut last, mut before] = self.state;
        for (x, out) in sound.iter().zip(out) {
            let mut quarter = [0.0; LANES / 2];
            for lane in 0..LANES / 2 {
                quarter[lane] = last[lane] + last[lane + LANES / 2];
            }
            let sum = (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
            *out = self.direct * x + sum;
            for lane in 0..LANES {
                let y = last[lane];
                last[lane] = self.input[0][lane] * x + self.output[0][lane] * y + before[lane];
                before[lane] = self.input[1][lane] * x + self.output[1][lane] * y;
            }
        }
        // Denormal numbers would make silence many times as dear as sound.
        for value in last.iter_mut().chain(&mut before) {
            if value.abs() < 1e-20 {
                *value = 0.0;
            }
        }
        self.state = [last, before];
    }
}

/// A filter of the second order: numerator, and denominator from its second coefficient on.
#[derive(Clone, Copy, Debug)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
}

impl Section {
    fn notch(hertz: f64, width_hertz: f64, rate_hertz: f64) -> Self {
        let omega = TAU * hertz / rate_hertz;
        let alpha = omega.sin() * width_hertz / (2.0 * hertz);
        let cos = omega.cos();
        Self::of(
            [1.0, -2.0 * cos, 1.0],
            [1.0 + alpha, -2.0 * cos, 1.0 - alpha],
        )
    }

    /// Second-order Butterworth.
    fn high_pass(hertz: f64, rate_hertz: f64) -> Self {
        let omega = TAU * hertz / rate_hertz;
        let alpha = omega.sin() * std::f64::consts::FRAC_1_SQRT_2;
        let cos = omega.cos();
        let side = (1.0 + cos) / 2.0;
        Self::of(
            [side, -2.0 * side, side],
            [1.0 + alpha, -2.0 * cos, 1.0 - alpha],
        )
    }

    fn of(b: [f64; 3], a: [f64; 3]) -> Self {
        Self {
            b: b.map(|c| c / a[0]),
            a: [a[1] / a[0], a[2] / a[0]],
        }
    }

    /// The pole above the real axis; all sections here ring.
    fn pole(&self) -> Complex {
        let re = -self.a[0] / 2.0;
        Complex {
            re,
            im: (self.a[1] - re * re).max(0.0).sqrt(),
        }
    }

    fn numerator(&self, z: Complex) -> Complex {
        z.times(z.scaled(self.b[0]).plus(self.b[1])).plus(self.b[2])
    }

    fn denominator(&self, z: Complex) -> Complex {
        z.times(z.plus(self.a[0])).plus(self.a[1])
    }
}

fn sections(hertz: f64) -> [Section; STOPS_HERTZ.len() + 1] {
    let mut sections = [Section::high_pass(HUM_HERTZ, hertz); STOPS_HERTZ.len() + 1];
    for (section, stop) in sections[1..].iter_mut().zip(STOPS_HERTZ) {
        *section = Section::notch(stop, STOP_WIDTH_HERTZ, hertz);
    }
    sections
}

/// The residue of the product of all sections at the pole of one.
fn residue(sections: &[Section], of: usize) -> Complex {
    let pole = sections[of].pole();
    let (mut above, mut below) = (
        Complex { re: 1.0, im: 0.0 },
        // The distance to the pole's own conjugate.
        Complex {
            re: 0.0,
            im: 2.0 * pole.im,
        },
    );
    for (index, section) in sections.iter().enumerate() {
        above = above.times(section.numerator(pole));
        if index != of {
            below = below.times(section.denominator(pole));
        }
    }
    above.over(below)
}

#[derive(Clone, Copy, Debug)]
struct Complex {
    re: f64,
    im: f64,
}

impl Complex {
    fn times(self, by: Self) -> Self {
        Self {
            re: self.re * by.re - self.im * by.im,
            im: self.re * by.im + self.im * by.re,
        }
    }

    fn over(self, by: Self) -> Self {
        let size = by.re * by.re + by.im * by.im;
        let inverse = Self {
            re: by.re / size,
            im: -by.im / size,
        };
        self.times(inverse)
    }

    fn scaled(self, by: f64) -> Self {
        Self {
            re: self.re * by,
            im: self.im * by,
        }
    }

    fn plus(self, real: f64) -> Self {
        Self {
            re: self.re + real,
            ..self
        }
    }
}

const STOPS_HERTZ: [f64; 5] = [350.0, 400.0, 425.0, 440.0, 450.0];
const STOP_WIDTH_HERTZ: f64 = 40.0;
const HUM_HERTZ: f64 = 120.0;

// Each section has a lane.
const _: () = assert!(STOPS_HERTZ.len() < LANES);

#[cfg(test)]
mod tests {
    use super::*;

    /// The same sections one after the other.
    fn in_turn(hertz: f64, sound: &[f32]) -> Vec<f64> {
        let mut sound: Vec<f64> = sound.iter().map(|x| f64::from(*x)).collect();
        for section in sections(hertz) {
            let mut z = [0.0; 2];
            for x in &mut sound {
                let y = section.b[0] * *x + z[0];
                z[0] = section.b[1] * *x - section.a[0] * y + z[1];
                z[1] = section.b[2] * *x - section.a[1] * y;
                *x = y;
            }
        }
        sound
    }

    #[test]
    fn side_by_side_they_do_what_they_do_one_after_the_other() {
        for hertz in [8_000.0, 11_025.0, 15_999.0] {
            let mut state = 1_u32;
            let sound: Vec<f32> = (0..4_000)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f32::from((state >> 16) as u16) / 65_536.0 - 0.3
                })
                .collect();
            let mut stop = ToneStop::new(hertz);
            let mut out = vec![0.0; sound.len()];
            for (sound, out) in sound.chunks(32).zip(out.chunks_mut(32)) {
                stop.run(sound, out);
            }
            for (ours, plain) in out.iter().zip(in_turn(hertz, &sound)) {
                assert!((f64::from(*ours) - plain).abs() < 1e-4, "{hertz} Hz");
            }
        }
    }
}
