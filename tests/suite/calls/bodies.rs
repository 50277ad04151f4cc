//! Each 400 of seed 001: the message names the field, and nothing is begun. The seed's own
//! requests, word for word, with their answers as golden files.

use harness::golden;
use harness::http::Transport;
use harness::wait;
use serde_json::{Value, json};

use super::rig::{KEY, Rig};
use crate::support;

const URL: &str = "https://cdn.example.com/a.wav";

fn urls(count: usize) -> Value {
    json!(vec![URL; count])
}

fn long_url() -> String {
    format!("https://cdn.example.com/{}", "a".repeat(2_048))
}

/// Command, body, and the field that the message names.
const FAULTS: &[(&str, &str, &str)] = &[
    ("playback/start", "{}", "urls"),
    ("playback/start", r#"{"urls":[]}"#, "urls"),
    ("playback/start", r#"{"urls":null}"#, "urls"),
    ("playback/start", r#"{"urls":"http://a.example/b"}"#, "urls"),
    (
        "playback/start",
        r#"{"urls":["http://a.example/b",7]}"#,
        "urls[1]",
    ),
    (
        "playback/start",
        r#"{"urls":["ftp://a.example/b"]}"#,
        "urls[0]",
    ),
    (
        "playback/start",
        r#"{"urls":["file:///etc/passwd"]}"#,
        "urls[0]",
    ),
    ("playback/start", r#"{"urls":["/a.wav"]}"#, "urls[0]"),
    ("playback/start", r#"{"urls":["https://"]}"#, "urls[0]"),
    (
        "playback/start",
        r#"{"urls":["https://u:p@a.example/"]}"#,
        "urls[0]",
    ),
    (
        "playback/start",
        r#"{"urls":["http://a.example/b"],"offset_ms":5}"#,
        "offset_ms",
    ),
    (
        "playback/start",
        r#"{"urls":["http://a.example/b"],"offset_sec":-1}"#,
        "offset_sec",
    ),
    (
        "playback/start",
        r#"{"urls":["http://a.example/b"],"offset_sec":86401}"#,
        "offset_sec",
    ),
    (
        "playback/start",
        r#"{"urls":["http://a.example/b"],"offset_sec":1.5}"#,
        "offset_sec",
    ),
    (
        "playback/start",
        r#"{"urls":["http://a.example/b"],"offset_sec":"1"}"#,
        "offset_sec",
    ),
    (
        "playback/start",
        r#"{"urls":["http://a/","http://b/"],"offset_sec":1}"#,
        "offset_sec",
    ),
    ("playback/seek", "{}", "position_ms"),
    ("playback/seek", r#"{"position_ms":0}"#, "position_ms"),
    ("playback/seek", r#"{"position_ms":"10"}"#, "position_ms"),
    ("playback/seek", r#"{"position_ms":0.5}"#, "position_ms"),
    ("play_and_get_digits", "{}", "prompt_files"),
    (
        "play_and_get_digits",
        r#"{"prompt_files":[]}"#,
        "prompt_files",
    ),
    ("hangup", r#"{"cause":"no reason"}"#, "cause"),
    ("hangup", r#"{"cause":""}"#, "cause"),
    ("hangup", r#"{"cause":16}"#, "cause"),
    ("record/start", r#"{"mask_digits":"yes"}"#, "mask_digits"),
    ("record/pause", r#"{"mode":"loud"}"#, "mode"),
    // JSON itself.
    ("playback/start", "{", "not valid JSON"),
    ("playback/start", "[]", "not a JSON object"),
    ("playback/start", "7", "not a JSON object"),
    ("playback/start", r#"{"urls":[],"urls":[]}"#, "twice"),
    ("playback/start", r#"{"urls":["\ud800"]}"#, "JSON"),
];

/// The same of `play_and_get_digits` with a prompt: a field and a value that it cannot have.
const DIGIT_FAULTS: &[(&str, &str)] = &[
    ("invalid_files", r#"["gopher://a.example/"]"#),
    ("min_digits", "-1"),
    ("min_digits", "129"),
    ("min_digits", "11"),
    ("max_digits", "0"),
    ("max_digits", "129"),
    ("max_tries", "0"),
    ("max_tries", "11"),
    ("timeout", "999"),
    ("timeout", "300001"),
    ("timeout", "40001"),
    ("terminators", "\"5\""),
    ("terminators", "\"#################\""),
    ("terminators", "[\"#\"]"),
];

/// Everything above, and what is too long to be written down.
fn faults() -> Vec<(&'static str, String, &'static str)> {
    let mut faults: Vec<(&str, String, &str)> = FAULTS
        .iter()
        .map(|(command, body, field)| (*command, (*body).to_owned(), *field))
        .collect();
    for (field, value) in DIGIT_FAULTS {
        let body = format!("{{\"prompt_files\":[\"{URL}\"],\"{field}\":{value}}}");
        faults.push(("play_and_get_digits", body, field));
    }
    let mut long = |command, body: Value, field| faults.push((command, body.to_string(), field));
    long("playback/start", json!({ "urls": urls(129) }), "urls");
    let two = json!({ "urls": [URL, long_url()] });
    long("playback/start", two, "urls[1]");
    let many = json!({ "prompt_files": urls(129) });
    long("play_and_get_digits", many, "prompt_files");
    let many = json!({ "prompt_files": [URL], "invalid_files": urls(129) });
    long("play_and_get_digits", many, "invalid_files");
    long("hangup", json!({ "cause": "A".repeat(65) }), "cause");
    for command in ["answer", "playback/stop", "playback/silence", "record/stop"] {
        for uid in [
            json!("two words"),
            json!(""),
            json!("a".repeat(129)),
            json!(5),
        ] {
            long(command, json!({ "command_uid": uid }), "command_uid");
        }
    }
    faults
}

#[test]
fn what_is_wrong_is_named() {
    let rig = Rig::start("");
    let call = rig.answered();
    let mut client = rig.daemon.client(Transport::Plain1);
    let mut check = |command: &str, body: &[u8], field: &str| {
        let request = Rig::request("POST", &call.path(command)).body(body);
        let answer = client.send(&request);
        let text = String::from_utf8_lossy(body).into_owned();
        let shown: String = text.chars().take(80).collect();
        assert_eq!(answer.status, 400, "{command} {shown}: {}", answer.text());
        let json = answer.json();
        let error = json["error"].as_str().unwrap_or_default();
        assert!(error.contains(field), "{command} {shown}: '{error}'");
        assert!(json["detail"].is_string(), "{command} {shown}: {json}");
        assert_eq!(json["success"], false);
    };
    for (command, body, field) in faults() {
        check(command, body.as_bytes(), field);
    }
    check("playback/stop", b"\xff\xfe", "JSON");
    let _ = call.hang_up();
    let events = call.settle();
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    let wanted = [
        "call.new",
        "call.answered",
        "command.result",
        "command.result",
        "call.hangup",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let mut expected = wanted.to_vec();
    expected.sort_unstable();
    assert_eq!(sorted, expected, "nothing was begun: {names:?}");
}

/// The seed's limits themselves are taken.
#[test]
fn the_largest_of_everything_is_taken() {
    let rig = Rig::start("");
    let call = rig.answered();
    let longest = format!("{}{}", URL, "a".repeat(2_048 - URL.len()));
    for (command, body) in [
        ("playback/start", json!({ "urls": urls(128) })),
        (
            "playback/start",
            json!({ "urls": [longest], "offset_sec": 86_400 }),
        ),
        ("playback/seek", json!({ "position_ms": -1 })),
        ("playback/seek", json!({ "position_ms": 9_000_000_000_i64 })),
        (
            "play_and_get_digits",
            json!({
                "prompt_files": urls(128), "invalid_files": urls(128), "min_digits": 0,
                "max_digits": 128, "max_tries": 10, "timeout": 12_000,
                "terminators": "#*#*#*#*#*#*#*#*",
            }),
        ),
    ] {
        let _ = call.send(command, &body);
    }
    let _ = call.hang_up();
    call.settle();
}

/// A repeated `command_uid` answers the first operation and does nothing.
#[test]
fn a_repeated_command_runs_once() {
    let rig = Rig::start("");
    let call = rig.answered();
    let body = json!({ "command_uid": "once.and-only_once" });
    let first = call.command("playback/silence", &body);
    assert_eq!(first.status, 202, "{}", first.text());
    for _ in 0..3 {
        let again = call.command("playback/silence", &body);
        assert_eq!(again.status, 202, "no pause either: {}", again.text());
        assert_eq!(again.json(), first.json());
    }
    let result = call.result("once.and-only_once");
    assert_eq!(result["operation_id"], first.json()["operation_id"]);
    let _ = call.hang_up();
    call.settle();
    let results = call.named("command.result");
    let of_uid = results
        .iter()
        .filter(|result| result["command_uid"] == "once.and-only_once");
    assert_eq!(of_uid.count(), 1);
}

/// The seed's `curl` examples.
const EXAMPLES: [(&str, &str, &str); 8] = [
    (
        "playback_start",
        "playback/start",
        "{\"urls\": [\"https://cdn.example.com/greeting.wav\", \
         \"https://cdn.example.com/menu.wav\"]}",
    ),
    ("playback_stop", "playback/stop", "{}"),
    ("playback_pause", "playback/pause", "{}"),
    ("playback_resume", "playback/resume", "{}"),
    ("playback_seek", "playback/seek", "{\"position_ms\": 10000}"),
    ("playback_restart", "playback/restart", "{}"),
    ("playback_silence", "playback/silence", "{}"),
    (
        "play_and_get_digits",
        "play_and_get_digits",
        "{\"prompt_files\": [\"https://cdn.example.com/enter-pin.wav\"], \
         \"invalid_files\": [\"https://cdn.example.com/invalid-pin.wav\"], \"min_digits\": 4, \
         \"max_digits\": 6, \"max_tries\": 3, \"timeout\": 10000, \"terminators\": \"#\"}",
    ),
];

#[test]
fn the_seeds_examples_are_answered_as_recorded() {
    let rig = Rig::start("");
    let call = rig.answered();
    let mut client = rig.daemon.client(Transport::Plain1);
    let mut check = |name: &str, command: &str, body: &str, status: u16| {
        let request = Rig::request("POST", &call.path(command)).body(body.as_bytes());
        let answer = wait::until("the end of a pause", || {
            let answer = client.send(&request);
            (answer.status != 429).then_some(answer)
        });
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        let operation = support::field(&answer.json(), "operation_id")
            .and_then(|id| id.as_str().map(str::to_owned))
            .unwrap_or_default();
        let masks = [
            (call.uuid.as_str(), "{uuid}"),
            (KEY, "<key>"),
            (operation.as_str(), "<operation id>"),
        ];
        golden::check(
            &format!("session_commands/{name}"),
            &request,
            &answer,
            &masks,
        );
    };
    for (name, command, body) in EXAMPLES {
        check(name, command, body, 202);
    }
    for (name, command, body) in [
        (
            "400_offset_ms",
            "playback/start",
            "{\"urls\": [\"https://a.example/b\"], \"offset_ms\": 1}",
        ),
        ("400_zero_position", "playback/seek", "{\"position_ms\": 0}"),
        (
            "400_total_timeout",
            "play_and_get_digits",
            "{\"prompt_files\": [\"https://a.example/b\"], \"timeout\": 60000}",
        ),
    ] {
        check(name, command, body, 400);
    }
    let _ = call.hang_up();
    call.settle();
}
