//! Playing files and silence.

use audio_io::units::Millis;

use super::super::command::Command;
use super::super::digits::Part;
use super::super::event::{CommandFailure, Event, StopReason};
use super::super::signal::{Action, JobId, Signal, Sound, SoundEnd, SoundId};
use super::{Rig, hangup, start, urls};

#[test]
fn files_are_fetched_played_and_told_about() {
    let mut rig = Rig::answered();
    rig.at_once(start(), "p");
    let job = rig.job();
    let list = urls(&["http://a.example/1.wav", "https://a.example/2.wav"]);
    assert_eq!(
        rig.actions,
        [Action::Prepare {
            job,
            part: Part::Prompt,
            urls: list.clone()
        }]
    );
    rig.pass_ms(300);
    rig.prepared(job, Part::Prompt);
    rig.prepared(job, Part::Prompt);
    let (sound, what) = rig.played();
    assert_eq!(
        what,
        Sound::Files {
            job,
            part: Part::Prompt,
            offset_sec: 0
        }
    );
    assert!(rig.events.is_empty(), "not before the player says so");
    rig.signal(Signal::SoundStarted { sound });
    rig.signal(Signal::SoundStarted { sound });
    assert_eq!(rig.told(), ["p started", "p ok"]);
    rig.ended(sound, 4_321, 4_300);
    rig.ended(sound, 1, 1);
    assert_eq!(rig.told(), ["p started", "p ok", "p stopped Completed"]);
    let Event::PlaybackStopped {
        playback,
        offset_ms,
        duration_ms,
        ..
    } = &rig.events[2]
    else {
        panic!("{:?}", rig.events);
    };
    assert_eq!((*offset_ms, *duration_ms), (Millis(4_321), Millis(4_300)));
    assert_eq!(playback.urls, Some(list));
    assert_eq!(playback.file_path.as_deref(), Some("greeting"));
    assert_eq!(rig.actions.last(), Some(&Action::Release { job }));
    rig.pass_ms(10_000);
    assert_eq!(rig.events.len(), 3);
}

#[test]
fn slow_files_play_after_the_result_has_timed_out() {
    let mut rig = Rig::answered();
    let job = rig.start("p");
    rig.pass_ms(2_000);
    assert_eq!(rig.told(), ["p timeout"]);
    rig.prepared(job, Part::Prompt);
    let sound = rig.sound();
    rig.signal(Signal::SoundStarted { sound });
    assert_eq!(rig.told(), ["p timeout", "p started"]);
}

#[test]
fn the_last_wish_wins_once_its_files_are_there() {
    let mut rig = Rig::answered();
    let first = rig.playing("a");
    let job = rig.start("b");
    assert_eq!(rig.told(), ["a started", "a ok"], "it plays on meanwhile");
    rig.look();
    rig.prepared(job, Part::Prompt);
    let second = rig.sound();
    assert_eq!(rig.actions[0], Action::Stop { sound: first });
    rig.ended(first, 2_000, 2_000);
    rig.signal(Signal::SoundStarted { sound: second });
    assert_eq!(rig.told(), ["a stopped Replaced", "b started", "b ok"]);
}

#[test]
fn a_wish_that_is_replaced_before_it_is_heard_ends_too() {
    let mut rig = Rig::answered();
    let first = rig.start("a");
    rig.pass_ms(500);
    rig.at_once(start(), "b");
    let second = rig.job();
    assert_eq!(
        rig.told(),
        ["a replaced by a later command", "a stopped Replaced"]
    );
    assert!(rig.actions.contains(&Action::Release { job: first }));
    rig.prepared(first, Part::Prompt);
    assert!(!rig.actions.iter().any(|a| matches!(a, Action::Play { .. })));
    rig.prepared(second, Part::Prompt);
    let sound = rig.sound();
    rig.look();
    // Told to end before the player began with it.
    rig.command(Command::PlaybackSilence, "c");
    rig.signal(Signal::SoundStarted { sound });
    rig.ended(sound, 0, 0);
    assert!(rig.told().contains(&"b stopped Replaced".to_owned()));
    assert!(!rig.told().contains(&"b started".to_owned()));
}

#[test]
fn a_file_that_is_not_there_leaves_the_call_as_it_was() {
    let mut rig = Rig::answered();
    let sound = rig.playing("a");
    let job = rig.start("b");
    rig.look();
    for url in ["http://a.example/1.wav", "https://a.example/2.wav"] {
        rig.signal(Signal::NotFound {
            job,
            url: url.into(),
            error: "the server answered 404".into(),
        });
    }
    assert_eq!(rig.actions, [Action::Release { job }]);
    assert_eq!(
        rig.told(),
        [
            "playback.file_not_found".to_owned(),
            format!("b {}", CommandFailure::FileNotFound)
        ]
    );
    rig.prepared(job, Part::Prompt);
    assert!(rig.session.snapshot().playing);
    rig.ended(sound, 9, 9);
    assert_eq!(rig.told()[2..], ["a stopped Completed"]);
}

#[test]
fn stop_ends_what_plays_and_what_was_to_play() {
    let mut rig = Rig::answered();
    let sound = rig.playing("a");
    rig.start("b");
    rig.look();
    rig.at_once(Command::PlaybackStop, "s");
    assert_eq!(
        rig.told(),
        ["s ok", "b stopped by playback/stop", "b stopped Stopped"]
    );
    rig.ended(sound, 1_990, 1_980);
    assert_eq!(rig.told()[3..], ["a stopped Stopped"]);
    assert!(!rig.session.snapshot().playing && !rig.session.snapshot().fetching);
}

