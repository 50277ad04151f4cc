//! Whole calls, and what comes between.

use audio_io::units::{Millis, WallMillis};
use storage::ids::RecordingId;

use super::super::link::{LineNews, LineOrder, TakeEnd, own_take};
use super::super::{CallError, CommandError, OpenCallError};
use super::rig::{API, Rig, STRANGER, TENANT, VOX, start};
use crate::engine::session::command::{Collecting, Command, HangupCause, PauseMode, Urls};
use crate::engine::session::event::CommandFailure;
use crate::engine::session::plan::{Digit, DigitPlan, PlanNumbers, Terminators};
use crate::engine::session::{CallState, Refused};

fn hangup() -> Command {
    Command::Hangup {
        cause: HangupCause::default(),
    }
}

fn key(key: char) -> LineNews {
    LineNews::Digit {
        digit: Digit::new(key).unwrap(),
        duration_ms: Millis(80),
    }
}

fn collect() -> Command {
    let numbers = PlanNumbers::default();
    Command::PlayAndGetDigits(Box::new(Collecting {
        prompt: Urls::new(&["http://a.example/pin.wav"]).unwrap(),
        invalid: Some(Urls::new(&["http://a.example/no.wav"]).unwrap()),
        plan: DigitPlan::new(numbers, Terminators::default()).unwrap(),
    }))
}

#[test]
fn a_call_lasts_as_long_as_it_lasts_whatever_is_done_to_the_clock() {
    for wall in [0, 1_763_696_400_000, 2_147_483_648_000, 4_294_967_296_000] {
        let mut rig = Rig::new();
        let uuid = rig.answered();
        let before = rig.look(uuid).lasted.0;
        rig.run_ms(1_000);
        rig.clock.step_wall(WallMillis(wall));
        rig.run_ms(1_000);
        assert_eq!(rig.look(uuid).lasted.0 - before, 2_000, "{wall}");
        rig.command(uuid, hangup(), "bye").now().unwrap();
        let view = rig.look(uuid);
        assert!(view.ended_at.is_some());
        rig.run_ms(1_000);
        assert_eq!(rig.look(uuid).lasted, view.lasted, "it is over");
    }
}

#[test]
fn a_whole_call() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    assert!(
        matches!(&rig.orders[..], [(API, LineOrder::Attach { session, .. })]
        if *session == uuid)
    );
    rig.start(uuid, "hello", 500);
    rig.run_ms(200);
    let view = rig.look(uuid);
    let playing = view.playing.expect("something plays");
    assert_eq!(playing.command_uid.as_str(), "hello");
    assert!((100..=200).contains(&playing.offset_ms.0), "{playing:?}");
    rig.run_ms(500);
    rig.command(uuid, collect(), "pin").now().unwrap();
    let (prompt, _) = rig.jobs().remove(0);
    rig.prepared(prompt, &[300]);
    let (invalid, _) = rig.jobs().remove(0);
    rig.prepared(invalid, &[300]);
    rig.run_ms(100);
    rig.news(API, uuid, key('4'));
    rig.news(API, uuid, key('2'));
    rig.news(API, uuid, key('#'));
    rig.run_ms(2_000);
    let record = Command::RecordStart { mask_digits: None };
    rig.command(uuid, record, "take").now().unwrap();
    let Some((API, LineOrder::Record { take, .. })) = rig.orders.pop() else {
        panic!("{:?}", rig.orders);
    };
    let id = RecordingId(70);
    rig.news(API, uuid, LineNews::RecordingBegan { take, id });
    let pause = Command::RecordPause {
        mode: PauseMode::Skip,
    };
    rig.command(uuid, pause, "hush").now().unwrap();
    assert_eq!(rig.look(uuid).recordings[0].id, Some(id));
    rig.command(uuid, hangup(), "bye").now().unwrap();
    let end = TakeEnd::Absent;
    rig.news(API, uuid, LineNews::RecordingEnded { take, end });
    assert_eq!(
        rig.told(uuid),
        [
            "call.new",
            "call.answered",
            "answer ok",
            "playback.started",
            "hello ok",
            "stopped hello completed",
            "pin ok",
            "dtmf 4",
            "dtmf 2",
            "dtmf #",
            "collected 42 success",
            "recording.started take",
            "take ok",
            "recording.paused take",
            "hush ok",
            "bye ok",
            "call.hangup NORMAL_CLEARING command",
            "recording.absent take",
        ]
    );
    over(&mut rig, uuid);
}

