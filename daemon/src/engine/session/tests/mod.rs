//! Tests of sessions: a rig that drives one by hand, and what every part is expected to do.

mod digits;
mod lifecycle;
mod playback;
mod property;
mod recording;

use std::time::Duration;

use audio_io::units::Millis;
use storage::ids::TenantId;
use uuid::Uuid;

use super::command::{Collecting, Command, CommandUid, Request, Urls};
use super::digits::Part;
use super::event::{CommandFailure, Event};
use super::plan::{Digit, DigitPlan, PlanNumbers, Terminators};
use super::signal::{Action, JobId, Signal, Sound, SoundEnd, SoundId, TakeId};
use super::{Accepted, Facts, Output, Refused, Session};

/// A session at a time that stands still until it is told to move.
pub(super) struct Rig {
    pub(super) session: Session,
    pub(super) now: Duration,
    operations: u128,
    /// Everything since the last look.
    pub(super) actions: Vec<Action>,
    pub(super) events: Vec<Event>,
    sequence: u64,
}

impl Rig {
    pub(super) fn new() -> Self {
        let facts = Facts {
            uuid: Uuid::from_u128(7),
            owner: TenantId(3),
            line: "trunk-1".into(),
            caller_id: Some("+15550100".into()),
            did: None,
            plays: true,
        };
        let now = Duration::from_secs(1_000);
        let (session, output) = Session::open(facts, now);
        let mut rig = Self {
            session,
            now,
            operations: 0,
            actions: Vec::new(),
            events: Vec::new(),
            sequence: 0,
        };
        rig.keep(output);
        rig
    }

    /// A call that is answered, with nothing to be seen yet.
    pub(super) fn answered() -> Self {
        let mut rig = Self::new();
        rig.signal(Signal::Answered);
        rig.look();
        rig
    }

    fn keep(&mut self, output: Output) {
        for event in output.events {
            self.sequence += 1;
            assert_eq!(event.sequence, self.sequence, "no gap, no repetition");
            self.events.push(event.event);
        }
        self.actions.extend(output.actions);
    }

    /// Forgets what was seen.
    pub(super) fn look(&mut self) {
        self.actions.clear();
        self.events.clear();
    }

    pub(super) fn pass_ms(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.signal(Signal::TimerDue);
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        let output = self.session.signal(self.now, signal);
        self.keep(output);
    }

    pub(super) fn try_command(
        &mut self,
        command: Command,
        uid: Option<&str>,
    ) -> Result<Accepted, Refused> {
        self.operations += 1;
        let request = Request {
            command,
            command_uid: uid.map(|uid| CommandUid::new(uid).unwrap()),
            operation: Uuid::from_u128(self.operations),
        };
        let (answer, output) = self.session.command(self.now, request);
        self.keep(output);
        answer
    }

    /// A command that comes after every pause.
    pub(super) fn command(&mut self, command: Command, uid: &str) {
        self.pass_ms(2_000);
        self.at_once(command, uid);
    }

    /// A command that comes at once and is taken on.
    pub(super) fn at_once(&mut self, command: Command, uid: &str) {
        let accepted = self.try_command(command, Some(uid)).unwrap();
        assert!(!accepted.repeated);
    }

    pub(super) fn start(&mut self, uid: &str) -> JobId {
        self.command(start(), uid);
        self.job()
    }

    /// The files of a job are there.
    pub(super) fn prepared(&mut self, job: JobId, part: Part) {
        self.signal(Signal::Prepared {
            job,
            part,
            file_path: "greeting".into(),
        });
    }

    /// Starts files and lets the player begin.
    pub(super) fn playing(&mut self, uid: &str) -> SoundId {
        let job = self.start(uid);
        self.prepared(job, Part::Prompt);
        let sound = self.sound();
        self.signal(Signal::SoundStarted { sound });
        sound
    }

    pub(super) fn ended(&mut self, sound: SoundId, offset_ms: u64, duration_ms: u64) {
        self.signal(Signal::SoundEnded {
            sound,
            end: SoundEnd {
                offset_ms: Millis(offset_ms),
                duration_ms: Millis(duration_ms),
                failed: false,
            },
        });
    }

    pub(super) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.signal(Signal::Digit {
                digit: Digit::new(key).unwrap(),
                duration_ms: Millis(80),
            });
        }
    }

    /// The job that was prepared last.
    pub(super) fn job(&self) -> JobId {
        let jobs = self.actions.iter().rev();
        let found = jobs.into_iter().find_map(|action| match action {
            Action::Prepare { job, .. } => Some(*job),
            _ => None,
        });
        found.expect("a job")
    }

    /// The sound that was played last, and what it is.
    pub(super) fn played(&self) -> (SoundId, Sound) {
        let sounds = self.actions.iter().rev();
        let found = sounds.into_iter().find_map(|action| match action {
            Action::Play { sound, what } => Some((*sound, *what)),
            _ => None,
        });
        found.expect("a sound")
    }

    pub(super) fn sound(&self) -> SoundId {
        self.played().0
    }

    /// The recording that was begun last.
    pub(super) fn take(&self) -> TakeId {
        let takes = self.actions.iter().rev();
        let found = takes.into_iter().find_map(|action| match action {
            Action::Record { take, .. } => Some(*take),
            _ => None,
        });
        found.expect("a take")
    }

    /// Names of the events since the last look; results with their uid and how they ended.
    pub(super) fn told(&self) -> Vec<String> {
        let tell = |event: &Event| match event {
            Event::CommandResult {
                command_uid, error, ..
            } => match error {
                None => format!("{command_uid} ok"),
                Some(error) => format!("{command_uid} {error}"),
            },
            Event::PlaybackStopped {
                playback, reason, ..
            } => format!("{} stopped {reason:?}", playback.command_uid),
            Event::PlaybackStarted(playback) => format!("{} started", playback.command_uid),
            other => other.name().into(),
        };
        self.events.iter().map(tell).collect()
    }

    /// The errors of results since the last look.
    pub(super) fn failures(&self) -> Vec<CommandFailure> {
        let failures = self.events.iter().filter_map(|event| match event {
            Event::CommandResult { error, .. } => *error,
            _ => None,
        });
        failures.collect()
    }
}

pub(super) fn urls(texts: &[&str]) -> Urls {
    Urls::new(texts).unwrap()
}

pub(super) fn start() -> Command {
    Command::PlaybackStart {
        urls: urls(&["http://a.example/1.wav", "https://a.example/2.wav"]),
        offset_sec: 0,
    }
}

pub(super) fn hangup() -> Command {
    Command::Hangup {
        cause: super::command::HangupCause::default(),
    }
}

pub(super) fn plan(min: u32, max: u32, tries: u32, terminators: &str) -> DigitPlan {
    let numbers = PlanNumbers {
        min_digits: min,
        max_digits: max,
        max_tries: tries,
        timeout_ms: 5_000,
    };
    DigitPlan::new(numbers, Terminators::new(terminators).unwrap()).unwrap()
}

pub(super) fn collect(plan: DigitPlan, invalid: bool) -> Command {
    Command::PlayAndGetDigits(Box::new(Collecting {
        prompt: urls(&["http://a.example/pin.wav"]),
        invalid: invalid.then(|| urls(&["http://a.example/wrong.wav"])),
        plan,
    }))
}
