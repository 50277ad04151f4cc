//! The files of a playback in one row: how long each is at the line's rate, the first half second
//! of each in memory, and the one that is being read. Memory is bounded by the number of files,
//! whatever is in them: only one decoder is open at a time, and while it is opened the ring and
//! the file's beginning have sound for more than two seconds.

use std::fs::File;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::event::PlayError;
use super::place::Place;
use crate::codec::decode;
use crate::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use crate::codec::resample::Resampled;
use crate::format::Channels;
use crate::limits::{PLAYER_FILES_MAX, PLAYER_HEAD, PLAYER_OPENERS_MAX};
use crate::units::{Frames, Millis, SampleRate};

/// A file of sound that can be opened again and again.
pub trait SoundFile: Send + Sync {
    /// Opens its sound at its start.
    ///
    /// # Errors
    /// [`DecodeError`]: it cannot be read, or is no sound that we know.
    fn open(&self) -> Result<Box<dyn PcmSource>, DecodeError>;
}

impl SoundFile for PathBuf {
    fn open(&self) -> Result<Box<dyn PcmSource>, DecodeError> {
        decode::open(File::open(self)?)
    }
}

/// A file that is open already, by whoever fetched it; it may have no name any more.
#[derive(Debug)]
pub struct StoredSound {
    /// Readers have places of their own, but those who open it share the file's.
    file: Mutex<File>,
}

impl From<File> for StoredSound {
    fn from(file: File) -> Self {
        Self {
            file: Mutex::new(file),
        }
    }
}

impl SoundFile for StoredSound {
    fn open(&self) -> Result<Box<dyn PcmSource>, DecodeError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        decode::open(file.try_clone()?)
    }
}

/// What to play.
#[derive(Clone)]
pub struct Playlist {
    /// The files in order: 1 to [`PLAYER_FILES_MAX`].
    pub files: Vec<Arc<dyn SoundFile>>,
    /// Where in all of them to begin. Past the end, the playback ends at once.
    pub offset: Millis,
}

impl Playlist {
    /// Whether it has as many files as it may have.
    pub(super) const fn is_valid(&self) -> bool {
        !self.files.is_empty() && self.files.len() <= PLAYER_FILES_MAX
    }
}

/// A file whose length and beginning are known.
struct Spliced {
    file: Arc<dyn SoundFile>,
    /// Where it begins in the row.
    start: Frames,
    frames: Frames,
    head: Box<[i16]>,
}

/// An open decoder and where it stands in its file.
struct Reading {
    index: usize,
    source: Box<dyn PcmSource>,
    at: Frames,
}

/// The files of a playback.
pub(super) struct Reel {
    rate: SampleRate,
    files: Vec<Spliced>,
    length: Frames,
    reading: Option<Reading>,
}

/// A file that cannot be played, and its number.
pub(super) struct Unplayable {
    pub(super) file: usize,
    pub(super) error: PlayError,
}

impl Reel {
    /// Opens all files, several at once. `None` when it was called off meanwhile.
    pub(super) fn open(
        playlist: Playlist,
        rate: SampleRate,
        called_off: &(dyn Fn() -> bool + Sync),
    ) -> Option<Result<Self, Unplayable>> {
        let heads = open_all(&playlist.files, rate, called_off);
        let mut files = Vec::with_capacity(heads.len());
        let mut start = Frames::ZERO;
        for (index, (file, head)) in playlist.files.into_iter().zip(heads).enumerate() {
            match head? {
                Ok((frames, head)) => {
                    files.push(Spliced {
                        file,
                        start,
                        frames,
                        head,
                    });
                    start += frames;
                    if start >= Place::LAST {
                        let error = PlayError::TooLong;
                        return Some(Err(Unplayable { file: index, error }));
                    }
                }
                Err(error) => return Some(Err(Unplayable { file: index, error })),
            }
        }
        Some(Ok(Self {
            rate,
            files,
            length: start,
            reading: None,
        }))
    }

    /// Frames of all files.
    pub(super) const fn length(&self) -> Frames {
        self.length
    }

    /// Reads from a place on, at most to its file's end; at least one frame before the row's end.
    pub(super) fn read(&mut self, at: Frames, out: &mut [i16]) -> Result<usize, Unplayable> {
        // The last that begins there or before: files of no length are passed over.
        let next = self.files.partition_point(|file| file.start <= at);
        let Some(index) = next.checked_sub(1).filter(|_| at < self.length) else {
            return Ok(0);
        };
        let file = &self.files[index];
        let inside = at.saturating_sub(file.start);
        let left = usize::try_from((file.frames - inside).0).unwrap_or(usize::MAX);
        let wanted = out.len().min(left);
        let out = &mut out[..wanted];
        let begun = usize::try_from(inside.0).unwrap_or(usize::MAX);
        if let Some(head) = file.head.get(begun..).filter(|head| !head.is_empty()) {
            let count = head.len().min(out.len());
            out[..count].copy_from_slice(&head[..count]);
            return Ok(count);
        }
        self.decode(index, inside, out)
            .map_err(|error| Unplayable { file: index, error })
    }

