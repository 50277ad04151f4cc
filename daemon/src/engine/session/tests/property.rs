//! Random schedules: whatever comes in whatever order, with a player, a fetcher and a recorder
//! that answer late, twice, wrongly or never, the invariants of `session/mod.rs` hold.

use std::collections::HashMap;
use std::time::Duration;

use audio_io::units::Millis;
use proptest::prelude::*;

use super::super::command::{Command, CommandKind, HangupCause, PauseMode};
use super::super::digits::Part;
use super::super::event::{CommandFailure, Event};
use super::super::limits;
use super::super::plan::Digit;
use super::super::signal::{Action, JobId, Signal, SoundEnd, SoundId, TakeId, TakeOutcome};
use super::super::{CallState, Refused};
use super::{Rig, collect, hangup, plan, start};

/// A command of each kind.
pub(super) fn sample(kind: CommandKind) -> Command {
    match kind {
        CommandKind::Answer => Command::Answer,
        CommandKind::Hangup => hangup(),
        CommandKind::PlaybackStart => start(),
        CommandKind::PlaybackStop => Command::PlaybackStop,
        CommandKind::PlaybackPause => Command::PlaybackPause,
        CommandKind::PlaybackResume => Command::PlaybackResume,
        CommandKind::PlaybackSeek => Command::PlaybackSeek { by_ms: 10_000 },
        CommandKind::PlaybackRestart => Command::PlaybackRestart,
        CommandKind::PlaybackSilence => Command::PlaybackSilence,
        CommandKind::PlayAndGetDigits => collect(plan(1, 3, 2, "#"), true),
        CommandKind::RecordStart => Command::RecordStart { mask_digits: None },
        CommandKind::RecordStop => Command::RecordStop,
        CommandKind::RecordPause => Command::RecordPause {
            mode: PauseMode::Skip,
        },
        CommandKind::RecordResume => Command::RecordResume,
    }
}

/// One thing that happens. Numbers choose among what is there, or name what never was.
#[derive(Clone, Debug)]
enum Happening {
    /// With the same uid as this many commands before, if so.
    Command(usize, Option<u8>),
    Pass(u64),
    Timer,
    Ring,
    Answered,
    Line,
    Device,
    Prepared(u64, bool),
    NotFound(u64),
    Started(u64),
    Ended(u64, bool),
    Key(usize),
    RecordingStarted(u64),
    RecordingEnded(u64, u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let which = 0..6_u64;
    prop_oneof![
        30 => (0..CommandKind::ALL.len(), prop::option::weighted(0.1, 1..4_u8))
            .prop_filter("ends are rarer", |(kind, _)| *kind != 1)
            .prop_map(|(kind, back)| Happening::Command(kind, back)),
        1 => Just(Happening::Command(1, None)),
        20 => prop_oneof![0..200_u64, 200..3_000_u64, 3_000..30_000_u64].prop_map(Happening::Pass),
        10 => Just(Happening::Timer),
        1 => Just(Happening::Ring),
        4 => Just(Happening::Answered),
        1 => Just(Happening::Line),
        1 => Just(Happening::Device),
        20 => (which.clone(), any::<bool>()).prop_map(|(id, part)| Happening::Prepared(id, part)),
        4 => which.clone().prop_map(Happening::NotFound),
        15 => which.clone().prop_map(Happening::Started),
        15 => (which.clone(), any::<bool>()).prop_map(|(id, bad)| Happening::Ended(id, bad)),
        15 => (0..6_usize).prop_map(Happening::Key),
        8 => which.clone().prop_map(Happening::RecordingStarted),
        8 => (which, 0..3_u8).prop_map(|(id, how)| Happening::RecordingEnded(id, how)),
    ]
}

struct World {
    rig: Rig,
    /// Accepted commands by uid.
    accepted: HashMap<String, CommandKind>,
    uids: Vec<String>,
}

impl World {
    fn new(is_answered: bool) -> Self {
        let mut rig = Rig::new();
        if is_answered {
            rig.signal(Signal::Answered);
        }
        Self {
            rig,
            accepted: HashMap::new(),
            uids: Vec::new(),
        }
    }

    /// The newest job, sound and take have the largest numbers: `back` counts from there.
    fn newest(&self, back: u64) -> u64 {
        let names = self.rig.actions.iter().filter_map(|action| match action {
            Action::Prepare { job, .. } => Some(job.0),
            Action::Play { sound, .. } => Some(sound.0),
            Action::Record { take, .. } => Some(take.0),
            _ => None,
        });
        names.max().unwrap_or(0).saturating_sub(back)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Command(kind, back) => self.command(CommandKind::ALL[kind], back),
            Happening::Pass(ms) => self.rig.now += Duration::from_millis(ms),
            other => {
                let signal = self.signal(other);
                self.rig.signal(signal);
            }
        }
        self.check();
    }