#[test]
fn pause_and_resume_are_no_toggles() {
    let mut rig = Rig::answered();
    let sound = rig.playing("a");
    rig.look();
    let tries = [
        (Command::PlaybackResume, None),
        (Command::PlaybackPause, Some(Action::Pause { sound })),
        (Command::PlaybackPause, None),
        (
            Command::PlaybackSeek { by_ms: -700 },
            Some(Action::Seek { sound, by_ms: -700 }),
        ),
        (Command::PlaybackRestart, Some(Action::Restart { sound })),
        (Command::PlaybackResume, Some(Action::Resume { sound })),
        (Command::PlaybackResume, None),
    ];
    for (number, (command, action)) in tries.into_iter().enumerate() {
        rig.pass_ms(100);
        rig.at_once(command, &format!("c{number}"));
        assert_eq!(rig.actions, action.into_iter().collect::<Vec<_>>());
        assert_eq!(rig.told(), [format!("c{number} ok")], "at once");
        rig.look();
    }
}

#[test]
fn a_player_that_says_nothing_is_not_waited_for() {
    let mut rig = Rig::answered();
    rig.at_once(
        Command::PlaybackStart {
            urls: urls(&["http://a.example/1.wav"]),
            offset_sec: 30,
        },
        "a",
    );
    rig.prepared(rig.job(), Part::Prompt);
    let sound = rig.sound();
    rig.signal(Signal::SoundStarted { sound });
    rig.pass_ms(1_500);
    rig.at_once(Command::PlaybackPause, "p");
    rig.pass_ms(800);
    rig.at_once(Command::PlaybackResume, "r");
    rig.pass_ms(250);
    rig.at_once(hangup(), "h");
    rig.pass_ms(999);
    assert!(!rig.told().contains(&"call.hangup".to_owned()));
    rig.pass_ms(1);
    let told = rig.told();
    assert_eq!(told[told.len() - 2..], ["a stopped Hangup", "call.hangup"]);
    let Event::PlaybackStopped {
        offset_ms,
        duration_ms,
        ..
    } = &rig.events[told.len() - 2]
    else {
        panic!("{told:?}");
    };
    assert_eq!((*offset_ms, *duration_ms), (Millis(31_750), Millis(1_750)));
    rig.ended(sound, 5, 5);
    assert_eq!(rig.told().len(), told.len());
}

#[test]
fn silence_ends_with_the_call_or_with_what_replaces_it() {
    let mut rig = Rig::answered();
    let first = rig.playing("a");
    rig.look();
    rig.command(Command::PlaybackSilence, "s");
    let (silence, what) = rig.played();
    assert_eq!(what, Sound::Silence { length: None });
    rig.ended(first, 7, 7);
    rig.signal(Signal::SoundStarted { sound: silence });
    assert_eq!(rig.told(), ["a stopped Replaced", "s ok"]);
    rig.pass_ms(3_600_000);
    for command in [
        Command::PlaybackPause,
        Command::PlaybackRestart,
        Command::PlaybackSeek { by_ms: 1 },
    ] {
        rig.look();
        rig.command(command, &format!("x{}", rig.now.as_secs()));
        assert_eq!(rig.failures(), [CommandFailure::OnlySilence]);
    }
    rig.look();
    rig.signal(Signal::DeviceLost);
    rig.ended(silence, 8, 8);
    assert_eq!(rig.told(), ["s stopped Hangup", "call.hangup"]);
}

#[test]
fn a_player_that_fails_is_told() {
    let mut rig = Rig::answered();
    let job = rig.start("a");
    rig.prepared(job, Part::Prompt);
    let end = SoundEnd {
        offset_ms: Millis::ZERO,
        duration_ms: Millis::ZERO,
        failed: true,
    };
    rig.signal(Signal::SoundEnded {
        sound: rig.sound(),
        end,
    });
    assert_eq!(rig.told(), ["a the player failed", "a stopped Error"]);
    let reason = StopReason::Error;
    assert!(
        matches!(&rig.events[1], Event::PlaybackStopped { reason: seen, .. } if *seen == reason)
    );
}

#[test]
fn what_is_said_of_other_sounds_is_ignored() {
    let mut rig = Rig::answered();
    let old = rig.playing("a");
    rig.ended(old, 1, 1);
    let job = rig.start("b");
    rig.prepared(job, Part::Prompt);
    let sound = rig.sound();
    rig.look();
    for other in [old, SoundId(sound.0 + 1)] {
        rig.signal(Signal::SoundStarted { sound: other });
        rig.ended(other, 2, 2);
    }
    assert!(rig.events.is_empty() && rig.session.snapshot().playing);
    for other in [JobId(job.0 + 1), JobId(0)] {
        rig.signal(Signal::NotFound {
            job: other,
            url: "http://a.example/".into(),
            error: "404".into(),
        });
        rig.prepared(other, Part::Prompt);
    }
    assert!(rig.events.is_empty() && rig.actions.is_empty());
    rig.signal(Signal::SoundStarted { sound });
    assert_eq!(rig.told(), ["b started", "b ok"]);
}
