//! Who may hear a recording: keys of seed 004, their tenants and revocation, keys in the query
//! where players cannot set headers, and tickets (API section 5).

use harness::daemon::{Daemon, Setup, TENANT};
use harness::http::{Answer, Request};

use crate::support::{self, TASK, audio_path, get_audio};

fn daemon_with_recording() -> Daemon {
    let daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, TASK, 8_000);
    daemon
}

fn assert_unauthorized(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "unauthorized", "{what}");
    assert!(answer.json()["error"]["message"].is_string(), "{what}");
    assert!(
        !answer.text().contains("vas_"),
        "{what}: the secret is echoed"
    );
}

/// No key, wrong keys and ill-formed ones open nothing, and say the same about what exists and
/// what does not.
#[test]
fn without_a_key_there_is_nothing() {
    let daemon = daemon_with_recording();
    let key = support::key(&daemon);
    assert_eq!(key.len(), "vas_".len() + 32, "{key}");
    assert!(key.starts_with("vas_"), "{key}");
    let mut flipped = key.clone().into_bytes();
    let last = flipped.last_mut().expect("a character");
    *last = if *last == b'a' { b'b' } else { b'a' };
    let flipped = String::from_utf8(flipped).expect("ASCII");
    let longer = format!("{key}a");
    let absent = "00000000-0000-4000-8000-000000000000";
    for task in [TASK, absent, "not-a-uuid"] {
        assert_unauthorized(&daemon.ask(&Request::get(&audio_path(task))), "no key");
        for wrong in [flipped.as_str(), &longer, &key[..key.len() - 1]] {
            assert_unauthorized(&daemon.ask(&get_audio(task, wrong)), wrong);
        }
    }
    assert_unauthorized(&daemon.ask(&get_audio(TASK, "")), "an empty key");
    assert_eq!(daemon.ask(&get_audio(TASK, &key)).status, 200);
    assert!(!daemon.log().contains(&key), "the secret is in the journal");
}

/// Another tenant's recording answers as if it did not exist, byte for byte.
#[test]
fn another_tenants_recording_does_not_exist() {
    let daemon = daemon_with_recording();
    let mine = support::key(&daemon);
    let theirs = support::word(&support::issue(&daemon, "globex"), "secret");
    let absent = "00000000-0000-4000-8000-000000000000";
    for path in [
        audio_path(TASK),
        format!("/api/v1/tasks/{TASK}/audio/export"),
    ] {
        let foreign = daemon.ask(&Request::get(&path).with("X-API-Key", &theirs));
        let missing =
            daemon.ask(&Request::get(&path.replace(TASK, absent)).with("X-API-Key", &theirs));
        assert_eq!(foreign.status, 404);
        assert_eq!(foreign.text().replace(TASK, absent), missing.text());
        let own = daemon.ask(&Request::get(&path).with("X-API-Key", &mine));
        assert_eq!(own.status, 200);
    }
    let list = daemon.ask(&Request::get("/api/v1/tasks").with("X-API-Key", &theirs));
    assert_eq!(list.status, 200);
    assert!(!list.text().contains(TASK), "{}", list.text());
}

/// A revoked key is a wrong key from the next request on, whatever connection it comes over.
#[test]
fn revocation_holds_at_once() {
    let daemon = daemon_with_recording();
    let issued = support::issue(&daemon, TENANT);
    let (secret, id) = (
        support::word(&issued, "secret"),
        support::word(&issued, "key_id"),
    );
    let mut client = daemon.client(harness::http::Transport::Plain1);
    assert_eq!(client.send(&get_audio(TASK, &secret)).status, 200);
    let _ = daemon.json(&["key", "revoke", &id]);
    assert_unauthorized(&client.send(&get_audio(TASK, &secret)), "a revoked key");
}

