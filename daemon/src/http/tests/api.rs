//! Family `task_audio` and the daemon's own paths, as seed 004 and API.md section 5 have them.

use std::time::Duration;

use http::{Method, StatusCode};
use storage::record::Container;

use super::client::{Ask, Way};
use super::rig::{Rig, pattern};
use crate::http::limits;

const ABSENT: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn only_the_tenants_key_opens_a_recording() {
    let rig = Rig::new();
    let id = rig.import(b"sound", Container::Wav).facts.names.task_id;
    for path in [
        format!("/api/v1/sse/audio/{id}"),
        format!("/api/v1/tasks/{id}"),
        format!("/api/v1/tasks/{id}/audio/export"),
        "/api/v1/tasks".to_owned(),
    ] {
        let answer = Ask::get(&path).ask(&rig);
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "unauthorized".into())
        );
        assert!(answer.header("www-authenticate").is_some());
        let answer = Ask::get(&path).with("x-api-key", "vas_nonsense").ask(&rig);
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        let answer = Ask::get(&path)
            .key(&rig)
            .with("x-api-key", rig.key.clone())
            .ask(&rig);
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "two keys are none");
        assert_eq!(
            Ask::get(&path).key(&rig).ask(&rig).status,
            StatusCode::OK,
            "{path}"
        );
    }
    // The query takes a key on SSE paths only.
    let in_query = |path: &str| {
        Ask::get(format!("{path}?api_key={}", rig.key))
            .ask(&rig)
            .status
    };
    assert_eq!(in_query(&format!("/api/v1/sse/audio/{id}")), StatusCode::OK);
    assert_eq!(in_query("/api/v1/tasks"), StatusCode::UNAUTHORIZED);
}

#[test]
fn a_strangers_recording_is_an_absent_one() {
    let rig = Rig::new();
    let id = rig
        .import(b"sound", Container::Wav)
        .facts
        .names
        .task_id
        .to_string();
    for tail in ["", "/audio/export"] {
        let ask = |id: &str| {
            let ask = Ask::get(format!("/api/v1/tasks/{id}{tail}"));
            ask.with("x-api-key", rig.stranger.clone()).ask(&rig)
        };
        for id in [
            id.as_str(),
            ABSENT,
            "nonsense",
            "%ff",
            "%00",
            "..%2f..",
            &"x".repeat(300),
        ] {
            let answer = ask(id);
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
            assert_eq!(answer.body, ask(ABSENT).body, "{id}");
            assert_eq!(answer.code(), "recording_not_found");
        }
    }
    let mine = Ask::get("/api/v1/tasks")
        .with("x-api-key", rig.stranger.clone())
        .ask(&rig)
        .json();
    assert_eq!(
        mine,
        serde_json::json!({ "tasks": [], "next_cursor": null })
    );
}

