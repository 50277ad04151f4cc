//! Waveform peaks: the lowest and the highest sample of each track over every so many frames, and
//! coarser ones that are merged from them. What is kept of them on disk, and in which formats they
//! are told, is `storage`'s business; drawing them is a browser's.
//!
//! ```text
//!  sound ─▶ PeakMeter: 128 frames a peak ─▶ Pyramid: 128, 512, 2048, … until a level is short
//! ```
//! The tracks of mono sound are its one leg; those of stereo are the caller's leg, the agent's,
//! and both mixed: half their sum, cut towards zero.

use std::sync::Arc;

use crate::codec::g711::{ALAW_TO_LINEAR, MULAW_TO_LINEAR, sample};
use crate::format::{Channels, Encoding, StreamFormat};
use crate::limits::PEAKS_MAX;
use crate::units::{Frames, SampleRate};

/// Frames one peak of the finest level covers: 16 ms at 8 kHz.
pub const FRAMES_PER_PEAK: u32 = 128;

/// So many peaks of a level become one of the next.
pub const MERGED: usize = 4;

/// The most tracks: two legs, and both mixed.
pub const TRACKS_MAX: usize = 3;

/// A level with so few peaks a track has no coarser one.
pub const LAST_LEVEL_PEAKS: usize = 512;

/// The most levels there can be.
pub const LEVELS_MAX: usize = 12;

/// The lowest and the highest sample of a stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// The lowest.
    pub low: i16,
    /// The highest.
    pub high: i16,
}

impl Peak {
    /// Of no samples at all.
    const NOTHING: Self = Self {
        low: i16::MAX,
        high: i16::MIN,
    };

    /// Of both stretches together.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// Peaks that cover equally many frames each; the last may cover fewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Frames a peak covers.
    pub frames_per_peak: u32,
    /// For each stretch, for each track.
    pub peaks: Vec<Peak>,
}

/// The peaks of a recording, the finest level first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pyramid {
    /// Frames a second.
    pub rate: SampleRate,
    /// One leg or two.
    pub channels: Channels,
    /// The length of the sound.
    pub frames: Frames,
    /// At least one.
    pub levels: Vec<Level>,
}

/// How many tracks sound with so many legs has.
#[must_use]
pub const fn tracks_of(channels: Channels) -> usize {
    match channels {
        Channels::Mono => 1,
        Channels::Stereo => TRACKS_MAX,
    }
}

/// The next coarser level's peaks.
#[must_use]
pub fn merge(peaks: &[Peak], tracks: usize) -> Vec<Peak> {
    let group = MERGED * tracks.max(1);
    let mut merged = Vec::with_capacity(peaks.len().div_ceil(group) * tracks);
    for several in peaks.chunks(group) {
        let mut of_tracks = [Peak::NOTHING; TRACKS_MAX];
        for stretch in several.chunks_exact(tracks.max(1)) {
            join_all(&mut of_tracks, stretch);
        }
        merged.extend_from_slice(&of_tracks[..tracks.min(TRACKS_MAX)]);
    }
    merged
}

/// Collects the peaks of a stream. What it has collected is cheap to clone, so that somebody else
/// may look at it while it goes on.
#[derive(Clone, Debug)]
pub struct PeakMeter {
    format: StreamFormat,
    per_peak: u32,
    /// Peaks of all tracks beyond which they are merged.
    most: usize,
    /// Frames that `now` covers.
    filled: u32,
    now: [Peak; TRACKS_MAX],
    frames: Frames,
    /// Pieces of [`PIECE`] peaks that will not change any more.
    pieces: Vec<Arc<Vec<Peak>>>,
    tail: Vec<Peak>,
}

impl PeakMeter {
    /// A meter at the start of a recording, for the finest level.
    #[must_use]
    pub const fn new(format: StreamFormat) -> Self {
        let most = PEAKS_MAX as usize * tracks_of(format.channels);
        Self::bounded(format, FRAMES_PER_PEAK, most)
    }