    fn command(&mut self, kind: CommandKind, back: Option<u8>) {
        let old = back.and_then(|back| self.uids.iter().rev().nth(usize::from(back)).cloned());
        let uid = old.unwrap_or_else(|| format!("u{}", self.uids.len()));
        let was_over = self.rig.session.snapshot().state == CallState::HungUp;
        match self.rig.try_command(sample(kind), Some(&uid)) {
            Ok(accepted) => {
                assert_eq!(accepted.repeated, self.accepted.contains_key(&uid));
                assert!(accepted.repeated || !was_over);
                self.accepted.entry(uid.clone()).or_insert(kind);
                self.uids.push(uid);
            }
            Err(Refused::Ended) => assert!(!self.accepted.contains_key(&uid)),
            Err(Refused::Cooldown { group, wait }) => assert!(wait <= group.pause()),
        }
    }

    fn signal(&self, happening: Happening) -> Signal {
        match happening {
            Happening::Ring => Signal::Ring,
            Happening::Answered => Signal::Answered,
            Happening::Line => Signal::HungUp {
                cause: HangupCause::default(),
            },
            Happening::Device => Signal::DeviceLost,
            Happening::Prepared(back, invalid) => Signal::Prepared {
                job: JobId(self.newest(back)),
                part: if invalid { Part::Invalid } else { Part::Prompt },
                file_path: "files".into(),
            },
            Happening::NotFound(back) => Signal::NotFound {
                job: JobId(self.newest(back)),
                url: "http://a.example/".into(),
                error: "404".into(),
            },
            Happening::Started(back) => Signal::SoundStarted {
                sound: SoundId(self.newest(back)),
            },
            Happening::Ended(back, failed) => Signal::SoundEnded {
                sound: SoundId(self.newest(back)),
                end: SoundEnd {
                    offset_ms: Millis(5),
                    duration_ms: Millis(5),
                    failed,
                },
            },
            Happening::Key(key) => Signal::Digit {
                digit: Digit::new(['0', '5', '9', '#', '*', 'D'][key]).unwrap(),
                duration_ms: Millis(60),
            },
            Happening::RecordingStarted(back) => Signal::RecordingStarted {
                take: TakeId(self.newest(back)),
            },
            Happening::RecordingEnded(back, how) => Signal::RecordingEnded {
                take: TakeId(self.newest(back)),
                outcome: match how {
                    0 => TakeOutcome::Completed {
                        recording_url: "http://box/".into(),
                        duration_ms: Millis(9),
                    },
                    1 => TakeOutcome::Absent,
                    _ => TakeOutcome::Failed {
                        error: "disk".into(),
                    },
                },
            },
            _ => Signal::TimerDue,
        }
    }

    /// What holds after every happening.
    fn check(&self) {
        let session = &self.rig.session;
        assert!(
            session.ending.len() <= 16,
            "{} sounds end",
            session.ending.len()
        );
        assert!(session.sealing.len() <= limits::RECORDINGS_ENDING + 1);
        assert_eq!(session.snapshot().sequence, self.rig.sequence);
        if session.is_over() {
            assert_eq!(session.next_due(), None);
        }
    }

    /// Ends the call, lets every watchdog bark, and counts.
    fn settle(&mut self) {
        self.rig.signal(Signal::DeviceLost);
        self.rig.now += limits::RECORDER_REPORT;
        self.rig.signal(Signal::TimerDue);
        assert!(self.rig.session.is_over());
        let seen = self.rig.events.len();
        self.rig.now += Duration::from_secs(3_600);
        self.rig.signal(Signal::TimerDue);
        assert_eq!(self.rig.events.len(), seen, "nothing after the end");
        self.count_ends();
        self.check_order();
        self.check_actions();
    }

