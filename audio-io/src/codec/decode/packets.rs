//! The samples of compressed files: packets decoded one after the other, cut to the part that is
//! the sound.
//!
//! ```text
//!  decoded   |▒▒▒▒|.............................|▒▒▒|       ▒ run-up and padding: cut off
//!            0    skip                          skip + frames
//!  window               |■■■■■■■■■■|                       kept: small jumps back need no decoding
//! ```
//!
//! A jump elsewhere goes through the packets without decoding them, from where it stands or from
//! the start, as long as they lie before the place less the codec's run-up. That costs reading the
//! file, but what comes out is at its place to the sample whatever the container's own seeking
//! does, and the same each time.

use super::container::Container;
use super::decoder::Decoder;
use super::extent::{Extent, packet_frames};
use super::file::FileReader;
use crate::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use crate::limits::{DECODE_SHORTFALL_MAX, DECODE_WINDOW_FRAMES};
use crate::units::Frames;

/// A compressed file's sound.
pub(super) struct PacketSource {
    file: FileReader,
    open: Container,
    decoder: Decoder,
    format: PcmFormat,
    extent: Extent,
    /// The next frame of the sound to be read.
    at: Frames,
    /// The next packet's first frame, counted in what decoding gives.
    next: u64,
    /// After a jump: the frame that decoding must begin before.
    begin: Option<u64>,
    /// Decoded samples, up to `next`.
    window: Vec<i16>,
}

impl PacketSource {
    /// Opens a file.
    ///
    /// # Errors
    /// [`DecodeError`]: it is no file we know, its codec is not one we decode, or it is damaged
    /// where it says how long it is.
    pub(super) fn open(file: FileReader) -> Result<Self, DecodeError> {
        let extent = Extent::of(&file, Container::open(&file)?)?;
        let open = Container::open(&file)?;
        Ok(Self {
            decoder: Decoder::new(&open)?,
            format: open.format,
            file,
            open,
            extent,
            at: Frames::ZERO,
            next: 0,
            begin: None,
            window: Vec::new(),
        })
    }

    /// Where the window begins, counted in what decoding gives.
    fn window_start(&self) -> u64 {
        self.next - (self.window.len() / self.format.channels.count()) as u64
    }

    /// Goes past the next packet: decodes it if it matters for the sound from `target` on.
    fn advance(&mut self, target: u64) -> Result<(), DecodeError> {
        let Some(packet) = self.open.next()? else {
            return self.run_out();
        };
        let frames = packet_frames(&self.open, &packet);
        if let Some(begin) = self.begin {
            match frames {
                Some(frames) if self.next.saturating_add(frames.0) <= begin => {
                    self.next += frames.0;
                    return Ok(());
                }
                Some(_) => self.decoder.reset(),
                // All packets are decoded then, and the decoder's memory is in order.
                None => {}
            }
            self.begin = None;
        }
        let channels = self.format.channels.count();
        let samples = self.decoder.decode(&packet, frames);
        let end = self.next + (samples.len() / channels) as u64;
        if end <= target {
            self.window.clear();
        } else {
            let spare = self
                .window
                .len()
                .saturating_sub(DECODE_WINDOW_FRAMES * channels);
            self.window.drain(..spare);
            self.window.extend_from_slice(samples);
        }
        self.next = end;
        if self.decoder.gave_up() {
            return Err(DecodeError::Damaged("too many packets make no sense"));
        }
        Ok(())
    }

    /// The packets ended before the sound: a little is made up for with silence, as lengths that
    /// encoders state are sometimes a packet off; more is missing.
    fn run_out(&mut self) -> Result<(), DecodeError> {
        let end = self.extent.skip + self.extent.frames;
        let missing = end.0.saturating_sub(self.next);
        match usize::try_from(missing) {
            Ok(missing) if missing > 0 && missing <= DECODE_SHORTFALL_MAX => {
                self.begin = None;
                let samples = missing * self.format.channels.count();
                self.window.resize(self.window.len() + samples, 0);
                self.next = end.0;
                Ok(())
            }
            _ => Err(DecodeError::Damaged("it ends before its sound does")),
        }
    }
}

impl PcmSource for PacketSource {
    fn format(&self) -> PcmFormat {
        self.format
    }

    fn frames(&self) -> Frames {
        self.extent.frames
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        let channels = self.format.channels.count();
        let left = self.extent.frames.saturating_sub(self.at);
        let left = usize::try_from(left.0).unwrap_or(usize::MAX);
        let wanted = (out.len() / channels).min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let target = self.extent.skip.0 + self.at.0;
        while self.next <= target {
            self.advance(target)?;
        }
        let before = usize::try_from(target - self.window_start()).unwrap_or(usize::MAX);
        let ready = self.window.get(before * channels..).unwrap_or_default();
        let count = ready.len().min(wanted * channels);
        out[..count].copy_from_slice(&ready[..count]);
        self.at += Frames((count / channels) as u64);
        Ok(count / channels)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        self.at = to.min(self.extent.frames);
        let target = self.extent.skip.0 + self.at.0;
        let fresh = self.next == 0 && target == self.extent.skip.0;
        let held = self.window_start() <= target && target <= self.next;
        if self.begin.is_none() && (fresh || held && self.decoder.is_exact()) {
            return Ok(());
        }
        let begin = target.saturating_sub(self.decoder.run_up().0);
        self.window.clear();
        if begin < self.next {
            self.open = Container::open(&self.file)?;
            self.decoder.reset();
            self.next = 0;
        }
        self.begin = Some(begin);
        Ok(())
    }
}
