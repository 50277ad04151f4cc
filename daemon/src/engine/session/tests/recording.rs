//! Recordings of a session.

use audio_io::units::Millis;

use super::super::command::{Command, PauseMode};
use super::super::event::{CommandFailure, Event};
use super::super::limits;
use super::super::signal::{Action, Signal, TakeOutcome};
use super::{Rig, hangup};

fn completed(ms: u64) -> TakeOutcome {
    TakeOutcome::Completed {
        recording_url: "http://box/r/1".into(),
        duration_ms: Millis(ms),
    }
}

#[test]
fn a_recording_from_start_to_completed() {
    let mut rig = Rig::answered();
    rig.command(Command::RecordStart { mask_digits: None }, "r");
    let take = rig.take();
    rig.signal(Signal::RecordingStarted { take });
    rig.signal(Signal::RecordingStarted { take });
    assert_eq!(rig.told(), ["recording.started", "r ok"]);
    rig.command(Command::RecordStart { mask_digits: None }, "again");
    assert_eq!(rig.failures(), [CommandFailure::Recording]);
    rig.command(Command::RecordStop, "s");
    assert_eq!(rig.actions.last(), Some(&Action::EndRecording { take }));
    assert_eq!(rig.told().last().unwrap(), "s ok");
    rig.look();
    let outcome = completed(61_500);
    rig.signal(Signal::RecordingEnded { take, outcome });
    let outcome = TakeOutcome::Absent;
    rig.signal(Signal::RecordingEnded { take, outcome });
    assert_eq!(rig.told(), ["recording.completed"]);
    let Event::RecordingCompleted {
        command_uid,
        duration,
        duration_ms,
        ..
    } = &rig.events[0]
    else {
        panic!("{:?}", rig.events);
    };
    assert_eq!(command_uid.as_str(), "r", "of the start");
    assert_eq!((*duration, *duration_ms), (62, Millis(61_500)));
}

#[test]
fn pauses_keep_the_timeline_or_skip() {
    let mut rig = Rig::answered();
    rig.command(Command::RecordStart { mask_digits: None }, "r");
    let take = rig.take();
    rig.signal(Signal::RecordingStarted { take });
    rig.look();
    let pause = |mode| Command::RecordPause { mode };
    let mode = PauseMode::Silence;
    rig.at_once(Command::RecordResume, "0");
    rig.at_once(pause(mode), "1");
    rig.at_once(pause(mode), "2");
    rig.at_once(pause(PauseMode::Skip), "3");
    rig.at_once(Command::RecordResume, "4");
    rig.at_once(Command::RecordResume, "5");
    assert_eq!(
        rig.told(),
        [
            "0 ok",
            "recording.paused",
            "1 ok",
            "2 ok",
            "recording.paused",
            "3 ok",
            "4 ok",
            "5 ok"
        ]
    );
    let mode_2 = PauseMode::Skip;
    assert_eq!(
        rig.actions,
        [
            Action::PauseRecording { take, mode },
            Action::PauseRecording { take, mode: mode_2 },
            Action::ResumeRecording { take },
        ]
    );
}

#[test]
fn a_recording_that_never_began_fails_its_start() {
    let mut rig = Rig::answered();
    rig.command(Command::RecordStart { mask_digits: None }, "r");
    let error = "the disk refuses writes".to_owned();
    rig.signal(Signal::RecordingEnded {
        take: rig.take(),
        outcome: TakeOutcome::Failed { error },
    });
    assert_eq!(
        rig.told(),
        ["r the recording did not begin", "recording.failed"]
    );
    rig.look();
    rig.command(Command::RecordStop, "s");
    assert_eq!(rig.failures(), [CommandFailure::NoRecording]);
}

#[test]
fn the_recording_ends_after_the_call_and_the_session_with_it() {
    let mut rig = Rig::answered();
    rig.command(Command::RecordStart { mask_digits: None }, "r");
    let take = rig.take();
    rig.signal(Signal::RecordingStarted { take });
    rig.look();
    rig.at_once(hangup(), "h");
    assert_eq!(rig.actions, [Action::HangUp, Action::EndRecording { take }]);
    assert_eq!(rig.told(), ["h ok", "call.hangup"]);
    assert!(!rig.session.is_over());
    let outcome = TakeOutcome::Absent;
    rig.signal(Signal::RecordingEnded { take, outcome });
    assert_eq!(rig.told()[2..], ["recording.absent"]);
    assert!(rig.session.is_over());
}

#[test]
fn a_recorder_that_says_nothing_is_given_up() {
    let mut rig = Rig::answered();
    rig.command(Command::RecordStart { mask_digits: None }, "r");
    let take = rig.take();
    rig.signal(Signal::DeviceLost);
    rig.pass_ms(599_999);
    assert!(!rig.session.is_over());
    rig.pass_ms(1);
    assert_eq!(
        rig.told(),
        ["r the call has ended", "call.hangup", "recording.failed"]
    );
    assert!(rig.session.is_over());
    let outcome = completed(1);
    rig.signal(Signal::RecordingStarted { take });
    rig.signal(Signal::RecordingEnded { take, outcome });
    assert_eq!(rig.events.len(), 3);
}

#[test]
fn recordings_that_wait_for_the_disk_are_bounded() {
    let mut rig = Rig::answered();
    for number in 0..limits::RECORDINGS_ENDING {
        rig.command(
            Command::RecordStart { mask_digits: None },
            &format!("r{number}"),
        );
        rig.command(Command::RecordStop, &format!("s{number}"));
    }
    let last = rig.take();
    rig.look();
    rig.command(Command::RecordStart { mask_digits: None }, "x");
    assert_eq!(
        rig.failures().last(),
        Some(&CommandFailure::RecordingsEnding)
    );
    assert!(rig.actions.is_empty());
    let outcome = completed(1);
    rig.signal(Signal::RecordingEnded {
        take: last,
        outcome,
    });
    rig.command(Command::RecordStart { mask_digits: None }, "y");
    assert!(matches!(rig.actions[..], [Action::Record { .. }]));
}
