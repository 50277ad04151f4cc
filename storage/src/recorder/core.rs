//! The recorder's state and the non-blocking half of its work: taking sound, and starting the
//! tasks that write it.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::dsp::peaks::{FRAMES_PER_PEAK, PeakMeter};
use audio_io::units::Frames;
use tokio::sync::{Notify, Semaphore};

use super::slot::{Ending, IdHash, Piece, Slot, buffer_size, peaks_room, push_gap};
use super::{Behind, RecorderEvent};
use crate::ids::RecordingId;
use crate::index::apply::Change;
use crate::index::commit::Job;
use crate::io::{Buffer, SegmentIo};
use crate::journal::entry::Begin;
use crate::journal::writer::{Journal, Retired};
use crate::limits::{
    BATCH_AGE, BUFFER_POOL_MAX, CREATES_AT_ONCE, FILE_BUFFER_MAX, FILE_BUFFER_MIN, SEALS_AT_ONCE,
    UNWRITTEN_BYTES_MAX,
};
use crate::marks::push_mark;
use crate::record::{EndCause, Gap, Mark, Recording, RecordingFacts, RecordingState};
use crate::shared::Shared;

/// Whether recordings may begin.
#[derive(Debug)]
pub(super) enum Disk {
    Accepts,
    Refuses {
        full: bool,
        next_probe: Duration,
        probing: bool,
    },
}

/// Everything that changes.
pub(super) struct State {
    pub(super) slots: HashMap<RecordingId, Slot, IdHash>,
    pub(super) journal: Journal,
    pub(super) events: Vec<RecorderEvent>,
    pub(super) disk: Disk,
    /// Counts failures of the disk, so that what began before one can tell.
    pub(super) epoch: u64,
    /// File buffers for reuse.
    pool: VecDeque<Buffer>,
    /// Sound that no durable journal batch holds yet, in bytes.
    pub(super) unjournalled: usize,
    /// Sound handed to writers, in bytes.
    pub(super) queued: usize,
    /// Recordings that begin in the batch being gathered.
    pub(super) beginning: Vec<RecordingId>,
    /// When the last batch was taken.
    pub(super) last_batch: Duration,
    /// Since when the batch that is being written is under way.
    pub(super) writing_since: Option<Duration>,
    /// Index changes that found the queue full.
    pub(super) rows: VecDeque<Job>,
    /// A full generation whose successor is not durable yet: until then it alone knows how far
    /// each open recording goes.
    pub(super) retiring: Option<(Retired, RecordingId)>,
    pub(super) retired: VecDeque<(Retired, RecordingId)>,
    pub(super) checkpointing: bool,
}

/// What all tasks of the recorder share.
pub(super) struct Core {
    pub(super) shared: Arc<Shared>,
    pub(super) io: Rc<dyn SegmentIo>,
    pub(super) state: RefCell<State>,
    pub(super) seals: Semaphore,
    pub(super) creates: Semaphore,
    /// Told when a writer, a batch or a seal is done.
    pub(super) progress: Notify,
}

impl Core {
    pub(super) fn new(shared: Arc<Shared>, io: Rc<dyn SegmentIo>, generation: u64) -> Rc<Self> {
        let journal = Journal::new(shared.layout.journal(), generation);
        let last_batch = shared.clock.monotonic();
        let state = State {
            slots: HashMap::default(),
            journal,
            events: Vec::new(),
            disk: Disk::Accepts,
            epoch: 0,
            pool: VecDeque::new(),
            unjournalled: 0,
            queued: 0,
            beginning: Vec::new(),
            last_batch,
            writing_since: None,
            rows: VecDeque::new(),
            retiring: None,
            retired: VecDeque::new(),
            checkpointing: false,
        };
        Rc::new(Self {
            shared,
            io,
            state: RefCell::new(state),
            seals: Semaphore::new(SEALS_AT_ONCE),
            creates: Semaphore::new(CREATES_AT_ONCE),
            progress: Notify::new(),
        })
    }

    pub(super) fn begin(self: &Rc<Self>, state: &mut State, facts: RecordingFacts) {
        let id = facts.id;
        self.shared.saw(&facts);
        let size = buffer_size(state.slots.len() + 1);
        let buffer = state.buffer(size);
        let path = self.shared.layout.recording(&facts);
        let begin = Begin {
            facts,
            position: 0,
            gaps: Vec::new(),
            marks: Vec::new(),
        };
        state.journal.begin(&begin);
        let row = Recording {
            facts: begin.facts,
            state: RecordingState::Live,
            outcome: None,
        };
        let mut slot = Slot::new(row.facts.clone(), path, buffer, size);
        let room = peaks_room(state.slots.len() + 1);
        slot.peaks = PeakMeter::bounded(row.facts.format, FRAMES_PER_PEAK, room);
        state.slots.insert(id, slot);
        state.beginning.push(id);
        self.offer(state, Change::Put(Box::new(row)));
    }

