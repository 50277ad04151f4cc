//! Family `call_recording` over sockets: seed 002 and API.md section 3.

use std::time::Duration;

use http::{Method, StatusCode};
use storage::account::{KeyWish, NewUser, Role};
use storage::ids::{Number, UserName};
use storage::record::{Container, Family, Recording};

use super::client::{Answer, Ask, Way};
use super::rig::{NOW_TEXT, Rig, pattern};
use crate::http::limits;

const SIZE: usize = 300_007;

/// A rig with a key of the family.
struct Calls {
    rig: Rig,
    key: String,
}

impl Calls {
    fn new() -> Self {
        Self::of(Rig::new())
    }

    fn of(rig: Rig) -> Self {
        let storage = &rig.site.storage;
        let issued = storage.issue_key(rig.tenant, Family::CallRecording, "test");
        let key = issued.unwrap().secret;
        Self { rig, key }
    }

    fn ask(&self, recording: &Recording, what: &str) -> Ask<'static> {
        let call_sid = &recording.facts.names.call_sid;
        Ask::get(format!("/api/calls/{call_sid}/recording/{what}"))
            .with("x-api-key", self.key.clone())
    }

    /// Path and query of a fresh link.
    fn link(&self, recording: &Recording) -> String {
        let answer = self.ask(recording, "stream").ask(&self.rig);
        let json = answer.json();
        let url = json["data"]["url"].as_str().unwrap();
        url.strip_prefix("http://localhost").unwrap().to_owned()
    }
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code));
    assert_eq!(answer.json()["success"], false);
    assert!(answer.json()["error"]["message"].is_string());
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn a_stream_is_a_link_that_plays() {
    let calls = Calls::new();
    let bytes = pattern(SIZE);
    let to = Number::new("+15559876543").unwrap();
    let recording = calls.rig.import_to(&bytes, Container::Mp3, Some(to));
    for way in Way::ALL {
        let answer = calls.ask(&recording, "stream").send(&calls.rig, way);
        assert_eq!(answer.status, StatusCode::OK, "{way:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let json = answer.json();
        assert_eq!(json["success"], true);
        let data = &json["data"];
        assert_eq!(data["expires_in"], 3_600);
        assert_eq!(data["content_type"], "audio/mpeg");
        assert_eq!(data["filename"], "recording_+15559876543.mp3");
        let url = data["url"].as_str().unwrap();
        let secure = matches!(way, Way::TlsH1 | Way::TlsH2);
        assert!(
            url.starts_with(if secure { "https://" } else { "http://" }),
            "{url}"
        );
        let (_, path) = url.split_once("/media/").unwrap();
        let path = format!("/media/{path}");
        let whole = Ask::get(&path).send(&calls.rig, way);
        assert_eq!(whole.status, StatusCode::OK, "{way:?}");
        assert!(whole.body == bytes);
        assert_eq!(whole.header("content-type"), Some("audio/mpeg"));
        assert_eq!(whole.header("accept-ranges"), Some("bytes"));
        assert_eq!(whole.header("last-modified"), Some(NOW_TEXT));
        assert_eq!(whole.header("cache-control"), Some("private, no-cache"));
        assert_eq!(
            whole.header("content-disposition"),
            Some("inline; filename=\"recording_+15559876543.mp3\"")
        );
        let part = Ask::get(&path).with("range", "bytes=-5");
        let part = part.send(&calls.rig, way);
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert!(part.body[..] == bytes[SIZE - 5..]);
        let head = Ask::get(&path).method(Method::HEAD).send(&calls.rig, way);
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.header("content-length"), Some("300007"));
        let etag = whole.header("etag").unwrap();
        let again = Ask::get(&path).with("if-none-match", etag);
        assert_eq!(again.send(&calls.rig, way).status, StatusCode::NOT_MODIFIED);
        let past = Ask::get(&path).with("range", "bytes=300007-");
        let past = past.send(&calls.rig, way);
        refused(&past, 416, "range_not_satisfiable");
        assert_eq!(past.header("content-range"), Some("bytes */300007"));
    }
}

