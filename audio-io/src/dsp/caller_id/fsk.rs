//! The FSK receiver: 1,200 bit/s, mark at 1,200 (Bell 202) or 1,300 Hz (V.23), space at 2,200 or
//! 2,100 Hz. One pair of correlators a bit long serves both: set 30 to 130 Hz outside, they lose
//! 0.2 dB at most, and each is nearly deaf to the other's frequency.

use std::f64::consts::TAU;

use super::CallerId;
use super::message::{Assembler, FskStandard, parse};
use super::slicer::Slicer;
use crate::dsp::dtmf::FULL_SCALE_DBM0;
use crate::dsp::dtmf::front::Decimator;
use crate::dsp::dtmf::lanes::step_energy;
use crate::units::SampleRate;

/// Finds messages in a leg.
#[derive(Clone, Debug)]
pub(super) struct FskReceiver {
    decimator: Decimator,
    /// The last samples of the block before, and a block.
    line: [f32; TAPS_MAX + BLOCK],
    filled: usize,
    taps: Taps,
    high_pass: HighPass,
    /// The energy of steps in a block from which on it is loud; blocks for which it is yet.
    loud: f32,
    active: u32,
    paths: [Path; GAINS.len()],
    pitch: Pitch,
}

/// A slicer and what it received.
#[derive(Clone, Debug)]
struct Path {
    slicer: Slicer,
    assembler: Assembler,
}

impl FskReceiver {
    #[allow(clippy::cast_possible_truncation, reason = "about seven")]
    pub(super) fn new(rate: SampleRate) -> Self {
        let decimator = Decimator::new(rate);
        let hertz = f64::from(rate.hertz()) / decimator.factor() as f64;
        let bit = hertz / BITS_PER_SECOND;
        let path = |gain| Path {
            slicer: Slicer::new(gain, bit as f32),
            assembler: Assembler::default(),
        };
        Self {
            decimator,
            line: [0.0; TAPS_MAX + BLOCK],
            filled: 0,
            taps: Taps::new(hertz),
            high_pass: HighPass::default(),
            loud: loud_steps(hertz),
            active: 0,
            paths: GAINS.map(path),
            pitch: Pitch::new(hertz),
        }
    }

    pub(super) fn reset(&mut self) {
        self.pitch.reset();
        for path in &mut self.paths {
            path.slicer.reset();
            path.assembler.reset();
        }
    }

    pub(super) fn push(&mut self, leg: &[i16]) -> Option<CallerId> {
        let mut leg = leg;
        let mut told = None;
        while !leg.is_empty() {
            let fits = self.decimator.input_for(BLOCK - self.filled);
            let (now, later) = leg.split_at(fits.min(leg.len()));
            let start = TAPS_MAX + self.filled;
            self.filled += self.decimator.run(now, &mut self.line[start..]);
            leg = later;
            if self.filled == BLOCK {
                self.filled = 0;
                let found = self.on_block();
                told = told.or(found);
            }
        }
        told
    }

    fn on_block(&mut self) -> Option<CallerId> {
        let mut told = None;
        if step_energy(&self.line[TAPS_MAX..]) >= self.loud {
            self.active = HOLD_BLOCKS;
        } else {
            self.active = self.active.saturating_sub(1);
            if self.active == 0 && self.high_pass.is_running {
                self.reset();
            }
        }
        self.high_pass.is_running = self.active > 0;
        if self.active > 0 {
            self.high_pass.run(&mut self.line[TAPS_MAX..]);
            for at in 1..=BLOCK {
                let [mark_re, mark_im, space_re, space_im] = self.taps.run(&self.line[at..]);
                let mark = (mark_re * mark_re + mark_im * mark_im).sqrt();
                let space = (space_re * space_re + space_im * space_im).sqrt();
                let marking = self.paths[0].slicer.is_marking();
                self.pitch.push(marking, mark_re, mark_im);
                let found = self.on_sample(mark, space);
                told = told.or(found);
            }
        } else {
            self.high_pass.skip(self.line[TAPS_MAX + BLOCK - 1]);
        }
        self.line.copy_within(BLOCK.., 0);
        told
    }

    fn on_sample(&mut self, mark: f32, space: f32) -> Option<CallerId> {
        let standard = self.pitch.standard();
        let mut told = None;
        for path in &mut self.paths {
            let Some(character) = path.slicer.push(mark, space) else {
                continue;
            };
            if let Some(message) = path.assembler.push(character)
                && path.slicer.is_fit()
            {
                told = told.or_else(|| parse(message, standard));
            }
        }
        if told.is_some() {
            self.reset();
        }
        told
    }
}

/// Mark and space, cosine and sine, side by side: the inner products of a window of one bit.
#[derive(Clone, Debug)]
struct Taps {
    count: usize,
    taps: [[f32; 4]; TAPS_MAX],
}