    pub(super) fn append(self: &Rc<Self>, id: RecordingId, sound: &[u8]) -> Result<(), Behind> {
        let state = &mut *self.state.borrow_mut();
        if state.unjournalled + state.queued + sound.len() > UNWRITTEN_BYTES_MAX {
            return Err(Behind);
        }
        let Some(slot) = state.slots.get_mut(&id) else {
            return Ok(());
        };
        if slot.ending.is_some() {
            return Ok(());
        }
        state.unjournalled += sound.len();
        if sound.len() < slot.room() {
            slot.buffer.extend(sound);
            slot.end += sound.len() as u64;
            return Ok(());
        }
        let mut rest = sound;
        while !rest.is_empty() {
            let Some(slot) = state.slots.get_mut(&id) else {
                break;
            };
            let (now, later) = rest.split_at(slot.room().min(rest.len()));
            slot.buffer.extend(now);
            slot.end += now.len() as u64;
            rest = later;
            if slot.room() == 0 {
                self.flush(state, id);
            }
        }
        Ok(())
    }

    pub(super) fn mark(&self, id: RecordingId, mark: Mark) {
        let state = &mut *self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(&id) else {
            return;
        };
        if slot.ending.is_some() {
            return;
        }
        if push_mark(&mut slot.marks, mark) {
            state.journal.mark(id, mark);
        } else {
            slot.unmarked += 1;
        }
    }

    pub(super) fn gap(self: &Rc<Self>, id: RecordingId, frames: Frames, cause: GapCause) {
        let state = &mut *self.state.borrow_mut();
        state.journal_sound(id);
        let Some(slot) = state.slots.get_mut(&id) else {
            return;
        };
        if slot.ending.is_some() || frames == Frames::ZERO {
            return;
        }
        let format = slot.facts.format;
        let at = format.frames_in(slot.end);
        push_gap(&mut slot.gaps, Gap { at, frames, cause });
        state.journal.gap(id, slot.end, frames, cause);
        let mut bytes = format.bytes_of(frames);
        slot.journalled = slot.end + bytes;
        if bytes > slot.buffer_size as u64 {
            self.flush(state, id);
            let Some(slot) = state.slots.get_mut(&id) else {
                return;
            };
            slot.pieces.push_back(Piece::Silence(bytes));
            slot.peaks.push_silence(frames);
            slot.end += bytes;
            slot.buffer_at = slot.end;
            slot.flush_at = slot.next_flush();
            self.start_writer(state, id);
            return;
        }
        while bytes > 0 {
            let Some(slot) = state.slots.get_mut(&id) else {
                return;
            };
            let now = slot
                .room()
                .min(usize::try_from(bytes).unwrap_or(usize::MAX));
            slot.buffer.fill(format.encoding.silence_byte(), now);
            slot.end += now as u64;
            bytes -= now as u64;
            if slot.room() == 0 {
                self.flush(state, id);
            }
        }
    }

    /// The next frames lack one of their legs. The journal's entry stands before their sound, so
    /// a replay puts silence there first and then the sound over it.
    pub(super) fn mark_gap(&self, id: RecordingId, frames: Frames, cause: GapCause) {
        let state = &mut *self.state.borrow_mut();
        state.journal_sound(id);
        let Some(slot) = state.slots.get_mut(&id) else {
            return;
        };
        if slot.ending.is_none() && frames > Frames::ZERO {
            let at = slot.facts.format.frames_in(slot.end);
            push_gap(&mut slot.gaps, Gap { at, frames, cause });
            state.journal.gap(id, slot.end, frames, cause);
        }
    }

    pub(super) fn end(self: &Rc<Self>, id: RecordingId, cause: EndCause, keep: bool) {
        let state = &mut *self.state.borrow_mut();
        state.journal_sound(id);
        let Some(slot) = state.slots.get_mut(&id) else {
            return;
        };
        if slot.ending.is_some() {
            return;
        }
        slot.ending = Some(Ending { cause, keep });
        state.journal.end(id, cause, keep);
        tokio::task::spawn_local(super::seal::seal(Rc::clone(self), id));
    }

    pub(super) fn end_all(self: &Rc<Self>, cause: EndCause) {
        let ids: Vec<_> = self.state.borrow().slots.keys().copied().collect();
        for id in ids {
            self.end(id, cause, true);
        }
    }

    pub(super) fn tick(self: &Rc<Self>) {
        let now = self.shared.clock.monotonic();
        let state = &mut *self.state.borrow_mut();
        while let Some(job) = state.rows.pop_front() {
            if let Err(job) = self.shared.committer.offer(job) {
                state.rows.push_front(job);
                break;
            }
        }
        self.shared.top_up_ids();
        if let Disk::Refuses {
            next_probe,
            probing,
            ..
        } = &mut state.disk
        {
            if !*probing && now >= *next_probe {
                *probing = true;
                tokio::task::spawn_local(super::trouble::probe(Rc::clone(self)));
            }
            return;
        }
        let due = state.journal.urgent || now.saturating_sub(state.last_batch) >= BATCH_AGE;
        if due && !state.journal.writing {
            super::log_writer::start(self, state, now);
        }
    }

