//! Who may do what: each 400, 401, 403, 404, 405, 409, 413, 415 and 429 of requests as such. What
//! may be wrong with a body is `bodies.rs`.

use harness::daemon::{Daemon, TENANT};
use harness::http::{Answer, Request, Transport};
use harness::wait;
use serde_json::json;

use super::rig::{KEY, PLENTY, Rig, set_application};

const OTHER: &str = "globex";
const OTHER_KEY: &str = "another-application-key-of-the-suite";
const NOBODYS: &str = "/api/v1/sessions/00000000-0000-4000-8000-000000000000";

/// Strangers may ask ten times a second, on loopback too; here that is not what is tested.
fn ask(daemon: &Daemon, request: &Request) -> Answer {
    let mut client = daemon.client(Transport::Plain1);
    wait::until("leave to ask", || {
        let answer = client.send(request);
        (answer.status != 429).then_some(answer)
    })
}

fn assert_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["success"], false, "{json}");
    let told = json["error"].as_str().unwrap_or_default();
    assert!(told.contains(error), "'{told}', not '{error}'");
    assert!(answer.header("x-request-id").is_some());
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/json"), "{kind}");
}

/// Headers come before everything else, and in this order.
#[test]
fn headers_are_checked_first() {
    let rig = Rig::start("");
    let call = rig.open();
    let long = "a".repeat(65);
    let cases: [(Option<&str>, Option<&str>, u16, &str); 10] = [
        (None, Some(KEY), 400, "Missing X-App-ID header"),
        (Some(""), Some(KEY), 400, "Invalid X-App-ID format"),
        (Some("acme corp"), Some(KEY), 400, "Invalid X-App-ID format"),
        (Some("acme/"), None, 400, "Invalid X-App-ID format"),
        (Some(&long), Some(KEY), 400, "Invalid X-App-ID format"),
        (Some(TENANT), None, 401, "Missing API key"),
        (Some(TENANT), Some(""), 401, "Missing API key"),
        (Some(TENANT), Some("wrong"), 401, "Invalid API key"),
        (Some(TENANT), Some(OTHER_KEY), 401, "Invalid API key"),
        (Some("nobody"), Some(KEY), 401, "Invalid API key"),
    ];
    // Each once: an address that is wrong too often is told nothing but that.
    let nobodys = format!("{NOBODYS}/commands/answer");
    let targets = [call.path("playback/stop"), nobodys];
    for (at, (app_id, key, status, error)) in cases.into_iter().enumerate() {
        // The body is wrong too; that is not what is told.
        let mut request = Request::new("POST", &targets[at % 2]).body(b"{");
        if let Some(app_id) = app_id {
            request = request.with("X-App-ID", app_id);
        }
        if let Some(key) = key {
            request = request.with("X-API-Key", key);
        }
        assert_error(&ask(&rig.daemon, &request), status, error);
    }
    let _ = call.hang_up();
    call.settle();
}

/// A session is its application's only; what is there is told apart from what is not.
#[test]
fn sessions_have_owners() {
    let rig = Rig::start("");
    let settings = json!({ "api_key": OTHER_KEY, "rate_limit": PLENTY });
    let answer = set_application(&rig.daemon, OTHER, &settings);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let call = rig.open();
    let session = format!("/api/v1/sessions/{}", call.uuid);
    let foreign = |method: &str, target: &str| {
        let request = Request::new(method, target)
            .with("X-App-ID", OTHER)
            .with("X-API-Key", OTHER_KEY);
        ask(&rig.daemon, &request)
    };
    let different = "Session belongs to a different application";
    for (method, target) in [
        ("POST", call.path("hangup")),
        ("GET", session.clone()),
        ("GET", format!("{session}/events")),
    ] {
        assert_error(&foreign(method, &target), 403, different);
    }
    let list = foreign("GET", "/api/v1/sessions").json();
    assert_eq!(list["sessions"], json!([]), "{list}");
    for target in [
        NOBODYS.to_owned(),
        format!("{NOBODYS}/events"),
        "/api/v1/sessions/7".to_owned(),
        "/api/v1/sessions/%00".to_owned(),
    ] {
        let answer = ask(&rig.daemon, &Rig::request("GET", &target));
        assert_error(&answer, 404, "Session not found");
    }
    let nobodys = format!("{NOBODYS}/commands/playback/start");
    let answer = ask(&rig.daemon, &Rig::request("POST", &nobodys).body(b"{"));
    assert_error(&answer, 404, "Session not found");
    // A line of one tenant is not there for another.
    let body = json!({ "line": "desk" }).to_string();
    let request = Request::new("POST", "/api/v1/sessions")
        .with("X-App-ID", OTHER)
        .with("X-API-Key", OTHER_KEY)
        .body(body.as_bytes());
    assert_eq!(ask(&rig.daemon, &request).status, 404);
    let _ = call.hang_up();
    call.settle();
}