#[test]
fn lists_are_paged_and_documents_are_whole() {
    let rig = Rig::new();
    let mut ids: Vec<String> = (0..5)
        .map(|_| {
            rig.import(b"12345", Container::Wav)
                .facts
                .names
                .task_id
                .to_string()
        })
        .collect();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = Ask::get(format!("/api/v1/tasks?limit=2{cursor}"))
            .key(&rig)
            .ask(&rig)
            .json();
        let tasks = page["tasks"].as_array().unwrap();
        assert!(tasks.len() <= 2);
        seen.extend(
            tasks
                .iter()
                .map(|task| task["task_id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    let task = Ask::get(format!("/api/v1/tasks/{}", ids[0]))
        .key(&rig)
        .ask(&rig)
        .json();
    assert_eq!(task["status"], "completed");
    assert_eq!(task["started_at"], "1994-11-06T08:49:37.500Z");
    assert_eq!(task["duration_ms"], 1_000);
    assert_eq!(task["size_bytes"], 5);
    assert_eq!(task["content_type"], "audio/wav");
    assert_eq!(task["audio_url"], format!("/api/v1/sse/audio/{}", ids[0]));
    let active = Ask::get("/api/v1/tasks?status=active")
        .key(&rig)
        .ask(&rig)
        .json();
    assert_eq!(active["tasks"].as_array().map(Vec::len), Some(0));
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=-1",
        "limit=1&limit=2",
        "cursor=x",
        "status=new",
        "cursor=%ff",
        "cursor=%",
        "status=a%00",
        "limit=99999999999999999999999",
    ] {
        let answer = Ask::get(format!("/api/v1/tasks?{query}"))
            .key(&rig)
            .ask(&rig);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.code(), "invalid_parameter", "{query}");
    }
}

#[test]
fn export_is_an_attachment() {
    let rig = Rig::new();
    let recording = rig.import(&pattern(3_000), Container::M4a);
    let id = recording.facts.names.task_id;
    for way in Way::ALL {
        let ask = Ask::get(format!("/api/v1/tasks/{id}/audio/export")).key(&rig);
        let answer = ask.send(&rig, way);
        assert_eq!(answer.status, StatusCode::OK);
        let expected = format!("attachment; filename=\"{id}.m4a\"");
        assert_eq!(
            answer.header("content-disposition"),
            Some(expected.as_str())
        );
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
        assert_eq!(answer.body.len(), 3_000);
    }
}

#[test]
fn tickets_open_one_listening_and_die_with_their_key() {
    let rig = Rig::new();
    let id = rig
        .import(&pattern(3_000), Container::Wav)
        .facts
        .names
        .task_id;
    let other = rig.import(b"other", Container::Wav).facts.names.task_id;
    let issue = |body: &str| {
        Ask::get("/api/v1/auth/ticket")
            .json(body)
            .key(&rig)
            .ask(&rig)
            .json()["ticket"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let listen = |ticket: &str, id| {
        Ask::get(format!("/api/v1/sse/audio/{id}?ticket={ticket}")).with("range", "bytes=0-1")
    };
    let ticket = issue(&format!("{{\"task_id\":\"{id}\"}}"));
    assert_eq!(
        listen(&ticket, other).ask(&rig).status,
        StatusCode::UNAUTHORIZED
    );
    for _ in 0..3 {
        assert_eq!(
            listen(&ticket, id).ask(&rig).status,
            StatusCode::PARTIAL_CONTENT
        );
        rig.clock.advance(limits::TICKET_FIRST_USE);
    }
    let late = issue("");
    rig.clock.advance(limits::TICKET_FIRST_USE);
    assert_eq!(listen(&late, id).ask(&rig).status, StatusCode::UNAUTHORIZED);
    rig.site.storage.revoke_key(rig.key_id).unwrap();
    assert_eq!(
        listen(&ticket, id).ask(&rig).status,
        StatusCode::UNAUTHORIZED
    );
}

#[test]
fn ticket_bodies_are_checked() {
    let rig = Rig::new();
    let post = || Ask::get("/api/v1/auth/ticket").key(&rig);
    let big = format!(
        "{{\"task_id\":\"{}\"}}",
        "x".repeat(limits::JSON_BODY_BYTES)
    );
    for (ask, status) in [
        (post().json("{"), StatusCode::BAD_REQUEST),
        (post().json("{\"other\":1}"), StatusCode::BAD_REQUEST),
        (post().json(&big), StatusCode::PAYLOAD_TOO_LARGE),
        (
            post().json("").with("content-type", "text/plain"),
            StatusCode::OK,
        ),
    ] {
        assert_eq!(ask.ask(&rig).status, status);
    }
    let mut text = post()
        .method(Method::POST)
        .with("content-type", "text/plain");
    text.body = "{}".into();
    assert_eq!(text.ask(&rig).status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn wrong_keys_are_slowed_down_and_right_ones_are_not() {
    let rig = Rig::new();
    let guess = || {
        Ask::get("/api/v1/tasks")
            .with("x-api-key", "vas_guess")
            .ask(&rig)
    };
    for _ in 0..limits::AUTH_FAILURES {
        assert_eq!(guess().status, StatusCode::UNAUTHORIZED);
    }
    let answer = guess();
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), Some("6"));
    assert_eq!(answer.code(), "too_many_failures");
    assert_eq!(
        Ask::get("/api/v1/tasks").key(&rig).ask(&rig).status,
        StatusCode::OK
    );
    rig.clock.advance(Duration::from_secs(6));
    assert_eq!(guess().status, StatusCode::UNAUTHORIZED);
}

#[test]
fn every_status_has_the_envelope_an_id_and_cors() {
    let rig = Rig::new();
    let long = format!("/api/v1/tasks?x={}", "y".repeat(limits::URI_BYTES));
    for (ask, status) in [
        (Ask::get("/api/v1/tasks/x/y"), 404),
        (Ask::get("/nothing"), 404),
        (Ask::get("/api/v1/tasks"), 401),
        (Ask::get("/api/v1/tasks").method(Method::DELETE), 405),
        (Ask::get("/api/v1/auth/ticket"), 405),
        (Ask::get(long), 414),
        (
            Ask::get("/healthz").with("x-big", "y".repeat(limits::HEADER_BYTES)),
            431,
        ),
    ] {
        let answer = ask.with("origin", "https://a.example").ask(&rig);
        assert_eq!(answer.status.as_u16(), status);
        assert!(!answer.code().is_empty());
        assert!(answer.header("x-request-id").is_some());
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://a.example")
        );
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("Content-Range") && exposed.contains("X-Request-Id"));
        assert_eq!(answer.headers.contains_key("allow"), status == 405);
    }
    let many =
        (0..=limits::HEADER_FIELDS).fold(Ask::get("/healthz"), |ask, _| ask.with("x-h", "1"));
    assert_eq!(many.ask(&rig).status.as_u16(), 431);
    let stranger = Ask::get("/healthz")
        .with("origin", "https://b.example")
        .ask(&rig);
    assert!(stranger.header("access-control-allow-origin").is_none());
    assert_eq!(stranger.header("vary"), Some("Origin"));
}

#[test]
fn preflights_are_answered_on_every_route() {
    let rig = Rig::new();
    for path in [
        "/",
        "/healthz",
        "/api/v1/tasks",
        "/api/v1/tasks/x",
        "/api/v1/tasks/x/audio/export",
        "/api/v1/sse/audio/x",
        "/api/v1/auth/ticket",
        "/openapi/task_audio.json",
    ] {
        let answer = Ask::get(path)
            .method(Method::OPTIONS)
            .with("origin", "https://a.example")
            .with("access-control-request-method", "GET")
            .with("access-control-request-headers", "x-api-key, range")
            .ask(&rig);
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://a.example")
        );
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("X-API-Key") && headers.contains("Range"));
        assert!(answer.header("access-control-allow-methods").is_some());
    }
}

#[test]
fn the_daemons_own_paths() {
    let rig = Rig::new();
    for way in Way::ALL {
        assert_eq!(Ask::get("/healthz").send(&rig, way).body.as_ref(), b"ok\n");
        assert_eq!(Ask::get("/readyz").send(&rig, way).status, StatusCode::OK);
    }
    let metrics = Ask::get("/metrics").ask(&rig);
    assert_eq!(metrics.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&metrics.body).contains("callreel_http_connections 1\n"));
    let proxied = Ask::get("/metrics")
        .with("x-forwarded-for", "192.0.2.1")
        .ask(&rig);
    assert_eq!(proxied.status, StatusCode::FORBIDDEN);
    let page = Ask::get("/").ask(&rig);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    let etag = page.header("etag").unwrap().to_owned();
    let again = Ask::get("/").with("if-none-match", etag).ask(&rig);
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    let openapi = Ask::get("/openapi/task_audio.json").ask(&rig).json();
    assert_eq!(openapi["openapi"], "3.1.0");
    assert!(openapi["paths"]["/api/v1/sse/audio/{taskId}"]["get"].is_object());
}
