//! The journal's bytes: entries of a 16-byte head and a payload, each at a multiple of 16, each
//! under a CRC-32 that also covers generation and offset, so that what an older generation left
//! in the same file never passes for new. FORMAT.md has the byte tables.

use audio_io::block::GapCause;
use audio_io::units::Frames;
use serde::{Deserialize, Serialize};

use super::old::{AgentlessBegin, PlainBegin, TimelessBegin};
use crate::ids::RecordingId;
use crate::io::buffer::{ALIGNMENT, Buffer};
use crate::limits::JOURNAL_ENTRY_MAX;
use crate::record::{EndCause, Gap, Mark, MarkKind, RecordingFacts};

/// Bytes of a generation file before its first entry.
pub(crate) const FILE_HEAD: usize = ALIGNMENT;
/// Entries begin at multiples of this.
pub(crate) const GRAIN: usize = 16;
const MAGIC: &[u8; 8] = b"CRELWAL1";

const PAD: u8 = 0;
/// Of programs that knew no marks; it is read and not written.
const BEGIN_PLAIN: u8 = 1;
/// Of programs that knew no quality of time; it is read and not written.
const BEGIN_TIMELESS: u8 = 7;
const SOUND: u8 = 2;
const GAP: u8 = 3;
const END: u8 = 4;
const SEALED: u8 = 5;
const MARK: u8 = 6;
/// Of programs that knew no agents; it is read and not written.
const BEGIN_AGENTLESS: u8 = 8;
const BEGIN: u8 = 9;

/// A recording as it stands where the entry is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub(crate) facts: RecordingFacts,
    /// Sound bytes that older entries brought.
    pub(crate) position: u64,
    /// Gaps that older entries brought.
    pub(crate) gaps: Vec<Gap>,
    /// Marks that older entries brought.
    pub(crate) marks: Vec<Mark>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'b> {
    Begin(Box<Begin>),
    /// Sound at a byte offset of the recording.
    Sound {
        id: RecordingId,
        offset: u64,
        sound: &'b [u8],
    },
    /// Silence at a byte offset of the recording.
    Gap {
        id: RecordingId,
        offset: u64,
        frames: Frames,
        cause: GapCause,
    },
    Mark {
        id: RecordingId,
        mark: Mark,
    },
    End {
        id: RecordingId,
        cause: EndCause,
        keep: bool,
    },
    /// Its file and row are durable.
    Sealed {
        id: RecordingId,
    },
}

/// Entries on their way to the journal, laid out for one generation and offset.
pub(crate) struct Batch {
    bytes: Buffer,
    generation: u64,
    /// Where in the generation's file the bytes go.
    offset: u64,
    /// Bytes that are there before the first entry (a new generation's head).
    base: usize,
}