/// What is left of the call when all is told.
fn over(rig: &mut Rig, uuid: uuid::Uuid) {
    let order = |(_, order): &(_, LineOrder)| matches!(order, LineOrder::Detach { .. });
    assert_eq!(rig.orders.iter().filter(|one| order(one)).count(), 1);
    let view = rig.look(uuid);
    assert_eq!(view.snapshot.state, CallState::HungUp);
    assert_eq!(view.recordings[0].state, "absent");
    assert!(view.ended_at.is_some() && view.answered_at.is_some());
    assert!(rig.disk.lock().notes.is_empty());
    let figures = rig.counters.figures();
    assert_eq!((figures.active, figures.started), (0, 1));
    assert_eq!((figures.digits, figures.playbacks), (3, 2));
    let mut numbers = 0;
    while let Ok(told) = rig.hub.try_recv() {
        numbers += 1;
        assert_eq!((told.number, told.owner), (numbers, TENANT));
    }
    assert_eq!(numbers, 18);
}

#[test]
fn a_call_that_voice_began_and_its_own_recording() {
    let mut rig = Rig::new();
    let uuid = rig.voice();
    let (take, id) = (own_take(RecordingId(9)), RecordingId(9));
    rig.news(VOX, uuid, LineNews::RecordingBegan { take, id });
    let stop = || Command::RecordStop;
    rig.command(uuid, start(), "play").now().unwrap();
    rig.command(uuid, stop(), "stop").now().unwrap();
    let ordered = rig.orders.last().map(|(_, order)| order.clone());
    assert!(
        matches!(ordered, Some(LineOrder::EndRecording { take: one, .. }) if one == take),
        "{ordered:?}"
    );
    let end = TakeEnd::Failed("the disk is full".into());
    rig.news(VOX, uuid, LineNews::RecordingEnded { take, end });
    rig.news(
        VOX,
        uuid,
        LineNews::CallEnded {
            cause: HangupCause::default(),
        },
    );
    assert_eq!(
        rig.told(uuid),
        [
            "call.new",
            "call.answered",
            "recording.started trigger-9",
            &format!("play: {}", CommandFailure::NoDevice),
            "stop ok",
            "recording.failed trigger-9",
            "call.hangup NORMAL_CLEARING line",
        ]
    );
    // The line's next call begins while the exchange believes that this one is on.
    let first = rig.voice();
    let second = rig.voice();
    assert_eq!(
        rig.told(first).last().unwrap(),
        "call.hangup NORMAL_CLEARING line"
    );
    assert_eq!(rig.told(second).len(), 2);
}

#[test]
fn a_call_ends_once_whoever_ends_it() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    rig.start(uuid, "hello", 5_000);
    rig.run_ms(100);
    rig.news(API, uuid, LineNews::DeviceLost);
    rig.news(
        API,
        uuid,
        LineNews::CallEnded {
            cause: HangupCause::default(),
        },
    );
    let bye = rig.command(uuid, hangup(), "bye").now();
    assert_eq!(bye, Err(Refused::Ended.into()));
    // The end of the sound is told by the player, and `call.hangup` after it.
    assert!(
        !rig.told(uuid)
            .iter()
            .any(|told| told.starts_with("call.hangup"))
    );
    rig.run_ms(100);
    let told = rig.told(uuid);
    assert_eq!(
        told[told.len() - 2..],
        ["stopped hello hangup", "call.hangup DEVICE_LOST device"]
    );
    let open = rig.try_open(TENANT, "desk").now();
    assert!(open.is_ok(), "the line is free: {open:?}");
}

