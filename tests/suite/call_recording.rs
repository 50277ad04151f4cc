//! Seed 002 as golden pairs: both endpoints, their envelopes, headers and errors, and what API
//! section 3 completes them with.

use harness::alsa::AlsaConfig;
use harness::daemon::{Setup, TENANT};
use harness::http::{Answer, Request};
use harness::{golden, sound, wait};

use crate::families::{CALL_SID, Families};
use crate::support::{self, word};

impl Families {
    fn call(&self, call_sid: &str, what: &str) -> Request {
        Request::get(&format!("/api/calls/{call_sid}/recording/{what}"))
            .with("X-API-Key", &self.organization_key)
    }

    fn call_golden(&self, name: &str, request: &Request) -> Answer {
        let answer = self.daemon.ask(request);
        let tag = answer.header("etag").unwrap_or_default().to_owned();
        let date = answer
            .header("last-modified")
            .unwrap_or_default()
            .to_owned();
        let link = serde_json::from_slice::<serde_json::Value>(&answer.body)
            .ok()
            .and_then(|json| json["data"]["url"].as_str().map(str::to_owned))
            .unwrap_or_default();
        let text = answer.text();
        let deleted = text.split("deleted at ").nth(1);
        let deleted = deleted
            .and_then(|rest| rest.split_once(".\""))
            .map_or("", |(at, _)| at);
        let masks = [
            (deleted, "<deleted at>"),
            (self.organization_key.as_str(), "<key>"),
            (&link, "<signed link>"),
            (&tag, "<etag>"),
            (&date, "<last-modified>"),
        ];
        golden::check(&format!("call_recording/{name}"), request, &answer, &masks);
        answer
    }
}

#[test]
fn both_endpoints_answer_as_the_seed_shows() {
    let rig = Families::new();
    let streamed = rig.call_golden("stream", &rig.call(CALL_SID, "stream"));
    let json = streamed.json();
    assert_eq!(json["success"], true);
    assert_eq!(json["data"]["expires_in"], 3_600);
    assert_eq!(json["data"]["content_type"], "audio/wav");
    assert_eq!(json["data"]["filename"], "recording_+15559876543.wav");
    let whole = rig.daemon.ask(&Request::get(&rig.link()));
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let part = rig
        .daemon
        .ask(&Request::get(&rig.link()).with("Range", "bytes=100-199"));
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[100..200]));
    let saved = rig.call_golden("download", &rig.call(CALL_SID, "download"));
    assert_eq!(saved.header("content-type"), Some("audio/wav"));
    assert_eq!(
        saved.header("content-disposition"),
        Some("attachment; filename=\"recording_+15559876543.wav\"")
    );
    assert_eq!(saved.body, whole.body);
}

/// `download` is WAV whatever is stored; `stream` tells the stored type.
#[test]
fn downloads_are_wav_whatever_is_stored() {
    for (format, stored) in [
        ("m4a", "audio/mp4"),
        ("webm", "audio/webm"),
        ("mp3", "audio/mpeg"),
    ] {
        let rig = Families::with(Setup::new(), format);
        let json = rig.daemon.ask(&rig.call(CALL_SID, "stream")).json();
        assert_eq!(json["data"]["content_type"], stored);
        let name = format!("recording_+15559876543.{format}");
        assert_eq!(json["data"]["filename"], name);
        let saved = rig.daemon.ask(&rig.call(CALL_SID, "download"));
        assert_eq!(saved.status, 200, "{}", saved.text());
        assert_eq!(saved.header("content-type"), Some("audio/wav"));
        assert_eq!(saved.body[..4], *b"RIFF");
        let seconds = (saved.body.len() - 44) as f64 / 4.0 / 16_000.0;
        let rate_48 = (saved.body.len() - 44) as f64 / 4.0 / 48_000.0;
        let fits = |seconds: f64| (seconds - 3.0).abs() < 0.1;
        assert!(
            fits(seconds) || fits(rate_48),
            "{format}: {seconds} s or {rate_48} s"
        );
    }
}

