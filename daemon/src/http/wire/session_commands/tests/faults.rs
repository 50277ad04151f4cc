//! Every fault of a body and of a credential, with its words.

use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::super::access::{self, AccessFault};
use super::super::{ErrorAnswer, body};
use crate::engine::session::command::CommandKind;

/// The envelope of a body's fault.
fn envelope(kind: CommandKind, text: &str) -> serde_json::Value {
    let fault = body::read(kind, text.as_bytes(), Uuid::nil());
    let fault = fault.err().unwrap_or_else(|| panic!("{text} is taken"));
    let (error, detail) = (fault.to_string(), fault.detail());
    serde_json::to_value(ErrorAnswer::new(&error, Some(&detail))).unwrap()
}

fn check(kind: CommandKind, rows: &[(&str, &str, &str)]) {
    for (text, error, detail) in rows {
        let expected = json!({ "success": false, "error": error, "detail": detail });
        assert_eq!(envelope(kind, text), expected, "{kind:?} {text}");
    }
}

const OBJECT: &str = "Send a JSON object, for example {}, as application/json";
const URL: &str = "Send absolute URLs such as https://cdn.example.com/greeting.wav, without a \
                   user name or spaces";
const UID: &str = "command_uid is 1 to 128 letters, digits, '.', '_' or '-'";

