//! The thread that signs checkpoints and writes them to their own folder. The index never waits
//! for it: that folder may be on another disk, and that disk may be slow or gone.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use audio_io::clock::Clock;

use super::chain::{ChainEnd, LogId};
use super::checkpoint::{CHECKPOINT_LINE_MAX, Checkpoint};
use super::key::SigningKey;
use crate::error::OpenError;
use crate::limits::{CHECKPOINT_AGE, CHECKPOINT_EVERY, INDEX_PULSE};
use crate::paths::{sync_dir, write_whole};

/// The file of checkpoints.
pub const CHECKPOINTS: &str = "checkpoints.log";

/// Told each new checkpoint's line, without its end, on the thread that signs.
pub type CheckpointHook = Box<dyn Fn(&str) + Send + Sync>;

/// What the thread and the others share.
struct Common {
    state: Mutex<State>,
    changed: Condvar,
    hook: OnceLock<CheckpointHook>,
}

struct State {
    /// How far the ledger is; `None` before the first commit.
    reached: Option<(LogId, ChainEnd)>,
    /// The last entry that a checkpoint covers.
    covered: u64,
    /// Someone wants one up to here without delay.
    wanted: u64,
    /// How often a checkpoint could not be written.
    failures: u64,
    failing: Option<String>,
    stop: bool,
}

/// The way to the thread, which ends with it.
pub(crate) struct Checkpoints {
    common: Arc<Common>,
    thread: Mutex<Option<JoinHandle<()>>>,
    folder: PathBuf,
}

