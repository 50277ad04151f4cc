//! The daemon dies at random moments, and starts again on what had reached the disk: whatever was
//! told as begun ends in exactly one event, whatever was promised has its result, and nothing is
//! told twice.

use std::collections::HashMap;
use std::sync::Arc;

use audio_io::format::{Channels, Encoding, StreamFormat};
use audio_io::units::{Millis, SampleRate, WallMillis};
use proptest::prelude::*;
use serde_json::Value;
use storage::ids::{CallSid, ExternalId, Names, RecordingId};
use storage::outbox::NewEvent;
use storage::record::{Container, Recording, RecordingFacts, RecordingState};
use uuid::Uuid;

use super::super::CommandError;
use super::super::link::{LineNews, LineOrder, TakeEnd, own_take};
use super::rig::{API, Disk, PHONE, Reply, Rig, TENANT, VOX, start};
use crate::engine::session::Accepted;
use crate::engine::session::command::{Collecting, Command, HangupCause, Urls};
use crate::engine::session::plan::{Digit, DigitPlan, PlanNumbers, Terminators};
use crate::engine::session::signal::TakeId;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    Voice,
    Ring,
    Answered,
    Command(u8),
    Files(bool),
    Digit(char),
    Began,
    Ended(u8),
    LineEnds,
    DeviceLost,
    Run(u64),
    Commit(usize),
    Full(bool),
    Crash,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Open),
        2 => Just(Step::Voice),
        2 => Just(Step::Ring),
        2 => Just(Step::Answered),
        20 => (0..9_u8).prop_map(Step::Command),
        12 => any::<bool>().prop_map(Step::Files),
        6 => prop_oneof![Just('1'), Just('#')].prop_map(Step::Digit),
        6 => Just(Step::Began),
        4 => (0..3_u8).prop_map(Step::Ended),
        1 => Just(Step::LineEnds),
        1 => Just(Step::DeviceLost),
        14 => prop_oneof![Just(20), Just(300), Just(2_500)].prop_map(Step::Run),
        16 => (1..4_usize).prop_map(Step::Commit),
        1 => any::<bool>().prop_map(Step::Full),
        2 => Just(Step::Crash),
        1 => Just(Step::Stop),
    ]
}

struct World {
    rig: Rig,
    /// The newest call on each line.
    calls: [Option<Uuid>; 3],
    /// Recordings that a line makes: whose, under which name and number.
    takes: Vec<(Uuid, TakeId, Option<RecordingId>)>,
    asked: Vec<(Uuid, Reply<Accepted, CommandError>)>,
    /// Operations whose taking on was durable.
    promised: Vec<(Uuid, Uuid)>,
    count: u64,
}

