//! The 202, and each event as it is delivered.

use audio_io::units::Millis;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{CommandAccepted, event};
use crate::engine::session::command::{CommandKind, CommandUid, HangupCause, PauseMode, Urls};
use crate::engine::session::digits::CollectStatus;
use crate::engine::session::event::{
    CommandFailure, Event, HangupBy, Playback, SessionEvent, StopReason,
};
use crate::engine::session::plan::Digit;

#[test]
fn a_command_is_taken_on() {
    let accepted = CommandAccepted::new(Uuid::from_u128(1));
    assert_eq!(
        serde_json::to_string(&accepted).unwrap(),
        concat!(
            r#"{"operation_id":"00000000-0000-0000-0000-000000000001","#,
            r#""status":"in_progress","timeout_ms":2000}"#
        )
    );
}

fn uid() -> CommandUid {
    CommandUid::new("u1").unwrap()
}

fn playback() -> Playback {
    Playback {
        command_uid: uid(),
        urls: Some(Urls::new(&["http://a.example/1.wav"]).unwrap()),
        file_path: Some("1.wav".into()),
    }
}

fn result(error: Option<CommandFailure>) -> Event {
    Event::CommandResult {
        command: CommandKind::PlaybackStart,
        command_uid: uid(),
        operation_id: Uuid::from_u128(2),
        success: error.is_none(),
        error,
    }
}

fn files() -> Value {
    json!({ "command_uid": "u1", "urls": ["http://a.example/1.wav"], "file_path": "1.wav" })
}

fn with(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

/// One of each kind, with its name and data.
pub(super) fn each() -> Vec<(Event, &'static str, Value)> {
    let command_uid = uid;
    let operation = Uuid::from_u128(2).to_string();
    let mut all = calls_and_digits();
    all.extend([
        (
            Event::PlaybackStarted(playback()),
            "playback.started",
            files(),
        ),
        (
            Event::PlaybackStopped {
                playback: playback(),
                offset_ms: Millis(5_000),
                duration_ms: Millis(2_500),
                reason: StopReason::Replaced,
            },
            "playback.stopped",
            with(
                files(),
                json!({ "offset_ms": 5000, "duration_ms": 2500, "reason": "replaced" }),
            ),
        ),
        (
            Event::FileNotFound {
                command_uid: command_uid(),
                url: "http://a.example/1.wav".into(),
                error: "the server answered 404".into(),
            },
            "playback.file_not_found",
            json!({
                "command_uid": "u1",
                "url": "http://a.example/1.wav",
                "error": "the server answered 404"
            }),
        ),
        (
            result(None),
            "command.result",
            json!({
                "command": "playback/start",
                "command_uid": "u1",
                "operation_id": operation,
                "success": true
            }),
        ),
        (
            result(Some(CommandFailure::Timeout)),
            "command.result",
            json!({
                "command": "playback/start",
                "command_uid": "u1",
                "operation_id": operation,
                "success": false,
                "error": "timeout"
            }),
        ),
    ]);
    all.extend(recordings());
    all
}

fn calls_and_digits() -> Vec<(Event, &'static str, Value)> {
    vec![
        (
            Event::CallNew {
                line: "trunk-1".into(),
                caller_id: Some("+15550100".into()),
                did: None,
            },
            "call.new",
            json!({ "line": "trunk-1", "caller_id": "+15550100", "did": null }),
        ),
        (Event::CallAnswered {}, "call.answered", json!({})),
        (
            Event::CallHangup {
                cause: HangupCause::default(),
                by: HangupBy::Command,
                duration_ms: Millis(9_000),
                answered_ms: Millis(8_000),
            },
            "call.hangup",
            json!({
                "cause": "NORMAL_CLEARING",
                "by": "command",
                "duration_ms": 9000,
                "answered_ms": 8000
            }),
        ),
        (
            Event::DigitsCollected {
                command_uid: uid(),
                digits: "4711".into(),
                terminator: Digit::new('#'),
                status: CollectStatus::Success,
            },
            "digits.collected",
            json!({
                "command_uid": "u1",
                "digits": "4711",
                "terminator": "#",
                "status": "success"
            }),
        ),
        (
            Event::Dtmf {
                digit: Digit::new('5').unwrap(),
                duration_ms: Millis(80),
            },
            "dtmf",
            json!({ "digit": "5", "duration_ms": 80 }),
        ),
    ]
}

fn recordings() -> Vec<(Event, &'static str, Value)> {
    vec![
        (
            Event::RecordingStarted { command_uid: uid() },
            "recording.started",
            json!({ "command_uid": "u1" }),
        ),
        (
            Event::RecordingPaused {
                command_uid: uid(),
                mode: PauseMode::Silence,
            },
            "recording.paused",
            json!({ "command_uid": "u1", "mode": "silence" }),
        ),
        (
            Event::RecordingCompleted {
                command_uid: uid(),
                recording_url: "http://box/r/1".into(),
                duration: 62,
                duration_ms: Millis(61_500),
            },
            "recording.completed",
            json!({
                "command_uid": "u1",
                "recording_url": "http://box/r/1",
                "duration": 62,
                "duration_ms": 61500
            }),
        ),
        (
            Event::RecordingAbsent { command_uid: uid() },
            "recording.absent",
            json!({ "command_uid": "u1" }),
        ),
        (
            Event::RecordingFailed {
                command_uid: uid(),
                error: "disk".into(),
            },
            "recording.failed",
            json!({ "command_uid": "u1", "error": "disk" }),
        ),
    ]
}

#[test]
fn each_event_has_its_data_in_both_places() {
    let session = Uuid::from_u128(3);
    for (number, (told, name, data)) in each().into_iter().enumerate() {
        let sequence = number as u64 + 1;
        let told = SessionEvent {
            sequence,
            event: told,
        };
        let envelope = json!({
            "event": name,
            "session_uuid": session.to_string(),
            "sequence": sequence,
            "data": data
        });
        let body = event(session, &told).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, with(envelope, data), "{name}");
    }
}
