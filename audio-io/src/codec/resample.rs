//! Sound at another rate: a source around a source. What it gives is as long as what goes in, to
//! the nearest frame, in time with it, and does not depend on where reading began.
//!
//! The filter works in blocks that overlap into their next neighbour only:
//!
//! ```text
//!  input    |  block 0  |  block 1  |  block 2  |
//!  output   |  block 0  |  block 1  |  block 2  |      late by half a block
//!             ^ filter's tail of 0 ends in 1
//! ```
//!
//! so a seek runs the block before the wanted one for its tail, and goes on from there: the same
//! samples to the bit as those of a run from the start.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, ResamplerConstructionError, WindowFunction};

use super::pcm::{DecodeError, PcmFormat, PcmSource};
use crate::limits::RESAMPLE_BLOCK_MIN;
use crate::units::{Frames, SampleRate};

/// A source at another rate than the one it wraps.
///
/// The filter's stop band lies more than 100 dB down; it passes nine tenths of the lower of the
/// two bands unharmed (3.6 kHz of a telephone's 4 kHz).
pub struct Resampled<'a> {
    source: Source<'a>,
    format: PcmFormat,
    frames: Frames,
    /// The next frame to be read.
    at: Frames,
    filter: Option<Filter>,
}

impl<'a> Resampled<'a> {
    /// Wraps a source, wherever it stands; reading begins at its start. At its own rate it is
    /// passed through.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`] if no filter can be made for the two rates (none is known),
    /// or [`DecodeError`] if the source cannot go to its start.
    pub fn new(source: &'a mut dyn PcmSource, to: SampleRate) -> Result<Self, DecodeError> {
        Self::around(Source::Lent(source), to)
    }

    fn around(mut lent: Source<'a>, to: SampleRate) -> Result<Self, DecodeError> {
        let source = lent.get();
        let from = source.format();
        let frames = resampled_frames(source.frames(), from.rate, to);
        source.seek(Frames::ZERO)?;
        let filter = if from.rate == to {
            None
        } else {
            Some(Filter::new(from, to)?)
        };
        Ok(Self {
            source: lent,
            format: PcmFormat { rate: to, ..from },
            frames,
            at: Frames::ZERO,
            filter,
        })
    }
}

impl Resampled<'static> {
    /// Wraps a source that nobody else needs.
    ///
    /// # Errors
    /// As [`Resampled::new`].
    pub fn owning(source: Box<dyn PcmSource>, to: SampleRate) -> Result<Self, DecodeError> {
        Self::around(Source::Own(source), to)
    }
}

/// A source, and whose it is.
enum Source<'a> {
    Lent(&'a mut dyn PcmSource),
    Own(Box<dyn PcmSource>),
}

impl Source<'_> {
    fn get(&mut self) -> &mut dyn PcmSource {
        match self {
            Self::Lent(source) => *source,
            Self::Own(source) => source.as_mut(),
        }
    }
}

impl PcmSource for Resampled<'_> {
    fn format(&self) -> PcmFormat {
        self.format
    }

    fn frames(&self) -> Frames {
        self.frames
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        let channels = self.format.channels.count();
        let left = usize::try_from(self.frames.saturating_sub(self.at).0).unwrap_or(usize::MAX);
        let wanted = (out.len() / channels).min(left);
        let out = &mut out[..wanted * channels];
        let done = match &mut self.filter {
            None => self.source.get().read(out)?,
            Some(_) if wanted == 0 => 0,
            Some(filter) => filter.read(self.source.get(), self.at, out)?,
        };
        self.at += Frames(done as u64);
        Ok(done)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        self.at = to.min(self.frames);
        if self.filter.is_none() {
            self.source.get().seek(self.at)?;
        }
        Ok(())
    }
}

/// How many frames so many frames are at another rate: the nearest whole number.
#[must_use]
pub fn resampled_frames(frames: Frames, from: SampleRate, to: SampleRate) -> Frames {
    let (from, to) = (u128::from(from.hertz()), u128::from(to.hertz()));
    let scaled = (u128::from(frames.0) * to + from / 2) / from;
    Frames(u64::try_from(scaled).unwrap_or(u64::MAX))
}

/// The filter and its last output block.
struct Filter {
    fft: Fft<f32>,
    channels: usize,
    block_in: usize,
    block_out: usize,
    /// The block whose output lies in `samples`.
    held: Option<u64>,
    /// Where the source stands, if that is known.
    source_at: Option<u64>,
    raw: Vec<i16>,
    input: Vec<f32>,
    output: Vec<f32>,
    samples: Vec<i16>,
}

