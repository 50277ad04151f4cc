//! Sessions as documents.

use http::Method;
use serde_json::json;
use storage::ledger::entry::Kind;
use storage::ledger::query::AuditFilter;
use storage::record::Container;

use super::super::client::Ask;
use super::exchange::{playing, recording};
use super::{Desk, get, others, post};

#[test]
fn calls_are_opened_and_shown() {
    let desk = Desk::new();
    let body = r#"{"line":"desk","caller_id":"+15550100","did":null,"more":1}"#;
    let answer = post("/api/v1/sessions", body).ask(&desk.rig);
    assert_eq!(answer.status, 201);
    let session = answer.json();
    let path = answer.header("location").unwrap().to_owned();
    let uuid = session["session_uuid"].as_str().unwrap();
    assert_eq!(path, format!("/api/v1/sessions/{uuid}"));
    assert_eq!(
        session,
        json!({
            "session_uuid": uuid, "line": "desk", "caller_id": "+15550100", "did": null,
            "state": "new", "created_at": "1994-11-06T08:49:37.500Z", "answered_at": null,
            "ended_at": null, "hangup_cause": null, "playback": null, "collecting": false,
            "recordings": [], "sequence": 1
        })
    );
    assert_eq!(get(&path).ask(&desk.rig).json(), session);
    let head = get(&path).method(Method::HEAD).ask(&desk.rig);
    assert!(head.status == 200 && head.body.is_empty());
    assert!(head.header("content-length").is_some());
    assert_eq!(others(Ask::get(&path)).ask(&desk.rig).status, 403);
    let busy = post("/api/v1/sessions", body).ask(&desk.rig);
    assert_eq!(busy.status, 409);
    assert!(busy.json()["detail"].to_string().contains(uuid));
}

#[test]
fn calls_that_cannot_be_opened_are_told_why() {
    let desk = Desk::new();
    let long = format!(r#"{{"line":"desk","did":"{}"}}"#, "1".repeat(65));
    for (body, status, error) in [
        ("", 400, "line is missing"),
        ("[]", 400, "The body is not a JSON object"),
        (r#"{"line":7}"#, 400, "line is not a string"),
        (r#"{"line":"a b"}"#, 400, "line has an invalid format"),
        (
            r#"{"line":"desk","caller_id":5}"#,
            400,
            "caller_id is not a string",
        ),
        (
            r#"{"line":"desk","caller_id":"a b"}"#,
            400,
            "caller_id has an invalid format",
        ),
        (&long, 400, "did has an invalid format"),
        (r#"{"line":"none"}"#, 404, "Line 'none' not found"),
        (
            r#"{"line":"vox"}"#,
            409,
            "Line 'vox' is not opened by command",
        ),
        (
            r#"{"line":"away"}"#,
            503,
            "Line 'away' has no device at the moment",
        ),
    ] {
        let answer = post("/api/v1/sessions", body).ask(&desk.rig);
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (status, &json!(error))
        );
        assert!(answer.json()["detail"].is_string(), "{body}");
        assert_eq!(
            answer.header("retry-after").is_some(),
            status == 503,
            "{body}"
        );
    }
}

#[test]
fn what_plays_and_what_was_recorded_is_shown_with_a_link_that_works() {
    let desk = Desk::new();
    let path = desk.answered_call();
    let sound = b"sound of the call";
    let row = desk.rig.import(sound, Container::Wav);
    desk.exchange.show(&path, |view| {
        view.playing = Some(playing("p-1", 1_250));
        view.recordings = vec![
            recording("r-1", Some(row.facts.id), "completed"),
            recording("r-2", None, "recording"),
        ];
    });
    let session = get(&path).ask(&desk.rig).json();
    assert_eq!(session["state"], "answered");
    let expected = json!({ "command_uid": "p-1", "offset_ms": 1250, "paused": false });
    assert_eq!(session["playback"], expected);
    let first = &session["recordings"][0];
    let names = &row.facts.names;
    assert_eq!(first["recid"], row.facts.id.to_string());
    assert_eq!(first["call_sid"], names.call_sid.as_str());
    assert_eq!(first["task_id"], names.task_id.to_string());
    assert_eq!(
        (&first["duration_ms"], &first["gaps"]),
        (&json!(1_000), &json!([]))
    );
    let second = &session["recordings"][1];
    assert_eq!(
        (&second["recid"], &second["recording_url"]),
        (&json!(null), &json!(null))
    );
    let url = first["recording_url"].as_str().unwrap();
    let link = url.strip_prefix("http://localhost").unwrap();
    // However often a session is looked at, its link is told once.
    assert_eq!(
        get(&path).ask(&desk.rig).json()["recordings"][0]["recid"],
        first["recid"]
    );
    let storage = &desk.rig.site.storage;
    storage.flush_index().unwrap();
    let filter = AuditFilter {
        kinds: vec![Kind::LinkMade],
        ..AuditFilter::default()
    };
    let made = storage.audit(&filter, None, 10).unwrap().entries;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].recording, Some(row.facts.id));
    assert_eq!(made[0].who.as_ref().unwrap().name.as_deref(), Some("a"));
    let listen = || Ask::get(link).ask(&desk.rig);
    assert_eq!(listen().body, &sound[..]);
    let almost = std::time::Duration::from_secs(7 * 24 * 3_600 - 1);
    desk.rig.clock.advance(almost);
    assert_eq!(listen().status, 200);
    desk.rig.clock.advance(std::time::Duration::from_secs(2));
    assert_eq!(listen().status, 403);
}

#[test]
fn lists_are_newest_first_filtered_and_paged() {
    let desk = Desk::new();
    let mut paths = Vec::new();
    for _ in 0..5 {
        let path = desk.call();
        let hangup = post(format!("{path}/commands/hangup"), "{}").ask(&desk.rig);
        assert_eq!(hangup.status, 202);
        paths.insert(0, path);
    }
    paths.insert(0, desk.call());
    let uuid = |path: &String| path.rsplit('/').next().unwrap().to_owned();
    let mut expected: Vec<_> = paths.iter().map(uuid).collect();
    let list = |query: &str| get(format!("/api/v1/sessions?{query}")).ask(&desk.rig);
    let named = |query: &str| {
        let page = list(query).json();
        let sessions = page["sessions"].as_array().unwrap().clone();
        let name = |it: serde_json::Value| it["session_uuid"].as_str().unwrap().to_owned();
        let next = page["next_cursor"].as_str().map(str::to_owned);
        (sessions.into_iter().map(name).collect::<Vec<_>>(), next)
    };
    let (mut seen, mut next) = named("limit=4");
    while let Some(cursor) = next.take() {
        let (more, after) = named(&format!("limit=4&cursor={cursor}"));
        seen.extend(more);
        next = after;
    }
    assert_eq!(seen, expected);
    let newest = expected.remove(0);
    assert_eq!(named("state=active").0, [newest]);
    assert_eq!(named("state=ended").0, expected);
    for (query, error) in [
        ("limit=0", "limit is not a number from 1 to 200"),
        ("state=on", "state is neither active, ended nor all"),
        ("cursor=1", "cursor is not a next_cursor of an earlier page"),
    ] {
        let answer = list(query);
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!(error))
        );
    }
    let none = others(Ask::get("/api/v1/sessions")).ask(&desk.rig).json();
    assert_eq!(none, json!({ "sessions": [], "next_cursor": null }));
}
