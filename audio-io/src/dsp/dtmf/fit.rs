//! The close look: the two sines that fit a piece of sound best, whatever their exact
//! frequencies, and what they leave over. Each is estimated with the other taken away, in turns.

/// The most samples of a piece: 24 ms at 16 kHz.
pub(super) const FIT_SAMPLES_MAX: usize = 384;

/// A sine: `re * cos(omega n) - im * sin(omega n)`, n counted from the start of its piece.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sine {
    /// Radians a sample.
    pub(super) omega: f64,
    re: f64,
    im: f64,
}

impl Sine {
    /// Squared amplitude.
    pub(super) fn power(&self) -> f64 {
        self.re * self.re + self.im * self.im
    }
}

/// Two sines and the energy (sum of squares) before and after they are taken away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) sines: [Sine; 2],
    pub(super) total: f64,
    pub(super) residual: f64,
    /// The largest squared amplitude at the other frequencies asked for, in what is left.
    pub(super) rival: [f64; 2],
}

impl Fit {
    /// The part of the energy that the two sines do not explain.
    pub(super) fn left_over(&self) -> f64 {
        self.residual / self.total.max(f64::MIN_POSITIVE)
    }
}

/// Fits two sines near two frequencies (radians a sample). `rivals` are frequencies of each
/// group that must be weak in what is left.
pub(super) fn fit(piece: &[f32], near: [f64; 2], rivals: [&[f64]; 2]) -> Fit {
    let mut store = [0.0; FIT_SAMPLES_MAX];
    let (left, total) = load(&mut store, piece);
    let mut sines = near.map(|omega| Sine {
        omega,
        re: 0.0,
        im: 0.0,
    });
    for _ in 0..FREQUENCY_TURNS {
        for (sine, near) in sines.iter_mut().zip(near) {
            add(left, *sine, 1.0);
            let bound = near * STRAY_MAX;
            sine.omega = refine(left, sine.omega).clamp(near - bound, near + bound);
            (sine.re, sine.im) = project(left, sine.omega);
            add(left, *sine, -1.0);
        }
    }
    let residual = left.iter().map(|x| x * x).sum();
    let rival = rivals.map(|group| {
        group
            .iter()
            .map(|omega| {
                let (re, im) = project(left, *omega);
                re * re + im * im
            })
            .fold(0.0, f64::max)
    });
    Fit {
        sines,
        total,
        residual,
        rival,
    }
}

/// The squared amplitudes of two known frequencies in a short piece, together.
pub(super) fn power_at(piece: &[f32], omegas: [f64; 2]) -> [f64; 2] {
    let mut store = [0.0; FIT_SAMPLES_MAX];
    let (left, _) = load(&mut store, piece);
    let mut sines = omegas.map(|omega| Sine {
        omega,
        re: 0.0,
        im: 0.0,
    });
    for _ in 0..POWER_TURNS {
        for sine in &mut sines {
            add(left, *sine, 1.0);
            (sine.re, sine.im) = project(left, sine.omega);
            add(left, *sine, -1.0);
        }
    }
    sines.map(|sine| sine.power())
}

/// Copies a piece and sums its squares.
fn load<'a>(store: &'a mut [f64; FIT_SAMPLES_MAX], piece: &[f32]) -> (&'a mut [f64], f64) {
    let left = &mut store[..piece.len().min(FIT_SAMPLES_MAX)];
    let mut total = 0.0;
    for (to, from) in left.iter_mut().zip(piece) {
        *to = f64::from(*from);
        total += *to * *to;
    }
    (left, total)
}

/// A better estimate of a frequency: how far the phase turns from the first half to the second.
#[allow(clippy::cast_precision_loss, reason = "hundreds of samples")]
fn refine(piece: &[f64], omega: f64) -> f64 {
    let half = piece.len() / 2;
    let (a_re, a_im) = project(&piece[..half], omega);
    let (b_re, b_im) = project(&piece[half..2 * half], omega);
    let (sin, cos) = (omega * half as f64).sin_cos();
    // What the second half would be if it went on from the first.
    let (e_re, e_im) = (a_re * cos - a_im * sin, a_re * sin + a_im * cos);
    let turn = (b_im * e_re - b_re * e_im).atan2(b_re * e_re + b_im * e_im);
    omega + turn / half as f64
}

/// The complex amplitude of a frequency.
#[allow(clippy::cast_precision_loss, reason = "hundreds of samples")]
fn project(piece: &[f64], omega: f64) -> (f64, f64) {
    let (sin, cos) = omega.sin_cos();
    let (mut c, mut s) = (1.0, 0.0);
    let (mut re, mut im) = (0.0, 0.0);
    for x in piece {
        re += x * c;
        im -= x * s;
        (c, s) = (c * cos - s * sin, c * sin + s * cos);
    }
    let scale = 2.0 / piece.len().max(1) as f64;
    (re * scale, im * scale)
}

/// Adds a sine, `sign` times.
fn add(piece: &mut [f64], sine: Sine, sign: f64) {
    if sine.power() == 0.0 {
        return;
    }
    let (sin, cos) = sine.omega.sin_cos();
    let (mut re, mut im) = (sine.re * sign, sine.im * sign);
    for x in piece {
        *x += re;
        (re, im) = (re * cos - im * sin, re * sin + im * cos);
    }
}

/// How often each frequency is estimated.
const FREQUENCY_TURNS: usize = 3;

/// How often each amplitude is, where frequencies are known.
const POWER_TURNS: usize = 3;

/// The farthest an estimate may stray from where it began, as a part of the frequency.
const STRAY_MAX: f64 = 0.06;
