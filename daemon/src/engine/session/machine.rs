//! The session itself: its life, the commands' results, and the order in which inputs take effect.

use std::time::Duration;

use audio_io::units::Millis;
use uuid::Uuid;

use super::command::{Command, CommandKind, CommandUid, HangupCause, Request};
use super::cooldown::{Cooldowns, Group};
use super::event::{CommandFailure, Event, HangupBy, SessionEvent};
use super::limits;
use super::repeats::Repeats;
use super::signal::{Action, Signal};
use super::speaking::{Ending, Preparing, Speaking};
use super::state::{Accepted, CallState, Facts, Output, Refused, Snapshot};
use super::taking::Take;

/// A command whose result is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) kind: CommandKind,
    pub(super) uid: CommandUid,
    pub(super) operation: Uuid,
    due: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Hangup {
    pub(super) cause: HangupCause,
    pub(super) by: HangupBy,
    pub(super) at: Duration,
}

/// One call. Times are monotonic; an input never takes effect earlier than the one before it, and
/// whatever was due by then has happened first.
#[derive(Debug)]
pub struct Session {
    facts: Facts,
    pub(super) state: CallState,
    pub(super) now: Duration,
    opened_at: Duration,
    answered_at: Option<Duration>,
    /// From the end of the call until `call.hangup` is told.
    pub(super) hangup: Option<Hangup>,
    sequence: u64,
    names: u64,
    cooldowns: Cooldowns,
    repeats: Repeats,
    pub(super) open: Vec<Open>,
    pub(super) preparing: Option<Preparing>,
    pub(super) speaking: Option<Speaking>,
    pub(super) ending: Vec<Ending>,
    pub(super) take: Option<Take>,
    pub(super) sealing: Vec<Take>,
    out: Output,
}

impl Session {
    /// A new call; its first output holds `call.new`.
    pub fn open(facts: Facts, now: Duration) -> (Self, Output) {
        let event = Event::CallNew {
            line: facts.line.clone(),
            caller_id: facts.caller_id.clone(),
            did: facts.did.clone(),
        };
        let mut session = Self {
            facts,
            state: CallState::New,
            now,
            opened_at: now,
            answered_at: None,
            hangup: None,
            sequence: 0,
            names: 0,
            cooldowns: Cooldowns::default(),
            repeats: Repeats::default(),
            open: Vec::new(),
            preparing: None,
            speaking: None,
            ending: Vec::new(),
            take: None,
            sealing: Vec::new(),
            out: Output::default(),
        };
        session.tell(event);
        let output = session.take_output();
        (session, output)
    }

