//! Sound between a peer's rate and its line's, both ways, as it comes. It is made on an ordinary
//! thread; using it allocates nothing.

use std::collections::VecDeque;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, Resampler};

use super::frame::SlinRate;
use crate::codec::resample::{filter, to_sample};
use crate::units::SampleRate;

/// From a peer's rate to its line's and back.
pub(super) struct Converter {
    /// The peer's rate.
    pub(super) rate: SlinRate,
    /// What comes from the peer.
    pub(super) inward: Stretch,
    /// What goes to it.
    outward: Stretch,
    /// What is ready to go, at the peer's rate.
    ready: Queue,
}

impl Converter {
    /// One for these rates; `None` if no filter can be made for them (none is known).
    pub(super) fn new(rate: SlinRate, line: SampleRate) -> Option<Self> {
        let (peer, line) = (rate.hertz() as usize, line.hertz() as usize);
        let (inward, outward) = (Stretch::new(peer, line)?, Stretch::new(line, peer)?);
        let block = outward.block();
        let mut ready = Queue::new(2 * block + 2 * rate.frame_samples());
        // Blocks and frames have their own lengths: with a block ahead, there is a frame each time.
        for _ in 0..block {
            ready.push(0);
        }
        Some(Self {
            rate,
            inward,
            outward,
            ready,
        })
    }

    /// Takes sound at the line's rate; gives a frame of 20 ms once there is one.
    pub(super) fn outward(
        &mut self,
        samples: impl Iterator<Item = i16>,
    ) -> Option<std::collections::vec_deque::Drain<'_, i16>> {
        let ready = &mut self.ready;
        for sample in samples {
            self.outward.push(sample, &mut |sample| {
                ready.push(sample);
            });
        }
        let frame = self.rate.frame_samples();
        (self.ready.len() >= frame).then(|| self.ready.take(frame))
    }
}

/// Makes the sound of one rate that of another, block by block.
pub(super) struct Stretch {
    filter: Option<Filter>,
}

struct Filter {
    fft: Fft<f32>,
    input: Vec<f32>,
    /// Samples of the input that are there.
    filled: usize,
    output: Vec<f32>,
}

impl Stretch {
    fn new(from: usize, to: usize) -> Option<Self> {
        if from == to {
            return Some(Self { filter: None });
        }
        let fft = filter(from, to, 1).ok()?;
        let (block_in, block_out) = (fft.input_frames_next(), fft.output_frames_next());
        let filter = Filter {
            fft,
            input: vec![0.0; block_in],
            filled: 0,
            output: vec![0.0; block_out],
        };
        Some(Self {
            filter: Some(filter),
        })
    }

    /// Samples that it gives at once, when it gives any.
    fn block(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.output.len())
    }

    /// Takes a sample, and hands on those that are ready.
    pub(super) fn push(&mut self, sample: i16, out: &mut impl FnMut(i16)) {
        let Some(filter) = &mut self.filter else {
            return out(sample);
        };
        filter.input[filter.filled] = f32::from(sample);
        filter.filled += 1;
        if filter.filled == filter.input.len() {
            filter.filled = 0;
            filter.run();
            for value in &filter.output {
                out(to_sample(*value));
            }
        }
    }
}

impl Filter {
    fn run(&mut self) {
        let input = InterleavedSlice::new(&self.input, 1, self.input.len());
        let frames = self.output.len();
        let output = InterleavedSlice::new_mut(&mut self.output, 1, frames);
        let done = match (input, output) {
            (Ok(input), Ok(mut output)) => {
                let done = self.fft.process_into_buffer(&input, &mut output, None);
                done.is_ok()
            }
            _ => false,
        };
        if !done {
            // Blocks of another size than it asked for; none is known to come here.
            self.output.fill(0.0);
        }
    }
}

/// A row of samples that never grows beyond what it was made for.
pub(super) struct Queue {
    samples: VecDeque<i16>,
    room: usize,
}

impl Queue {
    pub(super) fn new(room: usize) -> Self {
        Self {
            samples: VecDeque::with_capacity(room),
            room,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn room(&self) -> usize {
        self.room - self.samples.len()
    }

    /// Adds a sample. Says false if the oldest had to go for it.
    pub(super) fn push(&mut self, sample: i16) -> bool {
        let fits = self.room() > 0;
        if !fits {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        fits
    }

    /// Takes so many of the oldest.
    pub(super) fn take(&mut self, count: usize) -> std::collections::vec_deque::Drain<'_, i16> {
        self.samples.drain(..count.min(self.samples.len()))
    }
}