impl Filter {
    fn new(from: PcmFormat, to: SampleRate) -> Result<Self, DecodeError> {
        let refused = |_| DecodeError::Unsupported("this pair of sample rates");
        let (rate_in, rate_out) = (from.rate.hertz() as usize, to.hertz() as usize);
        let channels = from.channels.count();
        let fft = filter(rate_in, rate_out, channels).map_err(refused)?;
        let (block_in, block_out) = (fft.input_frames_next(), fft.output_frames_next());
        Ok(Self {
            fft,
            channels,
            block_in,
            block_out,
            held: None,
            source_at: None,
            raw: vec![0; block_in * channels],
            input: vec![0.0; block_in * channels],
            output: vec![0.0; block_out * channels],
            samples: vec![0; block_out * channels],
        })
    }

    /// Fills `out` with what sounds from frame `at` on; as much as lies in one block.
    fn read(
        &mut self,
        source: &mut dyn PcmSource,
        at: Frames,
        out: &mut [i16],
    ) -> Result<usize, DecodeError> {
        let place = at.0 + self.fft.output_delay() as u64;
        let block = place / self.block_out as u64;
        if self.held != Some(block) {
            if block == 0 {
                self.fft.reset();
            } else if self.held != Some(block - 1) {
                self.run(source, block - 1)?;
            }
            self.run(source, block)?;
        }
        let skipped = usize::try_from(place % self.block_out as u64).unwrap_or_default();
        let ready = &self.samples[skipped * self.channels..];
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        Ok(count / self.channels)
    }

    /// Runs one block through the filter. What it holds afterwards is true if the block before
    /// was run just before it.
    fn run(&mut self, source: &mut dyn PcmSource, block: u64) -> Result<(), DecodeError> {
        self.held = None;
        self.fill(source, block)?;
        let failed = |_| DecodeError::Damaged("the resampler refused a block");
        let input = InterleavedSlice::new(&self.input, self.channels, self.block_in);
        let input = input.map_err(|_| DecodeError::Damaged("a block of an odd size"))?;
        let output = InterleavedSlice::new_mut(&mut self.output, self.channels, self.block_out);
        let mut output = output.map_err(|_| DecodeError::Damaged("a block of an odd size"))?;
        self.fft
            .process_into_buffer(&input, &mut output, None)
            .map_err(failed)?;
        for (sample, value) in self.samples.iter_mut().zip(&self.output) {
            *sample = to_sample(*value);
        }
        self.held = Some(block);
        Ok(())
    }

    /// Reads an input block; what the source does not have is silence.
    fn fill(&mut self, source: &mut dyn PcmSource, block: u64) -> Result<(), DecodeError> {
        let start = block.saturating_mul(self.block_in as u64);
        if self.source_at != Some(start) {
            self.source_at = None;
            source.seek(Frames(start))?;
        }
        let mut filled = 0;
        while start < source.frames().0 && filled < self.raw.len() {
            match source.read(&mut self.raw[filled..])? {
                0 => break,
                frames => filled += frames * self.channels,
            }
        }
        self.raw[filled..].fill(0);
        self.source_at = Some(start + (filled / self.channels) as u64);
        for (value, sample) in self.input.iter_mut().zip(&self.raw) {
            *value = f32::from(*sample);
        }
        Ok(())
    }
}

/// A filter between two rates, whose blocks are at least [`RESAMPLE_BLOCK_MIN`] frames of the
/// slower one.
///
/// # Errors
/// If none can be made for them (none such is known).
pub(crate) fn filter(
    rate_in: usize,
    rate_out: usize,
    channels: usize,
) -> Result<Fft<f32>, ResamplerConstructionError> {
    let unit = rate_in / gcd(rate_in, rate_out);
    let wanted = RESAMPLE_BLOCK_MIN * rate_in / rate_in.min(rate_out);
    // An even number of units, so that the filter's delay is a whole number of frames.
    let units = wanted.div_ceil(2 * unit) * 2;
    let window = WindowFunction::BlackmanHarris2;
    let size = units * unit;
    Fft::new_custom(
        rate_in,
        rate_out,
        size,
        1,
        channels,
        window,
        FixedSync::Both,
    )
}

const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "clamped to the range of a sample before the conversion"
)]
pub(crate) fn to_sample(value: f32) -> i16 {
    value.round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests;
