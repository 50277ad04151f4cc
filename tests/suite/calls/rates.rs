//! How often an application may ask: its own limit, each session's pauses, and strangers'.

use harness::daemon::TENANT;
use harness::http::{Answer, Request, Transport};
use serde_json::json;

use super::rig::{PLENTY, Rig, set_application};

const OTHER: &str = "globex";
const OTHER_KEY: &str = "another-application-key-of-the-suite";

fn assert_limited(answer: &Answer, word: &str) {
    assert_eq!(answer.status, 429, "{}", answer.text());
    let after = answer.header("retry-after").expect("Retry-After");
    assert!(
        after.parse::<u64>().is_ok_and(|seconds| seconds > 0),
        "{after}"
    );
    let json = answer.json();
    assert_eq!(json["success"], false);
    assert!(json.to_string().contains(word), "no '{word}' in {json}");
}

/// One application's limit is no other's, and a changed one is in force at once.
#[test]
fn an_application_has_its_own_limit() {
    let rig = Rig::start("");
    let settings = json!({ "api_key": OTHER_KEY, "rate_limit": 6 });
    assert_eq!(set_application(&rig.daemon, OTHER, &settings).status, 201);
    let request = Request::get("/api/v1/sessions")
        .with("X-App-ID", OTHER)
        .with("X-API-Key", OTHER_KEY);
    let mut client = rig.daemon.client(Transport::Plain1);
    // Six a minute: a machine that is slow enough to get a seventh takes ten seconds for six.
    let statuses: Vec<u16> = (0..8).map(|_| client.send(&request).status).collect();
    assert_eq!(statuses[..6], [200; 6], "{statuses:?}");
    let limited = client.send(&request);
    if limited.status != 200 {
        assert_limited(&limited, "6 requests a minute");
    }
    assert!(statuses[6..].contains(&429), "{statuses:?}");
    let mine = Rig::request("GET", "/api/v1/sessions");
    assert_eq!(rig.daemon.ask(&mine).status, 200);
    let settings = json!({ "rate_limit": PLENTY });
    assert_eq!(set_application(&rig.daemon, OTHER, &settings).status, 200);
    assert_eq!(client.send(&request).status, 200);
}

/// Two commands of a group right after one another: the second has to wait. To the millisecond
/// that is tested with a clock of its own in `engine/session`.
#[test]
fn groups_of_commands_have_pauses() {
    let rig = Rig::start("");
    let call = rig.answered();
    let mut client = rig.daemon.client(Transport::Plain1);
    let mut send = |name: &str| {
        let request = Rig::request("POST", &call.path(name)).body(b"{}");
        client.send(&request)
    };
    assert_eq!(send("record/start").status, 202);
    assert_limited(&send("record/stop"), "heavy");
    assert_eq!(send("playback/silence").status, 202, "another group");
    assert_limited(&send("playback/silence"), "playback");
    for name in ["record/pause", "record/resume", "record/pause", "answer"] {
        assert_eq!(send(name).status, 202, "{name} has no group");
    }
    // A tenth of a second is soon over: of many in a row some are refused, some are not.
    let statuses: Vec<u16> = (0..20).map(|_| send("playback/stop").status).collect();
    assert_eq!(statuses[0], 202);
    assert!(statuses.contains(&429), "{statuses:?}");
    // Refusals do not prolong a pause.
    let stop = call.run("record/stop", &json!({}));
    assert!(!stop.is_empty());
    let _ = call.hang_up();
    call.settle();
}

/// Who shows no right key is soon told to wait, and no application with one is.
#[test]
fn strangers_are_few() {
    let rig = Rig::start("");
    let mut stranger = rig.daemon.client(Transport::Plain1);
    let request = Request::get("/api/v1/sessions")
        .with("X-App-ID", TENANT)
        .with("X-API-Key", "a-guess-at-the-key-of-the-suite");
    let answers: Vec<Answer> = (0..60).map(|_| stranger.send(&request)).collect();
    let refused: Vec<&Answer> = answers.iter().filter(|one| one.status == 429).collect();
    assert!(!refused.is_empty(), "sixty guesses in a row");
    for answer in refused {
        assert_limited(answer, "Rate limit exceeded");
    }
    assert!(answers.iter().all(|one| [401, 429].contains(&one.status)));
    let mine = Rig::request("GET", "/api/v1/sessions");
    assert_eq!(rig.daemon.ask(&mine).status, 200);
}