impl Batch {
    pub(crate) fn new(mut bytes: Buffer, generation: u64, offset: u64) -> Self {
        bytes.clear();
        let mut base = 0;
        if offset == 0 {
            bytes.extend(&file_head(generation));
            base = FILE_HEAD;
        }
        Self {
            bytes,
            generation,
            offset,
            base,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == self.base
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn begin(&mut self, begin: &Begin) {
        match postcard::to_stdvec(begin) {
            Ok(payload) => self.push(BEGIN, &[&payload]),
            Err(error) => log::error!("a recording's facts do not serialise: {error}"),
        }
    }

    /// Adds sound, split so that no entry is longer than a reader believes.
    pub(crate) fn sound(&mut self, id: RecordingId, mut offset: u64, sound: &[u8]) {
        for part in sound.chunks(JOURNAL_ENTRY_MAX - 16) {
            self.push(SOUND, &[&id.0.to_le_bytes(), &offset.to_le_bytes(), part]);
            offset += part.len() as u64;
        }
    }

    pub(crate) fn gap(&mut self, id: RecordingId, offset: u64, frames: Frames, cause: GapCause) {
        let (id, offset, frames) = (
            id.0.to_le_bytes(),
            offset.to_le_bytes(),
            frames.0.to_le_bytes(),
        );
        self.push(GAP, &[&id, &offset, &frames, &[gap_code(cause)]]);
    }

    pub(crate) fn mark(&mut self, id: RecordingId, mark: Mark) {
        let (id, at, frames) = (
            id.0.to_le_bytes(),
            mark.at.0.to_le_bytes(),
            mark.frames.0.to_le_bytes(),
        );
        let (kind, digit) = mark_code(mark.kind);
        self.push(MARK, &[&id, &at, &frames, &[kind], &digit.to_le_bytes()]);
    }

    pub(crate) fn end(&mut self, id: RecordingId, cause: EndCause, keep: bool) {
        self.push(
            END,
            &[&id.0.to_le_bytes(), &[end_code(cause), u8::from(keep)]],
        );
    }

    pub(crate) fn sealed(&mut self, id: RecordingId) {
        self.push(SEALED, &[&id.0.to_le_bytes()]);
    }

    /// The bytes, filled up to whole blocks.
    pub(crate) fn finish(mut self) -> Buffer {
        let rest = self.bytes.len() % ALIGNMENT;
        if rest != 0 {
            let pad = ALIGNMENT - rest - GRAIN;
            let at = self.bytes.len();
            self.bytes.fill(0, GRAIN + pad);
            self.head(at, PAD, pad);
        }
        self.bytes
    }

    fn push(&mut self, kind: u8, payload: &[&[u8]]) {
        let at = self.bytes.len();
        self.bytes.fill(0, GRAIN);
        let mut len = 0;
        for part in payload {
            self.bytes.extend(part);
            len += part.len();
        }
        self.bytes.fill(0, len.next_multiple_of(GRAIN) - len);
        self.head(at, kind, len);
    }

    /// Writes the head of the entry at `at`, whose payload of `len` bytes is in place.
    fn head(&mut self, at: usize, kind: u8, len: usize) {
        let offset = self.offset + at as u64;
        let len32 = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        let bytes = self.bytes.as_mut_slice();
        bytes[at + 4..at + 8].copy_from_slice(&len32);
        bytes[at + 8] = kind;
        let crc = crc(self.generation, offset, &bytes[at + 4..at + GRAIN + len]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// The first block of a generation's file.
pub(crate) fn file_head(generation: u64) -> [u8; FILE_HEAD] {
    let mut head = [0; FILE_HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..16].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32fast::hash(&head[..16]);
    head[16..20].copy_from_slice(&crc.to_le_bytes());
    head
}

/// The generation that a file's first block names; `None` when it is no such block.
pub(crate) fn generation_of(head: &[u8]) -> Option<u64> {
    let head = head.get(..20)?;
    let crc = u32::from_le_bytes(head[16..20].try_into().ok()?);
    let valid = head[..8] == *MAGIC && crc == crc32fast::hash(&head[..16]);
    valid.then(|| u64::from_le_bytes(head[8..16].try_into().unwrap_or_default()))
}

/// An entry's head, read from disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    crc: u32,
    /// Payload bytes.
    pub(crate) len: usize,
}

impl Head {
    /// `None` when the length is beyond what any writer makes.
    pub(crate) fn parse(bytes: &[u8; GRAIN]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let len = word(4) as usize;
        (len <= JOURNAL_ENTRY_MAX).then_some(Self { crc: word(0), len })
    }

    /// Bytes from this entry's start to the next one's.
    pub(crate) fn span(&self) -> usize {
        GRAIN + self.len.next_multiple_of(GRAIN)
    }
}

/// Reads an entry. `bytes` is head and payload; `Ok(None)` is padding, `Err` anything invalid.
pub(crate) fn parse(
    generation: u64,
    offset: u64,
    head: Head,
    bytes: &[u8],
) -> Result<Option<Entry<'_>>, Invalid> {
    let whole = bytes.get(4..GRAIN + head.len).ok_or(Invalid)?;
    if crc(generation, offset, whole) != head.crc {
        return Err(Invalid);
    }
    let payload = &bytes[GRAIN..GRAIN + head.len];
    let word = |at: usize| -> Result<u64, Invalid> {
        let bytes = payload.get(at..at + 8).ok_or(Invalid)?;
        Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| Invalid)?))
    };
    let byte = |at: usize| payload.get(at).copied().ok_or(Invalid);
    let entry = match bytes[8] {
        PAD => return Ok(None),
        BEGIN => Entry::Begin(Box::new(
            postcard::from_bytes(payload).map_err(|_| Invalid)?,
        )),
        BEGIN_PLAIN => {
            let begin: PlainBegin = postcard::from_bytes(payload).map_err(|_| Invalid)?;
            Entry::Begin(Box::new(begin.into()))
        }
        BEGIN_TIMELESS => {
            let begin: TimelessBegin = postcard::from_bytes(payload).map_err(|_| Invalid)?;
            Entry::Begin(Box::new(begin.into()))
        }
        BEGIN_AGENTLESS => {
            let begin: AgentlessBegin = postcard::from_bytes(payload).map_err(|_| Invalid)?;
            Entry::Begin(Box::new(begin.into()))
        }
        SOUND => Entry::Sound {
            id: RecordingId(word(0)?),
            offset: word(8)?,
            sound: payload.get(16..).ok_or(Invalid)?,
        },
        GAP => Entry::Gap {
            id: RecordingId(word(0)?),
            offset: word(8)?,
            frames: Frames(word(16)?),
            cause: gap_cause(byte(24)?).ok_or(Invalid)?,
        },
        MARK => {
            let digit = payload.get(25..).and_then(<[u8]>::first_chunk);
            let digit = u32::from_le_bytes(*digit.ok_or(Invalid)?);
            Entry::Mark {
                id: RecordingId(word(0)?),
                mark: Mark {
                    at: Frames(word(8)?),
                    frames: Frames(word(16)?),
                    kind: mark_kind(byte(24)?, digit).ok_or(Invalid)?,
                },
            }
        }
        END => Entry::End {
            id: RecordingId(word(0)?),
            cause: end_cause(byte(8)?).ok_or(Invalid)?,
            keep: byte(9)? != 0,
        },
        SEALED => Entry::Sealed {
            id: RecordingId(word(0)?),
        },
        _ => return Err(Invalid),
    };
    Ok(Some(entry))
}