#[test]
fn of_any_command() {
    let long = format!(r#"{{"command_uid":"{}"}}"#, "a".repeat(129));
    let rows = [
        ("{", "The body is not valid JSON (line 1, column 1)", OBJECT),
        (
            "{}{}",
            "The body is not valid JSON (line 1, column 3)",
            OBJECT,
        ),
        ("[]", "The body is not a JSON object", OBJECT),
        ("null", "The body is not a JSON object", OBJECT),
        (
            r#"{"a":1,"a":2}"#,
            "The body has the same field twice",
            "Send each field once",
        ),
        (
            r#"{"command_uid":5}"#,
            "command_uid is not a string",
            "Send command_uid as a string",
        ),
        (
            r#"{"command_uid":""}"#,
            "command_uid has an invalid format",
            UID,
        ),
        (
            r#"{"command_uid":"a b"}"#,
            "command_uid has an invalid format",
            UID,
        ),
        (
            r#"{"command_uid":"é"}"#,
            "command_uid has an invalid format",
            UID,
        ),
        (&long, "command_uid has an invalid format", UID),
    ];
    for kind in CommandKind::ALL {
        check(kind, &rows);
    }
}

#[test]
fn of_playback_start() {
    let many = format!(r#"{{"urls":[{}]}}"#, vec![r#""http://a/b""#; 129].join(","));
    let long = format!(r#"{{"urls":["http://a/{}"]}}"#, "x".repeat(2_040));
    let missing = ("urls is missing", "Send urls");
    check(
        CommandKind::PlaybackStart,
        &[
            ("{}", missing.0, missing.1),
            (r#"{"urls":null}"#, missing.0, missing.1),
            (
                r#"{"urls":"http://a/b"}"#,
                "urls is not an array of strings",
                "Send urls as an array of strings",
            ),
            (
                r#"{"urls":["http://a/b",7]}"#,
                "urls[1] is not a string",
                "Send urls as an array of strings",
            ),
            (
                r#"{"urls":[]}"#,
                "urls is empty",
                "Send at least one URL in urls",
            ),
            (&many, "urls has 129 URLs", "Send at most 128 URLs in urls"),
            (
                &long,
                "urls[0] has 2049 characters",
                "Send URLs of at most 2048 characters",
            ),
            (
                r#"{"urls":["http://a/b","ftp://a/b"]}"#,
                "urls[1] is not an http:// or https:// URL",
                URL,
            ),
            (
                r#"{"urls":["/etc/passwd"]}"#,
                "urls[0] is not an http:// or https:// URL",
                URL,
            ),
            (r#"{"urls":["http://"]}"#, "urls[0] is not a valid URL", URL),
            (
                r#"{"urls":["http://a b/"]}"#,
                "urls[0] is not a valid URL",
                URL,
            ),
            (
                r#"{"urls":["http://u:p@a/"]}"#,
                "urls[0] is not a valid URL",
                URL,
            ),
        ],
    );
}

#[test]
fn of_offsets() {
    let offset = (
        "offset_sec is out of range",
        "Send offset_sec from 0 to 86400",
    );
    check(
        CommandKind::PlaybackStart,
        &[
            (
                r#"{"urls":["http://a/"],"offset_sec":86401}"#,
                offset.0,
                offset.1,
            ),
            (
                r#"{"urls":["http://a/"],"offset_sec":-1}"#,
                offset.0,
                offset.1,
            ),
            (
                r#"{"urls":["http://a/"],"offset_sec":1.5}"#,
                "offset_sec is not an integer",
                "Send offset_sec as an integer",
            ),
            (
                r#"{"urls":["http://a/"],"offset_sec":"1"}"#,
                "offset_sec is not an integer",
                "Send offset_sec as an integer",
            ),
            (
                r#"{"urls":["http://a/","http://b/"],"offset_sec":5}"#,
                "offset_sec is not allowed with multiple URLs",
                "Send one URL, or leave offset_sec out",
            ),
            (
                r#"{"urls":["http://a/"],"offset_ms":5}"#,
                "offset_ms is not supported",
                "Send offset_sec, in whole seconds",
            ),
        ],
    );
}

#[test]
fn of_playback_seek_hangup_and_record_pause() {
    check(
        CommandKind::PlaybackSeek,
        &[
            ("{}", "position_ms is missing", "Send position_ms"),
            (
                r#"{"position_ms":0}"#,
                "position_ms must be non-zero",
                "Send milliseconds from the current position: positive is forward, negative \
                 backward",
            ),
            (
                r#"{"position_ms":"10"}"#,
                "position_ms is not an integer",
                "Send position_ms as an integer",
            ),
        ],
    );
    let cause = "cause is 1 to 64 of A-Z and '_', for example NORMAL_CLEARING";
    let long = format!(r#"{{"cause":"{}"}}"#, "A".repeat(65));
    check(
        CommandKind::Hangup,
        &[
            (r#"{"cause":""}"#, "cause has an invalid format", cause),
            (r#"{"cause":"busy"}"#, "cause has an invalid format", cause),
            (&long, "cause has an invalid format", cause),
            (
                r#"{"cause":1}"#,
                "cause is not a string",
                "Send cause as a string",
            ),
        ],
    );
    check(
        CommandKind::RecordPause,
        &[(
            r#"{"mode":"mute"}"#,
            "mode is neither silence nor skip",
            "Send \"silence\" to keep the timeline, or \"skip\"",
        )],
    );
}

#[test]
fn of_play_and_get_digits() {
    let with = |more: &str| format!(r#"{{"prompt_files":["http://a/b"],{more}}}"#);
    let ranges = [
        ("min_digits", [-1, 129], "0 to 128"),
        ("max_digits", [0, 129], "1 to 128"),
        ("max_tries", [0, 11], "1 to 10"),
        ("timeout", [999, 300_001], "1000 to 300000"),
    ];
    for (field, values, range) in ranges {
        for value in values {
            let text = with(&format!(r#""{field}":{value}"#));
            let error = format!("{field} is out of range");
            let detail = format!("Send {field} from {range}");
            check(CommandKind::PlayAndGetDigits, &[(&text, &error, &detail)]);
        }
    }
    let keys = (
        "terminators may hold only # and *, at most 16 characters",
        "Send for example \"#\" or \"#*\"",
    );
    let total = "Send a smaller timeout or max_tries";
    check(
        CommandKind::PlayAndGetDigits,
        &[
            ("{}", "prompt_files is missing", "Send prompt_files"),
            (
                r#"{"prompt_files":[]}"#,
                "prompt_files is empty",
                "Send at least one URL in prompt_files",
            ),
            (
                &with(r#""invalid_files":["x"]"#),
                "invalid_files[0] is not an http:// or https:// URL",
                URL,
            ),
            (
                &with(r#""min_digits":11"#),
                "min_digits (11) is greater than max_digits (10)",
                "Send min_digits up to max_digits (10 if left out)",
            ),
            (
                &with(r#""timeout":60001,"max_tries":2"#),
                "timeout * max_tries is 120002 ms; the total timeout may be 120000 ms",
                total,
            ),
            (
                &with(r#""timeout":40001"#),
                "timeout * max_tries is 120003 ms; the total timeout may be 120000 ms",
                total,
            ),
            (
                &with(r#""timeout":300000,"max_tries":1"#),
                "timeout * max_tries is 300000 ms; the total timeout may be 120000 ms",
                total,
            ),
            (&with(r#""terminators":"1""#), keys.0, keys.1),
            (
                &with(r##""terminators":"*****************""##),
                keys.0,
                keys.1,
            ),
        ],
    );
}

#[test]
fn of_credentials_and_sessions() {
    let key = Some("0123456789abcdef");
    assert_eq!(access::read(None, key), Err(AccessFault::MissingAppId));
    assert_eq!(access::read(None, None), Err(AccessFault::MissingAppId));
    let long = "a".repeat(65);
    for bad in ["", "a b", "a.b", "é", &long] {
        assert_eq!(
            access::read(Some(bad), None),
            Err(AccessFault::InvalidAppId)
        );
    }
    for missing in [None, Some("")] {
        assert_eq!(
            access::read(Some("app_1-A"), missing),
            Err(AccessFault::MissingKey)
        );
    }
    let shown = access::read(Some("app_1-A"), key).unwrap();
    assert_eq!((shown.app_id.as_str(), Some(shown.key)), ("app_1-A", key));
    let uuid = Uuid::from_u128(9).to_string();
    assert_eq!(access::session_uuid(&uuid), Ok(Uuid::from_u128(9)));
    assert_eq!(
        access::session_uuid(&uuid.to_uppercase()),
        Ok(Uuid::from_u128(9))
    );
    for bad in [
        "",
        "x",
        &uuid[1..],
        &uuid.replace('-', ""),
        &format!("{{{uuid}}}"),
    ] {
        assert_eq!(
            access::session_uuid(bad),
            Err(AccessFault::NotFound),
            "{bad}"
        );
    }
}

#[test]
fn faults_have_the_seeds_statuses() {
    use crate::engine::session::cooldown::Group;
    for (fault, status, text) in [
        (AccessFault::MissingAppId, 400, "Missing X-App-ID header"),
        (AccessFault::InvalidAppId, 400, "Invalid X-App-ID format"),
        (AccessFault::MissingKey, 401, "Missing API key"),
        (AccessFault::InvalidKey, 401, "Invalid API key"),
        (
            AccessFault::NotYours,
            403,
            "Session belongs to a different application",
        ),
        (AccessFault::NotFound, 404, "Session not found"),
        (AccessFault::Ended, 409, "Session has ended"),
        (AccessFault::RateLimited, 429, "Rate limit exceeded"),
        (
            AccessFault::Cooldown(Group::Heavy),
            429,
            "Command rate limit exceeded",
        ),
    ] {
        assert_eq!(fault.status(), StatusCode::from_u16(status).unwrap());
        assert_eq!(fault.to_string(), text);
    }
    let detail = AccessFault::Cooldown(Group::Playback).detail().unwrap();
    assert!(detail.contains("'playback' in 500 ms"), "{detail}");
    let plain = ErrorAnswer::new("Invalid API key", None);
    assert_eq!(
        serde_json::to_string(&plain).unwrap(),
        r#"{"success":false,"error":"Invalid API key"}"#
    );
}
