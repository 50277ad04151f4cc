//! Seed 004 as golden pairs: every example and every row of its table of errors, plus what API
//! section 5 adds. A golden file shows request and answer; what differs from run to run is masked.

use harness::daemon::{Daemon, Setup};
use harness::golden;
use harness::http::{Answer, Request};

use crate::support::{self, TASK, audio_path, get_audio};

/// A task that nobody ever recorded.
const ABSENT: &str = "00000000-0000-4000-8000-000000000000";
/// An origin that the daemon of these tests allows.
const ORIGIN: &str = "https://app.example.com";

struct Rig {
    daemon: Daemon,
    key: String,
}

impl Rig {
    fn new() -> Self {
        let daemon = Setup::new()
            .http(&format!("allowed_origins = [\"{ORIGIN}\"]"))
            .start();
        let _ = support::noise_recording(&daemon, TASK, 8_000);
        let key = support::key(&daemon);
        Self { daemon, key }
    }

    /// Asks, and compares with the golden file.
    fn golden(&self, name: &str, request: &Request) -> Answer {
        let answer = self.daemon.ask(request);
        let tag = answer.header("etag").unwrap_or_default().to_owned();
        let date = answer
            .header("last-modified")
            .unwrap_or_default()
            .to_owned();
        let masks = [
            (self.key.as_str(), "<key>"),
            (&tag, "<etag>"),
            (&date, "<last-modified>"),
        ];
        golden::check(&format!("task_audio/{name}"), request, &answer, &masks);
        answer
    }

    fn audio(&self) -> Request {
        get_audio(TASK, &self.key)
    }
}

fn with_method(mut request: Request, method: &str) -> Request {
    request.method = method.to_owned();
    request
}

/// The seed's two examples and what playback adds to them.
#[test]
fn playback_answers_as_the_seed_shows() {
    let rig = Rig::new();
    let whole = rig.golden("complete_file", &rig.audio());
    assert_eq!(whole.status, 200);
    rig.golden("range_request", &rig.audio().with("Range", "bytes=0-1023"));
    rig.golden("safari_probe", &rig.audio().with("Range", "bytes=0-1"));
    rig.golden("head", &with_method(rig.audio(), "HEAD"));
    rig.golden(
        "unsatisfiable_range",
        &rig.audio().with("Range", "bytes=99999999-"),
    );
    let tag = whole.header("etag").expect("an ETag").to_owned();
    let again = rig.daemon.ask(&rig.audio().with("If-None-Match", &tag));
    assert_eq!(again.status, 304);
    rig.golden(
        "precondition_failed",
        &rig.audio().with("If-Match", "\"other\""),
    );
}

/// Every row of the seed's table of errors, and those that the common rules add.
#[test]
fn errors_answer_as_the_table_says() {
    let rig = Rig::new();
    let not_found = rig.golden("recording_not_found", &get_audio(ABSENT, &rig.key));
    assert_eq!(not_found.status, 404);
    assert_eq!(not_found.json()["error"]["code"], "recording_not_found");
    for (index, task) in ["not-a-uuid", "550e8400", "%00", "..%2f..%2fetc%2fpasswd"]
        .iter()
        .enumerate()
    {
        let answer = rig.golden(&format!("ill_formed_{index}"), &get_audio(task, &rig.key));
        assert_eq!(answer.status, 404, "{task}");
        assert_eq!(
            answer.json()["error"]["code"],
            "recording_not_found",
            "{task}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = rig.daemon.ask(&with_method(rig.audio(), method));
        assert_eq!(answer.status, 405, "{method}");
        let allow = answer.header("allow").expect("Allow").to_owned();
        assert!(allow.contains("GET") && allow.contains("HEAD"), "{allow}");
        assert!(answer.json()["error"]["code"].is_string());
    }
    rig.golden("method_not_allowed", &with_method(rig.audio(), "DELETE"));
    let unknown = Request::get("/api/v1/sse/nothing").with("X-API-Key", &rig.key);
    assert_eq!(rig.daemon.ask(&unknown).status, 404);
}

/// A recording whose file is gone is a failure of storage, not of the client.
#[test]
fn a_missing_file_is_storage_download_failed() {
    let rig = Rig::new();
    for file in support::stored_files(&rig.daemon.data(), "wav") {
        std::fs::remove_file(file).expect("the stored file");
    }
    let answer = rig.golden("storage_download_failed", &rig.audio());
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["error"]["code"], "storage_download_failed");
    assert_eq!(rig.daemon.ask(&Request::get("/healthz")).status, 200);
}

/// The download of the seed's second bullet.
#[test]
fn export_is_an_attachment() {
    let rig = Rig::new();
    let request =
        Request::get(&format!("/api/v1/tasks/{TASK}/audio/export")).with("X-API-Key", &rig.key);
    let answer = rig.golden("export", &request);
    assert_eq!(answer.status, 200);
    let disposition = answer.header("content-disposition").expect("a disposition");
    assert!(disposition.starts_with("attachment"), "{disposition}");
    assert!(disposition.contains("filename=\""), "{disposition}");
    assert!(disposition.contains(".wav"), "{disposition}");
    assert!(answer.body == rig.daemon.ask(&rig.audio()).body);
    let absent =
        Request::get(&format!("/api/v1/tasks/{ABSENT}/audio/export")).with("X-API-Key", &rig.key);
    assert_eq!(rig.daemon.ask(&absent).status, 404);
}

