//! The samples of a source, block after block to the last, with the progress told on the way.

use std::ops::ControlFlow;

use super::EncodeError;
use crate::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use crate::units::Frames;

/// Reads a source to its end, exactly as many frames as it said it has.
pub(super) struct Feed<'a> {
    source: &'a mut dyn PcmSource,
    progress: &'a mut dyn FnMut(Frames) -> ControlFlow<()>,
    format: PcmFormat,
    total: Frames,
    done: Frames,
    told: Frames,
    /// The length of what is converted, counted at its own rate.
    whole: Frames,
}

impl<'a> Feed<'a> {
    /// From where the source stands, which is its start.
    pub(super) fn new(
        source: &'a mut dyn PcmSource,
        progress: &'a mut dyn FnMut(Frames) -> ControlFlow<()>,
    ) -> Self {
        let whole = source.frames();
        Self::resampled(source, progress, whole)
    }

    /// The same where the source was brought to another rate; `whole` is its length before that.
    pub(super) fn resampled(
        source: &'a mut dyn PcmSource,
        progress: &'a mut dyn FnMut(Frames) -> ControlFlow<()>,
        whole: Frames,
    ) -> Self {
        Self {
            format: source.format(),
            total: source.frames(),
            source,
            progress,
            done: Frames::ZERO,
            told: Frames::ZERO,
            whole,
        }
    }

    pub(super) fn format(&self) -> PcmFormat {
        self.format
    }

    pub(super) fn frames(&self) -> Frames {
        self.total
    }

    /// Fills a block of whole frames; it is short at the end of the sound only. Returns how many
    /// frames it is. Blocks are at most half a second long.
    pub(super) fn fill(&mut self, block: &mut [i16]) -> Result<usize, EncodeError> {
        let channels = self.format.channels.count();
        let left = usize::try_from(self.total.saturating_sub(self.done).0).unwrap_or(usize::MAX);
        let wanted = (block.len() / channels).min(left);
        let mut got = 0;
        while got < wanted {
            let read = self
                .source
                .read(&mut block[got * channels..wanted * channels])?;
            if read == 0 {
                return Err(DecodeError::Damaged("it ends before the end that it states").into());
            }
            got += read;
        }
        self.done += Frames(got as u64);
        self.tell()?;
        Ok(got)
    }

    /// As [`Self::fill`]; what is missing at the end of the sound is silence.
    pub(super) fn fill_padded(&mut self, block: &mut [i16]) -> Result<(), EncodeError> {
        let got = self.fill(block)?;
        block[got * self.format.channels.count()..].fill(0);
        Ok(())
    }

    fn tell(&mut self) -> Result<(), EncodeError> {
        let is_end = self.done == self.total && self.told < self.done;
        let every = u64::from(self.format.rate.hertz()) / 4;
        if !is_end && self.done.saturating_sub(self.told).0 < every {
            return Ok(());
        }
        self.told = self.done;
        let share = u128::from(self.done.0) * u128::from(self.whole.0);
        let done = share / u128::from(self.total.0.max(1));
        match (self.progress)(Frames(u64::try_from(done).unwrap_or(u64::MAX))) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(EncodeError::Stopped),
        }
    }
}
