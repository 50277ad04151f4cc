//! Collecting digits: the rules alone, and as a session's command.

use std::time::Duration;

use audio_io::units::Millis;

use super::super::command::Command;
use super::super::digits::{CollectStatus, Collected, Collector, Part, Step};
use super::super::event::{CommandFailure, Event};
use super::super::plan::{Digit, DigitPlan};
use super::super::signal::{Action, Signal, Sound};
use super::{Rig, collect, hangup, plan, start};

/// Plays a script against a collection: `.` the sound ends, `!` the try's time runs out, `-` one
/// second passes, anything else is a key. Tells what it wanted and how it ended.
fn run(plan: DigitPlan, script: &str) -> (String, Option<Collected>) {
    let mut collector = Collector::new(plan);
    let mut now = Duration::from_secs(77);
    let mut wishes = String::from("P");
    let mut done = None;
    for key in script.chars() {
        assert_eq!(done, None, "nothing follows the end");
        let steps = match key {
            '.' => collector.sound_ended(now).into_iter().collect(),
            '!' => {
                now = collector.due().expect("a try's time runs");
                collector.expire(now).into_iter().collect()
            }
            '-' => {
                now += Duration::from_secs(1);
                collector.expire(now).into_iter().collect()
            }
            key => collector.digit(Digit::new(key).unwrap(), now),
        };
        for step in steps {
            match step {
                Step::Play(Part::Prompt) => wishes.push('P'),
                Step::Play(Part::Invalid) => wishes.push('I'),
                Step::Hush => wishes.push('h'),
                Step::Done(collected) => done = Some(collected),
            }
        }
    }
    (wishes, done)
}

fn result(plan: DigitPlan, script: &str) -> (String, String, String) {
    let (wishes, done) = run(plan, script);
    let done = done.expect("an end");
    let terminator = done.terminator.map(Digit::key);
    let end = format!("{:?} {}", done.status, terminator.unwrap_or('-'));
    (wishes, done.digits, end)
}

#[test]
fn answers_and_failures_of_every_kind() {
    let pin = || plan(4, 6, 3, "#");
    for (plan, script, wishes, digits, end) in [
        // max_digits, terminator and the time's end each accept enough digits.
        (pin(), ".123456", "P", "123456", "Success -"),
        (pin(), ".1234#", "P", "1234", "Success #"),
        (pin(), ".12345!", "P", "12345", "Success -"),
        // A key that is no terminator is a digit.
        (pin(), ".12*4#", "P", "12*4", "Success #"),
        (plan(1, 4, 1, ""), ".1#*2", "P", "1#*2", "Success -"),
        (plan(1, 9, 1, "*#"), ".1*", "P", "1", "Success *"),
        // Barge-in.
        (pin(), "1234#", "Ph", "1234", "Success #"),
        (plan(1, 1, 1, "#"), "7", "Ph", "7", "Success -"),
        // Tries: invalid sound, then the question again.
        (pin(), ".12#..1234#", "PIP", "1234", "Success #"),
        (pin(), ".!..!..12345!", "PIPIP", "12345", "Success -"),
        (pin(), ".1#..2#..3#.", "PIPIPI", "3", "Failure #"),
        (pin(), ".1!..2!..!.", "PIPIPI", "", "Timeout -"),
        (pin(), ".1#..2#..34!.", "PIPIPI", "34", "Timeout -"),
        (plan(2, 4, 1, "#"), ".#.", "PI", "", "Failure #"),
        // A digit during the invalid sound begins the next try, but there must be one.
        (pin(), ".1#2345#", "PIh", "2345", "Success #"),
        (plan(2, 4, 1, "#"), ".1#99.", "PI", "1", "Failure #"),
        // Nothing is enough.
        (plan(0, 3, 3, "#"), ".#", "P", "", "Success #"),
        (plan(0, 3, 3, "#"), ".!", "P", "", "Success -"),
    ] {
        let seen = result(plan, script);
        let expected = (wishes.to_owned(), digits.to_owned(), end.to_owned());
        assert_eq!(seen, expected, "{script}");
    }
}

