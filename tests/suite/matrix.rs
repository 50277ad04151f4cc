//! Every endpoint of the four families × every kind of credential that must not open it: none,
//! wrong, expired, another tenant's, revoked. Each answers in its family's envelope and opens
//! nothing.

use harness::daemon::{Daemon, TENANT};
use harness::http::{Answer, Request};

use crate::families::{CALL_SID, Families, RECID, STRANGER, USER, issue, login, voice_log_path};
use crate::support::{TASK, word};

/// How a family is shown a credential, and what it says when that is not good.
struct Endpoint {
    method: &'static str,
    path: String,
    family: &'static str,
    header: &'static str,
    /// What a tenant that does not own the recording is told.
    stranger: u16,
}

fn endpoints() -> Vec<Endpoint> {
    let of = |family, header, stranger, method, path: String| Endpoint {
        method,
        path,
        family,
        header,
        stranger,
    };
    let paf = |method, path: &str, stranger| {
        of(
            "play-audio-file",
            "Authorization",
            stranger,
            method,
            format!("/api/v2/{path}"),
        )
    };
    let call = |what: &str| {
        let path = format!("/api/calls/{CALL_SID}/recording/{what}");
        of("call-recording", "X-API-Key", 404, "GET", path)
    };
    let task =
        |method, path: String, stranger| of("task-audio", "X-API-Key", stranger, method, path);
    vec![
        paf("GET", &format!("PlayAudioFile.php?recid={RECID}"), 400),
        paf("POST", &format!("PlayAudioFile.php?recid={RECID}"), 400),
        paf("GET", "GetAudiosList.php", 200),
        paf("POST", "CreateAudioFile.php", 400),
        paf("GET", &format!("GetCallStatus.php?recid={RECID}"), 400),
        call("stream"),
        call("download"),
        task("GET", format!("/api/v1/sse/audio/{TASK}"), 404),
        task("GET", format!("/api/v1/tasks/{TASK}/audio/export"), 404),
        task("GET", format!("/api/v1/tasks/{TASK}"), 404),
        task("GET", "/api/v1/tasks".to_owned(), 200),
        task("POST", "/api/v1/auth/ticket".to_owned(), 200),
    ]
}

impl Endpoint {
    fn request(&self) -> Request {
        Request::new(self.method, &self.path)
    }

    fn with(&self, secret: &str) -> Request {
        let value = match self.header {
            "Authorization" => format!("Bearer {secret}"),
            _ => secret.to_owned(),
        };
        self.request().with(self.header, &value)
    }

    /// The family's envelope of a refusal.
    fn check(&self, answer: &Answer, kind: &str) {
        let what = format!(
            "{} {} with {kind}: {}",
            self.method,
            self.path,
            answer.text()
        );
        assert_eq!(answer.status, 401, "{what}");
        assert!(answer.header("x-request-id").is_some(), "{what}");
        let json = answer.json();
        match self.family {
            "play-audio-file" => {
                let code = word(&json["return"], "status_code");
                let code: u32 = code.parse().expect("a number in a string");
                assert!((100..200).contains(&code), "{what}");
                assert_eq!(json["return"]["cd_id"], "0", "{what}");
            }
            "call-recording" => {
                assert_eq!(json["success"], false, "{what}");
                assert!(json["error"]["code"].is_string(), "{what}");
                assert!(json["error"]["message"].is_string(), "{what}");
            }
            _ => assert_eq!(json["error"]["code"], "unauthorized", "{what}"),
        }
    }
}

fn revoke(daemon: &Daemon, key: &serde_json::Value) {
    let _ = daemon.json(&["key", "revoke", &word(key, "key_id")]);
}

#[test]
fn keys_that_must_not_open_a_door_do_not() {
    let rig = Families::new();
    let daemon = &rig.daemon;
    for endpoint in endpoints() {
        endpoint.check(&daemon.ask(&endpoint.request()), "no credential");
        let key = issue(daemon, TENANT, endpoint.family);
        let secret = word(&key, "secret");
        let right = daemon.ask(&endpoint.with(&secret));
        assert_ne!(right.status, 401, "{}: {}", endpoint.path, right.text());
        let mut wrong = secret.clone().into_bytes();
        wrong.rotate_right(1);
        let prefix = secret.find('_').map_or(0, |at| at + 1);
        let mut wrong: String = String::from_utf8(wrong).expect("ASCII");
        wrong.replace_range(..prefix, &secret[..prefix]);
        endpoint.check(&daemon.ask(&endpoint.with(&wrong)), "a wrong key");
        revoke(daemon, &key);
        endpoint.check(&daemon.ask(&endpoint.with(&secret)), "a revoked key");
        let theirs = issue(daemon, STRANGER, endpoint.family);
        let theirs = daemon.ask(&endpoint.with(&word(&theirs, "secret")));
        assert_eq!(
            theirs.status,
            endpoint.stranger,
            "{}: {}",
            endpoint.path,
            theirs.text()
        );
        assert!(
            !theirs.text().contains(RECID),
            "{}: {}",
            endpoint.path,
            theirs.text()
        );
        assert!(
            !theirs.text().contains(TASK),
            "{}: {}",
            endpoint.path,
            theirs.text()
        );
        // Twenty failures of one address would lock seed 000's family.
        let _ = daemon.cli(&["lock", "clear", "127.0.0.1"]);
    }
}