#[test]
fn errors_have_the_envelope() {
    let rig = Families::new();
    let unknown = rig.call_golden("404_unknown", &rig.call("call_000000000000", "stream"));
    assert_eq!(unknown.status, 404);
    for ill in [
        "abc",
        "call_",
        "call_%00",
        "..%2f..%2fetc",
        "call_a-b",
        "%d7",
    ] {
        for what in ["stream", "download"] {
            let answer = rig.daemon.ask(&rig.call(ill, what));
            assert_eq!(answer.status, 404, "{ill}: {}", answer.text());
            assert_eq!(answer.json()["success"], false, "{ill}");
        }
    }
    let org = |name: &str| {
        rig.daemon
            .ask(&rig.call(CALL_SID, "stream").with("X-Organization-Id", name))
            .status
    };
    assert_eq!(org(TENANT), 200);
    assert_eq!(org("org_123"), 403);
    assert_eq!(org(""), 403);
    let foreign = rig
        .call(CALL_SID, "stream")
        .with("X-Organization-Id", "org_123");
    rig.call_golden("403_organization", &foreign);
    let mut post = rig.call(CALL_SID, "stream");
    post.method = "POST".to_owned();
    let refused = rig.call_golden("405", &post);
    assert_eq!(refused.status, 405);
    assert!(refused.header("allow").is_some());
    rig.call_golden(
        "401",
        &Request::get(&format!("/api/calls/{CALL_SID}/recording/stream")),
    );
    let link = rig.link();
    let recid = crate::families::RECID;
    let _ = rig
        .daemon
        .json(&["recordings", "delete", recid, "--tenant", TENANT, "--yes"]);
    let purged = rig.call_golden("410_purged", &rig.call(CALL_SID, "download"));
    assert_eq!(purged.status, 410);
    let late = rig.daemon.ask(&Request::get(&link));
    assert!([404, 410].contains(&late.status), "{}", late.text());
}

/// A player on another origin may read the answers, refusals included.
#[test]
fn other_origins_may_read_links_and_refusals() {
    let origin = "https://app.example.com";
    let setup = Setup::new().http(&format!("allowed_origins = [\"{origin}\"]"));
    let rig = Families::with(setup, "wav");
    let link = rig.link();
    for target in [link.clone(), format!("{link}0")] {
        let answer = rig
            .daemon
            .ask(&Request::get(&target).with("Origin", origin));
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(origin),
            "{target}"
        );
        let exposed = answer
            .header("access-control-expose-headers")
            .expect("exposed");
        assert!(exposed.contains("Content-Range"), "{exposed}");
    }
    assert!(
        !rig.daemon
            .log()
            .contains(link.split("signature=").nth(1).expect("a signature"))
    );
}

/// Links of a daemon behind a proxy name the proxy.
#[test]
fn links_carry_the_public_address() {
    let setup = Setup::new().http("public_url = \"https://calls.example.com\"");
    let rig = Families::with(setup, "wav");
    let json = rig.daemon.ask(&rig.call(CALL_SID, "stream")).json();
    let url = word(&json["data"], "url");
    assert!(url.starts_with("https://calls.example.com/media/"), "{url}");
    let path = url.trim_start_matches("https://calls.example.com");
    assert_eq!(rig.daemon.ask(&Request::get(path)).status, 200);
    assert!(support::field(&json, "expires_in").is_some());
}

/// A call that goes on is 409, unless what there is of it will do.
#[test]
fn a_call_in_progress_is_told() {
    let setup = Setup::new();
    let samples = setup.folder().join("known.raw");
    std::fs::write(&samples, sound::to_bytes(&sound::noise(600 * 8_000))).expect("known.raw");
    let daemon = setup
        .alsa(AlsaConfig::default().file("known", &samples))
        .line("desk", "capture = \"known\"\ntrigger = \"always\"")
        .start();
    let call_sid = wait::until("a call", || {
        let calls = daemon.json(&["calls"]);
        support::field(&calls, "call_sid").and_then(|sid| sid.as_str().map(str::to_owned))
    });
    let key = word(
        &crate::families::issue(&daemon, TENANT, "call-recording"),
        "secret",
    );
    let ask = |what: &str| {
        let target = format!("/api/calls/{call_sid}/recording/{what}");
        daemon.ask(&Request::get(&target).with("X-API-Key", &key))
    };
    for what in ["stream", "download"] {
        let answer = ask(what);
        assert_eq!(answer.status, 409, "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "recording_in_progress");
    }
    let so_far = wait::until("some sound", || {
        let answer = ask("download?live=1");
        (answer.status == 200 && answer.body.len() > 8_000).then_some(answer)
    });
    assert_eq!(so_far.header("cache-control"), Some("no-store"));
    assert_eq!(so_far.body[..4], *b"RIFF");
}

/// A recording whose file is gone is a failure of storage, in the envelope.
#[test]
fn a_missing_file_is_an_internal_error() {
    let rig = Families::new();
    for file in support::stored_files(&rig.daemon.data(), "wav") {
        std::fs::remove_file(file).expect("the stored file");
    }
    let answer = rig.call_golden("500", &rig.call(CALL_SID, "download"));
    assert_eq!(answer.status, 500);
}
