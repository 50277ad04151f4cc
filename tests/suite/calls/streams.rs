//! The second way to see a call: the session itself, server-sent events, and the command line. All
//! tell the same as the webhooks.

use std::process::Command;

use harness::daemon::TENANT;
use harness::events::{EventStream, Sent};
use harness::process::{self, Guarded};
use harness::receiver::Delivery;
use harness::{sound, wait};
use serde_json::{Value, json};

use super::rig::{KEY, Rig};
use crate::support;

fn open(rig: &Rig, target: &str) -> EventStream {
    let headers = [("X-App-ID", TENANT), ("X-API-Key", KEY)];
    let address = rig.daemon.endpoints().plain;
    let stream = EventStream::open(address, target, &headers).expect("a stream");
    assert!(stream.head.starts_with("HTTP/1.1 200"), "{}", stream.head);
    let head = stream.head.to_ascii_lowercase();
    assert!(head.contains("text/event-stream"), "{head}");
    stream
}

fn sequence(sent: &Sent) -> u64 {
    let body: Value = serde_json::from_str(&sent.data).expect("JSON in data");
    support::number(&body, "sequence")
}

/// Waits until the stream has told as much as the webhooks.
fn caught_up(stream: &EventStream, events: &[Delivery]) -> Vec<Sent> {
    wait::until("the stream's last event", || {
        let sent = stream.sent();
        (sent.len() >= events.len()).then_some(sent)
    })
}

/// Bodies are the same, byte for byte, and so is their order.
#[test]
fn streams_tell_what_webhooks_tell() {
    let rig = Rig::start("");
    let everything = open(&rig, "/api/v1/events");
    let url = rig
        .prompts
        .put_samples("a.wav", &sound::rustle(0.5, harness::duplex::RATE, 80));
    let call = rig.open();
    let mine = open(&rig, &format!("/api/v1/sessions/{}/events", call.uuid));
    call.run("answer", &json!({}));
    let uid = call.play(&[&url]);
    let _ = call.wait_for("playback.stopped", &uid);
    let recording = call.run("record/start", &json!({}));
    let spoken = sound::rustle(2.0, harness::duplex::RATE, 81);
    rig.caller(0).say_all(&spoken);
    let _ = call.hang_up();
    let _ = call.wait_for("recording.completed", &recording);
    let events = call.settle();

    let sent = caught_up(&everything, &events);
    assert_eq!(sent.len(), events.len());
    for (sent, event) in sent.iter().zip(&events) {
        assert_eq!(sent.data.as_bytes(), event.raw, "{}", event.event);
        assert_eq!(sent.event.as_deref(), Some(event.event.as_str()));
    }
    // The session's own stream began after the first events.
    let own = wait::until("the session's last event", || {
        let sent = mine.sent();
        let last = sent.last().map(sequence)?;
        (last == events.len() as u64).then_some(sent)
    });
    let skipped = events.len() - own.len();
    for (sent, event) in own.iter().zip(&events[skipped..]) {
        assert_eq!(sent.data.as_bytes(), event.raw, "{}", event.event);
    }
}

/// What is read is the state as it is, for each step of a call's life.
#[test]
fn a_session_shows_where_it_stands() {
    let rig = Rig::start("");
    let call = rig.open();
    let new = call.look();
    assert_eq!(new["state"], "new", "{new}");
    assert_eq!(new["line"], "desk");
    assert_eq!(new["caller_id"], "+15551234567");
    assert_eq!(new["did"], "+15559876543");
    assert!(new["answered_at"].is_null(), "{new}");
    call.run("answer", &json!({}));
    let _ = call.wait("call.answered");
    assert_eq!(call.look()["state"], "answered");
    let list = rig.daemon.ask(&Rig::request("GET", "/api/v1/sessions"));
    assert_eq!(list.status, 200, "{}", list.text());
    let list = list.json();
    let sessions = list["sessions"].as_array().expect("sessions");
    assert!(
        sessions
            .iter()
            .any(|one| one["session_uuid"] == call.uuid.as_str())
    );
    let _ = call.hang_up();
    let over = call.look();
    assert_eq!(over["state"], "hung_up");
    assert_eq!(over["hangup_cause"], "NORMAL_CLEARING");
    assert!(over["ended_at"].is_string());
    call.settle();
}

/// `callreel calls watch --json` prints a line an event.
#[test]
fn the_command_line_watches_calls() {
    let rig = Rig::start("");
    let log = rig.daemon.folder().join("watch.log");
    let socket = rig.daemon.folder().join("control.sock");
    let mut command = Command::new(process::binaries().join("callreel"));
    command
        .arg("--socket")
        .arg(&socket)
        .args(["--json", "calls", "watch"]);
    let mut watcher = Guarded::spawn(command, &log);
    // What is told before the watcher is there is not shown to it: calls are made until one is.
    let events = wait::until("a call on the screen", || {
        assert!(watcher.is_running(), "{:?}", std::fs::read_to_string(&log));
        let call = rig.answered();
        let _ = call.hang_up();
        let events = call.settle();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.contains(&call.uuid).then_some(events)
    });
    let last = events.last().expect("events");
    let lines = wait::until("the call's last event on the screen", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect();
        let is_last = |line: &&Value| {
            support::field(line, "session_uuid").is_some_and(|uuid| *uuid == last.session.as_str())
                && support::number(line, "sequence") == last.sequence
        };
        lines.iter().any(|line| is_last(&line)).then_some(lines)
    });
    assert!(
        lines
            .iter()
            .any(|line| line.to_string().contains("call.hangup"))
    );
}
