//! Who is let in, and how often.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::super::client::{Ask, Way};
use super::{ABSENT, Desk, KEY, OTHER_KEY, get, mine, others, post};
use crate::http::limits;

#[test]
fn credentials_are_checked_first_and_in_the_familys_words() {
    let desk = Desk::new();
    let asks = |path: &str| {
        let plain = || Ask::get(path);
        vec![
            (plain(), 400, "Missing X-App-ID header"),
            (
                plain().with("x-api-key", KEY),
                400,
                "Missing X-App-ID header",
            ),
            (
                plain().with("x-app-id", "a b"),
                400,
                "Invalid X-App-ID format",
            ),
            (plain().with("x-app-id", "a"), 401, "Missing API key"),
        ]
    };
    for path in [
        "/api/v1/sessions".to_owned(),
        format!("/api/v1/sessions/{ABSENT}/events"),
    ] {
        desk.rig.clock.advance(Duration::from_secs(600));
        for (ask, status, error) in asks(&path) {
            let answer = ask.ask(&desk.rig);
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["error"]),
                (status, &json!(error))
            );
            assert_eq!(answer.json()["success"], false);
            assert!(answer.header("x-request-id").is_some());
            assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        }
    }
    desk.rig.clock.advance(Duration::from_secs(600));
    for (app, key) in [("a", OTHER_KEY), ("b", KEY), ("nobody", KEY)] {
        let ask = Ask::get("/api/v1/sessions").with("x-app-id", app);
        let answer = ask.with("x-api-key", key).ask(&desk.rig);
        let expected = json!({ "success": false, "error": "Invalid API key" });
        assert_eq!((answer.status.as_u16(), answer.json()), (401, expected));
    }
    let twice = get("/api/v1/sessions")
        .with("x-api-key", KEY)
        .ask(&desk.rig);
    assert_eq!(twice.status, 401);
    for way in Way::ALL {
        assert_eq!(
            get("/api/v1/sessions").send(&desk.rig, way).status,
            200,
            "{way:?}"
        );
    }
}

#[test]
fn the_query_is_for_event_streams_only() {
    let desk = Desk::new();
    let query = |path: &str| {
        let ask = Ask::get(format!("{path}?app_id=a&api_key={KEY}"));
        ask.method(Method::HEAD).ask(&desk.rig)
    };
    assert_eq!(query("/api/v1/sessions").status, 400);
    let path = desk.call();
    for path in ["/api/v1/events".to_owned(), format!("{path}/events")] {
        let answer = query(&path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("content-length"), None);
        let header = Ask::get(format!("{path}?app_id=a&api_key={KEY}"));
        assert_eq!(
            header.with("x-app-id", "a").ask(&desk.rig).status,
            401,
            "headers win"
        );
    }
}

#[test]
fn strangers_get_ten_a_second_and_applications_are_not_among_them() {
    let desk = Desk::new();
    let strange = || Ask::get("/api/v1/sessions").ask(&desk.rig);
    for _ in 0..limits::STRANGER_REQUESTS {
        assert_eq!(strange().status, 400);
    }
    let answer = strange();
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["error"], "Rate limit exceeded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(get("/api/v1/sessions").ask(&desk.rig).status, 200);
    desk.rig.clock.advance(Duration::from_millis(100));
    assert_eq!(strange().status, 400);
    assert_eq!(strange().status, 429);
}

#[test]
fn an_applications_minute_is_shared_by_all_its_requests() {
    let desk = Desk::limited(3);
    let absent = format!("/api/v1/sessions/{ABSENT}");
    assert_eq!(get("/api/v1/sessions").ask(&desk.rig).status, 200);
    assert_eq!(get(&absent).ask(&desk.rig).status, 404, "counted as well");
    assert_eq!(post("/api/v1/sessions", "{").ask(&desk.rig).status, 400);
    let answer = post("/api/v1/sessions", "{").ask(&desk.rig);
    assert_eq!(answer.status, 429, "the rate before the body");
    assert_eq!(answer.json()["error"], "Rate limit exceeded");
    assert_eq!(answer.header("retry-after"), Some("20"));
    assert_eq!(
        get(&absent).ask(&desk.rig).status,
        404,
        "existence before the rate"
    );
    assert_eq!(
        others(Ask::get("/api/v1/sessions")).ask(&desk.rig).status,
        200
    );
    desk.rig.clock.advance(Duration::from_millis(19_999));
    assert_eq!(get("/api/v1/sessions").ask(&desk.rig).status, 429);
    desk.rig.clock.advance(Duration::from_millis(1));
    assert_eq!(get("/api/v1/sessions").ask(&desk.rig).status, 200);
    assert_eq!(get("/api/v1/sessions").ask(&desk.rig).status, 429);
}

#[test]
fn methods_paths_and_preflights_are_the_familys() {
    let desk = Desk::new();
    let uuid = format!("/api/v1/sessions/{ABSENT}");
    for (path, allow, wrong) in [
        (
            "/api/v1/sessions".to_owned(),
            "GET, HEAD, POST, OPTIONS",
            Method::PUT,
        ),
        (uuid.clone(), "GET, HEAD, OPTIONS", Method::DELETE),
        (format!("{uuid}/events"), "GET, HEAD, OPTIONS", Method::POST),
        (
            format!("{uuid}/commands/playback/stop"),
            "POST, OPTIONS",
            Method::GET,
        ),
        (
            "/api/v1/events".to_owned(),
            "GET, HEAD, OPTIONS",
            Method::POST,
        ),
        (
            "/admin/apps/a".to_owned(),
            "GET, HEAD, POST, OPTIONS",
            Method::DELETE,
        ),
    ] {
        let answer = mine(Ask::get(&path)).method(wrong).ask(&desk.rig);
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (405, Some(allow))
        );
        assert_eq!(answer.json()["success"], false, "{path}");
        let preflight = Ask::get(&path).with("origin", "https://a.example");
        let answer = preflight.method(Method::OPTIONS).ask(&desk.rig);
        assert_eq!(answer.status, 204);
        let headers = answer.header("access-control-allow-headers").unwrap();
        for header in ["X-App-ID", "X-API-Key", "X-Admin-API-Key", "Last-Event-ID"] {
            assert!(headers.contains(header), "{headers}");
        }
    }
    for path in [
        format!("{uuid}/commands/playback/jump"),
        format!("{uuid}/commands"),
        format!("{uuid}/nothing"),
        "/api/v1/sessions/".to_owned(),
        "/api/v1/events/x".to_owned(),
        "/admin".to_owned(),
        "/admin/apps/a/b".to_owned(),
    ] {
        let answer = post(&path, "{}").ask(&desk.rig);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["success"], false, "{path}");
    }
}
