//! The recorder thread: on each tick it drains every line's rings, obeys commands, starts what
//! I/O is due and passes on what became of recordings. It waits for nothing but its next tick.
//! Lines with a call, or whose channel has signalled something, are drained between ticks too, so
//! that digits, rings and hang-ups are told at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audio_io::clock::Clock;
use audio_io::units::Frames;
use storage::handle::StorageHandle;
use storage::ids::{LineName, Number, RecordingId};
use storage::record::{EndCause, Recording, RecordingFacts};
use storage::recorder::{BeginError, Recorder, RecorderEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::calls::link::{LineNumber, LineOrder, TakeEnd};
use super::heartbeat::Heartbeat;
use super::limits::{CALL_TICK, DISK_WITHIN, TICK};
use super::line::{Line, Parties, Surroundings};
use super::{EngineTotals, StartError, StopError};
use crate::catalog;
use crate::config::schema::Trigger;

/// What others ask of the recorder thread.
pub(crate) enum Command {
    Start {
        line: LineName,
        from: Option<Number>,
        to: Option<Number>,
        reply: oneshot::Sender<Result<RecordingFacts, StartError>>,
    },
    Stop {
        id: RecordingId,
        reply: oneshot::Sender<Result<Recording, StopError>>,
    },
    /// For a line, from the exchange.
    Line { line: LineNumber, order: LineOrder },
    /// End everything that is open, seal it, and return.
    Shutdown,
}

/// Counters behind [`EngineTotals`].
#[derive(Debug, Default)]
pub(crate) struct Totals {
    started: AtomicU64,
    stored: AtomicU64,
    absent: AtomicU64,
    failed: AtomicU64,
    gaps: AtomicU64,
    digits: AtomicU64,
    masked: AtomicU64,
}

impl Totals {
    pub(crate) fn count_start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_digit(&self) {
        self.digits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_masked(&self, frames: Frames) {
        self.masked.fetch_add(frames.0, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> EngineTotals {
        EngineTotals {
            started: self.started.load(Ordering::Relaxed),
            stored: self.stored.load(Ordering::Relaxed),
            absent: self.absent.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            gaps: self.gaps.load(Ordering::Relaxed),
            digits: self.digits.load(Ordering::Relaxed),
            masked_frames: self.masked.load(Ordering::Relaxed),
        }
    }
}

/// What the recorder thread works with.
pub(crate) struct Parts {
    pub(crate) lines: Vec<Line>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) storage: StorageHandle,
    pub(crate) totals: Arc<Totals>,
    pub(crate) heartbeat: Arc<Heartbeat>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Runs until [`Command::Shutdown`], then seals what is open.
pub(crate) async fn record(recorder: Recorder, parts: Parts) {
    let Parts {
        lines,
        commands,
        storage,
        totals,
        heartbeat,
        clock,
    } = parts;
    let outcomes = Outcomes {
        totals: totals.clone(),
        waiting: HashMap::new(),
    };
    let mut run = Run {
        recorder,
        lines,
        storage,
        totals,
        clock,
        outcomes,
    };
    run.until_shutdown(commands, &heartbeat).await;
    run.finish().await;
}

type StopReply = oneshot::Sender<Result<Recording, StopError>>;

struct Run {
    recorder: Recorder,
    lines: Vec<Line>,
    storage: StorageHandle,
    totals: Arc<Totals>,
    clock: Arc<dyn Clock>,
    outcomes: Outcomes,
}

/// Tells everyone concerned what became of a recording.
struct Outcomes {
    totals: Arc<Totals>,
    /// Who waits for which recording to be sealed.
    waiting: HashMap<RecordingId, Vec<StopReply>>,
}

impl Run {
    async fn until_shutdown(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        heartbeat: &Heartbeat,
    ) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut between = tokio::time::interval(CALL_TICK);
        between.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wanted = |line: &Line| line.has_call() || line.has_signals() || line.is_heard();
            let often = self.lines.iter().any(wanted);
            tokio::select! {
                biased;
                _ = ticks.tick() => {}
                command = commands.recv() => match command {
                    Some(Command::Start { line, from, to, reply }) => {
                        // Nobody waits any more? Then the recording goes on all the same: it is
                        // listed, and stopped by its id.
                        let _ = reply.send(self.start(&line, Parties { from, to }));
                    }
                    Some(Command::Stop { id, reply }) => self.stop(id, reply),
                    Some(Command::Line { line, order }) => {
                        self.obey(line, order);
                        continue;
                    }
                    Some(Command::Shutdown) | None => return,
                },
                _ = between.tick(), if often => {
                    self.drain(Line::is_urgent);
                    continue;
                }
            }
            self.take_events();
            self.drain(|_| true);
            self.recorder.tick();
            // A disk that does not answer at all: nothing is recorded, whatever goes round here.
            if self.recorder.disk_wait() <= DISK_WITHIN {
                heartbeat.beat();
            }
        }
    }

    fn drain(&mut self, which: impl Fn(&mut Line) -> bool) {
        let (lines, mut surroundings) = self.parts();
        for line in lines {
            if which(line) {
                line.drain(&mut surroundings);
            }
        }
    }

    /// The lines, and what they need to work.
    fn parts(&mut self) -> (&mut [Line], Surroundings<'_>) {
        let surroundings = Surroundings {
            recorder: &mut self.recorder,
            storage: &self.storage,
            totals: &self.totals,
            wall: self.clock.wall(),
            now: self.clock.monotonic(),
            clock: &*self.clock,
        };
        (&mut self.lines, surroundings)
    }

    fn obey(&mut self, number: LineNumber, order: LineOrder) {
        let (lines, mut surroundings) = self.parts();
        let Some(line) = lines.get_mut(number.0 as usize) else {
            return log::error!("no line {number:?} for {order:?}");
        };
        // What was heard before the order belongs to before it.
        line.drain(&mut surroundings);
        line.obey(order, &mut surroundings);
    }

    fn start(&mut self, name: &LineName, parties: Parties) -> Result<RecordingFacts, StartError> {
        let (lines, mut surroundings) = self.parts();
        let line = lines
            .iter_mut()
            .find(|line| line.live().config.name == *name);
        let line = line.ok_or_else(|| StartError::NoLine(name.clone()))?;
        if line.live().config.trigger != Trigger::Api {
            return Err(StartError::NotApi(name.clone()));
        }
        if let Some(id) = line.recording() {
            return Err(StartError::Busy {
                line: name.clone(),
                id,
            });
        }
        if !line.live().has_device() {
            return Err(StartError::NoDevice(name.clone()));
        }
        // What arrived before the command belongs to the look-back.
        line.drain(&mut surroundings);
        line.begin(&mut surroundings, parties)
            .map_err(|error| match error {
                BeginError::DiskRefuses | BeginError::TooMany(_) => StartError::Disk,
            })
    }

    fn stop(&mut self, id: RecordingId, reply: StopReply) {
        let (lines, mut surroundings) = self.parts();
        let Some(line) = lines.iter_mut().find(|line| line.recording() == Some(id)) else {
            let _ = reply.send(Err(StopError::NotLive(id)));
            return;
        };
        // What was heard before the command belongs to the recording.
        line.drain(&mut surroundings);
        if line.recording() == Some(id) {
            line.end(&mut surroundings, EndCause::Command);
        }
        self.outcomes.waiting.entry(id).or_default().push(reply);
    }

    fn take_events(&mut self) {
        for event in self.recorder.events() {
            self.outcomes.take(event, &mut self.lines);
        }
    }

    async fn finish(mut self) {
        self.take_events();
        self.drain(|_| true);
        let Self {
            mut recorder,
            mut lines,
            storage,
            totals,
            clock,
            mut outcomes,
        } = self;
        let mut surroundings = Surroundings {
            recorder: &mut recorder,
            storage: &storage,
            totals: &totals,
            wall: clock.wall(),
            now: clock.monotonic(),
            clock: &*clock,
        };
        for line in &mut lines {
            line.end(&mut surroundings, EndCause::Shutdown);
        }
        for event in recorder.finish().await {
            outcomes.take(event, &mut lines);
        }
    }
}

impl Outcomes {
    fn take(&mut self, event: RecorderEvent, lines: &mut [Line]) {
        match event {
            RecorderEvent::Stored(recording) => {
                self.totals.stored.fetch_add(1, Ordering::Relaxed);
                tell_stored(&recording);
                let end = || TakeEnd::Stored(Box::new(recording.clone()));
                self.answer(&recording, lines, end);
            }
            RecorderEvent::Absent(recording) => {
                self.totals.absent.fetch_add(1, Ordering::Relaxed);
                let id = recording.facts.id;
                log::info!(
                    recording = id.0, line = line_of(&recording);
                    "recording {id} was too short or silent to keep"
                );
                self.answer(&recording, lines, || TakeEnd::Absent);
            }
            RecorderEvent::Failed(recording, error) => {
                self.totals.failed.fetch_add(1, Ordering::Relaxed);
                let id = recording.facts.id;
                let line = line_of(&recording);
                log::error!(
                    message_id = catalog::RECORDING_FAILED, recording = id.0, line = line;
                    "recording {id} of line {line} could not be written: {error}"
                );
                let end = || TakeEnd::Failed(format!("it could not be written: {error}"));
                self.answer(&recording, lines, end);
            }
            RecorderEvent::DiskRefuses(error) => {
                log::error!(
                    message_id = catalog::DISK_REFUSES;
                    "the disk refuses writes: {error}; recording resumes by itself when it accepts"
                );
                lines.iter_mut().for_each(Line::forget_recording);
            }
            RecorderEvent::DiskAccepts => log::warn!("the disk accepts writes again"),
        }
    }

    fn answer(&mut self, recording: &Recording, lines: &mut [Line], end: impl Fn() -> TakeEnd) {
        let id = recording.facts.id;
        for line in lines {
            // Storage may have ended it by itself, because the disk failed.
            if line.recording() == Some(id) {
                line.forget_recording();
            }
            line.tell_end(id, &end);
        }
        for reply in self.waiting.remove(&id).unwrap_or_default() {
            let _ = reply.send(Ok(recording.clone()));
        }
    }
}

/// The line that a recording was made on, for the journal.
fn line_of(recording: &Recording) -> &str {
    recording.facts.line.as_ref().map_or("-", LineName::as_str)
}

fn tell_stored(recording: &Recording) {
    let facts = &recording.facts;
    let line = line_of(recording);
    let cause = recording
        .outcome
        .as_ref()
        .map_or("", |outcome| ended_by(outcome.end_cause));
    let gaps = recording
        .outcome
        .as_ref()
        .map_or(0, |outcome| outcome.gaps.len());
    let length = recording.duration().unwrap_or_default();
    log::info!(
        recording = facts.id.0, line = line, duration_ms = length.0, gaps = gaps;
        "recording {} of line {line} is stored: {length}, ended by {cause}", facts.id
    );
}

/// Why a recording ended, in words.
const fn ended_by(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Silence => "silence",
        EndCause::Command => "command",
        EndCause::MaxLength => "its maximum length",
        EndCause::Rotated => "rotation",
        EndCause::DeviceLost => "the loss of its device",
        EndCause::Shutdown => "the end of the daemon",
        EndCause::Crash => "a crash",
        EndCause::DiskFull => "a full disk",
        EndCause::DiskError => "an error of the disk",
        EndCause::Imported => "import",
        EndCause::HungUp => "hang-up",
    }
}
