//! A call's life, its commands' results and their names.

use std::time::Duration;

use audio_io::units::Millis;
use uuid::Uuid;

use super::super::command::{Command, CommandKind, HangupCause};
use super::super::cooldown::Group;
use super::super::event::{CommandFailure, Event, HangupBy};
use super::super::signal::{Action, Signal};
use super::super::{CallState, Refused, limits};
use super::{Rig, hangup, start};

#[test]
fn a_call_from_ring_to_hang_up() {
    let mut rig = Rig::new();
    assert_eq!(rig.told(), ["call.new"]);
    rig.signal(Signal::Ring);
    assert_eq!(rig.session.snapshot().state, CallState::Ringing);
    rig.command(Command::Answer, "a");
    assert_eq!(rig.actions, [Action::Answer]);
    rig.pass_ms(40);
    rig.signal(Signal::Answered);
    rig.signal(Signal::Answered);
    rig.signal(Signal::Ring);
    assert_eq!(rig.told(), ["call.new", "call.answered", "a ok"]);
    assert_eq!(rig.session.snapshot().state, CallState::Answered);
    rig.look();
    rig.command(hangup(), "h");
    assert_eq!(rig.actions, [Action::HangUp]);
    assert_eq!(rig.told(), ["h ok", "call.hangup"]);
    assert_eq!(
        rig.events[1],
        Event::CallHangup {
            cause: HangupCause::new("NORMAL_CLEARING").unwrap(),
            by: HangupBy::Command,
            duration_ms: Millis(4_040),
            answered_ms: Millis(2_000),
        }
    );
    assert!(rig.session.is_over());
    assert_eq!(rig.session.next_due(), None);
}

#[test]
fn the_first_end_counts() {
    let line = || Signal::HungUp {
        cause: HangupCause::new("USER_BUSY").unwrap(),
    };
    let ends: [(Signal, HangupBy, &str); 2] = [
        (line(), HangupBy::Line, "USER_BUSY"),
        (Signal::DeviceLost, HangupBy::Device, "DEVICE_LOST"),
    ];
    for (signal, expected_by, expected_cause) in ends {
        let mut rig = Rig::answered();
        rig.signal(signal);
        rig.signal(line());
        rig.signal(Signal::DeviceLost);
        rig.signal(Signal::Answered);
        let refused = rig.try_command(hangup(), Some("h"));
        assert_eq!(refused, Err(Refused::Ended));
        assert_eq!(rig.told(), ["call.hangup"]);
        let [Event::CallHangup { cause, by, .. }] = &rig.events[..] else {
            panic!("{:?}", rig.events);
        };
        assert_eq!((cause.as_str(), *by), (expected_cause, expected_by));
        assert!(rig.actions.is_empty());
    }
}

#[test]
fn a_call_that_nobody_answers_has_no_length() {
    let mut rig = Rig::new();
    rig.pass_ms(700);
    rig.signal(Signal::DeviceLost);
    let Event::CallHangup {
        duration_ms,
        answered_ms,
        ..
    } = &rig.events[1]
    else {
        panic!("{:?}", rig.events);
    };
    assert_eq!((*duration_ms, *answered_ms), (Millis(700), Millis::ZERO));
}

#[test]
fn answers_come_once_and_results_within_two_seconds() {
    let mut rig = Rig::new();
    rig.look();
    rig.at_once(Command::Answer, "a");
    rig.pass_ms(500);
    rig.at_once(Command::Answer, "b");
    assert_eq!(
        rig.session.next_due(),
        Some(rig.now + Duration::from_millis(1_500))
    );
    rig.pass_ms(1_499);
    assert!(rig.told().is_empty());
    rig.pass_ms(1);
    assert_eq!(rig.told(), ["a timeout"]);
    rig.signal(Signal::Answered);
    assert_eq!(rig.told(), ["a timeout", "call.answered", "b ok"]);
    rig.at_once(Command::Answer, "c");
    assert_eq!(rig.told()[3..], ["c ok"]);
    rig.pass_ms(5_000);
    assert_eq!(rig.told().len(), 4);
}

#[test]
fn what_was_due_happens_before_what_comes_late() {
    let mut rig = Rig::new();
    rig.look();
    rig.at_once(Command::Answer, "a");
    rig.now += Duration::from_secs(9);
    rig.signal(Signal::Answered);
    assert_eq!(rig.told(), ["a timeout", "call.answered"]);
}

#[test]
fn time_never_goes_back() {
    let mut rig = Rig::answered();
    rig.start("p");
    rig.now -= Duration::from_secs(500);
    rig.signal(Signal::DeviceLost);
    let last = rig.events.last().cloned();
    let Some(Event::CallHangup { duration_ms, .. }) = last else {
        panic!("{last:?}");
    };
    assert_eq!(duration_ms, Millis(2_000));
}