    fn decode(
        &mut self,
        index: usize,
        inside: Frames,
        out: &mut [i16],
    ) -> Result<usize, PlayError> {
        let (file, rate) = (&self.files[index].file, self.rate);
        let reading = self.reading.take().filter(|open| open.index == index);
        let (count, reading) = guarded(|| {
            let mut reading = match reading {
                Some(reading) => reading,
                None => Reading {
                    index,
                    source: at_rate(file.as_ref(), rate)?,
                    at: Frames::ZERO,
                },
            };
            if reading.at != inside {
                reading.source.seek(inside)?;
                reading.at = inside;
            }
            let count = reading.source.read(out)?;
            reading.at += Frames(count as u64);
            match count {
                0 => Err(PlayError::Short),
                _ => Ok((count, reading)),
            }
        })?;
        self.reading = Some(reading);
        Ok(count)
    }
}

/// A file's length and beginning; `None` if it was not looked at.
type Head = Option<Result<(Frames, Box<[i16]>), PlayError>>;

/// Looks at all files, a few at once; at none that follow one that cannot be played.
fn open_all(
    files: &[Arc<dyn SoundFile>],
    rate: SampleRate,
    called_off: &(dyn Fn() -> bool + Sync),
) -> Vec<Head> {
    let heads: Vec<Mutex<Head>> = files.iter().map(|_| Mutex::new(None)).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let work = || {
        while !called_off() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else { return };
            if index > failed.load(Ordering::Relaxed) {
                return;
            }
            let head = guarded(|| head_of(file.as_ref(), rate));
            if head.is_err() {
                failed.fetch_min(index, Ordering::Relaxed);
            }
            *heads[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let helpers = cores.min(PLAYER_OPENERS_MAX).min(files.len());
    std::thread::scope(|scope| {
        for _ in 1..helpers {
            // Where the system has no thread left, this one does all the work.
            let _helper = std::thread::Builder::new()
                .name("player-open".into())
                .spawn_scoped(scope, work);
        }
        work();
    });
    let taken = |head: Mutex<Head>| head.into_inner().unwrap_or_else(PoisonError::into_inner);
    heads.into_iter().map(taken).collect()
}

fn head_of(file: &dyn SoundFile, rate: SampleRate) -> Result<(Frames, Box<[i16]>), PlayError> {
    let mut source = at_rate(file, rate)?;
    let frames = source.frames();
    let wanted = frames.min(rate.frames_in(PLAYER_HEAD)).0;
    let mut head = vec![0; usize::try_from(wanted).unwrap_or_default()];
    let mut filled = 0;
    while filled < head.len() {
        match source.read(&mut head[filled..])? {
            0 => return Err(PlayError::Short),
            count => filled += count,
        }
    }
    Ok((frames, head.into_boxed_slice()))
}

/// A file's sound in mono and at a rate.
fn at_rate(file: &dyn SoundFile, rate: SampleRate) -> Result<Box<dyn PcmSource>, DecodeError> {
    let source = file.open()?;
    let source: Box<dyn PcmSource> = match source.format().channels {
        Channels::Mono => source,
        Channels::Stereo => Box::new(Mixed {
            source,
            both: Vec::new(),
        }),
    };
    if source.format().rate == rate {
        return Ok(source);
    }
    Ok(Box::new(Resampled::owning(source, rate)?))
}

/// Decoders read what anybody made: a panic in one of them ends one playback, not the line.
fn guarded<T>(work: impl FnOnce() -> Result<T, PlayError>) -> Result<T, PlayError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(PlayError::Panicked))
}

/// Both channels of a source in one, each half as loud.
struct Mixed {
    source: Box<dyn PcmSource>,
    both: Vec<i16>,
}

impl PcmSource for Mixed {
    fn format(&self) -> PcmFormat {
        PcmFormat {
            channels: Channels::Mono,
            ..self.source.format()
        }
    }

    fn frames(&self) -> Frames {
        self.source.frames()
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        self.both.resize(out.len() * 2, 0);
        let count = self.source.read(&mut self.both)?;
        let (frames, _) = self.both.as_chunks::<2>();
        for (sample, [left, right]) in out.iter_mut().zip(&frames[..count]) {
            let sum = i32::from(*left) + i32::from(*right);
            *sample = i16::try_from(sum >> 1).unwrap_or_default();
        }
        Ok(count)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        self.source.seek(to)
    }
}