/// Where checkpoints go and what signs them.
pub(crate) struct Parts {
    pub(crate) folder: PathBuf,
    /// The folder is made when it is missing; another disk's never is.
    pub(crate) create: bool,
    /// Without one nothing is signed: the store is open for a moment's work, and whoever opens it
    /// next signs for that too.
    pub(crate) key: Option<SigningKey>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Checkpoints {
    pub(crate) fn spawn(parts: Parts) -> Result<Self, OpenError> {
        let common = Arc::new(Common {
            state: Mutex::new(State {
                reached: None,
                covered: 0,
                wanted: 0,
                failures: 0,
                failing: None,
                stop: false,
            }),
            changed: Condvar::new(),
            hook: OnceLock::new(),
        });
        let folder = parts.folder.clone();
        let Some(key) = parts.key else {
            let mut state = common.lock();
            state.stop = true;
            state.failing = Some("the store was opened without a key".to_owned());
            drop(state);
            return Ok(Self {
                common,
                thread: Mutex::new(None),
                folder,
            });
        };
        let mut signer = Signer {
            folder: parts.folder,
            create: parts.create,
            key,
            clock: parts.clock,
            common: Arc::clone(&common),
            file: None,
            last_at: Duration::ZERO,
        };
        let thread = std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || signer.run())
            .map_err(|error| OpenError::Thread("checkpoints", error))?;
        Ok(Self {
            common,
            thread: Mutex::new(Some(thread)),
            folder,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ledger is so far, durably. Never waits.
    pub(crate) fn reached(&self, log: LogId, end: ChainEnd) {
        let mut state = self.common.lock();
        let due = end.seq >= state.covered.saturating_add(CHECKPOINT_EVERY);
        let first = state.reached.is_none();
        state.reached = Some((log, end));
        drop(state);
        if due || first {
            self.common.changed.notify_all();
        }
    }

    /// A checkpoint shall cover this entry soon. Never waits.
    pub(crate) fn want(&self, seq: u64) {
        let mut state = self.common.lock();
        state.wanted = state.wanted.max(seq);
        self.common.changed.notify_all();
    }

    /// Waits until a checkpoint covers this entry; false when it cannot be written.
    pub(crate) fn cover(&self, seq: u64) -> bool {
        let mut state = self.common.lock();
        let failures = state.failures;
        state.wanted = state.wanted.max(seq);
        self.common.changed.notify_all();
        while state.covered < seq && !state.stop && state.failures == failures {
            let waited = self.common.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.covered >= seq
    }

    /// Calls this with each new checkpoint. The first one told stays.
    pub(crate) fn when_signed(&self, hook: CheckpointHook) {
        let _ = self.common.hook.set(hook);
    }

    /// Signs what is not covered yet, and ends the thread.
    pub(crate) fn stop(&self) {
        self.common.lock().stop = true;
        self.common.changed.notify_all();
        let thread = self.thread.lock().map(|mut thread| thread.take());
        if let Ok(Some(thread)) = thread {
            let _ = thread.join();
        }
    }

    /// The last entry that a checkpoint of this run covers.
    pub(crate) fn covered(&self) -> u64 {
        self.common.lock().covered
    }

    /// Why checkpoints cannot be written now.
    pub(crate) fn failing(&self) -> Option<String> {
        self.common.lock().failing.clone()
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Common {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Signer {
    folder: PathBuf,
    create: bool,
    key: SigningKey,
    clock: Arc<dyn Clock>,
    common: Arc<Common>,
    /// The file and its length.
    file: Option<(File, u64)>,
    /// Monotonic time of the last one.
    last_at: Duration,
}

impl Signer {
    fn run(&mut self) {
        let mut failed = None;
        self.last_at = self.clock.monotonic();
        loop {
            let (target, stop) = self.wait();
            if let Some((log, end)) = target {
                if self.file.is_none() {
                    failed = self.open().err();
                }
                let covered = self.common.lock().covered;
                if failed.is_none() && end.seq > covered {
                    failed = self.sign(log, end).err();
                }
                self.told(failed.as_ref(), end);
            }
            if stop {
                return;
            }
        }
    }

    /// Waits until a checkpoint is due, or the end.
    fn wait(&self) -> (Option<(LogId, ChainEnd)>, bool) {
        let mut state = self.common.lock();
        loop {
            let age = self.clock.monotonic().saturating_sub(self.last_at);
            let due = state.reached.filter(|(_, end)| {
                let new = end.seq.saturating_sub(state.covered);
                let wanted = state.wanted > state.covered || state.stop;
                let retry = state.failing.is_none() || age >= INDEX_PULSE || wanted;
                new > 0 && retry && (wanted || new >= CHECKPOINT_EVERY || age >= CHECKPOINT_AGE)
            });
            if due.is_some() || state.stop {
                return (due, state.stop);
            }
            let waited = self.common.changed.wait_timeout(state, INDEX_PULSE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn told(&mut self, failed: Option<&io::Error>, end: ChainEnd) {
        let mut state = self.common.lock();
        self.last_at = self.clock.monotonic();
        match failed {
            None => {
                if state.failing.take().is_some() {
                    log::warn!("checkpoints of the ledger are written again");
                }
                state.covered = state.covered.max(end.seq);
                if state.wanted <= state.covered {
                    state.wanted = 0;
                }
            }
            Some(error) => {
                let folder = self.folder.display();
                let text = format!("no checkpoint of the ledger in '{folder}': {error}");
                if state.failing.is_none() {
                    log::error!("{text}; trying again");
                }
                state.failing = Some(text);
                state.failures += 1;
                state.wanted = 0;
                self.file = None;
            }
        }
        drop(state);
        self.common.changed.notify_all();
    }

    /// Opens the file, cuts off a line that was not finished, and looks what is covered.
    fn open(&mut self) -> io::Result<()> {
        let folder = &self.folder;
        if self.create && !folder.is_dir() {
            std::fs::create_dir(folder)?;
            folder.parent().map_or(Ok(()), sync_dir)?;
        }
        let public = self.key.public();
        let pem = folder.join(format!("{}.pem", public.id()));
        if !pem.exists() {
            write_whole(&pem, public.to_pem().as_bytes())?;
        }
        let path = folder.join(CHECKPOINTS);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(&path)?;
        sync_dir(folder)?;
        let length = file.metadata()?.len();
        let begin = length.saturating_sub(4 * CHECKPOINT_LINE_MAX as u64);
        file.seek(SeekFrom::Start(begin))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |at| at + 1);
        let length = begin + whole as u64;
        file.set_len(length)?;
        let text = String::from_utf8_lossy(&tail[..whole]);
        let last = text.lines().last().map(Checkpoint::parse);
        if let Some(Ok(last)) = last
            && last.is_signed_by(&public)
        {
            let mut state = self.common.lock();
            // Of another ledger, or ahead of ours: a check tells. Ours needs its own.
            let ours = state
                .reached
                .is_some_and(|(log, end)| log == last.log && last.end.seq <= end.seq);
            if ours {
                state.covered = state.covered.max(last.end.seq);
            }
        }
        self.file = Some((file, length));
        Ok(())
    }

    fn sign(&mut self, log: LogId, end: ChainEnd) -> io::Result<()> {
        let Some((file, length)) = &mut self.file else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        let at = self.clock.wall();
        let line = Checkpoint::sign(log, end, at, &self.key).to_string();
        let bytes = format!("{line}\n");
        file.write_all_at(bytes.as_bytes(), *length)?;
        file.sync_data()?;
        *length += bytes.len() as u64;
        if let Some(hook) = self.common.hook.get() {
            hook(&line);
        }
        Ok(())
    }
}