#[test]
fn a_trys_time_begins_with_the_prompts_end_and_no_digit_prolongs_it() {
    let (wishes, done) = run(plan(4, 6, 3, "#"), "------.----");
    assert_eq!((wishes.as_str(), done), ("P", None));
    assert_eq!(run(plan(4, 6, 3, "#"), "------.-----").0, "PI");
    assert_eq!(run(plan(4, 6, 3, "#"), ".-1-1-1--").0, "PI");
    assert_eq!(run(plan(4, 6, 3, "#"), "1----").0, "Ph");
    assert_eq!(run(plan(4, 6, 3, "#"), "1-----").0, "PhI");
}

#[test]
fn prompts_are_fetched_first_then_the_invalid_files() {
    let mut rig = Rig::answered();
    rig.command(collect(plan(4, 6, 3, "#"), true), "d");
    let job = rig.job();
    rig.prepared(job, Part::Invalid);
    assert_eq!(rig.actions.len(), 1, "the prompt comes first");
    rig.prepared(job, Part::Prompt);
    assert!(matches!(
        rig.actions[1],
        Action::Prepare {
            part: Part::Invalid,
            ..
        }
    ));
    rig.prepared(job, Part::Prompt);
    assert_eq!(rig.actions.len(), 2);
    rig.prepared(job, Part::Invalid);
    assert!(matches!(rig.actions[2], Action::Play { .. }));
}

#[test]
fn a_collection_as_a_command() {
    let mut rig = Rig::answered();
    rig.command(collect(plan(4, 6, 3, "#"), true), "d");
    let job = rig.job();
    rig.prepared(job, Part::Prompt);
    rig.prepared(job, Part::Invalid);
    let (prompt, what) = rig.played();
    let offset_sec = 0;
    let part = Part::Prompt;
    assert_eq!(
        what,
        Sound::Files {
            job,
            part,
            offset_sec
        }
    );
    rig.signal(Signal::SoundStarted { sound: prompt });
    assert_eq!(rig.told(), ["d ok"], "prompts are not told about");
    rig.press("1");
    assert_eq!(rig.actions.last(), Some(&Action::Stop { sound: prompt }));
    rig.ended(prompt, 900, 900);
    rig.pass_ms(5_000);
    let (invalid, what) = rig.played();
    let part = Part::Invalid;
    assert_eq!(
        what,
        Sound::Files {
            job,
            part,
            offset_sec
        }
    );
    rig.ended(invalid, 400, 400);
    rig.ended(rig.sound(), 900, 900);
    rig.press("4711#");
    assert_eq!(
        rig.told()[1..],
        [
            "dtmf",
            "dtmf",
            "dtmf",
            "dtmf",
            "dtmf",
            "dtmf",
            "digits.collected"
        ]
    );
    let Some(Event::DigitsCollected {
        command_uid,
        digits,
        terminator,
        status,
    }) = rig.events.last()
    else {
        panic!("{:?}", rig.events);
    };
    assert_eq!((command_uid.as_str(), digits.as_str()), ("d", "4711"));
    assert_eq!(*terminator, Digit::new('#'));
    assert_eq!(*status, CollectStatus::Success);
    assert_eq!(rig.actions.last(), Some(&Action::Release { job }));
    rig.pass_ms(600_000);
    assert_eq!(rig.told().len(), 8);
}

#[test]
fn without_invalid_files_there_is_a_short_silence() {
    let mut rig = Rig::answered();
    rig.command(collect(plan(1, 1, 2, "#"), false), "d");
    rig.prepared(rig.job(), Part::Prompt);
    rig.ended(rig.sound(), 1, 1);
    rig.pass_ms(5_000);
    let length = Some(Millis(250));
    assert_eq!(rig.played().1, Sound::Silence { length });
}

#[test]
fn keys_are_told_in_any_answered_call_and_in_no_other() {
    let mut rig = Rig::new();
    rig.look();
    rig.press("1");
    assert!(rig.events.is_empty());
    rig.signal(Signal::Answered);
    rig.look();
    rig.press("A");
    let event = &rig.events[0];
    assert_eq!(
        *event,
        Event::Dtmf {
            digit: Digit::new('A').unwrap(),
            duration_ms: Millis(80)
        }
    );
    rig.signal(Signal::DeviceLost);
    rig.press("1");
    assert_eq!(rig.told(), ["dtmf", "call.hangup"]);
}

