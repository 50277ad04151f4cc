//! Tenants' stored formats: what a tenant keeps as something else than WAV is converted once it is
//! sealed, in the background, and takes the recording's place when it has been compared with it.
//!
//! Recordings are noticed by the store's changes. After a start, when a tenant's wish changes, and
//! when more changed than is remembered, all rows of such tenants are looked through, newest
//! first. Recordings that were imported stay as they came; those that failed stay as evidence.
//!
//! What is not here: the exchange of the files (`storage::derived`), the comparison (`verify`).

mod verify;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use audio_io::clock::Clock;
use audio_io::codec::target::Target;
use storage::error::{ReadError, ReplaceError};
use storage::handle::{Cursor, ListFilter};
use storage::ids::{RecordingId, RecordingName, TenantId};
use storage::record::{Container, EndCause, Recording, RecordingState};
use storage::segment::lower_priority;
use tokio::sync::oneshot;

use super::queue::{Level, Turn};
use super::whole::{open_source, write};
use super::{ConvertError, Shared, target_of};
use crate::engine::limits::{
    KEEP_EVERY, KEEP_FAILURES_MAX, KEEP_NOTICED_MAX, KEEP_PAGE, KEEP_RETRY_MAX, KEEP_RETRY_MIN,
    KEEP_SPACE_PAUSE,
};

