//! The work thread: reads sealed files once, at the lowest priority, for their hash, levels and
//! peaks. Nobody's sound waits for it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use audio_io::dsp::level::LevelMeter;
use audio_io::dsp::peaks::PeakMeter;
use audio_io::format::StreamFormat;
use tokio::sync::oneshot;

use crate::error::OpenError;
use crate::limits::{COMMIT_WINDOW, READ_BUFFER, WORK_QUEUE_MAX};
use crate::record::{LegLevel, RecordingFacts};
use crate::segment::header::SOUND_AT;

/// Where a file's plain sound lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoundAt {
    pub(crate) format: StreamFormat,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl SoundAt {
    /// In a file that Callreel made.
    pub(crate) fn own(facts: &RecordingFacts, bytes: u64) -> Self {
        Self {
            format: facts.format,
            offset: SOUND_AT,
            bytes,
        }
    }
}

/// What one pass over a file gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// BLAKE3 of the whole file.
    pub(crate) hash: [u8; 32],
    /// The caller's leg first; empty where the sound is not plain samples.
    pub(crate) levels: Vec<LegLevel>,
    pub(crate) size: u64,
}

struct Job {
    path: PathBuf,
    sound: SoundAt,
    peaks: Option<PeakMeter>,
    reply: oneshot::Sender<io::Result<Measured>>,
}

/// The queue to the work thread, and the thread itself.
pub(crate) struct Worker {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn spawn() -> Result<Self, OpenError> {
        let (queue, jobs) = sync_channel::<Job>(WORK_QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("work".into())
            .spawn(move || {
                crate::segment::mapping::lower_priority();
                for job in jobs {
                    // Whoever asked may be gone by now, or go meanwhile: then nobody needs the
                    // answer, and a store that closes does not wait for it.
                    let Job {
                        path,
                        sound,
                        peaks,
                        reply,
                    } = job;
                    let meters = Some(Meters::new(sound, peaks));
                    let result = measure_while(&path, meters, &mut |_| !reply.is_closed());
                    let _ = reply.send(result);
                }
            })
            .map_err(|error| OpenError::Thread("work", error))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Measures a file on the work thread; waits for room in its queue. Peaks that were taken of
    /// all of the sound already are kept as they are.
    pub(crate) async fn measure(
        &self,
        path: PathBuf,
        sound: SoundAt,
        peaks: Option<PeakMeter>,
    ) -> io::Result<Measured> {
        let (reply, answer) = oneshot::channel();
        let mut job = Job {
            path,
            sound,
            peaks,
            reply,
        };
        loop {
            let Some(queue) = &self.queue else {
                return Err(stopped());
            };
            match queue.try_send(job) {
                Ok(()) => return answer.await.unwrap_or_else(|_| Err(stopped())),
                Err(TrySendError::Full(back)) => job = back,
                Err(TrySendError::Disconnected(_)) => return Err(stopped()),
            }
            tokio::time::sleep(COMMIT_WINDOW).await;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Hashes a file, and measures its sound where that is plain; writes the peaks sidecar then.
/// `progress` is told the bytes of each step.
pub(crate) fn measure(
    path: &Path,
    sound: Option<SoundAt>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Measured> {
    let meters = sound.map(|sound| Meters::new(sound, None));
    measure_while(path, meters, &mut |bytes| {
        progress(bytes);
        true
    })
}

/// The same, until `wanted` says no: `Interrupted` then.
fn measure_while(
    path: &Path,
    mut meters: Option<Meters>,
    wanted: &mut dyn FnMut(u64) -> bool,
) -> io::Result<Measured> {
    let file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BUFFER];
    let mut at = 0;
    loop {
        let read = match file.read_at(&mut buffer, at) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..read]);
        if let Some(meters) = &mut meters {
            meters.see(at, &buffer[..read]);
        }
        at += read as u64;
        crate::progress::step();
        if !wanted(read as u64) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
    }
    let hash = *hasher.finalize().as_bytes();
    let levels = meters.map(|meters| meters.finish(path, &hash));
    Ok(Measured {
        hash,
        levels: levels.unwrap_or_default(),
        size: at,
    })
}

struct Meters {
    at: SoundAt,
    levels: LevelMeter,
    peaks: PeakMeter,
    /// They were taken before.
    has_peaks: bool,
    /// The start of a frame that a read cut in two.
    rest: Vec<u8>,
}

impl Meters {
    fn new(at: SoundAt, peaks: Option<PeakMeter>) -> Self {
        Self {
            at,
            levels: LevelMeter::new(at.format),
            has_peaks: peaks.is_some(),
            peaks: peaks.unwrap_or_else(|| PeakMeter::new(at.format)),
            rest: Vec::new(),
        }
    }

    /// Sees a stretch of the file.
    fn see(&mut self, offset: u64, bytes: &[u8]) {
        let within = |at: u64| {
            let at = at.saturating_sub(offset).min(bytes.len() as u64);
            usize::try_from(at).unwrap_or(bytes.len())
        };
        let (start, end) = (
            within(self.at.offset),
            within(self.at.offset + self.at.bytes),
        );
        let mut sound = &bytes[start..end];
        let frame = self.at.format.frame_bytes();
        if !self.rest.is_empty() {
            let missing = (frame - self.rest.len()).min(sound.len());
            let (first, others) = sound.split_at(missing);
            self.rest.extend_from_slice(first);
            sound = others;
            if self.rest.len() == frame {
                let whole = std::mem::take(&mut self.rest);
                self.hear(&whole);
            }
        }
        let (whole, rest) = sound.split_at(sound.len() - sound.len() % frame);
        self.hear(whole);
        self.rest.extend_from_slice(rest);
    }

    fn hear(&mut self, whole: &[u8]) {
        self.levels.push(whole);
        if !self.has_peaks {
            self.peaks.push(whole);
        }
    }

    fn finish(self, path: &Path, hash: &[u8; 32]) -> Vec<LegLevel> {
        crate::peaks::keep(path, &self.peaks.finish(), hash);
        let levels = self.levels.levels();
        levels
            .iter()
            .map(|level| LegLevel {
                rms: level.rms,
                peak: level.peak,
            })
            .collect()
    }
}

fn stopped() -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_io::format::Channels;

    #[test]
    fn frames_cut_by_reads_are_put_together() {
        let format = StreamFormat {
            channels: Channels::Stereo,
            ..StreamFormat::TELEPHONE
        };
        let sound: Vec<u8> = (0..=255)
            .cycle()
            .take(4_000)
            .flat_map(|n| [n, 0x30, 0x01, 0x80])
            .collect();
        let mut whole = LevelMeter::new(format);
        whole.push(&sound);
        let at = SoundAt {
            format,
            offset: 10,
            bytes: sound.len() as u64,
        };
        let mut meters = Meters::new(at, None);
        let mut file = vec![9; 10];
        file.extend(&sound);
        file.extend([7; 33]);
        for (n, piece) in file.chunks(7).enumerate() {
            meters.see(7 * n as u64, piece);
        }
        assert_eq!(meters.levels.levels(), whole.levels());
    }
}