    /// What does not change about it.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether nothing will ever be told again: it may be forgotten.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, CallState::HungUp)
            && self.hangup.is_none()
            && self.take.is_none()
            && self.sealing.is_empty()
    }

    /// Whether the call is over and its `call.hangup` was told.
    #[must_use]
    pub const fn is_hung_up(&self) -> bool {
        matches!(self.state, CallState::HungUp) && self.hangup.is_none()
    }

    /// How it stands.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let collecting = self.speaking.as_ref().is_some_and(Speaking::is_collecting);
        Snapshot {
            state: self.state,
            playing: self.speaking.is_some() && !collecting,
            paused: self.speaking.as_ref().is_some_and(Speaking::is_paused),
            fetching: self.preparing.is_some(),
            collecting,
            recording: self.take.is_some(),
            recording_paused: self.take.as_ref().is_some_and(|take| take.paused.is_some()),
            sequence: self.sequence,
        }
    }

    /// Whether a command may come now as far as its group's pause goes, for an answer before its
    /// body is read.
    ///
    /// # Errors
    /// How long until it may.
    pub fn check_cooldown(&self, kind: CommandKind, now: Duration) -> Result<(), Duration> {
        Group::of(kind).map_or(Ok(()), |group| self.cooldowns.check(group, now))
    }

    /// Takes a command on, or not. A uid that is known leads to the first one's operation and to
    /// nothing else, even after the call's end. The output is to be heeded in any case: it holds
    /// what was due by now, too.
    pub fn command(
        &mut self,
        now: Duration,
        request: Request,
    ) -> (Result<Accepted, Refused>, Output) {
        self.pass(now);
        let answer = self.admit(request);
        self.tell_hangup();
        (answer, self.take_output())
    }

    fn admit(&mut self, request: Request) -> Result<Accepted, Refused> {
        let Request {
            command,
            command_uid,
            operation,
        } = request;
        if let Some(uid) = &command_uid
            && let Some(first) = self.repeats.find(uid, self.now)
        {
            return Ok(Accepted {
                operation: first,
                repeated: true,
            });
        }
        if self.state == CallState::HungUp {
            return Err(Refused::Ended);
        }
        if let Some(group) = Group::of(command.kind()) {
            self.cooldowns
                .take(group, self.now)
                .map_err(|wait| Refused::Cooldown { group, wait })?;
        }
        if let Some(uid) = &command_uid {
            self.repeats.note(uid.clone(), operation, self.now);
        }
        let is_crowded = self.open.len() >= limits::COMMANDS_OPEN;
        let uid = command_uid.unwrap_or_else(|| operation.into());
        self.open.push(Open {
            kind: command.kind(),
            uid: uid.clone(),
            operation,
            due: self.now + limits::COMMAND_WITHIN,
        });
        // A call can be ended however many commands wait.
        if is_crowded && !matches!(command, Command::Hangup { .. }) {
            self.finish(operation, Err(CommandFailure::TooMany));
        } else {
            self.carry_out(command, Asked { uid, operation });
        }
        Ok(Accepted {
            operation,
            repeated: false,
        })
    }

    /// Takes a signal in.
    pub fn signal(&mut self, now: Duration, signal: Signal) -> Output {
        self.pass(now);
        match signal {
            Signal::Ring if self.state == CallState::New => self.state = CallState::Ringing,
            Signal::Answered => self.answered(),
            Signal::HungUp { cause } => self.end(cause, HangupBy::Line),
            Signal::DeviceLost => self.end(HangupCause::device_lost(), HangupBy::Device),
            Signal::Prepared {
                job,
                part,
                file_path,
            } => self.prepared(job, part, file_path),
            Signal::NotFound { job, url, error } => self.not_found(job, url, error),
            Signal::SoundStarted { sound } => self.sound_started(sound),
            Signal::SoundEnded { sound, end } => self.sound_ended(sound, end),
            Signal::Digit { digit, duration_ms } => self.digit(digit, duration_ms),
            Signal::RecordingStarted { take } => self.recording_started(take),
            Signal::RecordingEnded { take, outcome } => self.recording_ended(take, outcome),
            Signal::Ring | Signal::TimerDue => {}
        }
        self.tell_hangup();
        self.take_output()
    }

    /// When [`Signal::TimerDue`] is due, if ever.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let results = self.open.iter().map(|open| open.due);
        let ends = self.ending.iter().map(|ending| ending.due);
        let takes = self.sealing.iter().map(|take| take.due);
        let digits = self.speaking.iter().filter_map(Speaking::due);
        results.chain(ends).chain(takes).chain(digits).min()
    }

    pub(super) fn take_output(&mut self) -> Output {
        std::mem::take(&mut self.out)
    }

    /// Lets time pass. What is due happens in its order and at its own time, however late this is
    /// asked.
    pub(super) fn pass(&mut self, now: Duration) {
        let now = now.max(self.now);
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.expire_results();
            self.expire_digits();
            self.expire_endings();
            self.expire_takes();
            self.tell_hangup();
        }
        self.now = now;
    }

    fn carry_out(&mut self, command: Command, asked: Asked) {
        let operation = asked.operation;
        let needs_call = !matches!(command, Command::Answer | Command::Hangup { .. });
        if needs_call && self.state != CallState::Answered {
            self.finish(operation, Err(CommandFailure::NotAnswered));
            return;
        }
        if command.kind().is_about_sound() && !self.facts.plays {
            self.finish(operation, Err(CommandFailure::NoDevice));
            return;
        }
        let done = match command {
            Command::Answer => {
                match self.state {
                    CallState::Answered => self.finish(operation, Ok(())),
                    _ => self.act(Action::Answer),
                }
                return;
            }
            Command::Hangup { cause } => {
                self.finish(operation, Ok(()));
                self.act(Action::HangUp);
                self.end(cause, HangupBy::Command);
                return;
            }
            Command::PlaybackStart { urls, offset_sec } => {
                self.prepare_files(asked, urls, offset_sec);
                return;
            }
            Command::PlayAndGetDigits(collecting) => {
                self.prepare_digits(asked, *collecting);
                return;
            }
            Command::PlaybackSilence => {
                self.play_silence(asked);
                return;
            }
            Command::PlaybackStop => {
                self.stop_playback(operation);
                return;
            }
            Command::RecordStart { mask_digits } => {
                self.record(asked, mask_digits);
                return;
            }
            Command::PlaybackPause => self.pause_playback(),
            Command::PlaybackResume => self.resume_playback(),
            Command::PlaybackSeek { by_ms } => self.seek_playback(by_ms),
            Command::PlaybackRestart => self.restart_playback(),
            Command::RecordStop => self.end_recording(),
            Command::RecordPause { mode } => self.pause_recording(mode),
            Command::RecordResume => self.resume_recording(),
        };
        self.finish(operation, done);
    }

    fn answered(&mut self) {
        if !matches!(self.state, CallState::New | CallState::Ringing) {
            return;
        }
        self.state = CallState::Answered;
        self.answered_at = Some(self.now);
        self.tell(Event::CallAnswered {});
        let waiting: Vec<Uuid> = self
            .open
            .iter()
            .filter(|open| open.kind == CommandKind::Answer)
            .map(|open| open.operation)
            .collect();
        for operation in waiting {
            self.finish(operation, Ok(()));
        }
    }

    /// Ends the call: the first end counts. Sounds and recordings are told to end, everything else
    /// has ended when this returns.
    fn end(&mut self, cause: HangupCause, by: HangupBy) {
        if self.state == CallState::HungUp {
            return;
        }
        self.state = CallState::HungUp;
        self.hangup = Some(Hangup {
            cause,
            by,
            at: self.now,
        });
        self.end_sounds();
        self.end_take();
        for open in std::mem::take(&mut self.open) {
            self.tell_result(open, Err(CommandFailure::Ended));
        }
    }

    /// Tells `call.hangup` once no sound is ending any more.
    pub(super) fn tell_hangup(&mut self) {
        if !self.ending.is_empty() {
            return;
        }
        if let Some(hangup) = self.hangup.take() {
            let event = self.hangup_event(hangup);
            self.tell(event);
        }
    }

    pub(super) fn hangup_event(&self, Hangup { cause, by, at }: Hangup) -> Event {
        let since = |from: Duration| millis(at.saturating_sub(from));
        Event::CallHangup {
            cause,
            by,
            duration_ms: since(self.opened_at),
            answered_ms: self.answered_at.map_or(Millis::ZERO, since),
        }
    }

    fn expire_results(&mut self) {
        let now = self.now;
        let (late, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|open: &Open| open.due <= now);
        self.open = open;
        for open in late {
            self.tell_result(open, Err(CommandFailure::Timeout));
        }
    }

    /// Tells a command's result if it is still open.
    pub(super) fn finish(&mut self, operation: Uuid, done: Result<(), CommandFailure>) {
        let found = self
            .open
            .iter()
            .position(|open| open.operation == operation);
        if let Some(place) = found {
            let open = self.open.remove(place);
            self.tell_result(open, done);
        }
    }

    fn tell_result(&mut self, open: Open, done: Result<(), CommandFailure>) {
        self.tell(Event::CommandResult {
            command: open.kind,
            command_uid: open.uid,
            operation_id: open.operation,
            success: done.is_ok(),
            error: done.err(),
        });
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.sequence += 1;
        self.out.events.push(SessionEvent {
            sequence: self.sequence,
            event,
        });
    }

    pub(super) fn act(&mut self, action: Action) {
        self.out.actions.push(action);
    }

    /// A number for a job, a sound or a take.
    pub(super) const fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }
}

/// Whose wish something is.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The client's name for the command.
    pub(super) uid: CommandUid,
    /// The daemon's name for it.
    pub(super) operation: Uuid,
}

/// Whole milliseconds, rounded down.
pub(super) fn millis(duration: Duration) -> Millis {
    Millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