/// Bytes that are no entry of this place: the journal ends before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

pub(crate) fn crc(generation: u64, offset: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&generation.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

const GAP_CAUSES: [GapCause; 6] = [
    GapCause::Overrun,
    GapCause::Suspend,
    GapCause::DeviceLost,
    GapCause::Stall,
    GapCause::RingFull,
    GapCause::StorageBehind,
];

const END_CAUSES: [EndCause; 11] = [
    EndCause::Silence,
    EndCause::Command,
    EndCause::MaxLength,
    EndCause::Rotated,
    EndCause::DeviceLost,
    EndCause::Shutdown,
    EndCause::Crash,
    EndCause::DiskFull,
    EndCause::DiskError,
    EndCause::Imported,
    EndCause::HungUp,
];

fn gap_code(cause: GapCause) -> u8 {
    let at = GAP_CAUSES.iter().position(|known| *known == cause);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn gap_cause(code: u8) -> Option<GapCause> {
    GAP_CAUSES.get(usize::from(code)).copied()
}

/// A kind's number, and the digit's code point, 0 where it is none or masked.
fn mark_code(kind: MarkKind) -> (u8, u32) {
    match kind {
        MarkKind::Digit(digit) => (0, digit.map_or(0, u32::from)),
        MarkKind::Masked => (1, 0),
        MarkKind::Paused => (2, 0),
        MarkKind::Skipped => (3, 0),
    }
}

fn mark_kind(code: u8, digit: u32) -> Option<MarkKind> {
    match code {
        0 if digit == 0 => Some(MarkKind::Digit(None)),
        0 => char::from_u32(digit).map(|digit| MarkKind::Digit(Some(digit))),
        1 => Some(MarkKind::Masked),
        2 => Some(MarkKind::Paused),
        3 => Some(MarkKind::Skipped),
        _ => None,
    }
}

fn end_code(cause: EndCause) -> u8 {
    let at = END_CAUSES.iter().position(|known| *known == cause);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn end_cause(code: u8) -> Option<EndCause> {
    END_CAUSES.get(usize::from(code)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_recording, marks};

    /// The payload of a batch's first entry, read back.
    fn read_back(fill: impl FnOnce(&mut Batch)) -> Result<Option<Entry<'static>>, Invalid> {
        let mut batch = Batch::new(Buffer::with_capacity(4_096), 3, 8_192);
        fill(&mut batch);
        let bytes = batch.finish().as_slice().to_vec().leak();
        let head = Head::parse(bytes.first_chunk().unwrap()).unwrap();
        parse(3, 8_192, head, bytes)
    }

    #[test]
    fn marks_come_back_as_they_were() {
        let id = RecordingId(9);
        for mark in marks() {
            let entry = read_back(|batch| batch.mark(id, mark));
            assert_eq!(entry, Ok(Some(Entry::Mark { id, mark })));
        }
        let longer = |batch: &mut Batch| batch.push(MARK, &[&[0; 24], &[4], &[0; 4]]);
        assert_eq!(read_back(longer), Err(Invalid), "a kind that is not known");
        let shorter = |batch: &mut Batch| batch.push(MARK, &[&[0; 24], &[0], &[0; 3]]);
        assert_eq!(read_back(shorter), Err(Invalid));
    }

    #[test]
    fn a_recording_is_described_with_its_marks() {
        let mut begin = Begin {
            facts: a_recording(1, 5).facts,
            position: 16_000,
            gaps: Vec::new(),
            marks: marks(),
        };
        begin.facts.time = Some(crate::record::TimeQuality::default());
        let entry = read_back(|batch| batch.begin(&begin));
        assert_eq!(entry, Ok(Some(Entry::Begin(Box::new(begin)))));
    }

    #[test]
    fn descriptions_of_older_programs_are_read() {
        let mut begin = Begin {
            facts: a_recording(1, 5).facts,
            position: 16_000,
            gaps: Vec::new(),
            marks: marks(),
        };
        let old = TimelessBegin {
            facts: begin.facts.clone().into(),
            position: begin.position,
            gaps: Vec::new(),
            marks: marks(),
        };
        let payload = postcard::to_stdvec(&old).unwrap();
        let entry = read_back(|batch| batch.push(BEGIN_TIMELESS, &[&payload]));
        assert_eq!(entry, Ok(Some(Entry::Begin(Box::new(begin.clone())))));
        begin.facts.time = Some(crate::record::TimeQuality::default());
        let old = AgentlessBegin {
            facts: begin.facts.clone().into(),
            position: begin.position,
            gaps: Vec::new(),
            marks: marks(),
        };
        let payload = postcard::to_stdvec(&old).unwrap();
        let entry = read_back(|batch| batch.push(BEGIN_AGENTLESS, &[&payload]));
        assert_eq!(entry, Ok(Some(Entry::Begin(Box::new(begin)))));
    }

    #[test]
    fn the_longest_description_is_an_entry_that_is_believed() {
        use crate::limits::{GAPS_MAX, MARKS_MAX};
        let gap = Gap {
            at: Frames(u64::MAX),
            frames: Frames(u64::MAX),
            cause: GapCause::StorageBehind,
        };
        let mark = Mark {
            at: Frames(u64::MAX),
            frames: Frames(u64::MAX),
            kind: MarkKind::Digit(Some(char::MAX)),
        };
        let begin = Begin {
            facts: a_recording(1, 5).facts,
            position: u64::MAX,
            gaps: vec![gap; GAPS_MAX],
            marks: vec![mark; MARKS_MAX + 3],
        };
        let entry = read_back(|batch| batch.begin(&begin));
        assert_eq!(entry, Ok(Some(Entry::Begin(Box::new(begin)))));
    }

    #[test]
    fn plain_descriptions_of_older_programs_are_read() {
        let file = include_bytes!("../../golden/journal_v1.wal");
        let bytes = &file[FILE_HEAD..];
        let head = Head::parse(bytes.first_chunk().unwrap()).unwrap();
        assert_eq!((generation_of(file), bytes[8]), (Some(7), BEGIN_PLAIN));
        let entry = parse(7, FILE_HEAD as u64, head, bytes);
        let begin = Begin {
            facts: a_recording(1, 5).facts,
            position: 0,
            gaps: Vec::new(),
            marks: Vec::new(),
        };
        assert_eq!(entry, Ok(Some(Entry::Begin(Box::new(begin)))));
    }
}
