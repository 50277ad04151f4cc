//! Bodies that are taken: the seed's examples word for word, every default, every edge.

use proptest::prelude::*;
use uuid::Uuid;

use super::super::body::read;
use super::super::fault::BodyFault;
use crate::engine::session::command::{
    Collecting, Command, CommandKind, CommandUid, HangupCause, PauseMode, Request, Urls,
};
use crate::engine::session::plan::{DigitPlan, PlanNumbers, Terminators};

fn command(kind: CommandKind, body: &str) -> Command {
    let request = read(kind, body.as_bytes(), Uuid::nil());
    request
        .unwrap_or_else(|fault| panic!("{body}: {fault}"))
        .command
}

fn urls(texts: &[&str]) -> Urls {
    Urls::new(texts).unwrap()
}

#[test]
fn the_seeds_examples() {
    let start = concat!(
        r#"{"urls": ["https://cdn.example.com/greeting.wav", "#,
        r#""https://cdn.example.com/menu.wav"]}"#
    );
    let list = [
        "https://cdn.example.com/greeting.wav",
        "https://cdn.example.com/menu.wav",
    ];
    assert_eq!(
        command(CommandKind::PlaybackStart, start),
        Command::PlaybackStart {
            urls: urls(&list),
            offset_sec: 0
        }
    );
    let by_ms = 10_000;
    let seek = r#"{"position_ms": 10000}"#;
    assert_eq!(
        command(CommandKind::PlaybackSeek, seek),
        Command::PlaybackSeek { by_ms }
    );
    let collect = concat!(
        r#"{"prompt_files": ["https://cdn.example.com/enter-pin.wav"], "#,
        r#""invalid_files": ["https://cdn.example.com/invalid-pin.wav"], "#,
        r#""min_digits": 4, "max_digits": 6, "max_tries": 3, "timeout": 10000, "#,
        r##""terminators": "#"}"##
    );
    let numbers = PlanNumbers {
        min_digits: 4,
        max_digits: 6,
        max_tries: 3,
        timeout_ms: 10_000,
    };
    assert_eq!(
        command(CommandKind::PlayAndGetDigits, collect),
        Command::PlayAndGetDigits(Box::new(Collecting {
            prompt: urls(&["https://cdn.example.com/enter-pin.wav"]),
            invalid: Some(urls(&["https://cdn.example.com/invalid-pin.wav"])),
            plan: DigitPlan::new(numbers, Terminators::new("#").unwrap()).unwrap(),
        }))
    );
    for (kind, expected) in [
        (CommandKind::PlaybackStop, Command::PlaybackStop),
        (CommandKind::PlaybackPause, Command::PlaybackPause),
        (CommandKind::PlaybackResume, Command::PlaybackResume),
        (CommandKind::PlaybackRestart, Command::PlaybackRestart),
        (CommandKind::PlaybackSilence, Command::PlaybackSilence),
        (CommandKind::Answer, Command::Answer),
        (
            CommandKind::RecordStart,
            Command::RecordStart { mask_digits: None },
        ),
        (CommandKind::RecordStop, Command::RecordStop),
        (CommandKind::RecordResume, Command::RecordResume),
    ] {
        for body in [
            "{}",
            "",
            " \n",
            r#"{"more": [1]}"#,
            r#"{"command_uid": null}"#,
        ] {
            assert_eq!(command(kind, body), expected, "{kind:?} {body}");
        }
    }
}

