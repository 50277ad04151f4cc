//! Commands: 202, and each refusal in its order.

use std::time::Duration;

use serde_json::json;
use storage::ledger::entry::Kind;
use storage::ledger::query::AuditFilter;

use super::super::client::Ask;
use super::{ABSENT, Desk, get, mine, others, post};
use crate::engine::session::command::CommandKind;
use crate::http::wire::session_commands::COMMAND_BODY_BYTES;

fn body(kind: CommandKind) -> &'static str {
    match kind {
        CommandKind::PlaybackStart => r#"{"urls":["https://cdn.example.com/greeting.wav"]}"#,
        CommandKind::PlaybackSeek => r#"{"position_ms":10000}"#,
        CommandKind::PlayAndGetDigits => {
            r#"{"prompt_files":["https://cdn.example.com/enter-pin.wav"]}"#
        }
        _ => "{}",
    }
}

#[test]
fn every_command_is_taken_on() {
    let desk = Desk::new();
    let path = desk.call();
    for kind in CommandKind::ALL {
        if kind == CommandKind::Hangup {
            continue;
        }
        desk.rig.clock.advance(Duration::from_secs(3));
        let answer = post(format!("{path}/commands/{}", kind.as_str()), body(kind)).ask(&desk.rig);
        assert_eq!(answer.status, 202, "{kind:?} {answer:?}");
        let told = answer.json();
        assert_eq!(
            (&told["status"], &told["timeout_ms"]),
            (&json!("in_progress"), &json!(2000))
        );
        let operation = told["operation_id"].as_str().unwrap();
        assert!(uuid::Uuid::try_parse(operation).is_ok());
    }
    let answer = post(format!("{path}/commands/hangup"), "").ask(&desk.rig);
    assert_eq!(answer.status, 202, "an empty body is an empty object");
    let answer = post(format!("{path}/commands/answer"), "{}").ask(&desk.rig);
    assert_eq!(answer.status, 409);
    assert_eq!(answer.json()["error"], "Session has ended");
}

#[test]
fn sessions_are_looked_for_before_bodies_are_read() {
    let desk = Desk::new();
    let path = desk.call();
    for (ask, status, error) in [
        (
            post(format!("/api/v1/sessions/{ABSENT}/commands/answer"), "{"),
            404,
            "Session not found",
        ),
        (
            post("/api/v1/sessions/nonsense/commands/answer", "{"),
            404,
            "Session not found",
        ),
        (
            post("/api/v1/sessions/%ff/commands/answer", "{"),
            404,
            "Session not found",
        ),
        (
            others(Ask::get(format!("{path}/commands/answer")).json("{")),
            403,
            "Session belongs to a different application",
        ),
        (
            post(format!("{path}/commands/answer"), "{"),
            400,
            "The body is not valid JSON (line 1, column 1)",
        ),
    ] {
        let answer = ask.ask(&desk.rig);
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (status, &json!(error))
        );
    }
}

#[test]
fn content_types_other_than_json_are_refused_and_none_is_json() {
    let desk = Desk::new();
    let path = format!("{}/commands/playback/seek", desk.answered_call());
    let send = |content_type: Option<&str>, body: &'static str| {
        desk.rig.clock.advance(Duration::from_secs(3));
        let mut ask = mine(Ask::get(&path)).method(http::Method::POST);
        ask.body = body.into();
        if let Some(content_type) = content_type {
            ask = ask.with("content-type", content_type);
        }
        ask.ask(&desk.rig).status.as_u16()
    };
    let seek = r#"{"position_ms":5}"#;
    assert_eq!(send(None, seek), 202);
    assert_eq!(send(Some("application/json; charset=utf-8"), seek), 202);
    assert_eq!(send(Some("text/plain"), seek), 415);
    assert_eq!(send(Some("text/plain"), ""), 400, "position_ms is missing");
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(COMMAND_BODY_BYTES));
    desk.rig.clock.advance(Duration::from_secs(3));
    assert_eq!(post(&path, &large).ask(&desk.rig).status, 413);
}

