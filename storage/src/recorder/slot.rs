//! One open recording in memory: its buffer, what waits to be written, what the journal has.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use audio_io::dsp::peaks::{FRAMES_PER_PEAK, Peak, PeakMeter};
use audio_io::units::Frames;
use tokio::sync::oneshot;

use crate::io::buffer::ALIGNMENT;
use crate::io::{Buffer, SegmentFile};
use crate::limits::{
    FILE_BUFFER_BUDGET, FILE_BUFFER_MAX, FILE_BUFFER_MIN, GAPS_MAX, LIVE_PEAKS, LIVE_PEAKS_BUDGET,
};
use crate::peaks::LivePeaks;
use crate::record::{EndCause, Gap, Mark, RecordingFacts};
use crate::segment::header::SOUND_AT;

/// What the file's writer does next, in order.
pub(crate) enum Piece {
    /// Create the file with its header.
    Create,
    Sound(Buffer),
    /// This many bytes of silence.
    Silence(u64),
}

impl Piece {
    /// Sound it holds in memory, in bytes.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Sound(buffer) => buffer.len(),
            Self::Create | Self::Silence(_) => 0,
        }
    }
}

/// How a recording ends.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) cause: EndCause,
    pub(crate) keep: bool,
}

/// An open recording. What every block of sound needs comes first, in one or two lines of the
/// processor's cache: with thousands of recordings none of it is there when the next block comes.
#[repr(C)]
pub(crate) struct Slot {
    pub(crate) ending: Option<Ending>,
    /// Sound in all, in bytes.
    pub(crate) end: u64,
    /// Sound offset at which the buffer is handed over.
    pub(crate) flush_at: u64,
    /// Sound not yet handed to the writer.
    pub(crate) buffer: Buffer,
    pub(crate) facts: RecordingFacts,
    pub(crate) path: PathBuf,
    pub(crate) file: Option<Arc<SegmentFile>>,
    /// Sound offset of the buffer's first byte.
    pub(crate) buffer_at: u64,
    /// Size of this recording's buffers.
    pub(crate) buffer_size: usize,
    /// Sound that was given to a journal batch.
    pub(crate) journalled: u64,
    /// Sound that the journal made durable.
    pub(crate) durable: u64,
    /// Sound that the file holds (not yet synced).
    pub(crate) written: u64,
    /// File bytes set aside.
    pub(crate) allocated: u64,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) marks: Vec<Mark>,
    /// Digits that there was no room for among the marks.
    pub(crate) unmarked: u64,
    pub(crate) pieces: VecDeque<Piece>,
    /// The journal knows of the recording: only then may its file exist, or a crash would leave
    /// a file that belongs to nobody.
    pub(crate) begun: bool,
    /// The writer task is running.
    pub(crate) writing: bool,
    /// Why it could not be written.
    pub(crate) failure: Option<std::io::Error>,
    /// Told when the file holds this much sound; dropped when it never will.
    pub(crate) waiters: Vec<(u64, oneshot::Sender<()>)>,
    /// Peaks of what was handed to the writer.
    pub(crate) peaks: PeakMeter,
}

impl Slot {
    pub(crate) fn new(facts: RecordingFacts, path: PathBuf, buffer: Buffer, size: usize) -> Self {
        let peaks = PeakMeter::bounded(facts.format, FRAMES_PER_PEAK, LIVE_PEAKS.1);
        let mut slot = Self {
            facts,
            path,
            file: None,
            buffer,
            buffer_at: 0,
            flush_at: 0,
            buffer_size: size,
            end: 0,
            journalled: 0,
            durable: 0,
            written: 0,
            allocated: 0,
            gaps: Vec::new(),
            marks: Vec::new(),
            unmarked: 0,
            pieces: VecDeque::from([Piece::Create]),
            begun: false,
            writing: false,
            ending: None,
            failure: None,
            waiters: Vec::new(),
            peaks,
        };
        slot.flush_at = slot.next_flush();
        slot
    }

    /// Where the buffer that begins at `buffer_at` ends: where this recording's turn is, a multiple
    /// of [`ALIGNMENT`] past multiples of the buffer's size. So recordings that began together do
    /// not all hand their sound over at the same moment, and flushes end with pages of the file.
    pub(crate) fn next_flush(&self) -> u64 {
        let (size, block) = (self.buffer_size as u64, ALIGNMENT as u64);
        let at = SOUND_AT + self.buffer_at;
        let turn = self.facts.id.0 % (size / block) * block;
        (at + size - turn) / size * size + turn - SOUND_AT
    }

    /// Bytes that still go into the buffer.
    pub(crate) fn room(&self) -> usize {
        usize::try_from(self.flush_at - self.end).unwrap_or(0)
    }

    /// What the journal does not have yet.
    pub(crate) fn unjournalled(&self) -> &[u8] {
        let from = usize::try_from(self.journalled.saturating_sub(self.buffer_at)).unwrap_or(0);
        self.buffer.as_slice().get(from..).unwrap_or_default()
    }

    /// Peaks of all its sound so far.
    pub(crate) fn peaks_so_far(&self) -> LivePeaks {
        LivePeaks {
            meter: self.peaks.clone(),
            unseen: self.buffer.as_slice().to_vec(),
        }
    }