#[test]
fn a_download_of_a_wav_is_the_file() {
    let calls = Calls::new();
    let bytes = pattern(SIZE);
    let recording = calls.rig.import(&bytes, Container::Wav);
    let call_sid = recording.facts.names.call_sid.as_str();
    for way in Way::ALL {
        let ask = || calls.ask(&recording, "download");
        let whole = ask().send(&calls.rig, way);
        assert_eq!(whole.status, StatusCode::OK, "{way:?}");
        assert_eq!(whole.header("content-type"), Some("audio/wav"));
        // Without a called number the call lends its name.
        let expected = format!("attachment; filename=\"recording_{call_sid}.wav\"");
        assert_eq!(whole.header("content-disposition"), Some(&*expected));
        assert_eq!(whole.header("content-length"), Some("300007"));
        assert!(whole.body == bytes);
        let part = ask().with("range", "bytes=10-19").send(&calls.rig, way);
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert!(part.body[..] == bytes[10..20]);
        let head = ask().method(Method::HEAD).send(&calls.rig, way);
        assert_eq!(head.header("content-length"), Some("300007"));
    }
}

#[test]
fn only_the_organizations_key_opens_a_call() {
    let calls = Calls::new();
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let call_sid = &recording.facts.names.call_sid;
    let storage = &rig.site.storage;
    let tenants = storage.tenants().unwrap();
    let other = tenants.iter().find(|row| row.id != rig.tenant).unwrap().id;
    let stranger = storage
        .issue_key(other, Family::CallRecording, "")
        .unwrap()
        .secret;
    for what in ["stream", "download"] {
        let bare = || Ask::get(format!("/api/calls/{call_sid}/recording/{what}"));
        refused(&bare().ask(rig), 401, "unauthorized");
        let missing = bare().ask(rig);
        assert!(
            missing
                .header("www-authenticate")
                .unwrap()
                .contains("Bearer")
        );
        let bearer = format!("Bearer {}", calls.key);
        let good = [
            bare().with("x-api-key", &*calls.key),
            bare().with("authorization", &*bearer),
            bare()
                .with("authorization", &*bearer)
                .with("x-api-key", &*calls.key),
        ];
        for ask in good {
            assert_eq!(ask.ask(rig).status, StatusCode::OK, "{what}");
        }
        let bad = [
            bare().with("x-api-key", "cr_nonsense"),
            bare().with("x-api-key", &*rig.key),
            bare()
                .with("authorization", &*bearer)
                .with("x-api-key", &*stranger),
            bare()
                .with("x-api-key", &*calls.key)
                .with("x-api-key", &*calls.key),
        ];
        for ask in bad {
            refused(&ask.ask(rig), 401, "unauthorized");
        }
        let foreign = bare().with("x-api-key", &*stranger).ask(rig);
        refused(&foreign, 404, "call_not_found");
        let ill = Ask::get(format!("/api/calls/call_%00/recording/{what}"));
        let ill = ill.with("x-api-key", &*stranger).ask(rig);
        assert_eq!(ill.body, foreign.body, "existence must not show");
        let number = rig.tenant.0;
        let of = |name: String| {
            let ask = bare().with("x-api-key", &*calls.key);
            ask.with("x-organization-id", name).ask(rig)
        };
        for mine in ["a".to_owned(), number.to_string(), format!("org_{number}")] {
            assert_eq!(of(mine).status, StatusCode::OK);
        }
        for theirs in ["b".to_owned(), format!("org_{}", other.0), String::new()] {
            refused(&of(theirs), 403, "forbidden");
        }
    }
}

