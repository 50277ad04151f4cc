//! The edit list of an MP4 track: where in its samples the sound begins and how long it is
//! (ISO 14496-12, sections 8.2.2, 8.3.2, 8.4.2 and 8.6.6). Nothing else of the file is looked at.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::extent::in_frames;
use super::file::FileReader;
use crate::codec::probe::ProbeError;
use crate::limits::MP4_BOXES_MAX;
use crate::units::{Frames, SampleRate};

/// The first entry of an edit list that plays samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Where the sound begins.
    pub(super) start: Ticks,
    /// How long it is, if the entry is the only one and says so.
    pub(super) length: Option<Ticks>,
}

/// A time by one of the file's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    count: u64,
    a_second: u32,
}

impl Ticks {
    pub(super) fn in_frames(self, rate: SampleRate) -> Frames {
        in_frames(self.count, 1, self.a_second, rate)
    }
}

/// What of the movie is known by now.
#[derive(Default)]
struct Walk {
    movie_clock: u32,
    track: u32,
    media_clock: u32,
    /// Duration and media time of the first entry that plays, and whether it is the only one.
    entry: Option<(u64, u64, bool)>,
    wanted: u32,
    found: Option<Edit>,
}

/// The edit of a track; `None` if it has none.
///
/// # Errors
/// [`ProbeError`]: the file cannot be read, or has far too many boxes.
pub(super) fn edit(file: &FileReader, track: u32) -> Result<Option<Edit>, ProbeError> {
    let mut reader = BufReader::new(file.again());
    let mut walk = Walk {
        wanted: track,
        ..Walk::default()
    };
    let mut at = 0_u64;
    for _ in 0..MP4_BOXES_MAX {
        reader.seek(SeekFrom::Start(at))?;
        let Some((kind, head, size)) = box_head(&mut reader)? else {
            walk.end_track();
            return Ok(walk.found);
        };
        // Boxes of boxes are entered, the others jumped over.
        let entered = matches!(&kind, b"moov" | b"trak" | b"mdia" | b"edts");
        let next = if entered {
            Some(at + head)
        } else {
            at.checked_add(size)
        };
        let mut body = [0; 64];
        if matches!(&kind, b"trak" | b"mvhd" | b"tkhd" | b"mdhd" | b"elst") {
            let length = usize::try_from(size.saturating_sub(head)).unwrap_or(body.len());
            let body = &mut body[..length.min(64)];
            if kind != *b"trak" && reader.read_exact(body).is_err() {
                return Ok(walk.found);
            }
            walk.take(kind, body);
        }
        match next {
            Some(next) if next > at => at = next,
            _ => return Ok(walk.found),
        }
    }
    Err(ProbeError::Damaged("it has too many boxes"))
}

/// The name of the next box, the bytes of its head, and of all of it.
fn box_head(reader: &mut impl Read) -> Result<Option<([u8; 4], u64, u64)>, ProbeError> {
    let mut head = [0; 8];
    if !filled(reader, &mut head)? {
        return Ok(None);
    }
    let kind = [head[4], head[5], head[6], head[7]];
    Ok(match number(&head, 0, 4) {
        // It reaches to the end of the file.
        0 => Some((kind, 8, u64::MAX)),
        1 => {
            let mut long = [0; 8];
            let size = filled(reader, &mut long)?.then(|| number(&long, 0, 8));
            size.map(|size| (kind, 16, size.max(16)))
        }
        size => Some((kind, 8, size.max(8))),
    })
}

fn filled(reader: &mut impl Read, bytes: &mut [u8]) -> Result<bool, ProbeError> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Walk {
    fn take(&mut self, kind: [u8; 4], body: &[u8]) {
        // Version 1 of each has times of 8 bytes instead of 4.
        let long = body.first() == Some(&1);
        let clock = |at: usize| u32::try_from(number(body, at, 4)).unwrap_or_default();
        match &kind {
            b"mvhd" => self.movie_clock = clock(if long { 20 } else { 12 }),
            b"trak" => self.end_track(),
            b"tkhd" => self.track = clock(if long { 20 } else { 12 }),
            b"mdhd" => self.media_clock = clock(if long { 20 } else { 12 }),
            _ if self.entry.is_none() => self.entry = entry(body, if long { 8 } else { 4 }),
            _ => {}
        }
    }

    /// A track is complete when the next begins.
    fn end_track(&mut self) {
        let entry = self.entry.take();
        if let (Some((duration, start, alone)), true) = (entry, self.track == self.wanted) {
            let known = self.movie_clock > 0 && duration > 0 && alone;
            self.found.get_or_insert(Edit {
                start: Ticks {
                    count: start,
                    a_second: self.media_clock,
                },
                length: known.then_some(Ticks {
                    count: duration,
                    a_second: self.movie_clock,
                }),
            });
        }
        (self.track, self.media_clock) = (0, 0);
    }
}

/// The first entry of an edit list that is not a pause; times of `width` bytes.
fn entry(body: &[u8], width: usize) -> Option<(u64, u64, bool)> {
    let count = number(body, 4, 4);
    let pause = if width == 8 {
        u64::MAX
    } else {
        u64::from(u32::MAX)
    };
    let size = 2 * width + 4;
    let places = (8..).step_by(size).take(usize::try_from(count).ok()?);
    let mut entries = places
        .take_while(|at| at + size <= body.len())
        .map(|at| (number(body, at, width), number(body, at + width, width)));
    let (duration, start) = entries.find(|(_, start)| *start != pause)?;
    Some((duration, start, entries.next().is_none()))
}

/// A number of so many bytes, zero where the body ends before it.
fn number(body: &[u8], at: usize, width: usize) -> u64 {
    let bytes = body.get(at..at + width).unwrap_or_default();
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}