    /// Waits until every recording is sealed, then removes the journal.
    pub(super) async fn settle(self: &Rc<Self>) {
        loop {
            let progress = self.progress.notified();
            let rows = {
                let state = self.state.borrow();
                if state.slots.is_empty() && !state.journal.writing && !state.checkpointing {
                    break;
                }
                state.journal.writing
            };
            if !rows {
                self.tick();
            }
            progress.await;
        }
        let rows = self.state.borrow().rows.is_empty();
        let folder = self.state.borrow().journal.folder().to_owned();
        // Rows of failed recordings that are not in the index yet need the journal.
        if rows
            && self.state.borrow().accepts()
            && let Err(error) = crate::recover::clear_journal(&folder)
        {
            log::warn!("the journal stays: {error}");
        }
    }

    /// Hands the buffer to the file's writer, after the journal got what it lacks of it.
    pub(super) fn flush(self: &Rc<Self>, state: &mut State, id: RecordingId) {
        state.journal_sound(id);
        let Some(size) = state.slots.get(&id).map(|slot| slot.buffer_size) else {
            return;
        };
        let fresh = state.buffer(size);
        let Some(slot) = state.slots.get_mut(&id) else {
            return;
        };
        let full = std::mem::replace(&mut slot.buffer, fresh);
        slot.buffer_at = slot.end;
        slot.flush_at = slot.next_flush();
        if full.is_empty() {
            state.recycle(full);
            return;
        }
        state.queued += full.len();
        slot.peaks.push(full.as_slice());
        slot.pieces.push_back(Piece::Sound(full));
        self.start_writer(state, id);
    }

    pub(super) fn start_writer(self: &Rc<Self>, state: &mut State, id: RecordingId) {
        let Some(slot) = state.slots.get_mut(&id) else {
            return;
        };
        if slot.begun && !slot.writing && !slot.pieces.is_empty() {
            slot.writing = true;
            tokio::task::spawn_local(super::files::write_pieces(Rc::clone(self), id));
        }
    }

    /// Gives a change to the index's writer thread, now or at a later tick.
    pub(super) fn offer(&self, state: &mut State, change: Change) {
        let job = Job {
            change,
            urgent: false,
            keep: true,
            reply: None,
        };
        if state.rows.is_empty() {
            if let Err(job) = self.shared.committer.offer(job) {
                state.rows.push_back(job);
            }
        } else {
            state.rows.push_back(job);
        }
    }
}

impl State {
    pub(super) fn accepts(&self) -> bool {
        matches!(self.disk, Disk::Accepts)
    }

    /// Puts what the journal lacks of a recording's sound into its batch.
    pub(super) fn journal_sound(&mut self, id: RecordingId) {
        if let Some(slot) = self.slots.get_mut(&id)
            && slot.journalled < slot.end
        {
            self.journal.sound(id, slot.journalled, slot.unjournalled());
            slot.journalled = slot.end;
        }
    }

    /// Puts what the journal lacks of any recording into its batch; answers how far each
    /// recording is then in the journal.
    pub(super) fn journal_all(&mut self, positions: &mut Vec<(RecordingId, u64)>) {
        for (id, slot) in &mut self.slots {
            if slot.journalled < slot.end {
                self.journal
                    .sound(*id, slot.journalled, slot.unjournalled());
                slot.journalled = slot.end;
            }
            if slot.durable < slot.journalled {
                positions.push((*id, slot.journalled));
            }
        }
    }

    /// An empty buffer.
    pub(super) fn buffer(&mut self, size: usize) -> Buffer {
        // The one used last is the likeliest to be in the processor's cache.
        let fits = |buffer: &Buffer| buffer.capacity() == size;
        let found = self.pool.iter().rposition(fits);
        found
            .and_then(|at| self.pool.swap_remove_back(at))
            .unwrap_or_else(|| Buffer::with_capacity(size))
    }

    /// Keeps a file buffer for reuse; others are freed.
    pub(super) fn recycle(&mut self, mut buffer: Buffer) {
        if !(FILE_BUFFER_MIN..=FILE_BUFFER_MAX).contains(&buffer.capacity()) {
            return;
        }
        if self.pool.len() >= BUFFER_POOL_MAX {
            self.pool.pop_front();
        }
        buffer.clear();
        self.pool.push_back(buffer);
    }

    /// Sound of all open recordings, in bytes a second.
    pub(super) fn rate(&self) -> u64 {
        self.slots
            .values()
            .map(|slot| slot.facts.format.bytes_per_second())
            .sum()
    }
}