#[test]
fn defaults() {
    let cause = HangupCause::new("NORMAL_CLEARING").unwrap();
    assert_eq!(
        command(CommandKind::Hangup, "{}"),
        Command::Hangup { cause }
    );
    let mode = PauseMode::Silence;
    assert_eq!(
        command(CommandKind::RecordPause, "{}"),
        Command::RecordPause { mode }
    );
    let mode = PauseMode::Skip;
    assert_eq!(
        command(CommandKind::RecordPause, r#"{"mode":"skip"}"#),
        Command::RecordPause { mode }
    );
    let numbers = PlanNumbers {
        min_digits: 1,
        max_digits: 10,
        max_tries: 3,
        timeout_ms: 5_000,
    };
    let expected = Command::PlayAndGetDigits(Box::new(Collecting {
        prompt: urls(&["http://a/b"]),
        invalid: None,
        plan: DigitPlan::new(numbers, Terminators::new("#").unwrap()).unwrap(),
    }));
    for more in [
        "",
        r#","invalid_files":[]"#,
        r#","timeout":null,"terminators":null"#,
    ] {
        let body = format!(r#"{{"prompt_files":["http://a/b"]{more}}}"#);
        assert_eq!(command(CommandKind::PlayAndGetDigits, &body), expected);
    }
}

#[test]
fn edges_are_inside() {
    let list =
        |count: usize, url: &str| format!("[{}]", vec![format!("\"{url}\""); count].join(","));
    let longest = format!("https://a.example/{}", "x".repeat(2_048 - 18));
    assert_eq!(longest.len(), 2_048);
    for (kind, body) in [
        (
            CommandKind::PlaybackStart,
            format!(r#"{{"urls":{}}}"#, list(128, "HTTP://a.example/1.wav")),
        ),
        (
            CommandKind::PlaybackStart,
            format!(r#"{{"urls":["{longest}"],"offset_sec":86400}}"#),
        ),
        (
            CommandKind::PlaybackStart,
            r#"{"urls":["http://192.0.2.1:8080/a?b=c#d"],"offset_sec":0}"#.into(),
        ),
        (
            CommandKind::PlaybackStart,
            r#"{"urls":["http://a/1","http://a/2"],"offset_sec":null}"#.into(),
        ),
        (CommandKind::PlaybackSeek, r#"{"position_ms":-1}"#.into()),
        (
            CommandKind::Hangup,
            format!(r#"{{"cause":"{}"}}"#, "A_".repeat(32)),
        ),
        (
            CommandKind::Answer,
            format!(r#"{{"command_uid":"{}"}}"#, "aZ9._-7x".repeat(16)),
        ),
    ] {
        assert_eq!(command(kind, &body).kind(), kind);
    }
    let seek = |body: &str| command(CommandKind::PlaybackSeek, body);
    let by_ms = i64::MIN;
    assert_eq!(
        seek(&format!(r#"{{"position_ms":{by_ms}}}"#)),
        Command::PlaybackSeek { by_ms }
    );
    let by_ms = i64::MAX;
    assert_eq!(
        seek(&format!(r#"{{"position_ms":{}}}"#, u64::MAX)),
        Command::PlaybackSeek { by_ms }
    );
    let files = list(128, "http://a/b");
    for more in [
        r#""min_digits":0,"max_digits":1"#,
        r#""min_digits":128,"max_digits":128"#,
        r#""max_tries":10,"timeout":12000"#,
        r#""max_tries":1,"timeout":120000"#,
        r#""max_tries":1,"timeout":1000"#,
        r#""terminators":"""#,
        r##""terminators":"#*#*#*#*#*#*#*#*""##,
    ] {
        let body = format!(r#"{{"prompt_files":{files},"invalid_files":{files},{more}}}"#);
        command(CommandKind::PlayAndGetDigits, &body);
    }
}

#[test]
fn names_are_passed_on() {
    let operation = Uuid::from_u128(5);
    let request = read(
        CommandKind::Answer,
        br#"{"command_uid":"a.B_c-1"}"#,
        operation,
    );
    assert_eq!(
        request,
        Ok(Request {
            command: Command::Answer,
            command_uid: CommandUid::new("a.B_c-1"),
            operation
        })
    );
}

#[test]
fn paths_name_commands() {
    for kind in CommandKind::ALL {
        assert_eq!(CommandKind::from_path(kind.as_str()), Some(kind));
    }
    for bad in [
        "",
        "play",
        "playback",
        "playback/",
        "PLAYBACK/start",
        "playback/start/",
    ] {
        assert_eq!(CommandKind::from_path(bad), None);
    }
}

proptest! {
    #[test]
    fn no_body_does_harm(kind in 0..CommandKind::ALL.len(), body: Vec<u8>) {
        let read = read(CommandKind::ALL[kind], &body, Uuid::nil());
        if let Err(fault) = read {
            prop_assert!(!fault.to_string().is_empty() && !fault.detail().is_empty());
        }
    }

    #[test]
    fn numbers_are_in_their_ranges_or_named(
        min in prop_oneof![any::<i64>(), -1..140_i64],
        max in -1..140_i64,
        tries in -1..12_i64,
        timeout in prop_oneof![0..400_000_i64, 1_000..20_000_i64],
    ) {
        let body = format!(
            r#"{{"prompt_files":["http://a/b"],"min_digits":{min},"max_digits":{max},{}}}"#,
            format_args!(r#""max_tries":{tries},"timeout":{timeout}"#),
        );
        let fits = (0..=128).contains(&min)
            && (1..=128).contains(&max)
            && min <= max
            && (1..=10).contains(&tries)
            && (1_000..=300_000).contains(&timeout)
            && timeout * tries <= 120_000;
        let read = read(CommandKind::PlayAndGetDigits, body.as_bytes(), Uuid::nil());
        prop_assert_eq!(read.is_ok(), fits);
        if let Err(fault) = read {
            let named = matches!(fault, BodyFault::Range { .. } | BodyFault::Plan(_));
            prop_assert!(named, "{}", fault);
        }
    }
}