/// A key that has run out is as good as none; the rotated one goes on.
#[test]
fn keys_run_out_and_are_rotated() {
    let rig = Families::new();
    let daemon = &rig.daemon;
    for endpoint in endpoints() {
        let key = issue(daemon, TENANT, endpoint.family);
        let old = word(&key, "secret");
        let new = daemon.json(&["key", "rotate", &word(&key, "key_id"), "--grace", "0s"]);
        endpoint.check(&daemon.ask(&endpoint.with(&old)), "a rotated key");
        let right = daemon.ask(&endpoint.with(&word(&new, "secret")));
        assert_ne!(right.status, 401, "{}: {}", endpoint.path, right.text());
        let _ = daemon.cli(&["lock", "clear", "127.0.0.1"]);
    }
}

/// Sessions of seed 003: none, forged, ended, of another tenant.
#[test]
fn sessions_that_must_not_open_a_door_do_not() {
    let rig = Families::new();
    let daemon = &rig.daemon;
    let paths = [
        ("GET", voice_log_path("wav")),
        ("POST", "/ameyorestapi/session/userLogout".to_owned()),
        (
            "POST",
            "/ameyorestapi/session/keepAliveWithPingPush".to_owned(),
        ),
        (
            "POST",
            "/ameyorestapi/session/terminateAllSessionsForUser".to_owned(),
        ),
    ];
    let ended = rig.login();
    let logout = Request::new("POST", "/ameyorestapi/session/userLogout");
    assert_eq!(daemon.ask(&logout.with("Sessionid", &ended)).status, 200);
    let mut forged = rig.login();
    let last = forged.pop();
    forged.push(if last == Some('a') { 'b' } else { 'a' });
    for (method, path) in &paths {
        for (kind, session) in [
            ("none", None),
            ("empty", Some("")),
            ("forged", Some(forged.as_str())),
            ("ended", Some(ended.as_str())),
        ] {
            let mut request = Request::new(method, path);
            if let Some(session) = session {
                request = request.with("Sessionid", session);
            }
            let answer = daemon.ask(&request);
            let what = format!("{method} {path} with {kind}: {}", answer.text());
            assert_eq!(answer.status, 401, "{what}");
            let json = answer.json();
            assert_eq!(json["message"], "invalid.authentication.token", "{what}");
            assert_eq!(json["code"], 909_090, "{what}");
            assert_eq!(json["status"], 401, "{what}");
            assert!(json["info"].is_string(), "{what}");
        }
    }
    let other = daemon.json(&[
        "user",
        "add",
        "boss@globex.example",
        "--tenant",
        STRANGER,
        "--role",
        "admin",
        "--generate",
    ]);
    let theirs = login(daemon, "boss@globex.example", &word(&other, "password"));
    let theirs = word(&theirs.json(), "sessionId");
    let answer = daemon.ask(&rig.voice_log(&theirs, "wav"));
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert_eq!(answer.json()["code"], 99_999);
    assert!(
        !daemon.log().contains(&theirs),
        "a session token is in the journal"
    );
    assert!(theirs.contains("-ses-boss@globex.example-"), "{theirs}");
    assert_eq!(login(daemon, USER, "not the password").status, 401);
}

/// Every field of a signed link altered, missing, doubled or added to: always 403, with CORS.
#[test]
fn altered_links_open_nothing() {
    let rig = Families::new();
    let daemon = &rig.daemon;
    let link = rig.link();
    assert_eq!(daemon.ask(&Request::get(&link)).status, 200);
    assert_eq!(daemon.ask(&Request::new("HEAD", &link)).status, 200);
    let (path, query) = link.split_once('?').expect("a query");
    let pairs: Vec<&str> = query.split('&').collect();
    let mut forged = vec![
        path.to_owned(),
        format!("{link}&live=1"),
        format!("{link}&"),
        format!("{link}#x").replace('#', "%23"),
        format!("{path}x?{query}"),
        format!("{path}?{}", query.to_uppercase()),
    ];
    for (at, pair) in pairs.iter().enumerate() {
        let mut without = pairs.clone();
        without.remove(at);
        forged.push(format!("{path}?{}", without.join("&")));
        forged.push(format!("{link}&{pair}"));
        let (name, value) = pair.split_once('=').expect("a value");
        for changed in alterations(value) {
            let mut altered = pairs.clone();
            let pair = format!("{name}={changed}");
            altered[at] = &pair;
            forged.push(format!("{path}?{}", altered.join("&")));
        }
    }
    let id = path.strip_prefix("/media/").expect("a media path");
    forged.extend(
        alterations(id)
            .iter()
            .map(|id| format!("/media/{id}?{query}")),
    );
    for target in forged {
        let answer = daemon.ask(&Request::get(&target));
        assert_eq!(answer.status, 403, "{target}: {}", answer.text());
        assert_eq!(answer.json()["success"], false, "{target}");
        assert!(answer.json()["error"]["code"].is_string(), "{target}");
    }
    let _ = daemon.json(&["signing-key", "rotate"]);
    assert_eq!(
        daemon.ask(&Request::get(&link)).status,
        200,
        "the old key still verifies"
    );
    let _ = daemon.json(&["signing-key", "rotate", "--retire-old"]);
    assert_eq!(
        daemon.ask(&Request::get(&link)).status,
        403,
        "a retired key"
    );
    assert_eq!(
        daemon.ask(&Request::get(&rig.link())).status,
        200,
        "the new key"
    );
}

/// Each character changed, one more, one less, and another form of the same.
fn alterations(value: &str) -> Vec<String> {
    let mut all = vec![
        format!("{value}0"),
        format!("0{value}"),
        format!("+{value}"),
        format!("%20{value}"),
        String::new(),
    ];
    for (at, letter) in value.char_indices() {
        let (before, after) = (&value[..at], &value[at + letter.len_utf8()..]);
        let other = if letter == '1' { '2' } else { '1' };
        all.push(format!("{before}{other}{after}"));
        all.push(format!("{before}%{:02x}{after}", u32::from(letter)));
    }
    all
}
