//! The thread of search: puts an older store's rows into the lists, a step at a time and never more
//! than half of the time, and brings new notes into the full text, at most every second. Neither
//! is waited for by anybody else.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use audio_io::clock::Clock;

use super::cursor::Cursors;
use super::text::FullText;
use super::text::writer::{TextError, Writer};
use crate::error::OpenError;
use crate::index::Index;
use crate::index::apply::{Applied, Change};
use crate::index::commit::Job;
use crate::index::search::Built;
use crate::limits::{NOTE_TEXT_EVERY, SEARCH_BUILD_STEP};
use crate::paths::Layout;

/// What an open store has of search.
pub(crate) struct Search {
    pub(super) cursors: Cursors,
    text: Arc<FullText>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// How the thread is called.
#[derive(Default)]
struct Bell {
    calls: Mutex<Calls>,
    rung: Condvar,
}

#[derive(Default)]
struct Calls {
    stop: bool,
    /// There may be something to do.
    changed: bool,
    /// How often somebody asked for all to be done, and up to which of these it was, and how many
    /// turns failed.
    asked: u64,
    done: u64,
    failed: u64,
}

impl Bell {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.calls().stop
    }
}

impl Search {
    pub(crate) fn spawn(
        layout: &Layout,
        index: &Arc<Index>,
        clock: &Arc<dyn Clock>,
        queue: Option<SyncSender<Job>>,
        secret: &[u8; 32],
    ) -> Result<Self, OpenError> {
        let (text, bell) = (Arc::<FullText>::default(), Arc::<Bell>::default());
        let writer = Writer::new(
            Arc::clone(index),
            Arc::clone(&text),
            layout.root().to_owned(),
            layout.search(),
        );
        let work = Work {
            index: Arc::clone(index),
            clock: Arc::clone(clock),
            bell: Arc::clone(&bell),
            queue,
            writer,
            failures: 0,
        };
        let thread = std::thread::Builder::new()
            .name("search".into())
            .spawn(move || work.run())
            .map_err(|error| OpenError::Thread("search", error))?;
        Ok(Self {
            cursors: Cursors::new(secret),
            text,
            bell,
            thread: Some(thread),
        })
    }

    /// The full text of notes.
    pub(crate) fn text(&self) -> &FullText {
        &self.text
    }

    /// Notes were changed.
    pub(crate) fn changed(&self) {
        self.bell.calls().changed = true;
        self.bell.rung.notify_all();
    }

    /// Waits until all is done that there is now.
    pub(super) fn settle(&self) -> bool {
        let mut calls = self.bell.calls();
        calls.asked += 1;
        let (mine, failed) = (calls.asked, calls.failed);
        self.bell.rung.notify_all();
        while calls.done < mine {
            if calls.stop || calls.failed > failed {
                return false;
            }
            let waited = self.bell.rung.wait(calls);
            calls = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.bell.calls().stop = true;
        self.bell.rung.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    bell: Arc<Bell>,
    queue: Option<SyncSender<Job>>,
    writer: Writer,
    failures: u32,
}

impl Work {
    fn run(mut self) {
        crate::segment::mapping::lower_priority();
        if let Ok(left) = self.index.search_left()
            && left > 0
        {
            log::info!("search: {left} recordings of an older store go into its lists");
        }
        let mut is_built = false;
        let mut texted_at = None;
        while self.bell.goes_on() {
            let asked = self.bell.calls().asked;
            let mut rest = None;
            if !is_built {
                let begun = self.clock.monotonic();
                is_built = self.build();
                rest = Some(self.clock.monotonic().saturating_sub(begun));
            }
            let now = self.clock.monotonic();
            let is_asked = asked > self.bell.calls().done;
            let is_due = texted_at.is_none_or(|at| now.saturating_sub(at) >= NOTE_TEXT_EVERY);
            if is_asked || is_due {
                let has_written = self.text();
                if has_written {
                    texted_at = Some(self.clock.monotonic());
                }
            }
            if is_built && self.failures == 0 {
                self.bell.calls().done = asked;
                self.bell.rung.notify_all();
            }
            self.wait(asked, is_built, rest.unwrap_or_default());
        }
        // Whoever waits is told that it will not come about.
        self.bell.rung.notify_all();
    }

    fn wait(&self, asked: u64, is_built: bool, rest: Duration) {
        let calls = self.bell.calls();
        if calls.stop || (calls.asked > asked && self.failures == 0) {
            return;
        }
        let most = match (is_built, self.failures) {
            // As long as the step took, so that others have the disk too.
            (false, _) => rest.min(NOTE_TEXT_EVERY),
            (true, 0) => NOTE_TEXT_EVERY,
            (true, failures) => NOTE_TEXT_EVERY * failures.min(60),
        };
        let is_idle = |calls: &mut Calls| {
            !calls.stop && !calls.changed && (calls.asked <= asked || !is_built)
        };
        let waited = self.bell.rung.wait_timeout_while(calls, most, is_idle);
        let (mut calls, _) = waited.unwrap_or_else(PoisonError::into_inner);
        calls.changed = false;
    }

    /// One step of the lists; true when they are whole.
    fn build(&self) -> bool {
        match self.index.search_built() {
            Ok(Built::Whole) => return true,
            Ok(Built::Until(_)) => {}
            Err(error) => {
                log::warn!("search: {error}");
                return false;
            }
        }
        let (answer, answered) = sync_channel(1);
        let job = Job {
            change: Change::BuildSearch(SEARCH_BUILD_STEP),
            urgent: true,
            keep: false,
            reply: Some(Box::new(move |result| {
                let _ = answer.send(result);
            })),
        };
        let sent = self.queue.as_ref().map(|queue| queue.send(job));
        if !matches!(sent, Some(Ok(()))) {
            return false;
        }
        match answered.recv() {
            Ok(Ok(Applied::Moved(0))) => {
                log::info!("search: all recordings are in its lists");
                true
            }
            Ok(Ok(_)) => false,
            Ok(Err(error)) => {
                log::warn!("search: its lists cannot be written now: {error}");
                false
            }
            Err(_) => false,
        }
    }

    /// Brings the full text up to date; whether anything was written.
    fn text(&mut self) -> bool {
        let bell = Arc::clone(&self.bell);
        match self.writer.turn(&|| bell.goes_on()) {
            Ok(has_written) => {
                self.failures = 0;
                return has_written;
            }
            Err(TextError::Closing) => return false,
            Err(error) => {
                self.failures += 1;
                if self.failures == 1 {
                    log::error!("the text of notes cannot be brought up to date: {error}");
                }
            }
        }
        self.writer.close();
        // What cannot be opened twice is made anew.
        if self.failures > 1
            && let Err(error) = self.writer.wipe()
        {
            log::debug!("the text of notes cannot be removed: {error}");
        }
        let mut calls = self.bell.calls();
        calls.failed += 1;
        drop(calls);
        self.bell.rung.notify_all();
        false
    }
}

/// The folder of the full text.
impl Layout {
    /// Where the full text of notes lies.
    pub(crate) fn search(&self) -> PathBuf {
        self.root().join("search")
    }
}