/// Keys survive a restart; a family's key opens no other family.
#[test]
fn keys_belong_to_a_family_and_last() {
    let mut daemon = daemon_with_recording();
    let key = support::key(&daemon);
    let other = daemon.json(&[
        "key",
        "issue",
        "--tenant",
        TENANT,
        "--family",
        "call-recording",
    ]);
    let other = support::word(&other, "secret");
    daemon.kill();
    daemon.start();
    assert_eq!(daemon.ask(&get_audio(TASK, &key)).status, 200);
    assert_unauthorized(
        &daemon.ask(&get_audio(TASK, &other)),
        "another family's key",
    );
}

/// `?api_key=` works where an `<audio>` element needs it and nowhere else, and is never logged.
#[test]
fn a_key_in_the_query_works_on_playback_paths_only() {
    let daemon = daemon_with_recording();
    let key = support::key(&daemon);
    let played = daemon.ask(&Request::get(&format!(
        "{}?api_key={key}",
        audio_path(TASK)
    )));
    assert_eq!(played.status, 200);
    let referrer = played.header("referrer-policy");
    assert_eq!(referrer, Some("no-referrer"));
    for path in [
        format!("/api/v1/tasks/{TASK}/audio/export"),
        "/api/v1/tasks".to_owned(),
    ] {
        let answer = daemon.ask(&Request::get(&format!("{path}?api_key={key}")));
        assert_unauthorized(&answer, &path);
    }
    let wrong = daemon.ask(&Request::get(&format!(
        "{}?api_key=vas_no",
        audio_path(TASK)
    )));
    assert_unauthorized(&wrong, "a wrong key in the query");
    assert!(!daemon.log().contains(&key), "the secret is in the journal");
}

fn ticket(daemon: &Daemon, key: &str) -> Answer {
    let body = format!("{{\"task_id\":\"{TASK}\"}}");
    daemon.ask(
        &Request::new("POST", "/api/v1/auth/ticket")
            .with("X-API-Key", key)
            .with("Content-Type", "application/json")
            .body(body.as_bytes()),
    )
}

/// A ticket opens playback without a key; rubbish and another path do not.
#[test]
fn a_ticket_opens_playback() {
    let daemon = daemon_with_recording();
    let key = support::key(&daemon);
    let issued = ticket(&daemon, &key);
    assert!(
        issued.status == 200 || issued.status == 201,
        "{}",
        issued.text()
    );
    let word = support::word(&issued.json(), "ticket");
    let path = format!("{}?ticket={word}", audio_path(TASK));
    let played = daemon.ask(&Request::get(&path).with("Range", "bytes=0-1"));
    assert_eq!(played.status, 206, "{}", played.text());
    let wrong = daemon.ask(&Request::get(&format!(
        "{}?ticket=rubbish",
        audio_path(TASK)
    )));
    assert_unauthorized(&wrong, "a made-up ticket");
    let list = daemon.ask(&Request::get(&format!("/api/v1/tasks?ticket={word}")));
    assert_unauthorized(&list, "a ticket off the playback paths");
    assert_unauthorized(&ticket(&daemon, "vas_wrong"), "a ticket without a key");
    assert!(
        !daemon.log().contains(&word),
        "the ticket is in the journal"
    );
}

/// Guessing is slowed down: an address that fails again and again is told to wait, and a good key
/// of another connection still works from elsewhere.
#[test]
fn guessing_ends_in_429() {
    let daemon = daemon_with_recording();
    let mut client = daemon.client(harness::http::Transport::Plain1);
    let answers: Vec<Answer> = (0..60)
        .map(|n| client.send(&get_audio(TASK, &format!("vas_guess{n}"))))
        .collect();
    let refused = answers
        .iter()
        .find(|answer| answer.status == 429)
        .expect("a 429");
    let after = refused.header("retry-after").expect("Retry-After");
    assert!(
        after.parse::<u64>().is_ok_and(|seconds| seconds > 0),
        "{after}"
    );
    assert!(refused.json()["error"]["code"].is_string());
    assert_eq!(daemon.ask(&Request::get("/healthz")).status, 200);
}
