//! Makes peaks of recordings that have none: one at a time, on a thread that begins with the first
//! demand, at the lowest priority. All who ask for the same recording wait for the one; what
//! nobody waits for any more is given up.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use audio_io::codec::decode;
use audio_io::codec::pcm::PcmFormat;
use audio_io::dsp::peaks::{PeakMeter, Pyramid};
use audio_io::format::{Encoding, StreamFormat};
use tokio::sync::oneshot;

use super::{find, keep};
use crate::error::PeaksError;
use crate::ids::RecordingId;
use crate::import::plain_sound;
use crate::limits::{PEAKS_QUEUE_MAX, PEAKS_WAITING_MAX, READ_BUFFER};
use crate::paths::{peaks_of, unlink_if_there};
use crate::record::{Container, Recording};
use crate::shared::Shared;
use crate::work::SoundAt;

type Answer = Result<Arc<Pyramid>, PeaksError>;

/// The queue of what is to be made, and its thread.
#[derive(Default)]
pub(crate) struct Maker {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    desk: Mutex<Desk>,
    /// Told when there is something to do, or nothing ever again.
    called: Condvar,
}

#[derive(Default)]
struct Desk {
    queue: VecDeque<RecordingId>,
    jobs: HashMap<RecordingId, Job>,
    stopping: bool,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Job {
    row: Recording,
    shared: Weak<Shared>,
    waiters: Vec<oneshot::Sender<Answer>>,
}

impl Maker {
    /// The peaks of a recording that has ended.
    pub(super) async fn make(&self, shared: &Arc<Shared>, row: &Recording) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.inner.enter(shared, row, reply)?;
        answer.await.unwrap_or(Err(PeaksError::Closing))
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let thread = {
            let mut desk = self.inner.lock();
            desk.stopping = true;
            desk.jobs.clear();
            desk.queue.clear();
            desk.thread.take()
        };
        self.inner.called.notify_all();
        // The thread may be the one that drops the store.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        row: &Recording,
        reply: oneshot::Sender<Answer>,
    ) -> Result<(), PeaksError> {
        let id = row.facts.id;
        let mut desk = self.lock();
        if desk.stopping {
            return Err(PeaksError::Closing);
        }
        if let Some(job) = desk.jobs.get_mut(&id).filter(|job| job.row == *row) {
            job.waiters.retain(|waiter| !waiter.is_closed());
            if job.waiters.len() >= PEAKS_WAITING_MAX {
                return Err(PeaksError::Busy(id));
            }
            job.waiters.push(reply);
            return Ok(());
        }
        if desk.queue.len() >= PEAKS_QUEUE_MAX || desk.jobs.contains_key(&id) {
            return Err(PeaksError::Busy(id));
        }
        if desk.thread.is_none() {
            let inner = Arc::clone(self);
            let thread = std::thread::Builder::new().name("peaks".into());
            let spawned = thread.spawn(move || inner.run());
            desk.thread = Some(spawned.map_err(|error| PeaksError::Io(id, error))?);
        }
        let job = Job {
            row: row.clone(),
            shared: Arc::downgrade(shared),
            waiters: vec![reply],
        };
        desk.jobs.insert(id, job);
        desk.queue.push_back(id);
        self.called.notify_one();
        Ok(())
    }

    fn run(&self) {
        crate::segment::lower_priority();
        while let Some((row, shared)) = self.next() {
            let id = row.facts.id;
            let made = self.made(&shared, &row);
            // Whoever has joined meanwhile asked for the same row.
            let job = self.lock().jobs.remove(&id);
            let waiters = job.map(|job| job.waiters).unwrap_or_default();
            for waiter in waiters {
                let answer = match &made {
                    Ok(pyramid) => Ok(Arc::clone(pyramid)),
                    Err(error) => Err(error.again()),
                };
                let _gone = waiter.send(answer);
            }
        }
    }