    /// The peaks of all its sound, unless they had to get coarse.
    pub(crate) fn take_peaks(&mut self) -> Option<PeakMeter> {
        let empty = PeakMeter::new(self.facts.format);
        let peaks = std::mem::replace(&mut self.peaks, empty);
        let frames = self.facts.format.frames_in(self.end);
        let is_fine = peaks.frames_per_peak() == FRAMES_PER_PEAK;
        (is_fine && peaks.frames() == frames).then_some(peaks)
    }

    /// Tells those who wait for what is written now.
    pub(crate) fn tell_waiters(&mut self) {
        let written = self.written;
        for (_, waiter) in self
            .waiters
            .extract_if(.., |(target, _)| *target <= written)
        {
            let _ = waiter.send(());
        }
    }
}

/// Adds a gap to an ordered list. Adjacent ones of one cause become one; past [`GAPS_MAX`] the
/// last one is widened to cover the new one too.
pub(crate) fn push_gap(gaps: &mut Vec<Gap>, gap: Gap) {
    let full = gaps.len() >= GAPS_MAX;
    if let Some(last) = gaps.last_mut() {
        let end = last.at + last.frames;
        if gap.at < end {
            // A journal replayed twice tells of the same gap again.
            return;
        }
        if full || (end == gap.at && last.cause == gap.cause) {
            last.frames = Frames(gap.at.0 + gap.frames.0 - last.at.0);
            return;
        }
    }
    gaps.push(gap);
}

/// The buffer of each of so many open recordings.
pub(crate) fn buffer_size(open: usize) -> usize {
    let share = (FILE_BUFFER_BUDGET / open.max(1)).clamp(FILE_BUFFER_MIN, FILE_BUFFER_MAX);
    // A power of two, so that flushes of all sizes end at common boundaries.
    1 << share.ilog2()
}

/// The peaks that each of so many open recordings may keep.
pub(crate) fn peaks_room(open: usize) -> usize {
    let (least, most) = LIVE_PEAKS;
    (LIVE_PEAKS_BUDGET / size_of::<Peak>() / open.max(1)).clamp(least, most)
}

/// Hashes recording ids: they are our own numbers, so one multiplication is enough.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

/// Builds [`IdHasher`]s.
pub(crate) type IdHash = BuildHasherDefault<IdHasher>;

#[cfg(test)]
mod tests {
    use super::*;
    use audio_io::block::GapCause;

    #[test]
    fn gaps_join_and_stay_bounded() {
        let gap = |at, frames, cause| Gap {
            at: Frames(at),
            frames: Frames(frames),
            cause,
        };
        let mut gaps = Vec::new();
        push_gap(&mut gaps, gap(10, 5, GapCause::Stall));
        push_gap(&mut gaps, gap(15, 5, GapCause::Stall));
        push_gap(&mut gaps, gap(20, 5, GapCause::Overrun));
        push_gap(&mut gaps, gap(20, 5, GapCause::Overrun));
        assert_eq!(
            gaps,
            [gap(10, 10, GapCause::Stall), gap(20, 5, GapCause::Overrun)]
        );
        for n in 0..2 * GAPS_MAX as u64 {
            push_gap(&mut gaps, gap(100 + 10 * n, 1, GapCause::Overrun));
        }
        assert_eq!(gaps.len(), GAPS_MAX);
        let last = gaps.last().unwrap();
        assert_eq!(
            last.at.0 + last.frames.0,
            100 + 10 * (2 * GAPS_MAX as u64 - 1) + 1
        );
    }

    #[test]
    fn flushes_are_at_blocks_and_spread_over_the_buffers_size() {
        let mut turns = std::collections::BTreeSet::new();
        for id in 0..40 {
            let facts = crate::testing::a_recording(1, id).facts;
            let buffer = Buffer::with_capacity(FILE_BUFFER_MAX);
            let mut slot = Slot::new(facts, PathBuf::new(), buffer, FILE_BUFFER_MAX);
            for at in [0, 1, 4_095, 4_096, 65_535, 65_536, 123_456, 1 << 40] {
                slot.buffer_at = at;
                let next = slot.next_flush();
                assert!(next > at && next - at <= FILE_BUFFER_MAX as u64);
                assert!((SOUND_AT + next).is_multiple_of(ALIGNMENT as u64));
                turns.insert((SOUND_AT + next) % FILE_BUFFER_MAX as u64);
                slot.buffer_at = next;
                assert_eq!(slot.next_flush(), next + FILE_BUFFER_MAX as u64);
            }
        }
        assert_eq!(turns.len(), FILE_BUFFER_MAX / ALIGNMENT);
    }

    #[test]
    fn buffers_shrink_as_recordings_grow_many() {
        assert_eq!(buffer_size(1), FILE_BUFFER_MAX);
        assert_eq!(buffer_size(1_024), FILE_BUFFER_MAX);
        assert_eq!(buffer_size(2_000), 32 * 1024);
        assert_eq!(buffer_size(100_000), FILE_BUFFER_MIN);
    }
}