/// Browsers: preflights for every route, and CORS on every answer, errors included.
#[test]
fn cors_is_on_every_answer() {
    let rig = Rig::new();
    let preflight = Request::new("OPTIONS", &audio_path(TASK))
        .with("Origin", ORIGIN)
        .with("Access-Control-Request-Method", "GET")
        .with("Access-Control-Request-Headers", "x-api-key, range");
    let answer = rig.golden("preflight", &preflight);
    assert!(
        answer.status == 204 || answer.status == 200,
        "{}",
        answer.status
    );
    let allowed = answer
        .header("access-control-allow-headers")
        .unwrap_or_default();
    let allowed = allowed.to_ascii_lowercase();
    assert!(
        allowed.contains("x-api-key") && allowed.contains("range"),
        "{allowed}"
    );

    let answers = [
        rig.audio(),
        rig.audio().with("Range", "bytes=0-1"),
        rig.audio().with("Range", "bytes=99999999-"),
        get_audio(ABSENT, &rig.key),
        get_audio(TASK, "wrong"),
        with_method(rig.audio(), "DELETE"),
        Request::get("/api/v1/tasks").with("X-API-Key", &rig.key),
        Request::get("/api/v1/nowhere"),
    ];
    for request in answers {
        let answer = rig.daemon.ask(&request.clone().with("Origin", ORIGIN));
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some(ORIGIN), "{request:?} gave {answer:?}");
        assert!(
            answer
                .header("vary")
                .is_some_and(|vary| vary.to_lowercase().contains("origin"))
        );
        let exposed = answer
            .header("access-control-expose-headers")
            .unwrap_or_default();
        let exposed = exposed.to_ascii_lowercase();
        for name in [
            "content-range",
            "accept-ranges",
            "etag",
            "content-length",
            "x-request-id",
        ] {
            assert!(exposed.contains(name), "{name} is not exposed: {exposed}");
        }
        let foreign = rig
            .daemon
            .ask(&request.with("Origin", "https://evil.example"));
        assert_eq!(foreign.header("access-control-allow-origin"), None);
    }
}

/// Each answer carries an id of its own, which the journal carries too.
#[test]
fn each_answer_has_its_own_id() {
    let rig = Rig::new();
    let mut seen = std::collections::BTreeSet::new();
    for request in [
        rig.audio(),
        get_audio(ABSENT, &rig.key),
        Request::get("/healthz"),
    ] {
        let answer = rig.daemon.ask(&request);
        let id = answer
            .header("x-request-id")
            .expect("X-Request-Id")
            .to_owned();
        assert!(seen.insert(id.clone()), "{id} came twice");
    }
    let answer = rig.daemon.ask(&get_audio("not-a-uuid", "vas_wrong"));
    let id = answer
        .header("x-request-id")
        .expect("X-Request-Id")
        .to_owned();
    harness::wait::until("the id in the journal", || {
        rig.daemon.log().contains(&id).then_some(())
    });
}

/// The list: newest first, in pages whose cursors never skip or repeat a row.
#[test]
fn the_list_pages_through_everything_once() {
    let rig = Rig::new();
    let mut expected = std::collections::BTreeSet::from([TASK.to_owned()]);
    for number in 1..8_u64 {
        let task = format!("550e8400-e29b-41d4-a716-44665544{number:04}");
        let _ = support::noise_recording(&rig.daemon, &task, 100 + number);
        expected.insert(task);
    }
    let mut seen = Vec::new();
    let mut target = "/api/v1/tasks?limit=3".to_owned();
    for _ in 0..10 {
        let answer = rig
            .daemon
            .ask(&Request::get(&target).with("X-API-Key", &rig.key));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        let rows = first_array(&page).expect("rows");
        assert!(rows.len() <= 3, "{page}");
        seen.extend(rows.iter().map(task_of));
        match support::field(&page, "next_cursor").and_then(|cursor| cursor.as_str()) {
            Some(cursor) => target = format!("/api/v1/tasks?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    let unique: std::collections::BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(unique.len(), seen.len(), "a row came twice: {seen:?}");
    assert_eq!(unique, expected);
    for (query, status) in [
        ("limit=0", 400),
        ("limit=x", 400),
        ("limit=99999", 400),
        ("cursor=rubbish", 400),
        ("status=nonsense", 400),
        ("status=completed", 200),
        ("status=active", 200),
        ("status=all", 200),
    ] {
        let request = Request::get(&format!("/api/v1/tasks?{query}")).with("X-API-Key", &rig.key);
        let answer = rig.daemon.ask(&request);
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
}

fn first_array(value: &serde_json::Value) -> Option<&Vec<serde_json::Value>> {
    match value {
        serde_json::Value::Array(items) => Some(items),
        serde_json::Value::Object(map) => map.values().find_map(first_array),
        _ => None,
    }
}

fn task_of(row: &serde_json::Value) -> String {
    ["task_id", "taskId", "id"]
        .iter()
        .find_map(|key| row.get(key))
        .and_then(|value| value.as_str())
        .unwrap_or_else(|| panic!("a row without a task id: {row}"))
        .to_owned()
}