/// Methods, paths, types and sizes.
#[test]
fn requests_have_the_right_form() {
    let rig = Rig::start("");
    let call = rig.answered();
    let path = call.path("playback/stop");
    let wrong = ask(&rig.daemon, &Rig::request("GET", &path));
    assert_eq!(wrong.status, 405, "{}", wrong.text());
    assert!(
        wrong
            .header("allow")
            .is_some_and(|allow| allow.contains("POST"))
    );
    assert_eq!(wrong.json()["success"], false);
    for name in [
        "playback",
        "playback/rewind",
        "record",
        "stop/",
        "playback/stop/x",
    ] {
        let answer = ask(&rig.daemon, &Rig::request("POST", &call.path(name)));
        assert_eq!(answer.status, 404, "{name}: {}", answer.text());
        assert_eq!(answer.json()["success"], false, "{name}");
    }
    let text = Request::new("POST", &path)
        .with("X-App-ID", TENANT)
        .with("X-API-Key", KEY)
        .with("Content-Type", "text/plain")
        .body(b"{}");
    assert_eq!(ask(&rig.daemon, &text).status, 415);
    let big = vec![b' '; 1_048_577];
    let answer = ask(&rig.daemon, &Rig::request("POST", &path).body(&big));
    assert_eq!(answer.status, 413, "{}", answer.text());
    // An empty body is as good as an empty object.
    let empty = ask(&rig.daemon, &Rig::request("POST", &path));
    assert_eq!(empty.status, 202, "{}", empty.text());
    let _ = call.hang_up();
    call.settle();
}

/// A call that is over takes no commands; a line that has a call takes no other.
#[test]
fn what_is_over_or_busy_is_a_conflict() {
    let rig = Rig::with(&[
        ("desk", "trigger = \"api\"\n"),
        ("hall", "trigger = \"vox\"\n"),
    ]);
    let call = rig.answered();
    let open = |line: &str| {
        let body = json!({ "line": line }).to_string();
        let request = Rig::request("POST", "/api/v1/sessions").body(body.as_bytes());
        rig.daemon.ask(&request)
    };
    assert_error(&open("desk"), 409, "desk");
    assert_error(&open("hall"), 409, "hall");
    assert_error(&open("attic"), 404, "attic");
    let _ = call.hang_up();
    for name in ["answer", "hangup", "playback/stop", "record/start"] {
        assert_error(&call.command(name, &json!({})), 409, "Session has ended");
    }
    // What is wrong with a body is told before that.
    let answer = call.command("playback/seek", &json!({ "position_ms": 0 }));
    assert_error(&answer, 400, "position_ms");
    call.settle();
    let next = rig.open();
    assert_ne!(next.uuid, call.uuid);
    let _ = next.hang_up();
    next.settle();
}

/// The administrator's own errors.
#[test]
fn applications_are_set_by_the_administrator_only() {
    let rig = Rig::start("");
    let path = "/admin/apps/globex";
    let body = json!({ "api_key": OTHER_KEY }).to_string();
    for key in [None, Some("wrong"), Some(KEY)] {
        let mut request = Request::new("POST", path).body(body.as_bytes());
        if let Some(key) = key {
            request = request.with("X-Admin-API-Key", key);
        }
        let answer = ask(&rig.daemon, &request);
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    let set = |settings: serde_json::Value| set_application(&rig.daemon, OTHER, &settings);
    for (settings, field) in [
        (json!({ "api_key": "too-short" }), "api_key"),
        (
            json!({ "api_key": OTHER_KEY, "rate_limit": 0 }),
            "rate_limit",
        ),
        (
            json!({ "api_key": OTHER_KEY, "rate_limit": "many" }),
            "rate_limit",
        ),
        (
            json!({ "api_key": OTHER_KEY, "events": ["call.nothing"] }),
            "events",
        ),
        (
            json!({ "api_key": OTHER_KEY, "webhook_url": "ftp://a/" }),
            "webhook_url",
        ),
        (
            json!({ "api_key": OTHER_KEY, "webhook_url": "http://10.1.2.3/" }),
            "webhook_url",
        ),
        (
            json!({ "api_key": OTHER_KEY, "webhook_url": "http://169.254.169.254/" }),
            "webhook_url",
        ),
    ] {
        let answer = set(settings);
        assert_error(&answer, 400, field);
    }
    assert_eq!(set(json!({ "api_key": OTHER_KEY })).status, 201);
    assert_eq!(set(json!({ "rate_limit": 7 })).status, 200, "the key stays");
    let request = Request::get("/api/v1/sessions")
        .with("X-App-ID", OTHER)
        .with("X-API-Key", OTHER_KEY);
    assert_eq!(rig.daemon.ask(&request).status, 200);
}

/// Without a key file there is no administrator.
#[test]
fn without_an_admin_key_there_is_no_admin() {
    let daemon = harness::daemon::Setup::new().start();
    let settings = json!({ "api_key": OTHER_KEY });
    let answer = set_application(&daemon, OTHER, &settings);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.json()["success"], false);
}