impl Taps {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "at most sixteen taps of about one"
    )]
    fn new(hertz: f64) -> Self {
        let bit = hertz / BITS_PER_SECOND;
        let count = (2 * (bit / 2.0).ceil() as usize).min(TAPS_MAX);
        let mut taps = [[0.0; 4]; TAPS_MAX];
        for (n, tap) in taps.iter_mut().take(count).enumerate() {
            let t = n as f64 - (count - 1) as f64 / 2.0;
            // The part of this sample that lies inside the bit.
            let inside = (bit / 2.0 - t.abs() + 0.5).clamp(0.0, 1.0) / bit;
            let (mark, space) = (TAU * MARK_HERTZ / hertz * t, TAU * SPACE_HERTZ / hertz * t);
            *tap = [mark.cos(), -mark.sin(), space.cos(), -space.sin()]
                .map(|part| (2.0 * inside * part) as f32);
        }
        Self { count, taps }
    }

    /// The products with the last samples before the end of the window that `line` begins with.
    #[inline]
    fn run(&self, line: &[f32]) -> [f32; 4] {
        let mut sums = [0.0_f32; 4];
        let line = &line[TAPS_MAX - self.count..TAPS_MAX];
        for (sample, tap) in line.iter().zip(&self.taps) {
            for (sum, part) in sums.iter_mut().zip(tap) {
                *sum += sample * part;
            }
        }
        sums
    }
}

/// Takes away hum and anything constant: one pole at about 130 Hz.
#[derive(Clone, Debug, Default)]
struct HighPass {
    is_running: bool,
    input: f32,
    output: f32,
}

impl HighPass {
    fn run(&mut self, block: &mut [f32]) {
        for sample in block {
            self.output = *sample - self.input + HIGH_PASS_POLE * self.output;
            self.input = *sample;
            *sample = self.output;
        }
    }

    fn skip(&mut self, last: f32) {
        self.input = last;
        self.output = 0.0;
    }
}

/// The frequency of mark, from how the correlator's phase goes on between characters.
#[derive(Clone, Debug)]
struct Pitch {
    before: (f32, f32),
    sum: (f32, f32),
    /// The tangent's angle of the frequency midway between the two marks, a sample.
    midway: f32,
}

impl Pitch {
    #[allow(clippy::cast_possible_truncation, reason = "about one")]
    fn new(hertz: f64) -> Self {
        Self {
            before: (0.0, 0.0),
            sum: (0.0, 0.0),
            midway: (TAU * (BELL_MARK_HERTZ + V23_MARK_HERTZ) / 2.0 / hertz) as f32,
        }
    }

    fn reset(&mut self) {
        self.before = (0.0, 0.0);
        self.sum = (0.0, 0.0);
    }

    #[inline]
    fn push(&mut self, marking: bool, re: f32, im: f32) {
        if marking {
            let (re0, im0) = self.before;
            self.sum.0 += re * re0 + im * im0;
            self.sum.1 += im * re0 - re * im0;
            self.before = (re, im);
        } else {
            self.before = (0.0, 0.0);
        }
    }

    fn standard(&self) -> FskStandard {
        if self.sum.1.atan2(self.sum.0) < self.midway {
            FskStandard::Bell202
        } else {
            FskStandard::V23
        }
    }
}

/// The energy of the steps in a block of a line that is just loud enough.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a small figure"
)]
fn loud_steps(hertz: f64) -> f32 {
    let amplitude = 10_f64.powf((LOUD_DBM0 - FULL_SCALE_DBM0) / 20.0);
    let step = 2.0 * (TAU * MARK_HERTZ / hertz / 2.0).sin();
    (amplitude * amplitude / 2.0 * step * step * BLOCK as f64) as f32
}

/// Both standards' rate.
pub(super) const BITS_PER_SECOND: f64 = 1_200.0;
pub(super) const BELL_MARK_HERTZ: f64 = 1_200.0;
pub(super) const V23_MARK_HERTZ: f64 = 1_300.0;

/// Where the correlators sit.
const MARK_HERTZ: f64 = 1_170.0;
const SPACE_HERTZ: f64 = 2_230.0;

/// What the space envelope is multiplied by in each slicer: level, space 6 dB weaker, stronger.
const GAINS: [f32; 3] = [1.0, 2.0, 0.5];

/// Taps of a bit at 16 kHz.
const TAPS_MAX: usize = 16;

/// 5 ms at 8 kHz.
const BLOCK: usize = 40;

/// What is weaker than this is not listened to. The weakest signal is -40 dBm at the receiver's
/// terminals; one of its tones may be weaker yet.
const LOUD_DBM0: f64 = -50.0;

/// Blocks for which a line is listened to after it was loud.
const HOLD_BLOCKS: u32 = 4;

const HIGH_PASS_POLE: f32 = 0.9;