    /// A meter whose peaks cover `per_peak` frames (zero counts as one), four times as many
    /// whenever there would be more than `most` peaks of all tracks together.
    #[must_use]
    pub const fn bounded(format: StreamFormat, per_peak: u32, most: usize) -> Self {
        Self {
            format,
            per_peak: if per_peak == 0 { 1 } else { per_peak },
            most,
            filled: 0,
            now: [Peak::NOTHING; TRACKS_MAX],
            frames: Frames::ZERO,
            pieces: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Frames seen so far.
    #[must_use]
    pub const fn frames(&self) -> Frames {
        self.frames
    }

    /// Frames that a peak covers by now.
    #[must_use]
    pub const fn frames_per_peak(&self) -> u32 {
        self.per_peak
    }

    /// Sees whole frames in the stream's encoding; bytes beyond them are ignored.
    pub fn push(&mut self, sound: &[u8]) {
        let width = self.format.encoding.sample_bytes();
        let whole = sound.len() - sound.len() % self.format.frame_bytes();
        let mut samples = [0_i16; BLOCK];
        for piece in sound[..whole].chunks(BLOCK * width) {
            let count = piece.len() / width;
            linear(piece, self.format.encoding, &mut samples);
            self.push_samples(&samples[..count]);
        }
    }

    /// Sees whole frames of linear samples; samples beyond them are ignored.
    pub fn push_samples(&mut self, samples: &[i16]) {
        let legs = self.format.channels.count();
        let mut rest = &samples[..samples.len() - samples.len() % legs];
        while !rest.is_empty() {
            let room = (self.per_peak - self.filled) as usize;
            let take = room.saturating_mul(legs).min(rest.len());
            let (piece, after) = rest.split_at(take);
            let seen = match self.format.channels {
                Channels::Mono => [mono(piece), Peak::NOTHING, Peak::NOTHING],
                Channels::Stereo => stereo(piece),
            };
            join_all(&mut self.now, &seen);
            // It is no more than `room`.
            self.advance(u32::try_from(take / legs).unwrap_or(u32::MAX));
            rest = after;
        }
    }

    /// Sees digital silence, as the stream's encoding has it.
    pub fn push_silence(&mut self, frames: Frames) {
        let encoding = self.format.encoding;
        let value = sample(&[encoding.silence_byte(); 2], encoding);
        let silence = Peak {
            low: value,
            high: value,
        };
        let mut left = frames.0;
        while left > 0 {
            join_all(&mut self.now, &[silence; TRACKS_MAX]);
            let room = self.per_peak - self.filled;
            let here = u32::try_from(left).map_or(room, |left| left.min(room));
            self.advance(here);
            left -= u64::from(here);
        }
    }

    /// Makes its peaks cover four times as many frames, as long as that is no more than `zoom`.
    pub fn coarsen_to(&mut self, zoom: u32) {
        while self
            .per_peak
            .checked_mul(4)
            .is_some_and(|next| next <= zoom)
        {
            self.coarsen();
        }
    }

    /// All levels; the last peak of each may cover fewer frames.
    #[must_use]
    pub fn finish(mut self) -> Pyramid {
        if self.filled > 0 {
            self.close();
        }
        let tracks = tracks_of(self.format.channels);
        let mut levels = vec![Level {
            frames_per_peak: self.per_peak,
            peaks: self.take_all(),
        }];
        while let Some(finer) = levels.last()
            && finer.peaks.len() > LAST_LEVEL_PEAKS * tracks
            && levels.len() < LEVELS_MAX
            && let Some(frames_per_peak) = finer.frames_per_peak.checked_mul(4)
        {
            let peaks = merge(&finer.peaks, tracks);
            levels.push(Level {
                frames_per_peak,
                peaks,
            });
        }
        Pyramid {
            rate: self.format.rate,
            channels: self.format.channels,
            frames: self.frames,
            levels,
        }
    }

    fn advance(&mut self, frames: u32) {
        self.frames += Frames(u64::from(frames));
        self.filled += frames;
        if self.filled >= self.per_peak {
            self.close();
            if self.count() > self.most && self.per_peak.checked_mul(4).is_some() {
                self.coarsen();
            }
        }
    }

    fn count(&self) -> usize {
        self.pieces.len() * PIECE + self.tail.len()
    }

    fn close(&mut self) {
        let tracks = tracks_of(self.format.channels);
        self.tail.extend_from_slice(&self.now[..tracks]);
        if self.tail.len() >= PIECE {
            let piece = std::mem::take(&mut self.tail);
            self.pieces.push(Arc::new(piece));
        }
        self.filled = 0;
        self.now = [Peak::NOTHING; TRACKS_MAX];
    }

    /// Merges fours; what is left over is what the next peak begins with.
    fn coarsen(&mut self) {
        let tracks = tracks_of(self.format.channels);
        let all = self.take_all();
        let whole = all.len() - all.len() % (MERGED * tracks);
        let (fours, rest) = all.split_at(whole);
        for stretch in rest.chunks_exact(tracks) {
            join_all(&mut self.now, stretch);
            self.filled += self.per_peak;
        }
        self.per_peak = self.per_peak.saturating_mul(4);
        let merged = merge(fours, tracks);
        let mut pieces = merged.chunks_exact(PIECE);
        self.pieces
            .extend(pieces.by_ref().map(|piece| Arc::new(piece.to_vec())));
        self.tail.extend_from_slice(pieces.remainder());
    }

    fn take_all(&mut self) -> Vec<Peak> {
        let tail = std::mem::take(&mut self.tail);
        if self.pieces.is_empty() {
            return tail;
        }
        let mut all = Vec::with_capacity(self.pieces.len() * PIECE + tail.len());
        for piece in self.pieces.drain(..) {
            all.extend_from_slice(&piece);
        }
        all.extend_from_slice(&tail);
        all
    }
}

/// Samples that are looked at together; whole frames of mono and stereo.
const BLOCK: usize = 512;

/// Peaks that are put aside together; whole stretches of one track and of three.
const PIECE: usize = 3 * 1_024;

/// Lanes that do not depend on each other, so that the compiler can use vector registers.
const LANES: usize = 16;

fn join_all(all: &mut [Peak; TRACKS_MAX], others: &[Peak]) {
    for (one, other) in all.iter_mut().zip(others) {
        *one = one.join(*other);
    }
}

fn linear(sound: &[u8], encoding: Encoding, samples: &mut [i16; BLOCK]) {
    match encoding {
        Encoding::S16Le => {
            for (sample, two) in samples.iter_mut().zip(sound.as_chunks::<2>().0) {
                *sample = i16::from_le_bytes(*two);
            }
        }
        Encoding::MuLaw => expand(sound, &MULAW_TO_LINEAR, samples),
        Encoding::ALaw => expand(sound, &ALAW_TO_LINEAR, samples),
    }
}

fn expand(sound: &[u8], table: &[i16; 256], samples: &mut [i16; BLOCK]) {
    for (sample, code) in samples.iter_mut().zip(sound) {
        *sample = table[usize::from(*code)];
    }
}

fn mono(samples: &[i16]) -> Peak {
    let (low, high) = extremes(samples);
    let mut peak = Peak::NOTHING;
    for lane in 0..LANES {
        peak.low = peak.low.min(low[lane]);
        peak.high = peak.high.max(high[lane]);
    }
    peak
}

/// Of interleaved samples: the lanes of even numbers are the caller's.
fn stereo(samples: &[i16]) -> [Peak; TRACKS_MAX] {
    let (low, high) = extremes(samples);
    let mut peaks = [Peak::NOTHING; TRACKS_MAX];
    for lane in 0..LANES {
        let leg = &mut peaks[lane % 2];
        leg.low = leg.low.min(low[lane]);
        leg.high = leg.high.max(high[lane]);
    }
    let (mut low, mut high) = ([i16::MAX; LANES / 2], [i16::MIN; LANES / 2]);
    let (chunks, rest) = samples.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES / 2 {
            let both = mixed(chunk[2 * lane], chunk[2 * lane + 1]);
            low[lane] = low[lane].min(both);
            high[lane] = high[lane].max(both);
        }
    }
    let mix = &mut peaks[2];
    for [caller, agent] in rest.as_chunks::<2>().0 {
        let both = mixed(*caller, *agent);
        mix.low = mix.low.min(both);
        mix.high = mix.high.max(both);
    }
    for lane in 0..LANES / 2 {
        mix.low = mix.low.min(low[lane]);
        mix.high = mix.high.max(high[lane]);
    }
    peaks
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "half the sum of two 16-bit numbers has 16 bits"
)]
const fn mixed(caller: i16, agent: i16) -> i16 {
    ((caller as i32 + agent as i32) / 2) as i16
}

/// The lowest and the highest of each lane.
fn extremes(samples: &[i16]) -> ([i16; LANES], [i16; LANES]) {
    let (mut low, mut high) = ([i16::MAX; LANES], [i16::MIN; LANES]);
    let (chunks, rest) = samples.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            low[lane] = low[lane].min(chunk[lane]);
            high[lane] = high[lane].max(chunk[lane]);
        }
    }
    for (lane, sample) in rest.iter().enumerate() {
        low[lane] = low[lane].min(*sample);
        high[lane] = high[lane].max(*sample);
    }
    (low, high)
}

#[cfg(test)]
#[path = "peaks_tests.rs"]
mod tests;