/// Why a recording stays as it is.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error(transparent)]
    Verify(#[from] verify::Differs),
    #[error(transparent)]
    Replace(#[from] ReplaceError),
}

/// The thread that looks for recordings to convert. It ends when this is dropped, once the
/// conversion threads have.
pub(super) struct KeepThread {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl KeepThread {
    pub(super) fn start(
        shared: &Arc<Shared>,
        workers: usize,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let mut keeper = Keeper::new(shared, workers, clock);
        let thread = std::thread::Builder::new().name("keep".into());
        let thread = thread.spawn(move || {
            lower_priority();
            loop {
                let worked = keeper.step();
                let told = if worked {
                    stopped
                        .try_recv()
                        .map_err(|error| error == TryRecvError::Disconnected)
                } else {
                    let wait = stopped.recv_timeout(KEEP_EVERY);
                    wait.map_err(|error| error == RecvTimeoutError::Disconnected)
                };
                if told != Err(false) {
                    return;
                }
            }
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for KeepThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told so.
            let _ = thread.join();
        }
    }
}

/// What is to be looked at, and what was.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    workers: usize,
    /// The store's generation up to which changes are known; `None` before the first look.
    seen: Option<u64>,
    /// Tenants that keep something else than WAV.
    wishes: HashMap<TenantId, Container>,
    /// Changed lately, not yet looked at.
    noticed: VecDeque<RecordingId>,
    /// Rows still to be looked through.
    rows: Rows,
    failures: HashMap<RecordingId, Failure>,
    /// No conversions before this.
    pause_until: Duration,
    done: Done,
}

/// All rows of tenants, a page at a time.
#[derive(Default)]
struct Rows {
    tenants: VecDeque<TenantId>,
    after: Option<Cursor>,
    page: VecDeque<Recording>,
}

struct Failure {
    pause: Duration,
    until: Duration,
}

/// Since the last summary.
#[derive(Default)]
struct Done {
    recordings: u64,
    bytes_before: u64,
    bytes_after: u64,
}

impl Keeper {
    pub(super) fn new(shared: &Arc<Shared>, workers: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::clone(shared),
            clock,
            workers,
            seen: None,
            wishes: HashMap::new(),
            noticed: VecDeque::new(),
            rows: Rows::default(),
            failures: HashMap::new(),
            pause_until: Duration::ZERO,
            done: Done::default(),
        }
    }

    /// Notices what changed, and converts as many recordings as there are threads. False when
    /// there was nothing to convert.
    pub(super) fn step(&mut self) -> bool {
        if let Err(error) = self.notice() {
            log::warn!("stored formats wait: {error}");
            return false;
        }
        if self.clock.monotonic() < self.pause_until {
            return false;
        }
        let batch = match self.next_batch() {
            Ok(batch) => batch,
            Err(error) => {
                log::warn!("stored formats wait: {error}");
                return false;
            }
        };
        if batch.is_empty() {
            self.sum_up();
            return false;
        }
        self.convert_all(batch)
    }

    /// Takes in what the store's commits since the last look touched.
    fn notice(&mut self) -> Result<(), ReadError> {
        let storage = &self.shared.storage;
        let now = storage.generation();
        if self.seen == Some(now) {
            return Ok(());
        }
        self.shared.open.forget_deleted();
        let tenants = storage.tenants()?.into_iter();
        let wishes: HashMap<_, _> = tenants
            .filter(|tenant| tenant.keep_as != Container::Wav)
            .map(|tenant| (tenant.id, tenant.keep_as))
            .collect();
        let changed = self.seen.and_then(|seen| storage.changes_since(seen));
        self.seen = Some(now);
        let same = wishes == self.wishes;
        self.wishes = wishes;
        if self.wishes.is_empty() {
            self.noticed.clear();
            self.rows = Rows::default();
            return Ok(());
        }
        match changed {
            Some(ids) if same && self.noticed.len() + ids.len() <= KEEP_NOTICED_MAX => {
                self.noticed.extend(ids);
            }
            _ => {
                self.noticed.clear();
                self.rows = Rows {
                    tenants: self.wishes.keys().copied().collect(),
                    ..Rows::default()
                };
            }
        }
        Ok(())
    }

    /// Recordings to convert now: as many as there are threads, or fewer.
    fn next_batch(&mut self) -> Result<Vec<(Recording, Target)>, ReadError> {
        let mut batch: Vec<(Recording, Target)> = Vec::new();
        let now = self.clock.monotonic();
        let due = self
            .failures
            .iter()
            .find(|(_, failure)| failure.until <= now);
        if let Some(id) = due.map(|(id, _)| *id) {
            self.noticed.push_back(id);
        }
        while batch.len() < self.workers {
            let next = match self.noticed.pop_front() {
                Some(id) => self.find(id)?,
                None => match self.next_row()? {
                    Some(row) => Some(row),
                    None => break,
                },
            };
            let Some(row) = next else {
                continue;
            };
            let id = row.facts.id;
            let waits = self
                .failures
                .get(&id)
                .is_some_and(|failure| failure.until > now);
            let twice = batch.iter().any(|(other, _)| other.facts.id == id);
            match self.wish(&row) {
                Some(target) if !waits && !twice => batch.push((row, target)),
                Some(_) => {}
                // It was deleted, converted, or its tenant wants it so: no more tries.
                None => drop(self.failures.remove(&id)),
            }
        }
        Ok(batch)
    }

    /// What a recording is to be converted to; `None` when it stays.
    fn wish(&self, row: &Recording) -> Option<Target> {
        let keep_as = self.wishes.get(&row.facts.tenant)?;
        let outcome = row.outcome.as_ref()?;
        let ours = outcome.end_cause != EndCause::Imported && outcome.size_bytes > 0;
        let as_recorded =
            row.state == RecordingState::Stored && row.facts.container == Container::Wav;
        (ours && as_recorded).then(|| target_of(*keep_as))
    }

    /// A recording by its number, if a tenant with a wish has it.
    fn find(&mut self, id: RecordingId) -> Result<Option<Recording>, ReadError> {
        let name = RecordingName::Recid(id);
        for tenant in self.wishes.keys() {
            if let Some(row) = self.shared.storage.find(*tenant, &name)? {
                return Ok(Some(row));
            }
        }
        self.failures.remove(&id);
        Ok(None)
    }

    /// The next row of those that are looked through.
    fn next_row(&mut self) -> Result<Option<Recording>, ReadError> {
        let rows = &mut self.rows;
        let filter = ListFilter {
            states: vec![RecordingState::Stored],
            ..ListFilter::default()
        };
        loop {
            if let Some(row) = rows.page.pop_front() {
                return Ok(Some(row));
            }
            let Some(tenant) = rows.tenants.front() else {
                return Ok(None);
            };
            let page = self
                .shared
                .storage
                .list(*tenant, &filter, rows.after, KEEP_PAGE)?;
            rows.page = page.recordings.into();
            rows.after = page.next;
            if rows.after.is_none() {
                rows.tenants.pop_front();
            }
        }
    }

    /// Converts recordings side by side and waits for all. False when it makes no sense to go on
    /// at once.
    fn convert_all(&mut self, batch: Vec<(Recording, Target)>) -> bool {
        let begun: Vec<_> = batch
            .into_iter()
            .map(|(row, target)| (row.clone(), begin(&self.shared, row, target)))
            .collect();
        let mut go_on = true;
        for (row, answer) in begun {
            // Dropped undone, or refused: the threads end.
            let Ok(result) = answer.blocking_recv() else {
                return false;
            };
            go_on &= self.note(&row, result);
        }
        go_on
    }

    /// Takes down how a conversion ended. False when there is no space for more.
    fn note(&mut self, row: &Recording, result: Result<Recording, KeepError>) -> bool {
        let id = row.facts.id;
        let size = |row: &Recording| row.outcome.as_ref().map_or(0, |outcome| outcome.size_bytes);
        let error = match result {
            Ok(new) => {
                self.shared
                    .counters
                    .replaced
                    .fetch_add(1, Ordering::Relaxed);
                self.failures.remove(&id);
                self.done.recordings += 1;
                self.done.bytes_before += size(row);
                self.done.bytes_after += size(&new);
                let (before, after) = (size(row), size(&new));
                let format = new.facts.container.extension();
                log::debug!("recording {id} is kept as {format}: {after} bytes for {before}");
                return true;
            }
            Err(error) => error,
        };
        match error {
            // Deleted, or changed: then it is noticed again.
            KeepError::Convert(ConvertError::Gone) | KeepError::Replace(ReplaceError::Gone) => true,
            KeepError::Convert(ConvertError::NoSpace) => {
                log::warn!("the disk is nearly full: recordings stay WAV until there is space");
                self.noticed.push_front(id);
                self.pause_until = self.clock.monotonic() + KEEP_SPACE_PAUSE;
                false
            }
            error => {
                self.note_failure(id, &error);
                true
            }
        }
    }

    fn note_failure(&mut self, id: RecordingId, error: &KeepError) {
        self.shared.counters.failed.fetch_add(1, Ordering::Relaxed);
        let pause = self.failures.get(&id).map_or(KEEP_RETRY_MIN, |failure| {
            (failure.pause * 2).min(KEEP_RETRY_MAX)
        });
        let again = pause.as_secs();
        log::warn!(recording = id.0; "recording {id} stays WAV, tried again in {again} s: {error}");
        if self.failures.len() < KEEP_FAILURES_MAX || self.failures.contains_key(&id) {
            let until = self.clock.monotonic() + pause;
            self.failures.insert(id, Failure { pause, until });
        }
    }

    fn sum_up(&mut self) {
        let Done {
            recordings,
            bytes_before,
            bytes_after,
        } = std::mem::take(&mut self.done);
        if recordings > 0 {
            log::info!(
                "{recordings} recordings were converted to their tenants' formats: \
                 {bytes_after} bytes for {bytes_before}"
            );
        }
    }
}

/// Has a recording converted and exchanged on the conversion threads.
fn begin(
    shared: &Arc<Shared>,
    row: Recording,
    target: Target,
) -> oneshot::Receiver<Result<Recording, KeepError>> {
    let (tell, answer) = oneshot::channel();
    let work_shared = Arc::clone(shared);
    let work = move |turn: &Turn<'_>| {
        let _ = tell.send(exchange(&work_shared, &row, target, turn));
    };
    // Refused only when the threads end: there is room for one a thread. The sender is dropped
    // then, and says so.
    let _ = shared.queue.offer(Level::Keep, work);
    answer
}

/// On a conversion thread: converts, compares, exchanges.
fn exchange(
    shared: &Shared,
    row: &Recording,
    target: Target,
    turn: &Turn<'_>,
) -> Result<Recording, KeepError> {
    let storage = &shared.storage;
    let source = open_source(storage, row)?;
    let mut draft = storage.draft_derived(row).map_err(ConvertError::from)?;
    let original = source.try_clone().map_err(ConvertError::failed)?;
    write(source, target, &mut draft, turn)?;
    let made = draft.file().try_clone().map_err(ConvertError::failed)?;
    verify::same_sound(original, made, target, turn)?;
    Ok(storage.replace_stored(row, super::container_of(target), draft)?)
}