#[test]
fn pauses_are_told_to_the_millisecond_and_repeats_are_answered_in_them() {
    let desk = Desk::new();
    let path = format!("{}/commands/playback/pause", desk.answered_call());
    let first = post(&path, r#"{"command_uid":"u-1"}"#).ask(&desk.rig);
    assert_eq!(first.status, 202);
    desk.rig.clock.advance(Duration::from_millis(27));
    let again = post(&path, r#"{"command_uid":"u-1"}"#).ask(&desk.rig);
    assert_eq!((again.status.as_u16(), again.json()), (202, first.json()));
    for body in [
        "{}",
        r#"{"command_uid":"u-2"}"#,
        "{",
        r#"{"command_uid":""}"#,
    ] {
        let answer = post(&path, body).ask(&desk.rig);
        assert_eq!(answer.status, 429, "{body}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("retry-after-ms"), Some("73"));
        assert_eq!(answer.json()["error"], "Command rate limit exceeded");
        let detail = answer.json()["detail"].to_string();
        assert!(
            detail.contains("'seek'") && detail.contains("100 ms"),
            "{detail}"
        );
    }
    desk.rig.clock.advance(Duration::from_millis(72));
    assert_eq!(post(&path, "{}").ask(&desk.rig).status, 429);
    desk.rig.clock.advance(Duration::from_millis(1));
    assert_eq!(
        post(&path, "{").ask(&desk.rig).status,
        400,
        "no pause any more"
    );
    assert_eq!(post(&path, "{}").ask(&desk.rig).status, 202);
    // A group of its own: not held up by the other's pause.
    let other = path.replace("playback/pause", "playback/silence");
    assert_eq!(post(&other, "{}").ask(&desk.rig).status, 202);
    assert_eq!(
        post(&other, "{}").ask(&desk.rig).header("retry-after-ms"),
        Some("500")
    );
    assert_eq!(
        get(path.split("/commands").next().unwrap())
            .ask(&desk.rig)
            .status,
        200
    );
}

#[test]
fn what_changes_a_call_is_told_with_who_gave_the_command() {
    let desk = Desk::new();
    let path = desk.call();
    let uuid = path.rsplit('/').next().unwrap().to_owned();
    let give = |command: &str, body: &str| {
        desk.rig.clock.advance(Duration::from_secs(3));
        let answer = post(format!("{path}/commands/{command}"), body).ask(&desk.rig);
        assert_eq!(answer.status, 202, "{command} {answer:?}");
    };
    give("answer", "{}");
    give(
        "record/start",
        r#"{"command_uid":"r-1","mask_digits":true}"#,
    );
    // The same once more is the same.
    give(
        "record/start",
        r#"{"command_uid":"r-1","mask_digits":true}"#,
    );
    give("playback/start", body(CommandKind::PlaybackStart));
    give("hangup", "");
    let storage = &desk.rig.site.storage;
    storage.flush_index().unwrap();
    let filter = AuditFilter {
        kinds: vec![Kind::Commanded],
        ..AuditFilter::default()
    };
    let mut told = storage.audit(&filter, None, 100).unwrap().entries;
    told.sort_by_key(|entry| entry.seq);
    let commands: Vec<_> = told
        .iter()
        .map(|it| it.details["command"].clone())
        .collect();
    assert_eq!(commands, ["open", "answer", "record/start", "hangup"]);
    for entry in &told {
        assert_eq!(entry.details["session"], uuid);
        assert_eq!(entry.who.as_ref().unwrap().name.as_deref(), Some("a"));
        assert_eq!(entry.tenant, Some(desk.rig.tenant));
    }
    assert_eq!(told[2].details["mask_digits"], true);
    assert_eq!(told[3].details["cause"], "NORMAL_CLEARING");
}