#[test]
fn keys_keep_to_their_addresses_tenants_and_users() {
    let calls = Calls::new();
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let storage = &rig.site.storage;
    let wish = |allow: &str, user_id| KeyWish {
        tenant: rig.tenant,
        family: Family::CallRecording,
        label: String::new(),
        allow: vec![allow.parse().unwrap()],
        expires_at: None,
        user_id,
    };
    let with = |secret: &str| {
        let call_sid = &recording.facts.names.call_sid;
        Ask::get(format!("/api/calls/{call_sid}/recording/stream"))
            .with("x-api-key", secret)
            .ask(rig)
    };
    let near = storage
        .issue_key_as(wish("127.0.0.0/8", None))
        .unwrap()
        .secret;
    assert_eq!(with(&near).status, StatusCode::OK);
    let far = storage
        .issue_key_as(wish("192.0.2.0/24", None))
        .unwrap()
        .secret;
    refused(&with(&far), 403, "forbidden");
    let user = |name: &str, role| {
        let user = NewUser {
            tenant: rig.tenant,
            name: UserName::new(name).unwrap(),
            role,
            password: "correct horse".to_owned(),
            allow: Vec::new(),
            groups: Vec::new(),
            line: None,
        };
        let user_id = storage.add_user(user).unwrap().user_id;
        storage
            .issue_key_as(wish("127.0.0.0/8", Some(user_id)))
            .unwrap()
            .secret
    };
    assert_eq!(with(&user("boss", Role::Supervisor)).status, StatusCode::OK);
    refused(&with(&user("agent", Role::AgentView)), 403, "forbidden");
    let link = calls.link(&recording);
    storage.set_tenant_disabled(rig.tenant, true).unwrap();
    refused(&with(&near), 401, "unauthorized");
    refused(&Ask::get(&link).ask(rig), 403, "link_invalid");
    storage.set_tenant_disabled(rig.tenant, false).unwrap();
    assert_eq!(Ask::get(&link).ask(rig).status, StatusCode::OK);
}

#[test]
fn links_that_were_altered_open_nothing_and_tell_nothing() {
    let calls = Calls::new();
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let link = calls.link(&recording);
    let id = format!("{:x}", recording.facts.id.0);
    let absent = link.replace(
        &format!("-{id}?"),
        &format!("-{:x}?", recording.facts.id.0 + 1),
    );
    assert_ne!(absent, link);
    let mut bodies = Vec::new();
    for bad in [
        absent,
        format!("{link}&x=1"),
        format!("{link}0"),
        link.replace("inline", "attachment"),
        link.replace("expires=7", "expires=8"),
        "/media/".to_owned(),
        "/media/1-1".to_owned(),
        "/media/%ff?expires=%00".to_owned(),
    ] {
        let answer = Ask::get(&bad).with("origin", "https://a.example").ask(rig);
        refused(&answer, 403, "link_invalid");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://a.example"),
            "{bad}"
        );
        bodies.push(answer.body);
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]));
    assert_eq!(Ask::get(&link).ask(rig).status, StatusCode::OK);
}

#[test]
fn links_end_whatever_the_clock_is_set_to() {
    let calls = Calls::new();
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let link = calls.link(&recording);
    let status = |link: &str| Ask::get(link).ask(rig).status.as_u16();
    rig.clock
        .advance(limits::LINK_LIFE - Duration::from_secs(1));
    assert_eq!(status(&link), 200);
    // Setting the clock back does not buy time.
    rig.clock.step_wall(super::rig::NOW);
    assert_eq!(status(&link), 200);
    rig.clock.advance(Duration::from_secs(1));
    refused(&Ask::get(&link).ask(rig), 403, "link_expired");
    let fresh = calls.link(&recording);
    assert_eq!(status(&fresh), 200);
    let storage = &rig.site.storage;
    storage.rotate_signing_key(false).unwrap();
    assert_eq!(status(&fresh), 200);
    assert_eq!(status(&calls.link(&recording)), 200);
    storage.rotate_signing_key(true).unwrap();
    refused(&Ask::get(&fresh).ask(rig), 403, "link_invalid");
    assert_eq!(status(&calls.link(&recording)), 200);
}

#[test]
fn what_is_gone_is_told() {
    let calls = Calls::new();
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let link = calls.link(&recording);
    rig.site
        .storage
        .delete(rig.tenant, recording.facts.id)
        .unwrap();
    for what in ["stream", "download"] {
        refused(
            &calls.ask(&recording, what).ask(rig),
            410,
            "recording_purged",
        );
    }
    refused(&Ask::get(&link).ask(rig), 410, "recording_purged");
}

#[test]
fn the_public_address_is_configured_or_the_hosts() {
    let configured = Calls::of(Rig::with(|config| {
        config.http.public_url = Some("https://calls.example".to_owned());
    }));
    let recording = configured.rig.import(b"sound", Container::Wav);
    let answer = configured.ask(&recording, "stream").ask(&configured.rig);
    let url = answer.json()["data"]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://calls.example/media/"), "{url}");
    let calls = Calls::new();
    let recording = calls.rig.import(b"sound", Container::Wav);
    for bad in ["a b", "user@a", "a/b"] {
        let request = format!(
            "GET /api/calls/{}/recording/stream HTTP/1.1\r\nHost: {bad}\r\nX-API-Key: {}\r\n\
             Connection: close\r\n\r\n",
            recording.facts.names.call_sid, calls.key
        );
        let answer = super::client::converse(&super::client::raw(&calls.rig), request.as_bytes());
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 400"), "{bad}: {text}");
    }
}