    /// Waits for the next job.
    fn next(&self) -> Option<(Recording, Weak<Shared>)> {
        let mut desk = self.lock();
        loop {
            if desk.stopping {
                return None;
            }
            while let Some(id) = desk.queue.pop_front() {
                if let Some(job) = desk.jobs.get(&id) {
                    return Some((job.row.clone(), Weak::clone(&job.shared)));
                }
            }
            desk = self
                .called
                .wait(desk)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether anybody still waits for a recording's peaks.
    fn is_wanted(&self, id: RecordingId) -> bool {
        let desk = self.lock();
        let waiting = |job: &Job| job.waiters.iter().any(|waiter| !waiter.is_closed());
        !desk.stopping && desk.jobs.get(&id).is_some_and(waiting)
    }

    /// The store may be closed meanwhile: it is held for moments only.
    fn made(&self, shared: &Weak<Shared>, row: &Recording) -> Answer {
        let id = row.facts.id;
        let held = || shared.upgrade().ok_or(PeaksError::Closing);
        let path = held()?.layout.recording(&row.facts);
        let mut wanted = || self.is_wanted(id);
        let pyramid = Arc::new(of_file(&path, row, &mut wanted)?);
        let Some(outcome) = &row.outcome else {
            return Err(PeaksError::NoFile(id));
        };
        let shared = held()?;
        keep(&path, &pyramid, &outcome.content_hash);
        // Whoever deletes the recording takes its row away first and then its files: so either
        // this sees that the row is gone, or the deletion sees the peaks.
        let is_there = match find(&shared, row) {
            Ok(now) => now.is_some(),
            Err(_) => true,
        };
        if !is_there {
            if let Err(error) = unlink_if_there(&peaks_of(&path)) {
                log::warn!("peaks of deleted recording {id} stay: {error}");
            }
            return Err(PeaksError::NoFile(id));
        }
        Ok(pyramid)
    }
}

/// Reads a recording's file through, as long as it is wanted.
fn of_file(
    path: &Path,
    row: &Recording,
    wanted: &mut dyn FnMut() -> bool,
) -> Result<Pyramid, PeaksError> {
    let id = row.facts.id;
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => PeaksError::NoFile(id),
        _ => PeaksError::Io(id, error),
    };
    let file = File::open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?.len();
    let outcome = row.outcome.as_ref().ok_or(PeaksError::NoFile(id))?;
    if found != outcome.size_bytes {
        return Err(PeaksError::Length {
            id,
            expected: outcome.size_bytes,
            found,
        });
    }
    let bytes = row.facts.format.bytes_of(outcome.frames);
    let own = (row.facts.container == Container::Wav).then(|| SoundAt::own(&row.facts, bytes));
    // A file that could not be closed does not tell where its sound ends.
    let plain = if row.state == crate::record::RecordingState::Failed {
        own
    } else {
        plain_sound(path, row.facts.container).map_err(io)?
    };
    match plain {
        Some(sound) => of_plain(&file, sound, wanted).map_err(|error| match error {
            Stopped::Io(error) => io(error),
            Stopped::Unwanted => PeaksError::Busy(id),
        }),
        None => of_coded(file, id, wanted),
    }
}

enum Stopped {
    Io(io::Error),
    Unwanted,
}

fn of_plain(
    file: &File,
    sound: SoundAt,
    wanted: &mut dyn FnMut() -> bool,
) -> Result<Pyramid, Stopped> {
    let mut meter = PeakMeter::new(sound.format);
    let frame = sound.format.frame_bytes();
    let mut buffer = vec![0; READ_BUFFER / frame * frame];
    let (mut at, end) = (sound.offset, sound.offset.saturating_add(sound.bytes));
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(usize::MAX);
        let piece = buffer.len().min(most);
        let read = fill(file, &mut buffer[..piece], at).map_err(Stopped::Io)?;
        meter.push(&buffer[..read]);
        if read < piece {
            break;
        }
        at += read as u64;
        if !wanted() {
            return Err(Stopped::Unwanted);
        }
    }
    Ok(meter.finish())
}

/// Reads as much as there is.
fn fill(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Of a compressed file, or of samples that are not among those we record.
fn of_coded(
    file: File,
    id: RecordingId,
    wanted: &mut dyn FnMut() -> bool,
) -> Result<Pyramid, PeaksError> {
    let coded = |error| PeaksError::Decode(id, Arc::new(error));
    let mut source = decode::open(file).map_err(coded)?;
    let PcmFormat { rate, channels } = source.format();
    let format = StreamFormat {
        rate,
        encoding: Encoding::S16Le,
        channels,
    };
    let mut meter = PeakMeter::new(format);
    let mut samples = vec![0; READ_BUFFER / 4];
    loop {
        let frames = source.read(&mut samples).map_err(coded)?;
        if frames == 0 {
            return Ok(meter.finish());
        }
        meter.push_samples(&samples[..frames * channels.count()]);
        if !wanted() {
            return Err(PeaksError::Busy(id));
        }
    }
}