#[test]
fn files_that_are_not_there_end_a_collection() {
    for has_prompt in [false, true] {
        let mut rig = Rig::answered();
        let before = rig.playing("a");
        rig.command(collect(plan(1, 1, 1, "#"), true), "d");
        let job = rig.job();
        if has_prompt {
            rig.prepared(job, Part::Prompt);
        }
        rig.look();
        let url = "http://a.example/wrong.wav".to_owned();
        let error = "the server answered 404".to_owned();
        rig.signal(Signal::NotFound { job, url, error });
        assert_eq!(
            rig.told(),
            [
                "playback.file_not_found".to_owned(),
                "digits.collected".to_owned(),
                format!("d {}", CommandFailure::FileNotFound)
            ]
        );
        assert_eq!(rig.actions, [Action::Release { job }]);
        rig.ended(before, 1, 1);
        assert_eq!(rig.told()[3..], ["a stopped Completed"]);
    }
}

#[test]
fn whatever_comes_between_ends_a_collection_once() {
    let stop = || Command::PlaybackStop;
    let silence = || Command::PlaybackSilence;
    let again = || collect(plan(1, 1, 1, "#"), false);
    for (command, is_deferred) in [
        (stop(), false),
        (silence(), false),
        (hangup(), false),
        (start(), true),
        (again(), true),
    ] {
        let mut rig = Rig::answered();
        rig.command(collect(plan(4, 6, 3, "#"), false), "d");
        rig.prepared(rig.job(), Part::Prompt);
        let prompt = rig.sound();
        rig.signal(Signal::SoundStarted { sound: prompt });
        rig.press("12");
        rig.look();
        rig.command(command, "x");
        if is_deferred {
            assert!(rig.events.is_empty(), "{:?}", rig.events);
            rig.prepared(rig.job(), Part::Prompt);
        }
        rig.ended(prompt, 1, 1);
        let collected: Vec<&Event> = rig
            .events
            .iter()
            .filter(|event| matches!(event, Event::DigitsCollected { .. }))
            .collect();
        let [Event::DigitsCollected { digits, status, .. }] = collected[..] else {
            panic!("{:?}", rig.events);
        };
        assert_eq!((digits.as_str(), *status), ("12", CollectStatus::Failure));
        assert!(!rig.session.snapshot().collecting || is_deferred);
    }
}

#[test]
fn the_prompt_of_a_collection_can_be_held_and_moved() {
    let mut rig = Rig::answered();
    rig.command(collect(plan(4, 6, 3, "#"), false), "d");
    rig.prepared(rig.job(), Part::Prompt);
    let sound = rig.sound();
    rig.signal(Signal::SoundStarted { sound });
    rig.at_once(Command::PlaybackPause, "p");
    assert_eq!(rig.actions.last(), Some(&Action::Pause { sound }));
    rig.pass_ms(60_000);
    assert!(rig.session.snapshot().collecting, "no try's time runs");
    rig.press("1");
    rig.look();
    rig.at_once(Command::PlaybackPause, "q");
    assert_eq!(rig.failures(), [CommandFailure::NoPlayback]);
}

#[test]
fn a_hushed_sound_that_ends_late_moves_nothing() {
    let mut rig = Rig::answered();
    rig.command(collect(plan(4, 6, 3, "#"), false), "d");
    rig.prepared(rig.job(), Part::Prompt);
    let prompt = rig.sound();
    rig.press("1#");
    let invalid = rig.sound();
    assert_ne!(prompt, invalid);
    rig.ended(prompt, 1, 1);
    assert_eq!(rig.sound(), invalid, "the invalid sound still plays");
    rig.ended(invalid, 250, 250);
    let again = rig.sound();
    assert_ne!(again, invalid);
    rig.ended(invalid, 250, 250);
    rig.pass_ms(60_000);
    assert_eq!(rig.sound(), again, "the prompt still plays");
}