#[test]
fn commands_need_an_answered_call() {
    for kind in CommandKind::ALL {
        let mut rig = Rig::new();
        rig.look();
        let command = super::property::sample(kind);
        rig.at_once(command, "x");
        match kind {
            CommandKind::Answer => assert!(rig.told().is_empty()),
            CommandKind::Hangup => assert_eq!(rig.told(), ["x ok", "call.hangup"]),
            _ => {
                assert_eq!(rig.failures(), [CommandFailure::NotAnswered], "{kind:?}");
                assert!(rig.actions.is_empty());
            }
        }
    }
}

#[test]
fn nothing_to_act_on_is_a_failure() {
    for (kind, failure) in [
        (CommandKind::PlaybackStop, CommandFailure::NoPlayback),
        (CommandKind::PlaybackPause, CommandFailure::NoPlayback),
        (CommandKind::PlaybackResume, CommandFailure::NoPlayback),
        (CommandKind::PlaybackSeek, CommandFailure::NoPlayback),
        (CommandKind::PlaybackRestart, CommandFailure::NoPlayback),
        (CommandKind::RecordStop, CommandFailure::NoRecording),
        (CommandKind::RecordPause, CommandFailure::NoRecording),
        (CommandKind::RecordResume, CommandFailure::NoRecording),
    ] {
        let mut rig = Rig::answered();
        rig.at_once(super::property::sample(kind), "x");
        assert_eq!(rig.failures(), [failure]);
        assert_eq!(rig.events.len(), 1);
    }
}

#[test]
fn pauses_of_groups_are_kept() {
    let mut rig = Rig::answered();
    rig.at_once(start(), "a");
    rig.pass_ms(499);
    let refused = rig.try_command(Command::PlaybackSilence, None);
    let (group, wait) = (Group::Playback, Duration::from_millis(1));
    assert_eq!(refused, Err(Refused::Cooldown { group, wait }));
    assert_eq!(
        rig.session
            .check_cooldown(CommandKind::PlaybackStart, rig.now),
        Err(wait)
    );
    rig.at_once(Command::PlaybackStop, "s");
    rig.pass_ms(1);
    rig.at_once(Command::PlaybackSilence, "b");
    assert!(rig.try_command(Command::PlaybackPause, None).is_err());
    rig.at_once(Command::RecordStart { mask_digits: None }, "r");
    assert!(rig.try_command(Command::RecordStop, None).is_err());
    for _ in 0..5 {
        rig.try_command(Command::RecordResume, None).unwrap();
        rig.try_command(Command::Answer, None).unwrap();
    }
}

#[test]
fn a_repeated_uid_does_nothing_for_a_day() {
    let mut rig = Rig::answered();
    let first = rig.try_command(start(), Some("u")).unwrap();
    let seen = (rig.events.len(), rig.actions.len());
    // Even as another command, and without regard to pauses.
    let again = rig
        .try_command(Command::RecordStart { mask_digits: None }, Some("u"))
        .unwrap();
    assert_eq!((again.operation, again.repeated), (first.operation, true));
    assert_eq!((rig.events.len(), rig.actions.len()), seen);
    assert_eq!(first.operation, Uuid::from_u128(1));
    // A refused command leaves no trace.
    let refused = rig.try_command(start(), Some("v"));
    assert!(matches!(refused, Err(Refused::Cooldown { .. })));
    rig.pass_ms(500);
    let second = rig.try_command(start(), Some("v")).unwrap();
    assert!(!second.repeated);
    rig.pass_ms(86_400_000 - 500);
    assert!(!rig.try_command(start(), Some("u")).unwrap().repeated);
    assert!(rig.try_command(start(), Some("v")).unwrap().repeated);
    rig.signal(Signal::DeviceLost);
    assert!(rig.try_command(start(), Some("v")).unwrap().repeated);
    assert_eq!(rig.try_command(start(), Some("w")), Err(Refused::Ended));
}

#[test]
fn a_command_without_a_uid_goes_by_its_operation() {
    let mut rig = Rig::answered();
    let accepted = rig.try_command(Command::PlaybackStop, None).unwrap();
    let Event::CommandResult {
        command,
        command_uid,
        operation_id,
        success,
        ..
    } = &rig.events[0]
    else {
        panic!("{:?}", rig.events);
    };
    assert_eq!(*command, CommandKind::PlaybackStop);
    assert_eq!(command_uid.as_str(), accepted.operation.to_string());
    assert_eq!((*operation_id, *success), (accepted.operation, false));
}

#[test]
fn too_many_commands_fail_but_never_the_hang_up() {
    let mut rig = Rig::new();
    rig.look();
    for _ in 0..limits::COMMANDS_OPEN {
        rig.try_command(Command::Answer, None).unwrap();
    }
    assert!(rig.events.is_empty());
    rig.try_command(Command::Answer, None).unwrap();
    assert_eq!(rig.failures(), [CommandFailure::TooMany]);
    rig.look();
    rig.at_once(hangup(), "h");
    assert_eq!(rig.events.len(), limits::COMMANDS_OPEN + 2);
    assert_eq!(rig.told()[0], "h ok");
    assert_eq!(rig.told().last().unwrap(), "call.hangup");
}
