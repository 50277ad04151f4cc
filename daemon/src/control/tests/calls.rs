//! Calls under control over the socket, with an exchange that the tests play.

use serde_json::{Value, json};
use uuid::Uuid;

use super::exchange::{FIRST, told};
use super::{Rig, code, talk};
use crate::cli::client::Lines;
use crate::control::limits::WATCHERS_MAX;
use crate::control::wire::{CallSession, Calls, CallsLine, CommandTold, ErrorCode};

async fn next(lines: &mut Lines) -> CallsLine {
    let line = lines.next().await.expect("readable").expect("a line");
    serde_json::from_slice(&line).expect("understood")
}

/// The session and the name of an event.
fn named(line: &CallsLine) -> (String, String) {
    let CallsLine::Told(told) = line else {
        panic!("no event: {line:?}");
    };
    let text = |field: &str| told.body[field].as_str().expect("a text").to_owned();
    (text("session_uuid"), text("event"))
}

#[test]
fn calls_are_opened_shown_commanded_and_ended() {
    let rig = Rig::with_line();
    talk(async {
        let client = &rig.client;
        let wish = json!({ "line": "front-desk", "caller_id": "+15550100" });
        let opened: CallSession = client.post("/calls", &wish).await.expect("opened");
        assert_eq!(opened.session_uuid, FIRST);
        assert_eq!(
            (opened.tenant.as_str(), opened.state.as_str()),
            ("acme", "new")
        );
        let twice = client.post::<Value>("/calls", &wish).await;
        assert_eq!(code(twice), ErrorCode::Conflict);
        let listed: Calls = client.get("/calls?tenant=acme").await.expect("a list");
        assert_eq!((listed.items.len(), listed.sessions.len()), (0, 1));

        let command = async |path: &str, body: Value| {
            let path = format!("/calls/{FIRST}/{path}");
            client.post::<CommandTold>(&path, &body).await
        };
        let answered = command("answer", json!({})).await.expect("taken on");
        assert_eq!(answered.command, "answer");
        assert!(answered.result.is_some_and(|result| result.success));
        let stopped = command("playback/stop", json!({})).await.expect("taken on");
        let result = stopped.result.expect("an outcome");
        assert_eq!(result.error.as_deref(), Some("no playback is active"));
        let many = vec!["https://cdn.example.com/".to_owned() + &"x".repeat(1_900); 128];
        let long = command("playback/start", json!({ "urls": many })).await;
        assert!(long.is_ok(), "{long:?}");
        let hung = command("hangup", json!({ "cause": "USER_BUSY" })).await;
        assert!(hung.is_ok(), "{hung:?}");
        assert_eq!(
            code(command("answer", json!({})).await),
            ErrorCode::Conflict
        );

        let on: Calls = client.get("/calls").await.expect("a list");
        let all: Calls = client.get("/calls?ended=true").await.expect("a list");
        assert_eq!((on.sessions.len(), all.sessions.len()), (0, 1));
        let shown: CallSession = client.get(&format!("/calls/{FIRST}")).await.expect("shown");
        assert_eq!(shown.hangup_cause.as_deref(), Some("USER_BUSY"));
    });
}

#[test]
fn bad_commands_name_what_is_wrong() {
    let rig = Rig::with_line();
    talk(async {
        let post = async |path: &str, body: Value| {
            let refused = rig.client.post::<Value>(path, &body).await;
            code(refused)
        };
        let unknown = format!("/calls/{FIRST}/answer");
        assert_eq!(post(&unknown, json!({})).await, ErrorCode::NotFound);
        for bad in [
            json!({}),
            json!({ "line": "no such" }),
            json!({ "line": "front-desk", "caller_id": "" }),
            json!({ "line": "front-desk", "from": "1" }),
        ] {
            assert_eq!(
                post("/calls", bad.clone()).await,
                ErrorCode::BadRequest,
                "{bad}"
            );
        }
        let nowhere = json!({ "line": "nowhere" });
        assert_eq!(post("/calls", nowhere).await, ErrorCode::NotFound);
        for (path, body) in [
            ("playback/start", json!({})),
            ("playback/start", json!({ "urls": ["ftp://a/1.wav"] })),
            ("hangup", json!({ "cause": "lower" })),
            ("record/pause", json!({ "mode": "x" })),
        ] {
            let path = format!("/calls/{FIRST}/{path}");
            assert_eq!(
                post(&path, body.clone()).await,
                ErrorCode::BadRequest,
                "{body}"
            );
        }
        for path in [
            "/calls?state=new",
            "/calls?ended=maybe",
            "/calls/7",
            "/calls/events?session=7",
        ] {
            let refused = rig.client.get::<Value>(path).await;
            assert_eq!(code(refused), ErrorCode::BadRequest, "{path}");
        }
        let nobody = rig.client.get::<Value>("/calls/events?tenant=nobody").await;
        assert_eq!(code(nobody), ErrorCode::NotFound);
    });
}