    fn count_ends(&self) {
        let mut results = HashMap::<&str, Option<CommandFailure>>::new();
        let mut ends = HashMap::<&str, Vec<&Event>>::new();
        for event in &self.rig.events {
            match event {
                Event::CommandResult {
                    command_uid,
                    command,
                    error,
                    ..
                } => {
                    let uid = command_uid.as_str();
                    assert_eq!(Some(command), self.accepted.get(uid));
                    assert_eq!(results.insert(uid, *error), None, "{uid}: two results");
                }
                Event::PlaybackStopped { playback, .. } => {
                    let uid = playback.command_uid.as_str();
                    ends.entry(uid).or_default().push(event);
                }
                Event::FileNotFound { command_uid, .. }
                | Event::DigitsCollected { command_uid, .. }
                | Event::RecordingCompleted { command_uid, .. }
                | Event::RecordingAbsent { command_uid }
                | Event::RecordingFailed { command_uid, .. } => {
                    ends.entry(command_uid.as_str()).or_default().push(event);
                }
                _ => {}
            }
        }
        assert_eq!(
            results.len(),
            self.accepted.len(),
            "every command has a result"
        );
        for (uid, kind) in &self.accepted {
            let events = ends.remove(uid.as_str()).unwrap_or_default();
            let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
            let missing = count(|event| matches!(event, Event::FileNotFound { .. }));
            let collected = count(|event| matches!(event, Event::DigitsCollected { .. }));
            let expected = match kind {
                CommandKind::PlaybackStart | CommandKind::PlaybackSilence => 1,
                CommandKind::PlayAndGetDigits => {
                    assert!(missing <= 1);
                    1 + missing
                }
                CommandKind::RecordStart => 1,
                _ => 0,
            };
            // What the session refused to begin has no end.
            let never_began = matches!(
                results[uid.as_str()],
                Some(
                    CommandFailure::NotAnswered
                        | CommandFailure::TooMany
                        | CommandFailure::Recording
                        | CommandFailure::RecordingsEnding
                )
            );
            let expected = if never_began { 0 } else { expected };
            assert!(events.len() == expected, "{uid} {kind:?}: {events:?}");
            if *kind == CommandKind::PlayAndGetDigits && !never_began {
                assert_eq!(collected, 1);
            }
        }
        assert!(ends.is_empty(), "ends of what never began: {ends:?}");
    }

    fn check_order(&self) {
        let events = &self.rig.events;
        let place = |is: &dyn Fn(&Event) -> bool| events.iter().position(is);
        let count = |name: &str| events.iter().filter(|event| event.name() == name).count();
        assert_eq!(place(&|event| event.name() == "call.new"), Some(0));
        assert_eq!((count("call.new"), count("call.hangup")), (1, 1));
        assert!(count("call.answered") <= 1);
        let hangup = place(&|event| event.name() == "call.hangup").unwrap();
        for event in &events[hangup + 1..] {
            assert!(event.name().starts_with("recording."), "{event:?}");
        }
        for (number, event) in events.iter().enumerate() {
            if let Event::PlaybackStarted(started) = event {
                let same = |other: &Event| match other {
                    Event::PlaybackStopped { playback, .. } => {
                        playback.command_uid == started.command_uid
                    }
                    Event::PlaybackStarted(other) => other.command_uid == started.command_uid,
                    _ => false,
                };
                assert!(
                    !events[..number].iter().any(same),
                    "told after its end, or twice"
                );
            }
        }
    }

    fn check_actions(&self) {
        let mut jobs = HashMap::<JobId, i32>::new();
        let mut takes = HashMap::<TakeId, (u32, u32)>::new();
        let mut stopped = Vec::new();
        for action in &self.rig.actions {
            match action {
                Action::Prepare { job, part, .. } if *part == Part::Prompt => {
                    assert_eq!(jobs.insert(*job, 1), None);
                }
                Action::Release { job } => *jobs.get_mut(job).unwrap() -= 1,
                Action::Record { take, .. } => takes.entry(*take).or_default().0 += 1,
                Action::EndRecording { take } => takes.entry(*take).or_default().1 += 1,
                Action::Stop { sound } => {
                    assert!(!stopped.contains(sound), "stopped twice");
                    stopped.push(*sound);
                }
                Action::Play { sound, .. }
                | Action::Pause { sound }
                | Action::Resume { sound }
                | Action::Seek { sound, .. }
                | Action::Restart { sound } => assert!(!stopped.contains(sound)),
                _ => {}
            }
        }
        assert!(
            jobs.values().all(|left| *left == 0),
            "released once: {jobs:?}"
        );
        for (begun, ended) in takes.values() {
            assert!(*begun == 1 && *ended <= 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn every_schedule_ends_in_one_defined_state(
        is_answered in prop::bool::weighted(0.9),
        happenings in prop::collection::vec(happening(), 0..120),
    ) {
        let mut world = World::new(is_answered);
        for happening in happenings {
            world.happen(happening);
        }
        world.settle();
    }

    #[test]
    fn when_the_timer_is_asked_makes_no_difference(
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        // A driver that never asks in between, and one that asks at every due time.
        let mut lazy = World::new(true);
        let mut eager = World::new(true);
        for happening in happenings {
            while let Some(due) = eager.rig.session.next_due() {
                let coming = match happening {
                    Happening::Pass(ms) => eager.rig.now + Duration::from_millis(ms),
                    _ => eager.rig.now,
                };
                if due > coming {
                    break;
                }
                let output = eager.rig.session.signal(due, Signal::TimerDue);
                eager.rig.keep(output);
            }
            eager.happen(happening.clone());
            lazy.happen(happening);
        }
        lazy.settle();
        eager.settle();
        prop_assert_eq!(lazy.rig.events, eager.rig.events);
    }
}