impl World {
    fn new() -> Self {
        let rig = Rig::new();
        rig.disk.lock().is_slow = true;
        Self {
            rig,
            calls: [None; 3],
            takes: Vec::new(),
            asked: Vec::new(),
            promised: Vec::new(),
            count: 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn happen(&mut self, step: Step) {
        match step {
            Step::Open => {
                let _may_be_busy = self.rig.try_open(TENANT, "desk");
                let opened = self.rig.exchange.lines[0].call;
                if opened != self.calls[0]
                    && let Some(uuid) = opened
                {
                    self.calls[0] = opened;
                    self.command(uuid, Command::Answer);
                }
            }
            Step::Voice => {
                let uuid = self.rig.voice();
                self.calls[1] = Some(uuid);
                let id = RecordingId(self.next());
                let take = own_take(id);
                self.rig
                    .news(VOX, uuid, LineNews::RecordingBegan { take, id });
                self.takes.push((uuid, take, Some(id)));
            }
            Step::Ring => self.calls[2] = Some(self.rig.ring()),
            Step::Answered => {
                if let Some(uuid) = self.calls[2] {
                    self.rig.news(PHONE, uuid, LineNews::Answered);
                }
            }
            Step::Command(which) => self.some_command(which),
            Step::Files(good) => {
                for (key, _) in self.rig.jobs() {
                    match good {
                        true => self.rig.prepared(key, &[700]),
                        false => self.rig.missing(key),
                    }
                }
            }
            Step::Digit(key) => {
                let digit = Digit::new(key).unwrap();
                let duration_ms = Millis(80);
                if let Some(uuid) = self.calls[0] {
                    self.rig
                        .news(API, uuid, LineNews::Digit { digit, duration_ms });
                }
            }
            Step::Began => self.recordings_begin(),
            Step::Ended(how) => self.recording_ends(how),
            Step::LineEnds => self.tell_all(|| LineNews::CallEnded {
                cause: HangupCause::default(),
            }),
            Step::DeviceLost => self.tell_all(|| LineNews::DeviceLost),
            Step::Run(ms) => self.rig.run_ms(ms),
            Step::Commit(count) => self.rig.disk.commit(count),
            Step::Full(is_full) => self.rig.disk.lock().is_full = is_full,
            Step::Crash => self.crash(),
            Step::Stop => {
                self.rig.exchange.hang_up();
                self.rig.run_ms(100);
                self.rig.disk.commit(usize::MAX);
                self.crash();
            }
        }
        self.hear();
    }

    fn some_command(&mut self, which: u8) {
        let collect = || {
            Command::PlayAndGetDigits(Box::new(Collecting {
                prompt: Urls::new(&["http://a.example/pin.wav"]).unwrap(),
                invalid: None,
                plan: DigitPlan::new(PlanNumbers::default(), Terminators::default()).unwrap(),
            }))
        };
        let command = match which {
            0 | 1 => start(),
            2 => Command::PlaybackSilence,
            3 => collect(),
            4 => Command::PlaybackStop,
            5 => Command::RecordStart { mask_digits: None },
            6 => Command::RecordStop,
            7 => Command::PlaybackPause,
            _ => Command::Hangup {
                cause: HangupCause::default(),
            },
        };
        let line = match which >= 5 {
            true => self.count % 3,
            false => 0,
        };
        if let Some(uuid) = self.calls[usize::try_from(line).unwrap()] {
            self.command(uuid, command);
        }
    }

    fn command(&mut self, uuid: Uuid, command: Command) {
        let uid = format!("u{}", self.next());
        let reply = self.rig.command(uuid, command, &uid);
        self.asked.push((uuid, reply));
    }

    /// Keeps what was promised by now.
    fn hear(&mut self) {
        for (uuid, mut reply) in std::mem::take(&mut self.asked) {
            match reply.try_now() {
                Some(Ok(accepted)) => self.promised.push((uuid, accepted.operation)),
                Some(Err(_)) => {}
                None => self.asked.push((uuid, reply)),
            }
        }
        let orders: Vec<_> = std::mem::take(&mut self.rig.orders);
        for (_, order) in orders {
            if let LineOrder::Record { session, take, .. } = order {
                self.takes.push((session, take, None));
            }
        }
    }

    fn recordings_begin(&mut self) {
        let mut takes = std::mem::take(&mut self.takes);
        for (uuid, take, id) in takes.iter_mut().filter(|(_, _, id)| id.is_none()) {
            let number = RecordingId(self.next());
            *id = Some(number);
            let (take, id) = (*take, number);
            self.rig
                .news(API, *uuid, LineNews::RecordingBegan { take, id });
        }
        self.takes = takes;
    }

    fn recording_ends(&mut self, how: u8) {
        let Some((uuid, take, id)) = self.takes.pop() else {
            return;
        };
        let end = match (how, id) {
            (0, Some(id)) => TakeEnd::Stored(Box::new(recording(id, RecordingState::Stored))),
            (1, _) => TakeEnd::Absent,
            _ => TakeEnd::Failed("the disk is full".into()),
        };
        self.rig
            .news(API, uuid, LineNews::RecordingEnded { take, end });
    }

    fn tell_all(&mut self, what: impl Fn() -> LineNews) {
        for (line, call) in [API, VOX, PHONE].into_iter().zip(self.calls) {
            if let Some(uuid) = call {
                self.rig.news(line, uuid, what());
            }
        }
    }

    fn crash(&mut self) {
        self.hear();
        self.asked.clear();
        let disk = Arc::clone(&self.rig.disk);
        {
            let mut state = disk.lock();
            (state.is_slow, state.is_full) = (false, false);
            for (_, _, id) in self.takes.drain(..) {
                let ends = [RecordingState::Stored, RecordingState::Absent];
                if let Some(id) = id {
                    let end = ends[usize::try_from(id.0 % 2).unwrap()];
                    state.recordings.insert(id, recording(id, end));
                }
            }
        }
        disk.crash();
        self.rig = Rig::on(Arc::clone(&disk));
        self.calls = [None; 3];
        self.check(&disk);
        disk.lock().is_slow = true;
    }

    /// After a start nothing is open.
    fn check(&self, disk: &Disk) {
        let state = disk.lock();
        assert!(state.notes.is_empty());
        for (uuid, events) in &state.events {
            check_session(*uuid, events);
        }
        for (uuid, operation) in &self.promised {
            let results = state.events[uuid].iter().filter(|event| {
                event.event == "command.result"
                    && data(event)["operation_id"] == operation.to_string()
            });
            assert_eq!(results.count(), 1, "{operation} of {uuid}");
        }
    }
}

fn data(event: &NewEvent) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

/// Every started thing has one end, and nothing is told twice.
fn check_session(uuid: Uuid, events: &[NewEvent]) {
    let mut counts: HashMap<(String, String), usize> = HashMap::new();
    let mut is_over = false;
    for event in events {
        let data = data(event);
        let name = match event.event.as_str() {
            "recording.completed" | "recording.absent" | "recording.failed" => "recording.end",
            "dtmf" | "recording.paused" => continue,
            other => other,
        };
        assert!(
            !is_over || name.starts_with("recording."),
            "{name} after the end"
        );
        is_over |= name == "call.hangup";
        let uid = data["command_uid"].as_str().unwrap_or_default().to_owned();
        *counts.entry((name.to_owned(), uid)).or_default() += 1;
    }
    for ((name, uid), count) in &counts {
        assert_eq!(*count, 1, "{name} {uid} of {uuid}: {events:#?}");
        let end = match name.as_str() {
            "call.new" => "call.hangup",
            "playback.started" => "playback.stopped",
            "recording.started" => "recording.end",
            _ => continue,
        };
        let ended = (end.to_owned(), uid.clone());
        assert!(
            counts.contains_key(&ended),
            "{name} {uid} of {uuid}: {events:#?}"
        );
    }
}

fn recording(id: RecordingId, state: RecordingState) -> Recording {
    let text = format!("{:012x}", id.0);
    let names = Names {
        call_sid: CallSid::new(format!("call_{text}")).unwrap(),
        crt_object_id: ExternalId::new(&text).unwrap(),
        campaign_id: 1,
        call_id: ExternalId::new(&text).unwrap(),
        task_id: Uuid::nil(),
        session_uuid: Uuid::nil(),
    };
    Recording {
        facts: RecordingFacts {
            tenant: TENANT,
            id,
            names,
            line: None,
            from: None,
            to: None,
            started_at: WallMillis(0),
            format: StreamFormat {
                rate: SampleRate::TELEPHONE,
                encoding: Encoding::S16Le,
                channels: Channels::Mono,
            },
            container: Container::Wav,
            time: None,
            agent: None,
            direction: None,
        },
        state,
        outcome: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_started_thing_ends_once(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.happen(step);
        }
        world.happen(Step::Crash);
    }
}

#[test]
fn what_was_open_is_ended_in_order() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    rig.start(uuid, "hello", 60_000);
    rig.run_ms(1_000);
    let record = Command::RecordStart { mask_digits: None };
    rig.command(uuid, record, "take").now().unwrap();
    let Some((API, LineOrder::Record { take, .. })) = rig.orders.pop() else {
        panic!("{:?}", rig.orders);
    };
    let id = RecordingId(6);
    rig.news(API, uuid, LineNews::RecordingBegan { take, id });
    rig.command(uuid, start(), "next").now().unwrap();
    let disk = Arc::clone(&rig.disk);
    let stored = recording(id, RecordingState::Stored);
    disk.lock().recordings.insert(id, stored);
    drop(rig);
    let before = disk.lock().events[&uuid].len();
    let rig = Rig::on(Arc::clone(&disk));
    assert_eq!(
        rig.told(uuid)[before..],
        [
            "next: the daemon was restarted before it was done",
            "stopped next error",
            "stopped hello error",
            "call.hangup CRASH line",
            "recording.completed take",
        ]
    );
    {
        let state = disk.lock();
        let end = data(state.events[&uuid].last().unwrap());
        assert_eq!(end["recording_url"], "http://box/6");
        let hangup = data(&state.events[&uuid][before + 3]);
        assert!(hangup["answered_ms"].as_u64().unwrap() >= 1_000, "{hangup}");
    }
    let told = rig.told(uuid).len();
    let rig = Rig::on(disk);
    assert_eq!(rig.told(uuid).len(), told, "once");
}