#[test]
fn events_are_passed_on_to_whom_they_concern_until_the_daemon_stops() {
    let mut rig = Rig::with_line();
    let other = rig.app.storage.add_tenant("beta".parse().expect("a name"));
    let other = other.expect("added").id;
    talk(async {
        let client = &rig.client;
        let open = async |query: &str| {
            let path = format!("/calls/events{query}");
            client.lines(&path).await.expect("a stream")
        };
        let second = Uuid::from_u128(FIRST.as_u128() + 1);
        let mut all = open("").await;
        let mut beta = open("?tenant=beta").await;
        let mut one = open(&format!("?session={second}")).await;
        let calls = &rig.app.calls;
        calls
            .hub()
            .publish(told(FIRST, "call.new", &json!({ "line": "front-desk" })));
        let mut of_beta = told(second, "call.answered", &json!({}));
        of_beta.owner = other;
        calls.hub().publish(of_beta);
        assert_eq!(named(&next(&mut all).await).1, "call.new");
        for lines in [&mut all, &mut beta, &mut one] {
            let line = next(lines).await;
            assert_eq!(named(&line), (second.to_string(), "call.answered".into()));
            assert!(matches!(line, CallsLine::Told(told) if told.tenant == "beta"));
        }
        // Told just before the end: it arrives before the end does.
        calls.hub().publish(told(FIRST, "call.hangup", &json!({})));
        let server = rig.server.take().expect("running");
        let stopping = tokio::task::spawn_blocking(move || server.shutdown());
        assert_eq!(named(&next(&mut all).await).1, "call.hangup");
        for lines in [&mut all, &mut beta, &mut one] {
            assert!(matches!(next(lines).await, CallsLine::Stopping));
            assert!(matches!(lines.next().await, Ok(None)));
        }
        stopping.await.expect("stopped");
    });
}

#[test]
fn a_slow_reader_is_told_how_much_it_missed() {
    let rig = Rig::with_line();
    talk(async {
        let mut lines = rig.client.lines("/calls/events").await.expect("a stream");
        let data = json!({ "line": "x".repeat(1_000) });
        let all: u64 = 20_000;
        for _ in 0..all {
            rig.app.calls.hub().publish(told(FIRST, "call.new", &data));
        }
        rig.app
            .calls
            .hub()
            .publish(told(FIRST, "call.hangup", &json!({})));
        let (mut read, mut missed) = (0, 0);
        loop {
            match next(&mut lines).await {
                CallsLine::Missed(count) => missed += count,
                told if named(&told).1 == "call.hangup" => break,
                _ => read += 1,
            }
        }
        assert!(missed > 0);
        assert_eq!(read + missed, all);
    });
}

#[test]
fn watchers_leave_connections_for_commands() {
    let rig = Rig::with_line();
    talk(async {
        let mut watching = Vec::new();
        for _ in 0..WATCHERS_MAX {
            watching.push(rig.client.lines("/calls/events").await.expect("a stream"));
        }
        let more = rig.client.lines("/calls/events").await;
        assert_eq!(code(more), ErrorCode::Unavailable);
        let _: Calls = rig.client.get("/calls").await.expect("a list");
    });
}