#[test]
fn only_what_can_be_opened_is_opened() {
    let mut rig = Rig::new();
    let name = |text: &str| storage::ids::LineName::new(text).unwrap();
    for line in ["nowhere", "other"] {
        let refused = rig.try_open(TENANT, line).now();
        assert_eq!(refused.unwrap_err(), OpenCallError::NoLine(name(line)));
    }
    let refused = rig.try_open(TENANT, "voice").now().unwrap_err();
    assert_eq!(refused, OpenCallError::NotApi(name("voice")));
    rig.has_device
        .store(false, std::sync::atomic::Ordering::SeqCst);
    let refused = rig.try_open(TENANT, "desk").now().unwrap_err();
    assert_eq!(refused, OpenCallError::NoDevice(name("desk")));
    rig.has_device
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let session = rig.answered();
    let refused = rig.try_open(TENANT, "desk").now().unwrap_err();
    let line = name("desk");
    assert_eq!(refused, OpenCallError::Busy { line, session });
    rig.exchange.hang_up();
    let refused = rig.try_open(TENANT, "desk").now().unwrap_err();
    assert_eq!(refused, OpenCallError::Stopping);
    let refused = rig.command(session, hangup(), "bye").now().unwrap_err();
    assert_eq!(refused, CommandError::Call(CallError::Stopping));
    assert_eq!(
        rig.told(session).last().unwrap(),
        "call.hangup SHUTDOWN line"
    );
}

#[test]
fn a_session_is_its_owners_and_its_commands_are_run_once() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    let strange = rig.command_of(Some(STRANGER), uuid, hangup(), "bye").now();
    assert_eq!(strange, Err(CallError::NotYours.into()));
    let unknown = uuid::Uuid::new_v4();
    let nowhere = rig.command(unknown, hangup(), "bye").now();
    assert_eq!(nowhere, Err(CallError::NotFound.into()));
    let first = rig.command(uuid, start(), "once").now().unwrap();
    let again = rig.command(uuid, start(), "once").now().unwrap();
    assert_eq!((again.operation, again.repeated), (first.operation, true));
    assert_eq!(rig.jobs().len(), 1);
    let soon = rig.command(uuid, start(), "soon").now();
    assert!(
        matches!(soon, Err(CommandError::Refused(Refused::Cooldown { .. }))),
        "{soon:?}"
    );
    assert!(rig.command_of(None, uuid, hangup(), "anyone").now().is_ok());
    assert_eq!(rig.counters.figures().commands, 3);
}

#[test]
fn the_other_tenant_has_no_application_and_hears_events_all_the_same() {
    let mut rig = Rig::new();
    let call = rig.try_open(STRANGER, "other").now().unwrap();
    let told = rig.hub.try_recv().unwrap();
    assert_eq!((told.session, told.event), (call.uuid, "call.new"));
    assert!(told.body.starts_with(br#"{"event":"call.new""#));
    assert!(rig.disk.lock().events.is_empty() && rig.disk.lock().notes.is_empty());
}

#[test]
fn sessions_are_forgotten_an_hour_after_their_end() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    rig.command(uuid, hangup(), "bye").now().unwrap();
    let hour = super::super::limits::ENDED_FOR;
    rig.clock.advance(hour - std::time::Duration::from_secs(1));
    rig.exchange.pass();
    assert_eq!(rig.look(uuid).snapshot.state, CallState::HungUp);
    rig.clock.advance(std::time::Duration::from_secs(1));
    assert!(rig.exchange.next_due().is_some_and(|due| due <= {
        use audio_io::clock::Clock;
        rig.clock.monotonic()
    }));
    rig.exchange.pass();
    let gone = rig.command(uuid, hangup(), "bye").now();
    assert_eq!(gone, Err(CallError::NotFound.into()));
}

#[test]
fn an_answer_waits_for_the_disk_and_nothing_else_does() {
    let mut rig = Rig::new();
    rig.disk.lock().is_slow = true;
    let mut opened = rig.try_open(TENANT, "desk");
    assert!(!opened.is_there() && rig.orders.len() == 1);
    rig.disk.commit(1);
    let uuid = opened.now().unwrap().uuid;
    rig.disk.lock().is_full = true;
    let mut answered = rig.command(uuid, Command::Answer, "a");
    rig.news(API, uuid, key('5'));
    assert!(!answered.is_there());
    assert_eq!(rig.look(uuid).snapshot.state, CallState::Answered);
    rig.disk.lock().is_full = false;
    rig.disk.lock().is_slow = false;
    rig.run_ms(20);
    assert!(answered.now().is_ok());
    assert_eq!(
        rig.told(uuid),
        ["call.new", "call.answered", "a ok", "dtmf 5"]
    );
}