#[test]
fn every_status_has_the_familys_envelope() {
    let calls = Calls::new();
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let post = calls
        .ask(&recording, "stream")
        .method(Method::POST)
        .ask(rig);
    refused(&post, 405, "method_not_allowed");
    assert_eq!(post.header("allow"), Some("GET, HEAD, OPTIONS"));
    let long = format!("stream?x={}", "y".repeat(limits::URI_BYTES));
    refused(&calls.ask(&recording, &long).ask(rig), 414, "uri_too_long");
    let big = calls
        .ask(&recording, "stream")
        .with("x-big", "y".repeat(limits::HEADER_BYTES));
    refused(&big.ask(rig), 431, "headers_too_large");
    refused(&Ask::get("/api/calls/x/nothing").ask(rig), 404, "not_found");
    let odd = calls
        .ask(&recording, "download")
        .with("if-match", "\"x\"")
        .ask(rig);
    refused(&odd, 412, "precondition_failed");
    let odd = calls.ask(&recording, "stream?live=2").ask(rig);
    refused(&odd, 400, "invalid_parameter");
    for path in ["/api/calls/call_x/recording/stream", "/media/1-1"] {
        let preflight = Ask::get(path)
            .method(Method::OPTIONS)
            .with("origin", "https://a.example")
            .ask(rig);
        assert_eq!(preflight.status, StatusCode::NO_CONTENT);
        let headers = preflight.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("X-Organization-Id") && headers.contains("Authorization"));
    }
}

#[test]
fn guesses_are_slowed_down_and_right_keys_are_not() {
    let calls = Calls::new();
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let guess = || Ask::get("/api/calls/call_x/recording/stream").with("x-api-key", "cr_x");
    for _ in 0..limits::AUTH_FAILURES {
        refused(&guess().ask(rig), 401, "unauthorized");
    }
    let answer = guess().ask(rig);
    refused(&answer, 429, "too_many_failures");
    assert!(answer.header("retry-after").is_some());
    // A signature cannot be guessed: forged links are told what they are, however many.
    for _ in 0..=limits::AUTH_FAILURES {
        refused(&Ask::get("/media/1-1").ask(rig), 403, "link_invalid");
    }
    let link = calls.link(&recording);
    assert_eq!(Ask::get(&link).ask(rig).status, StatusCode::OK);
}

#[test]
fn credentials_have_their_rates() {
    let calls = Calls::of(Rig::with(|config| {
        config.access.requests_per_credential = 3;
        config.access.media_per_credential = 2;
        // Loopback is exempt from the address's.
        config.access.requests_per_address = 1;
    }));
    let rig = &calls.rig;
    let recording = rig.import(b"sound", Container::Wav);
    let link = calls.link(&recording);
    let stream = || calls.ask(&recording, "stream").ask(rig);
    for _ in 0..2 {
        assert_eq!(stream().status, StatusCode::OK);
    }
    refused(&stream(), 429, "rate_limited");
    assert_eq!(stream().header("retry-after"), Some("1"));
    // Another key of the same tenant, and a link, have buckets of their own.
    let tasks = Ask::get("/api/v1/tasks").key(rig).ask(rig);
    assert_eq!(tasks.status, StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(Ask::get(&link).ask(rig).status, StatusCode::OK);
    }
    refused(&Ask::get(&link).ask(rig), 429, "rate_limited");
    for _ in 0..2 {
        let download = calls.ask(&recording, "download").ask(rig);
        assert_eq!(download.status, StatusCode::OK);
    }
    refused(
        &calls.ask(&recording, "download").ask(rig),
        429,
        "rate_limited",
    );
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(stream().status, StatusCode::OK);
    assert_eq!(Ask::get(&link).ask(rig).status, StatusCode::OK);
    let limited = &rig.site.metrics.limited_credential;
    assert_eq!(limited.load(std::sync::atomic::Ordering::Relaxed), 4);
}
